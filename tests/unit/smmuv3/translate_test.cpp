// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3: a whole translation.  What is kept of it: invalidation_test.cpp.
#include "tests/unit/smmuv3/translate.hpp"

namespace iommu::smmu {
namespace {

using namespace test;

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

TEST_F(Translate, A3_ATableThatIsReadOnlyStaysSoWhenTheLeafIsCached)
{
    const auto root = use_stage1();
    guest.map_s1(root, va, 0x8000'1000);
    const auto entry = root + (va >> 39 & 0x1ff) * 8;
    guest.store(entry, guest.load(entry) | bit(62));  // APTable[1]
    EXPECT_EQ(fault(writing(va)).id, EventId::F_PERMISSION);
    const auto read = run(reading(va));
    EXPECT_EQ(read.kind, Kind::Translated);
    EXPECT_FALSE(read.translation.write);
    const auto f = fault(writing(va));
    EXPECT_EQ(f.id, EventId::F_PERMISSION);
    EXPECT_EQ(f.access, Access::Write);
    EXPECT_EQ(f.input.value, va);
    EXPECT_EQ(f.stage, Stage::S1);
    EXPECT_EQ(f.purpose, Purpose::Input);
}

TEST_F(Translate, Smmu_7_3_16_ACachedLeafAnswersEveryKindOfAccessAsAWalkWould)
{
    // Read-only to EL0, not executable at EL1.
    guest.map_s1(use_stage1(), va, 0x8000'1000, pte_s1 | pte_read_only | bit(53));
    for (int round = 0; round < 2; ++round) {
        for (const auto privilege : {Privilege::User, Privilege::Privileged}) {
            for (const auto content : {Content::Data, Content::Instruction}) {
                for (const auto access : {Access::Read, Access::Write}) {
                    const Transaction t{.address = Iova{va},
                                        .access = access,
                                        .privilege = privilege,
                                        .content = content};
                    const bool allowed =
                        access == Access::Read &&
                        (content == Content::Data || privilege == Privilege::User);
                    const auto o = run(t);
                    EXPECT_EQ(o.kind != Kind::Aborted, allowed);
                    if (!allowed) {
                        ASSERT_TRUE(o.record);
                        EXPECT_EQ(o.record->id, EventId::F_PERMISSION);
                        EXPECT_EQ(o.record->privilege, privilege);
                        // InD == 0 when RnW == 0.
                        EXPECT_EQ(o.record->content,
                                  access == Access::Write ? Content::Data : content);
                    }
                }
            }
        }
    }
}

TEST_F(Translate, Smmu_7_3_13_ThePiecesOfARefusalAreRefusedForTheirOwnAddresses)
{
    const auto root = use_stage1();
    guest.map_s1(root, va + 0x1000, 0x8000'2000);
    for (unsigned at = 0; at < 64; at += 4) {
        const auto f = fault(piece(reading(va + at)));
        EXPECT_EQ(f.id, EventId::F_TRANSLATION);
        EXPECT_EQ(f.input.value, va + at);
    }
    // Another kind of access to the same page is its own refusal.
    EXPECT_EQ(fault(piece(writing(va + 64))).access, Access::Write);
    EXPECT_EQ(fault(piece(reading(va + 68))).access, Access::Read);
    EXPECT_EQ(output(piece(reading(va + 0x1000))), 0x8000'2000u);
    EXPECT_EQ(fault(piece(reading(va + 72))).input.value, va + 72);
    guest.map_s1(root, va, 0x8000'1000);  // no TLBI: what was invalid is not cached
    EXPECT_EQ(output(piece(reading(va + 76))), 0x8000'104cu);
}

TEST_F(Translate, Smmu_7_3_ADmaThatBeginsAnewIsWalkedForAnew)
{
    const auto root = use_stage1();
    guest.map_s1(root, va + 0x1000, 0x8000'2000);
    EXPECT_EQ(fault(piece(reading(va))).id, EventId::F_TRANSLATION);
    // A table on the way now leads nowhere, the descriptor that refused stands.
    guest.store(root + ((va >> 39) & 0x1ff) * 8, 0xf000'0000'0000 | 3);
    EXPECT_EQ(fault(piece(reading(va))).id, EventId::F_WALK_EABT);
    EXPECT_EQ(fault(reading(va + 4)).id, EventId::F_WALK_EABT);
}

TEST_F(Translate, A10_Tbi1IsItsOwnBit)
{
    const auto root = guest.table();
    guest.ste(3, Guest::s1_ste());
    auto cd = Guest::s1_cd(0);
    // EPD0 instead of EPD1; T1SZ 16, TG1 4K; TTB1.
    cd.dword[0] = (cd.dword[0] & ~bit(30)) | bit(14) | 16 << 16 | 2 << 22;
    cd.dword[2] = root;
    const std::uint64_t high = 0xffff'1234'5678'9000;
    guest.map_s1(root, high, 0x8000'1000);
    const auto with = [&](std::uint64_t tbi) {
        auto changed = cd;
        changed.dword[0] |= tbi << 38;
        guest.cd(0, changed);
        guest.translator.invalidate_all_configuration();
        guest.translator.invalidate_all();
        EXPECT_EQ(output(reading(high)), 0x8000'1000u);
        EXPECT_EQ(output(reading(high)), 0x8000'1000u);
        return run(reading((high & ~(0xffull << 56)) | 0x5aull << 56)).kind;
    };
    EXPECT_EQ(with(0b00), Kind::Aborted);
    EXPECT_EQ(with(0b01), Kind::Aborted);  // TBI0 says nothing about this half
    EXPECT_EQ(with(0b10), Kind::Translated);
    EXPECT_EQ(with(0b11), Kind::Translated);
}

TEST_F(Translate, Smmu_5_4_Tbi0_AnyTopByteIsTheSamePageAndOneTlbiEndsIt)
{
    const auto root = use_stage1();
    auto cd = Guest::s1_cd(root);
    cd.dword[0] |= bit(38);
    guest.cd(0, cd);
    guest.map_s1(root, va, 0x8000'1000);
    EXPECT_EQ(output(reading(0xab00'0000'0000'0000 | va)), 0x8000'1000u);
    guest.map_s1(root, va, 0x8000'2000);
    EXPECT_EQ(output(reading(va)), 0x8000'1000u);  // stale: the same entry
    guest.translator.invalidate_va(Vmid{0}, Asid{5},
                                   {.address = 0x7700'0000'0000'0000 | va});
    EXPECT_EQ(output(reading(0xab00'0000'0000'0000 | va)), 0x8000'2000u);
}

TEST_F(Translate, A15_BypassSaysHowFarItReaches)
{
    constexpr std::uint64_t everything = (std::uint64_t{1} << 48) - 1;  // the OAS
    guest.ste(3, {{bit(0) | 0b100 << 1}});
    EXPECT_EQ(run(reading(0x1234)).kind, Kind::Bypassed);
    EXPECT_EQ(run(reading(0x1234)).translation.mask, everything);
    EXPECT_EQ(run(writing(0x1234)).translation.output.value, 0x1234u);
    EXPECT_TRUE(guest.translator.bypassed(stream));
    guest.settings.smmu_enabled = false;
    guest.translator.configure(guest.settings);
    EXPECT_EQ(run(reading(0x1234)).translation.mask, everything);
    EXPECT_TRUE(guest.translator.bypassed(stream));
    guest.settings.gbpa_abort = true;
    guest.translator.configure(guest.settings);
    EXPECT_EQ(run(reading(0x1234)).kind, Kind::Aborted);
    EXPECT_FALSE(run(reading(0x1234)).record);
    EXPECT_FALSE(guest.translator.bypassed(stream));
}

TEST_F(Translate, Smmu_5_2_1_AConfigurationThatFailedIsNotKept)
{
    EXPECT_EQ(fault(reading(va)).id, EventId::C_BAD_STE);
    guest.map_s1(use_stage1(), va, 0x8000'1000);
    EXPECT_EQ(output(reading(va)), 0x8000'1000u);
}

TEST_F(Translate, Smmu_3_9_SubstreamsHaveContextsOfTheirOwn)
{
    guest.ste(3, Guest::s1_ste(6));
    std::uint64_t roots[32];
    for (unsigned ssid = 0; ssid < 32; ++ssid) {
        roots[ssid] = guest.table();
        guest.cd(ssid, Guest::s1_cd(roots[ssid], 100 + ssid));
        guest.map_s1(roots[ssid], va, 0x8000'0000 + ssid * 0x1000);
    }
    for (int round = 0; round < 3; ++round) {  // more than a stream keeps at once
        for (unsigned ssid = 0; ssid < 32; ++ssid) {
            EXPECT_EQ(output(with_substream(reading(va), ssid)),
                      0x8000'0000 + ssid * 0x1000);
        }
    }
    EXPECT_EQ(fault(with_substream(reading(va), 64)).id, EventId::C_BAD_SUBSTREAMID);
    const auto f = fault(reading(va));  // S1DSS 0b00
    EXPECT_EQ(f.id, EventId::F_STREAM_DISABLED);
    EXPECT_FALSE(f.substream.present);
}

}  // namespace
}  // namespace iommu::smmu
