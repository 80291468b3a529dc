// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 3.4.4: scalable-mode root, context, PASID directory and PASID table.
#include "tests/unit/vtd/scalable_board.hpp"

using namespace iommu;
using namespace iommu::test;

TEST(Vtd_9_6_PGTT, PassThroughMapsAllToItself)
{
    ScalableBoard b;
    b.pasid(0, PASS, 1);
    const auto r = b.write(0x1234'5678'9000);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.mask, 0xffff'ffff'ffffu);  // of the widest address, 48 bits
    EXPECT_TRUE(b.stream().bypassed());
    vtd::Configuration c = scalable();
    c.pt = false;
    ScalableBoard n(c);
    n.pasid(0, PASS, 1);
    EXPECT_EQ(n.refused(0x1000), 0x5bu);
}

TEST(Vtd_9_4_RID_PASID, NamesTheEntryOfRequestsWithoutPasid)
{
    ScalableBoard b;
    b.first_tables();
    b.context(0x4009, 5);
    b.pasid(5, FIRST, 7, 0x10000);
    EXPECT_EQ(b.read(0x4000'0008).t.output, Gpa{0x50'0008});
    b.context(0x4009, 8192);  // beyond the directory
    EXPECT_EQ(b.refused(0x4000'0000), 0x48u);
    b.context(0x4209, 8192);  // PDTS 1: 16384 PASIDs
    EXPECT_EQ(b.refused(0x4000'0000), 0x51u);
}

TEST(Vtd_9_2_Root, UpperHalfServesDevices16To31)
{
    ScalableBoard b;
    b.first_tables();
    b.pasid(0, FIRST, 7, 0x10000);
    b.put(0x3000 + (0x88 & 0x7f) * 32, {0x4009, 0, 0, 0});
    EXPECT_FALSE(b.read(0x4000'0000, 0x88).ok);
    EXPECT_EQ(b.take_reason(), 0x39u);
    b.put(0x1008, {0x3001});
    EXPECT_EQ(b.read(0x4000'0000, 0x88).t.output, Gpa{0x50'0000});
}

TEST(Vtd_7_1_3_Reasons, OfScalableModeTables)
{
    ScalableBoard b;
    b.first_tables();
    b.pasid(0, FIRST, 7, 0x10000);
    EXPECT_EQ(b.refused(0x4000'0000), 0u);

    b.put(0x1000, {0x2801});
    EXPECT_EQ(b.refused(0x4000'0000), 0x3au);
    b.put(0x1000, {0});
    EXPECT_EQ(b.refused(0x4000'0000), 0x39u);
    b.put(0x1000, {0x4000'0001});
    EXPECT_EQ(b.refused(0x4000'0000), 0x40u);
    b.put(0x1000, {0x2001});

    b.context(0x4008, 0);
    EXPECT_EQ(b.refused(0x4000'0000), 0x41u);
    b.context(0x4029, 0);  // reserved bit 5
    EXPECT_EQ(b.refused(0x4000'0000), 0x42u);
    b.context(0x400d, 0);  // DTE without ECAP.DT
    EXPECT_EQ(b.refused(0x4000'0000), 0x42u);
    b.context(0x4019, 0);  // PRE without ECAP.PRS
    EXPECT_EQ(b.refused(0x4000'0000), 0x42u);
    b.context(0x4001, 0);
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Read, 0), 0x45u);
    b.context(0x4009, 0);
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Read, 8192), 0x46u);
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Read, 64), 0x51u);
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Read, 1), 0x59u);

    b.context(0x4000'0009, 0);
    EXPECT_EQ(b.refused(0x4000'0000), 0x50u);
    b.context(0x4009, 0);
    b.put(0x4000, {0x5005});
    EXPECT_EQ(b.refused(0x4000'0000), 0x52u);
    b.put(0x4000, {0x4000'0001});
    EXPECT_EQ(b.refused(0x4000'0000), 0x58u);
    b.put(0x4000, {0x5001});

    b.pasid(0, FIRST | 1 << 10, 7, 0x10000);
    EXPECT_EQ(b.refused(0x4000'0000), 0x5au);
    b.pasid(0, FIRST, 7 | 1 << 16, 0x10000);
    EXPECT_EQ(b.refused(0x4000'0000), 0x5au);
    b.pasid(0, 0x01, 7, 0x10000);  // PGTT 000
    EXPECT_EQ(b.refused(0x4000'0000), 0x5bu);
    b.pasid(0, FIRST, 7, 0x10008);  // FSPM 10
    EXPECT_EQ(b.refused(0x4000'0000), 0x5bu);
    b.pasid(0, 0x8d, 7);  // second stage, 57 bits: not in SAGAW
    EXPECT_EQ(b.refused(0x4000'0000), 0x5bu);

    b.w64(RTADDR, 0x4000'0400);
    b.w32(GCMD, TE | QIE | SRTP);
    EXPECT_EQ(b.refused(0x4000'0000), 0x38u);
    b.w64(RTADDR, 0x1800);  // TTM 10
    b.w32(GCMD, TE | QIE | SRTP);
    EXPECT_FALSE(b.read(0x4000'0000).ok);
    EXPECT_EQ(b.take_reason(), 0x30u);
}

TEST(Vtd_7_1_3_FPD, OfAnyEntryOnTheWayMutes)
{
    ScalableBoard b;
    b.context(0x400b, 0);
    EXPECT_FALSE(b.read(0x1000).ok);
    EXPECT_EQ(b.r32(FSTS), 0u);
    b.context(0x4009, 0);
    b.put(0x4000, {0x5003});
    EXPECT_FALSE(b.read(0x1000).ok);
    EXPECT_EQ(b.r32(FSTS), 0u);
    b.put(0x4000, {0x5001});
    b.pasid(0, FIRST | 2, 7, 0x10000);
    EXPECT_FALSE(b.read(0x1000).ok);
    EXPECT_EQ(b.r32(FSTS), 0u);
    b.pasid(0, FIRST, 7, 0x10000);
    b.flush();
    EXPECT_FALSE(b.read(0x1000).ok);
    EXPECT_EQ(b.take_reason(), 0x71u);
}

TEST(Vtd_11_4_3_PSS, LimitsPasids)
{
    vtd::Configuration c = scalable();
    c.pasid_bits = 4;
    ScalableBoard b(c);
    b.first_tables();
    b.pasid(15, FIRST, 7, 0x10000);
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Read, 15), 0u);
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Read, 16), 0x46u);
}

TEST(Vtd_3_15_InterruptRange, IsOrdinaryMemoryForRequestsWithPasid)
{
    ScalableBoard b;
    b.first_tables();
    b.put(0x11018, {0x50'0000'0087});  // 1 GiB page at 3 GiB
    b.pasid(1, FIRST, 7, 0x10000);
    const auto r = b.with_pasid(0xfee0'1000, Access::Read, 1);
    ASSERT_TRUE(r.ok);
    EXPECT_EQ(r.t.output, Gpa{0x50'3ee0'1000});
    // But not as an output.
    b.put(0x13000, {0xfee0'0007});
    EXPECT_EQ(b.refused_pasid(0x4000'0000, Access::Write, 1), 0x87u);
}

TEST(Vtd_6_2_3_PasidCache, KeepsEntriesUntilInvalidated)
{
    ScalableBoard b;
    b.first_tables();
    b.pasid(1, FIRST, 7, 0x10000);
    EXPECT_TRUE(b.with_pasid(0x4000'0000, Access::Read, 1).ok);
    b.pasid(1, 0, 0);
    EXPECT_TRUE(b.with_pasid(0x4000'1000, Access::Read, 1).ok);
    b.submit(0x17 | 7 << 16 | 2ull << 32, 0);  // another PASID
    b.submit(0x07 | 8 << 16, 0);               // another domain
    EXPECT_TRUE(b.with_pasid(0x4000'1000, Access::Read, 1).ok);
    b.submit(0x17 | 7 << 16 | 1ull << 32, 0);
    EXPECT_FALSE(b.with_pasid(0x4000'1000, Access::Read, 1).ok);
    EXPECT_EQ(b.take_reason(), 0x59u);
    for (const std::uint64_t descriptor : {0x07ull | 7 << 16, 0x37ull}) {
        b.pasid(1, FIRST, 7, 0x10000);
        EXPECT_TRUE(b.with_pasid(0x4000'1000, Access::Read, 1).ok);
        b.pasid(1, 0, 0);
        EXPECT_TRUE(b.with_pasid(0x4000'1000, Access::Read, 1).ok);
        b.submit(descriptor, 0);
        EXPECT_FALSE(b.with_pasid(0x4000'1000, Access::Read, 1).ok);
        b.clear_faults();
    }
}

TEST(Vtd_6_5_2_4_PasidIotlb, InvalidatesByPasidAndByPage)
{
    ScalableBoard b;
    b.first_tables();
    for (const unsigned n : {1, 2}) {
        b.pasid(n, FIRST, 7, 0x10000);
        EXPECT_EQ(b.with_pasid(0x4000'0000, Access::Read, n).t.output, Gpa{0x50'0000});
        EXPECT_EQ(b.with_pasid(0x4000'1000, Access::Read, n).t.output, Gpa{0x50'1000});
    }
    b.put(0x13000, {0x60'0007, 0x60'1007});
    const auto page = [&](unsigned n, std::uint64_t at) {
        return b.with_pasid(at, Access::Read, n).t.output.value;
    };
    b.submit(0x36 | 7 << 16 | 1ull << 32, 0x4000'0000);
    EXPECT_EQ(page(1, 0x4000'0000), 0x60'0000u);
    EXPECT_EQ(page(1, 0x4000'1000), 0x50'1000u);
    EXPECT_EQ(page(2, 0x4000'0000), 0x50'0000u);
    b.submit(0x26 | 7 << 16 | 1ull << 32, 0);
    EXPECT_EQ(page(1, 0x4000'1000), 0x60'1000u);
    EXPECT_EQ(page(2, 0x4000'0000), 0x50'0000u);
    b.submit(0x36 | 7 << 16 | 2ull << 32, 0x4000'0000 | 1);  // both pages
    EXPECT_EQ(page(2, 0x4000'0000), 0x60'0000u);
    EXPECT_EQ(page(2, 0x4000'1000), 0x60'1000u);
}
