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
/* The HPET table's number of the one HPET. */
#define HPET_NUMBER 0

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

/* A bus of a pxb-pcie belongs to the first unit unless it has its own. */
static bool is_bus_of(const WiVtdUnit* unit, const PCIBus* bus)
{
    const WinIommuHost* owner = winiommu_host_of_bus(bus) ?: &unit->first->unit.host;

    return owner == &unit->host;
}

static void add_root_buses(Scopes* scopes, const WiVtdUnit* unit)
{
    PCIBus* root = unit->first->unit.host.bus;
    PCIBus* bus;

    if (is_bus_of(unit, root)) {
        add_bus(scopes, root);
    }
    QLIST_FOREACH(bus, &root->child, sibling)
    {
        if (pci_bus_is_root(bus) && is_bus_of(unit, bus)) {
            add_bus(scopes, bus);
        }
    }
}

/* VT-d 8.3: INCLUDE_PCI_ALL leaves out only what another unit lists. */
void winiommu_vtd_check_scopes(WinIommuVtd* s)
{
    PCIBus* root = s->unit.host.bus;
    const PCIBus* around = pci_bus_bypass_iommu(root) ? root : NULL;
    PCIBus* bus;

    QLIST_FOREACH(bus, &root->child, sibling)
    {
        if (pci_bus_is_root(bus) && pci_bus_bypass_iommu(bus)) {
            around = bus;
        }
    }
    if (s->include_pci_all && around) {
        error_report(
            "winiommu-vtd: include-pci-all=on would claim what is on the bus %s, "
            "which bypasses the IOMMU; set include-pci-all=off, and each other "
            "function is listed",
            BUS(around)->name);
        exit(1);
    }
}

G_GNUC_NORETURN static void refuse(const char* property, const char* value,
                                   const char* problem)
{
    error_report("winiommu-vtd: %s=%s: %s", property, value, problem);
    exit(1);
}

/* BUS:DEVICE.FUNCTION in hexadecimal, and nothing after it. */
static bool parse_function(const char* text, uint8_t* bus, uint8_t* devfn)
{
    unsigned b, device, function;
    int used = 0;

    if (strspn(text, "0123456789abcdefABCDEF:.") != strlen(text) || /* %x takes 0x too */
        sscanf(text, "%x:%x.%x%n", &b, &device, &function, &used) != 3 || text[used] ||
        b > 0xff || device > 31 || function > 7) {
        return false;
    }
    *bus = b;
    *devfn = PCI_DEVFN(device, function);
    return true;
}

/* rmrr=BASE+SIZE@BUS:DEVICE.FUNCTION: memory a function uses from before the system on.
 */
static void describe_reserved(Scopes* scopes, WiDmarReserved* reserved, const char* text)
{
    const char* end = text;
    uint8_t bus, devfn;

    if (qemu_strtou64(end, &end, 0, &reserved->range.base) || *end != '+' ||
        qemu_strtou64(end + 1, &end, 0, &reserved->range.size) || *end != '@' ||
        !parse_function(end + 1, &bus, &devfn)) {
        refuse("rmrr", text, "it is not of the form BASE+SIZE@BUS:DEVICE.FUNCTION");
    }
    add_scope(scopes, (WiDmarScope){.type = WI_SCOPE_ENDPOINT, .start_bus = bus}, devfn);
    reserved->scopes = (const WiDmarScope*)scopes->entries->data;
    reserved->scope_count = scopes->entries->len;
}

static uint32_t checked_node(uint32_t domain)
{
    const NumaState* numa = MACHINE(qdev_get_machine())->numa_state;
    g_autofree char* text = g_strdup_printf("%u", domain);

    if (domain >= MAX(numa ? numa->num_nodes : 0, 1)) {
        refuse("proximity-domain", text, "the machine has no such NUMA node");
    }
    return domain;
}

/* Functions that are part of the root complex and keep translations of their own. */
static void describe_caches(Scopes* scopes, WiDmarSatc* satc, const WinIommuVtd* s)
{
    for (unsigned i = 0; i < s->cached->len; i++) {
        const WinIommuVtdCached* function =
            &g_array_index(s->cached, WinIommuVtdCached, i);

        add_scope(scopes,
                  (WiDmarScope){.type = WI_SCOPE_ENDPOINT,
                                .start_bus = pci_bus_num(function->bus)},
                  function->devfn);
    }
    satc->atc_required = s->caches_required;
    satc->scopes = (const WiDmarScope*)scopes->entries->data;
    satc->scope_count = scopes->entries->len;
}

/* PATH@BUS:DEVICE.FUNCTION[+...]: devices without a PCI function, and the id of their
 * requests.  Each is declared with a number, and in the scope of the unit. */
static void describe_named(Scopes* scopes, GArray* named, char** entries)
{
    for (unsigned i = 0; entries[i]; i++) {
        char* at = strrchr(entries[i], '@');
        uint8_t bus, devfn;
        WiDmarAndd device = {.number = i + 1, .path = entries[i]};

        if (!at || i == 0xff || entries[i][0] != '\\' ||
            !parse_function(at + 1, &bus, &devfn)) {
            refuse("named-devices", entries[i],
                   "it is not of the form \\PATH@BUS:DEVICE.FUNCTION");
        }
        *at = 0;
        g_array_append_val(named, device);
        add_scope(scopes,
                  (WiDmarScope){.type = WI_SCOPE_NAMESPACE_DEVICE,
                                .enumeration_id = device.number,
                                .start_bus = bus},
                  devfn);
    }
}

/* The IOAPIC and the HPET are the first unit's. */
static void add_interrupt_sources(Scopes* scopes, const WinIommuVtd* s)
{
    if (!s->config.intremap) {
        return;
    }
    add_scope(scopes,
              (WiDmarScope){.type = WI_SCOPE_IOAPIC,
                            .enumeration_id = IOAPIC_ID,
                            .start_bus = WI_IOAPIC_BUS},
              WI_IOAPIC_DEVFN);
    if (winiommu_vtd_has_hpet_messages()) {
        add_scope(scopes,
                  (WiDmarScope){.type = WI_SCOPE_HPET,
                                .enumeration_id = HPET_NUMBER,
                                .start_bus = WI_HPET_BUS},
                  WI_HPET_DEVFN);
    }
}

/* @scopes: what else is in its scope. */
static WiDmarUnit describe_unit(const WiVtdUnit* unit, Scopes* scopes)
{
    const WinIommuVtd* s = unit->first;
    const bool is_first = unit == &s->unit;
    const bool include_pci_all = is_first && s->include_pci_all;
    const uint64_t pages = wi_vtd_mmio_size(unit->host.iommu) / 4096;

    if (is_first) {
        add_interrupt_sources(scopes, s);
    }
    if (!include_pci_all) {
        add_root_buses(scopes, unit);
    }
    return (WiDmarUnit){
        .base = unit->base,
        .log2_pages = ctz64(pow2ceil(pages)),
        .include_pci_all = include_pci_all,
        .scopes = (const WiDmarScope*)scopes->entries->data,
        .scope_count = scopes->entries->len,
    };
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

/* One entry for each unit, or for some. */
typedef struct Lists {
    GArray* units;      /* of WiDmarUnit */
    GArray* affinities; /* of WiDmarRhsa */
    Scopes unit_scopes[WI_VTD_MAX_UNITS];
} Lists;

static Lists new_lists(void)
{
    Lists lists = {.units = g_array_new(false, false, sizeof(WiDmarUnit)),
                   .affinities = g_array_new(false, false, sizeof(WiDmarRhsa))};

    for (unsigned i = 0; i < WI_VTD_MAX_UNITS; i++) {
        lists.unit_scopes[i] = new_scopes();
    }
    return lists;
}

static void free_lists(Lists* lists)
{
    g_array_free(lists->units, true);
    g_array_free(lists->affinities, true);
    for (unsigned i = 0; i < WI_VTD_MAX_UNITS; i++) {
        free_scopes(&lists->unit_scopes[i]);
    }
}

static void add_affinity(GArray* affinities, const WiVtdUnit* unit)
{
    const bool is_first = unit == &unit->first->unit;
    const uint16_t node = pci_bus_numa_node(unit->host.bus);
    WiDmarRhsa affinity = {.base = unit->base};

    if (is_first && unit->first->proximity_domain != WI_ACPI_NONE) {
        affinity.proximity_domain = checked_node(unit->first->proximity_domain);
        g_array_append_val(affinities, affinity);
    } else if (!is_first && node != NUMA_NODE_UNASSIGNED) {
        affinity.proximity_domain = node;
        g_array_append_val(affinities, affinity);
    }
}

static void describe_units(WinIommuVtd* s, WiDmar* dmar, Lists* lists)
{
    const WiVtdUnit* unit;

    QSIMPLEQ_FOREACH(unit, &s->units, next)
    {
        const WiDmarUnit described =
            describe_unit(unit, &lists->unit_scopes[unit->host.index]);

        g_array_append_val(lists->units, described);
        add_affinity(lists->affinities, unit);
    }
    dmar->units = (const WiDmarUnit*)lists->units->data;
    dmar->unit_count = lists->units->len;
    dmar->affinities = (const WiDmarRhsa*)lists->affinities->data;
    dmar->affinity_count = lists->affinities->len;
    dmar->host_address_bits = wi_vtd_host_address_bits(s->unit.host.iommu);
    dmar->interrupt_remapping = s->config.intremap;
    dmar->x2apic_opt_out = s->x2apic_opt_out;
    dmar->dma_control_opt_in = s->dma_protection;
}

static void* make_dmar(WinIommuVtd* s, const WiAcpiIds* ids, size_t* size)
{
    Lists lists = new_lists();
    Scopes reserved_scopes = new_scopes(), cached_scopes = new_scopes();
    g_autoptr(GArray) named = g_array_new(false, false, sizeof(WiDmarAndd));
    g_auto(GStrv) paths = g_strsplit(s->named_devices ?: "", "+", -1);
    WiDmarReserved reserved = {};
    WiDmarSatc satc = {};
    const WiDmarAtsr all_ports = {};
    WiDmar dmar = {.ids = *ids,
                   .reserved = &reserved,
                   .reserved_count = s->rmrr != NULL,
                   .ats_ports = &all_ports,
                   .ats_port_count = s->config.device_iotlb,
                   .integrated_caches = &satc,
                   .integrated_cache_count = s->cached && s->cached->len};
    const char* problem = NULL;
    void* table;

    describe_named(&lists.unit_scopes[0], named, paths);
    describe_units(s, &dmar, &lists);
    if (s->rmrr) {
        describe_reserved(&reserved_scopes, &reserved, s->rmrr);
    }
    if (dmar.integrated_cache_count) {
        describe_caches(&cached_scopes, &satc, s);
    }
    dmar.named_devices = (const WiDmarAndd*)named->data;
    dmar.named_device_count = named->len;
    table = wi_acpi_dmar(&dmar, size, &problem);
    if (!table) {
        error_report("winiommu-vtd: %s", problem);
        exit(1);
    }
    free_lists(&lists);
    free_scopes(&reserved_scopes);
    free_scopes(&cached_scopes);
    return table;
}

void winiommu_vtd_build_acpi(WinIommuVtd* s, GArray* table_data, const char* oem_id,
                             const char* oem_table_id)
{
    const WiAcpiIds ids = winiommu_vtd_acpi_ids(oem_id, oem_table_id);
    size_t size;
    void* table = make_dmar(s, &ids, &size);

    g_array_append_vals(table_data, table, size);
    free(table);
}
