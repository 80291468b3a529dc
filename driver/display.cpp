// SPDX-License-Identifier: GPL-2.0-or-later
// A model of the display port driver's IOMMU side, over the slots.  Isolation (WDDM 2.4):
// logical addresses are physical ones, in a domain without an allocator.  Remapping (WDDM
// 2.9): logical addresses below what the adapter can see, given out by one.
//
// Not implemented: section objects, CPU mappings of objects, the frame-buffer callbacks.
#include "driver/reference.hpp"
#include "driver/slots.hpp"
#include "driver/system.hpp"

namespace iommu::driver {

namespace {

constexpr unsigned most_linked = 4;

struct Adapter {
    IOMMU_DMA_DOMAIN* domain = nullptr;
    IOMMU_DMA_DEVICE* devices[most_linked] = {};
    unsigned count = 0;
    bool remapping = false;
    std::uint64_t highest_visible = 0;
};

// An MDL that is mapped, and whose pages may be ours.
struct MappedMdl {
    Adapter* adapter = nullptr;
    MDL* mdl = nullptr;
    std::uint64_t* memory = nullptr;  // nullptr: the caller's pages
    std::uint64_t pages = 0, mdl_size = 0;
};

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

IOMMU_MAP_PHYSICAL_ADDRESS description(MDL* mdl)
{
    IOMMU_MAP_PHYSICAL_ADDRESS what{};
    what.MapType = MapPhysicalAddressTypeMdl;
    what.Mdl.Mdl = mdl;
    return what;
}

IOMMU_MAP_PHYSICAL_ADDRESS description(std::uint64_t base, std::uint64_t pages)
{
    IOMMU_MAP_PHYSICAL_ADDRESS what{};
    what.MapType = MapPhysicalAddressTypeContiguousRange;
    what.ContiguousRange.Base.QuadPart = static_cast<LONGLONG>(base);
    what.ContiguousRange.Size = pages * page_size;
    return what;
}

// --- adapters

NTSTATUS make_domain(Adapter& a)
{
    IOMMU_DMA_DOMAIN_CREATION_FLAGS none{};
    IOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG buddy{};
    buddy.LogicalAllocatorType = IommuDmaLogicalAllocatorBuddy;
    unsigned width = PAGE_SHIFT + 1;
    while (width < 47 && (std::uint64_t{1} << width) - 1 < a.highest_visible) {
        ++width;
    }
    buddy.BuddyAllocatorConfig.AddressWidth = width;
    return CreateDomainEx(DomainTypeTranslate, none, a.remapping ? &buddy : nullptr,
                          nullptr, &a.domain);
}

void dismantle(Adapter* a)
{
    for (unsigned i = 0; i < a->count; ++i) {
        DetachDeviceEx(a->devices[i]);
        DeleteDevice(a->devices[i]);
    }
    if (a->domain != nullptr) {
        DeleteDomain(a->domain);
    }
    system()->platform.destroy(a);
}

NTSTATUS WDM_CALL StartAdapter(const PDEVICE_OBJECT* devices, ULONG count,
                               DXGK_IOMMU_CAPS iommu, DXGK_PHYSICAL_MEMORY_CAPS memory,
                               uint64_t highest_installed, HANDLE* hAdapter)
{
    require_irql(*system(), "StartAdapter", PASSIVE_LEVEL);
    const auto visible =
        static_cast<std::uint64_t>(memory.HighestVisibleAddress.QuadPart);
    const bool short_sighted = visible < highest_installed;
    if (count == 0 || count > most_linked || hAdapter == nullptr ||
        (short_sighted && !iommu.DmaRemappingSupported &&
         !mutant(Mutant::ShortSightedAdapterStarts))) {
        return STATUS_NOT_SUPPORTED;
    }
    auto* a = system()->platform.make<Adapter>();
    if (a == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    a->remapping = iommu.DmaRemappingSupported != 0;
    a->highest_visible = visible;
    auto status = make_domain(*a);
    for (ULONG i = 0; i < count && NT_SUCCESS(status); ++i) {
        IOMMU_DMA_DEVICE* device = nullptr;
        status = CreateDevice(devices[i], nullptr, &device);
        if (!NT_SUCCESS(status)) {
            break;
        }
        status = AttachDeviceEx(a->domain, device);
        if (!NT_SUCCESS(status)) {
            DeleteDevice(device);
            break;
        }
        a->devices[a->count++] = device;
        if (mutant(Mutant::LeadAdapterOnly)) {
            break;
        }
    }
    // Isolation that is only supported does without; what is required does not.
    const bool needed = iommu.IommuIsolationRequired || a->remapping;
    if (!NT_SUCCESS(status) && needed && !mutant(Mutant::IsolationNotRequired)) {
        dismantle(a);
        return status;
    }
    *hAdapter = a;
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL StopAdapter(HANDLE hAdapter)
{
    require_irql(*system(), "StopAdapter", PASSIVE_LEVEL);
    dismantle(static_cast<Adapter*>(hAdapter));
    return STATUS_SUCCESS;
}

// --- MDLs, isolation

NTSTATUS map_mdl(Adapter* a, MappedMdl mapped, HANDLE& handle)
{
    auto& s = *system();
    // A remapping driver has ADLs instead.
    if (a == nullptr || a->remapping) {
        return STATUS_NOT_SUPPORTED;
    }
    auto* m = s.platform.make<MappedMdl>();
    if (m == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *m = mapped;
    auto what = description(m->mdl);
    const auto status =
        mutant(Mutant::MdlNotMapped)
            ? STATUS_SUCCESS
            : MapIdentityRangeEx(a->domain, IOMMU_ACCESS_READ | IOMMU_ACCESS_WRITE,
                                 &what);
    if (!NT_SUCCESS(status)) {
        s.platform.destroy(m);
        return status;
    }
    handle = m;
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL MapMdlToIommu(HANDLE hAdapter, DXGKARGCB_MAPMDLTOIOMMU* Arg)
{
    require_irql(*system(), "MapMdlToIommu", PASSIVE_LEVEL);
    auto* a = static_cast<Adapter*>(hAdapter);
    return map_mdl(a, {.adapter = a, .mdl = Arg->pMdl}, Arg->hMemoryHandle);
}

void unmap(MappedMdl* m)
{
    auto what = description(m->mdl);
    if (!mutant(Mutant::MdlStaysMapped)) {
        UnmapIdentityRangeEx(m->adapter->domain, &what);
    }
}

VOID WDM_CALL UnmapMdlFromIommu(HANDLE, const DXGKARGCB_UNMAPMDLFROMIOMMU* Arg)
{
    require_irql(*system(), "UnmapMdlFromIommu", PASSIVE_LEVEL);
    auto* m = static_cast<MappedMdl*>(Arg->hMemoryHandle);
    if (m != nullptr) {
        unmap(m);
        system()->platform.destroy(m);
    }
}

MDL* make_mdl(std::uint64_t base, std::uint64_t pages, std::uint64_t& size)
{
    size = sizeof(MDL) + pages * sizeof(PFN_NUMBER);
    auto* mdl = static_cast<MDL*>(system()->platform.allocate(size));
    if (mdl != nullptr) {
        mdl->Size = static_cast<CSHORT>(size);
        mdl->MdlFlags = MDL_PAGES_LOCKED;
        mdl->ByteCount = static_cast<ULONG>(pages * page_size);
        for (std::uint64_t i = 0; i < pages; ++i) {
            MmGetMdlPfnArray(mdl)[i] = base / page_size + i;
        }
    }
    return mdl;
}

// All or nothing: a short allocation is none.
NTSTATUS WDM_CALL AllocatePagesForMdl(HANDLE hAdapter, DXGKARGCB_ALLOCATEPAGESFORMDL* Arg)
{
    auto& s = *system();
    require_irql(s, "AllocatePagesForMdl", PASSIVE_LEVEL);
    constexpr std::uint64_t most = (1ull << 32) - page_size;
    const auto total = Arg->TotalBytes;
    const auto low = static_cast<std::uint64_t>(Arg->LowAddress.QuadPart);
    const auto high = static_cast<std::uint64_t>(Arg->HighAddress.QuadPart);
    const auto skip = static_cast<std::uint64_t>(Arg->SkipBytes.QuadPart);
    const bool skips = skip % page_size == 0 || mutant(Mutant::SkipBytesUnchecked);
    if (total == 0 || total > most || total % page_size != 0 || !skips || low > high) {
        return STATUS_INVALID_PARAMETER;
    }
    MappedMdl m{.adapter = static_cast<Adapter*>(hAdapter), .pages = total / page_size};
    std::uint64_t base = 0;
    m.memory = s.platform.pages(m.pages, base);
    if (m.memory == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    const bool inside = base >= low && base + total - 1 <= high;
    const auto described =
        mutant(Mutant::ShortMdl) && m.pages > 1 ? m.pages - 1 : m.pages;
    m.mdl = inside ? make_mdl(base, described, m.mdl_size) : nullptr;
    auto status = STATUS_INSUFFICIENT_RESOURCES;
    if (m.mdl != nullptr) {
        status = map_mdl(m.adapter, m, Arg->hMemoryHandle);
    }
    if (!NT_SUCCESS(status)) {
        if (m.mdl != nullptr) {
            s.platform.release(m.mdl, m.mdl_size);
        }
        s.platform.release_pages(m.memory, m.pages);
        return status;
    }
    Arg->pMdl = m.mdl;
    return STATUS_SUCCESS;
}

// [S] The mapping goes, and is flushed, before the pages do.
NTSTATUS WDM_CALL FreePagesFromMdl(HANDLE, const DXGKARGCB_FREEPAGESFROMMDL* Arg)
{
    auto& s = *system();
    require_irql(s, "FreePagesFromMdl", PASSIVE_LEVEL);
    auto* m = static_cast<MappedMdl*>(Arg->hMemoryHandle);
    if (m == nullptr || m->memory == nullptr) {
        return STATUS_INVALID_PARAMETER;
    }
    unmap(m);
    s.platform.release(m->mdl, m->mdl_size);
    s.platform.release_pages(m->memory, m->pages);
    s.platform.destroy(m);
    return STATUS_SUCCESS;
}

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
    if (!io && Arg->Type != DXGK_PHYSICAL_MEMORY_TYPE_MDL &&
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

constexpr WdmDisplay the_display{StartAdapter,
                                 StopAdapter,
                                 MapMdlToIommu,
                                 UnmapMdlFromIommu,
                                 AllocatePagesForMdl,
                                 FreePagesFromMdl,
                                 CreatePhysicalMemoryObject,
                                 DestroyPhysicalMemoryObject,
                                 OpenPhysicalMemoryObject,
                                 ClosePhysicalMemoryObject,
                                 AllocateAdl,
                                 FreeAdl};

}  // namespace

const WdmDisplay* display()
{
    return &the_display;
}

}  // namespace iommu::driver
