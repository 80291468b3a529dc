// SPDX-License-Identifier: GPL-2.0-or-later
// J. UnmapLogicalRange.  K. Identity maps.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

void rule_129(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(2), next = t.memory(2);
    t.ok(t.map(s.domain, spot, at, 2), "MapLogicalRangeEx");
    t.ok(t.io.UnmapLogicalRange(s.domain, spot, 2), "UnmapLogicalRange");
    t.blocked(Who::PciA, spot, "the first page");
    t.blocked(Who::PciA, spot + page, "the second page");
    t.ok(t.map(s.domain, spot, next, 2), "the range again");
    t.reaches(Who::PciA, spot + page, next + page, "and where it leads now");
}

void rule_130(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(2);
    t.ok(t.map(s.domain, spot, at, 2), "a map of two pages");
    t.ok(t.io.UnmapLogicalRange(s.domain, spot, 1), "an unmap of one");
    t.blocked(Who::PciA, spot, "the first page");
    t.reaches(Who::PciA, spot + page, at + page, "the second page");
    // The same inside what may be mapped by one large block.
    const auto block = t.memory(512);
    const auto large = (spot * 2) & ~0x1f'ffffull;
    t.ok(t.map(s.domain, large, block, 512), "a map of two mebibytes");
    t.reaches(Who::PciA, large + 9 * page, block + 9 * page, "a page of it");
    t.ok(t.io.UnmapLogicalRange(s.domain, large + 9 * page, 1), "an unmap of that page");
    t.blocked(Who::PciA, large + 9 * page, "that page");
    t.reaches(Who::PciA, large + 8 * page, block + 8 * page, "the page before it");
    t.reaches(Who::PciA, large + 10 * page, block + 10 * page, "the page behind it");
}

void rule_131(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    t.ok(t.map(d, spot, t.memory()), "MapLogicalRangeEx");
    t.status(t.io.UnmapLogicalRange(d, spot + 0x10, 1), STATUS_INVALID_PARAMETER_2,
             "a misaligned address");
    auto* pass = t.create(DomainTypePassThrough);
    t.status(t.io.UnmapLogicalRange(pass, spot, 1), STATUS_INVALID_PARAMETER_1,
             "PassThrough");
    auto* own = t.create(DomainTypeUnmanaged);
    t.proposed_status(t.io.UnmapLogicalRange(own, spot, 1), STATUS_INVALID_PARAMETER_1,
                      "Unmanaged");
}

void rule_132(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(40);
    // Short, longer, and long enough for range or whole-domain invalidation.
    for (const unsigned pages : {1u, 2u, 3u, 40u}) {
        t.ok(t.map(s.domain, spot, at, pages), "MapLogicalRangeEx");
        for (unsigned i = 0; i < pages; ++i) {
            t.reaches(Who::PciA, spot + i * page, at + i * page, "a warm translation");
        }
        t.ok(t.io.UnmapLogicalRange(s.domain, spot, pages), "UnmapLogicalRange");
        for (unsigned i = 0; i < pages; ++i) {
            t.blocked(Who::PciA, spot + i * page, "the warm address after the unmap");
        }
    }
}

void rule_133(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(3);
    t.ok(t.map(s.domain, spot, at, 1), "a page");
    t.ok(t.map(s.domain, spot + 2 * page, at + 2 * page, 1), "and another, with a hole");
    t.status(t.io.UnmapLogicalRange(s.domain, spot, 0), STATUS_INVALID_PARAMETER_3,
             "no pages");
    t.status(t.io.UnmapLogicalRange(s.domain, spot, 3), STATUS_INVALID_PARAMETER_2,
             "a hole");
    t.status(t.io.UnmapLogicalRange(s.domain, 3 * spot, 1), STATUS_INVALID_PARAMETER_2,
             "nothing at all");
    t.reaches(Who::PciA, spot, at, "the first page is as it was");
    t.reaches(Who::PciA, spot + 2 * page, at + 2 * page, "the other page is as it was");
}

void rule_134(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.buddy(16));
    std::uint64_t out = 0, again = 0;
    // All 16 pages: what is freed is what the next map gets.
    if (!s ||
        !t.ok(t.allocate(s.domain, t.memory(16), 16, out), "all of a small space")) {
        return;
    }
    t.status(t.io.UnmapLogicalRange(s.domain, out + page, 3), STATUS_INVALID_PARAMETER_2,
             "an interior address");
    t.status(t.io.UnmapLogicalRange(s.domain, out, 3), STATUS_INVALID_PARAMETER_3,
             "a wrong page count");
    t.ok(t.io.UnmapLogicalRange(s.domain, out, 16), "exactly the mapping");
    t.blocked(Who::PciA, out, "DMA afterwards");
    t.ok(t.allocate(s.domain, t.memory(16), 16, again), "the block is reusable");
}

void rule_135(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    IOMMU_DMA_LOGICAL_ADDRESS at = spot;
    PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN token = nullptr;
    t.ok(t.io.ReserveLogicalAddressRange(d, 2 * page, &at, nullptr, nullptr, &token),
         "ReserveLogicalAddressRange");
    IOMMU_DMA_LOGICAL_ADDRESS_TOKEN_MAPPED_SEGMENT segment{};
    auto what = range(t.memory(), page);
    t.ok(t.io.MapReservedLogicalRange(token, 0, read_write, &what, &segment),
         "MapReserved");
    t.status(t.io.UnmapLogicalRange(d, spot, 1), STATUS_INVALID_PARAMETER_2,
             "UnmapLogicalRange of a token's page");
}

// --- K

void rule_136(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(4);
    auto what = range(at, 3 * page);
    t.ok(t.io.MapIdentityRangeEx(s.domain, read_write, &what), "MapIdentityRangeEx");
    for (unsigned i = 0; i < 3; ++i) {
        t.reaches(Who::PciA, at + i * page, at + i * page, "page p leads to p");
    }
    t.blocked(Who::PciA, at + 3 * page, "the page behind the range");
}

void rule_137(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(8);
    PFN_NUMBER list[] = {at / page + 6, at / page, at / page + 3};
    auto what = frames(list, 3);
    t.ok(t.io.MapIdentityRangeEx(s.domain, read_write, &what), "MapIdentityRangeEx");
    for (unsigned i = 0; i < 8; ++i) {
        const auto address = at + i * page;
        if (i == 0 || i == 3 || i == 6) {
            t.reaches(Who::PciA, address, address, "a page of the list");
        } else {
            t.blocked(Who::PciA, address, "a gap");
        }
    }
}

void rule_138(Test& t)
{
    if (t.need_tables()) {
        auto* d = t.buddy();
        auto what = range(t.memory(), page);
        t.status(t.io.MapIdentityRangeEx(d, read_write, &what), STATUS_NOT_SUPPORTED,
                 "Map");
        t.status(t.io.UnmapIdentityRangeEx(d, &what), STATUS_NOT_SUPPORTED, "Unmap");
    }
}

void rule_139(Test& t)
{
    if (t.need_tables()) {
        auto* d = t.create(DomainTypeUnmanaged);
        auto what = range(t.memory(), page);
        t.status(t.io.MapIdentityRangeEx(d, read_write, &what),
                 STATUS_INVALID_PARAMETER_1, "Map");
        t.status(t.io.UnmapIdentityRangeEx(d, &what), STATUS_INVALID_PARAMETER_1,
                 "Unmap");
    }
}

void rule_140(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.create(DomainTypePassThrough));
    const auto at = t.memory(2);
    auto what = range(at, page);
    t.ok(t.io.MapIdentityRangeEx(s.domain, read_write, &what), "Map");
    t.ok(t.io.MapIdentityRangeEx(s.domain, IOMMU_ACCESS_READ, &what), "Map again");
    t.reaches(Who::PciA, at, at, "all is identity before");
    t.ok(t.io.UnmapIdentityRangeEx(s.domain, &what), "Unmap");
    t.reaches(Who::PciA, at, at, "and after");
    t.reaches(Who::PciA, at + page, at + page, "for every other page too");
}

void rule_141(Test& t)
{
    if (t.need_tables()) {
        auto* d = t.translate();
        auto what = range(t.memory(2) + 0x100, page);
        t.status(t.io.MapIdentityRangeEx(d, read_write, &what),
                 STATUS_INVALID_PARAMETER_3, "Map");
        t.status(t.io.UnmapIdentityRangeEx(d, &what), STATUS_INVALID_PARAMETER_2,
                 "Unmap");
    }
}

void rule_142(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(3), elsewhere = t.memory();
    auto what = range(at, 2 * page);
    t.ok(t.io.MapIdentityRangeEx(s.domain, read_write, &what), "MapIdentityRangeEx");
    t.status(t.io.MapIdentityRangeEx(s.domain, read_write, &what), STATUS_IN_USE,
             "over an identity mapping");
    t.ok(t.map(s.domain, at + 2 * page, elsewhere), "a logical mapping");
    auto third = range(at + 2 * page, page);
    t.status(t.io.MapIdentityRangeEx(s.domain, read_write, &third), STATUS_IN_USE,
             "over a logical mapping");
    t.reaches(Who::PciA, at + 2 * page, elsewhere, "the logical mapping is as it was");
}

void rule_143(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(4);
    PFN_NUMBER list[] = {at / page + 2, at / page};
    auto what = frames(list, 2);
    t.ok(t.io.MapIdentityRangeEx(s.domain, read_write, &what), "MapIdentityRangeEx");
    t.reaches(Who::PciA, at, at, "before");
    t.ok(t.io.UnmapIdentityRangeEx(s.domain, &what), "UnmapIdentityRangeEx");
    t.blocked(Who::PciA, at, "the one page afterwards");
    t.blocked(Who::PciA, at + 2 * page, "the other page afterwards");
    // A page of what may have been mapped by one large block.
    const auto block = t.memory(512);
    t.ok(t.map(s.domain, block, block, 512), "two mebibytes onto themselves");
    auto one = range(block + 7 * page, page);
    t.ok(t.io.UnmapIdentityRangeEx(s.domain, &one),
         "UnmapIdentityRangeEx of a page of it");
    t.blocked(Who::PciA, block + 7 * page, "that page");
    t.reaches(Who::PciA, block + 8 * page, block + 8 * page, "the page behind it");
}

void rule_144(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory(2), elsewhere = t.memory();
    auto what = range(at, page);
    t.status(t.io.UnmapIdentityRangeEx(s.domain, &what), STATUS_INVALID_PARAMETER_2,
             "pages that are not mapped");
    t.ok(t.map(s.domain, at, elsewhere), "a logical mapping");
    t.status(t.io.UnmapIdentityRangeEx(s.domain, &what), STATUS_INVALID_PARAMETER_2,
             "pages that lead elsewhere");
    t.reaches(Who::PciA, at, elsewhere, "the logical mapping is as it was");
}

void rule_145(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const std::uint64_t at[] = {t.memory()};
    MdlOf mdl(at, 1);
    const auto s = t.attached();
    t.ok(t.v1.MapIdentityRange(s.domain, read_write, mdl), "MapIdentityRange");
    t.reaches(Who::PciA, at[0], at[0], "identity");
    t.ok(t.v1.UnmapIdentityRange(s.domain, mdl), "UnmapIdentityRange");
    t.blocked(Who::PciA, at[0], "DMA afterwards");
    auto* own = t.create(DomainTypeUnmanaged);
    t.status(t.v1.MapIdentityRange(own, read_write, mdl), STATUS_INVALID_PARAMETER_1,
             "Map");
    t.status(t.v1.UnmapIdentityRange(own, mdl), STATUS_INVALID_PARAMETER_1, "Unmap");
    mdl.mdl.ByteCount = 0x801;
    t.status(t.v1.MapIdentityRange(s.domain, read_write, mdl), STATUS_INVALID_PARAMETER_3,
             "Map of a bad MDL");
    t.status(t.v1.UnmapIdentityRange(s.domain, mdl), STATUS_INVALID_PARAMETER_2,
             "Unmap of a bad MDL");
}

}  // namespace iommu::contract
