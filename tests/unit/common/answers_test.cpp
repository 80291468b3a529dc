// SPDX-License-Identifier: GPL-2.0-or-later
#include "iommu/answers.hpp"

#include <gtest/gtest.h>

#include <thread>

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

// One answer in four is kept: asked four times, it is.
void remember(Answers& answers, const Epoch& epoch, const Transaction& access,
              const Translation& found)
{
    for (int i = 0; i < 4; ++i) {
        answers.remember(epoch.now(), access, found);
    }
}

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
    EXPECT_FALSE(wi_stream_recall(&answers, 0x5004 + WI_ANSWERS * 4096ull, false, &out));
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
    for (int i = 0; i < 4; ++i) {
        answers.remember(begun, to(0x1000), page(0x9000));
    }
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

// Pages that share a line, replaced all the time: an answer is that page's or none.
TEST(Answers, AreNeverAMixtureOfTwo)
{
    Epoch epoch;
    Answers answers(epoch, Answers::Kept::Yes);
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        for (std::uint64_t n = 0; !stop.load(std::memory_order_relaxed); ++n) {
            const auto input = (n % 3) * WI_ANSWERS * 4096;
            answers.remember(epoch.now(), to(input), page(input + 0x1'0000'0000));
        }
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t n = 0; n < 2'000'000; ++n) {
        const auto input = (n % 3) * WI_ANSWERS * 4096;
        WiTranslation out;
        if (wi_stream_recall(&answers, input, false, &out)) {
            wrong += out.output != input + 0x1'0000'0000;
        }
    }
    stop = true;
    writer.join();
    EXPECT_EQ(wrong, 0u);
}
