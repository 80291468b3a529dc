/*
 * winiommu-watch: a PCI function for tests that listens to its IOMMU as vhost and vfio
 * do, and shows what it was told.  docs/devel/testing.rst.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "qemu/error-report.h"
#include "system/host_iommu_device.h"
#include "winiommu-compat.h"

#define TYPE_WINIOMMU_WATCH "winiommu-watch"
#define TYPE_WINIOMMU_WATCH_HOST "winiommu-watch-host"
OBJECT_DECLARE_SIMPLE_TYPE(WiWatch, WINIOMMU_WATCH)

/* Registers, 64 bits each. */
enum {
    WATCH_FLAGS = 0x00,  /* listen with these IOMMU_NOTIFIER_*; reads 0 when refused */
    WATCH_COUNT = 0x08,  /* events since COUNT was last written */
    WATCH_SELECT = 0x10, /* which of them the four registers below show */
    WATCH_INPUT = 0x18,
    WATCH_MASK = 0x20,
    WATCH_OUTPUT = 0x28,
    WATCH_RIGHTS = 0x30, /* 0: unmapped; else bit 0 read, bit 1 write */
    WATCH_REPLAY = 0x38, /* written: ask for all present mappings */
};

#define KEPT_EVENTS 65536

typedef struct Watcher {
    WiWatch* watch;
    MemoryRegion* region;
    hwaddr offset; /* of the section, in the address space */
    IOMMUNotifier notifier;
    QLIST_ENTRY(Watcher) next;
} Watcher;

struct WiWatch {
    PCIDevice parent;
    MemoryRegion mmio;
    bool vfio;

    uint64_t flags, count, select;
    bool listening;
    MemoryListener listener;
    QLIST_HEAD(, Watcher) watchers;
    IOMMUTLBEntry* events;
};

/* ---------------------------------------------------------------- listening */

static void told(IOMMUNotifier* n, IOMMUTLBEntry* entry)
{
    WiWatch* w = container_of(n, Watcher, notifier)->watch;

    if (w->count < KEPT_EVENTS) {
        w->events[w->count] = *entry;
    }
    w->count++;
}

static void section_added(MemoryListener* listener, MemoryRegionSection* section)
{
    WiWatch* w = container_of(listener, WiWatch, listener);
    const hwaddr first = section->offset_within_region;
    Int128 last =
        int128_sub(int128_add(int128_make64(first), section->size), int128_one());
    Error* error = NULL;
    Watcher* watcher;

    if (!memory_region_is_iommu(section->mr) || !w->flags) {
        return;
    }
    watcher = g_new0(Watcher, 1);
    watcher->watch = w;
    watcher->region = section->mr;
    watcher->offset = section->offset_within_address_space;
    iommu_notifier_init(&watcher->notifier, told, w->flags, first, int128_get64(last), 0);
    if (memory_region_register_iommu_notifier(section->mr, &watcher->notifier, &error)) {
        error_report_err(error);
        w->flags = 0;
        g_free(watcher);
        return;
    }
    QLIST_INSERT_HEAD(&w->watchers, watcher, next);
    memory_region_iommu_replay(IOMMU_MEMORY_REGION(section->mr), &watcher->notifier);
}

static void section_removed(MemoryListener* listener, MemoryRegionSection* section)
{
    WiWatch* w = container_of(listener, WiWatch, listener);
    Watcher* watcher;

    QLIST_FOREACH(watcher, &w->watchers, next)
    {
        if (watcher->region == section->mr &&
            watcher->offset == section->offset_within_address_space) {
            memory_region_unregister_iommu_notifier(section->mr, &watcher->notifier);
            QLIST_REMOVE(watcher, next);
            g_free(watcher);
            return;
        }
    }
}

static void watch(WiWatch* w, uint64_t flags)
{
    if (w->listening) {
        memory_listener_unregister(&w->listener);
        w->listening = false;
    }
    w->flags = flags & (IOMMU_NOTIFIER_ALL);
    if (w->flags) {
        w->listener = (MemoryListener){
            .name = TYPE_WINIOMMU_WATCH,
            .region_add = section_added,
            .region_del = section_removed,
        };
        w->listening = true;
        memory_listener_register(&w->listener,
                                 pci_device_iommu_address_space(&w->parent));
    }
}

/* ---------------------------------------------------------------- registers */

static uint64_t watch_read(void* opaque, hwaddr at, unsigned size)
{
    WiWatch* w = opaque;
    const IOMMUTLBEntry* e = &w->events[w->select];

    switch (at) {
    case WATCH_FLAGS:
        return w->flags;
    case WATCH_COUNT:
        return w->count;
    case WATCH_SELECT:
        return w->select;
    case WATCH_INPUT:
        return e->iova;
    case WATCH_MASK:
        return e->addr_mask;
    case WATCH_OUTPUT:
        return e->translated_addr;
    case WATCH_RIGHTS:
        return e->perm;
    default:
        return 0;
    }
}

static void watch_write(void* opaque, hwaddr at, uint64_t value, unsigned size)
{
    WiWatch* w = opaque;
    Watcher* watcher;

    switch (at) {
    case WATCH_FLAGS:
        watch(w, value);
        break;
    case WATCH_COUNT:
        w->count = 0;
        break;
    case WATCH_SELECT:
        w->select = value % KEPT_EVENTS;
        break;
    case WATCH_REPLAY:
        QLIST_FOREACH(watcher, &w->watchers, next)
        {
            memory_region_iommu_replay(IOMMU_MEMORY_REGION(watcher->region),
                                       &watcher->notifier);
        }
        break;
    }
}

static const MemoryRegionOps watch_ops = {
    .read = watch_read,
    .write = watch_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 8, .max_access_size = 8},
    .impl = {.min_access_size = 8, .max_access_size = 8},
};

/* ---------------------------------------------------------------- the PCI function */

/* As vfio: the IOMMU has its say before anything else happens. */
static bool ask_as_vfio(PCIDevice* pci, Error** errp)
{
    Object* host = object_new(TYPE_WINIOMMU_WATCH_HOST);
    const bool accepted = pci_device_set_iommu_device(pci, HOST_IOMMU_DEVICE(host), errp);

    object_unref(host);
    return accepted;
}

static void watch_realize(PCIDevice* pci, Error** errp)
{
    WiWatch* w = WINIOMMU_WATCH(pci);

    if (w->vfio && !ask_as_vfio(pci, errp)) {
        return;
    }
    QLIST_INIT(&w->watchers);
    w->events = g_new0(IOMMUTLBEntry, KEPT_EVENTS);
    memory_region_init_io(&w->mmio, OBJECT(w), &watch_ops, w, TYPE_WINIOMMU_WATCH,
                          4 * KiB);
    pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &w->mmio);
}

static void watch_exit(PCIDevice* pci)
{
    WiWatch* w = WINIOMMU_WATCH(pci);

    watch(w, 0);
    g_free(w->events);
}

static const Property watch_properties[] = {
    DEFINE_PROP_BOOL("vfio", WiWatch, vfio, false),
};

static void watch_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    PCIDeviceClass* pc = PCI_DEVICE_CLASS(klass);

    pc->realize = watch_realize;
    pc->exit = watch_exit;
    pc->vendor_id = PCI_VENDOR_ID_QEMU;
    pc->device_id = 0x11f2;
    pc->class_id = PCI_CLASS_OTHERS;
    DEVICE_CLASS(klass)->desc = "winiommu tests: listens to its IOMMU";
    device_class_set_props(DEVICE_CLASS(klass), watch_properties);
}

static const TypeInfo watch_types[] = {
    {
        .name = TYPE_WINIOMMU_WATCH,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(WiWatch),
        .class_init = watch_class_init,
        .interfaces = (WI_INTERFACE[]){{INTERFACE_CONVENTIONAL_PCI_DEVICE}, {}},
    },
    {
        .name = TYPE_WINIOMMU_WATCH_HOST,
        .parent = TYPE_HOST_IOMMU_DEVICE,
    },
};
DEFINE_TYPES(watch_types)
