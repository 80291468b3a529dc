// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 5.3 and 5.4: layouts against bytes laid out by hand, and 5.4.2 "Validity of CD".
#include <gtest/gtest.h>

#include "hw/iommu/smmuv3/context.hpp"

namespace iommu::smmu {
namespace {

// T0SZ 16, TG0 4K, IR0/OR0 1, SH0 3, T1SZ 25, TG1 0b10 (4K), V, IPS 5, AA64, R, A, ASET,
// ASID 0x1234; TTB0 0x8000'1000 with HAD0; TTB1 0x9'0000'2000; MAIR.
constexpr Cd both_halves()
{
    Cd cd;
    cd.dword[0] = 0x1234'e205'8099'3510;
    cd.dword[1] = 0x0000'0000'8000'1002;
    cd.dword[2] = 0x0000'0009'0000'2000;
    cd.dword[3] = 0x0000'0000'0004'04ff;
    return cd;
}

TEST(Smmu_5_4_Cd, FieldsStandWhereTheManualHasThem)
{
    const auto cd = both_halves();
    EXPECT_EQ(cd[Cd::T0SZ], 16u);
    EXPECT_EQ(cd[Cd::TG0], 0u);
    EXPECT_EQ(cd[Cd::IR0], 1u);
    EXPECT_EQ(cd[Cd::OR0], 1u);
    EXPECT_EQ(cd[Cd::SH0], 3u);
    EXPECT_FALSE(cd[Cd::EPD0]);
    EXPECT_EQ(cd[Cd::T1SZ], 25u);
    EXPECT_EQ(cd[Cd::TG1], 2u);
    EXPECT_FALSE(cd[Cd::EPD1]);
    EXPECT_TRUE(cd[Cd::V]);
    EXPECT_EQ(cd[Cd::IPS], 5u);
    EXPECT_TRUE(cd[Cd::AA64]);
    EXPECT_FALSE(cd[Cd::S]);
    EXPECT_TRUE(cd[Cd::R]);
    EXPECT_TRUE(cd[Cd::A]);
    EXPECT_TRUE(cd[Cd::ASET]);
    EXPECT_EQ(cd[Cd::ASID], Asid{0x1234});
    EXPECT_TRUE(cd[Cd::HAD0]);
    EXPECT_EQ(cd[Cd::TTB0], Ipa{0x8000'1000});
    EXPECT_FALSE(cd[Cd::HAD1]);
    EXPECT_EQ(cd[Cd::TTB1], Ipa{0x9'0000'2000});
    EXPECT_EQ(cd[Cd::MAIR0], 0x0004'04ffu);
    EXPECT_FALSE(cd.res0_violated());
}

TEST(Smmu_5_4_Cd, FlagsOneByOne)
{
    const auto only = [](unsigned n) {
        Cd cd;
        cd.dword[n / 64] = std::uint64_t{1} << n % 64;
        return cd;
    };
    EXPECT_TRUE(only(35)[Cd::AFFD]);
    EXPECT_TRUE(only(36)[Cd::WXN]);
    EXPECT_TRUE(only(37)[Cd::UWXN]);
    EXPECT_TRUE(only(38)[Cd::TBI0]);
    EXPECT_TRUE(only(39)[Cd::TBI1]);
    EXPECT_TRUE(only(40)[Cd::PAN]);
    EXPECT_TRUE(only(42)[Cd::HD]);
    EXPECT_TRUE(only(43)[Cd::HA]);
    EXPECT_TRUE(only(44)[Cd::S]);
    EXPECT_TRUE(only(129)[Cd::HAD1]);
    EXPECT_TRUE(only(30)[Cd::EPD1]);
}

TEST(Smmu_5_3_L1Cd, ValidAndPointer)
{
    L1Cd entry;
    entry.dword[0] = 0x0000'0012'3456'7001;
    EXPECT_TRUE(entry[L1Cd::V]);
    EXPECT_EQ(entry[L1Cd::L2Ptr], Ipa{0x12'3456'7000});
    EXPECT_EQ(L1Cd::layout[0], 0xff00'0000'0000'0ffeu);
}

class CdValidity : public ::testing::Test {
protected:
    Capabilities built;
    Cd cd = both_halves();
    bool bad() const { return illegal(cd, built); }
    void put(unsigned lo, unsigned width, std::uint64_t value)
    {
        auto& word = cd.dword[lo / 64];
        const auto mask = ((std::uint64_t{1} << width) - 1) << lo % 64;
        word = (word & ~mask) | value << lo % 64;
    }
    bool bad_with(unsigned lo, unsigned width, std::uint64_t value)
    {
        cd = both_halves();
        put(lo, width, value);
        return bad();
    }
};

TEST_F(CdValidity, Smmu_5_4_2_OneRuleAtATime)
{
    EXPECT_FALSE(bad());
    EXPECT_TRUE(bad_with(31, 1, 0));   // V
    EXPECT_TRUE(bad_with(46, 1, 0));   // A with TERM_MODEL == 1
    EXPECT_TRUE(bad_with(44, 1, 1));   // S with STALL_MODEL == 0b01
    EXPECT_TRUE(bad_with(41, 1, 0));   // AA64
    EXPECT_TRUE(bad_with(42, 1, 1));   // HD
    EXPECT_TRUE(bad_with(43, 1, 1));   // HA
    EXPECT_TRUE(bad_with(15, 1, 1));   // ENDI
    EXPECT_FALSE(bad_with(45, 1, 0));  // R says what is recorded, no more
}

TEST_F(CdValidity, Smmu_5_4_GranulesAreEncodedDifferentlyForEachHalf)
{
    for (const unsigned tg0 : {0u, 1u, 2u}) {
        EXPECT_FALSE(bad_with(6, 2, tg0)) << tg0;
    }
    EXPECT_TRUE(bad_with(6, 2, 3));
    for (const unsigned tg1 : {1u, 2u, 3u}) {
        EXPECT_FALSE(bad_with(22, 2, tg1)) << tg1;
    }
    EXPECT_TRUE(bad_with(22, 2, 0));
}

TEST_F(CdValidity, Smmu_5_4_TxszGoesFrom16To39)
{
    for (unsigned txsz = 0; txsz < 64; ++txsz) {
        const bool legal = txsz >= 16 && txsz <= 39;
        EXPECT_EQ(bad_with(0, 6, txsz), !legal) << txsz;
        EXPECT_EQ(bad_with(16, 6, txsz), !legal) << txsz;
    }
}

TEST_F(CdValidity, Smmu_5_4_1_1_AHalfThatIsNotWalkedIsNotChecked)
{
    put(14, 1, 1);
    put(0, 8, 0xc0);  // T0SZ 0, TG0 reserved
    cd.dword[1] = 0x000f'ffff'ffff'f000;
    EXPECT_FALSE(bad());
    put(30, 1, 1);
    put(16, 8, 0);
    cd.dword[2] = 0x000f'ffff'ffff'f000;
    put(15, 1, 1);  // ENDI too is ignored when neither is walked
    EXPECT_FALSE(bad());
    put(30, 1, 0);
    EXPECT_TRUE(bad());
}

TEST_F(CdValidity, A5_IpsOf6And7CountsAsTheOasAndNothingWorse)
{
    for (const unsigned ips : {5u, 6u, 7u}) {
        EXPECT_FALSE(bad_with(32, 3, ips)) << ips;
        cd.dword[1] = 0xffff'ffff'f000;
        EXPECT_FALSE(bad()) << ips;
        cd.dword[1] = 0x1'0000'0000'0000;
        EXPECT_TRUE(bad()) << ips;
    }
    EXPECT_EQ(address_bits(6, 48), 48u);
    EXPECT_EQ(address_bits(7, 44), 44u);
    EXPECT_EQ(address_bits(3, 44), 42u);
}

TEST_F(CdValidity, Smmu_5_4_TtbLiesWithinIps)
{
    put(32, 3, 0);  // 32 bits; TTB1 above is beyond
    EXPECT_TRUE(bad());
    cd.dword[2] = 0xffff'f000;
    EXPECT_FALSE(bad());
    cd.dword[1] = 0x1'0000'0000;
    EXPECT_TRUE(bad());
}

}  // namespace
}  // namespace iommu::smmu
