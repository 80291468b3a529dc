/*
 * PCI side of an IOMMU: an address space per requester, and the switch between the IOMMU
 * region and plain system memory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "hw/virtio/virtio-bus.h"
#include "qemu/main-loop.h"
#include "qemu/range.h"
#include "qemu/rcu.h"
#include "trace/trace-hw_winiommu.h"
#include "winiommu-pci.h"

static QLIST_HEAD(, WiBridge) bridges = QLIST_HEAD_INITIALIZER(bridges);

/* ---------------------------------------------------------------- bypass */

static void refresh_function(WiFunction* f)
{
    WiStream* stream;
    bool bypassed;

    if (!is_present(f->bus)) {
        return;
    }
    stream = stream_of(f);
    bypassed = stream && wi_stream_bypassed(stream);
    winiommu_notify_follow(f, stream);
    if (f->bypass.enabled != bypassed) {
        trace_winiommu_bypass(f->host->index, stream_id(f, bus_number(f)), bypassed);
        memory_region_set_enabled(&f->bypass, bypassed);
        memory_region_set_enabled(MEMORY_REGION(&f->region), !bypassed);
        winiommu_notify_all_unmapped(f);
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

bool winiommu_host_attach(WinIommuHost* s, Error** errp)
{
    PCIBus* bus = s->bus;
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
