// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 5 and 7.3.3 to 7.3.11: what a stream table entry and a context descriptor
// bring about, and the record of each configuration error.
#include "tests/conformance/smmuv3/rig.hpp"

using namespace iommu;
using namespace iommu::test;

using Smmu_5_Configuration = Conformance;
INSTANTIATE_TEST_SUITE_P(Tlb, Smmu_5_Configuration, testing::Bool());

TEST_P(Smmu_5_Configuration, AbortTerminatesWithoutEvent)
{
    for (const std::uint64_t config : {0 << 1, 1 << 1, 2 << 1, 3 << 1}) {
        rig.disable();
        rig.ste(config);
        rig.enable();
        EXPECT_FALSE(rig.read(0x1000));
        EXPECT_TRUE(rig.silent());
    }
}

TEST_P(Smmu_5_Configuration, BypassPassesWhatFitsTheOutputSize)
{
    rig.ste(config_bypass);
    rig.enable();
    EXPECT_EQ(rig.write(0xffff'ffff'f123), 0xffff'ffff'f123u);
    EXPECT_TRUE(rig.smmu.stream(Rig::sid, nullptr)->bypassed());
    EXPECT_FALSE(rig.read(0x1'0000'0000'0000));
    // SMMU 3.4: F_ADDR_SIZE of stage 1, CLASS IN.
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x11, E_RnW | E_CLASS_IN, 0x1'0000'0000'0000, 0}));
}

TEST_P(Smmu_5_Configuration, BypassRefusesASubstream)
{
    rig.ste(config_bypass);
    rig.enable();
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {5, true}}));
    EXPECT_EQ(rig.record(), C_BAD(0x5008));
}

TEST_P(Smmu_5_Configuration, AnSteThatIsNotValidIsCBadSte)
{
    rig.enable();
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(), C_BAD(0x04));
    // The SubstreamID is reported with its flag.
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {0x12, true}}));
    EXPECT_EQ(rig.record(), C_BAD(0x1'2804));
}

// QEMU stops the machine at STE.S2AA64 == 0.
TEST_P(Smmu_5_Configuration, IllegalStesAreCBadSte)
{
    rig.map_s1(0x1000, page_at | S1_RW);
    rig.map_s2_for_tables();
    const struct {
        const char* what;
        std::uint64_t word0, word1, word2, word3;
    } cases[] = {
        {"S1STALLD", 1 | config_s1 | cd_at, 1ull << 27, 0, 0},
        {"S1CDMax beyond SSIDSIZE", 1 | config_s1 | cd_at | 9ull << 59, 0, 0, 0},
        {"S1ContextPtr beyond the OAS", 1 | config_s1 | 1ull << 48, 0, 0, 0},
        {"S2AA64 0", 1 | config_s2, 0, ste_word2 & ~(1ull << 51), s2_at},
        {"S2ENDI", 1 | config_s2, 0, ste_word2 | 1ull << 52, s2_at},
        {"S2HD", 1 | config_s2, 0, ste_word2 | 1ull << 55, s2_at},
        {"S2HA", 1 | config_s2, 0, ste_word2 | 1ull << 56, s2_at},
        {"S2S", 1 | config_s2, 0, ste_word2 | 1ull << 57, s2_at},
        {"S2TG reserved", 1 | config_s2, 0, ste_word2 | 3ull << 46, s2_at},
        {"S2T0SZ 15", 1 | config_s2, 0, (ste_word2 & ~(63ull << 32)) | 15ull << 32,
         s2_at},
        {"S2T0SZ 40", 1 | config_s2, 0, (ste_word2 & ~(63ull << 32)) | 40ull << 32,
         s2_at},
        {"S2SL0 3", 1 | config_s2, 0, ste_word2 | 3ull << 38, s2_at},
        {"S2SL0 too low for S2T0SZ", 1 | config_s2, 0, ste_word2 & ~(3ull << 38), s2_at},
        {"S2TTB beyond S2PS", 1 | config_s2, 0, ste_word2 & ~(7ull << 48), 1ull << 32},
        {"nested, S2AA64 0", 1 | config_nested | cd_at, 0, ste_word2 & ~(1ull << 51),
         s2_at},
    };
    for (const auto& c : cases) {
        rig.disable();
        rig.words(Rig::ste_at(Rig::sid), {c.word0, c.word1, c.word2, c.word3});
        rig.enable();
        EXPECT_FALSE(rig.read(0x1000)) << c.what;
        EXPECT_EQ(rig.record(), C_BAD(0x04)) << c.what;
    }
}

// SMMU 5.2.2 IgnoreSTESTRW: with IDR0.Hyp == 0 the field does nothing.
TEST_P(Smmu_5_Configuration, StrwIsIgnoredWithoutHyp)
{
    for (const std::uint64_t strw : {1, 2, 3}) {
        rig.disable();
        rig.ste(config_s1, strw << 30);
        rig.map_s1(0x1000, page_at | PAGE | AF);  // privileged only: an EL1 rule
        rig.enable();
        EXPECT_EQ(rig.at({.address = Iova{0x1000}, .privilege = Privilege::Privileged}),
                  page_at);
        EXPECT_FALSE(rig.read(0x1000));
        EXPECT_EQ(rig.record(), (Words{E_word0 | 0x13, E_RnW | E_CLASS_IN, 0x1000, 0}));
    }
}

TEST(Smmu_5_2_Ste, StagesThatAreNotBuiltInAreCBadSte)
{
    smmu::Configuration c;
    c.capabilities.stage2 = false;
    Rig s1(true, c);
    s1.stage2();
    EXPECT_FALSE(s1.read(0x1000));
    EXPECT_EQ(s1.record(), C_BAD(0x04));
    c.capabilities.stage2 = true;
    c.capabilities.stage1 = false;
    Rig s2(true, c);
    s2.stage1();
    EXPECT_FALSE(s2.read(0x1000));
    EXPECT_EQ(s2.record(), C_BAD(0x04));
}

TEST_P(Smmu_5_Configuration, AStreamIdBeyondTheTableIsCBadStreamId)
{
    rig.stage1();
    EXPECT_EQ(rig.read(0x1000), page_at);
    EXPECT_FALSE(rig.at({Iova{0x1000}}, 256));
    EXPECT_EQ(rig.record(), C_BAD(0x02, 256));
}

TEST_P(Smmu_5_Configuration, AnSteThatCannotBeReadIsFSteFetch)
{
    rig.w64(STRTAB_BASE, nowhere);
    rig.enable();
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {1, true}}));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x1803, 0, 0, nowhere + Rig::sid * 64}));
}

TEST_P(Smmu_5_Configuration, TheStreamTableIsAlignedToItsSize)
{
    // SMMU 6.3.24: ADDR[LOG2SIZE + 5:0] count as zero; 2^8 STEs are 16 KiB.
    rig.w64(STRTAB_BASE, strtab_at + 0x3fc0);
    rig.stage1();
    EXPECT_EQ(rig.read(0x1234), page_at + 0x234);
}

TEST_P(Smmu_5_Configuration, TwoLevelStreamTablesAreSplitWhereSoftwareSays)
{
    constexpr std::uint64_t l1_at = ram_base + 0x6'0000;
    for (const unsigned split : {6u, 8u, 10u}) {
        const std::uint32_t id = 3u << split | 5;
        rig.disable();
        rig.w64(STRTAB_BASE, l1_at);
        rig.w32(STRTAB_BASE_CFG, 1u << 16 | split << 6 | 12);
        rig.map_s1(0x1000, page_at | S1_RW);
        // Span 4 covers 8 STEs.
        rig.words(l1_at + 3 * 8, {strtab_at | 4});
        rig.words(strtab_at + 5 * 64, {1 | config_s1 | cd_at, 0, 0, 0});
        rig.enable();
        EXPECT_EQ(rig.at({Iova{0x1000}}, id), page_at) << split;
        // SMMU 7.3.3: beyond the span, span 0, span reserved, span beyond the split.
        for (const std::uint64_t span : {0u, 12u, 31u, split + 2}) {
            rig.words(l1_at + 2 * 8, {strtab_at | span});
            EXPECT_FALSE(rig.at({Iova{0x1000}}, 2u << split | 5)) << span;
            EXPECT_EQ(rig.record(), C_BAD(0x02, 2u << split | 5)) << span;
        }
        EXPECT_FALSE(rig.at({Iova{0x1000}}, 3u << split | 8));
        EXPECT_EQ(rig.record(), C_BAD(0x02, 3u << split | 8));
    }
}

// QEMU keeps the two-level format once it was set.
TEST_P(Smmu_5_Configuration, TheTableFormatIsNotSticky)
{
    rig.w32(STRTAB_BASE_CFG, 1u << 16 | 6u << 6 | 8);
    rig.enable();
    EXPECT_FALSE(rig.read(0x1000));
    rig.record();
    rig.disable();
    rig.w32(STRTAB_BASE_CFG, 8);
    rig.stage1();
    EXPECT_EQ(rig.read(0x1000), page_at);
    rig.disable();
    rig.w32(STRTAB_BASE_CFG, 2u << 16 | 8);  // reserved: linear
    rig.enable();
    EXPECT_EQ(rig.read(0x1000), page_at);
}

TEST_P(Smmu_5_Configuration, AnL1StdThatCannotBeReadIsFSteFetch)
{
    rig.w64(STRTAB_BASE, nowhere);
    rig.w32(STRTAB_BASE_CFG, 1u << 16 | 6u << 6 | 12);
    rig.enable();
    EXPECT_FALSE(rig.at({Iova{0x1000}}, 0x200));
    EXPECT_EQ(rig.record(), (Words{0x200ull << 32 | 0x03, 0, 0, nowhere + 8 * 8}));
}

TEST_P(Smmu_5_Configuration, ACdThatIsNotValidIsCBadCd)
{
    const struct {
        const char* what;
        std::uint64_t word0, word1;
    } cases[] = {
        {"V 0", cd_word0 & ~(1ull << 31), s1_at},
        {"A 0", cd_word0 & ~(1ull << 46), s1_at},
        {"S", cd_word0 | 1ull << 44, s1_at},
        {"AA64 0", cd_word0 & ~(1ull << 41), s1_at},
        {"HD", cd_word0 | 1ull << 42, s1_at},
        {"HA", cd_word0 | 1ull << 43, s1_at},
        {"ENDI", cd_word0 | 1 << 15, s1_at},
        {"T0SZ 15", (cd_word0 & ~63ull) | 15, s1_at},
        {"T0SZ 40", (cd_word0 & ~63ull) | 40, s1_at},
        {"TG0 reserved", cd_word0 | 3 << 6, s1_at},
        {"TTB0 beyond IPS", cd_word0 & ~(7ull << 32), 1ull << 32},
        {"T1SZ 0 with EPD1 0", cd_word0 & ~(1ull << 30), s1_at},
    };
    rig.ste(config_s1);
    rig.map_s1(0x1000, page_at | S1_RW);
    for (const auto& c : cases) {
        rig.disable();
        rig.words(cd_at, {c.word0, c.word1});
        rig.enable();
        EXPECT_FALSE(rig.read(0x1000)) << c.what;
        EXPECT_EQ(rig.record(), C_BAD(0x0a)) << c.what;
    }
}

// QEMU stops the machine at CD.IPS 6 and 7.
TEST_P(Smmu_5_Configuration, IpsBeyondTheOutputSizeCountsAsTheOutputSize)
{
    for (const std::uint64_t ips : {6, 7}) {
        rig.disable();
        rig.stage1();
        rig.disable();
        rig.words(cd_at, {(cd_word0 & ~(7ull << 32)) | ips << 32, s1_at});
        rig.enable();
        EXPECT_EQ(rig.read(0x1000), page_at);
    }
}

TEST_P(Smmu_5_Configuration, ACdThatCannotBeReadIsFCdFetch)
{
    rig.words(Rig::ste_at(Rig::sid), {1 | config_s1 | nowhere, 0, 0, 0});
    rig.enable();
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x09, 0, 0, nowhere}));
}

TEST_P(Smmu_5_Configuration, SubstreamsSelectContextDescriptors)
{
    // S1CDMax 3, linear; S1DSS 0b00 terminates what has no SubstreamID.
    rig.words(Rig::ste_at(Rig::sid), {1 | config_s1 | cd_at | 3ull << 59, 0, 0, 0});
    rig.map_s1(0x1000, page_at | S1_RW);
    rig.words(cd_at + 5 * 64, {cd_word0, s1_at});
    rig.words(cd_at, {0});
    rig.enable();
    EXPECT_EQ(rig.at({.address = Iova{0x1000}, .substream = {5, true}}), page_at);
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(), C_BAD(0x06));
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {8, true}}));
    EXPECT_EQ(rig.record(), C_BAD(0x8008)) << "no SSV in C_BAD_SUBSTREAMID";
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {6, true}}));
    EXPECT_EQ(rig.record(), C_BAD(0x680a));
}

TEST_P(Smmu_5_Configuration, S1DssSaysWhatNoSubstreamMeans)
{
    rig.map_s1(0x1000, page_at | S1_RW);
    const auto ste_with = [&](std::uint64_t s1dss) {
        rig.disable();
        rig.words(Rig::ste_at(Rig::sid),
                  {1 | config_s1 | cd_at | 3ull << 59, s1dss, 0, 0});
        rig.enable();
    };
    ste_with(0b01);  // as if stage 1 were off
    EXPECT_EQ(rig.read(0x1000), 0x1000u);
    EXPECT_EQ(rig.at({.address = Iova{0x1000}, .substream = {0, true}}), page_at);
    ste_with(0b10);  // the CD of substream 0, which then has no other use
    EXPECT_EQ(rig.read(0x1000), page_at);
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {0, true}}));
    EXPECT_EQ(rig.record(), C_BAD(0x06));
    ste_with(0b11);  // reserved: as 0b00
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(), C_BAD(0x06));
}

TEST_P(Smmu_5_Configuration, ASubstreamWhereNoneAreUsedIsCBadSubstreamId)
{
    rig.stage1();
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {0, true}}));
    EXPECT_EQ(rig.record(), C_BAD(0x08));
    rig.disable();
    rig.stage2();
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {0xff, true}}));
    EXPECT_EQ(rig.record(), C_BAD(0xf'f008));
}

TEST_P(Smmu_5_Configuration, TwoLevelCdTablesHave4KAnd64KLeaves)
{
    constexpr std::uint64_t l1_at = ram_base + 0x6'0000, leaf_at = ram_base + 0xa'0000;
    rig.map_s1(0x1000, page_at | S1_RW);
    const struct {
        std::uint64_t s1fmt;
        unsigned leaf_bits;
    } formats[] = {{1, 6}, {2, 10}};
    for (const auto& f : formats) {
        smmu::Configuration c;
        c.capabilities.ssid_bits = 12;
        Rig r(GetParam(), c);
        r.map_s1(0x1000, page_at | S1_RW);
        const std::uint32_t ssid = 2u << f.leaf_bits | 3;
        r.words(Rig::ste_at(Rig::sid),
                {1 | config_s1 | f.s1fmt << 4 | l1_at | 12ull << 59, 0, 0, 0});
        r.words(l1_at + 2 * 8, {leaf_at | 1});
        r.words(leaf_at + 3 * 64, {cd_word0, s1_at});
        r.enable();
        EXPECT_EQ(r.at({.address = Iova{0x1000}, .substream = {ssid, true}}), page_at);
        // SMMU 7.3.9: an L1CD that is not valid.
        EXPECT_FALSE(r.at({.address = Iova{0x1000}, .substream = {1, true}}));
        EXPECT_EQ(r.record(), C_BAD(0x1008));
        // SMMU 3.4.3 (3): an L2Ptr beyond the OAS.
        r.words(l1_at, {1ull << 48 | 1});
        EXPECT_FALSE(r.at({.address = Iova{0x1000}, .substream = {1, true}}));
        EXPECT_EQ(r.record(), C_BAD(0x1008));
        r.words(l1_at, {nowhere | 1});
        EXPECT_FALSE(r.at({.address = Iova{0x1000}, .substream = {1, true}}));
        EXPECT_EQ(r.record(), (Words{E_word0 | 0x1809, 0, 0, nowhere + 64}));
    }
}

TEST_P(Smmu_5_Configuration, IsCachedUntilInvalidated)
{
    rig.stage1();
    EXPECT_EQ(rig.read(0x1000), page_at);
    rig.words(Rig::ste_at(Rig::sid), {0});
    EXPECT_EQ(rig.read(0x1000), page_at) << "the STE is cached";
    rig.submit(0x03 | std::uint64_t{Rig::sid + 1} << 32);
    EXPECT_EQ(rig.read(0x1000), page_at) << "another stream's CFGI_STE";
    rig.submit(0x03 | std::uint64_t{Rig::sid} << 32, 1);
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(), C_BAD(0x04));
}

TEST_P(Smmu_5_Configuration, EachConfigurationCommandReachesIt)
{
    const struct {
        const char* what;
        std::uint64_t low, high;
    } commands[] = {
        {"CFGI_STE", 0x03 | std::uint64_t{Rig::sid} << 32, 1},
        {"CFGI_STE, not leaf", 0x03 | std::uint64_t{Rig::sid} << 32, 0},
        {"CFGI_STE_RANGE", 0x04 | 0x10ull << 32, 3},
        {"CFGI_ALL", 0x04, 31},
        {"CFGI_CD", 0x05 | std::uint64_t{Rig::sid} << 32, 1},
        {"CFGI_CD_ALL", 0x06 | std::uint64_t{Rig::sid} << 32, 0},
    };
    for (const auto& c : commands) {
        rig.disable();
        rig.stage1();
        EXPECT_EQ(rig.read(0x1000), page_at);
        rig.words(cd_at, {0});
        EXPECT_EQ(rig.read(0x1000), page_at) << c.what;
        rig.submit(c.low, c.high);
        EXPECT_FALSE(rig.read(0x1000)) << c.what;
        EXPECT_EQ(rig.record(), C_BAD(0x0a)) << c.what;
    }
}

TEST_P(Smmu_5_Configuration, AFirmwareHandOverInAbortIsTakenOver)
{
    rig.stage2();
    EXPECT_EQ(rig.read(0x1000), page_at);
    // ExitBootServices: global abort, then the SMMU off.
    rig.w32(GBPA, 0x8010'1000);
    rig.disable();
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_TRUE(rig.silent());
    // The operating system starts over with tables of its own.
    rig.w32(CR0, 0);
    rig.stage1();
    EXPECT_EQ(rig.read(0x1000), page_at);
    rig.disable();
    rig.w32(GBPA, 0x8000'1000);
    EXPECT_EQ(rig.read(0x1000), 0x1000u);
}
