// SPDX-License-Identifier: GPL-2.0-or-later
// L. Tokens: reserving a range and giving it back.
#include "contract/rules/tokens.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

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
