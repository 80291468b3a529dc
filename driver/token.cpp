// SPDX-License-Identifier: GPL-2.0-or-later
// Address tokens: reserving takes all the memory that mapping will ever need, so that
// mapping and unmapping cannot fail for the lack of it.
#include "driver/map.hpp"
#include "driver/slots.hpp"

namespace iommu::driver {

namespace {

Token* to_token(PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN handle)
{
    return reinterpret_cast<Token*>(handle);
}

// A header that was freed before, which somebody may still be looking at, or a new one.
Token* take_header(System& s, bool& is_new)
{
    const Guard guard(s.platform, s.tokens_lock);
    is_new = s.unused_tokens == nullptr;
    if (is_new) {
        return s.platform.make<Token>();
    }
    auto* token = s.unused_tokens;
    s.unused_tokens = token->next;
    *token = {};
    return token;
}

void return_header(System& s, Token* token)
{
    const Guard guard(s.platform, s.tokens_lock);
    token->next = s.unused_tokens;
    s.unused_tokens = token;
}

// Where the reservation goes.  STATUS_SUCCESS: it is the caller's.
NTSTATUS place(IOMMU_DMA_DOMAIN* d, std::uint64_t pages, const ULONGLONG* explicit_base,
               const Buddy::Window* window, std::uint64_t& base)
{
    if (explicit_base != nullptr) {
        base = *explicit_base;
        return occupied(d, base >> PAGE_SHIFT, pages) ? STATUS_IN_USE : STATUS_SUCCESS;
    }
    const auto within = window == nullptr ? Buddy::Window{} : *window;
    switch (d->buddy.allocate(pages, within, Buddy::Use::Token, base)) {
    case Buddy::Result::Ok:
        return STATUS_SUCCESS;
    case Buddy::Result::Full:
        return window != nullptr ? STATUS_INVALID_PARAMETER_MIX
                                 : STATUS_INSUFFICIENT_RESOURCES;
    case Buddy::Result::NoMemory:
        break;
    }
    return STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS reserve(System& s, IOMMU_DMA_DOMAIN* d, Token* token,
                 const ULONGLONG* explicit_base, const Buddy::Window* window)
{
    const Guard guard(s.platform, d->lock);
    std::uint64_t base = 0;
    const auto status = place(d, token->pages, explicit_base, window, base);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (!mutant(Mutant::ReserveLazily) &&
        !d->context.table.reserve(base >> PAGE_SHIFT, token->pages)) {
        if (d->allocates) {
            d->buddy.free(base);
        }
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    token->visible = {base, token->pages * page_size};
    token->next = d->tokens;
    d->tokens = token;
    __atomic_store_n(&token->domain, d, __ATOMIC_RELEASE);
    return STATUS_SUCCESS;
}

// A token of `pages` whose range is reserved.
NTSTATUS new_token(System& s, IOMMU_DMA_DOMAIN* d, std::uint64_t pages,
                   const ULONGLONG* explicit_base, const Buddy::Window* window,
                   Token*& token)
{
    bool is_new = false;
    token = take_header(s, is_new);
    if (token == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    token->pages = pages;
    token->state = static_cast<std::uint8_t*>(s.platform.allocate(pages));
    const auto status = token->state == nullptr
                            ? STATUS_INSUFFICIENT_RESOURCES
                            : reserve(s, d, token, explicit_base, window);
    if (NT_SUCCESS(status)) {
        return status;
    }
    if (token->state != nullptr) {
        s.platform.release(token->state, pages);
    }
    token->state = nullptr;
    if (is_new) {
        s.platform.destroy(token);
    } else {
        return_header(s, token);
    }
    return status;
}

bool any_mapped(const Token* t, std::uint64_t first, std::uint64_t pages)
{
    for (std::uint64_t i = 0; i < pages; ++i) {
        if ((t->state[first + i] & Token::mapped) != 0) {
            return true;
        }
    }
    return false;
}

// The pages are exactly one segment.
bool is_segment(const Token* t, std::uint64_t first, std::uint64_t pages)
{
    if (pages == 0 || first >= t->pages || pages > t->pages - first ||
        t->state[first] != (Token::mapped | Token::starts_segment)) {
        return false;
    }
    for (std::uint64_t i = 1; i < pages; ++i) {
        if (t->state[first + i] != Token::mapped) {
            return false;
        }
    }
    return first + pages == t->pages || t->state[first + pages] != Token::mapped;
}

void unlink_token(IOMMU_DMA_DOMAIN* d, Token* token)
{
    for (auto** at = &d->tokens; *at != nullptr; at = &(*at)->next) {
        if (*at == token) {
            *at = token->next;
            return;
        }
    }
}

}  // namespace

NTSTATUS WDM_CALL
ReserveLogicalAddressRange(PIOMMU_DMA_DOMAIN Domain, SIZE_T Size,
                           PIOMMU_DMA_LOGICAL_ADDRESS ExplicitLogicalAddress,
                           PIOMMU_DMA_LOGICAL_ADDRESS MinLogicalAddress,
                           PIOMMU_DMA_LOGICAL_ADDRESS MaxLogicalAddress,
                           PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN* LogicalAddressToken)
{
    auto& s = *system();
    require_irql(s, "ReserveLogicalAddressRange", PASSIVE_LEVEL);
    if (Domain == nullptr || !managed(Domain)) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if ((!granular(Size) || Size == 0) && !mutant(Mutant::ReserveSizeUnchecked)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const auto pages = Size >> PAGE_SHIFT;
    const bool is_explicit = ExplicitLogicalAddress != nullptr;
    if (is_explicit == Domain->allocates) {
        return STATUS_NOT_SUPPORTED;
    }
    if (is_explicit && (!granular(*ExplicitLogicalAddress) ||
                        !range_fits(Domain, *ExplicitLogicalAddress, pages))) {
        return mutant(Mutant::ReserveAlignStatus) ? STATUS_INVALID_PARAMETER_4
                                                  : STATUS_INVALID_PARAMETER_3;
    }
    if (LogicalAddressToken == nullptr) {
        return STATUS_INVALID_PARAMETER_6;
    }
    // More pages than the space has never fit, and would only ask for absurd memory.
    if (pages > std::uint64_t{1} << (Domain->input_bits - PAGE_SHIFT)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Buddy::Window window{};
    const bool given = window_of(MinLogicalAddress, MaxLogicalAddress, window);
    Token* token = nullptr;
    const auto status = new_token(s, Domain, pages, ExplicitLogicalAddress,
                                  given ? &window : nullptr, token);
    if (NT_SUCCESS(status)) {
        *LogicalAddressToken = &token->visible;
    }
    return status;
}

NTSTATUS WDM_CALL
FreeReservedLogicalAddressRange(PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN LogicalAddressToken)
{
    auto& s = *system();
    require_irql(s, "FreeReservedLogicalAddressRange", PASSIVE_LEVEL);
    auto* token = to_token(LogicalAddressToken);
    auto* d =
        token == nullptr ? nullptr : __atomic_load_n(&token->domain, __ATOMIC_ACQUIRE);
    if (d == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    {
        const Guard guard(s.platform, d->lock);
        if (token->domain != d) {
            return STATUS_INVALID_PARAMETER_1;
        }
        if (any_mapped(token, 0, token->pages) && !mutant(Mutant::FreeMappedToken)) {
            return STATUS_RESOURCE_IN_USE;
        }
        __atomic_store_n(&token->domain, nullptr, __ATOMIC_RELEASE);
        unlink_token(d, token);
        const auto base = token->visible.LogicalAddressBase;
        PageChain emptied;
        d->context.table.unmap(base >> PAGE_SHIFT, token->pages, emptied);
        take_out(s, d, base >> PAGE_SHIFT, token->pages, emptied);
        if (d->allocates && !mutant(Mutant::TokenLeaksRange)) {
            d->buddy.free(base);
        }
    }
    s.platform.release(token->state, token->pages);
    token->state = nullptr;
    return_header(s, token);
    return STATUS_SUCCESS;
}

static NTSTATUS map_segment(System& s, IOMMU_DMA_DOMAIN* d, Token* token,
                            std::uint64_t first, ULONG permissions,
                            const PhysicalPages& pages)
{
    const auto n = pages.count();
    if (first > token->pages || n > token->pages - first) {
        return STATUS_INVALID_PARAMETER_MIX;
    }
    if (any_mapped(token, first, n) && !mutant(Mutant::SegmentOverlapUnchecked)) {
        return STATUS_RESOURCE_IN_USE;
    }
    const auto base = (token->visible.LogicalAddressBase >> PAGE_SHIFT) +
                      (mutant(Mutant::SegmentAtTokenBase) ? 0 : first);
    if (mutant(Mutant::SegmentOverlapUnchecked)) {
        d->context.table.clear(base, n);
    }
    if (mutant(Mutant::MapReservedAllocates)) {
        std::uint64_t physical = 0;
        auto* page = s.platform.pages(1, physical);
        if (page == nullptr) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        s.platform.release_pages(page, 1);
    }
    // The tables are there: this cannot fail, and must stay at page granularity so that
    // taking it out again needs nothing either.
    if (!d->context.table.map(base, pages, access_of(permissions),
                              PageTable::Blocks::Forbidden)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (std::uint64_t i = 0; i < n; ++i) {
        token->state[first + i] = Token::mapped | (i == 0 ? Token::starts_segment : 0);
    }
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL MapReservedLogicalRange(
    PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN LogicalAddressToken, SIZE_T Offset,
    ULONG Permissions, PIOMMU_MAP_PHYSICAL_ADDRESS PhysicalAddressToMap,
    PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN_MAPPED_SEGMENT MappedSegment)
{
    auto& s = *system();
    require_irql(s, "MapReservedLogicalRange", DISPATCH_LEVEL);
    if (LogicalAddressToken == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (!granular(Offset)) {
        return mutant(Mutant::SegmentOffsetUnchecked) ? STATUS_SUCCESS
                                                      : STATUS_INVALID_PARAMETER_2;
    }
    if (!permissions_ok(Permissions)) {
        return STATUS_INVALID_PARAMETER_3;
    }
    const auto what = describe(PhysicalAddressToMap, s.limits.output_bits);
    if (!what.valid) {
        return mutant(Mutant::SegmentPhysicalStatus) ? STATUS_INVALID_PARAMETER_3
                                                     : STATUS_INVALID_PARAMETER_4;
    }
    if (MappedSegment == nullptr) {
        return STATUS_INVALID_PARAMETER_5;
    }
    auto* token = to_token(LogicalAddressToken);
    auto* d = __atomic_load_n(&token->domain, __ATOMIC_ACQUIRE);
    if (d == nullptr) {
        return STATUS_UNSUCCESSFUL;
    }
    if (mutant(Mutant::SegmentWrittenOnFailure)) {
        *MappedSegment = {};
    }
    const Guard guard(s.platform, d->lock);
    if (token->domain != d) {
        return STATUS_UNSUCCESSFUL;
    }
    const auto status =
        map_segment(s, d, token, Offset >> PAGE_SHIFT, Permissions, what.pages);
    if (NT_SUCCESS(status)) {
        *MappedSegment = {LogicalAddressToken, Offset, what.pages.count() * page_size};
    }
    return status;
}

NTSTATUS WDM_CALL
UnmapReservedLogicalRange(PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN_MAPPED_SEGMENT MappedSegment)
{
    auto& s = *system();
    require_irql(s, "UnmapReservedLogicalRange", DISPATCH_LEVEL);
    const NTSTATUS not_mapped = mutant(Mutant::UnmapReservedStatus)
                                    ? STATUS_INVALID_PARAMETER_1
                                    : STATUS_INVALID_PARAMETER;
    if (MappedSegment == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    auto* token = to_token(MappedSegment->OwningToken);
    auto* d =
        token == nullptr ? nullptr : __atomic_load_n(&token->domain, __ATOMIC_ACQUIRE);
    if (d == nullptr) {
        return not_mapped;
    }
    const Guard guard(s.platform, d->lock);
    const auto first = MappedSegment->Offset >> PAGE_SHIFT;
    const auto pages = MappedSegment->Size >> PAGE_SHIFT;
    if (token->domain != d || !is_segment(token, first, pages)) {
        return not_mapped;
    }
    const auto base = (token->visible.LogicalAddressBase >> PAGE_SHIFT) + first;
    if (!mutant(Mutant::UnmapReservedKeeps)) {
        d->context.table.clear(base, pages);
    }
    if (!mutant(Mutant::NoFlushOnUnmapReserved)) {
        s.hw.invalidate(d->context, base, pages, Hardware::Depth::Leaf);
    }
    for (std::uint64_t i = 0; i < pages && !mutant(Mutant::SegmentStaysBooked); ++i) {
        token->state[first + i] = 0;
    }
    *MappedSegment = {};
    return STATUS_SUCCESS;
}

}  // namespace iommu::driver
