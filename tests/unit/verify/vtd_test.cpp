// SPDX-License-Identifier: GPL-2.0-or-later
// Verify mode of the VT-d unit: each rule is triggered once, and once it must not be.
#include <random>

#include "tests/unit/verify/record_file.hpp"
#include "tests/unit/verify/vtd_site.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {
constexpr auto iova = LegacySite::iova, entries = LegacySite::entries;
}

TEST(Verify_Vtd, ADriverThatDoesEverythingRightIsNotBlamed)
{
    LegacySite s;
    for (unsigned round = 0; round < 4; ++round) {
        for (unsigned n = 0; n < 8; ++n) {
            s.put(entries + n * 8, {0x50'0003 + (n ^ round) * 0x1000});
            EXPECT_TRUE(s.dma(iova + n * 0x1000, true));
            EXPECT_TRUE(s.dma(iova + n * 0x1000));
        }
        for (unsigned n = 0; n < 8; ++n) {
            s.put(entries + n * 8, {0});
            s.flush(iova + n * 0x1000);
            s.wait();
            EXPECT_FALSE(s.dma(iova + n * 0x1000));
        }
    }
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_5, AForgottenInvalidationIsNamedOnceWithItsEvidence)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.put(entries, {0});
    s.flush(iova + 0x1000);
    s.wait();
    EXPECT_TRUE(s.dma(iova));
    EXPECT_TRUE(s.dma(iova));
    EXPECT_EQ(s.findings("WI-VTD-STALE-IOTLB"), 1u);
    const auto json = s.json();
    EXPECT_NE(json.find("\"requester\": \"0x10\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"domain\": \"0x5\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"old-descriptor\": \"0x500003\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"new-descriptor\": \"0x0\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"name\": \"IOTLB invalidation\""), std::string::npos) << json;
    ASSERT_EQ(s.lines.size(), 1u);
}

TEST(Verify_Vtd_6_5, AnAccessBetweenTheChangeAndItsInvalidationIsNoMistake)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.put(entries, {0});
    EXPECT_TRUE(s.dma(iova));
    s.flush(iova);
    s.wait();
    EXPECT_FALSE(s.dma(iova));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_5, AnotherDomainsInvalidationDoesNotCount)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.put(entries, {0});
    s.submit(0x22 | 6ull << 16, 0);
    s.wait();
    EXPECT_TRUE(s.dma(iova));
    EXPECT_EQ(s.findings("WI-VTD-STALE-IOTLB"), 1u);
}

TEST(Verify_Vtd_6_5_1, TheRegistersInvalidateAsWell)
{
    LegacySite s;
    s.w32(GCMD, s.r32(GSTS) & 0x96ff'ffff & ~QIE);
    ASSERT_TRUE(s.dma(iova));
    s.put(entries, {0x51'0003});
    s.w64(IVA, iova);
    s.w64(IOTLB, 1ull << 63 | 3ull << 60 | 5ull << 32);
    EXPECT_TRUE(s.dma(iova));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_5, AContextEntryChangedUnannouncedIsNamed)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.context(0x10, 0x10001, 0x602);
    EXPECT_TRUE(s.dma(iova));
    EXPECT_EQ(s.findings("WI-VTD-STALE-CONTEXT"), 1u);
}

TEST(Verify_Vtd_6_5, AnAnnouncedContextEntryIsNot)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.context(0x10, 0, 0);
    s.submit(0x31 | 5ull << 16 | 0x10ull << 32, 0);
    s.submit(0x22 | 5ull << 16, 0);
    s.wait();
    EXPECT_FALSE(s.dma(iova));
    s.context(0x10, 0x10001, 0x602);  // present again: nothing to tell
    EXPECT_TRUE(s.dma(iova));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_5, APasidEntryChangedUnannouncedIsNamed)
{
    ScalableSite s;
    s.first_tables();
    s.pasid(0, FIRST, 3, 0x10000);
    ASSERT_TRUE(s.dma(0x4000'0000));
    EXPECT_TRUE(s.silent()) << s.json();
    s.pasid(0, FIRST, 4, 0x10000);
    EXPECT_TRUE(s.dma(0x4000'0000));
    EXPECT_EQ(s.findings("WI-VTD-STALE-CONTEXT"), 1u);
}

TEST(Verify_Vtd_6_5_2_4, AFirstStageIsInvalidatedByPasid)
{
    ScalableSite s;
    s.first_tables();
    s.pasid(7, FIRST, 3, 0x10000);
    ASSERT_TRUE(s.tagged(0x4000'0000, {7, true}, true));
    s.put(0x13000, {0});
    s.submit(0x36 | 3ull << 16 | 8ull << 32, 0x4000'0000);  // PASID 8
    s.wait();
    EXPECT_TRUE(s.tagged(0x4000'0000, {7, true}, true));
    EXPECT_EQ(s.findings("WI-VTD-STALE-IOTLB"), 1u);
    s.submit(0x36 | 3ull << 16 | 7ull << 32, 0x4000'0000);
    s.wait();
    EXPECT_FALSE(s.tagged(0x4000'0000, {7, true}, true));
    EXPECT_EQ(s.findings("WI-VTD-STALE-IOTLB"), 1u);
}

TEST(Verify_Vtd_3_6_2, FlagsThatTheUnitSetsAreNoChange)
{
    ScalableSite s;
    s.first_tables();
    s.pasid(0, FIRST, 3, 0x10000);
    ASSERT_TRUE(s.dma(0x4000'0000));
    ASSERT_TRUE(s.dma(0x4000'0000, true));  // sets D
    ASSERT_TRUE(s.dma(0x4000'0000));
    EXPECT_EQ(s.get(0x13000) & 0x60, 0x60u);
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_3_6_2, LookingSetsNoFlags)
{
    ScalableSite s;
    s.first_tables();
    s.pasid(0, FIRST, 3, 0x10000);
    ASSERT_TRUE(s.dma(0x4000'0000, true));
    s.put(0x13000, {0x50'0007});  // A and D taken back
    ASSERT_TRUE(s.dma(0x4000'0000, true));
    EXPECT_EQ(s.get(0x13000), 0x50'0007u);
    EXPECT_FALSE(s.dma(0x4000'8000));
    s.clear_faults();
    EXPECT_EQ(s.reason(), 0u);
}

TEST(Verify_Vtd_6_5_2_8, ReuseBeforeTheWaitIsNamed)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.put(entries, {0});
    s.flush(iova);
    s.put(entries, {0x51'0003});
    EXPECT_TRUE(s.dma(iova));
    EXPECT_EQ(s.findings("WI-VTD-NO-WAIT"), 1u);
}

TEST(Verify_Vtd_6_5_2_8, ReuseAfterTheWaitIsNot)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.put(entries, {0});
    s.flush(iova);
    s.wait();
    s.put(entries, {0x51'0003});
    EXPECT_TRUE(s.dma(iova));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_2_1, TwoTablesUnderOneDomainAreNamed)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.context(0x18, 0x15001, 0x502);
    s.dma(iova, false, 0x18);
    EXPECT_EQ(s.findings("WI-VTD-DOMAIN-SHARED"), 1u);
}

TEST(Verify_Vtd_6_2_1, OneTableForTwoRequestersIsFine)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.context(0x18, 0x10001, 0x502);
    ASSERT_TRUE(s.dma(iova, false, 0x18));
    s.context(0x20, 0x15001, 0x602);
    s.dma(iova, false, 0x20);
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_7_1_3, ReservedBitsAndWhatIsNotSupportedAreNamed)
{
    LegacySite s;
    s.put(entries + 8, {0x50'1003 | 1ull << 50});
    EXPECT_FALSE(s.dma(iova + 0x1000));
    EXPECT_EQ(s.findings("WI-VTD-RESERVED"), 1u);
    s.context(0x18, 0x10001, 0x507);  // AW 111b
    EXPECT_FALSE(s.dma(iova, false, 0x18));
    EXPECT_EQ(s.findings("WI-VTD-INCONSISTENT"), 1u);
}

TEST(Verify_Vtd_7_1_3, WhatIsNotPresentIsNeither)
{
    LegacySite s;
    EXPECT_FALSE(s.dma(iova + 0x3000));
    EXPECT_FALSE(s.dma(iova, false, 0x18));
    EXPECT_FALSE(s.dma(iova, false, 0x110));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_5_2, AScopeNobodyUsedIsNamedWhenItLeavesSomethingStale)
{
    LegacySite s;
    ASSERT_TRUE(s.dma(iova));
    s.flush(iova, 9);
    s.wait();
    EXPECT_EQ(s.findings("WI-VTD-SCOPE"), 0u);
    s.put(entries, {0});
    s.flush(iova, 10);
    s.wait();
    EXPECT_EQ(s.findings("WI-VTD-SCOPE"), 1u);
}

TEST(Verify_Vtd_11_4, RegistersWrittenInTheWrongStateAreNamed)
{
    LegacySite s;
    EXPECT_TRUE(s.silent()) << s.json();
    s.w64(IQA, 0x8000);  // the queue runs
    EXPECT_EQ(s.findings("WI-VTD-REG-STATE"), 1u);
    s.w64(IOTLB, 1ull << 63 | 1ull << 60);
    EXPECT_EQ(s.findings("WI-VTD-REG-STATE"), 2u);
    s.w32(GCMD, SRTP);  // and TE and QIE go: three at once
    EXPECT_EQ(s.findings("WI-VTD-REG-STATE"), 3u);
}

TEST(Verify_Vtd_11_4, ReservedRegisterBitsAreNamed)
{
    LegacySite s;
    s.w64(RTADDR, 0x1001);
    EXPECT_EQ(s.findings("WI-VTD-REG-RESERVED"), 1u);
    s.w64(RTADDR, 0x1000);
    EXPECT_EQ(s.findings("WI-VTD-REG-RESERVED"), 1u);
}

namespace {

struct InterruptSite : LegacySite {
    InterruptSite()
    {
        put(0x6000, {0x0000'0200'0031'0001, 0x4'0010});
        w64(IRTA, 0x6003);
        w32(GCMD, (r32(GSTS) & 0x96ff'ffff) | SIRTP);
        w32(GCMD, (r32(GSTS) & 0x96ff'ffff) | IRE);
    }
    // What the C interface does for each message.
    std::optional<vtd::Message> interrupt()
    {
        const vtd::Message request{Gpa{0xfee0'0010}, 0};
        const auto answer = unit.remap_interrupt(SourceId{0x10}, request);
        watch.interrupt(SourceId{0x10}, request, answer);
        return answer;
    }
};

}  // namespace

TEST(Verify_Vtd_6_5_2_7, AnEntryChangedWithoutIecIsNamed)
{
    InterruptSite s;
    ASSERT_TRUE(s.interrupt());
    s.put(0x6000, {0x0000'0300'0042'0001, 0x4'0010});
    const auto stale = s.interrupt();
    ASSERT_TRUE(stale);
    EXPECT_EQ(stale->data & 0xff, 0x31u);
    s.wait();
    s.wait();
    EXPECT_TRUE(s.lines.empty());  // an interrupt may come before its invalidation
    EXPECT_EQ(s.findings("WI-VTD-STALE-IRTE"), 1u);
    EXPECT_NE(s.json().find("\"old-entry\": \"0x20000310001\""), std::string::npos)
        << s.json();
}

TEST(Verify_Vtd_6_5_2_7, AnInvalidatedEntryIsNot)
{
    InterruptSite s;
    ASSERT_TRUE(s.interrupt());
    s.put(0x6000, {0x0000'0300'0042'0001, 0x4'0010});
    ASSERT_TRUE(s.interrupt());
    s.submit(0x14, 0);  // index 0
    s.wait();
    const auto now = s.interrupt();
    ASSERT_TRUE(now);
    EXPECT_EQ(now->data & 0xff, 0x42u);
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Record_Vtd, HoldsTheWalkAndInterruptFaults)
{
    RecordFile file;
    {
        LegacySite s;
        ASSERT_EQ(s.watch.record(file.path), "");
        ASSERT_FALSE(s.dma(LegacySite::iova + 0x3000));
        s.put(0x6000, {0, 0});
        s.w64(IRTA, 0x6003);
        s.w32(GCMD, (s.r32(GSTS) & 0x96ff'ffff) | SIRTP);
        s.w32(GCMD, (s.r32(GSTS) & 0x96ff'ffff) | IRE);
        EXPECT_FALSE(s.unit.remap_interrupt(SourceId{0x10}, {Gpa{0xfee0'0010}, 0}));
    }
    EXPECT_EQ(number(file.bytes(), 12, 4), 2u);  // the device
    const auto all = records_of(file.bytes());
    ASSERT_GE(all.size(), 2u);
    ASSERT_EQ(all[0].type, 2u);
    EXPECT_EQ(number(all[0].payload, 16, 4), 6u);
    EXPECT_EQ(number(all[0].payload, 56, 8), 6u);  // root, context, four levels
    ASSERT_EQ(all[1].type, 2u);
    EXPECT_EQ(number(all[1].payload, 16, 4), 0x22u);
    EXPECT_EQ(number(all[1].payload, 0, 4), 0x10u);
}

TEST(Verify_Vtd, ANonsensicalGuestDoesNoHarm)
{
    ScalableSite s;
    std::mt19937_64 random(7);
    for (unsigned round = 0; round < 3000; ++round) {
        const auto at = 0x1000 + random() % 0x7000 / 8 * 8;
        s.put(at, {random() % 3 == 0 ? random() : (random() & 0x3'f000) | 0x49});
        s.tagged(random() % 0x10'0000,
                 {static_cast<std::uint32_t>(random() % 80), random() % 2 != 0},
                 random() % 2 != 0, static_cast<unsigned>(random() % 32));
        constexpr std::uint64_t types[] = {1, 2, 4, 5, 6, 7};
        s.submit(types[random() % 6] | (random() & ~0xfffull) | random() % 4 << 4,
                 random());
        s.w32(FSTS, 0x71);  // a refused descriptor is taken back
        if (round % 64 == 0) {
            s.w64(IQT, s.r64(IQH));
        }
        const vtd::Message request{Gpa{0xfee0'0000 | (random() & 0xfffff)},
                                   static_cast<std::uint32_t>(random())};
        s.watch.interrupt(SourceId{0x10}, request,
                          s.unit.remap_interrupt(SourceId{0x10}, request));
    }
    EXPECT_LE(s.findings("WI-"), 256u);
}

TEST(Verify_Vtd_4_1, AFunctionsOwnCacheIsServedAsWithoutAWatch)
{
    auto c = plain();
    c.device_iotlb = true;
    Watched<Board> s(c);
    s.legacy_4k();
    s.context(0x10, 0x10001 | 1 << 2, 0x502);  // TT 01b
    s.w64(CCMD, 1ull << 63 | 1ull << 61);
    auto* watched = s.watch.stream(s.stream(), 0x10);
    const Transaction t{.address = Iova{iova}};
    const auto expected = s.stream().request_translation(t);
    ASSERT_EQ(expected.status, AtsStatus::Success);
    EXPECT_EQ(watched->request_translation(t).status, AtsStatus::Success);
    EXPECT_EQ(watched->request_translation(t).translation.output,
              expected.translation.output);
    EXPECT_EQ(watched->admit_translated(t), s.stream().admit_translated(t));
    EXPECT_EQ(watched->admit_translated(t), Stream::Result::Ok);
}
