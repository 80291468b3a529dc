// SPDX-License-Identifier: GPL-2.0-or-later
// VMSAv8-64 formats over tables written as raw numbers.
#include <gtest/gtest.h>

#include "hw/iommu/common/table_reader.hpp"
#include "hw/iommu/smmuv3/vmsa_s1.hpp"
#include "hw/iommu/smmuv3/vmsa_s2.hpp"
#include "tests/support/fake_host.hpp"

namespace iommu::smmu {
namespace {

constexpr Rights user_read{Rights::user_read}, user_write{Rights::user_write};
constexpr Rights user_fetch{Rights::user_execute}, priv_fetch{Rights::priv_execute};
constexpr Rights priv_read{Rights::priv_read}, priv_write{Rights::priv_write};

class Vmsa : public ::testing::Test {
protected:
    Vmsa() { host.map_into(memory); }

    void store(std::uint64_t at, std::uint64_t value) { host.store64(Gpa{at}, value); }

    // Stage 1 alone: its output is what memory answers to.
    auto s1(std::uint64_t va, Rights wanted = priv_read)
    {
        TableReader reader{memory};
        const auto read = [&](Ipa at) { return reader(Gpa{at.value}); };
        return walk(stage1, read, Iova{va}, wanted);
    }
    auto s2(std::uint64_t ipa, Rights wanted = user_read)
    {
        TableReader reader{memory};
        return walk(stage2, reader, Ipa{ipa}, wanted);
    }

    test::FakeHost host{1 << 20};
    GuestMemory memory{host};
    VmsaStage1 stage1{.tables = {.base = 0x1000,
                                 .granule = Granule::K4,
                                 .input_bits = 48,
                                 .output_bits = 48,
                                 .start_level = 0}};
    VmsaStage2 stage2{{.base = 0x1000,
                       .granule = Granule::K4,
                       .input_bits = 39,
                       .output_bits = 48,
                       .start_level = 1}};

    // Tables at 0x1000, 0x2000, 0x3000, 0x4000 map the 4K page at va to 0x9'9999'9000.
    // va 0x0000'1122'3344'5000: indices 0x22, 0x88, 0x119 and 0x45 + 0x100 by hand:
    // [47:39]=0x22, [38:30]=0x088, [29:21]=0x119, [20:12]=0x145... see each store.
    static constexpr std::uint64_t va =
        (0x22ull << 39) | (0x88ull << 30) | (0x119ull << 21) | (0x145ull << 12);
    void map_4k(std::uint64_t leaf, std::uint64_t l0 = 3, std::uint64_t l1 = 3,
                std::uint64_t l2 = 3)
    {
        store(0x1000 + 0x22 * 8, 0x2000 | l0);
        store(0x2000 + 0x88 * 8, 0x3000 | l1);
        store(0x3000 + 0x119 * 8, 0x4000 | l2);
        store(0x4000 + 0x145 * 8, leaf);
    }
    static constexpr std::uint64_t af = 0x400, ng = 0x800, el0 = 0x40, read_only = 0x80;
};

TEST_F(Vmsa, D8_2_FourLevelsOfFourKilobytes)
{
    map_4k(0x9'9999'9000 | af | ng | el0 | 3);
    const auto leaf = s1(va | 0xabc);
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->output.value, 0x9'9999'9abcu);
    EXPECT_EQ(leaf->log2size, 12);
    EXPECT_EQ(leaf->level, 3);
    EXPECT_EQ(leaf->traits, 0);
}

TEST_F(Vmsa, D8_3_ALeafWithoutNgIsGlobal)
{
    map_4k(0x9'9999'9000 | af | 3);
    EXPECT_EQ(s1(va)->traits, VmsaStage1::global);
}

TEST_F(Vmsa, D8_3_BlocksAtLevelsOneAndTwoOfFourKilobytesOnly)
{
    store(0x1000 + 0x22 * 8, 0x2000 | 3);
    store(0x2000 + 0x88 * 8, 0x40'0000'0000 | af | 1);
    const auto gigabyte = s1(va | 0xabc);
    ASSERT_TRUE(gigabyte);
    EXPECT_EQ(gigabyte->log2size, 30);
    EXPECT_EQ(gigabyte->output.value, 0x40'0000'0000 | (va & 0x3fff'ffff) | 0xabc);

    store(0x1000 + 0x22 * 8, 0x40'0000'0000 | af | 1);
    EXPECT_EQ(s1(va).error().why, WalkFault::Translation);
    EXPECT_EQ(s1(va).error().level, 0);
}

TEST_F(Vmsa, D8_3_BitOneClearAtLevelThreeIsInvalid)
{
    map_4k(0x9'9999'9000 | af | 1);
    EXPECT_EQ(s1(va).error().why, WalkFault::Translation);
    EXPECT_EQ(s1(va).error().level, 3);
}

TEST_F(Vmsa, D8_2_SixteenKilobytes)
{
    stage1.tables.granule = Granule::K16;
    stage1.tables.input_bits = 47;  // T0SZ 17: 11 bits a level, three levels
    stage1.tables.start_level = 1;
    stage1.tables.base = 0x4000;
    const std::uint64_t at = (0x7ffull << 36) | (0x1ull << 25) | (0x2ull << 14) | 0x3fff;
    store(0x4000 + 0x7ff * 8, 0x8000 | 3);
    store(0x8000 + 8, 0xc000 | 3);
    store(0xc000 + 16, 0x8000'4000 | af | 3);
    const auto leaf = s1(at);
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->output.value, 0x8000'7fffu);
    EXPECT_EQ(leaf->log2size, 14);

    store(0x4000 + 0x7ff * 8, 0x10'0000'0000 | af | 1);  // no level 1 block
    EXPECT_EQ(s1(at).error().why, WalkFault::Translation);
    store(0x4000 + 0x7ff * 8, 0x8000 | 3);
    store(0x8000 + 8, 0x4000'0000 | af | 1);
    EXPECT_EQ(s1(at)->log2size, 25);
}

TEST_F(Vmsa, D8_2_SixtyFourKilobytes)
{
    stage1.tables.granule = Granule::K64;
    stage1.tables.input_bits = 48;
    stage1.tables.start_level = 1;  // 6 bits, 13, 13
    stage1.tables.base = 0x1000;
    const std::uint64_t at =
        (0x3full << 42) | (0x1000ull << 29) | (0x10ull << 16) | 0xfedc;
    store(0x1000 + 0x3f * 8, 0x1'0000 | 3);
    store(0x1'0000 + 0x1000 * 8, 0x2'0000 | 3);
    store(0x2'0000 + 0x10 * 8, 0x8001'0000 | af | 3);
    EXPECT_EQ(s1(at)->output.value, 0x8001'fedcu);
    store(0x1'0000 + 0x1000 * 8, 0x6000'0000 | af | 1);
    EXPECT_EQ(s1(at)->log2size, 29);
}

TEST_F(Vmsa, D8_2_8_TheStartTableIsAlignedToItsSize)
{
    stage1.tables.input_bits = 33;  // three index bits at level 1: a 64-byte table
    stage1.tables.start_level = 1;
    stage1.tables.base = 0x1030;
    store(0x1000 + 5 * 8, 0x40'0000'0000 | af | 1);
    EXPECT_EQ(s1(5ull << 30)->output.value, 0x40'0000'0000u);
}

TEST_F(Vmsa, D8_2_3_AddressesAboveTheRangeAreOutOfReach)
{
    map_4k(0x9'9999'9000 | af | 3);
    EXPECT_TRUE(s1(va));
    EXPECT_EQ(s1(va | 1ull << 48).error().why, WalkFault::OutOfRange);
    EXPECT_EQ(s1(va | 1ull << 63).error().why, WalkFault::OutOfRange);
    stage1.top_byte_ignored = true;
    EXPECT_TRUE(s1(va | 0xa5ull << 56));
    EXPECT_EQ(s1(va | 1ull << 48).error().why, WalkFault::OutOfRange);
}

TEST_F(Vmsa, Smmu_5_4_Cd_UpperHalfWalksTtb1WithOnesAbove)
{
    map_4k(0x9'9999'9000 | af | 3);
    stage1.upper_half = true;
    EXPECT_TRUE(s1(va | 0xffffull << 48));
    EXPECT_EQ(s1(va | 0xfeffull << 48).error().why, WalkFault::OutOfRange);
    stage1.top_byte_ignored = true;
    EXPECT_TRUE(s1(va | 0x12ffull << 48));
}

TEST_F(Vmsa, Smmu_5_4_1_1_EpdStopsTheWalkBeforeTheFirstRead)
{
    stage1.walks_disabled = true;
    stage1.tables.base = 0xffff'ffff'0000;  // would abort
    EXPECT_EQ(s1(va).error().why, WalkFault::OutOfRange);
}

TEST_F(Vmsa, Smmu_5_4_Cd_IpsBoundsTablesAndPages)
{
    stage1.tables.output_bits = 32;
    map_4k(0xffff'f000 | af | 3);
    EXPECT_TRUE(s1(va));
    map_4k(0x1'0000'0000 | af | 3);
    EXPECT_EQ(s1(va).error().why, WalkFault::AddressSize);
    EXPECT_EQ(s1(va).error().level, 3);
    store(0x2000 + 0x88 * 8, 0x1'0000'3000 | 3);
    EXPECT_EQ(s1(va).error().level, 1);
}

TEST_F(Vmsa, D8_4_1_AccessPermissionTable)
{
    // AP[2:1], UXN, PXN -> rights, from the table of VMSA D8.4.1 (64-bit, EL1&0).
    struct Row {
        std::uint64_t bits;
        unsigned rights;
    };
    constexpr unsigned ur = 1, uw = 2, ux = 4, pr = 8, pw = 16, px = 32;
    constexpr std::uint64_t uxn = 1ull << 54, pxn = 1ull << 53;
    const Row rows[] = {
        {0, ux | pr | pw | px},
        {el0, ur | uw | ux | pr | pw},  // writable by EL0: never executed at EL1
        {read_only, ux | pr | px},
        {read_only | el0, ur | ux | pr | px},
        {uxn, pr | pw | px},
        {uxn | el0, ur | uw | pr | pw},
        {pxn, ux | pr | pw},
        {pxn | uxn | read_only | el0, ur | pr},
    };
    for (const auto& row : rows) {
        map_4k(0x8000 | af | row.bits | 3);
        EXPECT_EQ(s1(va)->allowed.bits, row.rights) << std::hex << row.bits;
    }
}

TEST_F(Vmsa, A3_TablePermissionsAreFoldedIntoWhatTheLeafGrants)
{
    map_4k(0x8000 | af | el0 | 3, 3, 1ull << 62 | 3);  // APTable[1] at level 1
    const auto leaf = s1(va, user_read);
    ASSERT_TRUE(leaf);
    EXPECT_FALSE(leaf->allowed.has(Rights::user_write | Rights::priv_write));
    EXPECT_EQ(s1(va, user_write).error().why, WalkFault::Permission);
    EXPECT_EQ(s1(va, priv_write).error().why, WalkFault::Permission);

    map_4k(0x8000 | af | el0 | 3, 1ull << 61 | 3);  // APTable[0]
    EXPECT_EQ(s1(va, user_read).error().why, WalkFault::Permission);
    EXPECT_TRUE(s1(va, priv_read));
    map_4k(0x8000 | af | 3, 1ull << 60 | 3);  // UXNTable
    EXPECT_EQ(s1(va, user_fetch).error().why, WalkFault::Permission);
    EXPECT_TRUE(s1(va, priv_fetch));
    map_4k(0x8000 | af | 3, 3, 3, 1ull << 59 | 3);  // PXNTable
    EXPECT_EQ(s1(va, priv_fetch).error().why, WalkFault::Permission);
    EXPECT_TRUE(s1(va, user_fetch));
}

TEST_F(Vmsa, Smmu_5_4_Cd_HadIgnoresTablePermissions)
{
    stage1.hierarchical = false;
    map_4k(0x8000 | af | el0 | 3, 0xfull << 59 | 3);
    EXPECT_TRUE(s1(va, user_write));
    EXPECT_TRUE(s1(va, user_fetch));
}

TEST_F(Vmsa, Smmu_5_4_Cd_WxnTakesExecutionFromWritablePages)
{
    stage1.wxn = true;
    map_4k(0x8000 | af | el0 | 3);
    EXPECT_EQ(s1(va, user_fetch).error().why, WalkFault::Permission);
    map_4k(0x8000 | af | 3);
    EXPECT_EQ(s1(va, priv_fetch).error().why, WalkFault::Permission);
    EXPECT_TRUE(s1(va, user_fetch));
    map_4k(0x8000 | af | read_only | el0 | 3);
    EXPECT_TRUE(s1(va, user_fetch));
    EXPECT_TRUE(s1(va, priv_fetch));
}

TEST_F(Vmsa, Smmu_5_4_Cd_PanKeepsPrivilegedDataOutOfUserPages)
{
    stage1.pan = true;
    map_4k(0x8000 | af | el0 | read_only | 3);
    EXPECT_EQ(s1(va, priv_read).error().why, WalkFault::Permission);
    EXPECT_TRUE(s1(va, priv_fetch));
    EXPECT_TRUE(s1(va, user_read));
    map_4k(0x8000 | af | 3);
    EXPECT_TRUE(s1(va, priv_write));
}

TEST_F(Vmsa, D8_4_6_AccessFlagComesBeforePermissionUnlessDisabled)
{
    map_4k(0x8000 | read_only | 3);
    EXPECT_EQ(s1(va, user_write).error().why, WalkFault::AccessFlag);
    stage1.tables.access_flag_faults = false;
    EXPECT_EQ(s1(va, user_write).error().why, WalkFault::Permission);
    EXPECT_TRUE(s1(va, priv_read));
}

TEST_F(Vmsa, D8_6_1_AContiguousRunIsOneMapping)
{
    // 16 pages, entry 0x145 maps page 5 of a run based at 0x8'0014'0000.
    map_4k(1ull << 52 | 0x8'0014'5000 | af | 3);
    const auto leaf = s1(va | 0x123);
    EXPECT_EQ(leaf->log2size, 16);
    EXPECT_EQ(leaf->output.value, 0x8'0014'5123u);
    // Output out of step with its place in the run: this entry speaks for itself only.
    map_4k(1ull << 52 | 0x8'0014'6000 | af | 3);
    EXPECT_EQ(s1(va)->log2size, 12);
    EXPECT_EQ(s1(va)->output.value, 0x8'0014'6000u);
}

TEST_F(Vmsa, D8_2_StageTwoStartsAtConcatenatedTables)
{
    stage2.tables.input_bits = 42;  // eight tables at level 1
    stage2.tables.base = 0x8000;
    store(0x8000 + 0xfff * 8, 0x3'4000'0000 | 0x400 | 0xc0 | 0x3c | 1);
    const auto leaf = s2(0xfffull << 30 | 0x1234);
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->output.value, 0x3'4000'1234u);
    EXPECT_EQ(leaf->log2size, 30);
    EXPECT_EQ(s2(1ull << 42).error().why, WalkFault::OutOfRange);
}

TEST_F(Vmsa, D8_4_2_StageTwoPermissionTable)
{
    struct Row {
        std::uint64_t bits;
        unsigned rights;
    };
    constexpr unsigned r = 1 | 8, w = 2 | 16, ux = 4, px = 32;
    const Row rows[] = {
        {0x00, ux | px},
        {0x40, r | ux | px},
        {0x80, w | ux | px},
        {0xc0, r | w | ux | px},
        {0xc0 | 1ull << 53, r | w | ux},
        {0xc0 | 2ull << 53, r | w},
        {0xc0 | 3ull << 53, r | w | px},
    };
    for (const auto& row : rows) {
        store(0x1000, 0x4000'0000 | 0x400 | 0x3c | row.bits | 1);
        // A right each row grants, so that the walk succeeds.
        const auto some = row.rights & ~(row.rights - 1);
        EXPECT_EQ(s2(0, Rights{static_cast<std::uint8_t>(some)})->allowed.bits,
                  row.rights)
            << std::hex << row.bits;
    }
}

TEST_F(Vmsa, D8_5_5_StageTwoDeviceMemoryIsNoted)
{
    store(0x1000, 0x4000'0000 | 0x4c1);
    EXPECT_EQ(s2(0)->traits, VmsaStage2::device_memory);
    store(0x1000, 0x4000'0000 | 0x4fd);
    EXPECT_EQ(s2(0)->traits, 0);
}

TEST_F(Vmsa, AnEntryOutsideMemoryIsUnreadableWhereItWasLookedFor)
{
    store(0x1000 + 0x22 * 8, 0x10'0000 | 3);  // just past the end of memory
    const auto r = s1(va);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().why, WalkFault::Unreadable);
    EXPECT_EQ(r.error().unreadable.at.value, 0x10'0000u + 0x88 * 8);
    EXPECT_EQ(r.error().level, 1);
}

}  // namespace
}  // namespace iommu::smmu
