// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3: a whole translation, its caches and their invalidation.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

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

TEST_F(Translate, A7_OneVaOfAStage1BlockEndsAllPiecesOfIt)
{
    const auto roots = use_both();
    guest.map_s1(roots.s1, 0x4000'0000, 0x9000'0000, pte_s1, 2);  // 2M
    guest.map_s2(roots.s2, 0x9000'0000, 0x8000'1000);
    guest.map_s2(roots.s2, 0x9000'3000, 0x8000'5000);
    EXPECT_EQ(output(reading(0x4000'0000)), 0x8000'1000u);
    EXPECT_EQ(output(reading(0x4000'3000)), 0x8000'5000u);
    guest.map_s1(roots.s1, 0x4000'0000, 0xa000'0000, pte_s1, 2);
    guest.map_s2(roots.s2, 0xa000'3000, 0x8000'7000);
    // Stale until told.
    EXPECT_EQ(output(reading(0x4000'3000)), 0x8000'5000u);
    guest.translator.invalidate_va(Vmid{7}, Asid{5}, {.address = 0x4000'0000});
    EXPECT_EQ(output(reading(0x4000'3000)), 0x8000'7000u);
}

TEST_F(Translate, Smmu_4_4_3_S2IpaEndsCombinedEntriesThroughTheBlock)
{
    const auto roots = use_both();
    guest.map_s1(roots.s1, 0x4000'0000, 0x9000'1000);
    guest.map_s1(roots.s1, 0x5000'0000, 0x9000'2000);
    guest.map_s2(roots.s2, 0x9000'0000, 0x20'0000, pte_s2, 2);  // 2M
    EXPECT_EQ(output(reading(0x4000'0000)), 0x20'1000u);
    EXPECT_EQ(output(reading(0x5000'0000)), 0x20'2000u);
    guest.map_s2(roots.s2, 0x9000'0000, 0x60'0000, pte_s2, 2);
    guest.translator.invalidate_ipa(Vmid{7}, {.address = 0x901f'f000});
    EXPECT_EQ(output(reading(0x4000'0000)), 0x60'1000u);
    EXPECT_EQ(output(reading(0x5000'0000)), 0x60'2000u);
}

// SMMU 3.17, 16.2: a table that a walk ended in may be kept, the leaves in it are read
// anew.
TEST_F(Translate, Smmu_3_17_ThePageNextToAWalkedOneIsReadFromItsOwnDescriptor)
{
    const auto root = use_stage1();
    guest.map_s1(root, va, 0x8000'1000);
    guest.map_s1(root, va + 0x2000, 0x9000'3000, pte_s1 | bit(7));  // AP[2]: read-only
    EXPECT_EQ(output(reading(va)), 0x8000'1000u);
    EXPECT_EQ(output(reading(va + 0x2010)), 0x9000'3010u);
    EXPECT_FALSE(run(reading(va + 0x2010)).translation.write);
    EXPECT_EQ(fault(writing(va + 0x2000)).id, EventId::F_PERMISSION);
    EXPECT_EQ(fault(reading(va + 0x1000)).id, EventId::F_TRANSLATION);
    // What was invalid is never cached: mapped later, it is found without a TLBI.
    guest.map_s1(root, va + 0x1000, 0x8000'2000);
    EXPECT_EQ(output(writing(va + 0x1000)), 0x8000'2000u);
    guest.map_s1(root, va + 0x3000, 0x8000'4000, pte_s1 & ~bit(10));  // AF clear
    EXPECT_EQ(fault(reading(va + 0x3000)).id, EventId::F_ACCESS);
}

// QEMU cuts a refused DMA: each piece is refused for its own address, and no longer than
// the descriptor that refused stands.
Transaction piece(Transaction t)
{
    t.delivery = Delivery::Pieces;
    return t;
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

TEST_F(Translate, Smmu_4_3_ARefusalEndsWithItsConfigurationAndWithAnyTlbi)
{
    const auto root = use_stage1();
    guest.map_s1(root, va + 0x1000, 0x8000'2000);
    EXPECT_EQ(fault(piece(reading(va))).id, EventId::F_TRANSLATION);
    const auto other = guest.table();
    guest.map_s1(other, va, 0x9000'1000);
    guest.cd(0, Guest::s1_cd(other, 6));
    EXPECT_EQ(fault(piece(reading(va + 4))).id, EventId::F_TRANSLATION);  // no CFGI_CD
    guest.translator.invalidate_cd(StreamId{3}, SubstreamId{0}, true);
    EXPECT_EQ(output(piece(reading(va + 8))), 0x9000'1008u);

    const auto empty = guest.table();
    EXPECT_EQ(fault(piece(reading(va + 0x2000))).id, EventId::F_TRANSLATION);
    guest.map_s1(empty, va + 0x2000, 0xa000'2000);
    guest.store(other + ((va >> 39) & 0x1ff) * 8,
                guest.load(empty + ((va >> 39) & 0x1ff) * 8));
    guest.translator.invalidate_va(Vmid{0}, Asid{1}, {.address = 0});
    EXPECT_EQ(output(piece(reading(va + 0x2004))), 0xa000'2004u);
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

TEST_F(Translate, Smmu_3_17_ATlbiOfAnythingEndsTheTablesThatWereKept)
{
    const auto root = use_stage1();
    guest.map_s1(root, va, 0x8000'1000);
    EXPECT_EQ(output(reading(va)), 0x8000'1000u);
    // The same addresses through other tables, and a TLBI for the first page alone.
    const auto other = guest.table();
    guest.map_s1(other, va, 0x9000'1000);
    guest.map_s1(other, va + 0x1000, 0x9000'2000);
    for (std::uint64_t at = 0; at < 0x1000; at += 8) {
        guest.store(root + at, guest.load(other + at));
    }
    guest.translator.invalidate_va(Vmid{0}, Asid{5}, {.address = va});
    EXPECT_EQ(output(reading(va + 0x1000)), 0x9000'2000u);
    EXPECT_EQ(output(reading(va)), 0x9000'1000u);
}

// SMMU 3.17: translations may be fetched that nobody asked for yet.
TEST_F(Translate, Smmu_3_17_ThePagesAroundComeAlongIfAllButTheirAddressIsAlike)
{
    const auto root = use_stage1();
    auto cd = Guest::s1_cd(root);
    cd.dword[0] = (cd.dword[0] & ~(std::uint64_t{7} << 32)) | std::uint64_t{2} << 32;
    guest.cd(0, cd);  // CD.IPS: 40 bits
    constexpr auto first = va & ~0xffffull;
    std::array<std::uint64_t, 16> leaf{};
    for (std::uint64_t page = 0; page < 16; ++page) {
        guest.map_s1(root, first + page * 0x1000, 0x9000'0000 + page * 0x3000);
        leaf[page] = guest.last_entry();
    }
    const auto change = [&](unsigned page, std::uint64_t flip) {
        guest.store(leaf[page], guest.load(leaf[page]) ^ flip);
    };
    change(8, 1);         // not valid
    change(9, bit(7));    // AP[2]: other rights
    change(10, bit(10));  // AF
    change(11, bit(54));  // UXN
    change(12, bit(44));  // beyond CD.IPS

    EXPECT_EQ(run(reading(first)).translation.neighbours, nullptr);  // walked for
    EXPECT_EQ(run(reading(first + 0x1000)).translation.neighbours, nullptr);  // the first
    const auto second = run(reading(first + 0x2abc)).translation;
    EXPECT_EQ(second.output.value, 0x9000'6abcu);
    ASSERT_NE(second.neighbours, nullptr);
    EXPECT_EQ(second.neighbours->log2size, 12);
    for (unsigned page = 0; page < 16; ++page) {
        const bool changed = page >= 8 && page <= 12;
        EXPECT_EQ(second.neighbours->output[page],
                  changed ? Neighbours::unlike : 0x9000'0000 + page * 0x3000)
            << page;
    }
    EXPECT_EQ(run(reading(first + 0x3000)).translation.neighbours, nullptr);
    EXPECT_EQ(fault(reading(first + 0x8000)).id, EventId::F_TRANSLATION);
    EXPECT_EQ(fault(reading(first + 0xa000)).id, EventId::F_ACCESS);
    EXPECT_EQ(fault(reading(first + 0xc000)).id, EventId::F_ADDR_SIZE);
}

TEST_F(Translate, Smmu_4_3_ANewConfigurationEndsTheTablesThatWereKept)
{
    const auto root = use_stage1();
    guest.map_s1(root, va, 0x8000'1000);
    EXPECT_EQ(output(reading(va)), 0x8000'1000u);
    const auto other = guest.table();
    guest.map_s1(other, va + 0x1000, 0x9000'2000);
    guest.cd(0, Guest::s1_cd(other, 6));
    guest.translator.invalidate_cd(StreamId{3}, SubstreamId{0}, true);
    EXPECT_EQ(output(reading(va + 0x1000)), 0x9000'2000u);
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

TEST_F(Translate, Smmu_4_4_2_GlobalEntriesAreReachedFromAnyAsid)
{
    const auto root = use_stage1(5);
    guest.map_s1(root, va, 0x8000'1000, pte_af | pte_user);  // nG == 0
    EXPECT_EQ(output(reading(va)), 0x8000'1000u);
    guest.map_s1(root, va, 0x8000'2000, pte_af | pte_user);
    guest.translator.invalidate_va(Vmid{0}, Asid{6}, {.address = va});
    EXPECT_EQ(output(reading(va)), 0x8000'2000u);
}

TEST_F(Translate, Smmu_4_4_TlbiReachesOnlyWhatItNames)
{
    const auto root = use_stage1(5);
    guest.map_s1(root, va, 0x8000'1000);
    auto version = 0x8000'1000ull;
    const auto reached = [&](auto&& invalidate) {
        EXPECT_EQ(output(reading(va)), version);
        const auto next = version + 0x1000;
        guest.map_s1(root, va, next);
        EXPECT_EQ(output(reading(va)), version);  // stale until invalidated
        invalidate();
        const auto now = output(reading(va));
        guest.translator.invalidate_all();
        version = next;
        return now == next;
    };
    auto& t = guest.translator;
    EXPECT_TRUE(reached([&] { t.invalidate_all(); }));
    EXPECT_TRUE(reached([&] { t.invalidate_nh_all(Vmid{0}); }));
    EXPECT_TRUE(reached([&] { t.invalidate_vmid(Vmid{0}); }));
    EXPECT_TRUE(reached([&] { t.invalidate_asid(Vmid{0}, Asid{5}); }));
    EXPECT_TRUE(reached([&] { t.invalidate_va(Vmid{0}, Asid{5}, {.address = va}); }));
    EXPECT_TRUE(
        reached([&] { t.invalidate_va(Vmid{0}, std::nullopt, {.address = va}); }));
    EXPECT_TRUE(reached([&] {
        t.invalidate_va(Vmid{0}, Asid{5},
                        {.address = va - 0x3000, .count = 4, .granule_shift = 12});
    }));
    EXPECT_FALSE(reached([&] { t.invalidate_asid(Vmid{0}, Asid{6}); }));
    EXPECT_FALSE(reached([&] { t.invalidate_asid(Vmid{1}, Asid{5}); }));
    EXPECT_FALSE(reached([&] { t.invalidate_vmid(Vmid{1}); }));
    EXPECT_FALSE(
        reached([&] { t.invalidate_va(Vmid{0}, Asid{5}, {.address = va + 0x1000}); }));
    EXPECT_FALSE(reached([&] { t.invalidate_va(Vmid{0}, Asid{6}, {.address = va}); }));
    EXPECT_FALSE(reached([&] { t.invalidate_ipa(Vmid{0}, {.address = va}); }));
    EXPECT_FALSE(reached([&] {
        t.invalidate_va(Vmid{0}, Asid{5},
                        {.address = va - 0x4000, .count = 4, .granule_shift = 12});
    }));
    EXPECT_FALSE(reached([&] { t.invalidate_all_configuration(); }));
}

TEST_F(Translate, Smmu_4_3_ConfigurationIsKeptUntilInvalidated)
{
    const auto first = use_stage1(5), second = guest.table();
    guest.map_s1(first, va, 0x8000'1000);
    guest.map_s1(second, va, 0x8000'2000);
    EXPECT_EQ(output(reading(va)), 0x8000'1000u);
    const auto follows = [&](auto&& invalidate) {
        guest.cd(0, Guest::s1_cd(second, 5));
        guest.translator.invalidate_all();
        EXPECT_EQ(output(reading(va)), 0x8000'1000u);
        invalidate();
        guest.translator.invalidate_all();
        const auto now = output(reading(va));
        guest.cd(0, Guest::s1_cd(first, 5));
        guest.translator.invalidate_all_configuration();
        guest.translator.invalidate_all();
        EXPECT_EQ(output(reading(va)), 0x8000'1000u);
        return now == 0x8000'2000;
    };
    auto& t = guest.translator;
    EXPECT_TRUE(follows([&] { t.invalidate_cd(StreamId{3}, SubstreamId{0}, true); }));
    EXPECT_TRUE(follows([&] { t.invalidate_all_cds(StreamId{3}); }));
    EXPECT_TRUE(follows([&] { t.invalidate_ste(StreamId{3}, true); }));
    EXPECT_TRUE(follows([&] { t.invalidate_ste_range(StreamId{0}, 2); }));
    EXPECT_TRUE(follows([&] { t.invalidate_ste_range(StreamId{0}, 31); }));
    EXPECT_TRUE(follows([&] { t.invalidate_all_configuration(); }));
    EXPECT_FALSE(follows([&] { t.invalidate_ste(StreamId{4}, true); }));
    EXPECT_FALSE(follows([&] { t.invalidate_ste_range(StreamId{4}, 2); }));
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

// What software without a missing invalidation sees does not depend on the cache.
class TlbOnIsTlbOff : public ::testing::TestWithParam<unsigned> {};

TEST_P(TlbOnIsTlbOff, OverRandomMapsUnmapsAndAccesses)
{
    std::mt19937_64 random{GetParam()};
    Guest on{8 << 20}, off{8 << 20, {.tlb = false}};
    StreamEntry on_stream{StreamId{3}}, off_stream{StreamId{3}};
    const bool nested = GetParam() % 2 == 1;
    std::uint64_t s1 = 0, s2 = 0;
    for (auto* g : {&on, &off}) {
        s1 = g->table();
        s2 = g->table();
        g->ste(3, nested ? Guest::nested_ste(s2) : Guest::s1_ste());
        g->cd(0, Guest::s1_cd(s1));
        if (nested) {
            g->identity_s2(s2);
        }
    }
    const Vmid vmid{static_cast<std::uint16_t>(nested ? 7 : 0)};
    unsigned passed = 0;
    for (int step = 0; step < 4000; ++step) {
        // Few addresses, under blocks of 2M and pages, so that they meet.
        const auto big = random() % 4 << 21, small = random() % 8 << 12;
        const auto at = 0x4000'0000 + big + small;
        const auto out = 0x1000'0000 + (random() % 8 << 21);
        switch (random() % 8) {
        case 0: {  // a new stage 1 mapping: break, invalidate, make
            const bool block = random() % 2 == 0;
            const auto attributes = pte_s1 | (random() % 2 ? pte_read_only : 0);
            for (auto* g : {&on, &off}) {
                g->map_s1(s1, at & ~0x1f'ffffull, 0, 0, 2);
                const auto entry = g->last_entry();
                g->store(entry, 0);
            }
            on.translator.invalidate_va(
                vmid, Asid{5},
                {.address = at & ~0x1f'ffffull, .count = 512, .granule_shift = 12});
            for (auto* g : {&on, &off}) {
                if (block) {
                    g->map_s1(s1, at & ~0x1f'ffffull, out, attributes, 2);
                } else {
                    g->map_s1(s1, at, out + small, attributes);
                }
            }
            break;
        }
        case 1:
            if (nested) {
                const auto ipa = out + small;
                for (auto* g : {&on, &off}) {
                    g->map_s2(s2, ipa, 0x8000'0000 + (std::uint64_t(step) << 12));
                }
                on.translator.invalidate_ipa(vmid, {.address = ipa});
            }
            break;
        default: {
            const Transaction t{
                .address = Iova{at | (random() & 0xfff)},
                .access = random() % 2 ? Access::Write : Access::Read,
                .privilege = random() % 2 ? Privilege::Privileged : Privilege::User,
                .content = random() % 4 ? Content::Data : Content::Instruction};
            const auto a = on.translate(on_stream, t);
            const auto b = off.translate(off_stream, t);
            ASSERT_EQ(a.kind, b.kind) << step;
            ASSERT_EQ(a.record.has_value(), b.record.has_value());
            if (a.kind == Kind::Aborted) {
                ASSERT_EQ(a.record->id, b.record->id);
                ASSERT_EQ(a.record->stage, b.record->stage);
                ASSERT_EQ(a.record->ipa, b.record->ipa);
            } else {
                ++passed;
                ASSERT_EQ(a.translation.output, b.translation.output) << step;
                ASSERT_EQ(a.translation.mask, b.translation.mask);
                ASSERT_EQ(a.translation.read, b.translation.read);
                ASSERT_EQ(a.translation.write, b.translation.write);
            }
            break;
        }
        }
    }
    EXPECT_GT(passed, 20u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, TlbOnIsTlbOff, ::testing::Range(0u, 12u));

// Two threads translate while the page is moved and invalidated: neither ever sees an
// output older than the last invalidation that was over when its access began.
TEST_F(Translate, Smmu_4_4_NoAccessAfterATlbiUsesWhatItEnded)
{
    const auto roots = use_both();
    guest.map_s1(roots.s1, va, 0x9000'0000);
    guest.map_s2(roots.s2, 0x9000'0000, 0x1000);
    const auto leaf = guest.last_entry();
    const auto pte = guest.load(leaf) & ~0xffff'ffff'f000ull;
    auto* word = reinterpret_cast<std::uint64_t*>(guest.host.at(Gpa{leaf}));
    std::atomic<std::uint64_t> floor{1};
    std::atomic<bool> stop{false};
    std::atomic<unsigned> stale{0}, done{0};
    const auto device = [&](unsigned sid) {
        StreamEntry mine{StreamId{sid}};
        while (!stop.load(std::memory_order_relaxed)) {
            const auto least = floor.load(std::memory_order_acquire);
            const auto o = guest.translate(mine, reading(va));
            if (o.kind == Kind::Aborted || o.translation.output.value >> 12 < least) {
                ++stale;
            }
            ++done;
        }
    };
    guest.ste(4, Guest::nested_ste(roots.s2));
    std::thread devices[] = {std::thread{device, 3}, std::thread{device, 4}};
    // A loaded machine may not run the devices at once: go on until they did something.
    for (std::uint64_t version = 2; version < 5000 || (done == 0 && version < 5'000'000);
         ++version) {
        __atomic_store_n(word, pte | version << 12, __ATOMIC_RELEASE);
        switch (version % 4) {
        case 0:
            guest.translator.invalidate_ipa(Vmid{7}, {.address = 0x9000'0000});
            break;
        case 1:
            guest.translator.invalidate_va(Vmid{7}, Asid{5}, {.address = va});
            break;
        case 2:
            guest.translator.invalidate_vmid(Vmid{7});
            break;
        default:
            guest.translator.invalidate_ste(StreamId{3}, true);
            guest.translator.invalidate_all();
            break;
        }
        floor.store(version, std::memory_order_release);
        if (version % 64 == 0) {
            std::this_thread::yield();
        }
    }
    stop = true;
    for (auto& d : devices) {
        d.join();
    }
    EXPECT_EQ(stale, 0u);
    EXPECT_GT(done, 0u);
}

}  // namespace
}  // namespace iommu::smmu
