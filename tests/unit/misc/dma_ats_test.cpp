// SPDX-License-Identifier: GPL-2.0-or-later
// The endpoint's address translation cache: what it gives out, and what an invalidation
// takes away.
#include "hw/misc/dma/ats.hpp"

#include <gtest/gtest.h>

namespace {

using namespace iommu;

constexpr Transaction read_of(std::uint64_t at, Substream whose = {})
{
    return {.address = Iova{at}, .access = Access::Read, .substream = whose};
}
constexpr Transaction write_of(std::uint64_t at, Substream whose = {})
{
    return {.address = Iova{at}, .access = Access::Write, .substream = whose};
}
constexpr Translation page_at(std::uint64_t output, bool write = true)
{
    return {Gpa{output}, 0xfff, true, write};
}

TEST(Atc, GivesTheAddressToAccessesOfItsKindAlone)
{
    dma::Atc atc;
    ASSERT_TRUE(atc.insert(atc.ticket(), read_of(0x1010), page_at(0x5010, false)));
    EXPECT_EQ(atc.find(read_of(0x1234)), Gpa{0x5234});
    EXPECT_EQ(atc.find(write_of(0x1234)), std::nullopt);
    EXPECT_EQ(atc.find(read_of(0x2000)), std::nullopt);
    EXPECT_EQ(atc.find(read_of(0x1234, {3, true})), std::nullopt);
    auto supervisor = read_of(0x1234);
    supervisor.privilege = Privilege::Privileged;
    EXPECT_EQ(atc.find(supervisor), std::nullopt);
    ASSERT_TRUE(atc.insert(atc.ticket(), write_of(0x1010), page_at(0x5010)));
    EXPECT_EQ(atc.counts().entries, 1u) << "in place of what was known";
    EXPECT_EQ(atc.find(write_of(0x1234)), Gpa{0x5234});
}

TEST(Atc, HoldsABoundedNumber)
{
    dma::Atc atc;
    for (std::uint64_t n = 0; n < 1000; ++n) {
        ASSERT_TRUE(atc.insert(atc.ticket(), read_of(n << 12), page_at(n << 12)));
    }
    EXPECT_EQ(atc.counts().entries, 64u);
    EXPECT_EQ(atc.find(read_of(999 << 12)), Gpa{999 << 12});
    EXPECT_EQ(atc.find(read_of(0)), std::nullopt);
}

TEST(Atc, AnInvalidationTakesWhatOverlapsAndHasItsPasid)
{
    const auto left = [](Substream whose, bool any, std::uint64_t base,
                         std::uint64_t bytes) {
        dma::Atc atc;
        for (const Substream s : {Substream{}, Substream{3, true}, Substream{4, true}}) {
            EXPECT_TRUE(atc.insert(atc.ticket(), read_of(0x40'0000, s),
                                   {Gpa{0x80'0000}, 0x1f'ffff, true, true}));
        }
        atc.invalidate(whose, any, Iova{base}, bytes);
        EXPECT_EQ(atc.counts().invalidations, 1u);
        return atc.counts().entries;
    };
    EXPECT_EQ(left({}, false, 0x40'5000, 0x1000), 2u);
    EXPECT_EQ(left({3, true}, false, 0x40'5000, 0x1000), 2u);
    EXPECT_EQ(left({5, true}, false, 0x40'5000, 0x1000), 3u);
    EXPECT_EQ(left({}, true, 0x40'5000, 0x1000), 1u);
    EXPECT_EQ(left({}, false, 0x60'0000, 0x1000), 3u);
    EXPECT_EQ(left({}, false, 0x3f'f000, 0x1000), 3u);
    EXPECT_EQ(left({}, false, 0, 0), 2u);
}

TEST(Atc, WhatAnInvalidationOvertookIsNotKept)
{
    dma::Atc atc;
    const auto ticket = atc.ticket();
    atc.invalidate({}, false, Iova{0x9000}, 0x1000);
    EXPECT_TRUE(atc.insert(ticket, read_of(0x1000), page_at(0x5000)));
    EXPECT_EQ(atc.counts().entries, 0u);
    const auto held = atc.hold();
    EXPECT_TRUE(atc.overtaken(ticket));
}

TEST(Atc, KeepsNothingSmallerThanItsUnitAndInvalidatesByUnits)
{
    dma::Atc atc;
    atc.set_unit(4);
    EXPECT_FALSE(atc.insert(atc.ticket(), read_of(0x1'0000), page_at(0x5'0000)));
    ASSERT_TRUE(
        atc.insert(atc.ticket(), read_of(0x1'0000), {Gpa{0x5'0000}, 0xffff, true, true}));
    atc.invalidate({}, false, Iova{0x2'0000}, 0x1000);
    EXPECT_EQ(atc.counts().entries, 1u);
    atc.invalidate({}, false, Iova{0x1'f000}, 0x1000);
    EXPECT_EQ(atc.counts().entries, 0u);
}

}  // namespace
