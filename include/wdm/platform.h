/*
 * What a driver behind the DMA remapping interfaces asks of the kernel it runs in:
 * memory, registers, ACPI tables, interrupt level, device objects, policy.  The reference
 * driver is written against this, and so is any provider that is put under the contract
 * suite.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WDM_PLATFORM_H
#define WDM_PLATFORM_H

#include <stdbool.h>

#include "wdm/dma_iommu.h"
#include "wdm/dxgk_iommu.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WDM_ARM64 = 0, WDM_X64 = 1 };
enum { WDM_DEVICE_PCI = 0, WDM_DEVICE_ACPI = 1 };

/* What the bus driver knows of a physical device object. */
typedef struct WdmDeviceIdentity {
    uint32_t kind;
    uint32_t segment;      /* PCI */
    uint32_t requester_id; /* PCI: bus 15:8, device 7:3, function 2:0 of its requests; */
                           /* of a device behind a bridge to PCI, the bridge's */
    const char* path;      /* ACPI: absolute, such as \_SB.DMA0 */
    uint32_t pasid_bits;   /* 0: the device knows no PASIDs */
    bool external;         /* behind a port a user can reach */
    bool opted_in;         /* its driver asked for DMA remapping */
    NTSTATUS bus_status;   /* of the bus interface's GetDeviceId */
    NTSTATUS registration; /* the hypervisor's answer, or STATUS_SUCCESS */
} WdmDeviceIdentity;

typedef struct WdmPolicy {
    bool dma_guard;           /* Kernel DMA Protection is on */
    uint32_t enumeration;     /* DmaGuard policy: 0 block, 1 after unlock, 2 allow */
    bool unlocked_once;       /* somebody has logged in since boot */
    bool pass_through_off;    /* machine-wide */
    bool remapping_available; /* false: hypervisor or x86 guest without the interface */
} WdmPolicy;

typedef void WDM_CALL WdmRoutine(void* argument);

typedef struct WdmPlatform {
    void* context;
    uint32_t architecture;

    /* Nonpaged, zeroed, aligned to 16 bytes; NULL when there is none left. */
    void*(WDM_CALL* allocate)(void* context, size_t size);
    void(WDM_CALL* release)(void* context, void* memory, size_t size);
    /* Zeroed, contiguous, aligned to their own size rounded up to a power of two. */
    void*(WDM_CALL* allocate_pages)(void* context, size_t count, uint64_t* physical);
    void(WDM_CALL* release_pages)(void* context, void* pages, size_t count);
    /* Of memory that allocate_pages gave. */
    void*(WDM_CALL* to_virtual)(void* context, uint64_t physical);

    uint64_t(WDM_CALL* mmio_read)(void* context, uint64_t physical, uint32_t size);
    void(WDM_CALL* mmio_write)(void* context, uint64_t physical, uint32_t size,
                               uint64_t value);
    const void*(WDM_CALL* acpi_table)(void* context, const char* signature, size_t* size);
    /* The doubleword at an offset of configuration space; all ones: nobody answers. */
    uint32_t(WDM_CALL* pci_read)(void* context, uint32_t segment, uint32_t requester_id,
                                 uint32_t offset);

    KIRQL(WDM_CALL* current_irql)(void* context);
    KIRQL(WDM_CALL* raise_irql)(void* context, KIRQL to); /* the level before */
    void(WDM_CALL* lower_irql)(void* context, KIRQL to);
    /* `function` was called above `maximum`; loud, and not a status. */
    void(WDM_CALL* irql_violation)(void* context, const char* function, KIRQL maximum);
    void(WDM_CALL* pause)(void* context); /* in a spin loop */

    bool(WDM_CALL* identify)(void* context, PDEVICE_OBJECT device,
                             WdmDeviceIdentity* identity);
    void(WDM_CALL* reference)(void* context, PDEVICE_OBJECT device);
    void(WDM_CALL* dereference)(void* context, PDEVICE_OBJECT device);

    void(WDM_CALL* policy)(void* context, WdmPolicy* policy);
    /* `changed` runs at PASSIVE_LEVEL whenever the policy may have changed. */
    void(WDM_CALL* on_policy_change)(void* context, WdmRoutine* changed, void* argument);

    /* Wired: by GSIV.  Message: the platform says what the device is to write where. */
    void(WDM_CALL* connect_wired)(void* context, uint32_t gsiv, WdmRoutine* service,
                                  void* argument);
    void(WDM_CALL* connect_message)(void* context, WdmRoutine* service, void* argument,
                                    uint64_t* address, uint32_t* data);
    /* `work` runs once, later, at PASSIVE_LEVEL. */
    void(WDM_CALL* queue_work)(void* context, WdmRoutine* work, void* argument);

    /* A state Windows stops the machine for; here an event, and the driver goes on. */
    void(WDM_CALL* bug_check)(void* context, uint32_t code, const uint64_t parameters[4]);
} WdmPlatform;

#define WDM_BUG_CHECK_DMA_VIOLATION 0xE6u
#define WDM_DMA_VIOLATION_IOMMU 0x26u

/*
 * A provider exports IoGetIommuInterfaceEx, IoGetIommuInterface and these two.  Start is
 * called before any other call, and again after each Stop.
 */
NTSTATUS WDM_CALL IommuProviderStart(const WdmPlatform* platform);
VOID WDM_CALL IommuProviderStop(void);

/*
 * The display port driver, as far as it deals with an IOMMU.  A provider that has one
 * exports IommuProviderDisplay; one that has not is not judged by the rules about it.
 */
typedef struct WdmDisplay {
    /*
     * What happens around DxgkDdiStartDevice: the capabilities the miniport reported, and
     * the devices of a linked adapter, the lead first.  One domain for all of them.
     */
    NTSTATUS(WDM_CALL* StartAdapter)
    (const PDEVICE_OBJECT* devices, ULONG count, DXGK_IOMMU_CAPS iommu,
     DXGK_PHYSICAL_MEMORY_CAPS memory, uint64_t highest_installed, HANDLE* hAdapter);
    NTSTATUS(WDM_CALL* StopAdapter)(HANDLE hAdapter);

    DXGKCB_MAPMDLTOIOMMU* MapMdlToIommu;
    DXGKCB_UNMAPMDLFROMIOMMU* UnmapMdlFromIommu;
    DXGKCB_ALLOCATEPAGESFORMDL* AllocatePagesForMdl;
    DXGKCB_FREEPAGESFROMMDL* FreePagesFromMdl;
    DXGKCB_CREATEPHYSICALMEMORYOBJECT* CreatePhysicalMemoryObject;
    DXGKCB_DESTROYPHYSICALMEMORYOBJECT* DestroyPhysicalMemoryObject;
    DXGKCB_OPENPHYSICALMEMORYOBJECT* OpenPhysicalMemoryObject;
    DXGKCB_CLOSEPHYSICALMEMORYOBJECT* ClosePhysicalMemoryObject;
    DXGKCB_ALLOCATEADL* AllocateAdl;
    DXGKCB_FREEADL* FreeAdl;

    DXGKCB_ALLOCATECONTIGUOUSMEMORY* AllocateContiguousMemory;
    DXGKCB_FREECONTIGUOUSMEMORY* FreeContiguousMemory;
    DXGKCB_MAPPHYSICALMEMORY* MapPhysicalMemory;
    DXGKCB_UNMAPPHYSICALMEMORY* UnmapPhysicalMemory;
    /*
     * An isolating adapter starts isolated.  Moves all its devices to a pass-through
     * domain, or back, between the miniport's Begin and End.
     */
    NTSTATUS(WDM_CALL* SwitchIsolation)
    (HANDLE hAdapter, BOOLEAN isolated, DXGKDDI_BEGINEXCLUSIVEACCESS* Begin,
     DXGKDDI_ENDEXCLUSIVEACCESS* End);
} WdmDisplay;
const WdmDisplay* WDM_CALL IommuProviderDisplay(void);

#ifdef __cplusplus
}
#endif
#endif
