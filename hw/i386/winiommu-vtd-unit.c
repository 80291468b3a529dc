/*
 * A remapping unit of winiommu-vtd: the one that the machine knows, and further ones for
 * the buses of pxb-pcie (-device winiommu-vtd-unit,primary-bus=).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "winiommu-vtd.h"

#include "hw/i386/apic_internal.h"
#include "migration/vmstate.h"
#include "trace/trace-hw_winiommu.h"

#define TYPE_WINIOMMU_VTD_UNIT "winiommu-vtd-unit"
OBJECT_DECLARE_SIMPLE_TYPE(WinIommuVtdUnit, WINIOMMU_VTD_UNIT)

struct WinIommuVtdUnit {
    SysBusDevice parent_obj;

    WiVtdUnit unit;
};

/* Where interrupt messages go: 1 MiB (VT-d 3.15). */
#define INTERRUPT_BASE 0xfee00000
#define INTERRUPT_SIZE 0x100000

/* ---------------------------------------------------------------- interrupts */

static int deliver(WinIommuHost* host, uint64_t address, uint32_t data)
{
    MSIMessage message = {.address = address, .data = data};

    trace_winiommu_msi(host->index, address, data, MEMTX_OK);
    apic_get_class(NULL)->send_msi(&message);
    return 0;
}

static MemTxResult interrupt_read(void* opaque, hwaddr offset, uint64_t* value,
                                  unsigned size, MemTxAttrs attrs)
{
    *value = 0;
    return MEMTX_ERROR;
}

static MemTxResult interrupt_write(void* opaque, hwaddr offset, uint64_t value,
                                   unsigned size, MemTxAttrs attrs)
{
    WiFunction* f = opaque;
    const uint16_t source = winiommu_function_source(f);
    uint64_t address;
    uint32_t data;

    if (!wi_vtd_remap_interrupt(f->host->iommu, source, INTERRUPT_BASE + offset, value,
                                &address, &data)) {
        trace_winiommu_interrupt_blocked(f->host->index, source, INTERRUPT_BASE + offset,
                                         value);
        return MEMTX_ERROR;
    }
    deliver(f->host, address, data);
    return MEMTX_OK;
}

static const MemoryRegionOps interrupt_ops = {
    .read_with_attrs = interrupt_read,
    .write_with_attrs = interrupt_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 4, .max_access_size = 4},
    .impl = {.min_access_size = 4, .max_access_size = 4},
};

/* Messages of a function are interrupts whether or not its DMA is translated. */
static void add_interrupt_range(WiFunction* f)
{
    memory_region_init_io(&f->extension, f->host->owner, &interrupt_ops, f, "interrupts",
                          INTERRUPT_SIZE);
    memory_region_add_subregion_overlap(&f->root, INTERRUPT_BASE, &f->extension, 64);
}

/* KVM and the IOAPIC keep what their routes were remapped to. */
static void registers_written(WinIommuHost* host)
{
    WiVtdUnit* unit = container_of(host, WiVtdUnit, host);
    const uint32_t changes = wi_vtd_interrupt_changes(host->iommu);

    if (changes != unit->interrupt_changes) {
        unit->interrupt_changes = changes;
        x86_iommu_iec_notify_all(X86_IOMMU_DEVICE(unit->first), true, 0, 0);
    }
}

/* ---------------------------------------------------------------- all units */

void winiommu_vtd_init_unit(WiVtdUnit* unit, Object* owner, const char* name)
{
    winiommu_host_init(&unit->host, owner, name);
    unit->host.send_msi = deliver;
    unit->host.extend = add_interrupt_range;
    unit->host.written = registers_written;
}

static bool create_core(const WiVtdConfig* config, WinIommuHost* host, Error** errp)
{
    const WiHost callbacks = winiommu_host_callbacks(host);
    const char* problem = NULL;

    host->iommu = wi_vtd_new(config, &callbacks, &problem);
    if (!host->iommu) {
        error_setg(errp, "%s: %s", host->name, problem);
    }
    return host->iommu;
}

bool winiommu_vtd_start_unit(WinIommuVtd* first, WiVtdUnit* unit, Error** errp)
{
    WinIommuHost* host = &unit->host;
    const WiVtdUnit* last = QSIMPLEQ_LAST(&first->units, WiVtdUnit, next);

    host->index = last ? last->host.index + 1 : 0;
    unit->first = first;
    unit->base = WI_VTD_BASE + host->index * WI_VTD_DISTANCE;
    if (host->index == WI_VTD_MAX_UNITS) {
        error_setg(errp,
                   "%s: there are %d units already, and no room for the registers of "
                   "another",
                   host->name, WI_VTD_MAX_UNITS);
        return false;
    }
    if (!create_core(&first->config, host, errp)) {
        return false;
    }
    if (!winiommu_host_start(host, wi_vtd_mmio_size(host->iommu), errp)) {
        return false;
    }
    sysbus_init_mmio(SYS_BUS_DEVICE(host->owner), &host->mmio);
    sysbus_mmio_map(SYS_BUS_DEVICE(host->owner), 0, unit->base);
    QSIMPLEQ_INSERT_TAIL(&first->units, unit, next);
    return true;
}

WiVtdUnit* winiommu_vtd_unit_of(WinIommuVtd* first, uint16_t source)
{
    WiVtdUnit* unit;

    QSIMPLEQ_FOREACH(unit, &first->units, next)
    {
        if (unit != &first->unit &&
            pci_find_device(unit->host.bus, source >> 8, source & 0xff)) {
            return unit;
        }
    }
    return &first->unit;
}

void winiommu_vtd_init_translator(WiTranslatorClass* tc)
{
    tc->translate = winiommu_host_translate;
    tc->has_ats = winiommu_host_has_ats;
    tc->request = winiommu_host_request;
    tc->admit = winiommu_host_admit;
    tc->watch_device_tlb = winiommu_host_watch_device_tlb;
}

/* NULL: the machine has none. */
static WinIommuVtd* winiommu_vtd_first(void)
{
    return (WinIommuVtd*)object_dynamic_cast(OBJECT(x86_iommu_get_default()),
                                             TYPE_WINIOMMU_VTD);
}

/* The machine asks whichever it finds first: that one speaks for all. */
static void build_acpi(Object* device, GArray* table_data, BIOSLinker* linker,
                       const char* oem_id, const char* oem_table_id)
{
    winiommu_vtd_build_acpi(winiommu_vtd_first(), table_data, oem_id, oem_table_id);
}

static void build_ssdt(Object* device, GArray* table_data, BIOSLinker* linker,
                       const char* oem_id, const char* oem_table_id)
{
    winiommu_vtd_build_ssdt(winiommu_vtd_first(), table_data, oem_id, oem_table_id);
}

void winiommu_vtd_init_firmware(WiniommuFirmwareClass* fc)
{
    fc->build_acpi = build_acpi;
    fc->build_ssdt = build_ssdt;
}

/* ---------------------------------------------------------------- further units */

static void unit_realize(DeviceState* dev, Error** errp)
{
    WiVtdUnit* unit = &WINIOMMU_VTD_UNIT(dev)->unit;
    WinIommuVtd* first = winiommu_vtd_first();

    if (!first) {
        error_setg(errp, "winiommu-vtd-unit: put -device winiommu-vtd before it, whose "
                         "properties it takes over");
        return;
    }
    if (!unit->host.bus) {
        error_setg(errp, "winiommu-vtd-unit: say which bus it serves, with "
                         "primary-bus= and the id of a pxb-pcie");
        return;
    }
    if (pci_bus_bypass_iommu(unit->host.bus)) {
        error_setg(errp,
                   "winiommu-vtd-unit: the bus %s has bypass_iommu=on; remove that, "
                   "or the unit",
                   BUS(unit->host.bus)->name);
        return;
    }
    winiommu_vtd_start_unit(first, unit, errp);
}

static void unit_instance_init(Object* object)
{
    winiommu_vtd_init_unit(&WINIOMMU_VTD_UNIT(object)->unit, object,
                           TYPE_WINIOMMU_VTD_UNIT);
}

static void unit_reset_exit(Object* object, ResetType type)
{
    winiommu_host_reset(&WINIOMMU_VTD_UNIT(object)->unit.host);
}

static WiFunction* unit_function(Object* iommu, AddressSpace* as)
{
    return winiommu_host_function(&WINIOMMU_VTD_UNIT(iommu)->unit.host, as);
}

static const VMStateDescription unit_vmstate = {
    .name = TYPE_WINIOMMU_VTD_UNIT,
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_IOMMU,
    .fields =
        (const VMStateField[]){
            VMSTATE_STRUCT(unit.host, WinIommuVtdUnit, 1, winiommu_host_vmstate,
                           WinIommuHost),
            VMSTATE_END_OF_LIST(),
        },
};

static const Property unit_properties[] = {
    DEFINE_PROP_LINK("primary-bus", WinIommuVtdUnit, unit.host.bus, TYPE_PCI_BUS,
                     PCIBus*),
    WINIOMMU_VERIFY_PROPERTIES(WinIommuVtdUnit, unit.host),
};

static void unit_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    DeviceClass* dc = DEVICE_CLASS(klass);

    dc->realize = unit_realize;
    dc->vmsd = &unit_vmstate;
    dc->desc = "Intel VT-d (winiommu): a further unit, for the bus of a pxb-pcie";
    dc->user_creatable = true;
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, unit_properties);
    RESETTABLE_CLASS(klass)->phases.exit = unit_reset_exit;
    winiommu_vtd_init_firmware(WINIOMMU_FIRMWARE_CLASS(klass));
    winiommu_vtd_init_translator(WINIOMMU_TRANSLATOR_CLASS(klass));
    WINIOMMU_TRANSLATOR_CLASS(klass)->function = unit_function;
}

static const TypeInfo unit_info = {
    .name = TYPE_WINIOMMU_VTD_UNIT,
    .parent = TYPE_SYS_BUS_DEVICE,
    .instance_size = sizeof(WinIommuVtdUnit),
    .instance_init = unit_instance_init,
    .class_init = unit_class_init,
    .interfaces =
        (WI_INTERFACE[]){
            {TYPE_WINIOMMU_FIRMWARE},
            {TYPE_WINIOMMU_TRANSLATOR},
            {},
        },
};

static void unit_register(void)
{
    type_register_static(&unit_info);
}

type_init(unit_register)
