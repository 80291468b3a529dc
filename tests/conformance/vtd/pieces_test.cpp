// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 7.2: a refused transaction is one fault, however many pieces the machine asks for;
// and what the pieces after the first rest on (6.2 "Address Translation Caches").
#include "hw/iommu/common/pieces.hpp"
#include "tests/conformance/vtd/rig.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint64_t page = 0x50'0000, other_page = 0x60'0000, tree = LegacyRig::trees;
constexpr unsigned sid = 0x10;

struct VtdPieces : testing::TestWithParam<bool> {
    VtdPieces() { RefusedPieces::begin(); }

    bool keeps() const { return GetParam(); }

    static bool piece(Board& b, std::uint64_t at, Substream substream = {},
                      Access access = Access::Read)
    {
        return b
            .access({.address = Iova{at},
                     .access = access,
                     .substream = substream,
                     .delivery = Delivery::Pieces},
                    sid)
            .ok;
    }
    static void refused_dma(Board& b, std::uint64_t at, unsigned reason,
                            Substream substream = {}, Access access = Access::Read)
    {
        const auto before = b.unit.history().look().total;
        RefusedPieces::begin();
        for (unsigned n = 0; n < 64; n += 4) {
            EXPECT_FALSE(piece(b, at + n, substream, access)) << std::hex << at + n;
        }
        EXPECT_EQ(b.reason(0), reason) << std::hex << at;
        EXPECT_EQ(b.reason(1), 0u);
        EXPECT_EQ(b.unit.history().look().total, before + 1);
        EXPECT_EQ(b.unit.history().look().notes.back().last.value, at + 60);
    }
    // What the C interface does after each register write.
    static void said(Board& b) { b.unit.epoch().advance(); }
};
INSTANTIATE_TEST_SUITE_P(Tlb, VtdPieces, testing::Bool());

}  // namespace

TEST_P(VtdPieces, VtD_7_2_1_ALegacyPageThatIsNotThereIsRefusedOnce)
{
    LegacyRig rig(GetParam());
    rig.attach(sid, tree, 5);
    rig.map(tree, 0x1000, 0);
    refused_dma(rig, 0x1040, 0x6);
    EXPECT_EQ(rig.r64(FRCD), 0x1000u);
}

TEST_P(VtdPieces, VtD_7_2_1_BeyondTheWidthOrWithoutTheRightIsRefusedOnce)
{
    LegacyRig rig(GetParam());
    rig.attach(sid, tree, 5);
    rig.map(tree, 0x1000, page | 1);
    refused_dma(rig, 1ull << 48, 0x4);
    rig.w64(FRCD + 8, 1ull << 63);
    said(rig);
    EXPECT_TRUE(piece(rig, 0x1000));
    refused_dma(rig, 0x1040, 0x5, {}, Access::Write);
    rig.map(tree, 0x1000, page | 3);
    rig.submit(0x12, 0);
    said(rig);
    EXPECT_TRUE(piece(rig, 0x1080, {}, Access::Write));
}

TEST_P(VtdPieces, VtD_6_2_OnlyTheEntryThatRefusedIsReadAgain)
{
    LegacyRig rig(GetParam());
    rig.attach(sid, tree, 5);
    rig.map(tree, 0x1000, 0);
    EXPECT_FALSE(piece(rig, 0x1000));
    EXPECT_FALSE(piece(rig, 0x1004));
    rig.put(tree + 0x3008, {page | 3});
    EXPECT_TRUE(piece(rig, 0x1008)) << "what is not present is not cached";

    rig.put(tree + 0x3008, {0});
    rig.submit(0x12, 0);
    said(rig);
    EXPECT_FALSE(piece(rig, 0x1000));
    rig.put(tree + 0x5008, {other_page | 3});
    rig.put(tree + 0x2000, {(tree + 0x5000) | 7});
    EXPECT_EQ(piece(rig, 0x1004), !keeps()) << "paging-structure caches";
    RefusedPieces::begin();
    EXPECT_TRUE(piece(rig, 0x1004));
}

TEST_P(VtdPieces, VtD_6_5_WhatSoftwareSaysEndsIt)
{
    LegacyRig rig(GetParam());
    rig.attach(sid, tree, 5);
    rig.map(tree, 0x1000, 0);
    rig.put(tree + 0x5008, {other_page | 3});
    EXPECT_FALSE(piece(rig, 0x1000));
    rig.put(tree + 0x2000, {(tree + 0x5000) | 7});
    rig.submit(0x12, 0);                      // IOTLB, all
    rig.submit(0x25 | 1ull << 32, 0x7'0000);  // wait, status write
    EXPECT_TRUE(piece(rig, 0x1004));

    EXPECT_FALSE(piece(rig, 1ull << 48));
    rig.put(LegacyRig::context_at(sid), {tree | 1 | 2 << 2, 5 << 8 | 2});  // pass-through
    rig.submit(0x11, 0);
    said(rig);
    EXPECT_EQ(piece(rig, (1ull << 48) + 4), false) << "wider than AW";
    EXPECT_TRUE(piece(rig, 0x1008));
}

TEST_P(VtdPieces, VtD_3_6_TheFirstStageRefusesOnce)
{
    ScalableRig rig(GetParam());
    rig.pasid(3, ScalableRig::FIRST, 5, tree);
    rig.map(tree, 0x1000, 0);
    refused_dma(rig, 0x1040, 0x71, {3, true});
    rig.put(tree + 0x3008, {page | 7});
    EXPECT_TRUE(piece(rig, 0x1080, {3, true}));
}

TEST_P(VtdPieces, VtD_3_7_TheSecondStageRefusesOnce)
{
    ScalableRig rig(GetParam());
    rig.pasid(3, ScalableRig::SECOND | tree, 5);
    rig.map(tree, 0x1000, 0);
    refused_dma(rig, 0x1040, 0x79, {3, true});
    rig.put(tree + 0x3008, {page | 3});
    EXPECT_TRUE(piece(rig, 0x1080, {3, true}));
}

TEST_P(VtdPieces, VtD_3_8_EitherStageOfANestedTranslationRefusesOnce)
{
    constexpr std::uint64_t second = tree + 0x10'0000, inner = 0x20'0000;
    ScalableRig rig(GetParam());
    rig.pasid(3, ScalableRig::NESTED | second, 5, tree);
    // The first stage's tables and page, at other addresses than the second has them.
    for (unsigned n = 0; n < 4; ++n) {
        rig.map(second, tree + n * 0x1000, (tree + n * 0x1000) | 3);
    }
    rig.map(tree, 0x1000, inner | 7);
    rig.map(second, inner, 0);
    const auto leaf = rig.get(second + 0x2000 + (inner >> 21 & 511) * 8) & ~0xfffull;
    refused_dma(rig, 0x1040, 0x79, {3, true});
    rig.put(leaf + (inner >> 12 & 511) * 8, {page | 3});
    EXPECT_TRUE(piece(rig, 0x1080, {3, true}));

    rig.w64(FRCD + 8, 1ull << 63);
    rig.put(tree + 0x3008, {0});
    rig.flush();
    said(rig);
    refused_dma(rig, 0x1040, 0x71, {3, true});
    // Where stage 2 has that table.
    rig.put(tree + 0x3008, {inner | 7});
    EXPECT_TRUE(piece(rig, 0x1080, {3, true}));
}

namespace {

// PASID 3 nested: the first stage's tables at `tree`, one page each, where the second
// stage maps them to themselves, by the entries of one table.
struct NestedPieces : VtdPieces {
    static constexpr std::uint64_t second = tree + 0x10'0000,
                                   second_leaves = second + 0x3000;
    static constexpr Substream pasid{3, true};

    NestedPieces() : rig(GetParam())
    {
        rig.pasid(3, ScalableRig::NESTED | second, 5, tree);
        for (unsigned n = 0; n < 5; ++n) {
            rig.map(second, tree + n * 0x1000, (tree + n * 0x1000) | 3);
        }
        rig.map(tree, 0x1000, (tree + 0x4000) | 0x67);
        for (unsigned n = 0; n < 3; ++n) {
            rig.put(tree + n * 0x1000, {(tree + (n + 1) * 0x1000) | 0x27});  // A
        }
    }
    static std::uint64_t entry_of(std::uint64_t table)
    {
        return second_leaves + (table >> 12 & 511) * 8;
    }
    void refused(unsigned reason, Access access = Access::Read)
    {
        rig.w64(FRCD + 8, 1ull << 63);
        said(rig);
        refused_dma(rig, 0x1040, reason, pasid, access);
    }
    bool goes_on() { return piece(rig, 0x1080, pasid); }
    // Tables but the one at `ram` are read by way of the host, which counts.
    void only_ram(std::uint64_t ram)
    {
        const RamRegion region{Gpa{ram}, 0x1000, rig.host.at(Gpa{ram}), true};
        rig.unit.memory().ram().assign(std::span(&region, 1));
    }
    // How often the host is read for one refused piece, and for a DMA of sixteen.
    void expect_one_walk()
    {
        RefusedPieces::begin();
        EXPECT_FALSE(piece(rig, 0x1000, pasid));  // what caches hold is there now
        RefusedPieces::begin();
        const auto before = rig.host.reads;
        EXPECT_FALSE(piece(rig, 0x1000, pasid));
        const auto walk = rig.host.reads - before;
        EXPECT_GT(walk, 3u);
        RefusedPieces::begin();
        for (unsigned n = 0; n < 64; n += 4) {
            EXPECT_FALSE(piece(rig, 0x1000 + n, pasid));
        }
        EXPECT_EQ(rig.host.reads - before - walk, keeps() ? walk : 16 * walk);
    }

    ScalableRig rig;
};
INSTANTIATE_TEST_SUITE_P(Tlb, NestedPieces, testing::Bool());

}  // namespace

TEST_P(NestedPieces, VtD_3_8_ATableOfTheFirstStageThatIsNotThereIsRefusedOnce)
{
    EXPECT_EQ(rig.output_of(0x1000, 3), tree + 0x4000);
    rig.flush();
    for (unsigned n = 0; n < 4; ++n) {
        const auto entry = entry_of(tree + n * 0x1000);
        rig.put(entry, {0});
        rig.flush();
        refused(0x79);
        rig.put(entry, {(tree + n * 0x1000) | 3});
        EXPECT_TRUE(goes_on()) << "what is not present is not cached";
        rig.flush();
    }
}

TEST_P(NestedPieces, VtD_3_8_WithoutTheRightToATableItIsRefusedOnce)
{
    const auto entry = entry_of(tree + 0x3000);
    rig.put(entry, {(tree + 0x3000) | 2});
    refused(0x76);
    rig.put(entry, {(tree + 0x3000) | 3});
    EXPECT_TRUE(goes_on());
    // A is to be set in a table that is read-only.
    rig.put(tree + 0x3008, {(tree + 0x4000) | 7});
    rig.put(entry, {(tree + 0x3000) | 1});
    rig.flush();
    refused(0x77);
    EXPECT_EQ(rig.get(tree + 0x3008), (tree + 0x4000) | 7);
    rig.put(entry, {(tree + 0x3000) | 3});
    EXPECT_TRUE(goes_on());
    EXPECT_EQ(rig.get(tree + 0x3008), (tree + 0x4000) | 0x27);
}

TEST_P(NestedPieces, VtD_3_8_WhatIsBeyondTheSecondStageIsRefusedOnce)
{
    constexpr auto beyond = 1ull << 48;
    // A is set by the first piece, so that the entry changes after it was read.
    rig.put(tree + 0x2000, {beyond | 7});
    refused(0x74);
    EXPECT_EQ(rig.get(tree + 0x2000), beyond | 0x27);
    rig.put(tree + 0x2000, {(tree + 0x3000) | 0x27});
    EXPECT_TRUE(goes_on());

    rig.put(tree + 0x3008, {beyond | 0x27});
    rig.flush();
    refused(0x84);
    rig.put(tree + 0x3008, {(tree + 0x4000) | 0x27});
    EXPECT_TRUE(goes_on());

    // The first stage's root, beyond 3 levels.
    constexpr auto three_levels = (ScalableRig::NESTED ^ 0xc) | (second + 0x1000);
    rig.pasid(3, three_levels, 5, 1ull << 40);
    rig.flush();
    refused(0x74);
    rig.pasid(3, three_levels, 5, tree);
    EXPECT_FALSE(goes_on()) << "the PASID-cache";
    rig.flush();
    EXPECT_EQ(rig.output_of(0x1000, 3), tree + 0x4000);
}

TEST_P(NestedPieces, VtD_6_2_5_OnlyTheEntryThatRefusedATableIsReadAgain)
{
    rig.put(entry_of(tree + 0x3000), {0});
    only_ram(second_leaves);
    expect_one_walk();
    rig.put(entry_of(tree + 0x3000), {(tree + 0x3000) | 3});
    EXPECT_TRUE(piece(rig, 0x1040, pasid));
}

TEST_P(NestedPieces, VtD_6_2_5_OrTheEntryThatGaveItsAddress)
{
    rig.put(tree + 0x2000, {1ull << 48 | 0x27});
    only_ram(tree + 0x2000);
    expect_one_walk();
    rig.put(tree + 0x2000, {(tree + 0x3000) | 0x27});
    EXPECT_TRUE(piece(rig, 0x1040, pasid));
}

TEST_P(NestedPieces, VtD_6_5_ADmaOfItsOwnIsWalkedFor)
{
    rig.put(entry_of(tree + 0x3000), {0});
    EXPECT_FALSE(piece(rig, 0x1000, pasid));
    // The first stage has its table elsewhere by now.
    rig.put(tree + 0x4008, {(tree + 0x2000) | 0x27});
    rig.put(tree + 0x2000, {(tree + 0x4000) | 0x27});
    EXPECT_EQ(piece(rig, 0x1004, pasid), !keeps());
    RefusedPieces::begin();
    EXPECT_EQ(rig.output_of(0x1008, 3), tree + 0x2008);
    rig.flush();
}
