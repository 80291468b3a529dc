// SPDX-License-Identifier: GPL-2.0-or-later
// Logical mappings.  All or nothing: what a call cannot finish it has not begun.
#include "driver/map.hpp"

#include "driver/slots.hpp"

namespace iommu::driver {

bool granular(std::uint64_t address)
{
    return (address & (page_size - 1)) == 0;
}

// [S] Reserved bits, and no access at all, are the caller's bug.
bool permissions_ok(ULONG permissions)
{
    const ULONG known = IOMMU_ACCESS_READ | IOMMU_ACCESS_WRITE;
    return ((permissions & ~known) == 0 && permissions != 0) ||
           mutant(Mutant::PermissionsUnchecked);
}

Access access_of(ULONG permissions)
{
    Access access{(permissions & IOMMU_ACCESS_READ) != 0,
                  (permissions & IOMMU_ACCESS_WRITE) != 0};
    if (mutant(Mutant::AlwaysWritable)) {
        access.write = true;
    }
    if (mutant(Mutant::AlwaysReadable)) {
        access.read = true;
    }
    if (mutant(Mutant::PermissionsSwapped) && access.read != access.write) {
        access = {access.write, access.read};
    }
    return access;
}

bool range_fits(const IOMMU_DMA_DOMAIN* d, std::uint64_t base, std::uint64_t pages)
{
    const auto limit = std::uint64_t{1} << (d->input_bits - PAGE_SHIFT);
    const auto first = base >> PAGE_SHIFT;
    return first < limit && pages <= limit - first;
}

static bool overlap(std::uint64_t a, std::uint64_t n, std::uint64_t b, std::uint64_t m)
{
    return a < b + m && b < a + n;
}

bool in_region(const IOMMU_DMA_DOMAIN* d, std::uint64_t first, std::uint64_t pages)
{
    for (const auto* r = d->regions; r != nullptr; r = r->next) {
        if (overlap(first, pages, r->first, r->pages)) {
            return true;
        }
    }
    return false;
}

bool in_token(const IOMMU_DMA_DOMAIN* d, std::uint64_t first, std::uint64_t pages)
{
    for (const auto* t = d->tokens; t != nullptr; t = t->next) {
        if (overlap(first, pages, t->visible.LogicalAddressBase >> PAGE_SHIFT,
                    t->pages)) {
            return true;
        }
    }
    return false;
}

bool occupied(const IOMMU_DMA_DOMAIN* d, std::uint64_t first, std::uint64_t pages)
{
    if (mutant(Mutant::OverlapUnchecked)) {
        return false;
    }
    if (mutant(Mutant::OverlapFirstPageOnly)) {
        pages = 1;
    }
    const bool regions =
        !mutant(Mutant::RegionOverlapUnchecked) && in_region(d, first, pages);
    const bool tokens =
        !mutant(Mutant::TokenOverlapUnchecked) && in_token(d, first, pages);
    return d->context.table.any_present(first, pages) || regions || tokens;
}

// A domain without an allocator may be asked to unmap any part of a mapping; there,
// blocks are used where one can be cut while devices are looking.
static PageTable::Blocks blocks_for(const System& s, const IOMMU_DMA_DOMAIN* d)
{
    return d->allocates || s.limits.live_split ? PageTable::Blocks::Allowed
                                               : PageTable::Blocks::Forbidden;
}

void take_out(System& s, IOMMU_DMA_DOMAIN* d, std::uint64_t first, std::uint64_t pages,
              PageChain& emptied)
{
    if (mutant(Mutant::FlushTooShort) && pages > 1) {
        s.hw.invalidate(d->context, first, pages - 1, Hardware::Depth::Tables);
    } else if (!mutant(Mutant::NoFlushOnUnmap)) {
        s.hw.invalidate(d->context, first, pages, Hardware::Depth::Tables);
    }
    emptied.release(s.platform);
}

// The range [base, base + pages) is the caller's; maps it.
static bool put_in(System& s, IOMMU_DMA_DOMAIN* d, std::uint64_t base,
                   const PhysicalPages& pages, Access access)
{
    auto& table = d->context.table;
    const auto first = base >> PAGE_SHIFT;
    if (mutant(Mutant::ScatterAsContiguous)) {
        return table.map(first, PhysicalPages::contiguous(pages[0], pages.count()),
                         access, blocks_for(s, d));
    }
    if (mutant(Mutant::MapOnePageMore)) {
        return table.map(first, PhysicalPages::contiguous(pages[0], pages.count() + 1),
                         access, PageTable::Blocks::Forbidden);
    }
    if (mutant(Mutant::MapOnePageLess) && pages.count() > 1) {
        return table.map(first, PhysicalPages::contiguous(pages[0], pages.count() - 1),
                         access, PageTable::Blocks::Forbidden);
    }
    return mutant(Mutant::MapDoesNothing) ||
           table.map(first, pages, access, blocks_for(s, d));
}

// --- logical ranges

static NTSTATUS map_explicit(System& s, IOMMU_DMA_DOMAIN* d, std::uint64_t base,
                             const PhysicalPages& pages, Access access)
{
    const Guard guard(s.platform, d->lock);
    if (occupied(d, base >> PAGE_SHIFT, pages.count())) {
        return mutant(Mutant::InUseStatus) ? STATUS_UNSUCCESSFUL : STATUS_IN_USE;
    }
    if (mutant(Mutant::OverlapUnchecked)) {
        PageChain emptied;
        d->context.table.unmap(base >> PAGE_SHIFT, pages.count(), emptied);
        take_out(s, d, base >> PAGE_SHIFT, pages.count(), emptied);
    }
    return put_in(s, d, base, pages, access) ? STATUS_SUCCESS
                                             : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS map_anywhere(System& s, IOMMU_DMA_DOMAIN* d, const Buddy::Window* window,
                             const PhysicalPages& pages, Access access,
                             std::uint64_t& base)
{
    const Guard guard(s.platform, d->lock);
    const auto within = window == nullptr ? Buddy::Window{} : *window;
    const auto result =
        d->buddy.allocate(pages.count(), within, Buddy::Use::Mapping, base);
    if (result == Buddy::Result::Full) {
        return window != nullptr && !mutant(Mutant::WindowStatus)
                   ? STATUS_INVALID_PARAMETER_MIX
                   : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (result == Buddy::Result::NoMemory) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!put_in(s, d, base, pages, access)) {
        if (!mutant(Mutant::LeakLogicalOnFailure)) {
            d->buddy.free(base);
        }
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

bool window_of(const IOMMU_DMA_LOGICAL_ADDRESS* min, const IOMMU_DMA_LOGICAL_ADDRESS* max,
               Buddy::Window& window)
{
    if (min != nullptr) {
        window.min = *min;
    }
    if (max != nullptr) {
        window.max = *max;
    }
    return min != nullptr || max != nullptr;
}

// Only a domain without an allocator takes, and needs, an address.
static NTSTATUS check_explicit(const IOMMU_DMA_DOMAIN* d,
                               const IOMMU_DMA_LOGICAL_ADDRESS* address,
                               std::uint64_t pages)
{
    if ((address != nullptr) == d->allocates) {
        return mutant(Mutant::ExplicitRuleStatus) ? STATUS_INVALID_PARAMETER_4
                                                  : STATUS_NOT_SUPPORTED;
    }
    const bool good =
        address == nullptr || (granular(*address) && range_fits(d, *address, pages));
    return good || mutant(Mutant::ExplicitUnchecked) ? STATUS_SUCCESS
                                                     : STATUS_INVALID_PARAMETER_4;
}

NTSTATUS WDM_CALL MapLogicalRangeEx(PIOMMU_DMA_DOMAIN Domain, ULONG Permissions,
                                    PIOMMU_MAP_PHYSICAL_ADDRESS PhysicalAddressToMap,
                                    PIOMMU_DMA_LOGICAL_ADDRESS ExplicitLogicalAddress,
                                    PIOMMU_DMA_LOGICAL_ADDRESS MinLogicalAddress,
                                    PIOMMU_DMA_LOGICAL_ADDRESS MaxLogicalAddress,
                                    PIOMMU_DMA_LOGICAL_ADDRESS LogicalAddressOut)
{
    auto& s = *system();
    require_irql(s, "MapLogicalRangeEx",
                 mutant(Mutant::MapAtPassive) ? PASSIVE_LEVEL : DISPATCH_LEVEL);
    if (Domain == nullptr || !managed(Domain)) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (!permissions_ok(Permissions)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const auto what = describe(PhysicalAddressToMap, s.limits.output_bits);
    if (!what.valid) {
        return STATUS_INVALID_PARAMETER_3;
    }
    auto status = check_explicit(Domain, ExplicitLogicalAddress, what.pages.count());
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (LogicalAddressOut == nullptr) {
        return STATUS_INVALID_PARAMETER_6;
    }
    if (mutant(Mutant::OutOnFailure)) {
        *LogicalAddressOut = 0;
    }
    const auto access = access_of(Permissions);
    std::uint64_t base = 0;
    if (ExplicitLogicalAddress != nullptr) {
        const auto top = (std::uint64_t{1} << Domain->input_bits) - 1;
        base = *ExplicitLogicalAddress & ~(page_size - 1) & top;
        status = map_explicit(s, Domain, base, what.pages, access);
    } else {
        Buddy::Window window{};
        const bool given = window_of(MinLogicalAddress, MaxLogicalAddress, window);
        status =
            map_anywhere(s, Domain, given ? &window : nullptr, what.pages, access, base);
    }
    if (NT_SUCCESS(status)) {
        *LogicalAddressOut = base;
    }
    return status;
}

NTSTATUS WDM_CALL MapLogicalRange(PIOMMU_DMA_DOMAIN Domain, ULONG Permissions, PMDL Mdl,
                                  ULONGLONG LogicalAddress)
{
    auto& s = *system();
    require_irql(s, "MapLogicalRange", DISPATCH_LEVEL);
    if (Domain == nullptr || !managed(Domain)) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (!permissions_ok(Permissions)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const auto what = describe(Mdl, s.limits.output_bits);
    if (!what.valid) {
        return STATUS_INVALID_PARAMETER_3;
    }
    if (Domain->allocates) {
        return STATUS_NOT_SUPPORTED;
    }
    if (!granular(LogicalAddress) ||
        !range_fits(Domain, LogicalAddress, what.pages.count())) {
        return STATUS_INVALID_PARAMETER_4;
    }
    return map_explicit(s, Domain, LogicalAddress, what.pages, access_of(Permissions));
}

static NTSTATUS unmap_allocated(System& s, IOMMU_DMA_DOMAIN* d, std::uint64_t base,
                                std::uint64_t pages)
{
    std::uint64_t mapped = 0;
    if (d->buddy.find(base, mapped) != Buddy::Use::Mapping) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (mapped != pages) {
        return STATUS_INVALID_PARAMETER_3;
    }
    PageChain emptied;
    if (!mutant(Mutant::UnmapKeepsEntries)) {
        d->context.table.unmap(base >> PAGE_SHIFT, pages, emptied);
        take_out(s, d, base >> PAGE_SHIFT, pages, emptied);
    }
    if (!mutant(Mutant::UnmapLeaksLogical)) {
        d->buddy.free(base);
    }
    return STATUS_SUCCESS;
}

// Any part of what was mapped, where nothing else has a hold on it.
static NTSTATUS unmap_part(System& s, IOMMU_DMA_DOMAIN* d, std::uint64_t base,
                           std::uint64_t pages)
{
    const auto first = base >> PAGE_SHIFT;
    const bool reserved =
        (in_region(d, first, pages) && !mutant(Mutant::UnmapRegionAllowed)) ||
        (in_token(d, first, pages) && !mutant(Mutant::UnmapTokenAllowed));
    auto& table = d->context.table;
    if (!range_fits(d, base, pages) || reserved ||
        (!table.all_present(first, pages) && !mutant(Mutant::UnmapHolesAllowed))) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (mutant(Mutant::UnmapKeepsEntries)) {
        return STATUS_SUCCESS;
    }
    if (mutant(Mutant::UnmapFirstPageOnly)) {
        pages = 1;
    }
    PageChain emptied;
    if (!table.unmap(first, pages, emptied)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    take_out(s, d, first, pages, emptied);
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL UnmapLogicalRange(PIOMMU_DMA_DOMAIN Domain, ULONGLONG LogicalAddress,
                                    ULONGLONG NumberOfPages)
{
    auto& s = *system();
    require_irql(s, "UnmapLogicalRange", DISPATCH_LEVEL);
    if (Domain == nullptr || !managed(Domain)) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (!granular(LogicalAddress)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const auto limit = std::uint64_t{1} << (Domain->input_bits - PAGE_SHIFT);
    if (NumberOfPages == 0 || NumberOfPages > limit) {
        return STATUS_INVALID_PARAMETER_3;
    }
    if (mutant(Mutant::UnmapCountsBytes)) {
        NumberOfPages = (NumberOfPages + page_size - 1) / page_size;
    }
    const Guard guard(s.platform, Domain->lock);
    if (Domain->allocates) {
        return unmap_allocated(s, Domain, LogicalAddress, NumberOfPages);
    }
    return unmap_part(s, Domain, LogicalAddress, NumberOfPages);
}

}  // namespace iommu::driver
