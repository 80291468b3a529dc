// SPDX-License-Identifier: GPL-2.0-or-later
// The walker itself, over a format small enough to check by eye: two levels of 16
// entries, 256-byte pages, bit 0 valid, bit 1 table, bit 2 used, bit 3 writable, bit 4
// reserved.
#include <gtest/gtest.h>

#include <map>

#include "hw/iommu/common/walk.hpp"

namespace iommu {
namespace {

struct ToyFormat {
    using Input = Iova;
    using Output = Gpa;
    static constexpr unsigned max_levels = 2;
    bool marks_used = false;

    Expected<WalkStart<Gpa>, WalkFault> start(Iova in) const
    {
        if (in.value >> 16) {
            return Unexpected{WalkFault::OutOfRange};
        }
        return WalkStart<Gpa>{Gpa{0x1000}, 1};
    }
    Gpa entry_address(Gpa table, int level, Iova in) const
    {
        return table + ((in.value >> (8 + 4 * level)) & 15) * 8;
    }
    Entry<Gpa> decode(std::uint64_t raw, int level, Iova) const
    {
        Entry<Gpa> e;
        if ((raw & 1) == 0) {
            return e;
        }
        if (raw & 16) {
            e.why = WalkFault::Reserved;
            return e;
        }
        e.kind = raw & 2 ? EntryKind::Table : EntryKind::Leaf;
        e.address = Gpa{raw & ~std::uint64_t{255}};
        e.log2size = static_cast<std::uint8_t>(8 + 4 * level);
        e.rights = raw & 8 ? Rights::all() : Rights::all().without(Rights::user_write);
        return e;
    }
    static int below(int level) { return level - 1; }
    Rights finish(Rights r) const { return r; }
};
static_assert(PageTableFormat<ToyFormat> && !UpdatingFormat<ToyFormat>);

struct MarkingFormat : ToyFormat {
    std::uint64_t update(std::uint64_t raw, int, EntryKind, Rights) const
    {
        return raw | 4;
    }
};
static_assert(UpdatingFormat<MarkingFormat>);

struct Nobody {
    Gpa at{};
};

struct ToyMemory {
    std::map<std::uint64_t, std::uint64_t> words;
    unsigned reads = 0;
    unsigned lost_races = 0;  // so many updates find the word changed

    Expected<std::uint64_t, Nobody> operator()(Gpa at)
    {
        ++reads;
        const auto found = words.find(at.value);
        if (found == words.end()) {
            return Unexpected{Nobody{at}};
        }
        return found->second;
    }
    Expected<bool, Nobody> update(Gpa at, std::uint64_t& expected, std::uint64_t desired)
    {
        if (lost_races > 0) {
            --lost_races;
            words[at.value] ^= 1u << 20;
        }
        if (words[at.value] != expected) {
            expected = words[at.value];
            return false;
        }
        words[at.value] = desired;
        return true;
    }
};

constexpr Rights read_as_user{Rights::user_read};
constexpr Rights write_as_user{Rights::user_write};

TEST(Walk, FollowsTablesDownToThePageAndAddsTheOffset)
{
    ToyMemory memory{
        {{0x1000 + 0x2 * 8, 0x2000 | 0xb}, {0x2000 + 0x3 * 8, 0x7700 | 0x9}}};
    const auto leaf = walk(ToyFormat{}, memory, Iova{0x2345}, read_as_user);
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->output.value, 0x7745u);
    EXPECT_EQ(leaf->log2size, 8);
    EXPECT_EQ(memory.reads, 2u);
}

TEST(Walk, ATableTakesRightsFromAllItsLeaves)
{
    ToyMemory memory{{{0x1010, 0x2000 | 0x3}, {0x2018, 0x7700 | 0x9}}};
    const auto leaf = walk(ToyFormat{}, memory, Iova{0x2345}, read_as_user);
    ASSERT_TRUE(leaf);
    EXPECT_FALSE(leaf->allowed.has(Rights::user_write));
    const auto refused = walk(ToyFormat{}, memory, Iova{0x2345}, write_as_user);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().why, WalkFault::Permission);
    EXPECT_EQ(refused.error().level, 0);
}

TEST(Walk, SaysWhyAndAtWhichLevelItStopped)
{
    ToyMemory memory{
        {{0x1000, 0}, {0x1008, 0x11}, {0x1010, 0x2000 | 3}, {0x1018, 0x3000 | 3}}};
    const auto fault = [&](std::uint64_t at) {
        const auto r = walk(ToyFormat{}, memory, Iova{at}, read_as_user);
        EXPECT_FALSE(r);
        return r.error();
    };
    EXPECT_EQ(fault(0x1'0000).why, WalkFault::OutOfRange);
    EXPECT_EQ(fault(0x0000).why, WalkFault::Translation);
    EXPECT_EQ(fault(0x1000).why, WalkFault::Reserved);
    EXPECT_EQ(fault(0x2100).why, WalkFault::Unreadable);
    EXPECT_EQ(fault(0x2100).unreadable.at.value, 0x2008u);
    EXPECT_EQ(fault(0x2100).level, 0);
}

TEST(Walk, ATableThatPointsAtItselfEndsTheWalk)
{
    ToyMemory memory;
    for (unsigned i = 0; i < 16; ++i) {
        memory.words[0x1000 + i * 8] = 0x1000 | 0xb;
    }
    const auto r = walk(ToyFormat{}, memory, Iova{0x2345}, read_as_user);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().why, WalkFault::Translation);
    EXPECT_EQ(memory.reads, 2u);
}

TEST(Walk, MarksEachEntryItUses)
{
    ToyMemory memory{{{0x1010, 0x2000 | 0xb}, {0x2018, 0x7700 | 0x9}}};
    ASSERT_TRUE(walk(MarkingFormat{}, memory, Iova{0x2345}, read_as_user));
    EXPECT_EQ(memory.words[0x1010], 0x200fu);
    EXPECT_EQ(memory.words[0x2018], 0x770du);
}

TEST(Walk, DoesNotMarkALeafThatRefuses)
{
    ToyMemory memory{{{0x1010, 0x2000 | 0xb}, {0x2018, 0x7700 | 0x1}}};
    ASSERT_FALSE(walk(MarkingFormat{}, memory, Iova{0x2345}, write_as_user));
    EXPECT_EQ(memory.words[0x2018], 0x7701u);
}

TEST(Walk, LooksAgainAtAnEntryThatChangedWhileBeingMarked)
{
    ToyMemory memory{{{0x1010, 0x2000 | 0xb}, {0x2018, 0x7700 | 0x9}}};
    memory.words[0x10'2018] = 0x8800 | 0x9;  // where the changed table entry points
    memory.lost_races = 1;
    const auto leaf = walk(MarkingFormat{}, memory, Iova{0x2345}, read_as_user);
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->output.value, 0x8845u);
}

TEST(Walk, GivesUpMarkingAnEntryThatNeverHoldsStill)
{
    ToyMemory memory{
        {{0x1010, 0x2000 | 0xb}, {0x2018, 0x7700 | 0x9}, {0x10'2018, 0x7700 | 0x9}}};
    memory.lost_races = 1'000'000;
    (void)walk(MarkingFormat{}, memory, Iova{0x2345}, read_as_user);
    EXPECT_LT(memory.reads, 32u);
}

TEST(Walk, AWriteIsDataWhateverTheAccessSays)
{
    EXPECT_EQ(needed(Access::Write, Privilege::User, Content::Instruction),
              Rights{Rights::user_write});
    EXPECT_EQ(needed(Access::Read, Privilege::Privileged, Content::Instruction),
              Rights{Rights::priv_execute});
    EXPECT_EQ(needed(Access::Read, Privilege::User, Content::Data),
              Rights{Rights::user_read});
}

}  // namespace
}  // namespace iommu
