// SPDX-License-Identifier: GPL-2.0-or-later
// What the oracle and the fuzzers found, each kept as the smallest case that shows it.
#include "tests/unit/vtd/scalable_board.hpp"

using namespace iommu;
using namespace iommu::test;

TEST(Findings, Vtd_9_3_AwBoundsPassThroughToo)
{
    Board b;
    b.legacy_4k();
    b.context(0x10, 0x9, 0x502);
    EXPECT_TRUE(b.read(0xffff'ffff'f000).ok);
    for (int i = 0; i < 2; ++i) {  // the second one by what is cached
        EXPECT_FALSE(b.read(0x1'0000'0000'0000).ok);
        EXPECT_EQ(b.take_reason(), 0x04u);
    }
    ScalableBoard s;
    s.pasid(0, PASS, 1);
    EXPECT_FALSE(s.read(0x1'0000'0000'0000).ok);
    EXPECT_EQ(s.take_reason(), 0x83u);
}

TEST(Findings, Vtd_9_4_RidPrivMakesRequestsSupervisor)
{
    ScalableBoard b;
    b.first_tables();
    b.pasid(0, FIRST, 7, 0x10001);  // SRE
    EXPECT_EQ(b.refused(0x4000'2000), 0x81u);
    b.context(0x4009, 1u << 20);
    EXPECT_EQ(b.refused(0x4000'2000), 0u);
    EXPECT_TRUE(b.read(0x4000'2008).ok);  // from the cache
}

TEST(Findings, Pcie_6_20_2_4_ExecuteRequestedMeansNothingInAWrite)
{
    ScalableBoard b;
    b.first_tables();
    b.pasid(5, FIRST, 7, 0x10000);  // ERE clear
    const auto fetch = Content::Instruction;
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Read, 5, Privilege::User, fetch),
              0x5cu);
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Write, 5, Privilege::User, fetch), 0u);
}

// A supervisor page that the second stage lets be written only: from the rights of both,
// cached, nobody can tell that it was the first stage that refused a user's read.
TEST(Findings, Vtd_7_1_3_ACachedRefusalHasTheReasonOfTheTables)
{
    ScalableBoard b;
    b.first_tables();
    b.second_tables();
    b.put(0x22010, {0x60'0082});  // 0x40'0000 and up: write only
    b.pasid(1, NESTED | 0x20000, 7, 0x10001);
    b.flush();
    EXPECT_TRUE(b.with_pasid(0x4000'2000, Access::Write, 1, Privilege::Privileged).ok);
    EXPECT_FALSE(b.with_pasid(0x4000'2000, Access::Read, 1).ok);
    EXPECT_EQ(b.take_reason(), 0x81u);
}
