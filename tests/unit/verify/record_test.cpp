// SPDX-License-Identifier: GPL-2.0-or-later
// The record as bytes in a file: docs/specs/record.rst.
#include "tests/unit/verify/record_file.hpp"
#include "tests/unit/verify/smmuv3_site.hpp"

using namespace iommu;
using namespace iommu::test;

TEST(Record, BeginsWithMagicVersionAndDevice)
{
    RecordFile file;
    SmmuSite s;
    ASSERT_EQ(s.watch.record(file.path), "");
    const auto bytes = file.bytes();
    ASSERT_EQ(bytes.size(), 32u);
    EXPECT_EQ(bytes.substr(0, 8), std::string("WIREC\r\n\x1a"));
    EXPECT_EQ(number(bytes, 8, 4), 1u);
    EXPECT_EQ(number(bytes, 12, 4), 1u);
    EXPECT_GT(number(bytes, 16, 8), 1'600'000'000'000'000'000u);
}

TEST(Record, HoldsCommandsMapsFaultsFindingsAndCounts)
{
    RecordFile file;
    {
        SmmuSite s;
        ASSERT_EQ(s.watch.record(file.path), "");
        s.map(0, SmmuSite::pages);
        ASSERT_TRUE(s.access(0));
        ASSERT_TRUE(s.access(0, true));  // nothing new
        ASSERT_FALSE(s.access(1, true));
        s.unmap(0);
        s.flush(1);
        ASSERT_TRUE(s.access(0));
    }
    const auto all = records_of(file.bytes());
    std::vector<unsigned> types;
    for (const auto& e : all) {
        types.push_back(e.type);
    }
    ASSERT_EQ(types, (std::vector<unsigned>{3, 2, 1, 4, 5, 6}));
    const auto& map = all[0].payload;
    ASSERT_EQ(map.size(), 40u);
    EXPECT_EQ(number(map, 0, 4), 3u);            // StreamID
    EXPECT_EQ(number(map, 4, 4), 0xffff'ffffu);  // no SubstreamID
    EXPECT_EQ(number(map, 12, 4), 5u);           // ASID
    EXPECT_EQ(number(map, 16, 8), SmmuSite::va);
    EXPECT_EQ(number(map, 24, 8), SmmuSite::pages);
    EXPECT_EQ(number(map, 32, 4), 12u);
    EXPECT_EQ(number(map, 36, 4), 3u);
    const auto& fault = all[1].payload;
    EXPECT_EQ(number(fault, 0, 4), 3u);
    EXPECT_EQ(number(fault, 8, 8), SmmuSite::va + 0x1000);
    EXPECT_EQ(number(fault, 16, 4), 0x10u);  // F_TRANSLATION
    EXPECT_EQ(number(fault, 20, 4), 1u);     // a write
    EXPECT_EQ(number(fault, 24, 1), 0x10u);  // the event as software finds it
    ASSERT_EQ(number(fault, 56, 8), 6u);     // STE, CD, four levels
    EXPECT_EQ(number(fault, 64, 8), SmmuSite::strtab + 3 * 64);
    EXPECT_EQ(number(fault, 72, 8), 8u);
    const auto leaf = fault.size() - 24;
    EXPECT_EQ(number(fault, leaf, 8), SmmuSite::root + 0x3008);
    EXPECT_EQ(number(fault, leaf + 8, 8), 1u);
    EXPECT_EQ(number(fault, leaf + 16, 8), 0u);
    EXPECT_EQ(number(all[2].payload, 0, 8), TLBI_NH_VA | 5ull << 48);
    EXPECT_NE(all[3].payload.find("\"id\": \"WI-SMMU-STALE-TLB\""), std::string::npos);
    EXPECT_EQ(number(all[4].payload, 8, 8), 4u);
    EXPECT_EQ(number(all[4].payload, 16, 8), 1u);
}

TEST(Record, IsInTheFileAfterEachTick)
{
    RecordFile file;
    SmmuSite s;
    ASSERT_EQ(s.watch.record(file.path), "");
    s.map(0, SmmuSite::pages);
    s.access(0);
    s.watch.tick();
    EXPECT_EQ(records_of(file.bytes()).size(), 2u);  // the mapping and the counts
    s.sync();
    s.watch.tick();
    EXPECT_EQ(records_of(file.bytes()).size(), 3u);
}

TEST(Record, WithVerifyOffFindsNothing)
{
    RecordFile file;
    {
        SmmuSite s(false);
        ASSERT_EQ(s.watch.record(file.path), "");
        s.map(0, SmmuSite::pages);
        s.access(0);
        s.unmap(0);
        s.access(0);
        s.w32(CR0, s.r32(CR0) | 1u << 20);
        EXPECT_TRUE(s.silent());
    }
    for (const auto& e : records_of(file.bytes())) {
        EXPECT_NE(e.type, 4u);
    }
}

TEST(Record, SaysWhyAFileCannotBeWritten)
{
    SmmuSite s;
    EXPECT_EQ(s.watch.record("/nonexistent/record"),
              "cannot write /nonexistent/record: No such file or directory");
}
