// SPDX-License-Identifier: GPL-2.0-or-later
#include "iommu/answers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

using namespace iommu;

namespace {

Transaction to(std::uint64_t address, Access access = Access::Read)
{
    return {.address = Iova{address}, .access = access};
}

Translation page(std::uint64_t output)
{
    return {Gpa{output}, 0xfff, true, true};
}

void remember(Answers& answers, const Epoch& epoch, const Transaction& access,
              const Translation& found)
{
    answers.remember(epoch.now(), access, found);
}

constexpr std::uint64_t reach = std::uint64_t{WI_ANSWER_LINES} * WI_ANSWER_PIECES * 4096;

}  // namespace

TEST(Answers, GiveThePageAndTheOffsetBack)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    WiTranslation out;
    EXPECT_FALSE(wi_stream_recall(&answers, 0x5678, false, &out));
    remember(answers, epoch, to(0x5678), page(0xabc'd678));
    ASSERT_TRUE(wi_stream_recall(&answers, 0x5004, false, &out));
    EXPECT_EQ(out.output, 0xabc'd004u);
    EXPECT_EQ(out.mask, 0xfffu);
    EXPECT_TRUE(out.read);
    EXPECT_TRUE(out.write);
    EXPECT_FALSE(wi_stream_recall(&answers, 0x6004, false, &out));
    EXPECT_FALSE(wi_stream_recall(&answers, 0x5004 + reach, false, &out));
}

TEST(Answers, OfABlockKeepTheBlocksSize)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    remember(answers, epoch, to(0x20'5678), {Gpa{0x4060'5678}, 0x1f'ffff, true, false});
    WiTranslation out;
    ASSERT_TRUE(wi_stream_recall(&answers, 0x20'5000, false, &out));
    EXPECT_EQ(out.output, 0x4060'5000u);
    EXPECT_EQ(out.mask, 0x1f'ffffu);
    EXPECT_FALSE(out.write);
}

TEST(Answers, AreDeadOnceTheEpochMovedOn)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    remember(answers, epoch, to(0x1000), page(0x9000));
    epoch.advance();
    WiTranslation out;
    EXPECT_FALSE(wi_stream_recall(&answers, 0x1000, false, &out));
}

TEST(Answers, FoundBeforeAnInvalidationAreNotKeptAfterIt)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    const auto begun = epoch.now();
    epoch.advance();
    answers.remember(begun, to(0x1000), page(0x9000));
    WiTranslation out;
    EXPECT_FALSE(wi_stream_recall(&answers, 0x1000, false, &out));
}

// VT-d 3.6.2: the first write to a page that was only read has to set its D flag.
TEST(Answers, ToAReadDoNotAnswerAWrite)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    remember(answers, epoch, to(0x1000), page(0x9000));
    WiTranslation out;
    EXPECT_TRUE(wi_stream_recall(&answers, 0x1000, false, &out));
    EXPECT_FALSE(wi_stream_recall(&answers, 0x1000, true, &out));
    remember(answers, epoch, to(0x1000, Access::Write), page(0x9000));
    EXPECT_TRUE(wi_stream_recall(&answers, 0x1000, true, &out));
    EXPECT_TRUE(wi_stream_recall(&answers, 0x1000, false, &out));
}

TEST(Answers, AreNotKeptWithoutATlb)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::No);
    remember(answers, epoch, to(0x1000), page(0x9000));
    WiTranslation out;
    EXPECT_FALSE(wi_stream_recall(&answers, 0x1000, false, &out));
}

TEST(Answers, OfAContiguousRegionAsLargeAsTheLinesAreAllKept)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    for (std::uint64_t at = 0x7'0000'0000; at < 0x7'0000'0000 + reach; at += 4096) {
        remember(answers, epoch, to(at), page(at ^ 0x55'0000));
    }
    WiTranslation out;
    for (std::uint64_t at = 0x7'0000'0000; at < 0x7'0000'0000 + reach; at += 4096) {
        ASSERT_TRUE(wi_stream_recall(&answers, at | 8, false, &out)) << at;
        ASSERT_EQ(out.output, (at ^ 0x55'0000) | 8);
    }
}

// Blocks that share a line, replaced all the time: an answer is that block's or none.
TEST(Answers, OfBlocksThatShareALineAreNeverMixed)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    WiTranslation out;
    for (std::uint64_t n = 0; n < 1000; ++n) {
        const auto input = (n % 3) * reach + n % 5 * 4096;
        EXPECT_FALSE(wi_stream_recall(&answers, input, false, &out)) << n;
        remember(answers, epoch, to(input), page(input + 0x100'0000'0000));
        ASSERT_TRUE(wi_stream_recall(&answers, input, false, &out));
        EXPECT_EQ(out.output, input + 0x100'0000'0000);
    }
}

TEST(Answers, OfTwoStreamsAreNeverMixed)
{
    Epoch epoch;
    Answers one(epoch, Answers::Kept::Yes), two(epoch, Answers::Kept::Yes);
    remember(one, epoch, to(0x1000), page(0x9000));
    WiTranslation out;
    EXPECT_FALSE(wi_stream_recall(&two, 0x1000, false, &out));
    // The same line: where the other stream's lines begin differs by their spread.
    const auto shifted =
        0x1000 + (std::uint64_t{(one.spread - two.spread) % WI_ANSWER_LINES} << 16);
    remember(two, epoch, to(shifted), page(0xa000));
    EXPECT_FALSE(wi_stream_recall(&one, 0x1000, false, &out));
    ASSERT_TRUE(wi_stream_recall(&two, shifted, false, &out));
    EXPECT_EQ(out.output, 0xa000u);
}

// Large blocks used alone are kept as such, so that 64 of them are not 32,768 pages.
TEST(Answers, OfLargeBlocksAreFoundAnywhereInTheBlock)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    const auto block = [](std::uint64_t n) { return n << 21; };
    const Translation found{Gpa{0}, 0x1f'ffff, true, true};
    for (std::uint64_t n = 0; n < 128; ++n) {
        auto translation = found;
        translation.output = Gpa{block(n + 1000) | 0x5000};
        remember(answers, epoch, to(block(n) | 0x5000), translation);
    }
    WiTranslation out;
    ASSERT_TRUE(wi_stream_recall(&answers, block(127) | 0x1f'f123, false, &out));
    EXPECT_EQ(out.output, block(1127) | 0x1f'f123);
    EXPECT_EQ(out.mask, 0x1f'ffffu);
    // One page among them: its own size, and nobody else's.
    remember(answers, epoch, to(block(127) | 0x3000), page(0x9'3000));
    ASSERT_TRUE(wi_stream_recall(&answers, block(127) | 0x3004, false, &out));
    EXPECT_EQ(out.output, 0x9'3004u);
    EXPECT_EQ(out.mask, 0xfffu);
    EXPECT_FALSE(wi_stream_recall(&answers, block(127) | 0x4000, false, &out));
}

TEST(Answers, ComeWithTheirNeighboursAsFarAsTheseAreAlike)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    remember(answers, epoch, to(0x1'4000), {Gpa{0x77'7000}, 0xfff, true, false});
    Neighbours around{12, {}};
    around.output.fill(Neighbours::unlike);
    around.output[0] = 0;  // page 0 is memory like any other
    around.output[4] = 0x88'8000;
    around.output[15] = 0xabc'f000;
    Translation found{Gpa{0x99'5678}, 0xfff, true, false};
    found.neighbours = &around;
    remember(answers, epoch, to(0x1'5678), found);

    WiTranslation out;
    ASSERT_TRUE(wi_stream_recall(&answers, 0x1'fabc, false, &out));
    EXPECT_EQ(out.output, 0xabc'fabcu);
    EXPECT_EQ(out.mask, 0xfffu);
    EXPECT_TRUE(out.read);
    EXPECT_FALSE(out.write);
    ASSERT_TRUE(wi_stream_recall(&answers, 0x1'0010, false, &out));
    EXPECT_EQ(out.output, 0x10u);
    ASSERT_TRUE(wi_stream_recall(&answers, 0x1'4000, false, &out));
    EXPECT_EQ(out.output, 0x77'7000u);  // had an answer of its own
    ASSERT_TRUE(wi_stream_recall(&answers, 0x1'5000, false, &out));
    EXPECT_EQ(out.output, 0x99'5000u);
    EXPECT_FALSE(wi_stream_recall(&answers, 0x1'6000, false, &out));
    EXPECT_FALSE(wi_stream_recall(&answers, 0x1'f000, true, &out));
    EXPECT_FALSE(wi_stream_recall(&answers, 0x2'f000, false, &out));
    epoch.advance();
    EXPECT_FALSE(wi_stream_recall(&answers, 0x1'f000, false, &out));
}

TEST(Answers, DoNotComeWithNeighboursOfAnotherSize)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    Neighbours around{14, {}};
    Translation found{Gpa{0x99'4000}, 0x3fff, true, true};
    found.neighbours = &around;
    remember(answers, epoch, to(0x1'4000), found);  // the lines' blocks are of 4 KiB yet
    WiTranslation out;
    for (std::uint64_t at = 0; at < 0x10'0000; at += 0x1000) {
        EXPECT_EQ(wi_stream_recall(&answers, at, false, &out), at == 0x1'4000) << at;
    }
}

// Pages that map to pages in a row take no memory but the line's head, wherever the row
// begins.
TEST(Answers, OfPagesInARowAreARunInTheHead)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    for (std::uint64_t n = 16; n-- > 0;) {
        remember(answers, epoch, to(0x2'0000 + n * 4096), page(0x5'3000 + n * 4096));
    }
    remember(answers, epoch, to(0x2'7000, Access::Write), page(0x5'a000));
    const auto& head = wi_answers->head[(2 + answers.spread) % WI_ANSWER_LINES];
    EXPECT_EQ(head.in_run[false], 0xffff);
    EXPECT_EQ(head.in_run[true], 1u << 7);
    EXPECT_EQ(head.run, 0x5'3000u | WI_ANSWER_READ | WI_ANSWER_WRITE | 12);
}

// A page that leaves the run, and comes back to it: the last answer counts.
TEST(Answers, OfAPageThatLeavesTheRunAreTheLast)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    remember(answers, epoch, to(0x2'0000), page(0x5'0000));
    remember(answers, epoch, to(0x2'1000, Access::Write), page(0x5'1000));
    WiTranslation out;
    remember(answers, epoch, to(0x2'1000), page(0x9'9000));
    ASSERT_TRUE(wi_stream_recall(&answers, 0x2'1000, false, &out));
    EXPECT_EQ(out.output, 0x9'9000u);
    EXPECT_FALSE(
        wi_stream_recall(&answers, 0x2'1000, true, &out));  // that was another answer
    remember(answers, epoch, to(0x2'1000), page(0x5'1000));
    ASSERT_TRUE(wi_stream_recall(&answers, 0x2'1000, false, &out));
    EXPECT_EQ(out.output, 0x5'1000u);
    EXPECT_FALSE(wi_stream_recall(&answers, 0x2'1000, true, &out));
    // The same output, other rights: not the run's.
    remember(answers, epoch, to(0x2'1000), {Gpa{0x5'1000}, 0xfff, true, false});
    ASSERT_TRUE(wi_stream_recall(&answers, 0x2'1000, false, &out));
    EXPECT_FALSE(out.write);
    ASSERT_TRUE(wi_stream_recall(&answers, 0x2'0000, false, &out));
    EXPECT_TRUE(out.write);
}

// A run that begins below address 0 of what it maps to: only its blocks that exist.
TEST(Answers, OfARunThatReachesAddressZeroAreRight)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    remember(answers, epoch, to(0x2'5000), page(0));
    remember(answers, epoch, to(0x2'6000), page(0x1000));
    WiTranslation out;
    ASSERT_TRUE(wi_stream_recall(&answers, 0x2'5123, false, &out));
    EXPECT_EQ(out.output, 0x123u);
    ASSERT_TRUE(wi_stream_recall(&answers, 0x2'6123, false, &out));
    EXPECT_EQ(out.output, 0x1123u);
    EXPECT_FALSE(wi_stream_recall(&answers, 0x2'4123, false, &out));
}

// Runs, pieces, rights, reads and writes in any order, against a map that never forgets
// but when the epoch moves on.
TEST(Answers, AreWhatWasRememberedLastWhateverTheOrder)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    struct Last {
        Translation found;
        bool known[2] = {false, false};
    };
    std::map<std::uint64_t, Last> model;
    std::mt19937_64 random(1);
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    unsigned hits = 0;
    for (unsigned step = 0; step < 200'000; ++step) {
        if (one_in(500)) {
            epoch.advance();
            model.clear();
        }
        const auto at = (random() % 64) << 12;
        const bool write = one_in(3);
        const auto base = one_in(4) ? random() % 16 << 12 : 0x4000'0000;
        const Translation found{Gpa{base + at}, 0xfff, true, !one_in(8)};
        auto& last = model[at];
        if (last.found.output != found.output || last.found.write != found.write) {
            last = {.found = found};
        }
        last.known[write] = true;
        remember(answers, epoch, to(at, write ? Access::Write : Access::Read), found);

        const auto asked = (random() % 64) << 12;
        const auto expected = model.find(asked);
        for (const bool kind : {false, true}) {
            WiTranslation out;
            const bool kept = wi_stream_recall(&answers, asked + 8, kind, &out);
            ASSERT_EQ(kept, expected != model.end() && expected->second.known[kind])
                << step;
            if (kept) {
                ++hits;
                ASSERT_EQ(out.output, expected->second.found.output.value + 8) << step;
                ASSERT_EQ(out.write, expected->second.found.write) << step;
                ASSERT_EQ(out.mask, 0xfffu);
            }
        }
    }
    EXPECT_GT(hits, 100'000u);
}

TEST(Answers, AreTheThreadsOwn)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    remember(answers, epoch, to(0x1000), page(0x9000));
    std::thread([&] {
        WiTranslation out;
        // It may have been given the lines of a thread that ended: never with this
        // stream.
        EXPECT_FALSE(wi_stream_recall(&answers, 0x1000, false, &out));
        remember(answers, epoch, to(0x1000), page(0xa000));
        ASSERT_TRUE(wi_stream_recall(&answers, 0x1000, false, &out));
        EXPECT_EQ(out.output, 0xa000u);
    }).join();
    WiTranslation out;
    ASSERT_TRUE(wi_stream_recall(&answers, 0x1000, false, &out));
    EXPECT_EQ(out.output, 0x9000u);
}

TEST(Answers, AreKeptByABoundedNumberOfThreadsAtOnce)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    std::atomic<unsigned> kept{0}, ready{0};
    constexpr unsigned many = Answers::threads + 4;
    const auto work = [&] {
        remember(answers, epoch, to(0x1000), page(0x9000));
        WiTranslation out;
        kept += wi_stream_recall(&answers, 0x1000, false, &out);
        for (++ready; ready < many;) {
            std::this_thread::yield();
        }
    };
    std::vector<std::thread> all;
    for (unsigned i = 0; i < many; ++i) {
        all.emplace_back(work);
    }
    for (auto& t : all) {
        t.join();
    }
    EXPECT_GE(kept, 1u);
    EXPECT_LE(kept, Answers::threads);
    // Those that ended gave theirs back.
    kept = 0;
    ready = many;
    std::thread(work).join();
    EXPECT_EQ(kept, 1u);
}
