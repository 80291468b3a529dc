// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.17, 4.3, 4.4: what is kept of a translation, and what ends it.
#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "tests/unit/smmuv3/translate.hpp"

namespace iommu::smmu {
namespace {

using namespace test;

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
