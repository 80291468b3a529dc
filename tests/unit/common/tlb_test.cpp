// SPDX-License-Identifier: GPL-2.0-or-later
// The TLB alone: what it finds.
#include "tests/unit/common/tlb_test.hpp"

namespace iommu {
namespace {

TEST_F(TlbTest, FindsWhatWasPutInWithTheOffsetOfTheInput)
{
    insert_page(tag_a, 0x1234'5678'9000, 0x9'8765'4000);
    EXPECT_EQ(find(tag_a, 0x1234'5678'9abc), 0x9'8765'4abcu);
    EXPECT_EQ(hit.log2size, 12);
    EXPECT_EQ(hit.attributes, 0x155);
}

TEST_F(TlbTest, FindsNothingOfAnotherSpacePageOrDomain)
{
    insert_page(tag_a, 0x1234'5678'9000, 0x9000);
    EXPECT_FALSE(find(tag_b, 0x1234'5678'9000));
    EXPECT_FALSE(find(tag_c, 0x1234'5678'9000));
    EXPECT_FALSE(find(tag_a, 0x1234'5678'8000));
    EXPECT_FALSE(find(tag_a, 0x1234'5678'9000 + (std::uint64_t{1} << 60)));
}

TEST_F(TlbTest, HoldsBlocksOfAnySizeSideBySide)
{
    for (const unsigned log2size : {12u, 14u, 16u, 21u, 25u, 30u, 34u, 39u}) {
        const auto size = std::uint64_t{1} << log2size;
        insert(tag_a, {.input = size + 0x123,
                       .output = (size * 2) | 0x123,
                       .log2size = static_cast<std::uint8_t>(log2size)});
    }
    for (const unsigned log2size : {39u, 12u, 30u, 21u, 16u, 34u, 14u, 25u}) {
        const auto size = std::uint64_t{1} << log2size;
        EXPECT_EQ(find(tag_a, size + size - 1), size * 2 + size - 1) << log2size;
        EXPECT_EQ(hit.log2size, log2size);
    }
}

TEST_F(TlbTest, AnOutputUsesAllOf52Bits)
{
    insert_page(tag_a, 0, 0xf'ffff'ffff'f000);
    EXPECT_EQ(find(tag_a, 0xfff), 0xf'ffff'ffff'ffffu);
}

TEST_F(TlbTest, ThePageAtZeroIsAPageLikeAnyOther)
{
    EXPECT_FALSE(find(tag_a, 0));
    insert_page(tag_a, 0, 0);
    EXPECT_EQ(find(tag_a, 0), 0u);
}

TEST_F(TlbTest, PuttingABlockInAgainReplacesIt)
{
    insert_page(tag_a, 0x5000, 0x1000);
    insert_page(tag_a, 0x5000, 0x2000);
    EXPECT_EQ(find(tag_a, 0x5000), 0x2000u);
    tlb.invalidate_pages(tag_a, 0x5000, 0x5000);
    EXPECT_FALSE(find(tag_a, 0x5000));
}

TEST_F(TlbTest, AContiguousRegionAsLargeAsTheCacheFits)
{
    for (std::uint64_t i = 0; i < 1024; ++i) {
        insert_page(tag_a, 0x7000'0000 + i * page, i * page);
    }
    for (std::uint64_t i = 0; i < 1024; ++i) {
        EXPECT_EQ(find(tag_a, 0x7000'0000 + i * page), i * page);
    }
}

TEST_F(TlbTest, WhatDoesNotFitIsForgottenNotWrong)
{
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        insert_page(tag_a, i * 7919 * page, i * page);
    }
    unsigned found = 0;
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        if (const auto output = find(tag_a, i * 7919 * page)) {
            EXPECT_EQ(*output, i * page);
            ++found;
        }
    }
    EXPECT_GT(found, 0u);
    EXPECT_LE(found, 1024u);
}

TEST_F(TlbTest, OfNoSizeHoldsNothing)
{
    Tlb none{0};
    none.insert(none.begin(), tag_a, {.input = 0x5000, .output = 0x1000, .log2size = 12});
    EXPECT_FALSE(none.lookup(tag_a, 0x5000, guess, hit));
    none.invalidate_all();
    none.invalidate_pages(tag_a, 0, ~std::uint64_t{0});
    none.invalidate_outer(tag_a.domain, 0, ~std::uint64_t{0});
}

}  // namespace
}  // namespace iommu
