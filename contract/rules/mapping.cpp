// SPDX-License-Identifier: GPL-2.0-or-later
// I. MapLogicalRangeEx and MapLogicalRange; where an allocator picks the address, see
// mapping_allocator.cpp.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

constexpr std::uint64_t untouched = 0x1111'2222'3333'4444;

NTSTATUS map_with(Test& t, PIOMMU_DMA_DOMAIN d, IOMMU_MAP_PHYSICAL_ADDRESS what,
                  std::uint64_t at, std::uint64_t& out, ULONG permissions = read_write)
{
    IOMMU_DMA_LOGICAL_ADDRESS where = at;
    return t.io.MapLogicalRangeEx(d, permissions, &what, &where, nullptr, nullptr, &out);
}

}  // namespace

void rule_97(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto block = t.memory(8);
    // In no order, and not neighbours.
    const std::uint64_t at[] = {block + 5 * page, block, block + 3 * page};
    MdlOf mdl(at, 3);
    PFN_NUMBER list[] = {at[0] / page, at[1] / page, at[2] / page};
    for (const auto& what : {of(mdl), frames(list, 3)}) {
        std::uint64_t out = 0;
        if (!t.ok(map_with(t, s.domain, what, spot, out), "MapLogicalRangeEx") ||
            !t.that(out == spot, "*LogicalAddressOut is the explicit address")) {
            return;
        }
        for (unsigned i = 0; i < 3; ++i) {
            t.reaches(Who::PciA, spot + i * page, at[i], "page i leads to frame i");
        }
        t.blocked(Who::PciA, spot + 3 * page, "the page behind the last");
        t.blocked(Who::PciA, spot - page, "the page before the first");
        t.ok(t.io.UnmapLogicalRange(s.domain, spot, 3), "UnmapLogicalRange");
    }
}

void rule_99(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    auto what = range(t.memory(), page);
    IOMMU_DMA_LOGICAL_ADDRESS at = spot, low = 2 * spot, high = page - 1, out = 0;
    t.ok(t.io.MapLogicalRangeEx(d, read_write, &what, &at, &low, &high, &out),
         "a window that excludes the explicit address is ignored");
    t.that(out == spot, "*LogicalAddressOut is the explicit address");
}

void rule_109(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    const auto at = t.memory();
    t.status(t.map(d, spot + 1, at), STATUS_INVALID_PARAMETER_4, "off by 1");
    t.status(t.map(d, spot + 0x800, at), STATUS_INVALID_PARAMETER_4, "off by 0x800");
}

void rule_110(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    for (const auto type : {DomainTypePassThrough, DomainTypeUnmanaged}) {
        auto* d = t.create(type);
        t.status(t.map(d, spot, t.memory()), STATUS_INVALID_PARAMETER_1,
                 "a domain without tables of the provider's");
    }
}

void rule_111(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    const std::uint64_t at[] = {t.memory(), t.memory()};
    std::uint64_t out = 0;
    MdlOf offset(at, 2);
    offset.mdl.ByteOffset = 0x10;
    t.status(map_with(t, d, of(offset), spot, out), STATUS_INVALID_PARAMETER_3,
             "an MDL that starts inside a page");
    MdlOf partial(at, 2);
    partial.mdl.ByteCount = 0x1800;
    t.status(map_with(t, d, of(partial), spot, out), STATUS_INVALID_PARAMETER_3,
             "an MDL that ends inside a page");
}

void rule_112(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    const auto at = t.memory(2);
    std::uint64_t out = 0;
    t.status(map_with(t, d, range(at + 0x200, page), spot, out),
             STATUS_INVALID_PARAMETER_3, "Base misaligned");
    t.status(map_with(t, d, range(at, page + 0x800), spot, out),
             STATUS_INVALID_PARAMETER_3, "Size misaligned");
}

void rule_113(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    const auto at = t.memory();
    PFN_NUMBER frame = at / page;
    auto unknown = range(at, page);
    unknown.MapType = MapPhysicalAddressTypeMax;
    for (const auto& what :
         {range(at, 0), frames(&frame, 0), of(nullptr), frames(nullptr, 1), unknown,
          range(~0ull - 0xfff, 2 * page)}) {
        std::uint64_t out = 0;
        t.status(map_with(t, d, what, spot, out), STATUS_INVALID_PARAMETER_3,
                 "a description of nothing");
    }
}

void rule_114(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(2);
    t.ok(t.map(s.domain, spot, at, 2), "MapLogicalRangeEx");
    t.status(t.map(s.domain, spot, t.memory(2), 2), STATUS_IN_USE,
             "the same range again");
    t.reaches(Who::PciA, spot, at, "the first mapping is as it was");
}

void rule_115(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(4), other = t.memory(4);
    t.ok(t.map(s.domain, spot, at, 4), "MapLogicalRangeEx");
    t.status(t.map(s.domain, spot - 3 * page, other, 4), STATUS_IN_USE,
             "over the first page");
    t.status(t.map(s.domain, spot + 3 * page, other, 4), STATUS_IN_USE,
             "over the last page");
    t.reaches(Who::PciA, spot, at, "the first page is as it was");
    t.reaches(Who::PciA, spot + 3 * page, at + 3 * page, "the last page is as it was");
    t.blocked(Who::PciA, spot - page, "the page before it");
    t.blocked(Who::PciA, spot + 4 * page, "the page behind it");
}

void rule_116(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    t.ok(t.map(s.domain, spot + 2 * page, t.memory()), "MapLogicalRangeEx");
    std::uint64_t out = untouched;
    t.status(map_with(t, s.domain, range(t.memory(4), 4 * page), spot, out),
             STATUS_IN_USE, "a map whose third page is taken");
    t.that(out == untouched, "*LogicalAddressOut is unchanged");
    t.blocked(Who::PciA, spot, "its first page");
    t.blocked(Who::PciA, spot + page, "its second page");
    t.blocked(Who::PciA, spot + 3 * page, "its last page");
}

void rule_117(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory();
    t.ok(t.map(s.domain, spot, at, 1, IOMMU_ACCESS_READ), "READ");
    t.that(t.try_dma(Who::PciA, spot, false), "READ: a read passes");
    *t.home.at(at) = 42;
    t.that(!t.try_dma(Who::PciA, spot, true) && *t.home.at(at) == 42,
           "READ: a write is refused and changes nothing");
    t.ok(t.map(s.domain, 2 * spot, at, 1, IOMMU_ACCESS_WRITE), "WRITE");
    t.that(t.try_dma(Who::PciA, 2 * spot, true), "WRITE: a write passes");
    // Only some formats can say it: SMMU stage 2, VT-d second stage.
    t.proposed(!t.try_dma(Who::PciA, 2 * spot, false), "WRITE: a read is refused");
    t.ok(t.map(s.domain, 3 * spot, at), "READ | WRITE");
    t.reaches(Who::PciA, 3 * spot, at, "READ | WRITE: both pass");
}

void rule_118(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    const auto at = t.memory();
    for (const ULONG permissions : {4u, 7u, 0x8000'0003u, 0u}) {
        t.status(t.map(d, spot, at, 1, permissions), STATUS_INVALID_PARAMETER_2,
                 "permissions that are not");
    }
}

void rule_119(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory();
    t.ok(t.map(s.domain, spot, at), "a page");
    t.ok(t.map(s.domain, 2 * spot, at), "the same page elsewhere");
    t.reaches(Who::PciA, spot, at, "here");
    t.reaches(Who::PciA, 2 * spot, at, "there");
}

void rule_120(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory();
    if (t.ok(t.map(s.domain, 0, at), "an explicit address of 0")) {
        t.reaches(Who::PciA, 0, at, "DMA to address 0");
        t.ok(t.io.UnmapLogicalRange(s.domain, 0, 1), "UnmapLogicalRange");
        t.blocked(Who::PciA, 0, "address 0 afterwards");
    }
}

void rule_121(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    t.status(t.map(d, ~0ull - 0xfff, t.memory(2), 2), STATUS_INVALID_PARAMETER_4,
             "a range that wraps");
    t.status(t.map(d, 1ull << 62, t.memory()), STATUS_INVALID_PARAMETER_4,
             "a range beyond what the hardware takes");
}

void rule_124(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const std::uint64_t at[] = {t.memory()};
    MdlOf mdl(at, 1);
    PIOMMU_DMA_DOMAIN unmanaged = nullptr, d = nullptr;
    t.ok(t.v1.CreateDomain(FALSE, &unmanaged), "CreateDomain(FALSE)");
    t.ok(t.v1.CreateDomain(TRUE, &d), "CreateDomain(TRUE)");
    t.status(t.v1.MapLogicalRange(unmanaged, read_write, mdl, spot),
             STATUS_INVALID_PARAMETER_1, "not a remapping domain");
    t.status(t.v1.MapLogicalRange(d, read_write, mdl, spot + 0x10),
             STATUS_INVALID_PARAMETER_4, "a misaligned logical address");
    mdl.mdl.ByteOffset = 8;
    t.status(t.v1.MapLogicalRange(d, read_write, mdl, spot), STATUS_INVALID_PARAMETER_3,
             "an MDL that is not page granular");
}

void rule_125(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const std::uint64_t at[] = {t.memory()};
    MdlOf mdl(at, 1);
    auto* d = t.attached().domain;
    t.ok(t.v1.MapLogicalRange(d, read_write, mdl, spot), "MapLogicalRange");
    t.reaches(Who::PciA, spot, at[0], "the page is mapped");
    t.status(t.v1.MapLogicalRange(d, read_write, mdl, spot), STATUS_IN_USE, "overlap");
    t.status(t.v1.MapLogicalRange(t.buddy(), read_write, mdl, spot), STATUS_NOT_SUPPORTED,
             "on a Buddy domain");
}

void rule_126(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory();
    auto same = range(at, page);
    t.home.set_irql(DISPATCH_LEVEL);
    t.ok(t.map(s.domain, spot, at), "MapLogicalRangeEx at DISPATCH_LEVEL");
    t.ok(t.io.UnmapLogicalRange(s.domain, spot, 1),
         "UnmapLogicalRange at DISPATCH_LEVEL");
    t.ok(t.io.MapIdentityRangeEx(s.domain, read_write, &same), "MapIdentityRangeEx");
    t.ok(t.io.UnmapIdentityRangeEx(s.domain, &same), "UnmapIdentityRangeEx");
    t.that(t.home.irql() == DISPATCH_LEVEL, "the level is as it was");
    t.home.set_irql(PASSIVE_LEVEL);
    t.that(t.home.irql_violations() == 0, "no call was above its level");
}

// A device that just missed must not be stuck with the miss.
void rule_127(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(3);
    for (unsigned i = 0; i < 3; ++i) {
        t.blocked(Who::PciA, spot + i * page, "before the map");
        t.ok(t.map(s.domain, spot + i * page, at + i * page), "MapLogicalRangeEx");
        t.reaches(Who::PciA, spot + i * page, at + i * page, "right after the map");
    }
}

void rule_128(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const std::uint64_t at[] = {t.memory()}, more[] = {t.memory()};
    MdlOf second(more, 1), first(at, 1);
    first.mdl.Next = &second.mdl;
    std::uint64_t out = 0;
    t.ok(map_with(t, s.domain, of(first), spot, out), "an MDL chain");
    t.reaches(Who::PciA, spot, at[0], "the first MDL's page");
    t.blocked(Who::PciA, spot + page, "the second's is not mapped");
}

}  // namespace iommu::contract
