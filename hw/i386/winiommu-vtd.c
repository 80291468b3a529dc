/*
 * winiommu-vtd: the Intel VT-d unit of the core as a device of QEMU's `q35` machine.
 *
 * Everything architectural is behind iommu/capi.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "winiommu-vtd.h"

#include "hw/i386/pc.h"
#include "hw/winiommu-firmware.h"
#include "kvm/kvm_i386.h"
#include "migration/vmstate.h"
#include "system/kvm.h"
#include "system/system.h"

/* ---------------------------------------------------------------- interrupts */

/* KVM's routes; a route without a PCI function is the IOAPIC's. */
static int int_remap(X86IOMMUState* iommu, MSIMessage* in, MSIMessage* out, uint16_t sid)
{
    const uint32_t source =
        sid == X86_IOMMU_SID_INVALID ? WI_IOAPIC_BUS << 8 | WI_IOAPIC_DEVFN : sid;

    WiVtdUnit* unit = winiommu_vtd_unit_of(WINIOMMU_VTD(iommu), source);

    return wi_vtd_remap_interrupt(unit->host.iommu, source, in->address, in->data,
                                  &out->address, &out->data)
               ? 0
               : -1;
}

/* ---------------------------------------------------------------- life */

static void machine_done(Notifier* notifier, void* data)
{
    WinIommuVtd* s = container_of(notifier, WinIommuVtd, machine_done);
    WiVtdUnit* unit;

    QSIMPLEQ_FOREACH(unit, &s->units, next)
    {
        winiommu_host_ready(&unit->host);
    }
    winiommu_vtd_find_named(s);
    winiommu_vtd_check_scopes(s);
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

static bool has_x2apic(const WinIommuVtd* s, Error** errp)
{
    if (s->config.eim && kvm_irqchip_is_split() && !kvm_enable_x2apic()) {
        error_setg(errp,
                   "winiommu-vtd: eim=on needs x2APIC support of the host's KVM; set "
                   "eim=off");
        return false;
    }
    return true;
}

static void winiommu_vtd_realize(DeviceState* dev, Error** errp)
{
    WinIommuVtd* s = WINIOMMU_VTD(dev);
    PCMachineState* pc = PC_MACHINE(qdev_get_machine());

    s->unit.host.bus = pc->pcibus;
    take_common_properties(s);
    if (s->dma_protection && !winiommu_vtd_grant_native_pcie(pc->pcibus, errp)) {
        return;
    }
    if (!has_x2apic(s, errp) || !winiommu_vtd_start_unit(s, &s->unit, errp)) {
        return;
    }
    X86_MACHINE(pc)->ioapic_as =
        winiommu_host_add_requester(&s->unit.host, WI_IOAPIC_BUS, WI_IOAPIC_DEVFN);
    winiommu_take_interrupts_of_hpet(
        winiommu_host_add_requester(&s->unit.host, WI_HPET_BUS, WI_HPET_DEVFN));
    s->machine_done.notify = machine_done;
    qemu_add_machine_init_done_notifier(&s->machine_done);
}

static void winiommu_vtd_instance_init(Object* object)
{
    WinIommuVtd* s = WINIOMMU_VTD(object);

    wi_vtd_config_init(&s->config);
    QSIMPLEQ_INIT(&s->units);
    winiommu_vtd_init_unit(&s->unit, object, TYPE_WINIOMMU_VTD);
}

static void winiommu_vtd_reset_exit(Object* object, ResetType type)
{
    winiommu_host_reset(&WINIOMMU_VTD(object)->unit.host);
}

static WiFunction* winiommu_vtd_function(Object* iommu, AddressSpace* as)
{
    return winiommu_host_function(&WINIOMMU_VTD(iommu)->unit.host, as);
}

static const VMStateDescription winiommu_vtd_vmstate = {
    .name = TYPE_WINIOMMU_VTD,
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_IOMMU,
    .fields =
        (const VMStateField[]){
            VMSTATE_STRUCT(unit.host, WinIommuVtd, 1, winiommu_host_vmstate,
                           WinIommuHost),
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
    WINIOMMU_VERIFY_PROPERTIES(WinIommuVtd, unit.host),
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
    winiommu_vtd_init_firmware(WINIOMMU_FIRMWARE_CLASS(klass));
    winiommu_vtd_init_translator(tc);
    tc->function = winiommu_vtd_function;
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
