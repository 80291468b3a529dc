// SPDX-License-Identifier: GPL-2.0-or-later
// I. MapLogicalRangeEx and MapLogicalRange.
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

NTSTATUS windowed(Test& t, PIOMMU_DMA_DOMAIN d, std::uint64_t pages,
                  const std::uint64_t* min, const std::uint64_t* max, std::uint64_t& out)
{
    auto what = range(t.home.pages(pages), pages * page);
    IOMMU_DMA_LOGICAL_ADDRESS low = min == nullptr ? 0 : *min;
    IOMMU_DMA_LOGICAL_ADDRESS high = max == nullptr ? 0 : *max;
    return t.io.MapLogicalRangeEx(d, read_write, &what, nullptr,
                                  min == nullptr ? nullptr : &low,
                                  max == nullptr ? nullptr : &high, &out);
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

void rule_98(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    std::uint64_t out = untouched;
    const std::uint64_t min = 0x10000, max = 0xffff'ffff;
    t.status(windowed(t, d, 1, nullptr, nullptr, out), STATUS_NOT_SUPPORTED,
             "no address");
    t.status(windowed(t, d, 1, &min, &max, out), STATUS_NOT_SUPPORTED, "a window only");
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
    std::uint64_t out = untouched;
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
