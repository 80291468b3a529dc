// SPDX-License-Identifier: GPL-2.0-or-later
// Physical memory objects and their address descriptor lists (WDDM 2.9): logical
// addresses below what the adapter can see, given out by an allocator; and their mappings
// for the processor.
//
// Not implemented: user-mode mappings; sections are pages without a file behind them.
#include "driver/display.hpp"
#include "driver/slots.hpp"

namespace iommu::driver {

namespace {

struct PhysicalObject {
    DXGK_PHYSICAL_MEMORY_TYPE type{};
    std::uint64_t base = 0, pages = 0;
    std::uint64_t* memory = nullptr;  // nullptr: I/O space
    Adapter* adapter = nullptr;       // the one that has opened it
    unsigned adls = 0;
};

struct Adl {
    DXGK_ADL visible{};  // first: the handle points at it
    DXGK_PAGE_NUMBER* list = nullptr;
    std::uint64_t logical = 0;
    bool mapped = false;
};

NTSTATUS map_adl(const PhysicalObject& o, Adl& adl, std::uint64_t first,
                 std::uint64_t pages)
{
    auto* a = o.adapter;
    auto what = description(o.base + first * page_size, pages);
    constexpr ULONG both = IOMMU_ACCESS_READ | IOMMU_ACCESS_WRITE;
    if (!a->remapping) {
        adl.logical = o.base + first * page_size;
        return MapIdentityRangeEx(a->domain, both, &what);
    }
    IOMMU_DMA_LOGICAL_ADDRESS highest = a->highest_visible;
    return MapLogicalRangeEx(a->domain, both, &what, nullptr, nullptr,
                             mutant(Mutant::VisibilityIgnored) ? nullptr : &highest,
                             &adl.logical);
}

void unmap_adl(const PhysicalObject& o, const Adl& adl)
{
    const auto pages = adl.visible.PageCount;
    auto what = description(adl.logical, pages);
    if (mutant(Mutant::AdlStaysMapped)) {
        return;
    }
    if (o.adapter->remapping) {
        UnmapLogicalRange(o.adapter->domain, adl.logical, pages);
    } else {
        UnmapIdentityRangeEx(o.adapter->domain, &what);
    }
}

bool list_pages(Adl& adl, std::uint64_t pages)
{
    adl.list = static_cast<DXGK_PAGE_NUMBER*>(
        system()->platform.allocate(pages * sizeof(DXGK_PAGE_NUMBER)));
    for (std::uint64_t i = 0; adl.list != nullptr && i < pages; ++i) {
        adl.list[i] = adl.logical / page_size + i;
    }
    adl.visible.Pages = adl.list;
    return adl.list != nullptr;
}

}  // namespace

// --- physical memory objects

NTSTATUS WDM_CALL CreatePhysicalMemoryObject(DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT* Arg)
{
    auto& s = *system();
    require_irql(s, "CreatePhysicalMemoryObject", PASSIVE_LEVEL);
    if (Arg->Size == 0 || Arg->Size % page_size != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    const bool io = Arg->Type == DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE;
    const auto io_base = static_cast<std::uint64_t>(Arg->IOSpace.BaseAddress.QuadPart);
    if (io && io_base % page_size != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    const bool section = Arg->Type == DXGK_PHYSICAL_MEMORY_TYPE_SECTION;
    const bool cached = Arg->CacheType == DXGK_MEMORY_CACHING_TYPE_CACHED ||
                        Arg->CacheType == DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED;
    if (section && !cached && !mutant(Mutant::SectionCacheUnchecked)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (!io && !section && Arg->Type != DXGK_PHYSICAL_MEMORY_TYPE_MDL &&
        Arg->Type != DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY) {
        return STATUS_NOT_SUPPORTED;
    }
    auto* o = s.platform.make<PhysicalObject>();
    if (o == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    o->type = Arg->Type;
    o->pages = Arg->Size / page_size;
    o->base = io_base;
    o->adapter = static_cast<Adapter*>(Arg->hAdapter);
    if (!io) {
        o->memory = s.platform.pages(o->pages, o->base);
        if (o->memory == nullptr) {
            s.platform.destroy(o);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    Arg->hPhysicalMemoryObject = o;
    Arg->hAdapterMemoryObject = o->adapter == nullptr ? nullptr : o;
    return STATUS_SUCCESS;
}

VOID WDM_CALL
DestroyPhysicalMemoryObject(const DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT* Arg)
{
    auto& s = *system();
    require_irql(s, "DestroyPhysicalMemoryObject", PASSIVE_LEVEL);
    auto* o = static_cast<PhysicalObject*>(Arg->hPhysicalMemoryObject);
    if (o->memory != nullptr) {
        s.platform.release_pages(o->memory, o->pages);
    }
    s.platform.destroy(o);
}

// One adapter an object.
NTSTATUS WDM_CALL OpenPhysicalMemoryObject(DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT* Arg)
{
    require_irql(*system(), "OpenPhysicalMemoryObject", PASSIVE_LEVEL);
    auto* o = static_cast<PhysicalObject*>(Arg->hPhysicalMemoryObject);
    const bool taken = o->adapter != nullptr && !mutant(Mutant::ObjectOpensTwice);
    if (taken || Arg->hAdapter == nullptr) {
        return STATUS_INVALID_PARAMETER;
    }
    o->adapter = static_cast<Adapter*>(Arg->hAdapter);
    Arg->hAdapterMemoryObject = o;
    return STATUS_SUCCESS;
}

VOID WDM_CALL ClosePhysicalMemoryObject(const DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT* Arg)
{
    require_irql(*system(), "ClosePhysicalMemoryObject", PASSIVE_LEVEL);
    static_cast<PhysicalObject*>(Arg->hAdapterMemoryObject)->adapter = nullptr;
}

// --- address descriptor lists, remapping

NTSTATUS WDM_CALL AllocateAdl(DXGKARGCB_ALLOCATE_ADL* Arg)
{
    auto& s = *system();
    require_irql(s, "AllocateAdl", PASSIVE_LEVEL);
    auto* o = static_cast<PhysicalObject*>(Arg->hAdapterMemoryObject);
    const auto size = o == nullptr ? 0 : o->pages * page_size;
    const bool granular = (Arg->Offset % page_size == 0 && Arg->Size % page_size == 0) ||
                          mutant(Mutant::AdlAlignmentIgnored);
    if (o == nullptr || o->adapter == nullptr || !granular || Arg->Size == 0 ||
        Arg->Offset > size || Arg->Size > size - Arg->Offset ||
        Arg->Flags.Reserved != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    const bool contiguous = o->type == DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY ||
                            o->type == DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE;
    if (Arg->Flags.RequireContiguous && !contiguous &&
        !mutant(Mutant::ContiguousAlwaysGranted)) {
        return STATUS_INVALID_PARAMETER;
    }
    auto* adl = s.platform.make<Adl>();
    if (adl == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    const auto pages = Arg->Size / page_size;
    auto status = map_adl(*o, *adl, Arg->Offset / page_size, pages);
    adl->visible.PageCount = static_cast<UINT32>(pages);
    if (NT_SUCCESS(status) && !contiguous && !list_pages(*adl, pages)) {
        unmap_adl(*o, *adl);
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!NT_SUCCESS(status)) {
        s.platform.destroy(adl);
        return status;
    }
    if (contiguous) {
        adl->visible.Flags.Contiguous = 1;
        adl->visible.BasePageNumber = adl->logical / page_size;
    }
    ++o->adls;
    Arg->pAdl = &adl->visible;
    return STATUS_SUCCESS;
}

VOID WDM_CALL FreeAdl(const DXGKARGCB_FREE_ADL* Arg)
{
    auto& s = *system();
    require_irql(s, "FreeAdl", PASSIVE_LEVEL);
    auto* o = static_cast<PhysicalObject*>(Arg->hAdapterMemoryObject);
    auto* adl = reinterpret_cast<Adl*>(Arg->pAdl);
    unmap_adl(*o, *adl);
    if (adl->list != nullptr) {
        s.platform.release(adl->list, adl->visible.PageCount * sizeof(DXGK_PAGE_NUMBER));
    }
    s.platform.destroy(adl);
    --o->adls;
}

// --- mappings for the processor

// The kernel's own mapping of the pages serves; [S] I/O space and user mode have none.
NTSTATUS WDM_CALL MapPhysicalMemory(DXGKARGCB_MAP_PHYSICAL_MEMORY* Arg)
{
    require_irql(*system(), "MapPhysicalMemory", PASSIVE_LEVEL);
    const auto* o = static_cast<PhysicalObject*>(Arg->hPhysicalMemoryObject);
    if (o == nullptr || Arg->Size == 0 || Arg->Offset % page_size != 0 ||
        Arg->Offset > o->pages * page_size ||
        Arg->Size > o->pages * page_size - Arg->Offset) {
        return STATUS_INVALID_PARAMETER;
    }
    if (o->memory == nullptr || Arg->AccessMode != DXGK_ACCESS_MODE_KERNEL_MODE) {
        return STATUS_NOT_SUPPORTED;
    }
    const auto offset = mutant(Mutant::MapOffsetIgnored) ? 0 : Arg->Offset;
    Arg->pMappedAddress = reinterpret_cast<unsigned char*>(o->memory) + offset;
    return STATUS_SUCCESS;
}

VOID WDM_CALL UnmapPhysicalMemory(const DXGKARGCB_UNMAP_PHYSICAL_MEMORY*)
{
    require_irql(*system(), "UnmapPhysicalMemory", PASSIVE_LEVEL);
}

}  // namespace iommu::driver
