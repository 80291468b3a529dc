/*
 * The core's host: guest memory, interrupts and registers, and what migrates.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "migration/vmstate.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "system/runstate.h"
#include "trace/trace-hw_winiommu.h"
#include "winiommu-host.h"

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

static void deliver_bh(void* opaque)
{
    WinIommuHost* s = opaque;
    unsigned lines, count;
    typeof(s->pending_msi) msi;

    WITH_QEMU_LOCK_GUARD(&s->pending_lock)
    {
        lines = s->pending_lines;
        count = s->pending_msis;
        memcpy(msi, s->pending_msi, sizeof(msi));
        s->pending_lines = s->pending_msis = 0;
    }
    for (unsigned line = 0; line < WI_LINES; line++) {
        if (lines & (1u << line)) {
            qemu_irq_pulse(s->irq[line]);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        s->send_msi(s, msi[i].address, msi[i].data);
    }
    if (qatomic_xchg(&s->refresh_due, false)) {
        winiommu_host_refresh(s);
    }
}

static void host_pulse(void* opaque, unsigned line)
{
    WinIommuHost* s = opaque;

    trace_winiommu_pulse(s->index, line);
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
static void queue_msi(WinIommuHost* s, uint64_t address, uint32_t data)
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
    WinIommuHost* s = opaque;

    if (bql_locked()) {
        return s->send_msi(s, address, data);
    }
    if (s->msi_in_memory && !address_space_access_valid(&address_space_memory, address, 4,
                                                        true, MEMTXATTRS_UNSPECIFIED)) {
        return -1;
    }
    queue_msi(s, address, data);
    qemu_bh_schedule(s->deliver);
    return 0;
}

static void host_unmapped(void* opaque, void* cookie, uint64_t iova, uint64_t size)
{
    winiommu_host_unmapped(opaque, (uintptr_t)cookie, iova, size);
}

static bool host_device_unmapped(void* opaque, void* cookie, uint32_t substream,
                                 uint64_t iova, uint64_t size)
{
    return winiommu_host_device_unmapped(opaque, (uintptr_t)cookie, substream, iova,
                                         size);
}

static void host_mapping_changed(void* opaque, void* cookie, const WiBlock* block)
{
    winiommu_host_mapping_changed(opaque, (uintptr_t)cookie, block);
}

/* The regions are switched once, after whatever software is doing now. */
static void host_bypass_changed(void* opaque, void* cookie)
{
    WinIommuHost* s = opaque;

    qatomic_set(&s->refresh_due, true);
    if (!bql_locked()) {
        qemu_bh_schedule(s->deliver);
    }
}

static void host_guest_error(void* opaque, const char* text)
{
    qemu_log_mask(LOG_GUEST_ERROR, "%s: %s\n", ((WinIommuHost*)opaque)->name, text);
}

/* ---------------------------------------------------------------- registers */

static void refresh_if_due(WinIommuHost* s)
{
    if (qatomic_xchg(&s->refresh_due, false)) {
        winiommu_host_refresh(s);
    }
}

static uint64_t mmio_read(void* opaque, hwaddr offset, unsigned size)
{
    WinIommuHost* s = opaque;
    const uint64_t value = wi_iommu_mmio_read(s->iommu, offset, size);

    trace_winiommu_read(s->index, offset, size, value);
    return value;
}

static void mmio_write(void* opaque, hwaddr offset, uint64_t value, unsigned size)
{
    WinIommuHost* s = opaque;

    trace_winiommu_write(s->index, offset, size, value);
    RCU_READ_LOCK_GUARD();
    wi_iommu_mmio_write(s->iommu, offset, size, value);
    refresh_if_due(s);
    if (s->written) {
        s->written(s);
    }
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
    WinIommuHost* s = container_of(listener, WinIommuHost, listener);
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
    WinIommuHost* s = container_of(listener, WinIommuHost, listener);

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
    WinIommuHost* s = container_of(listener, WinIommuHost, listener);

    if (s->ram_changed) {
        s->ram_changed = false;
        wi_iommu_set_ram(s->iommu, (const WiRamRegion*)s->ram->data, s->ram->len);
    }
}

/* ---------------------------------------------------------------- life */

/* Bus numbers that were loaded, or set while the machine stood still. */
static void vm_state_changed(void* opaque, bool running, RunState state)
{
    if (running) {
        winiommu_host_refresh(opaque);
    }
}

void winiommu_host_init(WinIommuHost* s, Object* owner, const char* name)
{
    s->owner = owner;
    s->name = name;
    QLIST_INIT(&s->functions);
    qemu_mutex_init(&s->streams_lock);
    qemu_mutex_init(&s->pending_lock);
    winiommu_verify_init(s);
    winiommu_introspect_init(s);
}

WiHost winiommu_host_callbacks(WinIommuHost* s)
{
    return (WiHost){
        .opaque = s,
        .read = host_read,
        .write = host_write,
        .mark_dirty = host_mark_dirty,
        .pulse = host_pulse,
        .send_msi = host_send_msi,
        .unmapped = host_unmapped,
        .bypass_changed = host_bypass_changed,
        .guest_error = host_guest_error,
        .mapping_changed = host_mapping_changed,
        .device_unmapped = host_device_unmapped,
    };
}

bool winiommu_host_start(WinIommuHost* s, uint64_t mmio_size, Error** errp)
{
    if (!winiommu_verify_start(s, errp) || !winiommu_introspect_start(s, errp) ||
        !winiommu_host_attach(s, errp)) {
        wi_iommu_free(s->iommu);
        s->iommu = NULL;
        return false;
    }
    s->deliver = qemu_bh_new(deliver_bh, s);
    s->ram = g_array_new(false, false, sizeof(WiRamRegion));
    memory_region_init_io(&s->mmio, s->owner, &mmio_ops, s, s->name, mmio_size);
    s->listener = (MemoryListener){
        .name = s->name,
        .region_add = ram_added,
        .region_del = ram_removed,
        .commit = ram_committed,
    };
    memory_listener_register(&s->listener, &address_space_memory);
    s->vm_change = qemu_add_vm_change_state_handler(vm_state_changed, s);
    return true;
}

void winiommu_host_ready(WinIommuHost* s)
{
    if (winiommu_host_of_bus(s->bus) != s) {
        error_report("%s: another IOMMU took over the bus %s; remove it", s->name,
                     BUS(s->bus)->name);
        exit(1);
    }
    winiommu_host_refresh(s);
}

/* After the devices have stopped: what they still had in flight is translated as before.
 */
void winiommu_host_reset(WinIommuHost* s)
{
    wi_iommu_reset(s->iommu);
    winiommu_host_refresh(s);
}

/* ---------------------------------------------------------------- migration */

static int pre_save(void* opaque)
{
    WinIommuHost* s = opaque;
    size_t size;

    deliver_bh(s);
    free(s->saved);
    s->saved = wi_iommu_save(s->iommu, &size);
    s->saved_size = size;
    return s->saved ? 0 : -1;
}

static int post_load(void* opaque, int version)
{
    WinIommuHost* s = opaque;
    const char* problem = wi_iommu_load(s->iommu, s->saved, s->saved_size);

    if (problem) {
        error_report("%s: %s", s->name, problem);
        return -EINVAL;
    }
    winiommu_host_refresh(s);
    return 0;
}

const VMStateDescription winiommu_host_vmstate = {
    .name = "winiommu-host",
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = pre_save,
    .post_load = post_load,
    .fields =
        (const VMStateField[]){
            VMSTATE_UINT32(saved_size, WinIommuHost),
            VMSTATE_VBUFFER_ALLOC_UINT32(saved, WinIommuHost, 0, NULL, saved_size),
            VMSTATE_END_OF_LIST(),
        },
};
