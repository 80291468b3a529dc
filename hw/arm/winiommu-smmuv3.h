/*
 * winiommu-smmuv3 as its three files share it: the device, its PCI side, its firmware
 * side.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_ARM_WINIOMMU_SMMUV3_H
#define HW_ARM_WINIOMMU_SMMUV3_H

#include "../misc/winiommu-compat.h"
#include "../misc/winiommu-translator.h"
#include "hw/acpi/bios-linker-loader.h"
#include "iommu/capi.h"
#include "qemu/queue.h"
#include "qemu/thread.h"

#define TYPE_WINIOMMU_SMMUV3 "winiommu-smmuv3"
OBJECT_DECLARE_SIMPLE_TYPE(WinIommuSmmuv3, WINIOMMU_SMMUV3)

#define WI_PENDING_MSIS 8

/* DeviceID of an SMMU's own MSIs: from the top of the 16 bits QEMU's ITS has, downwards.
 */
#define WI_SMMUV3_DEVICE_ID(index) (0xffffu - (index))

/* A PCI requester behind the SMMU: (bus, devfn).  Lives as long as the SMMU. */
struct WiFunction {
    WinIommuSmmuv3* smmu;
    PCIBus* bus;
    int devfn;
    bool unmaps_wanted;

    /*
     * The StreamID is bus number and devfn, and the guest may number the bus anew at any
     * time: one stream per bus number, looked up by the number the bus has now.
     */
    void* streams[256]; /* of WiStream */

    /* Either the IOMMU region or, while everything passes through, system memory. */
    AddressSpace as;
    MemoryRegion root;
    MemoryRegion bypass;
    IOMMUMemoryRegion region;

    QLIST_ENTRY(WiFunction) next;
};

/* A bridge whose configuration writes we watch for a new secondary bus number. */
typedef struct WiBridge {
    WinIommuSmmuv3* smmu;
    PCIDevice* device;
    PCIConfigWriteFunc* write;
    QLIST_ENTRY(WiBridge) next;
} WiBridge;

struct WinIommuSmmuv3 {
    SysBusDevice parent_obj;

    MemoryRegion mmio;
    qemu_irq irq[WI_SMMUV3_IRQS];

    WiSmmuv3Config config;
    char* stage;
    char* rmr;
    PCIBus* primary_bus;

    WiIommu* iommu;
    unsigned index; /* among the SMMUs of the machine */

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

    Notifier machine_done;
    VMChangeStateEntry* vm_change;

    void* saved;
    uint32_t saved_size;
};

/* winiommu-smmuv3-pci.c */

/* Takes over DMA of the primary bus.  False: *errp says why not. */
bool winiommu_smmuv3_attach(WinIommuSmmuv3* s, Error** errp);
/* The right region for every function, the right stream for every bus number.  BQL held.
 */
void winiommu_smmuv3_refresh(WinIommuSmmuv3* s);
void winiommu_smmuv3_unmapped(WinIommuSmmuv3* s, uint32_t sid, uint64_t iova,
                              uint64_t size);
/* The interface of winiommu-translator.h. */
WiFunction* winiommu_smmuv3_function(Object* iommu, AddressSpace* as);
bool winiommu_smmuv3_translate(WiFunction* function, uint64_t address,
                               unsigned attributes, uint32_t substream,
                               WiTranslation* out);

/* winiommu-smmuv3-firmware.c */

/* False when the machine is not `virt`, or already has an IOMMU; *errp says so. */
bool winiommu_smmuv3_check_machine(Error** errp);
void winiommu_smmuv3_write_device_tree(WinIommuSmmuv3* s);
void winiommu_smmuv3_build_acpi(Object* device, GArray* table_data, BIOSLinker* linker,
                                const char* oem_id, const char* oem_table_id);

#endif
