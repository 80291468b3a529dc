// SPDX-License-Identifier: GPL-2.0-or-later
// One stream behind a translator, for tests of whole translations.
#pragma once

#include <gtest/gtest.h>

#include "tests/support/smmu_tables.hpp"

namespace iommu::smmu::test {

using Kind = Outcome::Kind;

inline constexpr std::uint64_t va = 0x1234'5678'9000;

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

// QEMU cuts a refused DMA: each piece is refused for its own address, and no longer than
// the descriptor that refused stands.
inline Transaction piece(Transaction t)
{
    t.delivery = Delivery::Pieces;
    return t;
}

}  // namespace iommu::smmu::test
