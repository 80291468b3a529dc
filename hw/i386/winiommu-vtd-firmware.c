/*
 * winiommu-vtd, firmware side: the description its DMAR is made from.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "winiommu-vtd.h"

#include "hw/i386/pc.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"

/* The MADT's id of the IOAPIC. */
#define IOAPIC_ID 0

typedef struct Scopes {
    GArray* entries; /* of WiDmarScope */
    GPtrArray* hops; /* of WiPciHop, one to each entry */
} Scopes;

static void add_scope(Scopes* scopes, WiDmarScope scope, int devfn)
{
    WiPciHop* hop = g_new(WiPciHop, 1);

    *hop = (WiPciHop){PCI_SLOT(devfn), PCI_FUNC(devfn)};
    g_ptr_array_add(scopes->hops, hop);
    scope.path = hop;
    scope.hops = 1;
    g_array_append_val(scopes->entries, scope);
}

/* A bridge stands for all that is or will be plugged below it. */
static void add_bus(Scopes* scopes, PCIBus* bus)
{
    if (pci_bus_bypass_iommu(bus)) {
        return;
    }
    for (int devfn = 0; devfn < PCI_DEVFN_MAX; devfn++) {
        PCIDevice* device = bus->devices[devfn];

        if (device) {
            const WiDmarScope scope = {
                .type = object_dynamic_cast(OBJECT(device), TYPE_PCI_BRIDGE)
                            ? WI_SCOPE_SUB_HIERARCHY
                            : WI_SCOPE_ENDPOINT,
                .start_bus = pci_bus_num(bus),
            };
            add_scope(scopes, scope, devfn);
        }
    }
}

static void add_root_buses(Scopes* scopes, PCIBus* root)
{
    PCIBus* bus;

    add_bus(scopes, root);
    QLIST_FOREACH(bus, &root->child, sibling)
    {
        if (pci_bus_is_root(bus)) {
            add_bus(scopes, bus);
        }
    }
}

static void bad_rmrr(const char* text)
{
    error_report("winiommu-vtd: rmrr=%s is not of the form BASE+SIZE@BUS:DEVICE.FUNCTION",
                 text);
    exit(1);
}

/* rmrr=BASE+SIZE@BUS:DEVICE.FUNCTION: memory a function uses from before the system on.
 */
static void describe_reserved(Scopes* scopes, WiDmarReserved* reserved, const char* text)
{
    const char* end = text;
    unsigned bus, device, function;
    int used = 0;

    if (qemu_strtou64(end, &end, 0, &reserved->range.base) || *end != '+' ||
        qemu_strtou64(end + 1, &end, 0, &reserved->range.size) || *end != '@' ||
        sscanf(end + 1, "%x:%x.%x%n", &bus, &device, &function, &used) != 3 ||
        end[1 + used] || bus > 0xff || device > 31 || function > 7) {
        bad_rmrr(text);
    }
    add_scope(scopes, (WiDmarScope){.type = WI_SCOPE_ENDPOINT, .start_bus = bus},
              PCI_DEVFN(device, function));
    reserved->scopes = (const WiDmarScope*)scopes->entries->data;
    reserved->scope_count = scopes->entries->len;
}

static void describe(WinIommuVtd* s, Scopes* unit_scopes, WiDmar* dmar, WiDmarUnit* unit)
{
    const uint64_t pages = wi_vtd_mmio_size(s->host.iommu) / 4096;

    if (s->config.intremap) {
        add_scope(unit_scopes,
                  (WiDmarScope){.type = WI_SCOPE_IOAPIC,
                                .enumeration_id = IOAPIC_ID,
                                .start_bus = WI_IOAPIC_BUS},
                  WI_IOAPIC_DEVFN);
    }
    if (!s->include_pci_all) {
        add_root_buses(unit_scopes, s->bus);
    }
    *unit = (WiDmarUnit){
        .base = WI_VTD_BASE,
        .log2_pages = pow2ceil(pages) == pages ? ctz64(pages) : ctz64(pow2ceil(pages)),
        .include_pci_all = s->include_pci_all,
        .scopes = (const WiDmarScope*)unit_scopes->entries->data,
        .scope_count = unit_scopes->entries->len,
    };
    dmar->host_address_bits = wi_vtd_host_address_bits(s->host.iommu);
    dmar->interrupt_remapping = s->config.intremap;
    dmar->x2apic_opt_out = s->x2apic_opt_out;
    dmar->dma_control_opt_in = s->dma_protection;
    dmar->units = unit;
    dmar->unit_count = 1;
}

static Scopes new_scopes(void)
{
    return (Scopes){
        .entries = g_array_new(false, false, sizeof(WiDmarScope)),
        .hops = g_ptr_array_new_with_free_func(g_free),
    };
}

static void free_scopes(Scopes* scopes)
{
    g_array_free(scopes->entries, true);
    g_ptr_array_free(scopes->hops, true);
}

WiAcpiIds winiommu_vtd_acpi_ids(const char* oem_id, const char* oem_table_id)
{
    WiAcpiIds ids = {.oem_revision = 1};

    memcpy(ids.oem_id, oem_id, strnlen(oem_id, sizeof(ids.oem_id)));
    memcpy(ids.oem_table_id, oem_table_id,
           strnlen(oem_table_id, sizeof(ids.oem_table_id)));
    return ids;
}

void winiommu_vtd_build_acpi(Object* device, GArray* table_data, BIOSLinker* linker,
                             const char* oem_id, const char* oem_table_id)
{
    WinIommuVtd* s = WINIOMMU_VTD(device);
    Scopes unit_scopes = new_scopes(), reserved_scopes = new_scopes();
    WiDmar dmar = {.ids = winiommu_vtd_acpi_ids(oem_id, oem_table_id)};
    WiDmarUnit unit;
    WiDmarReserved reserved = {};
    const WiDmarAtsr all_ports = {};
    const char* problem = NULL;
    void* table;
    size_t size;

    describe(s, &unit_scopes, &dmar, &unit);
    if (s->rmrr) {
        describe_reserved(&reserved_scopes, &reserved, s->rmrr);
        dmar.reserved = &reserved;
        dmar.reserved_count = 1;
    }
    if (s->config.device_iotlb) {
        dmar.ats_ports = &all_ports;
        dmar.ats_port_count = 1;
    }
    table = wi_acpi_dmar(&dmar, &size, &problem);
    if (!table) {
        error_report("winiommu-vtd: DMAR: %s", problem);
        exit(1);
    }
    g_array_append_vals(table_data, table, size);
    free(table);
    free_scopes(&unit_scopes);
    free_scopes(&reserved_scopes);
}
