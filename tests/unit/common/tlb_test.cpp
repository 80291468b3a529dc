// SPDX-License-Identifier: GPL-2.0-or-later
// The TLB alone: what it finds, what invalidation ends, and that nothing stale is ever
// found.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <tuple>

#include "hw/iommu/common/tlb.hpp"

namespace iommu {
namespace {

constexpr std::uint64_t page = 4096;

// Two address spaces of one domain, and one of another.
const auto tag_a = Tlb::tag(0x1'0005'0007, 7, 5);
const auto tag_b = Tlb::tag(0x1'0006'0007, 7, 6);
const auto tag_c = Tlb::tag(0x1'0005'0008, 8, 5);

class TlbTest : public ::testing::Test {
protected:
    void insert(const Tlb::Tag& tag, const Tlb::Mapping& mapping)
    {
        tlb.insert(tlb.begin(), tag, mapping);
    }
    void insert_page(const Tlb::Tag& tag, std::uint64_t input, std::uint64_t output)
    {
        insert(tag,
               {.input = input, .output = output, .log2size = 12, .attributes = 0x155});
    }
    // The output, or nothing.
    std::optional<std::uint64_t> find(const Tlb::Tag& tag, std::uint64_t input)
    {
        if (!tlb.lookup(tag, input, guess, hit)) {
            return std::nullopt;
        }
        return hit.output;
    }

    Tlb tlb{10};
    Tlb::Hit hit;
    std::atomic<std::uint8_t> guess{0};
};

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

// Random work against a model that remembers everything: the cache may forget, but what
// it finds is what the model holds.
TEST_F(TlbTest, NeverFindsWhatTheModelDoesNotHold)
{
    std::mt19937_64 random{20};
    struct Held {
        std::uint64_t output;
        bool linked;
        std::uint64_t ipa;
    };
    using Key = std::tuple<int, unsigned, std::uint64_t>;  // tag, log2size, block
    std::map<Key, Held> model;
    const Tlb::Tag tags[] = {tag_a, tag_b, tag_c};
    const auto same_domain = [](int a, int b) { return (a < 2) == (b < 2); };
    unsigned hits = 0;
    for (int step = 0; step < 200'000; ++step) {
        const int who = static_cast<int>(random() % 3);
        const unsigned log2size = random() % 4 == 0 ? 16 : 12;
        const auto at = random() % 256 * page;
        switch (random() % 16) {
        case 0:
            tlb.invalidate_space(tags[who].space);
            std::erase_if(model, [&](auto& m) { return std::get<0>(m.first) == who; });
            break;
        case 1: {
            tlb.invalidate_pages(tags[who], at, at + page - 1);
            std::erase_if(model, [&](auto& m) {
                const auto& [w, size, block] = m.first;
                return w == who && !m.second.linked && at >> size == block;
            });
            break;
        }
        case 2:
            tlb.invalidate_outer(tags[who].domain, at, at);
            std::erase_if(model, [&](auto& m) {
                const auto& [w, size, block] = m.first;
                return m.second.linked && same_domain(w, who) &&
                       block << size >> 16 == at >> 16;
            });
            break;
        case 3:
            tlb.invalidate_inner(tags[who].domain, at, at);
            std::erase_if(model, [&](auto& m) {
                return m.second.linked && same_domain(std::get<0>(m.first), who) &&
                       m.second.ipa >> 12 == at >> 12;
            });
            break;
        case 4:
            if (random() % 64 == 0) {
                tlb.invalidate_all();
                model.clear();
            }
            break;
        case 5:
        case 6:
        case 7: {
            const auto block = at >> log2size;
            const Held held{random() % (1u << 20) << log2size, random() % 2 == 0,
                            random() % 256 * page};
            insert(tags[who],
                   {.input = block << log2size,
                    .output = held.output,
                    .log2size = static_cast<std::uint8_t>(log2size),
                    .outer_log2size = held.linked ? std::uint8_t{16} : std::uint8_t{0},
                    .inner_log2size = held.linked ? std::uint8_t{12} : std::uint8_t{0},
                    .inner_input = held.ipa});
            model[{who, log2size, block}] = held;
            break;
        }
        default:
            if (const auto output = find(tags[who], at)) {
                ++hits;
                const auto held = model.find({who, hit.log2size, at >> hit.log2size});
                ASSERT_NE(held, model.end()) << step;
                ASSERT_EQ(*output, held->second.output +
                                       (at & ((std::uint64_t{1} << hit.log2size) - 1)))
                    << step;
            }
            break;
        }
    }
    EXPECT_GT(hits, 1000u);
}

// One thread invalidates and publishes new versions of a page; what another finds is
// never older than what stood when its lookup began.
TEST_F(TlbTest, NoThreadFindsATranslationOlderThanTheLastInvalidation)
{
    std::atomic<std::uint64_t> memory{0};  // the version a walk would read
    std::atomic<std::uint64_t> floor{0};   // of the last invalidation that is over
    std::atomic<bool> stop{false};
    std::atomic<unsigned> stale{0}, found{0};
    const auto user = [&] {
        std::atomic<std::uint8_t> my_guess{0};
        Tlb::Hit my_hit;
        while (!stop.load(std::memory_order_relaxed)) {
            const auto least = floor.load(std::memory_order_acquire);
            if (tlb.lookup(tag_a, 0x5000, my_guess, my_hit)) {
                found.fetch_add(1, std::memory_order_relaxed);
                if (my_hit.output >> 12 < least) {
                    stale.fetch_add(1, std::memory_order_relaxed);
                }
                continue;
            }
            const auto ticket = tlb.begin();
            const auto version = memory.load(std::memory_order_acquire);
            tlb.insert(ticket, tag_a,
                       {.input = 0x5000,
                        .output = version << 12,
                        .log2size = 12,
                        .outer_log2size =
                            version % 2 == 0 ? std::uint8_t{12} : std::uint8_t{0}});
        }
    };
    std::thread users[] = {std::thread{user}, std::thread{user}};
    // A loaded machine may not run the users at once: go on until they found something.
    for (std::uint64_t version = 1;
         version <= 20'000 || (found == 0 && version <= 20'000'000); ++version) {
        memory.store(version, std::memory_order_release);
        switch (version % 4) {
        case 0:
            tlb.invalidate_space(tag_a.space);
            break;
        case 1:
            tlb.invalidate_all();
            break;
        default:
            tlb.invalidate_pages(tag_a, 0x5000, 0x5000);
            tlb.invalidate_outer(tag_a.domain, 0x5000, 0x5000);
            break;
        }
        floor.store(version, std::memory_order_release);
        if (version % 64 == 0) {
            std::this_thread::yield();
        }
    }
    stop = true;
    for (auto& t : users) {
        t.join();
    }
    EXPECT_EQ(stale, 0u);
    EXPECT_GT(found, 0u);
}

}  // namespace
}  // namespace iommu
