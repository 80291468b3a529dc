// SPDX-License-Identifier: GPL-2.0-or-later
// Logical and identity mappings.  All or nothing: what a call cannot finish it has not
// begun.
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
    const bool is_explicit = ExplicitLogicalAddress != nullptr;
    // Only a domain without an allocator takes, and needs, an address.
    if (is_explicit == Domain->allocates) {
        return mutant(Mutant::ExplicitRuleStatus) ? STATUS_INVALID_PARAMETER_4
                                                  : STATUS_NOT_SUPPORTED;
    }
    if (is_explicit &&
        (!granular(*ExplicitLogicalAddress) ||
         !range_fits(Domain, *ExplicitLogicalAddress, what.pages.count())) &&
        !mutant(Mutant::ExplicitUnchecked)) {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (LogicalAddressOut == nullptr) {
        return STATUS_INVALID_PARAMETER_6;
    }
    if (mutant(Mutant::OutOnFailure)) {
        *LogicalAddressOut = 0;
    }
    const auto access = access_of(Permissions);
    if (is_explicit) {
        const auto top = (std::uint64_t{1} << Domain->input_bits) - 1;
        const auto base = *ExplicitLogicalAddress & ~(page_size - 1) & top;
        const auto status = map_explicit(s, Domain, base, what.pages, access);
        if (NT_SUCCESS(status)) {
            *LogicalAddressOut = base;
        }
        return status;
    }
    Buddy::Window window{};
    const bool given = window_of(MinLogicalAddress, MaxLogicalAddress, window);
    std::uint64_t base = 0;
    const auto status =
        map_anywhere(s, Domain, given ? &window : nullptr, what.pages, access, base);
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
    const auto first = LogicalAddress >> PAGE_SHIFT;
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
    const bool reserved =
        (in_region(Domain, first, NumberOfPages) &&
         !mutant(Mutant::UnmapRegionAllowed)) ||
        (in_token(Domain, first, NumberOfPages) && !mutant(Mutant::UnmapTokenAllowed));
    auto& table = Domain->context.table;
    if (!range_fits(Domain, LogicalAddress, NumberOfPages) || reserved ||
        (!table.all_present(first, NumberOfPages) &&
         !mutant(Mutant::UnmapHolesAllowed))) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (mutant(Mutant::UnmapKeepsEntries)) {
        return STATUS_SUCCESS;
    }
    if (mutant(Mutant::UnmapFirstPageOnly)) {
        NumberOfPages = 1;
    }
    PageChain emptied;
    if (!table.unmap(first, NumberOfPages, emptied)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    take_out(s, Domain, first, NumberOfPages, emptied);
    return STATUS_SUCCESS;
}

// --- identity

static bool identity_fits(const IOMMU_DMA_DOMAIN* d, const PhysicalPages& pages)
{
    return pages.fit(d->input_bits);
}

// Takes out pages [0, n) of the list; they are mapped.
static void remove_identity(System& s, IOMMU_DMA_DOMAIN* d, const PhysicalPages& pages,
                            std::uint64_t n)
{
    for (std::uint64_t i = 0; i < n; ++i) {
        PageChain emptied;
        const auto page = pages[i] >> PAGE_SHIFT;
        d->context.table.unmap(page, 1, emptied);
        take_out(s, d, page, 1, emptied);
    }
}

// No fewer tables than mapping each page of the list to itself can take.
static std::uint64_t tables_for(const PageTable& table, const PhysicalPages& pages)
{
    std::uint64_t count = 0, before = ~0ull;
    for (std::uint64_t i = 0; i < pages.count(); ++i) {
        const auto page = pages[i] >> PAGE_SHIFT;
        count += page >> 9 == before ? 0 : table.needed(page);  // one table holds 512
        before = page >> 9;
    }
    return count;
}

static NTSTATUS map_identity(System& s, IOMMU_DMA_DOMAIN* d, ULONG permissions,
                             const PhysicalPages& pages)
{
    const auto access = access_of(permissions);
    const Guard guard(s.platform, d->lock);
    for (std::uint64_t i = 0; i < pages.count(); ++i) {
        if (occupied(d, pages[i] >> PAGE_SHIFT, 1) &&
            !mutant(Mutant::IdentityOverlapUnchecked)) {
            return STATUS_IN_USE;
        }
    }
    auto& table = d->context.table;
    PageChain tables;
    if (!tables.fill(s.platform, tables_for(table, pages))) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (std::uint64_t i = 0; i < pages.count(); ++i) {
        const auto at =
            mutant(Mutant::IdentityScatterIgnored) ? pages[0] + i * page_size : pages[i];
        const auto to = mutant(Mutant::IdentityOff) ? at + page_size : at;
        std::uint64_t already = 0;
        if (!table.lookup(at >> PAGE_SHIFT, already)) {  // not a page named twice
            table.map_page(at >> PAGE_SHIFT, to, access, tables);
        }
    }
    tables.release(s.platform);
    return STATUS_SUCCESS;
}

static NTSTATUS unmap_identity(System& s, IOMMU_DMA_DOMAIN* d, const PhysicalPages& pages)
{
    const Guard guard(s.platform, d->lock);
    for (std::uint64_t i = 0; i < pages.count(); ++i) {
        std::uint64_t physical = 0;
        const auto page = pages[i] >> PAGE_SHIFT;
        if ((!d->context.table.lookup(page, physical) || physical != pages[i] ||
             in_region(d, page, 1) || in_token(d, page, 1)) &&
            !mutant(Mutant::IdentityUnmapUnchecked)) {
            return STATUS_INVALID_PARAMETER_2;
        }
    }
    for (std::uint64_t i = 0; i < pages.count(); ++i) {
        if (!d->context.table.isolate(pages[i] >> PAGE_SHIFT, 1)) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    if (!mutant(Mutant::IdentityUnmapNothing)) {
        remove_identity(s, d, pages, pages.count());
    }
    return STATUS_SUCCESS;
}

// What all four calls decide before they look at the memory.  True: *status is the
// answer.
static bool identity_settled(const IOMMU_DMA_DOMAIN* d, NTSTATUS& status)
{
    if (d != nullptr && d->type == DomainTypePassThrough) {
        status = mutant(Mutant::IdentityPassThroughFails) ? STATUS_INVALID_PARAMETER_1
                                                          : STATUS_SUCCESS;
        return true;
    }
    status = STATUS_INVALID_PARAMETER_1;
    return d == nullptr || !managed(d);
}

static NTSTATUS identity_map_call(IOMMU_DMA_DOMAIN* d, ULONG permissions,
                                  const Described& what)
{
    auto& s = *system();
    NTSTATUS status = STATUS_SUCCESS;
    if (identity_settled(d, status)) {
        return status;
    }
    if (!permissions_ok(permissions)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (!what.valid || !identity_fits(d, what.pages)) {
        return STATUS_INVALID_PARAMETER_3;
    }
    if (d->allocates && !mutant(Mutant::IdentityOnAllocator)) {
        return STATUS_NOT_SUPPORTED;
    }
    return map_identity(s, d, permissions, what.pages);
}

static NTSTATUS identity_unmap_call(IOMMU_DMA_DOMAIN* d, const Described& what)
{
    auto& s = *system();
    NTSTATUS status = STATUS_SUCCESS;
    if (identity_settled(d, status)) {
        return status;
    }
    if (!what.valid || !identity_fits(d, what.pages)) {
        return mutant(Mutant::IdentityUnmapStatus) ? STATUS_INVALID_PARAMETER_3
                                                   : STATUS_INVALID_PARAMETER_2;
    }
    if (d->allocates) {
        return STATUS_NOT_SUPPORTED;
    }
    return unmap_identity(s, d, what.pages);
}

NTSTATUS WDM_CALL MapIdentityRange(PIOMMU_DMA_DOMAIN Domain, ULONG Permissions, PMDL Mdl)
{
    require_irql(*system(), "MapIdentityRange", DISPATCH_LEVEL);
    return identity_map_call(Domain, Permissions,
                             describe(Mdl, system()->limits.output_bits));
}

NTSTATUS WDM_CALL MapIdentityRangeEx(PIOMMU_DMA_DOMAIN Domain, ULONG Permissions,
                                     PIOMMU_MAP_PHYSICAL_ADDRESS PhysicalAddressToMap)
{
    require_irql(*system(), "MapIdentityRangeEx", DISPATCH_LEVEL);
    return identity_map_call(
        Domain, Permissions,
        describe(PhysicalAddressToMap, system()->limits.output_bits));
}

NTSTATUS WDM_CALL UnmapIdentityRange(PIOMMU_DMA_DOMAIN Domain, PMDL Mdl)
{
    require_irql(*system(), "UnmapIdentityRange", DISPATCH_LEVEL);
    return identity_unmap_call(Domain, describe(Mdl, system()->limits.output_bits));
}

NTSTATUS WDM_CALL UnmapIdentityRangeEx(PIOMMU_DMA_DOMAIN Domain,
                                       PIOMMU_MAP_PHYSICAL_ADDRESS MappedPhysicalAddress)
{
    require_irql(*system(), "UnmapIdentityRangeEx", DISPATCH_LEVEL);
    return identity_unmap_call(
        Domain, describe(MappedPhysicalAddress, system()->limits.output_bits));
}

}  // namespace iommu::driver
