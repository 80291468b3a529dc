/*
 * What every IOMMU of this project asks of QEMU: memory, interrupts, PCI, migration.  A
 * device embeds a WinIommuHost and adds what is its machine's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MISC_WINIOMMU_HOST_H
#define HW_MISC_WINIOMMU_HOST_H

#include "iommu/capi.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "winiommu-compat.h"
#include "winiommu-translator.h"

#define WI_PENDING_MSIS 8
#define WI_LINES 4
#define WI_TOPICS 8

typedef struct WinIommuHost WinIommuHost;

/* A requester behind the IOMMU: (bus, devfn).  Lives as long as the IOMMU. */
struct WiFunction {
    WinIommuHost* host;
    PCIBus* bus;                  /* NULL: not a PCI function */
    const uint8_t* secondary_bus; /* register of the bridge above; NULL: fixed_bus */
    unsigned fixed_bus;
    int devfn;

    /* What the notifiers of `region` want, and the stream that was told so. */
    bool unmaps_wanted, device_unmaps_wanted, mappings_wanted;
    bool mappings_told;
    WiStream* listened;
    /* An endpoint of ours with a Device-TLB. */
    WiDeviceTlbTell* tell_device_tlb;
    void* device_tlb;
#ifdef WI_PCI_ATS
    QLIST_HEAD(, WiAtsListener) ats_listeners;
#endif

    /*
     * The requester ID is bus number and devfn, and the guest may number the bus anew at
     * any time: one stream per bus number, looked up by the number the bus has now.
     */
    void* streams[256]; /* of WiStream */

    /* Either the IOMMU region or, while everything passes through, system memory. */
    AddressSpace as;
    MemoryRegion root;
    MemoryRegion bypass;
    IOMMUMemoryRegion region;
    MemoryRegion extension; /* for WinIommuHost.extend */

    QLIST_ENTRY(WiFunction) next;
};

/* A bridge whose configuration writes we watch for a new secondary bus number. */
typedef struct WiBridge {
    WinIommuHost* host;
    PCIDevice* device;
    PCIConfigWriteFunc* write;
    QLIST_ENTRY(WiBridge) next;
} WiBridge;

struct WinIommuHost {
    /* Set by the device before winiommu_host_start(). */
    Object* owner;
    const char* name; /* of the type, for messages */
    unsigned index;   /* among the devices of that type */
    WiIommu* iommu;
    PCIBus* bus;   /* the root bus it serves */
    qemu_irq* irq; /* WI_LINES of them, or NULL */
    /* BQL held; 0 done, -1 nobody there. */
    int (*send_msi)(WinIommuHost* host, uint64_t address, uint32_t data);
    bool
        msi_in_memory; /* an MSI to an address that does not answer can be told at once */
    /* NULL, or called after each write to a register.  BQL held. */
    void (*written)(WinIommuHost* host);
    /* NULL, or adds to the address space of a new function. */
    void (*extend)(WiFunction* function);

    MemoryRegion mmio;
    QLIST_HEAD(, WiFunction) functions;
    QemuMutex streams_lock; /* creation of streams */
    bool refresh_due;

    MemoryListener listener;
    GArray* ram; /* of WiRamRegion */
    bool ram_changed;

    /* Interrupts raised on a thread without the BQL, delivered by the bottom half. */
    QEMUBH* deliver;
    QemuMutex pending_lock;
    unsigned pending_lines;
    unsigned pending_msis;
    struct {
        uint64_t address;
        uint32_t data;
    } pending_msi[WI_PENDING_MSIS];

    VMChangeStateEntry* vm_change;

    /* Properties of winiommu-verify.c, and what it needs. */
    char* verify;
    char* record;
    bool stop_at_finding;
    QEMUTimer* tick;
    Notifier exit;

    void* saved;
    uint32_t saved_size;

    char* requests[WI_TOPICS]; /* what was asked last; winiommu-introspect.c */
    char *fault_action, *fault_filter;
};

/* winiommu-host.c */

/* At instance_init. */
void winiommu_host_init(WinIommuHost* host, Object* owner, const char* name);
/* The callbacks to create a core with. */
WiHost winiommu_host_callbacks(WinIommuHost* host);
/* At realize, when there are a core and a bus: takes the bus over, and makes `mmio` of
 * @mmio_size bytes.  False: *errp says why not, and the core is gone. */
bool winiommu_host_start(WinIommuHost* host, uint64_t mmio_size, Error** errp);
/* When the machine is complete.  Exits with a line when somebody else has the bus. */
void winiommu_host_ready(WinIommuHost* host);
void winiommu_host_reset(WinIommuHost* host);
extern const VMStateDescription winiommu_host_vmstate;

/* winiommu-verify.c */

/* @host: the field of @type that is the WinIommuHost. */
#define WINIOMMU_VERIFY_PROPERTIES(type, host)                                           \
    DEFINE_PROP_STRING("verify", type, host.verify),                                     \
        DEFINE_PROP_STRING("record", type, host.record)
/* At instance_init: the property `findings`. */
void winiommu_verify_init(WinIommuHost* host);
/* When there is a core, before the first stream.  False: *errp says what is wrong. */
bool winiommu_verify_start(WinIommuHost* host, Error** errp);
/* winiommu-introspect.c */

/* At instance_init: the properties. */
void winiommu_introspect_init(WinIommuHost* host);
/* When there is a core, before the first access. */
bool winiommu_introspect_start(WinIommuHost* host, Error** errp);

/* winiommu-pci.c */

/* Takes over DMA of its bus.  False: *errp says why not. */
bool winiommu_host_attach(WinIommuHost* host, Error** errp);
/* Whose bus it is; NULL when none of ours has it. */
WinIommuHost* winiommu_host_of_bus(const PCIBus* bus);
/* The address space of a requester that is no PCI function. */
AddressSpace* winiommu_host_add_requester(WinIommuHost* host, unsigned bus, int devfn);
/* The function at that place below the bus that @host has; made if it is new. */
WiFunction* winiommu_host_function_at(WinIommuHost* host, PCIBus* bus, int devfn);
/* The right region for every function, the right stream for every bus number.  BQL held.
 */
void winiommu_host_refresh(WinIommuHost* host);

/* winiommu-notify.c: what the core tells goes to whoever listens there. */

void winiommu_host_unmapped(WinIommuHost* host, uint32_t sid, uint64_t iova,
                            uint64_t size);
/* False: no function there answers. */
bool winiommu_host_device_unmapped(WinIommuHost* host, uint32_t sid, uint32_t substream,
                                   uint64_t iova, uint64_t size);
void winiommu_host_mapping_changed(WinIommuHost* host, uint32_t sid,
                                   const WiBlock* block);

#ifdef WI_PCI_ATS
/* winiommu-ats.c: PCIIOMMUOps, and invalidations for those who registered there. */
void winiommu_ats_get_info(void* opaque, uint8_t* address_width, uint32_t* page_size);
void winiommu_ats_init_notifier(PCIBus* bus, void* opaque, int devfn, IOMMUNotifier* n,
                                IOMMUNotify tell, void* user);
void winiommu_ats_register(PCIBus* bus, void* opaque, int devfn, uint32_t pasid,
                           IOMMUNotifier* n);
void winiommu_ats_unregister(PCIBus* bus, void* opaque, int devfn, uint32_t pasid,
                             IOMMUNotifier* n);
ssize_t winiommu_ats_request(PCIBus* bus, void* opaque, int devfn, uint32_t pasid,
                             bool privileged, bool execute, hwaddr address, size_t length,
                             bool no_write, IOMMUTLBEntry* result, size_t results,
                             uint32_t* failed);
void winiommu_ats_invalidate(WiFunction* function, uint32_t substream, uint64_t first,
                             uint64_t last);
#endif

/* winiommu-streams.c */

/* The requester ID it has now. */
uint16_t winiommu_function_source(const WiFunction* function);
/* The interface of winiommu-translator.h. */
WiFunction* winiommu_host_function(WinIommuHost* host, AddressSpace* as);
bool winiommu_host_has_ats(WiFunction* function);
void winiommu_host_request(WiFunction* function, uint64_t address, unsigned attributes,
                           uint32_t substream, WiAtsCompletion* out);
bool winiommu_host_admit(WiFunction* function, uint64_t address, unsigned attributes,
                         uint32_t substream);
void winiommu_host_watch_device_tlb(WiFunction* function, WiDeviceTlbTell* tell,
                                    void* opaque);
bool winiommu_host_translate(WiFunction* function, uint64_t address, unsigned attributes,
                             uint32_t substream, WiTranslation* out);

#endif
