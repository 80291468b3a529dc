// SPDX-License-Identifier: GPL-2.0-or-later
// I. MapLogicalRangeEx where the domain's allocator is to pick the address.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

// Maps `pages` with a window; a bound that is nullptr is not given.
static NTSTATUS windowed(Test& t, PIOMMU_DMA_DOMAIN d, std::uint64_t pages,
                         const std::uint64_t* min, const std::uint64_t* max,
                         std::uint64_t& out)
{
    auto what = range(t.home.pages(pages), pages * page);
    IOMMU_DMA_LOGICAL_ADDRESS low = min == nullptr ? 0 : *min;
    IOMMU_DMA_LOGICAL_ADDRESS high = max == nullptr ? 0 : *max;
    return t.io.MapLogicalRangeEx(d, read_write, &what, nullptr,
                                  min == nullptr ? nullptr : &low,
                                  max == nullptr ? nullptr : &high, &out);
}

void rule_98(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    std::uint64_t out = 0;
    const std::uint64_t min = 0x10000, max = 0xffff'ffff;
    t.status(windowed(t, d, 1, nullptr, nullptr, out), STATUS_NOT_SUPPORTED,
             "no address");
    t.status(windowed(t, d, 1, &min, &max, out), STATUS_NOT_SUPPORTED, "a window only");
}

void rule_100(Test& t)
{
    if (t.need_tables()) {
        t.status(t.map(t.buddy(), spot, t.memory()), STATUS_NOT_SUPPORTED,
                 "an explicit address on a Buddy domain");
    }
}

void rule_101(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.buddy(32));
    std::uint64_t at[8], out[8];
    for (unsigned i = 0; s && i < 8; ++i) {
        const unsigned pages = i % 3 + 1;
        at[i] = t.memory(pages);
        if (!t.ok(t.allocate(s.domain, at[i], pages, out[i]), "MapLogicalRangeEx")) {
            return;
        }
        t.that(out[i] % page == 0, "page aligned");
        t.that(out[i] + pages * page <= 1ull << 32, "below 2^AddressWidth");
        for (unsigned k = 0; k < i; ++k) {
            const unsigned other = k % 3 + 1;
            t.that(out[i] + pages * page <= out[k] || out[k] + other * page <= out[i],
                   "overlaps nothing");
        }
    }
    for (unsigned i = 0; s && i < 8; ++i) {
        t.reaches(Who::PciA, out[i] + i % 3 * page, at[i] + i % 3 * page,
                  "each is mapped");
    }
}

void rule_102(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.buddy();
    for (const unsigned pages : {1u, 2u, 3u, 4u, 5u, 1u, 7u}) {
        std::uint64_t out = 0, rounded = 1;
        while (rounded < pages) {
            rounded *= 2;
        }
        t.ok(t.allocate(d, t.memory(pages), pages, out), "MapLogicalRangeEx");
        t.that(out % page == 0, "aligned to a power of two of at least a page");
        t.proposed(out % (rounded * page) == 0, "aligned to its size rounded up");
    }
}

void rule_103(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.buddy(40);
    for (unsigned i = 0; i < 8; ++i) {
        std::uint64_t out = ~0ull;
        t.ok(t.allocate(d, t.memory(), 1, out), "MapLogicalRangeEx");
        t.that(out < 1ull << 24, "low addresses first");
        t.proposed(out < 8 * page, "the lowest that are free");
    }
}

void rule_104(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.buddy());
    const std::uint64_t min = 0x1000'0000, max = 0x1fff'ffff;
    const auto at = t.memory(2);
    auto what = range(at, 2 * page);
    IOMMU_DMA_LOGICAL_ADDRESS low = min, high = max, out = 0;
    if (s && t.ok(t.io.MapLogicalRangeEx(s.domain, read_write, &what, nullptr, &low,
                                         &high, &out),
                  "MapLogicalRangeEx with a window")) {
        t.that(out >= min && out + 2 * page - 1 <= max, "inside the window");
        t.reaches(Who::PciA, out + page, at + page, "and mapped");
    }
}

void rule_105(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.buddy();
    const std::uint64_t min = 0x1000'0000, max = 0x1000'ffff;
    std::uint64_t out = 0;
    for (unsigned i = 0; i < 16; ++i) {
        t.ok(windowed(t, d, 1, &min, &max, out), "a page of the window");
        t.that(out >= min && out <= max, "inside the window");
    }
    t.status(windowed(t, d, 1, &min, &max, out), STATUS_INVALID_PARAMETER_MIX,
             "a page more than the window has");
}

void rule_106(Test& t)
{
    const std::uint64_t min = 0x1000'0000, max = 0x1000'1fff;
    std::uint64_t out = 0;
    if (t.need_tables()) {
        t.status(windowed(t, t.buddy(), 4, &min, &max, out), STATUS_INVALID_PARAMETER_MIX,
                 "a window smaller than the request");
    }
}

void rule_107(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.buddy();
    const std::uint64_t low = 0x1000'0000, high = 0x2000'0000;
    std::uint64_t out = 0;
    t.status(windowed(t, d, 1, &high, &low, out), STATUS_INVALID_PARAMETER_MIX,
             "Min > Max");
    t.ok(windowed(t, d, 1, &high, nullptr, out), "Min alone");
    t.that(out >= high, "and it is honoured");
    const std::uint64_t top = 0x3fff;
    for (unsigned i = 0; i < 4; ++i) {
        t.ok(windowed(t, d, 1, nullptr, &top, out), "Max alone");
        t.that(out <= top, "and it is honoured");
    }
    t.status(windowed(t, d, 1, nullptr, &top, out), STATUS_INVALID_PARAMETER_MIX,
             "Max alone, when all below it is taken");
}

void rule_108(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.buddy();
    const std::uint64_t min = 0x1000'0000;
    std::uint64_t max = min + 4 * page - 2, out = 0;
    t.status(windowed(t, d, 4, &min, &max, out), STATUS_INVALID_PARAMETER_MIX,
             "one byte less than the pages");
    ++max;
    t.ok(windowed(t, d, 4, &min, &max, out), "exactly the pages");
}

void rule_122(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.buddy(16);
    const auto at = t.memory();
    std::uint64_t out = 0;
    NTSTATUS status = STATUS_SUCCESS;
    for (unsigned i = 0; i < 64 && NT_SUCCESS(status); ++i) {
        status = t.allocate(d, at, 1, out);
    }
    t.status(status, STATUS_INSUFFICIENT_RESOURCES, "Buddy exhausted");
    // All of a small space: what the failing map took must be there for the next.
    const auto s = t.attached_to(t.buddy(16));
    const auto block = t.memory(16);
    t.home.fail_allocations(0);
    status = t.allocate(s.domain, block, 16, out);
    t.home.fail_allocations(Home::never);
    t.status(status, STATUS_INSUFFICIENT_RESOURCES, "no memory for page tables");
    t.ok(t.allocate(s.domain, block, 16, out), "a map afterwards");
    t.reaches(Who::PciA, out + 15 * page, block + 15 * page, "and it works");
}

void rule_123(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.buddy());
    std::uint64_t out = 0;
    const auto at = t.memory(3);
    if (s && t.ok(t.allocate(s.domain, at, 3, out), "a map of three pages")) {
        t.reaches(Who::PciA, out + 2 * page, at + 2 * page, "the third page");
        t.blocked(Who::PciA, out + 3 * page, "the fourth page of the block");
    }
}

}  // namespace iommu::contract
