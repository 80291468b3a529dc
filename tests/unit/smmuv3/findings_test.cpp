// SPDX-License-Identifier: GPL-2.0-or-later
// What the oracle and the fuzzers found, each kept as the smallest case that shows it.
#include <gtest/gtest.h>

#include "tests/support/smmu_tables.hpp"

namespace iommu::smmu {
namespace {

using namespace test;
using Kind = Outcome::Kind;

class Findings : public ::testing::Test {
protected:
    Guest guest;
    StreamEntry stream{StreamId{3}};
};

// The CD lies at an IPA that stage 2 does not map.
TEST_F(Findings, Smmu_5_5_S2rSilencesStage2FaultsOfTheCdFetch)
{
    auto ste = Guest::nested_ste(guest.table());
    guest.ste(3, ste);
    const auto loud = guest.translate(stream, reading(0x1000));
    EXPECT_EQ(loud.kind, Kind::Aborted);
    ASSERT_TRUE(loud.record);
    EXPECT_EQ(loud.record->id, EventId::F_TRANSLATION);
    EXPECT_EQ(loud.record->purpose, Purpose::CdFetch);

    ste.dword[2] &= ~bit(58);  // S2R
    guest.ste(3, ste);
    guest.translator.configure(guest.settings);
    const auto silent = guest.translate(stream, reading(0x1000));
    EXPECT_EQ(silent.kind, Kind::Aborted);
    EXPECT_FALSE(silent.record);
}

TEST_F(Findings, Smmu_3_4_3_L2PtrBeyondTheOutputSizeIsABadSubstream)
{
    auto ste = Guest::s1_ste(8);
    ste.dword[0] |= 1 << 4;  // S1Fmt: two levels, leaves of 4 KiB
    guest.ste(3, ste);
    guest.store(Guest::cd_table, bit(50) | 0x5000 | 1);
    const auto outcome = guest.translate(stream, with_substream(reading(0x1000), 9));
    EXPECT_EQ(outcome.kind, Kind::Aborted);
    ASSERT_TRUE(outcome.record);
    EXPECT_EQ(outcome.record->id, EventId::C_BAD_SUBSTREAMID);
    EXPECT_EQ(outcome.record->substream.value, 9u);
}

}  // namespace
}  // namespace iommu::smmu
