// SPDX-License-Identifier: GPL-2.0-or-later
#include "iommu/memory.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_host.hpp"

using namespace iommu;
using iommu::test::FakeHost;

TEST(GuestMemory, ReadsTheSameThroughTheRamMapAndThroughTheHost)
{
    FakeHost host(0x1000);
    GuestMemory memory(host);
    host.store64(Gpa{0x10}, 0x1122'3344'5566'7788);
    EXPECT_EQ(*memory.read64(Gpa{0x10}), 0x1122'3344'5566'7788u);
    host.map_into(memory);
    EXPECT_EQ(*memory.read64(Gpa{0x10}), 0x1122'3344'5566'7788u);
}

TEST(GuestMemory, AbortsPastTheEndOfRam)
{
    FakeHost host(0x1000);
    GuestMemory memory(host);
    host.map_into(memory);
    EXPECT_TRUE(memory.read64(Gpa{0xff8}));
    EXPECT_FALSE(memory.read64(Gpa{0x1000}));
    EXPECT_FALSE(memory.read64(Gpa{~0ull - 3}));
}

TEST(GuestMemory, CompareExchangeTellsWhatStoodThere)
{
    FakeHost host(0x1000);
    GuestMemory memory(host);
    host.map_into(memory);
    host.store64(Gpa{8}, 5);
    std::uint64_t expected = 4;
    EXPECT_FALSE(*memory.compare_exchange64(Gpa{8}, expected, 9));
    EXPECT_EQ(expected, 5u);
    EXPECT_TRUE(*memory.compare_exchange64(Gpa{8}, expected, 9));
    EXPECT_EQ(host.load64(Gpa{8}), 9u);
    ASSERT_EQ(host.dirty.size(), 1u);
    EXPECT_EQ(host.dirty[0].first, Gpa{8});
}

TEST(RamMap, AReadOnlyRegionIsNotWritable)
{
    FakeHost host(0x1000);
    RamMap map;
    const RamRegion rom{Gpa{0x8000}, 0x1000, host.at(Gpa{0}), false};
    map.assign(std::span(&rom, 1));
    EXPECT_EQ(map.find(Gpa{0x8ff8}, 8), host.at(Gpa{0xff8}));
    EXPECT_EQ(map.find_writable(Gpa{0x8ff8}, 8), nullptr);
    EXPECT_EQ(map.find(Gpa{0x8ffc}, 8), nullptr);
}
