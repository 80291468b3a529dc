/*
 * winiommu-vtd, what the platform says besides the DMAR: which root ports a person can
 * reach
 * (_DSD), and that PCI Express is the operating system's to control (_OSC).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "winiommu-vtd.h"

#include "hw/acpi/acpi.h"
#include "hw/pci/pcie_port.h"
#include "qemu/error-report.h"

#define LPC_TYPE "ICH9-LPC"

/* A root port with something to say about it. */
typedef struct MarkedPort {
    PCIDevice* device;
    bool external, accessible, hot_plug_in_d3;
} MarkedPort;

/* ---------------------------------------------------------------- HPET */

/* Whether the machine has an HPET that sends messages: -global hpet.msi=on. */
bool winiommu_vtd_has_hpet_messages(void)
{
    Object* hpet = object_resolve_path_type("", "hpet", NULL);

    return hpet && object_property_get_bool(hpet, "msi", NULL);
}

/* ---------------------------------------------------------------- _OSC */

static bool has_bridge(const PCIBus* bus)
{
    for (int devfn = 0; devfn < PCI_DEVFN_MAX; devfn++) {
        if (object_dynamic_cast(OBJECT(bus->devices[devfn]), TYPE_PCI_BRIDGE)) {
            return true;
        }
    }
    return false;
}

/*
 * The machine's _OSC keeps native hot-plug back while ACPI does hot-plug below bridges,
 * and a bridge takes one of the two up when it is created.
 */
bool winiommu_vtd_grant_native_pcie(PCIBus* bus, Error** errp)
{
    Object* lpc = object_resolve_path_type("", LPC_TYPE, NULL);

    if (!lpc || !object_property_get_bool(lpc, ACPI_PM_PROP_ACPI_PCIHP_BRIDGE, NULL)) {
        return true;
    }
    if (has_bridge(bus)) {
        error_setg(errp,
                   "winiommu-vtd: dma-protection=on changes how bridges hot-plug; put "
                   "-device winiommu-vtd before the root ports");
        return false;
    }
    return object_property_set_bool(lpc, ACPI_PM_PROP_ACPI_PCIHP_BRIDGE, false, errp);
}

/* ---------------------------------------------------------------- _DSD */

static MarkedPort* marked_port(GArray* ports, PCIDevice* device)
{
    const MarkedPort added = {.device = device};

    for (unsigned i = 0; i < ports->len; i++) {
        MarkedPort* port = &g_array_index(ports, MarkedPort, i);

        if (port->device == device) {
            return port;
        }
    }
    g_array_append_val(ports, added);
    return &g_array_index(ports, MarkedPort, ports->len - 1);
}

static PCIDevice* find_port(const char* property, const char* id)
{
    DeviceState* found = qdev_find_recursive(sysbus_get_default(), id);

    if (!found || !object_dynamic_cast(OBJECT(found), TYPE_PCIE_ROOT_PORT)) {
        error_report("winiommu-vtd: %s: there is no root port with the id '%s'", property,
                     id);
        exit(1);
    }
    return PCI_DEVICE(found);
}

/* @list: ids of root ports, with colons between; @mark: offset of a bool of MarkedPort.
 */
static void mark(GArray* ports, const char* property, const char* list, size_t mark)
{
    char** ids = g_strsplit(list ?: "", ":", -1);

    for (char** id = ids; *id; id++) {
        MarkedPort* port = marked_port(ports, find_port(property, *id));

        *(bool*)((char*)port + mark) = true;
    }
    g_strfreev(ids);
}

static void mark_ports(WinIommuVtd* s)
{
    s->ports = g_array_new(false, false, sizeof(MarkedPort));
    mark(s->ports, "external-ports", s->external_ports, offsetof(MarkedPort, external));
    mark(s->ports, "accessible-ports", s->accessible_ports,
         offsetof(MarkedPort, accessible));
    mark(s->ports, "d3-hot-plug-ports", s->d3_hot_plug_ports,
         offsetof(MarkedPort, hot_plug_in_d3));
}

/* ---------------------------------------------------------------- SATC */

static WinIommuVtdCached find_cached(const char* id)
{
    DeviceState* found = qdev_find_recursive(sysbus_get_default(), id);
    PCIDevice* device;

    if (!found || !object_dynamic_cast(OBJECT(found), TYPE_PCI_DEVICE)) {
        error_report(
            "winiommu-vtd: cached-functions: there is no PCI function with the id "
            "'%s'",
            id);
        exit(1);
    }
    device = PCI_DEVICE(found);
    if (!pci_bus_is_root(pci_get_bus(device))) {
        error_report("winiommu-vtd: cached-functions: '%s' is not on a root bus", id);
        exit(1);
    }
    return (WinIommuVtdCached){pci_get_bus(device), device->devfn};
}

static void find_caches(WinIommuVtd* s)
{
    char** ids = g_strsplit(s->cached_functions ?: "", ":", -1);

    s->cached = g_array_new(false, false, sizeof(WinIommuVtdCached));
    for (char** id = ids; *id; id++) {
        const WinIommuVtdCached function = find_cached(*id);

        g_array_append_val(s->cached, function);
    }
    g_strfreev(ids);
}

/* When every device is there: exits with a message if a property names none of them. */
void winiommu_vtd_find_named(WinIommuVtd* s)
{
    mark_ports(s);
    find_caches(s);
}

/* ---------------------------------------------------------------- SSDT */

/* Where QEMU's DSDT has the port.  It does not describe what is on expander buses. */
static WiRootPort describe_port(const WinIommuVtd* s, const MarkedPort* port,
                                uint32_t uid)
{
    PCIBus* bus = pci_get_bus(port->device);
    const int devfn = port->device->devfn;
    const bool expander = bus != s->unit.host.bus;
    const char* prefix = pci_bus_is_cxl(bus) ? "CL" : "PC";

    return (WiRootPort){
        .host_bridge = expander
                           ? g_strdup_printf("\\_SB.%s%02X", prefix, pci_bus_num(bus))
                           : g_strdup("\\_SB.PCI0"),
        .name = g_strdup_printf("S%02X", devfn),
        .declare = expander,
        .address = {PCI_SLOT(devfn), PCI_FUNC(devfn)},
        .hot_plug_in_d3 = port->hot_plug_in_d3,
        .external_facing_uid = port->external ? uid : WI_ACPI_NONE,
        .dma_property_uid = port->accessible ? uid : WI_ACPI_NONE,
    };
}

void winiommu_vtd_build_ssdt(WinIommuVtd* s, GArray* table_data, const char* oem_id,
                             const char* oem_table_id)
{
    const unsigned count = s->ports ? s->ports->len : 0;
    g_autofree WiRootPort* ports = g_new0(WiRootPort, count);
    const WiAcpiIds ids = winiommu_vtd_acpi_ids(oem_id, oem_table_id);
    const char* problem = NULL;
    size_t size = 0;
    void* table;

    if (!count) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        ports[i] = describe_port(s, &g_array_index(s->ports, MarkedPort, i), i);
    }
    table = wi_acpi_root_ports(&ids, ports, count, &size, &problem);
    if (!table) {
        error_report("winiommu-vtd: %s", problem);
        exit(1);
    }
    g_array_append_vals(table_data, table, size);
    free(table);
    for (unsigned i = 0; i < count; i++) {
        g_free((char*)ports[i].host_bridge);
        g_free((char*)ports[i].name);
    }
}
