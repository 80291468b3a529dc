// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 7.3.12 to 7.3.16: a refused transaction is one event, however many pieces the
// machine asks for; and what the pieces after the first rest on (3.17, 4.3, 4.4).
#include "hw/iommu/common/pieces.hpp"
#include "tests/conformance/smmuv3/rig.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

struct Pieces : testing::TestWithParam<bool> {
    Pieces() : rig(GetParam()) { RefusedPieces::begin(); }

    bool piece(std::uint64_t at, Access access = Access::Read)
    {
        return rig
            .at({.address = Iova{at}, .access = access, .delivery = Delivery::Pieces})
            .has_value();
    }
    // 64 bytes from `at` on in pieces of 4, all refused, as a DMA of its own.
    void refused_dma(std::uint64_t at, Access access = Access::Read)
    {
        RefusedPieces::begin();
        for (unsigned n = 0; n < 64; n += 4) {
            EXPECT_FALSE(piece(at + n, access)) << std::hex << at + n;
        }
    }
    // Whether tables may be kept in a cache.
    bool keeps() const { return GetParam(); }

    Rig rig;
};
INSTANTIATE_TEST_SUITE_P(Tlb, Pieces, testing::Bool());

}  // namespace

TEST_P(Pieces, Smmu_7_3_13_Stage1IsRefusedOnce)
{
    rig.stage1(0);
    refused_dma(0x1040);
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_RnW | E_CLASS_IN, 0x1040, 0}));
    refused_dma(0x1044, Access::Write);
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_CLASS_IN, 0x1044, 0}));
    refused_dma(1ull << 39);
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_RnW | E_CLASS_IN, 1ull << 39, 0}));
}

TEST_P(Pieces, Smmu_7_3_13_Stage2IsRefusedOnceWithTheFirstPiecesIpa)
{
    rig.stage2(0);
    for (const std::uint64_t at : {0x1000ull, 0x1abcull, 0x1fc0ull}) {
        refused_dma(at, Access::Write);
        EXPECT_EQ(rig.record(),
                  (Words{E_word0 | 0x10, E_S2 | E_CLASS_IN, at, at & ~0xfffull}));
    }
    refused_dma(1ull << 39);
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN, 1ull << 39, 1ull << 39}));
    refused_dma(1ull << 48);
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x11, E_RnW | E_CLASS_IN, 1ull << 48, 0}));
}

TEST_P(Pieces, Smmu_7_3_16_AReadOnlyPageOfStage2IsRefusedToWritesOnce)
{
    rig.stage2(page_at | PAGE | AF | S2_R);
    EXPECT_EQ(rig.read(0x1000), page_at);
    refused_dma(0x1080, Access::Write);
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x13, E_S2 | E_CLASS_IN, 0x1080, 0x1000}));
    EXPECT_TRUE(piece(0x10c0));
    EXPECT_TRUE(rig.silent());
}

TEST_P(Pieces, Smmu_7_3_12_NestedIsRefusedOnceByEitherStageOfEachClass)
{
    rig.nested(0);
    refused_dma(0x1abc);
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN, 0x1abc, Rig::ipa}));
    rig.map_s1(0x1000, 0);
    refused_dma(0x1abc);
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_RnW | E_CLASS_IN, 0x1abc, 0}));
    rig.map_s2(s1_at + 0x2000, 0);
    refused_dma(0x1abc, Access::Write);
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_S2 | E_CLASS_TT, 0x1abc, s1_at + 0x2000}));
}

// SMMU 3.17: what is not valid is not cached.
TEST_P(Pieces, Smmu_3_17_APageThatIsMappedMeanwhileIsFoundByTheNextPiece)
{
    rig.stage2(0);
    EXPECT_FALSE(piece(0x1000));
    EXPECT_FALSE(piece(0x1004));
    rig.map_s2(0x1000, page_at | S2_RW);
    EXPECT_TRUE(piece(0x1008));

    rig.disable();
    rig.nested(0);
    rig.submit(0x30);
    EXPECT_FALSE(piece(0x1000));
    rig.map_s2(Rig::ipa, page_at | S2_RW);
    EXPECT_TRUE(piece(0x1004));

    rig.disable();
    rig.nested();
    rig.map_s1(0x1000, 0);
    rig.submit(0x30);
    EXPECT_FALSE(piece(0x1000));
    rig.map_s1(0x1000, Rig::ipa | S1_RW);
    EXPECT_TRUE(piece(0x1004));
}

// Tables that are valid may be cached until a TLBI.  So a piece after the first needs but
// the entry that refused; that is what makes it cheap.  A DMA of its own is walked for.
TEST_P(Pieces, Smmu_3_17_OnlyTheEntryThatRefusedIsReadAgain)
{
    const auto redirect = [&](std::uint64_t entry, std::uint64_t table) {
        rig.words(entry, {table | TABLE});
    };
    const auto other = s2_at + 0x3000;
    rig.words(other + 8, {page_at | S2_RW});
    rig.stage2(0);
    EXPECT_FALSE(piece(0x1000));
    redirect(s2_at + 0x1000, other);
    EXPECT_EQ(piece(0x1004), !keeps());
    EXPECT_TRUE(piece(0x1004));

    rig.disable();
    rig.stage1(0);
    rig.submit(0x30);
    EXPECT_FALSE(piece(0x1000));
    const auto s1_other = s1_at + 0x3000;
    rig.words(s1_other + 8, {page_at | S1_RW});
    redirect(s1_at + 0x1000, s1_other);
    EXPECT_EQ(piece(0x1004), !keeps());
    RefusedPieces::begin();
    EXPECT_TRUE(piece(0x1008));
}

TEST_P(Pieces, Smmu_3_17_OfNestedTablesAsWell)
{
    const auto other = s2_at + 0x3000;
    rig.nested(0);  // of the final address, by stage 2
    for (std::uint64_t at = 0; at < 0x1000; at += 8) {
        rig.words(other + at, {rig.host.load64(Gpa{s2_at + 0x2000 + at})});
    }
    const auto slot = other + (Rig::ipa >> 12 & 511) * 8;
    rig.words(slot, {page_at | S2_RW});
    const auto level2 = s2_at + 0x1000 + (Rig::ipa >> 21 & 511) * 8;
    EXPECT_FALSE(piece(0x1000));
    rig.words(level2, {other | TABLE});
    EXPECT_EQ(piece(0x1004), !keeps());
    RefusedPieces::begin();
    EXPECT_TRUE(piece(0x1004));

    // By stage 1, whose descriptor is read where stage 2 has it.
    rig.words(s1_at + 0x2008, {0});
    rig.submit(0x30);
    EXPECT_FALSE(piece(0x1000));
    rig.words(s1_at + 0x1000, {(s1_at + 0x3000) | TABLE});
    rig.words(other + ((s1_at + 0x3000) >> 12 & 511) * 8, {(s1_at + 0x3000) | S2_RW});
    rig.words(s1_at + 0x3008, {Rig::ipa | S1_RW});
    EXPECT_EQ(piece(0x1004), !keeps());
    rig.words(s1_at + 0x2008, {1});
    EXPECT_TRUE(piece(0x1008));
}

TEST_P(Pieces, Smmu_4_4_ATlbiOfAnythingEndsWhatWasRefused)
{
    const auto other = s2_at + 0x3000;
    rig.words(other + 8, {page_at | S2_RW});
    rig.stage2(0);
    EXPECT_FALSE(piece(0x1000));
    rig.words(s2_at + 0x1000, {other | TABLE});
    rig.submit(0x2a | 9ull << 32, 0x7000);  // TLBI_S2_IPA of another VMID
    EXPECT_TRUE(piece(0x1004));
}

TEST_P(Pieces, Smmu_4_3_AConfigurationThatChangesEndsWhatItRefused)
{
    rig.stage2();
    EXPECT_FALSE(piece(1ull << 39));  // beyond the 39 bits of S2T0SZ
    rig.words(Rig::ste_at(Rig::sid), {1 | config_bypass, 0, 0, 0});
    EXPECT_FALSE(piece((1ull << 39) + 4)) << "no CFGI: the STE is cached";
    rig.submit(0x03 | std::uint64_t{Rig::sid} << 32, 1);  // CFGI_STE
    EXPECT_TRUE(piece((1ull << 39) + 8));

    rig.words(Rig::ste_at(Rig::sid), {1 | config_abort, 0, 0, 0});
    rig.submit(0x03 | std::uint64_t{Rig::sid} << 32, 1);
    RefusedPieces::begin();
    (void)rig.silent();
    refused_dma(0x1000);
    EXPECT_TRUE(rig.silent());
    rig.words(Rig::ste_at(Rig::sid), {1 | config_bypass, 0, 0, 0});
    EXPECT_FALSE(piece(0x1040));
    rig.submit(0x03 | std::uint64_t{Rig::sid} << 32, 1);
    EXPECT_TRUE(piece(0x1044));
}

// SMMU 7.3.13: an address beyond stage 2 comes from a stage 1 descriptor.
TEST_P(Pieces, Smmu_7_3_13_ADescriptorThatLeadsBeyondStage2IsReadAgain)
{
    rig.nested();
    rig.map_s1(0x1000, 1ull << 39 | S1_RW);
    EXPECT_FALSE(piece(0x1000));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN, 0x1000, 1ull << 39}));
    EXPECT_FALSE(piece(0x1004));
    rig.map_s1(0x1000, Rig::ipa | S1_RW);
    EXPECT_TRUE(piece(0x1008));
}

TEST_P(Pieces, Smmu_7_3_EachRegisterWriteMakesTheNextPieceAnEventOfItsOwn)
{
    rig.stage2(0);
    EXPECT_FALSE(piece(0x1000));
    EXPECT_FALSE(piece(0x1004));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN, 0x1000,
                                   0x1000}));  // which writes EVENTQ_CONS
    EXPECT_FALSE(piece(0x1008));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN, 0x1008, 0x1000}));
}

// The map of the machine's RAM changes under the entry that refused.
TEST_P(Pieces, AnEntryIsReadWhereTheMachineHasItNow)
{
    rig.stage2(0);
    EXPECT_FALSE(piece(0x1000));
    rig.smmu.memory().ram().assign({});
    rig.host.store64(Gpa{s2_at + 0x2008}, page_at | S2_RW);
    EXPECT_TRUE(piece(0x1004)) << "through Host::read";
}

// A device that is gone leaves nothing that another, at the same place, could take for
// its own.
TEST(PiecesOfADma, OfAnotherDeviceCountForNothing)
{
    for (int i = 0; i < 3; ++i) {
        Rig rig(true);
        rig.stage2(0);
        Translation out;
        const Transaction next{.address = Iova{0x1000u + 4u * static_cast<unsigned>(i)},
                               .delivery = Delivery::Pieces};
        EXPECT_EQ(rig.smmu.stream(Rig::sid, nullptr)->translate(next, out),
                  Stream::Result::Refused);
        EXPECT_EQ(rig.record()[2], next.address.value);
    }
}
