// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 3 "DMA Remapping": which entry of which table an access finds.
#include "tests/conformance/vtd/rig.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr auto R = Access::Read, W = Access::Write;
constexpr auto USER = Privilege::User, PRIV = Privilege::Privileged;

class Vtd_3_4_Tables : public testing::TestWithParam<bool> {};
class Vtd_3_6_FirstStage : public testing::TestWithParam<bool> {};
class Vtd_3_7_SecondStage : public testing::TestWithParam<bool> {};
class Vtd_3_8_Nested : public testing::TestWithParam<bool> {};

// Addresses in which one table index after the other is 0, 1, 255, 511 while the others
// are 2.
std::vector<std::uint64_t> one_index_at_a_time(unsigned levels)
{
    std::vector<std::uint64_t> out;
    for (unsigned level = 0; level < levels; ++level) {
        for (const std::uint64_t index : {0, 1, 255, 511}) {
            std::uint64_t at = 0;
            for (unsigned l = 0; l < levels; ++l) {
                at |= (l == level ? index : 2) << (12 + 9 * l);
            }
            out.push_back(at);
        }
    }
    return out;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Tlb, Vtd_3_4_Tables, testing::Bool());
INSTANTIATE_TEST_SUITE_P(Tlb, Vtd_3_6_FirstStage, testing::Bool());
INSTANTIATE_TEST_SUITE_P(Tlb, Vtd_3_7_SecondStage, testing::Bool());
INSTANTIATE_TEST_SUITE_P(Tlb, Vtd_3_8_Nested, testing::Bool());

// VT-d 3.4.2 "Legacy Mode Address Translation": the bus chooses the root entry, device
// and function the context entry.
TEST_P(Vtd_3_4_Tables, EachRequesterHasTheEntriesOfItsBusDeviceAndFunction)
{
    LegacyRig rig(GetParam());
    const unsigned sids[] = {0x0000, 0x0001, 0x0008, 0x00ff,
                             0x0100, 0x0180, 0x0f00, 0x0fff};
    std::uint64_t table = LegacyRig::trees, page = 0x50'0000;
    unsigned domain = 1;
    for (const auto sid : sids) {
        rig.attach(sid, table, domain++);
        rig.map(table, 0x7000, page | 3);
        table += 0x4000;
        page += 0x1000;
    }
    page = 0x50'0000;
    for (const auto sid : sids) {
        EXPECT_EQ(rig.output(0x7010, sid), page | 0x10) << std::hex << sid;
        page += 0x1000;
    }
    EXPECT_EQ(rig.r32(FSTS), 0u);
    EXPECT_EQ(rig.output(0x7010, 0x0009), ~0ull) << "nobody's context entry";
}

// VT-d 3.4.2: functions of one domain may share its tables.
TEST_P(Vtd_3_4_Tables, FunctionsOfADomainShareItsTranslations)
{
    LegacyRig rig(GetParam());
    rig.attach(0x10, LegacyRig::trees, 9);
    rig.attach(0x18, LegacyRig::trees, 9);
    rig.map(LegacyRig::trees, 0x7000, 0x50'0003);
    EXPECT_EQ(rig.output(0x7000, 0x10), 0x50'0000u);
    EXPECT_EQ(rig.output(0x7000, 0x18), 0x50'0000u);
    rig.map(LegacyRig::trees, 0x7000, 0x60'0003);
    rig.submit(0x22 | 9 << 16, 0);
    EXPECT_EQ(rig.output(0x7000, 0x10), 0x60'0000u);
    EXPECT_EQ(rig.output(0x7000, 0x18), 0x60'0000u);
}

// VT-d 3.4.3 "Scalable Mode Address Translation": PASID[19:6] is the index into the
// directory, PASID[5:0] that into the table it leads to.
TEST_P(Vtd_3_4_Tables, APasidIsLookedUpInTwoSteps)
{
    ScalableRig rig(GetParam());
    constexpr std::uint64_t wide_directory = 0x40'0000;  // 2^14 entries
    rig.put(0x2000 + 0x10 * 32, {wide_directory | 9 | 7 << 9, 0, 0, 0});
    const unsigned numbers[] = {0, 1, 63, 64, 4095, 0x1fff, 0x2000, 0xf'ffc0, 0xf'ffff};
    std::uint64_t table = 0x50'0000, tree = LegacyRig::trees, page = 0x60'0000;
    for (const auto n : numbers) {
        const auto entry = wide_directory + (n >> 6) * 8;
        if (rig.get(entry) == 0) {
            rig.put(entry, {table | 1});
            table += 0x1000;
        }
        rig.put((rig.get(entry) & ~0xfffull) + (n & 63) * 64,
                {0x41, 7, tree, 0, 0, 0, 0, 0});
        rig.map(tree, 0x7000, page | 7);
        tree += 0x4000;
        page += 0x1000;
    }
    page = 0x60'0000;
    for (const auto n : numbers) {
        EXPECT_EQ(rig.output_of(0x7010, n), page | 0x10) << std::hex << n;
        page += 0x1000;
    }
    EXPECT_EQ(rig.r32(FSTS), 0u);
}

// VT-d 3.7 "Second-Stage Translation": 12 bits of offset, nine for each level.
TEST_P(Vtd_3_7_SecondStage, EachLevelTakesNineBits)
{
    vtd::Configuration c;
    c.aw_bits = 57;
    for (const unsigned levels : {3u, 4u, 5u}) {
        for (const auto at : one_index_at_a_time(levels)) {
            if (at >> 20 == 0xfee) {
                continue;
            }
            LegacyRig rig(GetParam(), c);
            rig.attach(0x10, LegacyRig::trees, 5, levels - 2);
            rig.map(LegacyRig::trees, at, 0x50'0003, levels);
            EXPECT_EQ(rig.output(at | 0xabc, 0x10), 0x50'0abcu)
                << std::hex << at << " " << levels;
            EXPECT_EQ(rig.output(at ^ 0x1000, 0x10), ~0ull) << "the neighbour";
        }
    }
}

// VT-d 3.7: R and W of the entries on the way are anded.
TEST_P(Vtd_3_7_SecondStage, ARightIsThatOfEveryLevel)
{
    for (const unsigned level : {1u, 2u, 3u, 4u}) {
        for (const std::uint64_t rights : {1u, 2u, 3u}) {
            LegacyRig rig(GetParam());
            rig.attach(0x10, LegacyRig::trees, 5);
            rig.map(LegacyRig::trees, 0x7000, 0x50'0003);
            const auto at =
                LegacyRig::trees + (4 - level) * 0x1000 + (level == 1 ? 56 : 0);
            rig.put(at, {(rig.get(at) & ~3ull) | rights});
            EXPECT_EQ(rig.read(0x7000).ok, (rights & 1) != 0) << level << " " << rights;
            EXPECT_EQ(rig.write(0x7000).ok, (rights & 2) != 0) << level << " " << rights;
            // And once more, from what the first two left behind.
            EXPECT_EQ(rig.read(0x7000).ok, (rights & 1) != 0) << level << " " << rights;
        }
    }
}

// VT-d 3.6 "First-Stage Translation": the same for four and five levels.
TEST_P(Vtd_3_6_FirstStage, EachLevelTakesNineBits)
{
    for (const unsigned levels : {4u, 5u}) {
        for (const auto low : one_index_at_a_time(levels)) {
            const unsigned width = 12 + 9 * levels;
            const auto at =
                low >> (width - 1) & 1 ? low | ~0ull << width : low;  // canonical
            ScalableRig rig(GetParam());
            rig.pasid(3, ScalableRig::FIRST, 7, LegacyRig::trees | (levels == 5 ? 4 : 0));
            rig.map(LegacyRig::trees, at, 0x50'0007, levels);
            EXPECT_EQ(rig.output_of(at | 0xabc, 3), 0x50'0abcu)
                << std::hex << at << " " << levels;
            EXPECT_EQ(rig.output_of(at ^ 0x1000, 3), ~0ull) << "the neighbour";
        }
    }
}

// VT-d 3.6.1 "Access Rights": R/W and U/S are anded over the levels, XD is ored.
TEST_P(Vtd_3_6_FirstStage, ARightIsThatOfEveryLevel)
{
    for (const unsigned level : {1u, 2u, 3u, 4u}) {
        ScalableRig rig(GetParam());
        const auto at = LegacyRig::trees + (4 - level) * 0x1000 + (level == 1 ? 56 : 0);
        const auto set = [&](std::uint64_t flags) {
            rig.put(at, {(rig.get(at) & 0x000f'ffff'ffff'f000) | flags});
            rig.flush();
        };
        rig.pasid(3, ScalableRig::FIRST, 7,
                  LegacyRig::trees | 0x33);  // SRE, ERE, WPE, NXE
        rig.map(LegacyRig::trees, 0x7000, 0x50'0007);
        EXPECT_TRUE(rig.ask(0x7000, 3, W).ok);
        set(5);
        EXPECT_TRUE(rig.ask(0x7000, 3, R).ok) << level;
        EXPECT_FALSE(rig.ask(0x7000, 3, W).ok) << level;
        set(3);
        EXPECT_FALSE(rig.ask(0x7000, 3, R).ok) << level;
        EXPECT_TRUE(rig.ask(0x7000, 3, W, PRIV).ok) << level;
        set(1ull << 63 | 7);
        EXPECT_TRUE(rig.ask(0x7000, 3, R).ok) << level;
        EXPECT_FALSE(rig.ask(0x7000, 3, R, USER, Content::Instruction).ok) << level;
        set(7);
        EXPECT_TRUE(rig.ask(0x7000, 3, R, USER, Content::Instruction).ok) << level;
        set(6);
        EXPECT_FALSE(rig.ask(0x7000, 3, R, PRIV).ok) << level << ": not present";
    }
}

// VT-d 3.6.2 "Accessed, Extended Accessed, and Dirty Flags": D in what maps a page only,
// whatever its size.
TEST_P(Vtd_3_6_FirstStage, DirtyIsSetWhereThePageIsMapped)
{
    for (const unsigned level : {1u, 2u, 3u}) {
        ScalableRig rig(GetParam());
        const auto leaf = LegacyRig::trees + (4 - level) * 0x1000 + (level == 1 ? 56 : 0);
        rig.pasid(3, ScalableRig::FIRST, 7, LegacyRig::trees);
        rig.map(LegacyRig::trees, 0x7000, 0x50'0007);
        rig.put(leaf, {level == 1 ? 0x50'0007ull : 0x87ull});
        ASSERT_TRUE(rig.ask(0x7000, 3, R).ok);
        EXPECT_EQ(rig.get(leaf) & 0x60, 0x20u) << level;
        ASSERT_TRUE(rig.ask(0x7000, 3, W).ok);
        EXPECT_EQ(rig.get(leaf) & 0x60, 0x60u) << level;
        for (auto at = LegacyRig::trees; at < (leaf & ~0xfffull); at += 0x1000) {
            EXPECT_EQ(rig.get(at) & 0x60, 0x20u) << level;
        }
    }
}

// VT-d 3.8 "Nested Translation": each first-stage table is where the second stage says,
// and so is the page.
TEST_P(Vtd_3_8_Nested, EveryTableOfTheFirstStageIsTranslated)
{
    ScalableRig rig(GetParam());
    constexpr std::uint64_t guest = 0x8000'0000, host = 0x20'0000, second = 0x40'0000;
    rig.pasid(3, second | ScalableRig::NESTED, 7, guest);
    // Guest tables lead from 0x8000'0000 on; each is 2 MiB further in guest and host.
    for (unsigned i = 0; i < 3; ++i) {
        rig.put(host + i * 0x1000, {(guest + (i + 1) * 0x1000) | 7});
    }
    rig.put(host + 0x3000 + 56, {(guest + 0x9000) | 7});
    rig.put(second, {(second + 0x1000) | 3});
    rig.put(second + 0x1000 + 16, {(second + 0x2000) | 3});
    rig.put(second + 0x2000, {(second + 0x3000) | 3});
    for (const unsigned page : {0u, 1u, 2u, 3u}) {
        rig.put(second + 0x3000 + 8 * page, {(host + page * 0x1000) | 3});
    }
    rig.put(second + 0x3000 + 8 * 9, {0x60'0003});
    EXPECT_EQ(rig.output_of(0x7123, 3), 0x60'0123u);
    for (const unsigned page : {0u, 1u, 2u, 3u, 9u}) {
        const auto entry = rig.get(second + 0x3000 + 8 * page);
        rig.put(second + 0x3000 + 8 * page, {0});
        rig.flush();
        EXPECT_EQ(rig.output_of(0x7123, 3), ~0ull) << page;
        rig.put(second + 0x3000 + 8 * page, {entry});
    }
    rig.flush();
    EXPECT_EQ(rig.output_of(0x7123, 3), 0x60'0123u);
}

// VT-d 3.8: the smaller of two pages is what an answer covers.
TEST_P(Vtd_3_8_Nested, AnAnswerCoversTheSmallerPage)
{
    ScalableRig rig(GetParam());
    constexpr std::uint64_t first = LegacyRig::trees, second = 0x40'0000;
    rig.pasid(3, second | ScalableRig::NESTED, 7, first);
    rig.put(first, {(first + 0x1000) | 7});
    rig.put(first + 0x1000, {(first + 0x2000) | 7, 0x4000'0087});  // 1 GiB to 0x4000'0000
    rig.put(second, {(second + 0x1000) | 3});
    rig.put(second + 0x1000, {(second + 0x2000) | 3, 0x83});  // 0x4000'0000, 1 GiB, to 0
    rig.put(second + 0x2000, {0x83});                         // the tables themselves
    auto r = rig.ask(0x4012'3456, 3);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.output, Gpa{0x12'3456});
    EXPECT_EQ(r.t.mask, 0x3fff'ffffu);
    rig.put(second + 0x1008, {(second + 0x3000) | 3});
    rig.put(second + 0x3000, {0x60'0083});
    rig.flush();
    r = rig.ask(0x4012'3456, 3);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.output, Gpa{0x72'3456});
    EXPECT_EQ(r.t.mask, 0x1f'ffffu);
}

// VT-d 3.8: what may be written is what both stages let be written.
TEST_P(Vtd_3_8_Nested, ARightIsThatOfBothStages)
{
    constexpr std::uint64_t first = LegacyRig::trees, second = 0x40'0000;
    for (const bool first_writes : {false, true}) {
        for (const bool second_writes : {false, true}) {
            ScalableRig rig(GetParam());
            rig.pasid(3, second | ScalableRig::NESTED, 7, first);
            rig.map(first, 0x7000, 0x60'0005 | (first_writes ? 2 : 0));
            rig.put(second, {(second + 0x1000) | 3});
            rig.put(second + 0x1000, {(second + 0x2000) | 3});
            rig.put(second + 0x2000,
                    {0x83, 0, 0, 0x60'0081ull | (second_writes ? 2 : 0)});
            EXPECT_TRUE(rig.ask(0x7000, 3, R).ok);
            EXPECT_EQ(rig.ask(0x7000, 3, W).ok, first_writes && second_writes)
                << first_writes << second_writes;
        }
    }
}
