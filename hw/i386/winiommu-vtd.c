/*
 * winiommu-vtd: the Intel VT-d unit of the core as a device of QEMU's `q35` machine.
 *
 * Everything architectural is behind iommu/capi.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "winiommu-vtd.h"

#include "hw/i386/apic_internal.h"
#include "hw/i386/pc.h"
#include "hw/winiommu-firmware.h"
#include "kvm/kvm_i386.h"
#include "migration/vmstate.h"
#include "qemu/error-report.h"
#include "system/kvm.h"
#include "system/system.h"
#include "trace/trace-hw_winiommu.h"

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

/* KVM's routes; a route without a PCI function is the IOAPIC's. */
static int int_remap(X86IOMMUState* iommu, MSIMessage* in, MSIMessage* out, uint16_t sid)
{
    const uint32_t source =
        sid == X86_IOMMU_SID_INVALID ? WI_IOAPIC_BUS << 8 | WI_IOAPIC_DEVFN : sid;

    return wi_vtd_remap_interrupt(WINIOMMU_VTD(iommu)->host.iommu, source, in->address,
                                  in->data, &out->address, &out->data)
               ? 0
               : -1;
}

/* KVM and the IOAPIC keep what their routes were remapped to. */
static void registers_written(WinIommuHost* host)
{
    WinIommuVtd* s = container_of(host, WinIommuVtd, host);
    const uint32_t changes = wi_vtd_interrupt_changes(host->iommu);

    if (changes != s->interrupt_changes) {
        s->interrupt_changes = changes;
        x86_iommu_iec_notify_all(X86_IOMMU_DEVICE(s), true, 0, 0);
    }
}

/* ---------------------------------------------------------------- life */

static void machine_done(Notifier* notifier, void* data)
{
    WinIommuVtd* s = container_of(notifier, WinIommuVtd, machine_done);

    if (winiommu_host_of_bus(s->bus) != &s->host) {
        error_report("winiommu-vtd: another IOMMU took over the bus %s; remove it",
                     BUS(s->bus)->name);
        exit(1);
    }
    winiommu_vtd_find_named(s);
    winiommu_host_refresh(&s->host);
}

static void take_common_properties(WinIommuVtd* s)
{
    X86IOMMUState* common = X86_IOMMU_DEVICE(s);

    s->config.intremap = x86_iommu_ir_supported(common);
    s->config.device_iotlb = common->dt_supported;
#ifdef WI_X86_IOMMU_HAS_PT
    s->config.pt = common->pt_supported;
#endif
    s->config.eim =
        s->eim == ON_OFF_AUTO_AUTO ? s->config.intremap : s->eim == ON_OFF_AUTO_ON;
}

static bool create_core(WinIommuVtd* s, Error** errp)
{
    const WiHost callbacks = winiommu_host_callbacks(&s->host);
    const char* problem = NULL;

    if (s->config.eim && kvm_irqchip_is_split() && !kvm_enable_x2apic()) {
        error_setg(errp,
                   "winiommu-vtd: eim=on needs x2APIC support of the host's KVM; set "
                   "eim=off");
        return false;
    }
    s->host.iommu = wi_vtd_new(&s->config, &callbacks, &problem);
    if (!s->host.iommu) {
        error_setg(errp, "winiommu-vtd: %s", problem);
    }
    return s->host.iommu;
}

static void winiommu_vtd_realize(DeviceState* dev, Error** errp)
{
    WinIommuVtd* s = WINIOMMU_VTD(dev);
    PCMachineState* pc = PC_MACHINE(qdev_get_machine());

    s->bus = pc->pcibus;
    take_common_properties(s);
    if (s->dma_protection && !winiommu_vtd_grant_native_pcie(s->bus, errp)) {
        return;
    }
    if (!create_core(s, errp)) {
        return;
    }
    if (!winiommu_verify_start(&s->host, errp) ||
        !winiommu_introspect_start(&s->host, errp) ||
        !winiommu_host_attach(&s->host, s->bus, errp)) {
        wi_iommu_free(s->host.iommu);
        s->host.iommu = NULL;
        return;
    }
    winiommu_host_start(&s->host, wi_vtd_mmio_size(s->host.iommu));
    sysbus_init_mmio(SYS_BUS_DEVICE(s), &s->host.mmio);
    sysbus_mmio_map(SYS_BUS_DEVICE(s), 0, WI_VTD_BASE);
    X86_MACHINE(pc)->ioapic_as =
        winiommu_host_add_requester(&s->host, WI_IOAPIC_BUS, WI_IOAPIC_DEVFN);
    winiommu_take_interrupts_of_hpet(
        winiommu_host_add_requester(&s->host, WI_HPET_BUS, WI_HPET_DEVFN));
    s->machine_done.notify = machine_done;
    qemu_add_machine_init_done_notifier(&s->machine_done);
}

static void winiommu_vtd_instance_init(Object* object)
{
    WinIommuVtd* s = WINIOMMU_VTD(object);

    wi_vtd_config_init(&s->config);
    winiommu_host_init(&s->host, object, TYPE_WINIOMMU_VTD);
    s->host.send_msi = deliver;
    s->host.extend = add_interrupt_range;
    s->host.written = registers_written;
}

static void winiommu_vtd_reset_exit(Object* object, ResetType type)
{
    winiommu_host_reset(&WINIOMMU_VTD(object)->host);
}

static WiFunction* winiommu_vtd_function(Object* iommu, AddressSpace* as)
{
    return winiommu_host_function(&WINIOMMU_VTD(iommu)->host, as);
}

static const VMStateDescription winiommu_vtd_vmstate = {
    .name = TYPE_WINIOMMU_VTD,
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_IOMMU,
    .fields =
        (const VMStateField[]){
            VMSTATE_STRUCT(host, WinIommuVtd, 1, winiommu_host_vmstate, WinIommuHost),
            VMSTATE_END_OF_LIST(),
        },
};

/* No default here for config: wi_vtd_config_init() has filled it in. */
static const Property winiommu_vtd_properties[] = {
    DEFINE_PROP("aw-bits", WinIommuVtd, config.aw_bits, qdev_prop_uint8, uint8_t),
    DEFINE_PROP("pasid-bits", WinIommuVtd, config.pasid_bits, qdev_prop_uint8, uint8_t),
    DEFINE_PROP("fault-records", WinIommuVtd, config.fault_records, qdev_prop_uint16,
                uint16_t),
    DEFINE_PROP("caching-mode", WinIommuVtd, config.caching_mode, qdev_prop_bool, bool),
    DEFINE_PROP("snoop-control", WinIommuVtd, config.snoop_control, qdev_prop_bool, bool),
    DEFINE_PROP("scalable-mode", WinIommuVtd, config.scalable_mode, qdev_prop_bool, bool),
    DEFINE_PROP("tlb", WinIommuVtd, config.tlb, qdev_prop_bool, bool),
#ifndef WI_X86_IOMMU_HAS_PT
    DEFINE_PROP("pt", WinIommuVtd, config.pt, qdev_prop_bool, bool),
#endif
    DEFINE_PROP_ON_OFF_AUTO("eim", WinIommuVtd, eim, ON_OFF_AUTO_AUTO),
    DEFINE_PROP_BOOL("dma-protection", WinIommuVtd, dma_protection, false),
    DEFINE_PROP_BOOL("x2apic-opt-out", WinIommuVtd, x2apic_opt_out, false),
    DEFINE_PROP_BOOL("include-pci-all", WinIommuVtd, include_pci_all, false),
    DEFINE_PROP_STRING("rmrr", WinIommuVtd, rmrr),
    DEFINE_PROP_UINT32("proximity-domain", WinIommuVtd, proximity_domain, WI_ACPI_NONE),
    DEFINE_PROP_STRING("cached-functions", WinIommuVtd, cached_functions),
    DEFINE_PROP_BOOL("caches-required", WinIommuVtd, caches_required, false),
    DEFINE_PROP_STRING("named-devices", WinIommuVtd, named_devices),
    WINIOMMU_VERIFY_PROPERTIES(WinIommuVtd),
    DEFINE_PROP_STRING("external-ports", WinIommuVtd, external_ports),
    DEFINE_PROP_STRING("accessible-ports", WinIommuVtd, accessible_ports),
    DEFINE_PROP_STRING("d3-hot-plug-ports", WinIommuVtd, d3_hot_plug_ports),
};

static void winiommu_vtd_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    DeviceClass* dc = DEVICE_CLASS(klass);
    X86IOMMUClass* xc = X86_IOMMU_DEVICE_CLASS(klass);
    WiTranslatorClass* tc = WINIOMMU_TRANSLATOR_CLASS(klass);

    xc->realize = winiommu_vtd_realize;
    xc->int_remap = int_remap;
    dc->vmsd = &winiommu_vtd_vmstate;
    dc->desc = "Intel VT-d (winiommu)";
    dc->user_creatable = true;
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, winiommu_vtd_properties);
    RESETTABLE_CLASS(klass)->phases.exit = winiommu_vtd_reset_exit;
    WINIOMMU_FIRMWARE_CLASS(klass)->build_acpi = winiommu_vtd_build_acpi;
    WINIOMMU_FIRMWARE_CLASS(klass)->build_ssdt = winiommu_vtd_build_ssdt;
    tc->function = winiommu_vtd_function;
    tc->translate = winiommu_host_translate;
    tc->has_ats = winiommu_host_has_ats;
    tc->request = winiommu_host_request;
    tc->admit = winiommu_host_admit;
    tc->watch_device_tlb = winiommu_host_watch_device_tlb;
}

static const TypeInfo winiommu_vtd_info = {
    .name = TYPE_WINIOMMU_VTD,
    .parent = TYPE_X86_IOMMU_DEVICE,
    .instance_size = sizeof(WinIommuVtd),
    .instance_init = winiommu_vtd_instance_init,
    .class_init = winiommu_vtd_class_init,
    .interfaces =
        (WI_INTERFACE[]){
            {TYPE_WINIOMMU_FIRMWARE},
            {TYPE_WINIOMMU_TRANSLATOR},
            {},
        },
};

static void winiommu_vtd_register(void)
{
    type_register_static(&winiommu_vtd_info);
}

type_init(winiommu_vtd_register)
