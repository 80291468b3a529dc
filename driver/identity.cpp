// SPDX-License-Identifier: GPL-2.0-or-later
// Identity mappings: logical addresses that are the physical ones.  All or nothing: what
// a call cannot finish it has not begun.
#include "driver/map.hpp"
#include "driver/slots.hpp"

namespace iommu::driver {

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
