// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 5.1 and 5.2: layouts against bytes laid out by hand from the manual's figures, and
// 5.2.2 "Validity of STE" one rule at a time.
#include <gtest/gtest.h>

#include "hw/iommu/smmuv3/context.hpp"
#include "hw/iommu/smmuv3/spec/stream_table.hpp"

namespace iommu::smmu {
namespace {

constexpr std::uint64_t bit(unsigned n)
{
    return std::uint64_t{1} << (n % 64);
}

// What Linux's arm_smmu_make_s2_domain_ste leaves for a 48-bit stage 2, VMID 9, tables at
// 0x8123'4000, written out by the field positions it uses.
constexpr Ste stage2_ste()
{
    Ste ste;
    ste.dword[0] = 0x0000'0000'0000'000d;  // V, Config 0b110
    ste.dword[1] = 0x0000'1000'0000'0000;  // SHCFG 0b01
    // S2VMID 9, S2T0SZ 16, S2SL0 2, S2IR0 1, S2OR0 1, S2SH0 3, S2TG 0, S2PS 5, S2AA64,
    // S2PTW, S2R.
    ste.dword[2] = 0x044d'3590'0000'0009;
    ste.dword[3] = 0x0000'0000'8123'4000;
    return ste;
}

TEST(Smmu_5_2_Ste, FieldsStandWhereTheManualHasThem)
{
    const auto ste = stage2_ste();
    EXPECT_TRUE(ste[Ste::V]);
    EXPECT_EQ(ste[Ste::Config], SteConfig::Stage2);
    EXPECT_EQ(ste[Ste::SHCFG], 1u);
    EXPECT_EQ(ste[Ste::S2VMID], Vmid{9});
    EXPECT_EQ(ste[Ste::S2T0SZ], 16u);
    EXPECT_EQ(ste[Ste::S2SL0], 2u);
    EXPECT_EQ(ste[Ste::S2IR0], 1u);
    EXPECT_EQ(ste[Ste::S2OR0], 1u);
    EXPECT_EQ(ste[Ste::S2SH0], 3u);
    EXPECT_EQ(ste[Ste::S2TG], 0u);
    EXPECT_EQ(ste[Ste::S2PS], 5u);
    EXPECT_TRUE(ste[Ste::S2AA64]);
    EXPECT_TRUE(ste[Ste::S2PTW]);
    EXPECT_TRUE(ste[Ste::S2R]);
    EXPECT_FALSE(ste[Ste::S2S]);
    EXPECT_EQ(ste[Ste::S2TTB], Gpa{0x8123'4000});
    EXPECT_FALSE(ste.res0_violated());
}

TEST(Smmu_5_2_Ste, AStage1EntryReadsAsWritten)
{
    // V, Config 0b101, S1Fmt 0b01, S1ContextPtr 0x12'3456'7000, S1CDMax 10; S1DSS 0b10,
    // S1CIR 1, S1COR 1, S1CSH 3, S1STALLD.
    Ste ste;
    ste.dword[0] = 0x5000'0012'3456'701b;
    ste.dword[1] = 0x0000'0000'0800'00d6;
    EXPECT_EQ(ste[Ste::Config], SteConfig::Stage1);
    EXPECT_EQ(ste[Ste::S1Fmt], S1Format::TwoLevel4K);
    EXPECT_EQ(ste[Ste::S1ContextPtr], Ipa{0x12'3456'7000});
    EXPECT_EQ(ste[Ste::S1CDMax], 10u);
    EXPECT_EQ(ste[Ste::S1DSS], DefaultSubstream::Substream0);
    EXPECT_EQ(ste[Ste::S1CIR], 1u);
    EXPECT_EQ(ste[Ste::S1COR], 1u);
    EXPECT_EQ(ste[Ste::S1CSH], 3u);
    EXPECT_TRUE(ste[Ste::S1STALLD]);
}

TEST(Smmu_5_2_Ste, ReservedBitsAreThoseOfTheFigures)
{
    // [58:56]; [107:105]; none; [247:244] [252:248] [255]; [301:296]; [383:376];
    // [387] [444:440] [447]; none.
    constexpr std::array<std::uint64_t, 8> reserved = {0x0700'0000'0000'0000,
                                                       0x0000'0e00'0000'0000,
                                                       0,
                                                       0x9ff0'0000'0000'0000,
                                                       0x0000'3f00'0000'0000,
                                                       0xff00'0000'0000'0000,
                                                       0x9f00'0000'0000'0008,
                                                       0};
    EXPECT_EQ(Ste::layout, reserved);
}

TEST(Smmu_5_1_L1Std, SpanAndPointer)
{
    L1Std entry;
    entry.dword[0] = 0x0000'0012'3456'7fcb;
    EXPECT_EQ(entry[L1Std::Span], 11u);
    EXPECT_EQ(entry[L1Std::L2Ptr], Gpa{0x12'3456'7fc0});
    EXPECT_EQ(L1Std::layout[0], 0xff00'0000'0000'0020u);
}

class SteValidity : public ::testing::Test {
protected:
    Capabilities built;
    Ste ste = stage2_ste();
    bool bad() const { return illegal(ste, built); }
    void put(unsigned lo, unsigned width, std::uint64_t value)
    {
        auto& word = ste.dword[lo / 64];
        const auto mask = ((std::uint64_t{1} << width) - 1) << lo % 64;
        word = (word & ~mask) | value << lo % 64;
    }
};

TEST_F(SteValidity, Smmu_5_2_2_TheOneAboveIsLegal)
{
    EXPECT_FALSE(bad());
    put(0, 1, 0);
    EXPECT_TRUE(bad());
}

TEST_F(SteValidity, Smmu_5_2_AnEntryThatAbortsIsNotLookedAtFurther)
{
    for (std::uint64_t config = 0; config < 4; ++config) {
        put(1, 3, config);
        put(179, 1, 0);
        EXPECT_FALSE(bad()) << config;
    }
}

TEST_F(SteValidity, A6_Stage2WithoutAarch64IsIllegalAndNothingWorse)
{
    put(179, 1, 0);
    EXPECT_TRUE(bad());
    put(1, 3, 0b100);  // S2 fields are ignored where stage 2 bypasses
    EXPECT_FALSE(bad());
}

// IHI 0070 5.2.2 IgnoreSTESTRW(): with IDR0.HYP == 0 the field is unused, whatever it
// says.
TEST_F(SteValidity, A9_StrwIsUnusedWithoutHyp)
{
    put(1, 3, 0b101);
    for (std::uint64_t strw = 0; strw < 4; ++strw) {
        put(94, 2, strw);
        EXPECT_FALSE(bad()) << strw;
    }
}

TEST_F(SteValidity, Smmu_5_2_UnimplementedChoicesAreIllegal)
{
    for (const unsigned flag : {180u, 183u, 184u, 185u}) {  // S2ENDI S2HD S2HA S2S
        ste = stage2_ste();
        put(flag, 1, 1);
        EXPECT_TRUE(bad()) << flag;
    }
    ste = stage2_ste();
    put(174, 2, 3);  // S2TG reserved
    EXPECT_TRUE(bad());
    ste = stage2_ste();
    put(1, 3, 0b101);
    EXPECT_FALSE(bad());
    put(91, 1, 1);  // S1STALLD
    EXPECT_TRUE(bad());
}

TEST_F(SteValidity, Smmu_5_2_StagesThatAreNotBuiltInAreIllegal)
{
    built.stage2 = false;
    EXPECT_TRUE(bad());
    put(1, 3, 0b101);
    EXPECT_FALSE(bad());
    built.stage1 = false;
    EXPECT_TRUE(bad());
    put(1, 3, 0b100);
    EXPECT_FALSE(bad());
}

// VMSA D8.2.2: for each granule the T0SZ that each SL0 can start, by the rule that the
// start level resolves at least one bit and at most 16 tables are concatenated.
TEST_F(SteValidity, Smmu_5_2_S2Sl0AgreesWithS2TgAndS2T0sz)
{
    struct Row {
        unsigned tg, sl0, least_t0sz, most_t0sz;  // 0, 0: never
    };
    const Row rows[] = {
        {0, 0, 30, 39},                  // 4K level 2: 22..34 bits; T0SZ at most 39
        {0, 1, 21, 33},                  // level 1: 31..43
        {0, 2, 16, 24},                  // level 0: 40..48 (52)
        {0, 3, 0, 0},   {2, 0, 35, 39},  // 16K level 3: 15..29
        {2, 1, 24, 38},                  // level 2: 26..40
        {2, 2, 16, 27},                  // level 1: 37..48 (51)
        {2, 3, 0, 0},   {1, 0, 31, 39},  // 64K level 3: 17..33
        {1, 1, 18, 34},                  // level 2: 30..46
        {1, 2, 16, 21},                  // level 1: 43..48
        {1, 3, 0, 0},
    };
    for (const auto& row : rows) {
        for (unsigned t0sz = 0; t0sz < 64; ++t0sz) {
            put(174, 2, row.tg);
            put(166, 2, row.sl0);
            put(160, 6, t0sz);
            const bool legal =
                row.most_t0sz != 0 && t0sz >= row.least_t0sz && t0sz <= row.most_t0sz;
            EXPECT_EQ(bad(), !legal)
                << "TG " << row.tg << " SL0 " << row.sl0 << " T0SZ " << t0sz;
        }
    }
}

TEST_F(SteValidity, Smmu_5_2_S2TtbLiesWithinS2Ps)
{
    put(176, 3, 0);  // 32 bits
    EXPECT_FALSE(bad());
    ste.dword[3] = 0x1'0000'0000;
    EXPECT_TRUE(bad());
    put(176, 3, 1);
    EXPECT_FALSE(bad());
    put(176, 3, 7);  // counts as the OAS
    ste.dword[3] = 0xffff'ffff'f000;
    EXPECT_FALSE(bad());
    ste.dword[3] = 0x1'0000'0000'0000;
    EXPECT_TRUE(bad());
}

TEST_F(SteValidity, Smmu_5_2_S1ContextPtrAndS1CdMaxLieWithinWhatIsBuilt)
{
    put(1, 3, 0b101);
    put(59, 5, 8);
    EXPECT_FALSE(bad());
    put(59, 5, 9);
    EXPECT_TRUE(bad());
    built.ssid_bits = 0;  // S1CDMax is ignored
    EXPECT_FALSE(bad());
    ste.dword[0] |= bit(48);
    EXPECT_TRUE(bad());
}

TEST_F(SteValidity, Smmu_5_2_S2T0szIsBoundByTheOas)
{
    built.oas_bits = 40;
    put(166, 2, 1);
    put(160, 6, 24);
    EXPECT_FALSE(bad());
    put(160, 6, 23);
    EXPECT_TRUE(bad());
}

}  // namespace
}  // namespace iommu::smmu
