/*
 * The PCI side of an IOMMU as its three files share it: which stream a function has.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MISC_WINIOMMU_PCI_H
#define HW_MISC_WINIOMMU_PCI_H

#include "qemu/atomic.h"
#include "winiommu-host.h"

#define TYPE_WINIOMMU_REGION "winiommu-region"

/* The number the bus has at this moment, as the guest wrote it into the bridge. */
static inline unsigned bus_number(const WiFunction* f)
{
    return f->secondary_bus ? *f->secondary_bus : f->fixed_bus;
}

static inline uint32_t stream_id(const WiFunction* f, unsigned bus)
{
    return bus << 8 | f->devfn;
}

/* A bus that was unplugged with its bridge has no number any more. */
static inline bool is_present(const PCIBus* bus)
{
    return !bus || pci_bus_is_root((PCIBus*)bus) || BUS(bus)->parent;
}

/* winiommu-streams.c */
WiStream* winiommu_new_stream(WiFunction* f, unsigned bus);

/* NULL when the IOMMU was built with too few StreamID bits for this bus. */
static inline WiStream* stream_of(WiFunction* f)
{
    const unsigned bus = bus_number(f);
    WiStream* stream = qatomic_load_acquire(&f->streams[bus]);

    return likely(stream) ? stream : winiommu_new_stream(f, bus);
}

/* winiommu-notify.c.  All with the BQL held. */

/* The function has @stream from now on, or none (NULL): listeners forget what they know
 * and are told what @stream maps.  Nothing happens when it had @stream already. */
void winiommu_notify_follow(WiFunction* f, WiStream* stream);
/* To whoever listens to unmaps and keeps no copy of the mappings: all of it is gone. */
void winiommu_notify_all_unmapped(WiFunction* f);
/* What notifiers of @region want has changed.  0, or -EINVAL and *@errp. */
int winiommu_notify_flag_changed(IOMMUMemoryRegion* region, IOMMUNotifierFlag old,
                                 IOMMUNotifierFlag new, Error** errp);
/* All that is mapped, to @notifier. */
void winiommu_notify_replay(IOMMUMemoryRegion* region, IOMMUNotifier* notifier);

#endif
