// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/common/pieces.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace {

using namespace iommu;

constexpr int one = 1, other = 2;

Transaction at(std::uint64_t address)
{
    Transaction t;
    t.address = Iova{address};
    t.delivery = Delivery::Pieces;
    return t;
}

class Pieces : public ::testing::Test {
protected:
    Pieces() { RefusedPieces::begin(); }
    static bool more(std::uint64_t address, std::uint64_t epoch = 0)
    {
        return RefusedPieces::continues(&one, at(address), epoch);
    }
};

TEST_F(Pieces, TheFirstIsRecordedTheRestIsNot)
{
    EXPECT_FALSE(more(0x1000));
    for (std::uint64_t a = 0x1004; a < 0x1040; a += 4) {
        EXPECT_TRUE(more(a)) << a;
    }
}

TEST_F(Pieces, WholeAccessesAreAllRecorded)
{
    for (std::uint64_t a = 0x1000; a < 0x1010; a += 4) {
        auto whole = at(a);
        whole.delivery = Delivery::Whole;
        EXPECT_FALSE(RefusedPieces::continues(&one, whole, 0)) << a;
    }
}

TEST_F(Pieces, UnalignedAccessesAreCutUnevenly)
{
    EXPECT_FALSE(more(0x1003));
    EXPECT_TRUE(more(0x1004));
    EXPECT_TRUE(more(0x1008));
    EXPECT_TRUE(more(0x1010));
}

TEST_F(Pieces, TheSameAddressAgainIsAnotherAccess)
{
    EXPECT_FALSE(more(0x1000));
    EXPECT_FALSE(more(0x1000));
}

TEST_F(Pieces, BackwardsOrFarAwayIsAnotherAccess)
{
    EXPECT_FALSE(more(0x1010));
    EXPECT_FALSE(more(0x1008));
    EXPECT_FALSE(more(0x1011));
}

TEST_F(Pieces, ThePageEndsTheAccess)
{
    EXPECT_FALSE(more(0x1ffc));
    EXPECT_FALSE(more(0x2000));
    EXPECT_TRUE(more(0x2004));
}

TEST_F(Pieces, AnythingElseThatDiffersIsAnotherAccess)
{
    EXPECT_FALSE(more(0x1000));
    EXPECT_FALSE(RefusedPieces::continues(&other, at(0x1004), 0));
    auto write = at(0x1008);
    write.access = Access::Write;
    EXPECT_FALSE(RefusedPieces::continues(&other, write, 0));
    auto privileged = write;
    privileged.address = Iova{0x100c};
    privileged.privilege = Privilege::Privileged;
    EXPECT_FALSE(RefusedPieces::continues(&other, privileged, 0));
    auto fetch = privileged;
    fetch.address = Iova{0x1010};
    fetch.content = Content::Instruction;
    EXPECT_FALSE(RefusedPieces::continues(&other, fetch, 0));
    auto pasid = fetch;
    pasid.address = Iova{0x1014};
    pasid.substream = {1, true};
    EXPECT_FALSE(RefusedPieces::continues(&other, pasid, 0));
    pasid.address = Iova{0x1018};
    EXPECT_TRUE(RefusedPieces::continues(&other, pasid, 0));
}

TEST_F(Pieces, SoftwareHavingASayEndsTheAccess)
{
    EXPECT_FALSE(more(0x1000, 7));
    EXPECT_TRUE(more(0x1004, 7));
    EXPECT_FALSE(more(0x1008, 8));
}

TEST_F(Pieces, BeginEndsTheAccess)
{
    EXPECT_FALSE(more(0x1000));
    RefusedPieces::begin();
    EXPECT_FALSE(more(0x1004));
}

TEST_F(Pieces, ThreadsAreApart)
{
    EXPECT_FALSE(more(0x1000));
    std::thread([] { EXPECT_FALSE(more(0x1004)); }).join();
    EXPECT_TRUE(more(0x1004));
}

}  // namespace
