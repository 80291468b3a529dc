// SPDX-License-Identifier: GPL-2.0-or-later
// Verify mode of the SMMUv3: each rule is triggered once, and once it must not be.
#include <random>

#include "tests/unit/verify/smmuv3_site.hpp"

using namespace iommu;
using namespace iommu::test;

TEST(Verify_Smmu, ADriverThatDoesEverythingRightIsNotBlamed)
{
    SmmuSite s;
    for (unsigned round = 0; round < 4; ++round) {
        for (unsigned n = 0; n < 8; ++n) {
            s.map(n, SmmuSite::pages + (n ^ round) * 0x1000);
            EXPECT_TRUE(s.access(n, true));
            EXPECT_TRUE(s.access(n));
        }
        for (unsigned n = 0; n < 8; ++n) {
            s.unmap(n);
            s.flush(n);
            s.sync();
            EXPECT_FALSE(s.access(n));
        }
    }
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Smmu_4_4, AForgottenTlbiIsNamedOnceWithItsEvidence)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.unmap(0);
    s.flush(1);
    s.sync();
    EXPECT_TRUE(s.access(0));  // the cache still answers
    EXPECT_TRUE(s.access(0));
    EXPECT_EQ(s.findings("WI-SMMU-STALE-TLB"), 1u);
    const auto json = s.json();
    EXPECT_NE(json.find("\"requester\": \"0x3\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"address\": \"0x10000000\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"old-descriptor\": \"0x40080c43\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"new-descriptor\": \"0x0\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"old-descriptor-at\": \"0x40053000\""), std::string::npos);
    EXPECT_NE(json.find("\"name\": \"CMD_TLBI_NH_VA\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"count\": 2"), std::string::npos) << json;
    ASSERT_EQ(s.lines.size(), 1u);
    EXPECT_EQ(s.lines[0].rfind("WI-SMMU-STALE-TLB: ", 0), 0u) << s.lines[0];
}

TEST(Verify_Smmu_4_4, ARemappedPageThatIsAnsweredFromTheCacheIsNamed)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.map(0, SmmuSite::pages + 0x5000);
    EXPECT_TRUE(s.access(0));
    EXPECT_EQ(s.findings("WI-SMMU-STALE-TLB"), 1u);
}

TEST(Verify_Smmu_4_4, TheWrongAsidDoesNotCount)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.unmap(0);
    s.flush(0, 9);
    s.sync();
    EXPECT_TRUE(s.access(0));
    EXPECT_EQ(s.findings("WI-SMMU-STALE-TLB"), 1u);
}

TEST(Verify_Smmu_4_4, AnAccessBetweenTheChangeAndItsInvalidationIsNoMistake)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.unmap(0);
    EXPECT_TRUE(s.access(0));  // still allowed to be answered
    s.flush(0);
    s.sync();
    EXPECT_FALSE(s.access(0));
    EXPECT_TRUE(s.silent()) << s.json();
    EXPECT_NE(s.json().find("\"withdrawn\": 1"), std::string::npos) << s.json();
}

TEST(Verify_Smmu_4_4, TwoSyncsLaterItIsOneAtOnce)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.unmap(0);
    EXPECT_TRUE(s.access(0));
    s.sync();
    EXPECT_TRUE(s.lines.empty());
    s.sync();
    EXPECT_EQ(s.lines.size(), 1u);
}

TEST(Verify_Smmu_4_4, APermissionTakenAwayWithoutTlbiIsNamed)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0, true));
    s.map(0, SmmuSite::pages, SmmuSite::page | SmmuSite::ro);
    EXPECT_TRUE(s.access(0));  // reading is still right
    EXPECT_TRUE(s.silent());
    EXPECT_TRUE(s.access(0, true));
    EXPECT_EQ(s.findings("WI-SMMU-STALE-TLB"), 1u);
}

TEST(Verify_Smmu_4_3, AForgottenCfgiIsNamed)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.context(0, 6);  // another ASID in the CD
    EXPECT_TRUE(s.access(0));
    EXPECT_EQ(s.findings("WI-SMMU-STALE-CONFIG"), 1u);
    EXPECT_EQ(s.findings("WI-SMMU-STALE-TLB"), 0u);
    EXPECT_NE(s.json().find("\"doubleword\": 8"), std::string::npos) << s.json();
}

TEST(Verify_Smmu_4_3, AnAnnouncedChangeIsNot)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.context(0, 6);
    s.submit(CFGI_CD | 3ull << 32, 1);
    s.sync();
    EXPECT_TRUE(s.access(0));
    s.store(SmmuSite::strtab + 3 * 64, 0);
    s.submit(CFGI_STE | 3ull << 32, 1);
    s.sync();
    EXPECT_FALSE(s.access(0));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vmsa_BreakBeforeMake, AValidEntryReplacedByAValidOneIsNamed)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.map(0, SmmuSite::pages + 0x3000);
    s.flush(0);
    s.sync();
    EXPECT_TRUE(s.access(0));
    EXPECT_EQ(s.findings("WI-SMMU-BBM"), 1u);
    EXPECT_EQ(s.findings("WI-SMMU-STALE-TLB"), 0u);
}

TEST(Verify_Vmsa_BreakBeforeMake, NarrowedRightsNeedNone)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.map(0, SmmuSite::pages, SmmuSite::page | SmmuSite::ro);
    s.flush(0);
    s.sync();
    s.unmap(0);
    s.flush(0);
    s.sync();
    s.map(0, SmmuSite::pages + 0x3000);
    EXPECT_TRUE(s.access(0));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Smmu_4_7_3, ReuseBeforeTheSyncIsNamed)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.unmap(0);
    s.flush(0);
    s.map(0, SmmuSite::pages + 0x3000);
    EXPECT_TRUE(s.access(0));
    EXPECT_EQ(s.findings("WI-SMMU-NO-SYNC"), 1u);
}

TEST(Verify_Smmu_4_7_3, ReuseAfterTheSyncIsNot)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.unmap(0);
    s.flush(0);
    s.sync();
    s.map(0, SmmuSite::pages + 0x3000);
    EXPECT_TRUE(s.access(0));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Smmu_3_17, TwoTablesUnderOneAsidAreNamed)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.attach(4, 1);
    s.context(1, 5, SmmuSite::root + 0x8000);
    s.access(0, false, 4);
    EXPECT_EQ(s.findings("WI-SMMU-TAG-SHARED"), 1u);
}

TEST(Verify_Smmu_3_17, OneTableForTwoStreamsIsFine)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.attach(4, 1);  // the same ASID, the same tables
    ASSERT_TRUE(s.access(0, false, 4));
    s.attach(5, 2);
    s.context(2, 6, SmmuSite::root + 0x8000);
    s.access(0, false, 5);
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Smmu_5_2, ContradictionsInUseAreNamed)
{
    SmmuSite s;
    s.store(SmmuSite::cds, s.load(SmmuSite::cds) & ~(1ull << 41));  // AA64
    EXPECT_FALSE(s.access(0));
    EXPECT_EQ(s.findings("WI-SMMU-INCONSISTENT"), 1u);
    s.store(SmmuSite::strtab + 4 * 64, 1 | 0b110 << 1);  // stage 2 without a table format
    EXPECT_FALSE(s.access(0, false, 4));
    EXPECT_EQ(s.findings("WI-SMMU-INCONSISTENT"), 2u);
}

// qemu.md A9.  By 5.2.2 IgnoreSTESTRW the stream works, as NS-EL1's; what its driver
// believes of it is contradicted by IDR0.Hyp.
TEST(Verify_Smmu_5_2_2, AStreamWorldOfEl2WithoutHypIsNamedOnce)
{
    for (const std::uint64_t strw : {1, 2, 3}) {
        SmmuSite s;
        s.map(0, SmmuSite::pages);
        const auto word = SmmuSite::strtab + 3 * 64 + 8;
        s.store(word, s.load(word) | strw << 30);
        EXPECT_TRUE(s.access(0));
        EXPECT_TRUE(s.access(0));
        EXPECT_EQ(s.findings("WI-SMMU-INCONSISTENT"), 1u) << s.json();
    }
    SmmuSite s;  // without stage 1 nobody looks at the field
    s.store(SmmuSite::strtab + 4 * 64, 1 | 0b100 << 1);
    s.store(SmmuSite::strtab + 4 * 64 + 8, 2ull << 30);
    EXPECT_TRUE(s.access(0, false, 4));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Smmu_5_2, AnEntryThatIsNotValidContradictsNothing)
{
    SmmuSite s;
    s.store(SmmuSite::strtab + 4 * 64, 0b110 << 1);
    EXPECT_FALSE(s.access(0, false, 4));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Smmu_5_2, ReservedBitsInUseAreNamed)
{
    SmmuSite s;
    s.store(SmmuSite::strtab + 3 * 64, s.load(SmmuSite::strtab + 3 * 64) | 1ull << 57);
    s.access(0);
    EXPECT_EQ(s.findings("WI-SMMU-RESERVED"), 1u);
}

TEST(Verify_Smmu_4_4, AScopeNobodyUsedIsNamedWhenItLeavesSomethingStale)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.flush(0, 9);  // nothing is stale: harmless
    s.sync();
    EXPECT_EQ(s.findings("WI-SMMU-SCOPE"), 0u);
    s.unmap(0);
    s.flush(0, 10);
    s.sync();
    EXPECT_EQ(s.findings("WI-SMMU-SCOPE"), 1u);
}

TEST(Verify_Smmu_6_3, RegistersWrittenTooLateAreNamed)
{
    SmmuSite s;
    EXPECT_TRUE(s.silent()) << s.json();  // the set-up wrote them all in time
    s.w64(STRTAB_BASE, SmmuSite::strtab);
    EXPECT_EQ(s.findings("WI-SMMU-REG-STATE"), 2u);  // both halves
    s.w32(CMDQ_CONS, 0);
    EXPECT_EQ(s.findings("WI-SMMU-REG-STATE"), 3u);
    s.w32(GBPA, 0);
    EXPECT_EQ(s.findings("WI-SMMU-REG-STATE"), 4u);
    s.w32(GBPA, 1u << 31);
    EXPECT_EQ(s.findings("WI-SMMU-REG-STATE"), 4u);
}

TEST(Verify_Smmu_6_3, ReservedRegisterBitsAreNamed)
{
    SmmuSite s;
    s.w32(CR0, s.r32(CR0) | 1u << 20);
    EXPECT_EQ(s.findings("WI-SMMU-REG-RESERVED"), 1u);
    s.w32(CR0, s.r32(CR0));
    EXPECT_EQ(s.findings("WI-SMMU-REG-RESERVED"), 1u);
}

TEST(Verify_Smmu, WithVerifyOffNothingIsLookedAt)
{
    SmmuSite s(false);
    s.map(0, SmmuSite::pages);
    ASSERT_TRUE(s.access(0));
    s.unmap(0);
    EXPECT_TRUE(s.access(0));
    s.w32(CR0, s.r32(CR0) | 1u << 20);
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Smmu, LookingDoesNotChangeOrTellAnything)
{
    SmmuSite s;
    s.map(0, SmmuSite::pages);
    const std::vector<std::byte> before(s.host.at(Gpa{ram_base}),
                                        s.host.at(Gpa{ram_base}) + s.host.ram_size());
    ASSERT_TRUE(s.access(0));
    EXPECT_FALSE(s.access(1));
    EXPECT_EQ(s.r32(EVENTQ_PROD), 1u);  // one refused access, one record
    s.unmap(0);
    ASSERT_TRUE(s.access(0));
    EXPECT_EQ(s.r32(EVENTQ_PROD), 1u);
    s.map(0, SmmuSite::pages);
    const auto at = static_cast<std::size_t>(eventq_at - ram_base);
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (i < at || i >= at + 32) {
            ASSERT_EQ(before[i], *(s.host.at(Gpa{ram_base}) + i)) << std::hex << i;
        }
    }
}

TEST(Verify_Smmu, TheStoreIsBounded)
{
    SmmuSite s;
    for (unsigned n = 0; n < 400; ++n) {
        s.map(n, SmmuSite::pages);
        ASSERT_TRUE(s.access(n));
        s.unmap(n);
        ASSERT_TRUE(s.access(n));
        s.sync();
        s.sync();
    }
    EXPECT_EQ(s.findings("WI-SMMU-STALE-TLB"), 256u);
    EXPECT_NE(s.json().find("\"lost\": 144"), std::string::npos);
}

TEST(Verify_Smmu, ANonsensicalGuestDoesNoHarm)
{
    SmmuSite s;
    std::mt19937_64 random(7);
    for (unsigned round = 0; round < 3000; ++round) {
        const auto at = ram_base + 0x3'0000 + random() % 0x5'0000 / 8 * 8;
        s.store(at, random() % 3 == 0 ? random() : (at & ~0xfffull) | 3 | 1u << 10);
        s.store(SmmuSite::strtab + random() % 64 * 64,
                random() | 1 | (random() % 2 != 0 ? 0b101 << 1 : 0));
        s.access(static_cast<unsigned>(random() % 600), random() % 2 != 0,
                 static_cast<unsigned>(random() % 64));
        constexpr std::uint64_t opcodes[] = {CFGI_STE,   CFGI_ALL,      CFGI_CD,
                                             TLBI_NH_VA, TLBI_NSNH_ALL, SYNC};
        const auto opcode = opcodes[random() % 6];
        s.submit(opcode | (random() & ~0x4ffull), random());
        s.w32(GERRORN, s.r32(GERROR));  // a refused command is taken back
    }
    EXPECT_LE(s.findings("WI-"), 256u);
    EXPECT_NE(s.json().find("\"lost\": "), std::string::npos);
}
