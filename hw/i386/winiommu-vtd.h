/*
 * winiommu-vtd as its two files share it: the device and its firmware side.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_WINIOMMU_VTD_H
#define HW_I386_WINIOMMU_VTD_H

#include "../misc/winiommu-host.h"
#include "hw/acpi/bios-linker-loader.h"
#include "hw/i386/x86-iommu.h"

#define TYPE_WINIOMMU_VTD "winiommu-vtd"
OBJECT_DECLARE_SIMPLE_TYPE(WinIommuVtd, WINIOMMU_VTD)

#define WI_VTD_BASE 0xfed90000

/* The IOAPIC's source-id: no PCI function has it, the DMAR names it (VT-d 8.3.1). */
#define WI_IOAPIC_BUS 0xff
#define WI_IOAPIC_DEVFN 0
/* The HPET's, likewise. */
#define WI_HPET_BUS 0xff
#define WI_HPET_DEVFN 8

/* A function of a SATC. */
typedef struct WinIommuVtdCached {
    PCIBus* bus;
    int devfn;
} WinIommuVtdCached;

struct WinIommuVtd {
    X86IOMMUState parent_obj;

    WinIommuHost host;
    PCIBus* bus;

    WiVtdConfig config;
    OnOffAuto eim;

    /* What the DMAR says. */
    bool dma_protection;
    bool x2apic_opt_out;
    bool include_pci_all;
    char* rmrr;
    uint32_t proximity_domain; /* or WI_ACPI_NONE */
    char* cached_functions;    /* SATC: ids of PCI functions, with colons between */
    bool caches_required;
    GArray* cached;      /* found by winiommu_vtd_find_named() */
    char* named_devices; /* ANDD: PATH@BUS:DEVICE.FUNCTION, with + between */

    /* What the SSDT says about root ports: their ids, with colons between. */
    char* external_ports;
    char* accessible_ports;
    char* d3_hot_plug_ports;
    GArray* ports; /* found by winiommu_vtd_find_named() */

    uint32_t interrupt_changes;
    Notifier machine_done;
};

/* winiommu-vtd-firmware.c */
WiAcpiIds winiommu_vtd_acpi_ids(const char* oem_id, const char* oem_table_id);
void winiommu_vtd_build_acpi(Object* device, GArray* table_data, BIOSLinker* linker,
                             const char* oem_id, const char* oem_table_id);

/* winiommu-vtd-platform.c */
bool winiommu_vtd_has_hpet_messages(void);
bool winiommu_vtd_grant_native_pcie(PCIBus* bus, Error** errp);
void winiommu_vtd_find_named(WinIommuVtd* s);
void winiommu_vtd_build_ssdt(Object* device, GArray* table_data, BIOSLinker* linker,
                             const char* oem_id, const char* oem_table_id);

#endif
