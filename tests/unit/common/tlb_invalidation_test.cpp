// SPDX-License-Identifier: GPL-2.0-or-later
// The TLB alone: what an invalidation ends, and what it leaves.
#include "tests/unit/common/tlb_test.hpp"

namespace iommu {
namespace {

TEST_F(TlbTest, BulkInvalidationReachesWhatItNamesAndNoMore)
{
    const auto fill = [&] {
        insert_page(tag_a, 0x5000, 0xa000);
        insert_page(tag_b, 0x5000, 0xb000);
        insert_page(tag_c, 0x5000, 0xc000);
    };
    fill();
    tlb.invalidate_space(tag_a.space);
    EXPECT_FALSE(find(tag_a, 0x5000));
    EXPECT_TRUE(find(tag_b, 0x5000));
    EXPECT_TRUE(find(tag_c, 0x5000));
    fill();
    tlb.invalidate_domain(tag_a.domain);
    EXPECT_FALSE(find(tag_a, 0x5000));
    EXPECT_FALSE(find(tag_b, 0x5000));
    EXPECT_TRUE(find(tag_c, 0x5000));
    fill();
    tlb.invalidate_all();
    EXPECT_FALSE(find(tag_a, 0x5000));
    EXPECT_FALSE(find(tag_b, 0x5000));
    EXPECT_FALSE(find(tag_c, 0x5000));
    fill();
    EXPECT_TRUE(find(tag_a, 0x5000));
}

TEST_F(TlbTest, ByAddressEndsEveryBlockAroundIt)
{
    insert_page(tag_a, 0x20'3000, 0xa000);
    insert(tag_a, {.input = 0x20'0000, .output = 0x40'0000, .log2size = 21});
    insert(tag_a, {.input = 0, .output = 0x4000'0000, .log2size = 30});
    insert_page(tag_a, 0x20'4000, 0xb000);
    tlb.invalidate_pages(tag_a, 0x20'3000, 0x20'3000);
    EXPECT_FALSE(find(tag_a, 0x20'3000));
    EXPECT_FALSE(find(tag_a, 0x20'5000));  // of the 2M block
    EXPECT_FALSE(find(tag_a, 0x1000));     // of the 1G block
    EXPECT_EQ(find(tag_a, 0x20'4000), 0xb000u);
}

TEST_F(TlbTest, ARangeEndsItsPagesAndThoseAlone)
{
    for (std::uint64_t i = 0; i < 64; ++i) {
        insert_page(tag_a, i * page, i * page);
    }
    tlb.invalidate_pages(tag_a, 16 * page, 32 * page - 1);
    for (std::uint64_t i = 0; i < 64; ++i) {
        EXPECT_EQ(find(tag_a, i * page).has_value(), i < 16 || i >= 32) << i;
    }
}

TEST_F(TlbTest, ARangeTooLongToVisitEndsItsSpace)
{
    insert_page(tag_a, 0x5000, 0xa000);
    insert_page(tag_a, 0x7fff'ffff'f000, 0xb000);
    insert_page(tag_b, 0x5000, 0xc000);
    tlb.invalidate_pages(tag_a, 0, ~std::uint64_t{0});
    EXPECT_FALSE(find(tag_a, 0x5000));
    EXPECT_FALSE(find(tag_a, 0x7fff'ffff'f000));
    EXPECT_TRUE(find(tag_b, 0x5000));
}

TEST_F(TlbTest, A7_AnyAddressOfTheOuterBlockEndsItsPieces)
{
    for (std::uint64_t i = 0; i < 8; ++i) {
        insert(tag_a, {.input = 0x20'0000 + i * page,
                       .output = i * page,
                       .log2size = 12,
                       .outer_log2size = 21,
                       .inner_log2size = 12,
                       .inner_input = 0x9000'0000 + i * page});
    }
    insert(tag_a, {.input = 0x40'0000,
                   .output = 0xb000,
                   .log2size = 12,
                   .outer_log2size = 21,
                   .inner_log2size = 12,
                   .inner_input = 0x9000'9000});
    EXPECT_TRUE(find(tag_a, 0x20'7000));
    tlb.invalidate_outer(tag_a.domain, 0x3f'f000, 0x3f'f000);
    for (std::uint64_t i = 0; i < 8; ++i) {
        EXPECT_FALSE(find(tag_a, 0x20'0000 + i * page)) << i;
    }
    EXPECT_TRUE(find(tag_a, 0x40'0000));
}

TEST_F(TlbTest, AnyAddressOfTheInnerBlockEndsWhatGoesThroughIt)
{
    const auto fill = [&](std::uint64_t input, std::uint64_t ipa, std::uint8_t inner) {
        insert(tag_a, {.input = input,
                       .output = 0xb000,
                       .log2size = 12,
                       .outer_log2size = 12,
                       .inner_log2size = inner,
                       .inner_input = ipa});
    };
    fill(0x1000, 0x9000'0000, 21);
    fill(0x2000, 0x9001'0000, 21);
    fill(0x3000, 0xa000'0000, 12);
    tlb.invalidate_inner(tag_a.domain, 0x901f'f000, 0x901f'f000);
    EXPECT_FALSE(find(tag_a, 0x1000));
    EXPECT_FALSE(find(tag_a, 0x2000));
    EXPECT_TRUE(find(tag_a, 0x3000));
}

TEST_F(TlbTest, WhatWasWalkedBeforeAnInvalidationIsNotPutInAfterIt)
{
    const Tlb::Mapping mapping{.input = 0x5000, .output = 0xa000, .log2size = 12};
    const Tlb::Mapping linked{.input = 0x5000,
                              .output = 0xa000,
                              .log2size = 12,
                              .outer_log2size = 12,
                              .inner_log2size = 12,
                              .inner_input = 0x6000};
    const auto across = [&](const Tlb::Mapping& m, auto&& invalidate) {
        const auto ticket = tlb.begin();
        invalidate();
        tlb.insert(ticket, tag_a, m);
        return find(tag_a, 0x5000).has_value();
    };
    EXPECT_TRUE(across(mapping, [] {}));
    EXPECT_FALSE(across(mapping, [&] { tlb.invalidate_all(); }));
    EXPECT_FALSE(across(mapping, [&] { tlb.invalidate_domain(tag_a.domain); }));
    EXPECT_FALSE(across(mapping, [&] { tlb.invalidate_space(tag_a.space); }));
    EXPECT_FALSE(across(mapping, [&] { tlb.invalidate_pages(tag_a, 0x5000, 0x5000); }));
    EXPECT_FALSE(
        across(linked, [&] { tlb.invalidate_outer(tag_a.domain, 0x5000, 0x5000); }));
    EXPECT_FALSE(
        across(linked, [&] { tlb.invalidate_inner(tag_a.domain, 0x6000, 0x6000); }));
    EXPECT_TRUE(across(linked, [] {}));
}

TEST_F(TlbTest, BetweenBeginAndEndOfInvalidationsEachActsAtOnceAndNothingIsPutIn)
{
    insert_page(tag_a, 0x5000, 0xa000);
    insert_page(tag_a, 0x6000, 0xb000);
    insert_page(tag_a, 0x7000, 0xc000);
    const auto before = tlb.begin();
    tlb.begin_invalidations();
    EXPECT_TRUE(tlb.begin().settled());  // nothing was invalidated yet
    tlb.invalidate_pages(tag_a, 0x5000, 0x5000);
    EXPECT_FALSE(find(tag_a, 0x5000));
    const auto within = tlb.begin();
    EXPECT_FALSE(within.settled());
    tlb.insert(within, tag_a, {.input = 0x5000, .output = 0xd000, .log2size = 12});
    EXPECT_FALSE(find(tag_a, 0x5000));
    tlb.invalidate_pages(tag_a, 0x6000, 0x6000);
    EXPECT_FALSE(find(tag_a, 0x6000));
    EXPECT_EQ(find(tag_a, 0x7000), 0xc000u);
    tlb.end_invalidations();
    // Whoever walked before or meanwhile is too late; who walks now is not.
    tlb.insert(before, tag_a, {.input = 0x5000, .output = 0xd000, .log2size = 12});
    tlb.insert(within, tag_a, {.input = 0x5000, .output = 0xd000, .log2size = 12});
    EXPECT_FALSE(find(tag_a, 0x5000));
    insert_page(tag_a, 0x5000, 0xe000);
    EXPECT_EQ(find(tag_a, 0x5000), 0xe000u);
}

}  // namespace
}  // namespace iommu
