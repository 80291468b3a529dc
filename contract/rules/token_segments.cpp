// SPDX-License-Identifier: GPL-2.0-or-later
// L. Tokens: mapping and unmapping parts of a reserved range.
#include "contract/rules/rules.hpp"
#include "contract/rules/tokens.hpp"

namespace iommu::contract {

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

}  // namespace iommu::contract
