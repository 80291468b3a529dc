// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3: a whole translation, its caches and their invalidation.
#include <gtest/gtest.h>

#include "tests/support/smmu_tables.hpp"

namespace iommu::smmu {
namespace {

using namespace test;
using Kind = Outcome::Kind;

constexpr std::uint64_t va = 0x1234'5678'9000;

class Translate : public ::testing::Test {
protected:
    Guest guest;
    StreamEntry stream{StreamId{3}};

    std::uint64_t use_stage1(unsigned asid = 5)
    {
        const auto root = guest.table();
        guest.ste(3, Guest::s1_ste());
        guest.cd(0, Guest::s1_cd(root, asid));
        return root;
    }
    std::uint64_t use_stage2()
    {
        const auto root = guest.table(1 << 12);
        guest.ste(3, Guest::s2_ste(root));
        return root;
    }
    struct Roots {
        std::uint64_t s1, s2;
    };
    Roots use_both()
    {
        const Roots roots{guest.table(), guest.table()};
        guest.ste(3, Guest::nested_ste(roots.s2));
        guest.cd(0, Guest::s1_cd(roots.s1));
        guest.identity_s2(roots.s2);
        return roots;
    }
    Outcome run(Transaction t) { return guest.translate(stream, t); }
    std::uint64_t output(Transaction t)
    {
        const auto o = run(t);
        EXPECT_NE(o.kind, Kind::Aborted);
        return o.translation.output.value;
    }
    Fault fault(Transaction t)
    {
        const auto o = run(t);
        EXPECT_EQ(o.kind, Kind::Aborted);
        EXPECT_TRUE(o.record);
        return o.record.value_or(Fault{});
    }
};

TEST_F(Translate, Stage1GivesTheOutputAndItsBlock)
{
    guest.map_s1(use_stage1(), va, 0x8000'1000);
    for (int i = 0; i < 3; ++i) {  // walked, then cached
        const auto o = run(reading(va | 0xabc));
        EXPECT_EQ(o.kind, Kind::Translated);
        EXPECT_EQ(o.translation.output.value, 0x8000'1abcu);
        EXPECT_EQ(o.translation.mask, 0xfffu);
        EXPECT_TRUE(o.translation.read);
        EXPECT_TRUE(o.translation.write);
    }
}

TEST_F(Translate, Stage2AloneTakesTheInputAsIpa)
{
    guest.map_s2(use_stage2(), 0x4000'2000, 0x8000'1000);
    EXPECT_EQ(output(reading(0x4000'2345)), 0x8000'1345u);
    EXPECT_EQ(output(reading(0x4000'2345)), 0x8000'1345u);
}

TEST_F(Translate, NestedGoesThroughBothAndTakesTheSmallerBlock)
{
    const auto roots = use_both();
    guest.map_s1(roots.s1, va & ~0x1f'ffffull, 0x4000'0000, pte_s1, 2);
    guest.map_s2(roots.s2, 0x4000'0000 | (va & 0x1f'f000), 0x8000'1000);
    for (int i = 0; i < 2; ++i) {
        const auto o = run(reading(va | 0xabc));
        EXPECT_EQ(o.translation.output.value, 0x8000'1abcu);
        EXPECT_EQ(o.translation.mask, 0xfffu);
    }
}

}  // namespace
}  // namespace iommu::smmu
