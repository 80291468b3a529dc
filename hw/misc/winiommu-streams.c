/*
 * An access of a function: which stream it is of, and what the IOMMU makes of it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "trace/trace-hw_winiommu.h"
#include "winiommu-pci.h"

/* QEMU wants room for an address plus the mask. */
#define LARGEST_MASK ((uint64_t)INT64_MAX)

/* ---------------------------------------------------------------- streams */

uint16_t winiommu_function_source(const WiFunction* f)
{
    return stream_id(f, bus_number(f));
}

WiStream* winiommu_new_stream(WiFunction* f, unsigned bus)
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
    uint64_t piece = 0;

    QEMU_BUILD_BUG_ON(WI_ANSWER_READ != IOMMU_RO << 6);
    QEMU_BUILD_BUG_ON(WI_ANSWER_WRITE != IOMMU_WO << 6);
    if (likely(stream && flag != IOMMU_NONE)) {
        piece = wi_stream_recall_piece(stream, address, flag >> 1 & 1);
    }
    if (likely(piece)) {
        const uint64_t mask = wi_answer_mask(piece);

        return (IOMMUTLBEntry){
            .target_as = &address_space_memory,
            .iova = address & ~mask,
            .translated_addr = piece & ~mask,
            .addr_mask = mask,
            .perm = piece >> 6 & IOMMU_RW,
        };
    }
    return region_ask(f, address, flag);
}

static uint64_t region_min_page_size(IOMMUMemoryRegion* region)
{
    return 4096;
}

static void region_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    IOMMUMemoryRegionClass* rc = IOMMU_MEMORY_REGION_CLASS(klass);

    rc->translate = region_translate;
    rc->get_min_page_size = region_min_page_size;
    rc->notify_flag_changed = winiommu_notify_flag_changed;
    rc->replay = winiommu_notify_replay;
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
