/*
 * PCI side of an IOMMU: an address space per requester, and the switch between the IOMMU
 * region and plain system memory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "hw/virtio/virtio-bus.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/range.h"
#include "qemu/rcu.h"
#include "trace/trace-hw_winiommu.h"
#include "winiommu-host.h"

#define TYPE_WINIOMMU_REGION "winiommu-region"

/* QEMU wants room for an address plus the mask. */
#define LARGEST_MASK ((uint64_t)INT64_MAX)

static QLIST_HEAD(, WiBridge) bridges = QLIST_HEAD_INITIALIZER(bridges);

/* ---------------------------------------------------------------- streams */

/* The number the bus has at this moment, as the guest wrote it into the bridge. */
static inline unsigned bus_number(const WiFunction* f)
{
    return f->secondary_bus ? *f->secondary_bus : f->fixed_bus;
}

static inline uint32_t stream_id(const WiFunction* f, unsigned bus)
{
    return bus << 8 | f->devfn;
}

uint16_t winiommu_function_source(const WiFunction* f)
{
    return stream_id(f, bus_number(f));
}

static WiStream* new_stream(WiFunction* f, unsigned bus)
{
    WinIommuHost* s = f->host;
    const uint32_t sid = stream_id(f, bus);
    WiStream* stream;

    qemu_mutex_lock(&s->streams_lock);
    stream = wi_iommu_stream(s->iommu, sid, (void*)(uintptr_t)sid);
    qatomic_store_release(&f->streams[bus], stream);
    qemu_mutex_unlock(&s->streams_lock);
    trace_winiommu_stream(s->index, sid);
    return stream;
}

/* NULL when the IOMMU was built with too few StreamID bits for this bus. */
static inline WiStream* stream_of(WiFunction* f)
{
    const unsigned bus = bus_number(f);
    WiStream* stream = qatomic_load_acquire(&f->streams[bus]);

    return likely(stream) ? stream : new_stream(f, bus);
}

bool winiommu_host_translate(WiFunction* f, uint64_t address, unsigned attributes,
                             uint32_t substream, WiTranslation* out)
{
    WiStream* stream = stream_of(f);

    if (likely(stream &&
               wi_stream_translate(stream, address, attributes, substream, out))) {
        return true;
    }
    trace_winiommu_refused(f->host->index, stream_id(f, bus_number(f)), address,
                           attributes);
    return false;
}

bool winiommu_host_has_ats(WiFunction* f)
{
    return !wi_iommu_refuse_device_tlbs(f->host->iommu);
}

void winiommu_host_request(WiFunction* f, uint64_t address, unsigned attributes,
                           uint32_t substream, WiAtsCompletion* out)
{
    WiStream* stream = stream_of(f);

    *out = (WiAtsCompletion){.status = WI_ATS_UNSUPPORTED};
    if (stream) {
        wi_stream_request_translation(stream, address, attributes, substream, out);
    }
}

bool winiommu_host_admit(WiFunction* f, uint64_t address, unsigned attributes,
                         uint32_t substream)
{
    WiStream* stream = stream_of(f);

    return stream && wi_stream_admit_translated(stream, address, attributes, substream);
}

void winiommu_host_watch_device_tlb(WiFunction* f, WiDeviceTlbTell* tell, void* opaque)
{
    f->tell_device_tlb = tell;
    f->device_tlb = opaque;
}

WiFunction* winiommu_host_function(WinIommuHost* s, AddressSpace* as)
{
    WiFunction* f;

    QLIST_FOREACH(f, &s->functions, next)
    {
        if (&f->as == as) {
            return f;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- the region */

static inline IOMMUTLBEntry entry_of(hwaddr address, const WiTranslation* found)
{
    const uint64_t mask = MIN(found->mask, LARGEST_MASK);

    return (IOMMUTLBEntry){
        .target_as = &address_space_memory,
        .iova = address & ~mask,
        .translated_addr = found->output & ~mask,
        .addr_mask = mask,
        .perm = (found->read ? IOMMU_RO : 0) | (found->write ? IOMMU_WO : 0),
    };
}

static G_GNUC_NO_INLINE IOMMUTLBEntry region_ask(WiFunction* f, hwaddr address,
                                                 IOMMUAccessFlags flag)
{
    IOMMUTLBEntry entry = {
        .target_as = &address_space_memory,
        .iova = address,
        .addr_mask = 0xfff,
        .perm = IOMMU_NONE,
    };
    const unsigned attributes = WI_PIECES | (flag & IOMMU_WO ? WI_WRITE : 0);
    WiStream* stream;
    WiTranslation out;

    /* Somebody only looks: nothing is accessed, so nothing may be recorded. */
    if (flag == IOMMU_NONE) {
        return entry;
    }
    stream = stream_of(f);
    if (stream && wi_stream_resolve(stream, address, attributes, 0, &out)) {
        return entry_of(address, &out);
    }
    trace_winiommu_refused(f->host->index, stream_id(f, bus_number(f)), address,
                           attributes);
    return entry;
}

/* In line down to the thread's last answer; everything else is a call. */
static IOMMUTLBEntry region_translate(IOMMUMemoryRegion* region, hwaddr address,
                                      IOMMUAccessFlags flag, int index)
{
    WiFunction* f = container_of(region, WiFunction, region);
    WiStream* stream = qatomic_load_acquire(&f->streams[bus_number(f)]);
    WiTranslation out;

    if (likely(stream && flag != IOMMU_NONE &&
               wi_stream_recall(stream, address, flag & IOMMU_WO, &out))) {
        return entry_of(address, &out);
    }
    return region_ask(f, address, flag);
}

static uint64_t region_min_page_size(IOMMUMemoryRegion* region)
{
    return 4096;
}

static void follow_stream(WiFunction* f)
{
    WiStream* stream = stream_of(f);

    if (f->listened && f->listened != stream) { /* its bus has a new number */
        wi_stream_want_unmaps(f->listened, false);
        wi_stream_want_mappings(f->listened, false);
    }
    if (f->unmaps_wanted || f->mappings_wanted || f->listened) {
        wi_stream_want_unmaps(stream, f->unmaps_wanted);
    }
    if (f->mappings_wanted != f->mappings_told || f->listened != stream) {
        wi_stream_want_mappings(stream, f->mappings_wanted);
        f->mappings_told = f->mappings_wanted;
    }
    f->listened = f->unmaps_wanted || f->mappings_wanted ? stream : NULL;
}

static int region_notify_flag_changed(IOMMUMemoryRegion* region, IOMMUNotifierFlag old,
                                      IOMMUNotifierFlag new, Error** errp)
{
    WiFunction* f = container_of(region, WiFunction, region);
    const char* refused = NULL;

    if (new& IOMMU_NOTIFIER_MAP) {
        refused = wi_iommu_refuse_mappings(f->host->iommu);
    }
    if (!refused && new& IOMMU_NOTIFIER_DEVIOTLB_UNMAP) {
        refused = wi_iommu_refuse_device_tlbs(f->host->iommu);
    }
    if (refused) {
        error_setg(errp, "%s", refused);
        return -EINVAL;
    }
    f->unmaps_wanted = new& IOMMU_NOTIFIER_UNMAP;
    f->mappings_wanted = new& IOMMU_NOTIFIER_MAP;
    f->device_unmaps_wanted = new& IOMMU_NOTIFIER_DEVIOTLB_UNMAP;
    follow_stream(f);
    return 0;
}

/* [@first, @last] as far as @n watches it. */
static void notify_one(IOMMUNotifier* n, IOMMUNotifierFlag type, uint64_t first,
                       uint64_t last)
{
    const hwaddr begin = MAX(first, n->start), end = MIN(last, n->end);
    const IOMMUTLBEvent event = {
        .type = type,
        .entry =
            {
                .target_as = &address_space_memory,
                .iova = begin,
                .addr_mask = end - begin,
                .perm = IOMMU_NONE,
            },
    };

    if (begin > end || !(n->notifier_flags & type)) {
        return;
    }
    if (end - begin == UINT64_MAX) { /* listeners count bytes, in 64 bits: halves */
        notify_one(n, type, 0, INT64_MAX);
        notify_one(n, type, (uint64_t)INT64_MAX + 1, UINT64_MAX);
        return;
    }
    memory_region_notify_iommu_one(n, &event);
}

/* Who keeps a copy of the mappings is told of changes to that copy, not of this. */
static void notify(WiFunction* f, IOMMUNotifierFlag type, uint64_t first, uint64_t last)
{
    IOMMUNotifier* n;

    IOMMU_NOTIFIER_FOREACH(n, &f->region)
    {
        if (!(n->notifier_flags & IOMMU_NOTIFIER_MAP)) {
            notify_one(n, type, first, last);
        }
    }
}

/* A listener takes powers of two only, and nothing outside what it watches. */
static void notify_block(IOMMUNotifier* n, const WiBlock* block)
{
    const hwaddr last = MIN(block->input | block->mask, n->end);
    hwaddr at = MAX(block->input, n->start);

    if (!block->read && !block->write) {
        notify_one(n, IOMMU_NOTIFIER_UNMAP, block->input, block->input | block->mask);
        return;
    }
    while (at <= last) {
        const uint64_t mask = dma_aligned_pow2_mask(at, last, 64);
        const IOMMUTLBEvent event = {
            .type = IOMMU_NOTIFIER_MAP,
            .entry =
                {
                    .target_as = &address_space_memory,
                    .iova = at,
                    .translated_addr = block->output + (at - block->input),
                    .addr_mask = mask,
                    .perm = (block->read ? IOMMU_RO : 0) | (block->write ? IOMMU_WO : 0),
                },
        };

        memory_region_notify_iommu_one(n, &event);
        if (last - at <= mask) {
            break;
        }
        at += mask + 1;
    }
}

static void replay_block(void* opaque, const WiBlock* block)
{
    notify_block(opaque, block);
}

/* Of a copy that is empty still: whatever it gets is told to every listener. */
static void ignore_block(void* opaque, const WiBlock* block) {}

static void region_replay(IOMMUMemoryRegion* region, IOMMUNotifier* notifier)
{
    WiFunction* f = container_of(region, WiFunction, region);

    if (notifier->notifier_flags & IOMMU_NOTIFIER_MAP) {
        wi_stream_replay_mappings(stream_of(f), replay_block, notifier);
    }
}

/* A bus that was unplugged with its bridge has no number any more. */
static bool is_present(const PCIBus* bus)
{
    return !bus || pci_bus_is_root((PCIBus*)bus) || BUS(bus)->parent;
}

static bool is_now(const WiFunction* f, uint32_t sid)
{
    return is_present(f->bus) && stream_id(f, bus_number(f)) == sid;
}

void winiommu_host_unmapped(WinIommuHost* s, uint32_t sid, uint64_t iova, uint64_t size)
{
    const uint64_t first = size ? iova : 0, last = size ? iova + size - 1 : UINT64_MAX;
    WiFunction* f;

    QLIST_FOREACH(f, &s->functions, next)
    {
        if (f->unmaps_wanted && is_now(f, sid)) {
            notify(f, IOMMU_NOTIFIER_UNMAP, first, MAX(first, last));
        }
    }
}

/* PCIe 10.5.1.3: a function with ATS disabled does not answer. */
static bool has_ats_enabled(const WiFunction* f)
{
    PCIDevice* device = f->bus ? f->bus->devices[f->devfn] : NULL;
    const uint16_t at = device && pci_is_express(device)
                            ? pcie_find_capability(device, PCI_EXT_CAP_ID_ATS)
                            : 0;

    return at && pci_get_word(device->config + at + PCI_ATS_CTRL) & PCI_ATS_CTRL_ENABLE;
}

bool winiommu_host_device_unmapped(WinIommuHost* s, uint32_t sid, uint32_t substream,
                                   uint64_t iova, uint64_t size)
{
    const uint64_t first = size ? iova : 0, last = size ? iova + size - 1 : UINT64_MAX;
    bool answered = false;
    WiFunction* f;

    QLIST_FOREACH(f, &s->functions, next)
    {
        if (!is_now(f, sid)) {
            continue;
        }
        const bool ats = has_ats_enabled(f);

        answered |= f->device_unmaps_wanted || ats;
        if (f->device_unmaps_wanted && substream == WI_NO_SUBSTREAM) {
            notify(f, IOMMU_NOTIFIER_DEVIOTLB_UNMAP, first, MAX(first, last));
        }
        if (f->tell_device_tlb && ats) {
            f->tell_device_tlb(f->device_tlb, substream, iova, size);
        }
#ifdef WI_PCI_ATS
        if (ats) {
            winiommu_ats_invalidate(f, substream, first, MAX(first, last));
        }
#endif
    }
    return answered;
}

void winiommu_host_mapping_changed(WinIommuHost* s, uint32_t sid, const WiBlock* block)
{
    IOMMUNotifier* n;
    WiFunction* f;

    QLIST_FOREACH(f, &s->functions, next)
    {
        if (!f->mappings_wanted || !is_now(f, sid)) {
            continue;
        }
        IOMMU_NOTIFIER_FOREACH(n, &f->region)
        {
            if (n->notifier_flags & IOMMU_NOTIFIER_MAP) {
                notify_block(n, block);
            }
        }
    }
}

/* ---------------------------------------------------------------- bypass */

/* Another stream's mappings from now on. */
static void move_listeners(WiFunction* f)
{
    const WiBlock everything = {.mask = UINT64_MAX};
    IOMMUNotifier* n;

    notify(f, IOMMU_NOTIFIER_UNMAP, 0, UINT64_MAX);
    follow_stream(f);
    IOMMU_NOTIFIER_FOREACH(n, &f->region)
    {
        if (n->notifier_flags & IOMMU_NOTIFIER_MAP) {
            notify_block(n, &everything);
        }
    }
    if (f->mappings_wanted) {
        wi_stream_replay_mappings(f->listened, ignore_block, NULL);
    }
}

static void refresh_function(WiFunction* f)
{
    WiStream* stream;
    bool bypassed;

    if (!is_present(f->bus)) {
        return;
    }
    stream = stream_of(f);
    bypassed = stream && wi_stream_bypassed(stream);
    if (stream && f->listened && f->listened != stream) {
        move_listeners(f);
    }
    if (f->bypass.enabled != bypassed) {
        trace_winiommu_bypass(f->host->index, stream_id(f, bus_number(f)), bypassed);
        memory_region_set_enabled(&f->bypass, bypassed);
        memory_region_set_enabled(MEMORY_REGION(&f->region), !bypassed);
        if (f->unmaps_wanted) {
            notify(f, IOMMU_NOTIFIER_UNMAP, 0, UINT64_MAX);
        }
    }
}

void winiommu_host_refresh(WinIommuHost* s)
{
    WiFunction* f;

    memory_region_transaction_begin();
    QLIST_FOREACH(f, &s->functions, next)
    {
        refresh_function(f);
    }
    memory_region_transaction_commit();
}

/* ---------------------------------------------------------------- bridges */

static WiBridge* find_bridge(PCIDevice* device)
{
    WiBridge* b;

    QLIST_FOREACH(b, &bridges, next)
    {
        if (b->device == device) {
            return b;
        }
    }
    return NULL;
}

/* A function that got a new StreamID may have to leave or enter bypass at once. */
static void bridge_write(PCIDevice* device, uint32_t address, uint32_t value, int size)
{
    WiBridge* b = find_bridge(device);

    b->write(device, address, value, size);
    if (ranges_overlap(address, size, PCI_SECONDARY_BUS, 1)) {
        trace_winiommu_bus(device->config[PCI_SECONDARY_BUS]);
        winiommu_host_refresh(b->host);
    }
}

static void watch_bridge(WinIommuHost* s, PCIDevice* device)
{
    WiBridge* b = find_bridge(device);

    if (b && device->config_write == bridge_write) {
        return;
    }
    if (!b) { /* or another bridge has taken the place of one that was unplugged */
        b = g_new0(WiBridge, 1);
        b->device = device;
        QLIST_INSERT_HEAD(&bridges, b, next);
    }
    b->host = s;
    b->write = device->config_write;
    device->config_write = bridge_write;
}

/* ---------------------------------------------------------------- functions */

static WiFunction* new_function(WinIommuHost* s, PCIBus* bus, unsigned fixed_bus,
                                int devfn)
{
    WiFunction* f = g_new0(WiFunction, 1);
    g_autofree char* name = g_strdup_printf("%s.%u-%p-%02x.%x", s->name, s->index, bus,
                                            PCI_SLOT(devfn), PCI_FUNC(devfn));

    f->host = s;
    f->bus = bus;
    f->fixed_bus = fixed_bus;
    f->devfn = devfn;
    if (bus) {
        object_ref(OBJECT(bus));
        if (pci_bus_is_root(bus)) {
            f->fixed_bus = pci_bus_num(bus);
        } else {
            f->secondary_bus = &bus->parent_dev->config[PCI_SECONDARY_BUS];
        }
    }
    memory_region_init(&f->root, s->owner, name, UINT64_MAX);
    memory_region_init_alias(&f->bypass, s->owner, "bypass", get_system_memory(), 0,
                             memory_region_size(get_system_memory()));
    memory_region_init_iommu(&f->region, sizeof(f->region), TYPE_WINIOMMU_REGION,
                             s->owner, name, UINT64_MAX);
    memory_region_set_enabled(&f->bypass, false);
    memory_region_add_subregion_overlap(&f->root, 0, &f->bypass, 0);
    memory_region_add_subregion_overlap(&f->root, 0, MEMORY_REGION(&f->region), 0);
    if (s->extend) {
        s->extend(f);
    }
    address_space_init(&f->as, &f->root, name);
    QLIST_INSERT_HEAD(&s->functions, f, next);
    return f;
}

WiFunction* winiommu_host_function_at(WinIommuHost* s, PCIBus* bus, int devfn)
{
    WiFunction* f;

    QLIST_FOREACH(f, &s->functions, next)
    {
        if (f->bus == bus && f->devfn == devfn) {
            return f;
        }
    }
    return new_function(s, bus, 0, devfn);
}

static AddressSpace* get_address_space(PCIBus* bus, void* opaque, int devfn)
{
    WinIommuHost* s = opaque;
    WiFunction* f = winiommu_host_function_at(s, bus, devfn);

    if (!pci_bus_is_root(bus)) {
        watch_bridge(s, bus->parent_dev);
    }
    refresh_function(f);
    return &f->as;
}

AddressSpace* winiommu_host_add_requester(WinIommuHost* s, unsigned bus, int devfn)
{
    WiFunction* f = new_function(s, NULL, bus, devfn);

    refresh_function(f);
    return &f->as;
}

/* vfio, before it looks at the address space: it needs to know what the guest maps. */
static bool set_iommu_device(PCIBus* bus, void* opaque, int devfn,
                             HostIOMMUDevice* device, Error** errp)
{
    const char* refused = wi_iommu_refuse_mappings(((WinIommuHost*)opaque)->iommu);

    if (refused) {
        error_setg(errp, "%s", refused);
    }
    return !refused;
}

static const PCIIOMMUOps iommu_ops = {
    .get_address_space = get_address_space,
    .set_iommu_device = set_iommu_device,
#ifdef WI_PCI_ATS
    .get_iotlb_info = winiommu_ats_get_info,
    .init_iotlb_notifier = winiommu_ats_init_notifier,
    .register_iotlb_notifier = winiommu_ats_register,
    .unregister_iotlb_notifier = winiommu_ats_unregister,
    .ats_request_translation = winiommu_ats_request,
#endif
};

WinIommuHost* winiommu_host_of_bus(const PCIBus* bus)
{
    return bus->iommu_ops == &iommu_ops ? bus->iommu_opaque : NULL;
}

static bool is_our_bus(PCIBus* bus, const PCIBus* primary)
{
    while (bus != primary && !bus->iommu_ops && bus->parent_dev) {
        bus = pci_get_bus(bus->parent_dev);
    }
    return bus == primary;
}

typedef struct EarlyDevice {
    const PCIBus* primary;
    const char* name;
} EarlyDevice;

/* A virtio device asks for its DMA address space once, when it is created. */
static int find_early_device(Object* object, void* opaque)
{
    EarlyDevice* early = opaque;
    VirtIODevice* virtio = (VirtIODevice*)object_dynamic_cast(object, TYPE_VIRTIO_DEVICE);
    DeviceState* proxy = virtio ? DEVICE(virtio)->parent_bus->parent : NULL;

    if (!proxy || !object_dynamic_cast(OBJECT(proxy), TYPE_PCI_DEVICE) ||
        !virtio_host_has_feature(virtio, VIRTIO_F_IOMMU_PLATFORM) ||
        !is_our_bus(pci_get_bus(PCI_DEVICE(proxy)), early->primary)) {
        return 0;
    }
    early->name = proxy->id ? proxy->id : object_get_typename(OBJECT(proxy));
    return 1;
}

bool winiommu_host_attach(WinIommuHost* s, PCIBus* bus, Error** errp)
{
    EarlyDevice early = {.primary = bus};

    if (!pci_bus_is_root(bus) || !pci_bus_is_express(bus)) {
        error_setg(errp,
                   "%s: primary-bus must be a root bus, pcie.0 or that of a pxb-pcie",
                   s->name);
        return false;
    }
    if (bus->iommu_ops) {
        error_setg(errp,
                   "%s: the bus %s already has an IOMMU; give each root bus one, with "
                   "primary-bus=",
                   s->name, BUS(bus)->name);
        return false;
    }
    object_child_foreach_recursive(object_get_root(), find_early_device, &early);
    if (early.name) {
        error_setg(
            errp,
            "%s: device %s with iommu_platform=on was created before its IOMMU: put "
            "-device %s before it",
            s->name, early.name, s->name);
        return false;
    }
    pci_setup_iommu(bus, &iommu_ops, s);
    return true;
}

static void region_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    IOMMUMemoryRegionClass* rc = IOMMU_MEMORY_REGION_CLASS(klass);

    rc->translate = region_translate;
    rc->get_min_page_size = region_min_page_size;
    rc->notify_flag_changed = region_notify_flag_changed;
    rc->replay = region_replay;
}

static const TypeInfo region_info = {
    .name = TYPE_WINIOMMU_REGION,
    .parent = TYPE_IOMMU_MEMORY_REGION,
    .class_init = region_class_init,
};

static void region_register(void)
{
    type_register_static(&region_info);
}

type_init(region_register)
