/*
 * The ACPI tables' part of capi.h, which includes it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef IOMMU_CAPI_ACPI_H
#define IOMMU_CAPI_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * ACPI tables of the devices above; see iommu/acpi.hpp for what each field means.  Counts
 * of 0 allow NULL.  Each builder returns malloc'ed bytes (*size of them, checksum
 * included) which the caller frees, or NULL and one line in *error: what is wrong and how
 * to mend it, valid until this thread's next call of a builder.
 */
typedef struct WiAcpiIds {
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
} WiAcpiIds;

#define WI_ACPI_NONE UINT32_MAX /* "no SMMU", "no proximity domain", "no MSI" */

typedef struct WiIortSmmuv3 {
    uint64_t base;
    uint32_t event_gsiv, pri_gsiv, gerror_gsiv, sync_gsiv; /* 0: none */
    bool coherent;
    uint32_t msi_device_id;    /* or WI_ACPI_NONE */
    uint32_t proximity_domain; /* or WI_ACPI_NONE */
    uint32_t stream_ids;       /* 1 << sid_bits */
    uint32_t device_id_base;
} WiIortSmmuv3;

typedef struct WiIortBuses {
    uint8_t first, last;
    uint32_t smmu; /* index into WiIort.smmus */
} WiIortBuses;

typedef struct WiIortRootComplex {
    uint32_t segment, device_id_base;
    bool ats, pri;
    uint8_t pasid_bits, address_bits;
    const WiIortBuses* behind;
    size_t behind_count;
} WiIortRootComplex;

typedef struct WiIortIds {
    uint32_t input, count, output;
    uint32_t smmu; /* index, or WI_ACPI_NONE: straight to the ITS */
} WiIortIds;

typedef struct WiIortComponent {
    const char* path;
    uint8_t address_bits, pasid_bits;
    bool coherent;
    const WiIortIds* ids;
    size_t id_count;
} WiIortComponent;

typedef struct WiMemoryRange {
    uint64_t base, size;
} WiMemoryRange;

typedef struct WiIortReserved {
    bool remap_permitted, privileged;
    const WiMemoryRange* ranges;
    size_t range_count;
    uint32_t smmu, first_stream, streams;
} WiIortReserved;

typedef struct WiIort {
    WiAcpiIds ids;
    const uint32_t* its; /* MADT GIC ITS ids */
    size_t its_count;
    const WiIortSmmuv3* smmus;
    size_t smmu_count;
    const WiIortRootComplex* root_complexes;
    size_t root_complex_count;
    const WiIortComponent* components;
    size_t component_count;
    const WiIortReserved* reserved;
    size_t reserved_count;
} WiIort;

void* wi_acpi_iort(const WiIort* iort, size_t* size, const char** error);

typedef struct WiPciHop {
    uint8_t device, function;
} WiPciHop;

enum { /* WiDmarScope.type, VT-d 8.3.1 */
       WI_SCOPE_ENDPOINT = 1,
       WI_SCOPE_SUB_HIERARCHY = 2,
       WI_SCOPE_IOAPIC = 3,
       WI_SCOPE_HPET = 4,
       WI_SCOPE_NAMESPACE_DEVICE = 5,
};

typedef struct WiDmarScope {
    uint8_t type, enumeration_id, start_bus;
    const WiPciHop* path;
    size_t hops;
} WiDmarScope;

typedef struct WiDmarUnit {
    uint16_t segment;
    uint64_t base;
    uint8_t log2_pages;
    bool include_pci_all;
    const WiDmarScope* scopes;
    size_t scope_count;
} WiDmarUnit;

typedef struct WiDmarReserved {
    uint16_t segment;
    WiMemoryRange range;
    const WiDmarScope* scopes;
    size_t scope_count;
} WiDmarReserved;

typedef struct WiDmarAtsr {
    uint16_t segment;
    const WiDmarScope* ports; /* none: all ports of the segment */
    size_t port_count;
} WiDmarAtsr;

typedef struct WiDmarRhsa {
    uint64_t base;
    uint32_t proximity_domain;
} WiDmarRhsa;

typedef struct WiDmarAndd {
    uint8_t number;
    const char* path;
} WiDmarAndd;

typedef struct WiDmarSatc {
    uint16_t segment;
    bool atc_required;
    const WiDmarScope* scopes;
    size_t scope_count;
} WiDmarSatc;

typedef struct WiDmar {
    WiAcpiIds ids;
    uint8_t host_address_bits;
    bool interrupt_remapping, x2apic_opt_out, dma_control_opt_in;
    const WiDmarUnit* units;
    size_t unit_count;
    const WiDmarReserved* reserved;
    size_t reserved_count;
    const WiDmarAtsr* ats_ports;
    size_t ats_port_count;
    const WiDmarRhsa* affinities;
    size_t affinity_count;
    const WiDmarAndd* named_devices;
    size_t named_device_count;
    const WiDmarSatc* integrated_caches;
    size_t integrated_cache_count;
} WiDmar;

void* wi_acpi_dmar(const WiDmar* dmar, size_t* size, const char** error);

typedef struct WiRootPort {
    const char* host_bridge; /* absolute path in the namespace, such as \_SB.PCI0 */
    const char* name;        /* of the port's device below it, up to four characters */
    bool declare;            /* the machine's own tables have no such device */
    WiPciHop address;        /* for _ADR, when it is declared */
    bool hot_plug_in_d3;
    uint32_t external_facing_uid; /* or WI_ACPI_NONE */
    uint32_t dma_property_uid;    /* or WI_ACPI_NONE */
} WiRootPort;

/* An SSDT that gives root ports their _DSD.  A port without a property is an error. */
void* wi_acpi_root_ports(const WiAcpiIds* ids, const WiRootPort* ports, size_t count,
                         size_t* size, const char** error);

#ifdef __cplusplus
}
#endif
#endif
