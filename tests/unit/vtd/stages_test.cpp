// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 3.6, 3.7, 3.8 in scalable mode: entries as raw doublewords, A and D as they stand
// in memory afterwards.
#include "tests/unit/vtd/scalable_board.hpp"

#include <atomic>

using namespace iommu;
using namespace iommu::test;

namespace {

struct FirstBoard : ScalableBoard {
    explicit FirstBoard(std::uint64_t w2 = 0, const vtd::Configuration& c = scalable())
        : ScalableBoard(c)
    {
        first_tables();
        pasid(0, FIRST, 7, 0x10000 | w2);
        pasid(1, FIRST, 7, 0x10000 | w2);
    }
};

constexpr auto R = Access::Read, W = Access::Write;
constexpr auto USER = Privilege::User, PRIV = Privilege::Privileged;
constexpr auto CODE = Content::Instruction;

}  // namespace

TEST(Vtd_3_6_2_AccessedDirty, AReadMarksEveryEntryAccessedAndNoneDirty)
{
    FirstBoard b;
    ASSERT_TRUE(b.read(0x4000'0000).ok);
    EXPECT_EQ(b.get(0x10000), 0x11027u);
    EXPECT_EQ(b.get(0x11008), 0x12027u);
    EXPECT_EQ(b.get(0x12000), 0x13027u);
    EXPECT_EQ(b.get(0x13000), 0x50'0027u);
    EXPECT_FALSE(b.host.dirty.empty());  // migration's dirty log
}

// QEMU's B2: a page that was read first and then written never became dirty.
TEST(Vtd_B2_3_6_2_AccessedDirty, AWriteAfterAReadMarksThePageDirty)
{
    FirstBoard b;
    const auto r = b.read(0x4000'0000);
    ASSERT_TRUE(r.ok);
    EXPECT_FALSE(r.t.write);  // who keeps the answer must come back before writing
    ASSERT_TRUE(b.write(0x4000'0000).ok);
    EXPECT_EQ(b.get(0x13000), 0x50'0067u);
    EXPECT_EQ(b.get(0x12000), 0x13027u);
    EXPECT_TRUE(b.read(0x4000'0000).t.write);
    ASSERT_TRUE(b.write(0x4000'0008).ok);
}

// QEMU's B10: A and D were written back with a plain store over what the CPU had changed.
TEST(Vtd_B10_3_6_2_AccessedDirty, UpdatesAreAtomicAgainstTheProcessor)
{
    vtd::Configuration c = scalable();
    c.tlb = false;
    FirstBoard b(0, c);
    auto* entry = reinterpret_cast<std::uint64_t*>(b.host.at(Gpa{0x13000}));
    std::atomic<bool> stop{false};
    Stream& stream = b.stream();
    std::thread device([&] {
        while (!stop.load()) {
            Translation t;
            stream.translate({.address = Iova{0x4000'0000}, .access = W}, t);
        }
    });
    unsigned lost = 0;
    for (unsigned i = 0; i < 20000; ++i) {
        // Bit 9 is software's; clearing D makes the device store again.
        __atomic_fetch_and(entry, ~0x40ull, __ATOMIC_SEQ_CST);
        const auto mine = ~__atomic_fetch_xor(entry, 0x200, __ATOMIC_SEQ_CST) & 0x200;
        lost += (__atomic_load_n(entry, __ATOMIC_SEQ_CST) & 0x200) != mine;
    }
    stop = true;
    device.join();
    EXPECT_EQ(lost, 0u);
}

TEST(Vtd_3_6_2_EAFE, SetsTheExtendedAccessedBitToo)
{
    FirstBoard b(0x80);
    ASSERT_TRUE(b.write(0x4000'0000).ok);
    EXPECT_EQ(b.get(0x10000), 0x11427u);
    EXPECT_EQ(b.get(0x13000), 0x50'0467u);
}

// QEMU's B3: the canonical check used AW, a second-stage field, so AW 0 limited the first
// stage to 2^30.
TEST(Vtd_B3_3_6_Canonical, WidthIsThatOfTheFirstStage)
{
    FirstBoard b;  // AW is 0
    EXPECT_EQ(b.refused(0x4000'0000), 0u);
    EXPECT_EQ(b.refused(0x7fff'ffff'f000), 0x71u);
    EXPECT_EQ(b.refused(0x8000'0000'0000), 0x80u);
    EXPECT_EQ(b.refused(0xffff'7fff'ffff'f000), 0x80u);
    b.put(0x10ff8, {0x14007});
    b.put(0x14ff8, {0x15007});
    b.put(0x15ff8, {0x16007});
    b.put(0x16ff8, {0x70'0007});
    EXPECT_EQ(b.read(0xffff'ffff'ffff'f123).t.output, Gpa{0x70'0123});
    // Five levels: bit 56 decides.
    b.put(0x17000, {0x10007});
    b.pasid(0, FIRST, 7, 0x17000 | 0x4);
    b.flush();
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x50'0000});
    EXPECT_EQ(b.refused(0x00ff'ffff'ffff'f000), 0x71u);
    EXPECT_EQ(b.refused(0x0100'0000'0000'0000), 0x80u);
}

TEST(Vtd_3_6_FirstStage, LargePages)
{
    FirstBoard b;
    b.put(0x12008, {0x20'0087});
    b.put(0x11010, {0x8000'0087});
    EXPECT_EQ(b.read(0x4021'2345).t.output, Gpa{0x21'2345});
    EXPECT_EQ(b.read(0x4021'2345).t.mask, 0x1f'ffffu);
    EXPECT_EQ(b.read(0x8123'4567).t.output, Gpa{0x8123'4567});
    EXPECT_EQ(b.read(0x8123'4567).t.mask, 0x3fff'ffffu);
    EXPECT_EQ(b.get(0x12008), 0x20'00a7u);
}

TEST(Vtd_7_1_3_Reasons, OfFirstStageEntries)
{
    FirstBoard b;
    EXPECT_EQ(b.refused(0x4000'5000), 0x71u);
    EXPECT_EQ(b.refused(0x4000'1000, W), 0x85u);
    EXPECT_EQ(b.refused(0x4000'2000), 0x81u);
    b.put(0x13000, {1ull << 48 | 0x50'0007});  // beyond HAW
    EXPECT_EQ(b.refused(0x4000'0000), 0x72u);
    b.put(0x13000, {1ull << 63 | 0x50'0007});  // XD without NXE
    EXPECT_EQ(b.refused(0x4000'0000), 0x72u);
    b.put(0x13000, {0x7ff0'0000'0050'0a07});  // every ignored bit
    EXPECT_EQ(b.refused(0x4000'0000), 0u);
    b.put(0x12008, {0x20'2087});  // 2 MiB page with an address bit inside
    EXPECT_EQ(b.refused(0x4020'0000), 0x72u);
    b.put(0x12008, {0x20'1087});  // PAT is not one
    EXPECT_EQ(b.refused(0x4020'0000), 0u);
    b.put(0x10000, {0x11087});  // PS at level 4
    EXPECT_EQ(b.refused(0x4000'0000), 0x72u);
    b.put(0x10000, {0x4000'0007});
    EXPECT_EQ(b.refused(0x4000'0000), 0x70u);
    b.pasid(0, FIRST, 7, 0x4000'0000);
    EXPECT_EQ(b.refused(0x4000'0000), 0x73u);
}

TEST(Vtd_3_6_1_Rights, OfUserAndSupervisorRequests)
{
    FirstBoard b(0x1);  // SRE
    EXPECT_EQ(b.refused_pasid(0x4000'2000, R, 1, USER), 0x81u);
    EXPECT_EQ(b.refused_pasid(0x4000'2000, W, 1, PRIV), 0u);
    EXPECT_EQ(b.refused_pasid(0x4000'3000, R, 1, PRIV), 0u);
    // Without WPE a supervisor writes read-only pages.
    EXPECT_EQ(b.refused_pasid(0x4000'3000, W, 1, PRIV), 0u);
    EXPECT_EQ(b.refused_pasid(0x4000'1000, W, 1, USER), 0x85u);
    FirstBoard w(0x11);  // SRE, WPE
    EXPECT_EQ(w.refused_pasid(0x4000'3000, W, 1, PRIV), 0x85u);
    FirstBoard n;
    EXPECT_EQ(n.refused_pasid(0x4000'0000, R, 1, PRIV), 0x5du);
    // Also when the translation is cached.
    EXPECT_TRUE(n.with_pasid(0x4000'0000, R, 1).ok);
    EXPECT_FALSE(n.with_pasid(0x4000'0000, R, 1, PRIV).ok);
    EXPECT_EQ(n.r64(FRCD + 8), 0xc000'015d'a000'0010u);  // PP, PRIV
}

TEST(Vtd_3_6_1_Rights, ToExecute)
{
    FirstBoard b(0x22 | 0x1);  // ERE, NXE, SRE
    EXPECT_EQ(b.refused_pasid(0x4000'0000, R, 1, USER, CODE), 0u);
    EXPECT_EQ(b.refused_pasid(0x4000'4000, R, 1, USER, CODE), 0x82u);
    EXPECT_EQ(b.refused_pasid(0x4000'4000, R, 1, USER), 0u);
    EXPECT_EQ(b.refused_pasid(0x4000'0000, R, 1, PRIV, CODE), 0u);
    FirstBoard s(0x63);  // ERE, SRE, NXE, SMEP
    EXPECT_EQ(s.refused_pasid(0x4000'0000, R, 1, PRIV, CODE), 0x82u);
    EXPECT_EQ(s.refused_pasid(0x4000'2000, R, 1, PRIV, CODE), 0u);
    FirstBoard n(0x20);
    EXPECT_EQ(n.refused_pasid(0x4000'0000, R, 1, USER, CODE), 0x5cu);
}

TEST(Vtd_7_2_Record, CarriesPasidPrivilegeAndExecute)
{
    FirstBoard b(0x3);
    EXPECT_FALSE(b.with_pasid(0x4000'5678, R, 1, PRIV, CODE).ok);
    EXPECT_EQ(b.r64(FRCD), 0x4000'5000u);
    // F, T1, PV 1, FR 71, PP, EXE, PRIV, 00:02.0.
    EXPECT_EQ(b.r64(FRCD + 8), 0xc000'0171'e000'0010u);
}

TEST(Vtd_3_7_2_SSADE, MarksSecondStageEntries)
{
    ScalableBoard b;
    b.second_tables();
    b.pasid(0, SECOND | 1 << 9, 7);
    b.put(0x5000, {0x20000 | SECOND | 1 << 9});
    ASSERT_TRUE(b.read(0x40'0000).ok);
    EXPECT_EQ(b.get(0x20000), 0x21103u);
    EXPECT_EQ(b.get(0x22010), 0x60'0183u);
    ASSERT_TRUE(b.write(0x40'0000).ok);
    EXPECT_EQ(b.get(0x22010), 0x60'0383u);
    EXPECT_EQ(b.get(0x20000), 0x21103u);
    ScalableBoard n;  // without SSADE nothing is written
    n.second_tables();
    n.pasid(0, 0x20000 | SECOND, 7);
    ASSERT_TRUE(n.write(0x40'0000).ok);
    EXPECT_EQ(n.get(0x22010), 0x60'0083u);
}

TEST(Vtd_7_1_3_Reasons, OfSecondStageEntriesInScalableMode)
{
    ScalableBoard b;
    b.second_tables();
    b.pasid(0, 0x20000 | SECOND, 7);
    EXPECT_EQ(b.refused(0x40'0000, W), 0u);
    EXPECT_EQ(b.refused(0x20'0000), 0x79u);
    EXPECT_EQ(b.refused(0x60'0000, W), 0x85u);
    b.put(0x22018, {0x60'0082});
    EXPECT_EQ(b.refused(0x60'0000), 0x86u);
    b.put(0x22018, {1ull << 62 | 0x60'0083});
    EXPECT_EQ(b.refused(0x60'0000), 0x7au);
    b.put(0x21000, {0x4000'0003});
    EXPECT_EQ(b.refused(0x60'0000), 0x78u);
    EXPECT_EQ(b.refused(1ull << 48), 0x83u);
    b.pasid(0, 0x20000 | (SECOND & ~0x1cull) | 1 << 2, 7);  // 39 bits
    EXPECT_EQ(b.refused(1ull << 39), 0x84u);
}

TEST(Vtd_9_8_SSEE, ExecutionNeedsX)
{
    ScalableBoard b;
    b.second_tables();
    b.pasid(1, 0x20000 | SECOND | 1 << 5, 7, 0x2);  // SSEE, ERE
    EXPECT_EQ(b.refused_pasid(0x40'0000, R, 1, USER, CODE), 0x82u);
    b.put(0x20000, {0x21007});
    b.put(0x21000, {0x22007});
    b.put(0x22010, {0x60'0087});
    EXPECT_EQ(b.refused_pasid(0x40'0000, R, 1, USER, CODE), 0u);
    b.pasid(2, 0x20000 | SECOND, 7, 0x2);  // without SSEE reading is enough
    b.put(0x22010, {0x60'0083});
    EXPECT_EQ(b.refused_pasid(0x40'0000, R, 2, USER, CODE), 0u);
}

namespace {

struct NestedBoard : ScalableBoard {
    NestedBoard()
    {
        first_tables();
        second_tables();
        pasid(0, 0x20000 | NESTED | 1 << 9, 7, 0x10000);
        put(0x13000, {0x40'0007, 0x60'1007, 0x20'0007});
    }
};

}  // namespace

TEST(Vtd_3_8_Nested, GoesThroughBothStages)
{
    NestedBoard b;
    const auto r = b.read(0x4000'0123);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.output, Gpa{0x60'0123});
    EXPECT_EQ(r.t.mask, 0xfffu);
    // Accessed in both stages; the tables' own page dirty in the second, for they were
    // written.
    EXPECT_EQ(b.get(0x13000), 0x40'0027u);
    EXPECT_EQ(b.get(0x22000), 0x383u);
    EXPECT_EQ(b.get(0x22010), 0x60'0183u);
    ASSERT_TRUE(b.write(0x4000'0123).ok);
    EXPECT_EQ(b.get(0x13000), 0x40'0067u);
    EXPECT_EQ(b.get(0x22010), 0x60'0383u);
    EXPECT_EQ(b.read(0x4000'1010).t.output, Gpa{0x60'1010});
}

TEST(Vtd_7_1_3_Reasons, OfNestedTranslation)
{
    NestedBoard b;
    EXPECT_EQ(b.refused(0x4000'1000, W), 0x85u);  // second stage read only
    EXPECT_EQ(b.refused(0x4000'2000), 0x79u);     // second stage not present
    b.put(0x13000, {1ull << 49 | 0x7});
    EXPECT_EQ(b.refused(0x4000'0000), 0x84u);  // first-stage output beyond the second
    b.put(0x12000, {1ull << 49 | 0x7});
    EXPECT_EQ(b.refused(0x4000'0000), 0x74u);  // a table beyond it
    b.put(0x12000, {0x20'0007});
    EXPECT_EQ(b.refused(0x4000'0000), 0x79u);  // a table that is not mapped
    b.put(0x22008, {0x20'0082});
    EXPECT_EQ(b.refused(0x4000'0000), 0x76u);  // a table that is write only
    b.put(0x22008, {0x81});                    // 0x20'0000 is 0x0, read only
    b.put(0x12000, {0x21'3007});
    b.put(0x13000, {0x40'0007});
    EXPECT_EQ(b.refused(0x4000'0000), 0x77u);  // A cannot be set
    b.put(0x13000, {0x40'0027});
    EXPECT_EQ(b.refused(0x4000'0000), 0u);
    EXPECT_EQ(b.refused(0x4000'0000, W), 0x77u);  // nor D
    b.put(0x22000, {0x82});
    EXPECT_EQ(b.refused(0x4000'0000), 0x75u);  // the first-stage root is write only
    b.put(0x22000, {0x83});
    b.put(0x21000, {0x4000'0003});
    EXPECT_EQ(b.refused(0x4000'0000), 0x78u);
}

TEST(Vtd_6_5_2_3_Iotlb, EndsNestedTranslationsByTheirSecondStageAddress)
{
    NestedBoard b;
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x60'0000});
    b.put(0x22010, {0x40'0083});
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x60'0000});
    b.submit(0x32 | 7 << 16, 0x80'0000);  // elsewhere
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x60'0000});
    b.submit(0x32 | 7 << 16, 0x5f'f000);  // another page of the same 2 MiB block
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x40'0000});
    b.put(0x22010, {0x60'0083});
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x40'0000});
    b.submit(0x22 | 7 << 16, 0);
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x60'0000});
}

// A first-stage block over smaller second-stage pages: one address ends all the pieces.
TEST(Vtd_6_5_2_4_PasidIotlb, EndsEveryPieceOfALargeNestedPage)
{
    NestedBoard b;
    b.put(0x12008, {0x40'0087});  // 2 MiB first-stage page
    b.put(0x22010, {0x23003});    // over 4 KiB second-stage pages
    b.put(0x23000, {0x60'0003, 0x60'8003});
    EXPECT_EQ(b.read(0x4020'0000).t.output, Gpa{0x60'0000});
    EXPECT_EQ(b.read(0x4020'1000).t.output, Gpa{0x60'8000});
    b.put(0x12008, {0x60'0087});
    b.submit(0x36 | 7 << 16, 0x4020'0000);
    EXPECT_EQ(b.read(0x4020'0000).t.output, Gpa{0x60'0000});
    EXPECT_EQ(b.read(0x4020'1000).t.output, Gpa{0x60'1000});
}
