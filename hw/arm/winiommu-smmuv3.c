/*
 * winiommu-smmuv3: the Arm SMMUv3 of the core as a device of QEMU's `virt` machine.
 *
 * Everything architectural is behind iommu/capi.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "hw/winiommu-firmware.h"
#include "migration/vmstate.h"
#include "system/system.h"
#include "trace/trace-hw_winiommu.h"
#include "winiommu-smmuv3.h"

static int send_msi(WinIommuHost* host, uint64_t address, uint32_t data)
{
    const MemTxAttrs attrs = {.requester_id = WI_SMMUV3_DEVICE_ID(host->index)};
    MemTxResult result;

    address_space_stl_le(&address_space_memory, address, data, attrs, &result);
    trace_winiommu_msi(host->index, address, data, result);
    return result == MEMTX_OK ? 0 : -1;
}

/* ---------------------------------------------------------------- life */

static bool parse_stage(WinIommuSmmuv3* s, Error** errp)
{
    if (!s->stage || !strcmp(s->stage, "nested")) {
        return true;
    }
    s->config.stage1 = !strcmp(s->stage, "1");
    s->config.stage2 = !strcmp(s->stage, "2");
    if (!s->config.stage1 && !s->config.stage2) {
        error_setg(errp, "winiommu-smmuv3: stage=%s is none of 1, 2, nested", s->stage);
        return false;
    }
    return true;
}

static int count_smmus(Object* object, void* opaque)
{
    WinIommuSmmuv3* s =
        (WinIommuSmmuv3*)object_dynamic_cast(object, TYPE_WINIOMMU_SMMUV3);

    *(unsigned*)opaque += s && s->host.iommu;
    return 0;
}

static bool find_primary_bus(WinIommuSmmuv3* s, Error** errp)
{
    if (!s->host.bus) {
        s->host.bus = (PCIBus*)object_resolve_path_type("pcie.0", TYPE_PCI_BUS, NULL);
    }
    if (!s->host.bus) {
        error_setg(errp, "winiommu-smmuv3: the machine has no bus pcie.0; say which one "
                         "with primary-bus=");
    }
    return s->host.bus;
}

static void machine_done(Notifier* notifier, void* data)
{
    WinIommuSmmuv3* s = container_of(notifier, WinIommuSmmuv3, machine_done);

    winiommu_host_ready(&s->host);
    winiommu_smmuv3_write_device_tree(s);
}

static bool create_core(WinIommuSmmuv3* s, Error** errp)
{
    const WiHost host = winiommu_host_callbacks(&s->host);
    const char* problem = NULL;

    s->host.iommu = wi_smmuv3_new(&s->config, &host, &problem);
    if (!s->host.iommu) {
        error_setg(errp, "winiommu-smmuv3: %s", problem);
    }
    return s->host.iommu;
}

static void winiommu_smmuv3_realize(DeviceState* dev, Error** errp)
{
    WinIommuSmmuv3* s = WINIOMMU_SMMUV3(dev);
    SysBusDevice* sbd = SYS_BUS_DEVICE(dev);
    unsigned index = 0;

    object_child_foreach_recursive(object_get_root(), count_smmus, &index);
    s->host.index = index;
    if (!winiommu_smmuv3_check_machine(errp) || !parse_stage(s, errp) ||
        !find_primary_bus(s, errp) || !create_core(s, errp) ||
        !winiommu_host_start(&s->host, WI_SMMUV3_MMIO_SIZE, errp)) {
        return;
    }
    sysbus_init_mmio(sbd, &s->host.mmio);
    for (unsigned line = 0; line < WI_SMMUV3_IRQS; line++) {
        sysbus_init_irq(sbd, &s->irq[line]);
    }
    s->machine_done.notify = machine_done;
    qemu_add_machine_init_done_notifier(&s->machine_done);
}

static void winiommu_smmuv3_instance_init(Object* object)
{
    WinIommuSmmuv3* s = WINIOMMU_SMMUV3(object);

    wi_smmuv3_config_init(&s->config);
    winiommu_host_init(&s->host, object, TYPE_WINIOMMU_SMMUV3);
    s->host.irq = s->irq;
    s->host.send_msi = send_msi;
    s->host.msi_in_memory = true;
}

static void winiommu_smmuv3_reset_exit(Object* object, ResetType type)
{
    winiommu_host_reset(&WINIOMMU_SMMUV3(object)->host);
}

static WiFunction* winiommu_smmuv3_function(Object* iommu, AddressSpace* as)
{
    return winiommu_host_function(&WINIOMMU_SMMUV3(iommu)->host, as);
}

static const VMStateDescription winiommu_smmuv3_vmstate = {
    .name = TYPE_WINIOMMU_SMMUV3,
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_IOMMU,
    .fields =
        (const VMStateField[]){
            VMSTATE_STRUCT(host, WinIommuSmmuv3, 1, winiommu_host_vmstate, WinIommuHost),
            VMSTATE_END_OF_LIST(),
        },
};

/* No default here: wi_smmuv3_config_init() has filled them in. */
static const Property winiommu_smmuv3_properties[] = {
    DEFINE_PROP_LINK("primary-bus", WinIommuSmmuv3, host.bus, TYPE_PCI_BUS, PCIBus*),
    DEFINE_PROP("sid-bits", WinIommuSmmuv3, config.sid_bits, qdev_prop_uint8, uint8_t),
    DEFINE_PROP("ssid-bits", WinIommuSmmuv3, config.ssid_bits, qdev_prop_uint8, uint8_t),
    DEFINE_PROP("oas", WinIommuSmmuv3, config.oas_bits, qdev_prop_uint8, uint8_t),
    DEFINE_PROP("tlb", WinIommuSmmuv3, config.tlb, qdev_prop_bool, bool),
    DEFINE_PROP("gbpa-abort", WinIommuSmmuv3, config.gbpa_abort, qdev_prop_bool, bool),
    DEFINE_PROP("msi", WinIommuSmmuv3, config.msi, qdev_prop_bool, bool),
    DEFINE_PROP_STRING("stage", WinIommuSmmuv3, stage),
    DEFINE_PROP_STRING("rmr", WinIommuSmmuv3, rmr),
    WINIOMMU_VERIFY_PROPERTIES(WinIommuSmmuv3, host),
};

static void winiommu_smmuv3_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    DeviceClass* dc = DEVICE_CLASS(klass);
    WiTranslatorClass* tc = WINIOMMU_TRANSLATOR_CLASS(klass);

    dc->realize = winiommu_smmuv3_realize;
    dc->vmsd = &winiommu_smmuv3_vmstate;
    dc->desc = "Arm SMMUv3 (winiommu)";
    dc->user_creatable = true;
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, winiommu_smmuv3_properties);
    RESETTABLE_CLASS(klass)->phases.exit = winiommu_smmuv3_reset_exit;
    WINIOMMU_FIRMWARE_CLASS(klass)->build_acpi = winiommu_smmuv3_build_acpi;
    tc->function = winiommu_smmuv3_function;
    tc->translate = winiommu_host_translate;
}

static const TypeInfo winiommu_smmuv3_info = {
    .name = TYPE_WINIOMMU_SMMUV3,
    .parent = TYPE_SYS_BUS_DEVICE,
    .instance_size = sizeof(WinIommuSmmuv3),
    .instance_init = winiommu_smmuv3_instance_init,
    .class_init = winiommu_smmuv3_class_init,
    .interfaces =
        (WI_INTERFACE[]){
            {TYPE_WINIOMMU_FIRMWARE},
            {TYPE_WINIOMMU_TRANSLATOR},
            {},
        },
};

static void winiommu_smmuv3_register(void)
{
    type_register_static(&winiommu_smmuv3_info);
}

type_init(winiommu_smmuv3_register)
