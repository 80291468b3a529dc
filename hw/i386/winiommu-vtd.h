/*
 * winiommu-vtd as its files share it: the device, its units and its firmware side.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_WINIOMMU_VTD_H
#define HW_I386_WINIOMMU_VTD_H

#include "../misc/winiommu-host.h"
#include "hw/acpi/bios-linker-loader.h"
#include "hw/i386/x86-iommu.h"
#include "hw/winiommu-firmware.h"

#define TYPE_WINIOMMU_VTD "winiommu-vtd"
OBJECT_DECLARE_SIMPLE_TYPE(WinIommuVtd, WINIOMMU_VTD)

/* Registers of the first unit, of the next; those of the last end at 0xfee00000. */
#define WI_VTD_BASE 0xfed90000
#define WI_VTD_DISTANCE 0x10000
#define WI_VTD_MAX_UNITS 7

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

/* A remapping unit: registers, a root bus, an entry of the DMAR (VT-d 8.3). */
typedef struct WiVtdUnit {
    WinIommuHost host;
    WinIommuVtd* first; /* the device that speaks for all */
    uint64_t base;      /* of its registers */
    uint32_t interrupt_changes;
    QSIMPLEQ_ENTRY(WiVtdUnit) next;
} WiVtdUnit;

struct WinIommuVtd {
    X86IOMMUState parent_obj;

    WiVtdUnit unit;                   /* of the machine's root bus, IOAPIC and HPET */
    QSIMPLEQ_HEAD(, WiVtdUnit) units; /* this one first */

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

    Notifier machine_done;
};

/* winiommu-vtd-unit.c */

/* At instance_init of the device @owner of the type @name. */
void winiommu_vtd_init_unit(WiVtdUnit* unit, Object* owner, const char* name);
/* At realize, when it has a bus: the next unit of @first, with the properties of that.
 * False: *errp says why not. */
bool winiommu_vtd_start_unit(WinIommuVtd* first, WiVtdUnit* unit, Error** errp);
/* Which remaps the interrupts of the requester @source. */
WiVtdUnit* winiommu_vtd_unit_of(WinIommuVtd* first, uint16_t source);
/* All but `function`. */
void winiommu_vtd_init_translator(WiTranslatorClass* tc);
void winiommu_vtd_init_firmware(WiniommuFirmwareClass* fc);

/* winiommu-vtd-firmware.c */
WiAcpiIds winiommu_vtd_acpi_ids(const char* oem_id, const char* oem_table_id);
/* Exits with a line when the DMAR would claim what bypasses the units. */
void winiommu_vtd_check_scopes(WinIommuVtd* s);
void winiommu_vtd_build_acpi(WinIommuVtd* s, GArray* table_data, const char* oem_id,
                             const char* oem_table_id);

/* winiommu-vtd-platform.c */
bool winiommu_vtd_has_hpet_messages(void);
bool winiommu_vtd_grant_native_pcie(PCIBus* bus, Error** errp);
void winiommu_vtd_find_named(WinIommuVtd* s);
void winiommu_vtd_build_ssdt(WinIommuVtd* s, GArray* table_data, const char* oem_id,
                             const char* oem_table_id);

#endif
