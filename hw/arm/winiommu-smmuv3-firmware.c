/*
 * winiommu-smmuv3, firmware side: device tree nodes and the description its IORT is made
 * from.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "hw/arm/fdt.h"
#include "hw/arm/virt.h"
#include "hw/winiommu-firmware.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "system/device_tree.h"
#include "winiommu-smmuv3.h"

#if __has_include("hw/core/platform-bus.h")
#include "hw/core/platform-bus.h"
#else
#include "hw/platform-bus.h"
#endif

/* GIC 2.2.1 "INTIDs": shared peripheral interrupts begin at 32; a GSIV is an INTID. */
#define FIRST_SPI 32

/* Requester IDs that share a fate: the buses from one root bus up to the next. */
typedef struct BusRange {
    unsigned first, last;
    WinIommuSmmuv3* smmu; /* NULL: not behind one of ours */
} BusRange;

static VirtMachineState* machine(void)
{
    return VIRT_MACHINE(qdev_get_machine());
}

bool winiommu_smmuv3_check_machine(Error** errp)
{
    Object* object = qdev_get_machine();

    if (!object_dynamic_cast(object, TYPE_VIRT_MACHINE)) {
        error_setg(errp, "winiommu-smmuv3 is a device of the Arm machine: use -M virt");
        return false;
    }
    if (VIRT_MACHINE(object)->iommu != VIRT_IOMMU_NONE) {
        error_setg(errp, "winiommu-smmuv3: the machine already has an IOMMU: remove "
                         "iommu=... from -M virt");
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- where things are */

static hwaddr register_base(WinIommuSmmuv3* s)
{
    VirtMachineState* vms = machine();

    return vms->memmap[VIRT_PLATFORM_BUS].base +
           platform_bus_get_mmio_addr(PLATFORM_BUS_DEVICE(vms->platform_bus_dev),
                                      SYS_BUS_DEVICE(s), 0);
}

/* Number of the shared peripheral interrupt, without the 32 of the GIC's private ones. */
static int interrupt_number(WinIommuSmmuv3* s, unsigned line)
{
    VirtMachineState* vms = machine();

    return vms->irqmap[VIRT_PLATFORM_BUS] +
           platform_bus_get_irqn(PLATFORM_BUS_DEVICE(vms->platform_bus_dev),
                                 SYS_BUS_DEVICE(s), line);
}

static WinIommuSmmuv3* smmu_of(PCIBus* bus)
{
    PCIBus* owner = bus->iommu_ops ? bus : machine()->bus;
    WinIommuHost* host = winiommu_host_of_bus(owner);

    if (pci_bus_bypass_iommu(bus) || !host) {
        return NULL;
    }
    return (WinIommuSmmuv3*)object_dynamic_cast(host->owner, TYPE_WINIOMMU_SMMUV3);
}

static gint by_first_bus(gconstpointer a, gconstpointer b)
{
    return (int)((const BusRange*)a)->first - (int)((const BusRange*)b)->first;
}

/* Every bus number of the segment, in order; an extra root bus owns those up to the next.
 */
static GArray* bus_ranges(void)
{
    PCIBus *root = machine()->bus, *bus;
    GArray* ranges = g_array_new(false, false, sizeof(BusRange));
    BusRange range = {.first = 0, .smmu = smmu_of(root)};

    g_array_append_val(ranges, range);
    QLIST_FOREACH(bus, &root->child, sibling)
    {
        if (pci_bus_is_root(bus)) {
            range = (BusRange){.first = pci_bus_num(bus), .smmu = smmu_of(bus)};
            g_array_append_val(ranges, range);
        }
    }
    g_array_sort(ranges, by_first_bus);
    for (guint i = 0; i < ranges->len; i++) {
        g_array_index(ranges, BusRange, i).last =
            i + 1 < ranges->len ? g_array_index(ranges, BusRange, i + 1).first - 1 : 0xff;
    }
    return ranges;
}

static bool has_its(void)
{
    return machine()->msi_controller == VIRT_MSI_CTRL_ITS;
}

/* ---------------------------------------------------------------- device tree */

static void write_node(WinIommuSmmuv3* s, void* fdt, const char* node, uint32_t phandle)
{
    static const char names[] = "eventq\0priq\0cmdq-sync\0gerror";
    uint32_t cells[3 * WI_SMMUV3_IRQS];

    for (unsigned line = 0; line < WI_SMMUV3_IRQS; line++) {
        cells[3 * line] = cpu_to_be32(GIC_FDT_IRQ_TYPE_SPI);
        cells[3 * line + 1] = cpu_to_be32(interrupt_number(s, line));
        cells[3 * line + 2] = cpu_to_be32(GIC_FDT_IRQ_FLAGS_EDGE_LO_HI);
    }
    qemu_fdt_add_subnode(fdt, node);
    qemu_fdt_setprop_string(fdt, node, "compatible", "arm,smmu-v3");
    qemu_fdt_setprop_sized_cells(fdt, node, "reg", 2, register_base(s), 2,
                                 (uint64_t)WI_SMMUV3_MMIO_SIZE);
    qemu_fdt_setprop(fdt, node, "interrupts", cells, sizeof(cells));
    qemu_fdt_setprop(fdt, node, "interrupt-names", names, sizeof(names));
    qemu_fdt_setprop(fdt, node, "dma-coherent", NULL, 0);
    qemu_fdt_setprop_cell(fdt, node, "#iommu-cells", 1);
    qemu_fdt_setprop_cell(fdt, node, "phandle", phandle);
    if (s->config.msi && has_its()) {
        qemu_fdt_setprop_cells(fdt, node, "msi-parent", machine()->msi_phandle,
                               WI_SMMUV3_DEVICE_ID(s->host.index));
    }
}

/* Appends our ranges to what other instances have written: (rid, phandle, sid, length)*.
 */
static void append_iommu_map(WinIommuSmmuv3* s, void* fdt, uint32_t phandle)
{
    const char* bridge = machine()->pciehb_nodename;
    g_autoptr(GArray) ranges = bus_ranges();
    g_autoptr(GByteArray) map = g_byte_array_new();
    int old_size = 0;
    const void* old = qemu_fdt_getprop(fdt, bridge, "iommu-map", &old_size, NULL);

    if (old) {
        g_byte_array_append(map, old, old_size);
    }
    for (guint i = 0; i < ranges->len; i++) {
        const BusRange* range = &g_array_index(ranges, BusRange, i);
        const uint32_t cells[4] = {
            cpu_to_be32(range->first << 8),
            cpu_to_be32(phandle),
            cpu_to_be32(range->first << 8),
            cpu_to_be32((range->last - range->first + 1) << 8),
        };

        if (range->smmu == s) {
            g_byte_array_append(map, (const void*)cells, sizeof(cells));
        }
    }
    if (map->len) {
        qemu_fdt_setprop(fdt, bridge, "iommu-map", map->data, map->len);
    }
}

void winiommu_smmuv3_write_device_tree(WinIommuSmmuv3* s)
{
    void* fdt = MACHINE(machine())->fdt;
    g_autofree char* node = g_strdup_printf("/iommu@%" PRIx64, register_base(s));
    uint32_t phandle;

    if (!fdt) {
        return;
    }
    phandle = qemu_fdt_alloc_phandle(fdt);
    write_node(s, fdt, node, phandle);
    append_iommu_map(s, fdt, phandle);
}

/* ---------------------------------------------------------------- ACPI */

typedef struct Description {
    WiIort iort;
    GPtrArray* smmus; /* of WinIommuSmmuv3, by index */
    GArray* nodes;    /* of WiIortSmmuv3 */
    GArray* buses;    /* of WiIortBuses */
    GArray* reserved; /* of WiIortReserved */
    GArray* memory;   /* of WiMemoryRange */
    WiIortRootComplex root;
} Description;

static int collect(Object* object, void* opaque)
{
    Object* found = object_dynamic_cast(object, TYPE_WINIOMMU_SMMUV3);

    if (found) {
        g_ptr_array_add(opaque, found);
    }
    return 0;
}

static void describe_smmu(Description* d, WinIommuSmmuv3* s)
{
    const WiIortSmmuv3 node = {
        .base = register_base(s),
        .event_gsiv = interrupt_number(s, WI_SMMUV3_IRQ_EVTQ) + FIRST_SPI,
        .pri_gsiv = interrupt_number(s, WI_SMMUV3_IRQ_PRIQ) + FIRST_SPI,
        .gerror_gsiv = interrupt_number(s, WI_SMMUV3_IRQ_GERROR) + FIRST_SPI,
        .sync_gsiv = interrupt_number(s, WI_SMMUV3_IRQ_CMD_SYNC) + FIRST_SPI,
        .coherent = true,
        .msi_device_id = s->config.msi && has_its() ? WI_SMMUV3_DEVICE_ID(s->host.index)
                                                    : WI_ACPI_NONE,
        .proximity_domain = WI_ACPI_NONE,
        .stream_ids = 1u << s->config.sid_bits,
    };

    g_array_append_val(d->nodes, node);
}

/* rmr=BASE+SIZE@STREAM: memory that StreamID STREAM goes on using from before the system.
 */
static void describe_reserved(Description* d, WinIommuSmmuv3* s, uint32_t index)
{
    WiMemoryRange memory = {};
    WiIortReserved reserved = {.range_count = 1, .smmu = index, .streams = 1};
    const char* end = s->rmr;
    uint64_t stream = 0;

    if (!s->rmr) {
        return;
    }
    if (qemu_strtou64(end, &end, 0, &memory.base) || *end != '+' ||
        qemu_strtou64(end + 1, &end, 0, &memory.size) || *end != '@' ||
        qemu_strtou64(end + 1, &end, 0, &stream) || *end || stream > UINT32_MAX) {
        error_report("winiommu-smmuv3: rmr=%s is not of the form BASE+SIZE@STREAM",
                     s->rmr);
        exit(1);
    }
    reserved.first_stream = stream;
    g_array_append_val(d->memory, memory);
    g_array_append_val(d->reserved, reserved);
}

static uint32_t index_of(Description* d, WinIommuSmmuv3* s)
{
    guint index = 0;

    g_ptr_array_find(d->smmus, s, &index);
    return index;
}

static void describe_buses(Description* d)
{
    g_autoptr(GArray) ranges = bus_ranges();

    for (guint i = 0; i < ranges->len; i++) {
        const BusRange* range = &g_array_index(ranges, BusRange, i);

        if (range->smmu) {
            const WiIortBuses buses = {range->first, range->last,
                                       index_of(d, range->smmu)};
            g_array_append_val(d->buses, buses);
        }
    }
}

static void describe(Description* d, const char* oem_id, const char* oem_table_id)
{
    static const uint32_t its[] = {0};

    for (guint i = 0; i < d->smmus->len; i++) {
        describe_smmu(d, g_ptr_array_index(d->smmus, i));
        describe_reserved(d, g_ptr_array_index(d->smmus, i), i);
    }
    for (guint i = 0; i < d->reserved->len; i++) {
        g_array_index(d->reserved, WiIortReserved, i).ranges =
            &g_array_index(d->memory, WiMemoryRange, i);
    }
    describe_buses(d);
    d->root = (WiIortRootComplex){
        .address_bits = 64,
        .behind = (const WiIortBuses*)d->buses->data,
        .behind_count = d->buses->len,
    };
    d->iort = (WiIort){
        .ids.oem_revision = 1,
        .its = its,
        .its_count = has_its() ? 1 : 0,
        .smmus = (const WiIortSmmuv3*)d->nodes->data,
        .smmu_count = d->nodes->len,
        .root_complexes = &d->root,
        .root_complex_count = 1,
        .reserved = (const WiIortReserved*)d->reserved->data,
        .reserved_count = d->reserved->len,
    };
    memcpy(d->iort.ids.oem_id, oem_id, strnlen(oem_id, sizeof(d->iort.ids.oem_id)));
    memcpy(d->iort.ids.oem_table_id, oem_table_id,
           strnlen(oem_table_id, sizeof(d->iort.ids.oem_table_id)));
}

void winiommu_smmuv3_build_acpi(Object* device, GArray* table_data, BIOSLinker* linker,
                                const char* oem_id, const char* oem_table_id)
{
    g_autoptr(GPtrArray) smmus = g_ptr_array_new();
    g_autoptr(GArray) nodes = g_array_new(false, false, sizeof(WiIortSmmuv3));
    g_autoptr(GArray) buses = g_array_new(false, false, sizeof(WiIortBuses));
    g_autoptr(GArray) reserved = g_array_new(false, false, sizeof(WiIortReserved));
    g_autoptr(GArray) memory = g_array_new(false, false, sizeof(WiMemoryRange));
    Description d = {.smmus = smmus,
                     .nodes = nodes,
                     .buses = buses,
                     .reserved = reserved,
                     .memory = memory};
    const char* problem = NULL;
    void* table;
    size_t size;

    object_child_foreach_recursive(object_get_root(), collect, smmus);
    describe(&d, oem_id, oem_table_id);
    table = wi_acpi_iort(&d.iort, &size, &problem);
    if (!table) {
        error_report("winiommu-smmuv3: IORT: %s", problem);
        exit(1);
    }
    g_array_append_vals(table_data, table, size);
    free(table);
}
