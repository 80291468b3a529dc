// SPDX-License-Identifier: GPL-2.0-or-later
// C. Reserved regions.
#include "contract/rules/domains.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

static std::uint64_t region_domain(Test& t, BOOLEAN map, PIOMMU_DMA_DOMAIN& d)
{
    if (!t.need_tables()) {
        return 0;
    }
    const auto base = t.memory(16);
    IOMMU_DMA_RESERVED_REGION region{nullptr, base, 16, map};
    if (!t.ok(t.try_create(DomainTypeTranslate, &d, 0, nullptr, &region),
              "CreateDomainEx with a reserved region")) {
        return 0;
    }
    return base;
}

void rule_35(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    const auto base = region_domain(t, TRUE, d);
    if (base != 0 && t.attached_to(d)) {
        t.reaches(Who::PciA, base, base,
                  "the first page of the region is identity-mapped");
        t.reaches(Who::PciA, base + 15 * page, base + 15 * page, "and so is the last");
        t.blocked(Who::PciA, base + 16 * page, "the page behind it is not");
    }
}

void rule_36(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    const auto base = region_domain(t, FALSE, d);
    if (base != 0 && t.attached_to(d)) {
        t.blocked(Who::PciA, base, "the first page of the region");
        t.blocked(Who::PciA, base + 15 * page, "the last page of the region");
    }
}

void rule_37(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    for (const BOOLEAN map : {TRUE, FALSE}) {
        // 32 pages of which five, not aligned to their size, are withheld.
        IOMMU_DMA_RESERVED_REGION region{nullptr, 7 * page, 5, map};
        auto* d = t.buddy(17, &region);
        const auto at = t.memory();
        unsigned given = 0;
        std::uint64_t out = 0;
        while (given < 64 && NT_SUCCESS(t.allocate(d, at, 1, out))) {
            ++given;
            t.that(out < 7 * page || out >= 12 * page,
                   "no allocation lies in the region");
        }
        t.that(given > 0, "there is something to allocate");
        t.proposed(given == 27, "and all the rest of the space is");
    }
    // x64 withholds its interrupts, the 256 pages at 0xfee00000, without being asked.
    for (IOMMU_DMA_RESERVED_REGION region :
         {IOMMU_DMA_RESERVED_REGION{nullptr, 0xfee0'0000, 256, FALSE},
          {nullptr, 0xfed0'0000, 768, TRUE}}) {
        auto what = range(t.memory(), page);
        IOMMU_DMA_LOGICAL_ADDRESS min = region.Base, out = 0;
        IOMMU_DMA_LOGICAL_ADDRESS max = min + region.NumberOfPages * page - 1;
        auto* d = t.buddy(32, &region);
        t.status(t.io.MapLogicalRangeEx(d, read_write, &what, nullptr, &min, &max, &out),
                 STATUS_INVALID_PARAMETER_MIX, "a window that is all region");
    }
}

void rule_38(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto a = t.memory(2), b = t.memory(2);
    IOMMU_DMA_RESERVED_REGION second{nullptr, b, 2, TRUE};
    IOMMU_DMA_RESERVED_REGION first{&second, a, 2, TRUE};
    PIOMMU_DMA_DOMAIN d = nullptr;
    t.ok(t.try_create(DomainTypeTranslate, &d, 0, nullptr, &first), "two regions");
    if (t.attached_to(d)) {
        t.reaches(Who::PciA, a, a, "the first region");
        t.reaches(Who::PciA, b + page, b + page, "the second region");
    }
}

static void refused_region(Test& t, IOMMU_DMA_RESERVED_REGION* list, const char* what)
{
    auto* d = nowhere();
    auto config = allocator(IommuDmaLogicalAllocatorBuddy, 32);
    const auto before = t.home.allocated();
    t.status(t.try_create(DomainTypeTranslate, &d, 0, &config, list),
             STATUS_INVALID_PARAMETER_4, what);
    t.that(d == nowhere() && t.home.allocated() == before, "no domain was created");
}

void rule_39(Test& t)
{
    IOMMU_DMA_RESERVED_REGION region{nullptr, 0x100800, 1, TRUE};
    if (t.need_tables()) {
        refused_region(t, &region, "a misaligned base");
    }
}

void rule_40(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    IOMMU_DMA_RESERVED_REGION second{nullptr, 0x101000, 2, FALSE};
    IOMMU_DMA_RESERVED_REGION first{&second, 0x100000, 2, FALSE};
    refused_region(t, &first, "overlapping regions");
    IOMMU_DMA_RESERVED_REGION empty{nullptr, 0x100000, 0, FALSE};
    refused_region(t, &empty, "a region of no pages");
    IOMMU_DMA_RESERVED_REGION beyond{nullptr, 0xffff'f000, 2, FALSE};
    refused_region(t, &beyond, "a region that ends beyond the address width");
    IOMMU_DMA_RESERVED_REGION wraps{nullptr, 0xffff'f000, ~0ull / page, FALSE};
    refused_region(t, &wraps, "a region that wraps");
}

void rule_41(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    for (const BOOLEAN map : {TRUE, FALSE}) {
        const auto base = region_domain(t, map, d);
        if (base != 0) {
            t.status(t.map(d, base + 15 * page, t.memory(2), 2), STATUS_IN_USE,
                     "a map that overlaps the region");
        }
    }
}

void rule_42(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    const auto base = region_domain(t, TRUE, d);
    if (base != 0 && t.attached_to(d)) {
        t.that(t.try_dma(Who::PciA, base, false), "the region can be read");
        t.that(t.try_dma(Who::PciA, base, true), "the region can be written");
    }
}

void rule_43(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    const auto base = region_domain(t, TRUE, d);
    if (base == 0 || !t.attached_to(d)) {
        return;
    }
    t.status(t.io.UnmapLogicalRange(d, base, 16), STATUS_INVALID_PARAMETER_2,
             "UnmapLogicalRange of the region");
    auto what = range(base, page);
    t.status(t.io.UnmapIdentityRangeEx(d, &what), STATUS_INVALID_PARAMETER_2,
             "UnmapIdentityRangeEx of a page of it");
    t.reaches(Who::PciA, base, base, "the region still translates");
}

void rule_44(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto base = t.memory(2), other = t.memory(2);
    IOMMU_DMA_RESERVED_REGION region{nullptr, base, 2, TRUE};
    PIOMMU_DMA_DOMAIN d = nullptr;
    t.ok(t.try_create(DomainTypeTranslate, &d, 0, nullptr, &region), "CreateDomainEx");
    region = {nullptr, other, 2, FALSE};
    if (t.attached_to(d)) {
        t.reaches(Who::PciA, base + page, base + page, "the region of the call");
        t.blocked(Who::PciA, other, "what the list says later");
    }
    t.status(t.map(d, base, t.memory()), STATUS_IN_USE,
             "a map over the region of the call");
}

}  // namespace iommu::contract
