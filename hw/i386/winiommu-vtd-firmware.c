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

static void describe_affinity(WiDmarRhsa* affinity, uint32_t domain)
{
    const NumaState* numa = MACHINE(qdev_get_machine())->numa_state;
    g_autofree char* text = g_strdup_printf("%u", domain);

    if (domain >= MAX(numa ? numa->num_nodes : 0, 1)) {
        refuse("proximity-domain", text, "the machine has no such NUMA node");
    }
    *affinity = (WiDmarRhsa){.base = WI_VTD_BASE, .proximity_domain = domain};
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

static void describe_unit(WinIommuVtd* s, Scopes* unit_scopes, WiDmar* dmar,
                          WiDmarUnit* unit)
{
    const uint64_t pages = wi_vtd_mmio_size(s->host.iommu) / 4096;

    if (s->config.intremap) {
        add_scope(unit_scopes,
                  (WiDmarScope){.type = WI_SCOPE_IOAPIC,
                                .enumeration_id = IOAPIC_ID,
                                .start_bus = WI_IOAPIC_BUS},
                  WI_IOAPIC_DEVFN);
    }
    if (s->config.intremap && winiommu_vtd_has_hpet_messages()) {
        add_scope(unit_scopes,
                  (WiDmarScope){.type = WI_SCOPE_HPET,
                                .enumeration_id = HPET_NUMBER,
                                .start_bus = WI_HPET_BUS},
                  WI_HPET_DEVFN);
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

static void* make_dmar(WinIommuVtd* s, const WiAcpiIds* ids, size_t* size)
{
    Scopes unit_scopes = new_scopes(), reserved_scopes = new_scopes(),
           cached_scopes = new_scopes();
    g_autoptr(GArray) named = g_array_new(false, false, sizeof(WiDmarAndd));
    g_auto(GStrv) paths = g_strsplit(s->named_devices ?: "", "+", -1);
    WiDmarUnit unit;
    WiDmarReserved reserved = {};
    WiDmarRhsa affinity;
    WiDmarSatc satc = {};
    const WiDmarAtsr all_ports = {};
    WiDmar dmar = {.ids = *ids,
                   .reserved = &reserved,
                   .reserved_count = s->rmrr != NULL,
                   .ats_ports = &all_ports,
                   .ats_port_count = s->config.device_iotlb,
                   .affinities = &affinity,
                   .affinity_count = s->proximity_domain != WI_ACPI_NONE,
                   .integrated_caches = &satc,
                   .integrated_cache_count = s->cached && s->cached->len};
    const char* problem = NULL;
    void* table;

    describe_named(&unit_scopes, named, paths);
    describe_unit(s, &unit_scopes, &dmar, &unit);
    if (s->rmrr) {
        describe_reserved(&reserved_scopes, &reserved, s->rmrr);
    }
    if (s->proximity_domain != WI_ACPI_NONE) {
        describe_affinity(&affinity, s->proximity_domain);
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
    free_scopes(&unit_scopes);
    free_scopes(&reserved_scopes);
    free_scopes(&cached_scopes);
    return table;
}

void winiommu_vtd_build_acpi(Object* device, GArray* table_data, BIOSLinker* linker,
                             const char* oem_id, const char* oem_table_id)
{
    const WiAcpiIds ids = winiommu_vtd_acpi_ids(oem_id, oem_table_id);
    size_t size;
    void* table = make_dmar(WINIOMMU_VTD(device), &ids, &size);

    g_array_append_vals(table_data, table, size);
    free(table);
}
