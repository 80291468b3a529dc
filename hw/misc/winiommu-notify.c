/*
 * Who keeps copies of translations, as vhost and vfio do, hears of changes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "winiommu-pci.h"

/* ---------------------------------------------------------------- what they want */

/* @stream is told what is wanted; the one that was told before it, that this is over. */
static void follow(WiFunction* f, WiStream* stream)
{
    if (f->listened && f->listened != stream) {
        wi_stream_want_unmaps(f->listened, false);
        wi_stream_want_mappings(f->listened, false);
        f->listened = NULL;
        f->mappings_told = false;
    }
    if (!stream) {
        return;
    }
    wi_stream_want_unmaps(stream, f->unmaps_wanted);
    if (f->mappings_wanted != f->mappings_told) {
        wi_stream_want_mappings(stream, f->mappings_wanted);
        f->mappings_told = f->mappings_wanted;
    }
    f->listened = f->unmaps_wanted || f->mappings_wanted ? stream : NULL;
}

int winiommu_notify_flag_changed(IOMMUMemoryRegion* region, IOMMUNotifierFlag old,
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
    follow(f, stream_of(f));
    return 0;
}

/* ---------------------------------------------------------------- telling */

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

void winiommu_notify_replay(IOMMUMemoryRegion* region, IOMMUNotifier* notifier)
{
    WiStream* stream = stream_of(container_of(region, WiFunction, region));

    if (stream && notifier->notifier_flags & IOMMU_NOTIFIER_MAP) {
        wi_stream_replay_mappings(stream, replay_block, notifier);
    }
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

/* ---------------------------------------------------------------- a new bus number */

void winiommu_notify_all_unmapped(WiFunction* f)
{
    notify(f, IOMMU_NOTIFIER_UNMAP, 0, UINT64_MAX);
}

void winiommu_notify_follow(WiFunction* f, WiStream* stream)
{
    const WiBlock everything = {.mask = UINT64_MAX};
    IOMMUNotifier* n;

    if (f->listened == stream ||
        !(f->listened || f->unmaps_wanted || f->mappings_wanted)) {
        return;
    }
    winiommu_notify_all_unmapped(f);
    follow(f, stream);
    IOMMU_NOTIFIER_FOREACH(n, &f->region)
    {
        if (n->notifier_flags & IOMMU_NOTIFIER_MAP) {
            notify_block(n, &everything);
        }
    }
    if (f->mappings_wanted && f->listened) {
        wi_stream_replay_mappings(f->listened, ignore_block, NULL);
    }
}
