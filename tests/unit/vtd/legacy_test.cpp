// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 3.4.3 and 3.7: legacy mode, tables as raw doublewords.
#include "tests/unit/vtd/board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

// Invalidate everything, the way software does without a queue.
void flush(Board& b)
{
    b.w64(CCMD, 1ull << 63 | 1ull << 61);
    b.w64(IOTLB, 1ull << 63 | 1ull << 60);
}

unsigned refused(Board& b, std::uint64_t at, Access access = Access::Read,
                 unsigned sid = 0x10)
{
    flush(b);
    const auto r = b.access({.address = Iova{at}, .access = access}, sid);
    return r.ok ? 0 : b.take_reason();
}

}  // namespace

TEST(Vtd_3_7_SecondStage, MapsPagesWithTheirOwnRights)
{
    Board b;
    b.legacy_4k();
    const auto rw = b.read(0x4000'0abc);
    ASSERT_TRUE(rw.ok);
    EXPECT_EQ(rw.t.output, Gpa{0x50'0abc});
    EXPECT_EQ(rw.t.mask, 0xfffu);
    EXPECT_TRUE(rw.t.read && rw.t.write);
    const auto ro = b.read(0x4000'1000);
    EXPECT_TRUE(ro.ok && ro.t.read && !ro.t.write);
    const auto wo = b.write(0x4000'2008);
    EXPECT_TRUE(wo.ok && !wo.t.read && wo.t.write);
    EXPECT_EQ(wo.t.output, Gpa{0x50'2008});
    EXPECT_EQ(refused(b, 0x4000'3000), 6u);
    EXPECT_EQ(refused(b, 0x4000'3000, Access::Write), 5u);
}

TEST(Vtd_3_7_SecondStage, LargePagesEndAtTheirLevel)
{
    Board b;
    b.legacy_4k();
    b.put(0x12008, {0x20'0083});    // 2 MiB at 0x4020'0000
    b.put(0x11010, {0x4000'0081});  // 1 GiB, read only, at 0x8000'0000
    const auto m2 = b.write(0x4023'4567);
    ASSERT_TRUE(m2.ok);
    EXPECT_EQ(m2.t.output, Gpa{0x23'4567});
    EXPECT_EQ(m2.t.mask, 0x1f'ffffu);
    const auto g1 = b.read(0x9234'5678);
    ASSERT_TRUE(g1.ok);
    EXPECT_EQ(g1.t.output, Gpa{0x5234'5678});
    EXPECT_EQ(g1.t.mask, 0x3fff'ffffu);
    EXPECT_FALSE(g1.t.write);
}

TEST(Vtd_3_7_SecondStage, RightsOfEveryLevelCount)
{
    Board b;
    b.legacy_4k();
    b.put(0x12000, {0x13001});  // level 2: read only
    EXPECT_EQ(refused(b, 0x4000'0000), 0u);
    EXPECT_EQ(refused(b, 0x4000'0000, Access::Write), 5u);
    b.put(0x10000, {0x11002});  // level 4: write only
    EXPECT_EQ(refused(b, 0x4000'0000), 6u);
}

TEST(Vtd_3_7_SecondStage, ThreeAndFiveLevels)
{
    vtd::Configuration c;
    c.aw_bits = 57;
    Board b(c);
    b.legacy_4k();
    b.context(0x10, 0x11001, 0x501);  // 39 bits: starts at level 3
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x50'0000});
    EXPECT_EQ(refused(b, 1ull << 39), 4u);
    b.context(0x10, 0x14001, 0x503);  // 57 bits
    b.put(0x14000 + 8 * 5, {0x10003});
    flush(b);
    const auto r = b.read(5ull << 48 | 0x4000'0010);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.output, Gpa{0x50'0010});
    EXPECT_EQ(refused(b, 1ull << 57), 4u);
}

TEST(Vtd_7_1_3_Reasons, OfRootAndContextEntries)
{
    Board b;
    b.legacy_4k();
    EXPECT_EQ(refused(b, 0x1000, Access::Read, 0x110), 1u);  // bus 1
    EXPECT_EQ(refused(b, 0x1000, Access::Read, 0x18), 2u);
    b.put(0x1000, {0x2003, 0});
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0au);
    b.put(0x1000, {0x2001, 1});
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0au);
    b.put(0x1000, {0x4000'0001, 0});  // context table where nobody is
    EXPECT_EQ(refused(b, 0x4000'0000), 9u);
    b.put(0x1000, {0x2001, 0});
    b.w64(RTADDR, 0x4000'0000);
    b.w32(GCMD, TE | SRTP);
    EXPECT_EQ(refused(b, 0x4000'0000), 8u);
    b.w64(RTADDR, 0x1000);
    b.w32(GCMD, TE | SRTP);
    b.context(0x10, 0x10011, 0x502);  // reserved bit 4
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0bu);
    b.context(0x10, 0x10001, 0x582);  // reserved bit 71
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0bu);
    b.context(0x10, 0x10001, 0x57a);  // bits 70:67 are ignored
    EXPECT_EQ(refused(b, 0x4000'0000), 0u);
    b.context(0x10, 0x10001, 0x500);  // AW 30 bits
    EXPECT_EQ(refused(b, 0x4000'0000), 3u);
    b.context(0x10, 0x10001, 0x503);  // 57 bits: not in SAGAW
    EXPECT_EQ(refused(b, 0x4000'0000), 3u);
    b.context(0x10, 0x10005, 0x502);  // TT 01 without ECAP.DT
    EXPECT_EQ(refused(b, 0x4000'0000), 3u);
    b.context(0x10, 0x1000d, 0x502);  // TT 11
    EXPECT_EQ(refused(b, 0x4000'0000), 3u);
}

TEST(Vtd_7_1_3_Reasons, OfPagingEntries)
{
    Board b;
    b.legacy_4k();
    EXPECT_EQ(refused(b, 1ull << 48), 4u);
    b.put(0x12000, {0x4000'0003});  // table where nobody is
    EXPECT_EQ(refused(b, 0x4000'0000), 7u);
    b.put(0x12000, {0x13803});  // SNP in a table entry
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0cu);
    b.put(0x12000, {0x13003});
    b.put(0x13000, {0x50'0803});  // SNP in a page, ECAP.SC is set
    EXPECT_EQ(refused(b, 0x4000'0000), 0u);
    b.put(0x13000, {1ull << 62 | 0x50'0003});  // TM without ECAP.DT
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0cu);
    b.put(0x13000, {1ull << 48 | 0x50'0003});  // beyond HAW
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0cu);
    b.put(0x13000, {0xbff0'0000'0050'077f});  // every ignored bit
    EXPECT_EQ(refused(b, 0x4000'0000), 0u);
    b.put(0x13000, {1ull << 62 | 0x50'0000});  // reserved, but not present
    EXPECT_EQ(refused(b, 0x4000'0000), 6u);
    b.put(0x12008, {0x20'1083});  // 2 MiB page with an address bit inside
    EXPECT_EQ(refused(b, 0x4020'0000), 0x0cu);
    b.put(0x10000, {0x11083});  // PS at level 4
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0cu);
}

TEST(Vtd_3_7_SecondStage, SnpIsReservedWithoutSnoopControl)
{
    vtd::Configuration c;
    c.snoop_control = false;
    Board b(c);
    b.legacy_4k();
    b.put(0x13000, {0x50'0803});
    EXPECT_EQ(refused(b, 0x4000'0000), 0x0cu);
}

TEST(Vtd_9_3_TT, PassThroughMapsAllToItself)
{
    Board b;
    b.legacy_4k();
    b.context(0x10, 0x9, 0x502);
    const auto r = b.write(0x1234'5678'9000);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.output, Gpa{0x1234'5678'9000});
    EXPECT_EQ(r.t.mask, 0xffff'ffff'ffffu);  // of the widest address, 48 bits
    EXPECT_TRUE(b.stream().bypassed());
    vtd::Configuration c;
    c.pt = false;
    Board n(c);
    n.legacy_4k();
    n.context(0x10, 0x9, 0x502);
    EXPECT_EQ(refused(n, 0x1000), 3u);
    EXPECT_FALSE(n.stream().bypassed());
}

TEST(Vtd_9_3_TT, DeviceTlbTypeTranslatesUntranslatedRequests)
{
    vtd::Configuration c;
    c.device_iotlb = true;
    Board b(c);
    b.legacy_4k();
    b.context(0x10, 0x10005, 0x502);
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x50'0000});
}

TEST(Vtd_3_15_InterruptRange, IsNeverTranslated)
{
    Board b;
    b.legacy_4k();
    b.put(0x11018, {0xc000'0083});  // 1 GiB identity over 0xfee00000
    const auto w = b.write(0xfee0'1000);
    ASSERT_TRUE(w.ok);
    EXPECT_EQ(w.t.output, Gpa{0xfee0'1000});
    EXPECT_EQ(w.t.mask, 0xfffu);
    EXPECT_FALSE(b.read(0xfee0'1000).ok);
    EXPECT_EQ(b.r32(FSTS), 0u);
    // The rest of the block is, but a page at a time.
    const auto r = b.read(0xfed0'0000);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.mask, 0xfffu);
}

TEST(Vtd_3_15_InterruptRange, AsAnOutputIsAFault)
{
    Board b;
    b.legacy_4k();
    b.put(0x13000, {0xfee0'0003});
    EXPECT_FALSE(b.write(0x4000'0000).ok);
    EXPECT_EQ(b.take_reason(), 0x0eu);
    EXPECT_FALSE(b.write(0x4000'0000).ok);  // from the cache
    EXPECT_EQ(b.take_reason(), 0x0eu);
}

TEST(Vtd_3_4_Pasid, IsRefusedInLegacyMode)
{
    Board b;
    b.legacy_4k();
    EXPECT_FALSE(b.access({.address = Iova{0x4000'0000}, .substream = {3, true}}).ok);
    EXPECT_EQ(b.r64(FRCD + 8), 0xc000'0331'8000'0010u);
}

TEST(Vtd_11_4_4_1_TE, OffMeansNothingIsLookedAt)
{
    Board b;
    EXPECT_TRUE(b.stream().bypassed());
    const auto r = b.write(0xffff'0000'0000'0000);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.mask, ~0ull);
}

TEST(Vtd_6_2_Caches, KeepStaleTranslationsUntilInvalidated)
{
    Board b;
    b.legacy_4k();
    b.queue();
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x50'0000});
    b.put(0x13000, {0x60'0003});
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x50'0000});
    b.submit(6 << 16 | 0x32, 0x4000'0000);  // another domain
    b.submit(5 << 16 | 0x32, 0x4000'1000);  // another page
    b.submit(6 << 16 | 0x22, 0);            // another domain, all of it
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x50'0000});
    b.submit(5 << 16 | 0x32, 0x4000'0000);
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x60'0000});
    for (const std::uint64_t descriptor :
         {0x12ull, 5ull << 16 | 0x22, 5ull << 16 | 0x32}) {
        const auto before = b.read(0x4000'0000).t.output;
        const auto other = before == Gpa{0x60'0000} ? 0x50'0003 : 0x60'0003;
        b.put(0x13000, {static_cast<std::uint64_t>(other)});
        EXPECT_EQ(b.read(0x4000'0000).t.output, before);
        b.submit(descriptor, descriptor >> 4 & 2 ? 0x4000'0000 | 9 : 0);
        EXPECT_EQ(b.read(0x4000'0000).t.output.value | 3,
                  static_cast<std::uint64_t>(other));
    }
}

TEST(Vtd_6_2_Caches, ContextEntriesAreCachedUntilInvalidated)
{
    Board b;
    b.legacy_4k();
    b.queue();
    EXPECT_TRUE(b.read(0x4000'0000).ok);
    b.context(0x10, 0, 0);
    EXPECT_TRUE(b.read(0x4000'1000).ok);
    b.submit(0x31 | 5 << 16 | 0x18ull << 32, 0);  // another device
    b.submit(0x21 | 6 << 16, 0);                  // another domain
    EXPECT_TRUE(b.read(0x4000'1000).ok);
    b.submit(0x31 | 5 << 16 | 0x12ull << 32 | 2ull << 48, 0);  // functions 0, 2, 4, 6
    EXPECT_FALSE(b.read(0x4000'1000).ok);
    EXPECT_EQ(b.take_reason(), 2u);
    // A not-present entry is not cached: CAP.CM is clear.
    b.context(0x10, 0x10001, 0x502);
    EXPECT_TRUE(b.read(0x4000'1000).ok);
    b.context(0x10, 0, 0);
    b.submit(0x21 | 5 << 16, 0);
    EXPECT_FALSE(b.read(0x4000'1000).ok);
}

TEST(Vtd_6_2_Caches, WithTlbOffEveryAccessWalks)
{
    vtd::Configuration c;
    c.tlb = false;
    Board b(c);
    b.legacy_4k();
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x50'0000});
    b.put(0x13000, {0x60'0003});
    EXPECT_EQ(b.read(0x4000'0000).t.output, Gpa{0x60'0000});
}

TEST(Vtd_Notifications, ReachTheListenersOfTheDomain)
{
    Board b;
    b.legacy_4k();
    b.context(0x18, 0x10001, 0x602);  // domain 6
    b.queue();
    b.stream(0x10).want_unmaps(true);
    b.stream(0x18).want_unmaps(true);
    b.host.unmaps.clear();
    b.submit(5 << 16 | 0x32, 0x4000'0000 | 9);
    ASSERT_EQ(b.host.unmaps.size(), 1u);
    EXPECT_EQ(b.host.unmaps[0].stream, &b.cookies[0x10]);
    EXPECT_EQ(b.host.unmaps[0].base, Iova{0x4000'0000});
    EXPECT_EQ(b.host.unmaps[0].size, 0x20'0000u);
    b.submit(6 << 16 | 0x22, 0);
    ASSERT_EQ(b.host.unmaps.size(), 2u);
    EXPECT_EQ(b.host.unmaps[1].stream, &b.cookies[0x18]);
    EXPECT_EQ(b.host.unmaps[1].size, 0u);
    b.stream(0x18).want_unmaps(false);
    b.submit(0x12, 0);
    EXPECT_EQ(b.host.unmaps.size(), 3u);
}

TEST(Vtd_Notifications, TellWhenPassThroughBeginsAndEnds)
{
    Board b;
    auto& s = b.stream();
    EXPECT_TRUE(s.bypassed());
    b.legacy_4k();
    EXPECT_FALSE(s.bypassed());
    EXPECT_EQ(b.host.bypass_changes.size(), 1u);
    b.queue();
    b.context(0x10, 0x9, 0x502);
    b.submit(0x31 | 5 << 16 | 0x10ull << 32, 0);
    EXPECT_TRUE(s.bypassed());
    ASSERT_EQ(b.host.bypass_changes.size(), 2u);
    b.submit(0x31 | 5 << 16 | 0x10ull << 32, 0);
    EXPECT_EQ(b.host.bypass_changes.size(), 2u);
    b.w32(GCMD, QIE);
    EXPECT_EQ(b.host.bypass_changes.size(), 2u);  // disabled: still all passes
    EXPECT_EQ(b.host.bypass_changes[1], &b.cookies[0x10]);
}
