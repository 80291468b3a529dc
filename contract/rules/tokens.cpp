// SPDX-License-Identifier: GPL-2.0-or-later
// L. Tokens.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

using Handle = PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN;
using Segment = IOMMU_DMA_LOGICAL_ADDRESS_TOKEN_MAPPED_SEGMENT;

NTSTATUS reserve(Test& t, PIOMMU_DMA_DOMAIN d, std::uint64_t size, std::uint64_t at,
                 Handle& token)
{
    IOMMU_DMA_LOGICAL_ADDRESS where = at;
    return t.io.ReserveLogicalAddressRange(d, size, &where, nullptr, nullptr, &token);
}

NTSTATUS map_in(Test& t, Handle token, std::uint64_t offset, std::uint64_t physical,
                std::uint64_t pages, Segment& segment, ULONG permissions = read_write)
{
    auto what = range(physical, pages * page);
    return t.io.MapReservedLogicalRange(token, offset, permissions, &what, &segment);
}

// An attached domain with a token of `pages` at `spot`.
struct Reserved {
    PIOMMU_DMA_DOMAIN domain = nullptr;
    Handle token = nullptr;
    explicit operator bool() const { return token != nullptr; }
};
Reserved reserved(Test& t, std::uint64_t pages)
{
    if (!t.need_tables()) {
        return {};
    }
    const auto s = t.attached();
    Reserved r{s.domain, nullptr};
    if (!s || !t.ok(reserve(t, s.domain, pages * page, spot, r.token),
                    "ReserveLogicalAddressRange")) {
        return {};
    }
    return r;
}

}  // namespace

void rule_146(Test& t)
{
    const auto r = reserved(t, 4);
    if (r) {
        t.that(r.token->LogicalAddressBase == spot, "LogicalAddressBase");
        t.that(r.token->Size == 4 * page, "Size");
    }
}

void rule_147(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.buddy(20);
    Handle tokens[4] = {};
    std::uint64_t mapped = 0;
    t.ok(t.allocate(d, t.memory(2), 2, mapped), "a mapping beside them");
    for (auto& token : tokens) {
        if (!t.ok(t.io.ReserveLogicalAddressRange(d, 3 * page, nullptr, nullptr, nullptr,
                                                  &token),
                  "ReserveLogicalAddressRange")) {
            return;
        }
    }
    for (unsigned i = 0; i < 4; ++i) {
        const auto a = tokens[i]->LogicalAddressBase;
        t.that(a + 3 * page <= mapped || mapped + 2 * page <= a,
               "disjoint from the mapping");
        for (unsigned k = 0; k < i; ++k) {
            const auto b = tokens[k]->LogicalAddressBase;
            t.that(a + 3 * page <= b || b + 3 * page <= a, "disjoint from each other");
        }
    }
}

void rule_148(Test& t)
{
    if (t.need_tables()) {
        Handle token = nullptr;
        t.status(reserve(t, t.translate(), 0x1800, spot, token),
                 STATUS_INVALID_PARAMETER_2, "Size 0x1800");
        t.proposed_status(reserve(t, t.translate(), 0, spot, token),
                          STATUS_INVALID_PARAMETER_2, "Size 0");
    }
}

void rule_149(Test& t)
{
    if (t.need_tables()) {
        Handle token = nullptr;
        t.status(reserve(t, t.translate(), page, spot + 0x200, token),
                 STATUS_INVALID_PARAMETER_3, "a misaligned explicit address");
    }
}

void rule_150(Test& t)
{
    if (t.need_tables()) {
        Handle token = nullptr;
        for (const auto type : {DomainTypePassThrough, DomainTypeUnmanaged}) {
            t.status(reserve(t, t.create(type), page, spot, token),
                     STATUS_INVALID_PARAMETER_1, "a domain that is not Translate");
        }
    }
}

void rule_151(Test& t)
{
    if (t.need_tables()) {
        Handle token = nullptr;
        t.status(reserve(t, t.buddy(), page, spot, token), STATUS_NOT_SUPPORTED,
                 "an explicit address with Buddy");
        t.status(t.io.ReserveLogicalAddressRange(t.translate(), page, nullptr, nullptr,
                                                 nullptr, &token),
                 STATUS_NOT_SUPPORTED, "no address without an allocator");
    }
}

void rule_152(Test& t)
{
    if (t.need_tables()) {
        Handle token = nullptr;
        IOMMU_DMA_LOGICAL_ADDRESS low = 0x1000'0000, high = 0x1000'0fff;
        auto* d = t.buddy();
        t.status(
            t.io.ReserveLogicalAddressRange(d, 2 * page, nullptr, &low, &high, &token),
            STATUS_INVALID_PARAMETER_MIX, "a window that is too small");
        t.ok(t.io.ReserveLogicalAddressRange(d, page, nullptr, &low, &high, &token),
             "a window that is not");
        t.that(token != nullptr && token->LogicalAddressBase == low, "inside the window");
    }
}

void rule_153(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    Handle token = nullptr, other = nullptr;
    t.ok(t.map(d, spot + page, t.memory()), "a mapping");
    t.status(reserve(t, d, 4 * page, spot, token), STATUS_IN_USE, "over mapped pages");
    t.ok(reserve(t, d, 2 * page, 2 * spot, token), "a token");
    t.status(reserve(t, d, 2 * page, 2 * spot + page, other), STATUS_IN_USE,
             "over another token");
}

void rule_154(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    Handle token = nullptr;
    t.ok(reserve(t, d, page, spot, token), "a first reservation");
    t.ok(t.io.FreeReservedLogicalAddressRange(token), "FreeReserved");
    const auto before = t.home.allocated();
    for (unsigned n = 0; n < 100; ++n) {
        t.home.fail_allocations(n);
        const auto status = reserve(t, d, 4 * page, 4 * spot - page, token);
        t.home.fail_allocations(Home::never);
        if (NT_SUCCESS(status)) {
            t.that(n > 0, "reserving takes memory");
            return;
        }
        t.status(status, STATUS_INSUFFICIENT_RESOURCES, "Reserve without memory");
        t.that(t.home.allocated() <= before, "nothing leaked");
    }
}

void rule_155(Test& t)
{
    const auto r = reserved(t, 600);
    const auto at = t.memory(4);
    if (!r) {
        return;
    }
    Segment segment{};
    t.home.fail_allocations(0);
    // On both sides of what one table covers.
    for (const unsigned first : {0u, 510u, 596u}) {
        t.ok(map_in(t, r.token, first * page, at, 4, segment),
             "MapReserved without memory");
        t.reaches(Who::PciA, spot + (first + 3) * page, at + 3 * page, "DMA to it");
        t.ok(t.io.UnmapReservedLogicalRange(&segment), "UnmapReserved without memory");
        t.blocked(Who::PciA, spot + (first + 3) * page, "DMA afterwards");
    }
    t.home.fail_allocations(Home::never);
}

void rule_156(Test& t)
{
    const auto r = reserved(t, 512);
    if (!r) {
        return;
    }
    const auto at = t.memory(512);
    const auto before = t.home.allocated(), asked = t.home.allocations();
    Segment segment{};
    t.ok(map_in(t, r.token, 0, at, 512, segment), "MapReserved");
    t.that(t.home.allocated() == before, "memory after MapReserved");
    t.ok(t.io.UnmapReservedLogicalRange(&segment), "UnmapReserved");
    t.that(t.home.allocated() == before, "memory after UnmapReserved");
    t.that(t.home.allocations() == asked, "none was asked for in between");
}

void rule_157(Test& t)
{
    const auto r = reserved(t, 2);
    if (r) {
        t.blocked(Who::PciA, spot, "a reserved page that is not mapped");
        Segment segment{};
        t.ok(map_in(t, r.token, 0, t.memory(), 1, segment), "MapReserved of one page");
        t.blocked(Who::PciA, spot + page, "the other page");
    }
}

void rule_158(Test& t)
{
    const auto r = reserved(t, 8);
    const auto at = t.memory(2);
    Segment segment{};
    if (r && t.ok(map_in(t, r.token, 0x2000, at, 2, segment), "MapReserved at 0x2000")) {
        t.that(segment.OwningToken == r.token, "OwningToken");
        t.that(segment.Offset == 0x2000 && segment.Size == 0x2000, "Offset and Size");
        t.reaches(Who::PciA, spot + 0x2000, at, "the first page");
        t.reaches(Who::PciA, spot + 0x3000, at + page, "the second page");
        t.blocked(Who::PciA, spot, "the token's base");
        t.blocked(Who::PciA, spot + 0x4000, "the page behind the segment");
    }
}

void rule_159(Test& t)
{
    const auto r = reserved(t, 8);
    if (r) {
        Segment segment{};
        t.status(map_in(t, r.token, 0x800, t.memory(), 1, segment),
                 STATUS_INVALID_PARAMETER_2, "a misaligned offset");
        t.status(map_in(t, r.token, 0, t.memory() + 0x40, 1, segment),
                 STATUS_INVALID_PARAMETER_4, "a misaligned physical address");
    }
}

void rule_160(Test& t)
{
    const auto r = reserved(t, 8);
    if (r) {
        const auto at = t.memory(2);
        Segment a{}, b{};
        t.ok(map_in(t, r.token, 2 * page, at, 2, a), "a segment");
        t.status(map_in(t, r.token, 3 * page, t.memory(2), 2, b), STATUS_RESOURCE_IN_USE,
                 "one that overlaps it");
        t.status(map_in(t, r.token, page, t.memory(2), 2, b), STATUS_RESOURCE_IN_USE,
                 "one that overlaps its start");
        t.ok(map_in(t, r.token, 4 * page, t.memory(2), 2, b), "one beside it");
        t.reaches(Who::PciA, spot + 3 * page, at + page, "the first is as it was");
    }
}

void rule_161(Test& t)
{
    const auto r = reserved(t, 4);
    if (r) {
        Segment segment{};
        t.status(map_in(t, r.token, 3 * page, t.memory(2), 2, segment),
                 STATUS_INVALID_PARAMETER_MIX, "a segment that ends beyond the token");
        t.status(map_in(t, r.token, 8 * page, t.memory(), 1, segment),
                 STATUS_INVALID_PARAMETER_MIX, "a segment that begins beyond it");
        t.blocked(Who::PciA, spot + 3 * page, "nothing was mapped");
    }
}

void rule_162(Test& t)
{
    const auto r = reserved(t, 4);
    if (r) {
        Segment segment{};
        t.status(map_in(t, r.token, 0, t.memory(), 1, segment, 0x10),
                 STATUS_INVALID_PARAMETER_3, "reserved permission bits");
    }
}

void rule_163(Test& t)
{
    const auto r = reserved(t, 4);
    if (r) {
        Segment segment{r.token, 0x7000, 0x9000}, first{};
        t.ok(map_in(t, r.token, 0, t.memory(), 1, first), "a segment");
        t.fails(map_in(t, r.token, 0, t.memory(), 1, segment), "one that overlaps it");
        t.that(segment.OwningToken == r.token && segment.Offset == 0x7000 &&
                   segment.Size == 0x9000,
               "*MappedSegment is as it was");
    }
}

void rule_164(Test& t)
{
    const auto r = reserved(t, 4);
    const auto at = t.memory();
    Segment segment{};
    if (r && t.ok(map_in(t, r.token, page, at, 1, segment), "MapReserved")) {
        t.reaches(Who::PciA, spot + page, at, "a warm translation");
        const auto copy = segment;
        t.ok(t.io.UnmapReservedLogicalRange(&segment), "UnmapReserved");
        t.blocked(Who::PciA, spot + page, "DMA afterwards");
        t.status(t.io.UnmapReservedLogicalRange(&segment), STATUS_INVALID_PARAMETER,
                 "twice");
        auto stale = copy;
        t.proposed_status(t.io.UnmapReservedLogicalRange(&stale),
                          STATUS_INVALID_PARAMETER, "by a copy of the segment");
    }
}

void rule_165(Test& t)
{
    const auto r = reserved(t, 4);
    const auto at = t.memory(), next = t.memory();
    Segment segment{};
    if (r && t.ok(map_in(t, r.token, page, at, 1, segment), "MapReserved")) {
        t.reaches(Who::PciA, spot + page, at, "the first mapping");
        t.ok(t.io.UnmapReservedLogicalRange(&segment), "UnmapReserved");
        t.ok(map_in(t, r.token, page, next, 1, segment), "MapReserved again");
        t.reaches(Who::PciA, spot + page, next, "the second mapping");
    }
}

void rule_166(Test& t)
{
    const auto r = reserved(t, 4);
    const auto at = t.memory();
    Segment segment{};
    if (!r || !t.ok(map_in(t, r.token, page, at, 1, segment), "MapReserved")) {
        return;
    }
    t.status(t.io.FreeReservedLogicalAddressRange(r.token), STATUS_RESOURCE_IN_USE,
             "FreeReserved with a segment mapped");
    t.reaches(Who::PciA, spot + page, at, "the segment is as it was");
    t.ok(t.io.UnmapReservedLogicalRange(&segment), "UnmapReserved");
    t.ok(t.io.FreeReservedLogicalAddressRange(r.token), "FreeReserved");
    t.blocked(Who::PciA, spot + page, "no page of it is mapped");
    const auto other = t.memory(4);
    t.ok(t.map(r.domain, spot, other, 4), "the range can be mapped");
    t.reaches(Who::PciA, spot + page, other + page, "and works");
    // With an allocator: what a token had comes back too.
    auto* d = t.buddy(16);
    for (unsigned i = 0; i < 20; ++i) {
        Handle token = nullptr;
        if (!t.ok(t.io.ReserveLogicalAddressRange(d, 16 * page, nullptr, nullptr, nullptr,
                                                  &token),
                  "all of a small space, again and again") ||
            !t.ok(t.io.FreeReservedLogicalAddressRange(token), "FreeReserved")) {
            return;
        }
    }
}

namespace {

struct Race {
    Test* t = nullptr;
    Handle token = nullptr;
    std::uint64_t at = 0;
    NTSTATUS odd_map = STATUS_SUCCESS, odd_free = STATUS_SUCCESS;
    bool freed = false;
};

void race_map(void* argument)
{
    auto& r = *static_cast<Race*>(argument);
    for (unsigned i = 0; i < 200; ++i) {
        Segment segment{};
        const auto status = map_in(*r.t, r.token, 0, r.at, 1, segment);
        if (NT_SUCCESS(status)) {
            r.t->io.UnmapReservedLogicalRange(&segment);
        } else if (status != STATUS_UNSUCCESSFUL) {
            r.odd_map = status;
        }
    }
}

void race_free(void* argument)
{
    auto& r = *static_cast<Race*>(argument);
    for (unsigned i = 0; i < 100000 && !r.freed; ++i) {
        const auto status = r.t->io.FreeReservedLogicalAddressRange(r.token);
        r.freed = NT_SUCCESS(status);
        if (!r.freed && status != STATUS_RESOURCE_IN_USE) {
            r.odd_free = status;
        }
    }
}

}  // namespace

void rule_167(Test& t)
{
    for (unsigned round = 0; round < 5; ++round) {
        const auto r = reserved(t, 1);
        if (!r) {
            return;
        }
        Race race{&t, r.token, t.memory()};
        t.home.together(race_map, race_free, &race);
        t.status(race.odd_map, STATUS_SUCCESS,
                 "a map that lost saw only STATUS_UNSUCCESSFUL");
        t.status(race.odd_free, STATUS_SUCCESS,
                 "a free that lost saw only RESOURCE_IN_USE");
        // The mapper has unmapped and left: now nothing is in the way.
        race_free(&race);
        t.that(race.freed, "the free wins in the end");
        const char* error = (t.home.stop(), t.home.start());
        t.that(error == nullptr, "the machine starts again");
    }
}

void rule_168(Test& t)
{
    const auto r = reserved(t, 4);
    if (r) {
        t.status(t.map(r.domain, spot + 3 * page, t.memory(2), 2), STATUS_IN_USE,
                 "a plain map that overlaps the token");
    }
}

}  // namespace iommu::contract
