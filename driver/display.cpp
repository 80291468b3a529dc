// SPDX-License-Identifier: GPL-2.0-or-later
// A model of the display port driver's IOMMU side, over the slots.  Isolation (WDDM 2.4):
// logical addresses are physical ones, in a domain without an allocator.  Remapping (WDDM
// 2.9): logical addresses below what the adapter can see, given out by one.
//
// Not implemented: the frame-buffer callbacks.
#include "driver/display.hpp"

#include <initializer_list>

#include "driver/reference.hpp"
#include "driver/slots.hpp"

namespace iommu::driver {

IOMMU_MAP_PHYSICAL_ADDRESS description(std::uint64_t base, std::uint64_t pages)
{
    IOMMU_MAP_PHYSICAL_ADDRESS what{};
    what.MapType = MapPhysicalAddressTypeContiguousRange;
    what.ContiguousRange.Base.QuadPart = static_cast<LONGLONG>(base);
    what.ContiguousRange.Size = pages * page_size;
    return what;
}

namespace {

// An MDL that is mapped, and whose pages may be ours.
struct MappedMdl {
    Adapter* adapter = nullptr;
    MDL* mdl = nullptr;
    std::uint64_t* memory = nullptr;  // nullptr: the caller's pages
    std::uint64_t pages = 0, mdl_size = 0;
};

IOMMU_MAP_PHYSICAL_ADDRESS description(MDL* mdl)
{
    IOMMU_MAP_PHYSICAL_ADDRESS what{};
    what.MapType = MapPhysicalAddressTypeMdl;
    what.Mdl.Mdl = mdl;
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
    for (auto* domain : {a->domain, a->open_domain}) {
        if (domain != nullptr) {
            DeleteDomain(domain);
        }
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

// --- exclusive access

// Every device of the adapter; false: one would not, and those before it have moved.
bool move(const Adapter& a, IOMMU_DMA_DOMAIN* to)
{
    bool moved = true;
    for (unsigned i = 0; i < a.count; ++i) {
        DetachDeviceEx(a.devices[i]);
        moved = NT_SUCCESS(AttachDeviceEx(to, a.devices[i])) && moved;
    }
    return moved;
}

// Attaching is not atomic: in between the miniport keeps its hardware off memory.  [S]
// When it will not, nothing is switched and End is not called; what End says changes
// nothing.
NTSTATUS WDM_CALL SwitchIsolation(HANDLE hAdapter, BOOLEAN isolated,
                                  DXGKDDI_BEGINEXCLUSIVEACCESS* Begin,
                                  DXGKDDI_ENDEXCLUSIVEACCESS* End)
{
    require_irql(*system(), "SwitchIsolation", PASSIVE_LEVEL);
    auto& a = *static_cast<Adapter*>(hAdapter);
    IOMMU_DMA_DOMAIN_CREATION_FLAGS none{};
    const bool is_isolated = a.open_domain == nullptr;
    if (a.remapping || is_isolated == (isolated != FALSE)) {
        return STATUS_NOT_SUPPORTED;
    }
    auto* open = a.open_domain;
    if (is_isolated) {
        const auto status =
            CreateDomainEx(DomainTypePassThrough, none, nullptr, nullptr, &open);
        if (!NT_SUCCESS(status)) {
            return status;
        }
    }
    DXGKARG_BEGINEXCLUSIVEACCESS begin{};
    DXGKARG_ENDEXCLUSIVEACCESS end{};
    auto status =
        mutant(Mutant::NoExclusiveAccess) ? STATUS_SUCCESS : Begin(hAdapter, &begin);
    if (NT_SUCCESS(status) || mutant(Mutant::BeginFailureIgnored)) {
        auto* to = isolated ? a.domain : open;
        auto* from = isolated ? open : a.domain;
        if (!move(a, to)) {
            status = STATUS_INSUFFICIENT_RESOURCES;
            move(a, from);
        }
        End(hAdapter, &end);
    }
    // The pass-through domain lives while the adapter is in it.
    const bool now_isolated = NT_SUCCESS(status) ? isolated != FALSE : is_isolated;
    a.open_domain = now_isolated ? nullptr : open;
    if (now_isolated) {
        DeleteDomain(open);
    }
    return status;
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

// Pages inside [low, high], mapped, with an MDL; all or nothing: a short allocation is
// none.
NTSTATUS allocate_mapped(MappedMdl& m, std::uint64_t low, std::uint64_t high,
                         HANDLE& handle)
{
    auto& s = *system();
    std::uint64_t base = 0;
    m.memory = s.platform.pages(m.pages, base);
    if (m.memory == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    const bool inside = base >= low && base + m.pages * page_size - 1 <= high;
    const auto described =
        mutant(Mutant::ShortMdl) && m.pages > 1 ? m.pages - 1 : m.pages;
    m.mdl = inside ? make_mdl(base, described, m.mdl_size) : nullptr;
    auto status = STATUS_INSUFFICIENT_RESOURCES;
    if (m.mdl != nullptr) {
        status = map_mdl(m.adapter, m, handle);
    }
    if (!NT_SUCCESS(status)) {
        if (m.mdl != nullptr) {
            s.platform.release(m.mdl, m.mdl_size);
        }
        s.platform.release_pages(m.memory, m.pages);
    }
    return status;
}

bool free_mapped(HANDLE handle)
{
    auto& s = *system();
    auto* m = static_cast<MappedMdl*>(handle);
    if (m == nullptr || m->memory == nullptr) {
        return false;
    }
    unmap(m);
    s.platform.release(m->mdl, m->mdl_size);
    s.platform.release_pages(m->memory, m->pages);
    s.platform.destroy(m);
    return true;
}

constexpr std::uint64_t most_bytes = (1ull << 32) - page_size;

NTSTATUS WDM_CALL AllocatePagesForMdl(HANDLE hAdapter, DXGKARGCB_ALLOCATEPAGESFORMDL* Arg)
{
    require_irql(*system(), "AllocatePagesForMdl", PASSIVE_LEVEL);
    const auto total = Arg->TotalBytes;
    const auto low = static_cast<std::uint64_t>(Arg->LowAddress.QuadPart);
    const auto high = static_cast<std::uint64_t>(Arg->HighAddress.QuadPart);
    const auto skip = static_cast<std::uint64_t>(Arg->SkipBytes.QuadPart);
    const bool skips = skip % page_size == 0 || mutant(Mutant::SkipBytesUnchecked);
    if (total == 0 || total > most_bytes || total % page_size != 0 || !skips ||
        low > high) {
        return STATUS_INVALID_PARAMETER;
    }
    MappedMdl m{.adapter = static_cast<Adapter*>(hAdapter), .pages = total / page_size};
    const auto status = allocate_mapped(m, low, high, Arg->hMemoryHandle);
    if (NT_SUCCESS(status)) {
        Arg->pMdl = m.mdl;
    }
    return status;
}

// [S] The mapping goes, and is flushed, before the pages do.
NTSTATUS WDM_CALL FreePagesFromMdl(HANDLE, const DXGKARGCB_FREEPAGESFROMMDL* Arg)
{
    require_irql(*system(), "FreePagesFromMdl", PASSIVE_LEVEL);
    return free_mapped(Arg->hMemoryHandle) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

// A run of pages is aligned to its size rounded up to a power of two: it crosses no
// boundary that is not smaller than itself.
NTSTATUS WDM_CALL AllocateContiguousMemory(HANDLE hAdapter,
                                           DXGKARGCB_ALLOCATECONTIGUOUSMEMORY* Arg)
{
    require_irql(*system(), "AllocateContiguousMemory", PASSIVE_LEVEL);
    const auto bytes = Arg->NumberOfBytes;
    const auto low = static_cast<std::uint64_t>(Arg->LowestAcceptableAddress.QuadPart);
    const auto high = static_cast<std::uint64_t>(Arg->HighestAcceptableAddress.QuadPart);
    const auto boundary =
        static_cast<std::uint64_t>(Arg->BoundaryAddressMultiple.QuadPart);
    if (bytes == 0 || bytes > most_bytes || low > high ||
        (boundary != 0 && (boundary < bytes || (boundary & (boundary - 1)) != 0))) {
        return STATUS_INVALID_PARAMETER;
    }
    MappedMdl m{.adapter = static_cast<Adapter*>(hAdapter),
                .pages = (bytes + page_size - 1) / page_size};
    const auto status = allocate_mapped(m, low, high, Arg->hMemoryHandle);
    if (NT_SUCCESS(status)) {
        Arg->pMemory = m.memory;
    }
    return status;
}

NTSTATUS WDM_CALL FreeContiguousMemory(HANDLE, const DXGKARGCB_FREECONTIGUOUSMEMORY* Arg)
{
    require_irql(*system(), "FreeContiguousMemory", PASSIVE_LEVEL);
    return free_mapped(Arg->hMemoryHandle) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
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
                                 FreeAdl,
                                 AllocateContiguousMemory,
                                 FreeContiguousMemory,
                                 MapPhysicalMemory,
                                 UnmapPhysicalMemory,
                                 SwitchIsolation};

}  // namespace

const WdmDisplay* display()
{
    return &the_display;
}

}  // namespace iommu::driver
