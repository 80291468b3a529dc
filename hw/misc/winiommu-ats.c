/*
 * QEMU's own interface to ATS, in the series that have it: any PCI device may ask for
 * translations and hear of invalidations.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "winiommu-host.h"

#ifdef WI_PCI_ATS

typedef struct WiAtsListener {
    uint32_t pasid;
    IOMMUNotifier* notifier;
    QLIST_ENTRY(WiAtsListener) next;
} WiAtsListener;

void winiommu_ats_get_info(void* opaque, uint8_t* address_width, uint32_t* page_size)
{
    *address_width = 57;
    *page_size = 4096;
}

void winiommu_ats_init_notifier(PCIBus* bus, void* opaque, int devfn, IOMMUNotifier* n,
                                IOMMUNotify tell, void* user)
{
    iommu_notifier_init(n, tell, IOMMU_NOTIFIER_DEVIOTLB_UNMAP, 0, HWADDR_MAX, 0);
    n->opaque = user;
}

void winiommu_ats_register(PCIBus* bus, void* opaque, int devfn, uint32_t pasid,
                           IOMMUNotifier* n)
{
    WiFunction* f = winiommu_host_function_at(opaque, bus, devfn);
    WiAtsListener* listener = g_new0(WiAtsListener, 1);

    listener->pasid = pasid;
    listener->notifier = n;
    QLIST_INSERT_HEAD(&f->ats_listeners, listener, next);
}

void winiommu_ats_unregister(PCIBus* bus, void* opaque, int devfn, uint32_t pasid,
                             IOMMUNotifier* n)
{
    WiFunction* f = winiommu_host_function_at(opaque, bus, devfn);
    WiAtsListener* listener;

    QLIST_FOREACH(listener, &f->ats_listeners, next)
    {
        if (listener->pasid == pasid && listener->notifier == n) {
            QLIST_REMOVE(listener, next);
            g_free(listener);
            return;
        }
    }
}

static bool is_meant(const WiAtsListener* listener, uint32_t substream)
{
    if (substream == WI_NO_SUBSTREAM) {
        return listener->pasid == PCI_NO_PASID;
    }
    return listener->pasid != PCI_NO_PASID &&
           (substream == WI_ANY_SUBSTREAM || listener->pasid == substream);
}

void winiommu_ats_invalidate(WiFunction* f, uint32_t substream, uint64_t first,
                             uint64_t last)
{
    WiAtsListener *listener, *further;

    QLIST_FOREACH_SAFE(listener, &f->ats_listeners, next, further)
    {
        IOMMUNotifier* n = listener->notifier;
        const hwaddr begin = MAX(first, n->start), end = MIN(last, n->end);
        IOMMUTLBEntry entry = {
            .target_as = &address_space_memory,
            .iova = begin,
            .addr_mask = end - begin,
            .perm = IOMMU_NONE,
            .pasid = listener->pasid,
        };

        if (is_meant(listener, substream) && begin <= end) {
            n->notify(n, &entry);
        }
    }
}

static IOMMUAccessFlags rights_of(const WiAtsCompletion* c, bool privileged)
{
    IOMMUAccessFlags rights = IOMMU_NONE;

    if (c->status != WI_ATS_SUCCESS || !(c->translation.read || c->translation.write)) {
        return rights;
    }
    rights |= c->translation.read ? IOMMU_RO : 0;
    rights |= c->translation.write ? IOMMU_WO : 0;
    rights |= c->execute ? IOMMU_EXEC : 0;
    rights |= privileged ? IOMMU_PRIV : 0;
    rights |= c->untranslated_only ? IOMMU_UNTRANSLATED_ONLY : 0;
    return rights;
}

ssize_t winiommu_ats_request(PCIBus* bus, void* opaque, int devfn, uint32_t pasid,
                             bool privileged, bool execute, hwaddr address, size_t length,
                             bool no_write, IOMMUTLBEntry* result, size_t results,
                             uint32_t* failed)
{
    WiFunction* f = winiommu_host_function_at(opaque, bus, devfn);
    const unsigned attributes =
        (no_write ? 0 : WI_WRITE) | (privileged ? WI_PRIVILEGED : 0) |
        (execute ? WI_INSTRUCTION : 0) | (pasid == PCI_NO_PASID ? 0 : WI_SUBSTREAM);
    const hwaddr last = address + (length ? length - 1 : 0);
    hwaddr at = address & ~(hwaddr)0xfff;
    ssize_t count = 0;

    *failed = 0;
    for (;;) {
        WiAtsCompletion done;
        IOMMUAccessFlags rights;
        uint64_t mask;

        if (count == results) {
            return -ENOMEM;
        }
        winiommu_host_request(f, at, attributes, pasid == PCI_NO_PASID ? 0 : pasid,
                              &done);
        rights = rights_of(&done, privileged);
        mask = rights == IOMMU_NONE ? 0xfff : done.translation.mask;
        *failed += rights == IOMMU_NONE;
        result[count++] = (IOMMUTLBEntry){
            .target_as = &address_space_memory,
            .iova = at & ~mask,
            .translated_addr = done.translation.output & ~mask,
            .addr_mask = mask,
            .perm = rights,
            .pasid = pasid,
        };
        if (last <= (at | mask)) {
            return count;
        }
        at = (at | mask) + 1;
    }
}

#endif
