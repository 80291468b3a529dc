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
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "system/runstate.h"
#include "system/system.h"
#include "trace/trace-hw_winiommu.h"
#include "winiommu-smmuv3.h"

/* ---------------------------------------------------------------- the core's host */

static int host_read(void* opaque, uint64_t gpa, void* data, size_t size)
{
    return address_space_read(&address_space_memory, gpa, MEMTXATTRS_UNSPECIFIED, data,
                              size) == MEMTX_OK
               ? 0
               : -1;
}

static int host_write(void* opaque, uint64_t gpa, const void* data, size_t size)
{
    return address_space_write(&address_space_memory, gpa, MEMTXATTRS_UNSPECIFIED, data,
                               size) == MEMTX_OK
               ? 0
               : -1;
}

static void host_mark_dirty(void* opaque, uint64_t gpa, size_t size)
{
    hwaddr offset, length = size;
    MemoryRegion* region;

    RCU_READ_LOCK_GUARD();
    region = address_space_translate(&address_space_memory, gpa, &offset, &length, true,
                                     MEMTXATTRS_UNSPECIFIED);
    if (memory_region_is_ram(region)) {
        memory_region_set_dirty(region, offset, MIN(length, size));
    }
}

static int send_msi(WinIommuSmmuv3* s, uint64_t address, uint32_t data)
{
    const MemTxAttrs attrs = {.requester_id = WI_SMMUV3_DEVICE_ID(s->index)};
    MemTxResult result;

    address_space_stl_le(&address_space_memory, address, data, attrs, &result);
    trace_winiommu_smmuv3_msi(s->index, address, data, result);
    return result == MEMTX_OK ? 0 : -1;
}

static void deliver_bh(void* opaque)
{
    WinIommuSmmuv3* s = opaque;
    unsigned lines, count;
    typeof(s->pending_msi) msi;

    WITH_QEMU_LOCK_GUARD(&s->pending_lock)
    {
        lines = s->pending_lines;
        count = s->pending_msis;
        memcpy(msi, s->pending_msi, sizeof(msi));
        s->pending_lines = s->pending_msis = 0;
    }
    for (unsigned line = 0; line < WI_SMMUV3_IRQS; line++) {
        if (lines & (1u << line)) {
            qemu_irq_pulse(s->irq[line]);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        send_msi(s, msi[i].address, msi[i].data);
    }
    if (qatomic_xchg(&s->refresh_due, false)) {
        winiommu_smmuv3_refresh(s);
    }
}

static void host_pulse(void* opaque, unsigned line)
{
    WinIommuSmmuv3* s = opaque;

    trace_winiommu_smmuv3_pulse(s->index, line);
    if (bql_locked()) {
        qemu_irq_pulse(s->irq[line]);
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->pending_lock)
    {
        s->pending_lines |= 1u << line;
    }
    qemu_bh_schedule(s->deliver);
}

/* An equal message that still waits stands for both: an interrupt has no count. */
static void queue_msi(WinIommuSmmuv3* s, uint64_t address, uint32_t data)
{
    QEMU_LOCK_GUARD(&s->pending_lock);

    for (unsigned i = 0; i < s->pending_msis; i++) {
        if (s->pending_msi[i].address == address && s->pending_msi[i].data == data) {
            return;
        }
    }
    if (s->pending_msis < WI_PENDING_MSIS) {
        s->pending_msi[s->pending_msis].address = address;
        s->pending_msi[s->pending_msis].data = data;
        s->pending_msis++;
    }
}

static int host_send_msi(void* opaque, uint64_t address, uint32_t data)
{
    WinIommuSmmuv3* s = opaque;

    if (bql_locked()) {
        return send_msi(s, address, data);
    }
    if (!address_space_access_valid(&address_space_memory, address, 4, true,
                                    MEMTXATTRS_UNSPECIFIED)) {
        return -1;
    }
    queue_msi(s, address, data);
    qemu_bh_schedule(s->deliver);
    return 0;
}

static void host_unmapped(void* opaque, void* cookie, uint64_t iova, uint64_t size)
{
    winiommu_smmuv3_unmapped(opaque, (uintptr_t)cookie, iova, size);
}

/* The regions are switched once, after whatever software is doing now. */
static void host_bypass_changed(void* opaque, void* cookie)
{
    WinIommuSmmuv3* s = opaque;

    qatomic_set(&s->refresh_due, true);
    if (!bql_locked()) {
        qemu_bh_schedule(s->deliver);
    }
}

static void host_guest_error(void* opaque, const char* text)
{
    qemu_log_mask(LOG_GUEST_ERROR, "winiommu-smmuv3: %s\n", text);
}

/* ---------------------------------------------------------------- registers */

static void refresh_if_due(WinIommuSmmuv3* s)
{
    if (qatomic_xchg(&s->refresh_due, false)) {
        winiommu_smmuv3_refresh(s);
    }
}

static uint64_t mmio_read(void* opaque, hwaddr offset, unsigned size)
{
    WinIommuSmmuv3* s = opaque;
    const uint64_t value = wi_iommu_mmio_read(s->iommu, offset, size);

    trace_winiommu_smmuv3_read(s->index, offset, size, value);
    return value;
}

static void mmio_write(void* opaque, hwaddr offset, uint64_t value, unsigned size)
{
    WinIommuSmmuv3* s = opaque;

    trace_winiommu_smmuv3_write(s->index, offset, size, value);
    RCU_READ_LOCK_GUARD();
    wi_iommu_mmio_write(s->iommu, offset, size, value);
    refresh_if_due(s);
}

static const MemoryRegionOps mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 8, .unaligned = true},
    .impl = {.min_access_size = 1, .max_access_size = 8, .unaligned = true},
};

/* ---------------------------------------------------------------- guest RAM */

static bool is_plain_ram(const MemoryRegionSection* section)
{
    return memory_region_is_ram(section->mr) && !memory_region_is_ram_device(section->mr);
}

static void ram_added(MemoryListener* listener, MemoryRegionSection* section)
{
    WinIommuSmmuv3* s = container_of(listener, WinIommuSmmuv3, listener);
    WiRamRegion region;

    if (!is_plain_ram(section)) {
        return;
    }
    region = (WiRamRegion){
        .gpa = section->offset_within_address_space,
        .size = int128_get64(section->size),
        .host = (uint8_t*)memory_region_get_ram_ptr(section->mr) +
                section->offset_within_region,
        .readonly = section->readonly,
    };
    g_array_append_val(s->ram, region);
    s->ram_changed = true;
}

static void ram_removed(MemoryListener* listener, MemoryRegionSection* section)
{
    WinIommuSmmuv3* s = container_of(listener, WinIommuSmmuv3, listener);

    if (!is_plain_ram(section)) {
        return;
    }
    for (guint i = 0; i < s->ram->len; i++) {
        if (g_array_index(s->ram, WiRamRegion, i).gpa ==
            section->offset_within_address_space) {
            g_array_remove_index_fast(s->ram, i);
            s->ram_changed = true;
            return;
        }
    }
}

static void ram_committed(MemoryListener* listener)
{
    WinIommuSmmuv3* s = container_of(listener, WinIommuSmmuv3, listener);

    if (s->ram_changed) {
        s->ram_changed = false;
        wi_iommu_set_ram(s->iommu, (const WiRamRegion*)s->ram->data, s->ram->len);
    }
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

    *(unsigned*)opaque += s && s->iommu;
    return 0;
}

static bool find_primary_bus(WinIommuSmmuv3* s, Error** errp)
{
    if (!s->primary_bus) {
        s->primary_bus = (PCIBus*)object_resolve_path_type("pcie.0", TYPE_PCI_BUS, NULL);
    }
    if (!s->primary_bus) {
        error_setg(errp, "winiommu-smmuv3: the machine has no bus pcie.0; say which one "
                         "with primary-bus=");
    }
    return s->primary_bus;
}

static void machine_done(Notifier* notifier, void* data)
{
    WinIommuSmmuv3* s = container_of(notifier, WinIommuSmmuv3, machine_done);

    if (s->primary_bus->iommu_opaque != s) {
        error_report("winiommu-smmuv3: another IOMMU took over the bus %s; remove it",
                     BUS(s->primary_bus)->name);
        exit(1);
    }
    winiommu_smmuv3_write_device_tree(s);
    winiommu_smmuv3_refresh(s);
}

/* Bus numbers that were loaded, or set while the machine stood still. */
static void vm_state_changed(void* opaque, bool running, RunState state)
{
    if (running) {
        winiommu_smmuv3_refresh(opaque);
    }
}

static void watch_machine(WinIommuSmmuv3* s)
{
    s->listener = (MemoryListener){
        .name = TYPE_WINIOMMU_SMMUV3,
        .region_add = ram_added,
        .region_del = ram_removed,
        .commit = ram_committed,
    };
    memory_listener_register(&s->listener, &address_space_memory);
    s->vm_change = qemu_add_vm_change_state_handler(vm_state_changed, s);
    s->machine_done.notify = machine_done;
    qemu_add_machine_init_done_notifier(&s->machine_done);
}

static bool create_core(WinIommuSmmuv3* s, Error** errp)
{
    const WiHost host = {
        .opaque = s,
        .read = host_read,
        .write = host_write,
        .mark_dirty = host_mark_dirty,
        .pulse = host_pulse,
        .send_msi = host_send_msi,
        .unmapped = host_unmapped,
        .bypass_changed = host_bypass_changed,
        .guest_error = host_guest_error,
    };
    const char* problem = NULL;

    s->iommu = wi_smmuv3_new(&s->config, &host, &problem);
    if (!s->iommu) {
        error_setg(errp, "winiommu-smmuv3: %s", problem);
    }
    return s->iommu;
}

static void winiommu_smmuv3_realize(DeviceState* dev, Error** errp)
{
    WinIommuSmmuv3* s = WINIOMMU_SMMUV3(dev);
    SysBusDevice* sbd = SYS_BUS_DEVICE(dev);
    unsigned index = 0;

    object_child_foreach_recursive(object_get_root(), count_smmus, &index);
    s->index = index;
    if (!winiommu_smmuv3_check_machine(errp) || !parse_stage(s, errp) ||
        !find_primary_bus(s, errp) || !create_core(s, errp)) {
        return;
    }
    if (!winiommu_smmuv3_attach(s, errp)) {
        wi_iommu_free(s->iommu);
        s->iommu = NULL;
        return;
    }
    s->deliver = qemu_bh_new(deliver_bh, s);
    s->ram = g_array_new(false, false, sizeof(WiRamRegion));
    memory_region_init_io(&s->mmio, OBJECT(s), &mmio_ops, s, TYPE_WINIOMMU_SMMUV3,
                          WI_SMMUV3_MMIO_SIZE);
    sysbus_init_mmio(sbd, &s->mmio);
    for (unsigned line = 0; line < WI_SMMUV3_IRQS; line++) {
        sysbus_init_irq(sbd, &s->irq[line]);
    }
    watch_machine(s);
}

static void winiommu_smmuv3_instance_init(Object* object)
{
    WinIommuSmmuv3* s = WINIOMMU_SMMUV3(object);

    wi_smmuv3_config_init(&s->config);
    QLIST_INIT(&s->functions);
    qemu_mutex_init(&s->streams_lock);
    qemu_mutex_init(&s->pending_lock);
}

/* After the devices have stopped: what they still had in flight is translated as before.
 */
static void winiommu_smmuv3_reset_exit(Object* object, ResetType type)
{
    WinIommuSmmuv3* s = WINIOMMU_SMMUV3(object);

    wi_iommu_reset(s->iommu);
    winiommu_smmuv3_refresh(s);
}

/* ---------------------------------------------------------------- migration */

static int winiommu_smmuv3_pre_save(void* opaque)
{
    WinIommuSmmuv3* s = opaque;
    size_t size;

    deliver_bh(s);
    free(s->saved);
    s->saved = wi_iommu_save(s->iommu, &size);
    s->saved_size = size;
    return s->saved ? 0 : -1;
}

static int winiommu_smmuv3_post_load(void* opaque, int version)
{
    WinIommuSmmuv3* s = opaque;
    const char* problem = wi_iommu_load(s->iommu, s->saved, s->saved_size);

    if (problem) {
        error_report("winiommu-smmuv3: %s", problem);
        return -EINVAL;
    }
    winiommu_smmuv3_refresh(s);
    return 0;
}

static const VMStateDescription winiommu_smmuv3_vmstate = {
    .name = TYPE_WINIOMMU_SMMUV3,
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_IOMMU,
    .pre_save = winiommu_smmuv3_pre_save,
    .post_load = winiommu_smmuv3_post_load,
    .fields =
        (const VMStateField[]){
            VMSTATE_UINT32(saved_size, WinIommuSmmuv3),
            VMSTATE_VBUFFER_ALLOC_UINT32(saved, WinIommuSmmuv3, 0, NULL, saved_size),
            VMSTATE_END_OF_LIST(),
        },
};

/* No default here: wi_smmuv3_config_init() has filled them in. */
static const Property winiommu_smmuv3_properties[] = {
    DEFINE_PROP_LINK("primary-bus", WinIommuSmmuv3, primary_bus, TYPE_PCI_BUS, PCIBus*),
    DEFINE_PROP("sid-bits", WinIommuSmmuv3, config.sid_bits, qdev_prop_uint8, uint8_t),
    DEFINE_PROP("ssid-bits", WinIommuSmmuv3, config.ssid_bits, qdev_prop_uint8, uint8_t),
    DEFINE_PROP("oas", WinIommuSmmuv3, config.oas_bits, qdev_prop_uint8, uint8_t),
    DEFINE_PROP("tlb", WinIommuSmmuv3, config.tlb, qdev_prop_bool, bool),
    DEFINE_PROP("gbpa-abort", WinIommuSmmuv3, config.gbpa_abort, qdev_prop_bool, bool),
    DEFINE_PROP("msi", WinIommuSmmuv3, config.msi, qdev_prop_bool, bool),
    DEFINE_PROP_STRING("stage", WinIommuSmmuv3, stage),
    DEFINE_PROP_STRING("rmr", WinIommuSmmuv3, rmr),
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
    tc->translate = winiommu_smmuv3_translate;
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
