// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.1 "Caching Mode": the copy of a second stage that a host is kept up to date on.
#include "tests/unit/vtd/scalable_board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

vtd::Configuration caching(vtd::Configuration c = plain())
{
    c.caching_mode = true;
    return c;
}

struct CopyHost {
    std::vector<MappedBlock> replayed;
};

std::vector<MappedBlock> replay(Stream& s)
{
    CopyHost to;
    s.replay_mappings(
        [](void* opaque, const MappedBlock& b) {
            static_cast<CopyHost*>(opaque)->replayed.push_back(b);
        },
        &to);
    return to.replayed;
}

using Blocks = std::vector<MappedBlock>;
constexpr MappedBlock gone(std::uint64_t at)
{
    return {Iova{at}, Gpa{}, 0xfff, false, false};
}
constexpr MappedBlock page(std::uint64_t at, std::uint64_t to, bool write = true)
{
    return {Iova{at}, Gpa{to}, 0xfff, true, write};
}

struct Copied : Board {
    explicit Copied(const vtd::Configuration& c = caching()) : Board(c)
    {
        legacy_4k();
        queue();
        stream().want_mappings(true);
        replay(stream());
        host.changes.clear();
    }
    Blocks told(std::uint64_t low, std::uint64_t high = 0)
    {
        host.changes.clear();
        submit(low, high);
        return host.changes;
    }
};

}  // namespace

TEST(Vtd_6_1_CachingMode, DecidesWhetherMappingsCanBeTold)
{
    EXPECT_EQ(Board(caching()).unit.refuse_mappings(), nullptr);
    EXPECT_NE(Board().unit.refuse_mappings(), nullptr);
}

TEST(Vtd_6_1_CachingMode, TheFirstReplayTellsEveryListenerOnce)
{
    Board b(caching());
    b.legacy_4k();
    b.stream().want_mappings(true);
    EXPECT_EQ(replay(b.stream()), Blocks{}) << "told to all, not to one";
    const Blocks present = {page(0x4000'0000, 0x50'0000),
                            page(0x4000'1000, 0x50'1000, false),
                            {Iova{0x4000'2000}, Gpa{0x50'2000}, 0xfff, false, true}};
    EXPECT_EQ(b.host.changes, present);
    EXPECT_EQ(replay(b.stream()), present);
    EXPECT_EQ(b.host.changes.size(), 3u);
}

TEST(Vtd_6_1_CachingMode, OnlyTheDomainThatWasInvalidatedIsLookedAt)
{
    Copied b;
    b.put(0x13000, {0x51'0003});
    EXPECT_EQ(b.told(6 << 16 | 0x22), Blocks{});
    EXPECT_EQ(b.told(5 << 16 | 0x32, 0x4000'1000), Blocks{}) << "the page beside it";
    EXPECT_EQ(b.told(5 << 16 | 0x32, 0x4000'0000),
              (Blocks{gone(0x4000'0000), page(0x4000'0000, 0x51'0000)}));
}

TEST(Vtd_6_1_CachingMode, EveryWayToTurnTranslationOffEndsTheMappings)
{
    for (const bool by_reset : {false, true}) {
        Copied b;
        by_reset ? b.unit.reset() : b.w32(GCMD, QIE);
        EXPECT_EQ(b.host.changes,
                  (Blocks{gone(0x4000'0000), gone(0x4000'1000), gone(0x4000'2000)}));
    }
}

TEST(Vtd_6_1_CachingMode, WhatWouldFaultIsNotMapped)
{
    Copied b;
    b.put(0x13000, {0, 0xfee0'0003, 1ull << 50 | 0x50'0003, 0x50'0000});
    EXPECT_EQ(b.told(0x12),
              (Blocks{gone(0x4000'0000), gone(0x4000'1000), gone(0x4000'2000)}));
    b.put(0x13000, {0x50'0003});
    b.put(0x12000, {0x13001});  // the table takes the right to write away
    EXPECT_EQ(b.told(0x12), (Blocks{page(0x4000'0000, 0x50'0000, false)}));
}

TEST(Vtd_6_1_CachingMode, FirstStagesAndPassThroughAreNotCopied)
{
    ScalableBoard b(caching(scalable()));
    b.second_tables();
    b.pasid(0, SECOND | 0x20000, 5);
    b.stream().want_mappings(true);
    replay(b.stream());
    EXPECT_EQ(b.host.changes.size(), 3u);
    b.first_tables();
    for (const auto kind : {FIRST, NESTED, PASS}) {
        b.pasid(0, SECOND | 0x20000, 5);
        b.flush();
        b.host.changes.clear();
        b.pasid(0, kind | (kind == NESTED ? 0x20000 : 0), 5, 0x10000);
        b.flush();
        EXPECT_EQ(b.host.changes.size(), 3u) << std::hex << kind;
        EXPECT_FALSE(b.host.changes.back().read);
    }
}

// 128 descriptors in one doorbell, each for 2^27 pages: one attempt, and one afterwards.
TEST(Vtd_6_1_CachingMode, OneDoorbellCostsABoundedNumberOfEntries)
{
    Copied b;
    for (unsigned i = 0; i < 512; ++i) {
        b.put(0x11000 + 8 * i, {0x12003});
        b.put(0x12000 + 8 * i, {0x13003});
        b.put(0x13000 + 8 * i, {0x50'0003});
    }
    for (unsigned i = 0; i < 128; ++i) {
        b.put(0x8000 + 16 * i, {0x12, 0});
    }
    b.w64(IQT, 128 * 16);
    ASSERT_EQ(b.host.changes.size(), 1u);
    EXPECT_EQ(b.host.changes[0], (MappedBlock{Iova{}, Gpa{}, ~0ull, false, false}));
    EXPECT_EQ(b.host.errors.size(), 1u);
    b.put(0x10000, {0});
    b.put(0x13000, {0x50'0003, 0});
    for (unsigned i = 1; i < 512; ++i) {
        b.put(0x11000 + 8 * i, {0});
        b.put(0x12000 + 8 * i, {0});
        b.put(0x13000 + 8 * i, {0});
    }
    b.put(0x11000, {0x12003});
    b.put(0x10000, {0x11003});
    EXPECT_EQ(b.told(0x12), (Blocks{page(0, 0x50'0000)})) << "and all is well again";
}

TEST(Vtd_6_5_2_5_DeviceTlb, TheHostHearsWhomAndWhatItIsFor)
{
    auto c = scalable();
    c.device_iotlb = true;
    ScalableBoard b(c);
    b.stream();
    b.submit(0x3 | 0x10ull << 32, 0x4000'0000);
    ASSERT_EQ(b.host.device_unmaps.size(), 1u);
    EXPECT_EQ(b.host.device_unmaps[0].stream, &b.cookies[0x10]);
    EXPECT_FALSE(b.host.device_unmaps[0].substream.present);
    EXPECT_EQ(b.host.device_unmaps[0].base, Iova{0x4000'0000});
    EXPECT_EQ(b.host.device_unmaps[0].size, 0x1000u);
    b.submit(0x8 | 0x10ull << 16 | 7ull << 32, 0x4000'0000 | 1 << 11 | 0xf000);
    ASSERT_EQ(b.host.device_unmaps.size(), 2u);
    EXPECT_EQ(b.host.device_unmaps[1].substream, (Substream{7, true}));
    EXPECT_EQ(b.host.device_unmaps[1].size, 0x2'0000u);
    b.submit(0x8 | 0x10ull << 16 | 7ull << 32, 0x4000'0001);  // G
    ASSERT_EQ(b.host.device_unmaps.size(), 3u);
    EXPECT_EQ(b.host.device_unmaps[2].substream, (Substream{Host::any_substream, true}));
    EXPECT_EQ(b.r32(FSTS), 0u);
    b.submit(0x3 | 0x99ull << 32, 0x4000'0000);
    EXPECT_EQ(b.host.device_unmaps.size(), 3u) << "nobody has that source-id";
}
