// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 5: messages in, messages out, both raw.
#include "tests/unit/vtd/board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

struct RemappingBoard : Board {
    // 256 entries at 0x9000, remapping on.
    explicit RemappingBoard(std::uint64_t irta = 0x9007, vtd::Configuration c = plain())
        : Board(c)
    {
        w64(IRTA, irta);
        w32(GCMD, SIRTP);
        w32(GCMD, IRE);
    }
    void irte(unsigned index, std::uint64_t low, std::uint64_t high)
    {
        put(0x9000 + 16 * index, {low, high});
    }
    // Handle `index`, no subhandle.
    static std::uint64_t handle(unsigned index)
    {
        return 0xfee0'0010 | (index & 0x7fff) << 5 | (index >> 15) << 2;
    }
    std::optional<vtd::Message> send(std::uint64_t address, std::uint32_t data = 0,
                                     unsigned sid = 0x10)
    {
        return unit.remap_interrupt(SourceId{static_cast<std::uint16_t>(sid)},
                                    {Gpa{address}, data});
    }
};

}  // namespace

TEST(Vtd_5_1_4_Remap, TurnsAnEntryIntoItsMessage)
{
    RemappingBoard b;
    // Vector 0x31, lowest priority, level, logical, redirection hint, xAPIC id 2.
    b.irte(5, 0x0000'0200'0031'003d, 0);
    const auto m = b.send(b.handle(5), 0xffff'ffff);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->address, Gpa{0xfee0'200c});
    EXPECT_EQ(m->data, 0xc131u);
    EXPECT_EQ(b.r32(FSTS), 0u);
}

TEST(Vtd_5_1_4_Remap, WithEimDeliversTo32BitIds)
{
    RemappingBoard b(0x9807);
    b.irte(1, 0x0001'2345'0040'0001, 0);
    const auto m = b.send(b.handle(1));
    ASSERT_TRUE(m);
    EXPECT_EQ(m->address, Gpa{0x0001'2300'fee4'5000});
    EXPECT_EQ(m->data, 0x4040u);
}

TEST(Vtd_5_1_3_Index, AddsTheSubhandleOnlyWhenItIsValid)
{
    RemappingBoard b;
    b.irte(7, 0x0000'0100'0077'0001, 0);
    ASSERT_TRUE(b.send(b.handle(4) | 8, 3));
    EXPECT_EQ(b.send(b.handle(4) | 8, 3)->data, 0x4077u);
    EXPECT_FALSE(b.send(b.handle(4), 3));  // entry 4 is empty
    EXPECT_EQ(b.r64(FRCD), 4ull << 48);
    EXPECT_EQ(b.r64(FRCD + 8), 0x8000'0022'0000'0010u);
    b.clear_faults();
    EXPECT_FALSE(b.send(b.handle(4) | 8, 0x1'0003));  // reserved data bits
    EXPECT_EQ(b.take_reason(), 0x20u);
}

TEST(Vtd_5_1_3_Index, ReachesBit15AndNotBeyondTheTable)
{
    RemappingBoard b(0x10'000f);  // 65536 entries at 0x100000
    b.put(0x10'0000 + 16 * 0x8001, {0x0000'0100'0055'0001, 0});
    ASSERT_TRUE(b.send(b.handle(0x8001)));
    EXPECT_EQ(b.send(b.handle(0x8001))->data, 0x4055u);
    RemappingBoard s(0x9000);  // two entries
    EXPECT_FALSE(s.send(s.handle(2)));
    EXPECT_EQ(s.r64(FRCD), 2ull << 48);
    EXPECT_EQ(s.take_reason(), 0x21u);
    EXPECT_FALSE(s.send(s.handle(1)));
    EXPECT_EQ(s.take_reason(), 0x22u);
}

TEST(Vtd_7_1_Reasons, OfInterruptRequests)
{
    RemappingBoard b;
    b.irte(1, 0x0000'0200'0031'1001, 0);  // reserved bit 12
    b.irte(2, 0x0000'0200'0031'0001, 1ull << 20);
    b.irte(3, 0x0000'0200'0031'8001, 0);         // posted, CAP.PI clear
    b.irte(4, 0x0000'0200'0031'0061, 0);         // delivery mode 011
    b.irte(5, 0x0000'0200'0031'0001, 0xc'0000);  // SVT 11
    for (unsigned i = 1; i <= 5; ++i) {
        EXPECT_FALSE(b.send(b.handle(i))) << i;
        EXPECT_EQ(b.take_reason(), 0x24u) << i;
    }
    b.irte(6, 0x0000'0200'0031'0002, 0);  // FPD, not present
    EXPECT_FALSE(b.send(b.handle(6)));
    EXPECT_EQ(b.r32(FSTS), 0u);
    RemappingBoard gone(0x4000'0007);
    EXPECT_FALSE(gone.send(gone.handle(0)));
    EXPECT_EQ(gone.take_reason(), 0x23u);
}

TEST(Vtd_9_9_SVT, VerifiesTheSource)
{
    RemappingBoard b;
    const auto allowed = [&](std::uint64_t high, unsigned sid) {
        b.irte(1, 0x0000'0200'0031'0001, high);
        b.queue();
        b.w32(GCMD, (b.r32(GSTS) & 0x96ff'ffff) & ~QIE);
        b.w32(GCMD, b.r32(GSTS) & 0x96ff'ffff);
        b.w32(GCMD, SIRTP | IRE);  // drops the entry cache
        const bool ok = b.send(b.handle(1), 0, sid).has_value();
        EXPECT_EQ(b.take_reason(), ok ? 0u : 0x26u);
        return ok;
    };
    EXPECT_TRUE(allowed(0x0'0000, 0x1234));
    EXPECT_TRUE(allowed(0x4'0105, 0x0105));
    EXPECT_FALSE(allowed(0x4'0105, 0x0104));
    EXPECT_TRUE(allowed(0x5'0105, 0x0101));  // function bit 2
    EXPECT_FALSE(allowed(0x5'0105, 0x0103));
    EXPECT_TRUE(allowed(0x6'0105, 0x0103));  // bits 2:1
    EXPECT_FALSE(allowed(0x6'0105, 0x0102));
    EXPECT_TRUE(allowed(0x7'0105, 0x0102));  // bits 2:0
    EXPECT_FALSE(allowed(0x7'0105, 0x010d));
    EXPECT_TRUE(allowed(0x8'0205, 0x02ff));  // buses 2 to 5
    EXPECT_TRUE(allowed(0x8'0205, 0x0500));
    EXPECT_FALSE(allowed(0x8'0205, 0x01ff));
    EXPECT_FALSE(allowed(0x8'0205, 0x0600));
    b.irte(1, 0x0000'0200'0031'0001, 0x4'0105);
    EXPECT_TRUE(b.unit.remap_interrupt(std::nullopt, {Gpa{b.handle(1)}, 0}));
}

// QEMU's B9: compatibility format passed although CFI was clear.
TEST(Vtd_B9_5_1_2_1_Compatibility, IsBlockedUnlessCfiAllowsItAndEimIsOff)
{
    RemappingBoard b;
    EXPECT_FALSE(b.send(0xfee0'1000, 0x31));
    EXPECT_EQ(b.r64(FRCD), 0u);
    EXPECT_EQ(b.r64(FRCD + 8), 0x8000'0025'0000'0010u);
    b.clear_faults();
    b.w32(GCMD, IRE | CFI);
    const auto m = b.send(0xfee0'1000, 0x31);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->address, Gpa{0xfee0'1000});
    EXPECT_EQ(m->data, 0x31u);
    b.w64(IRTA, 0x9807);  // EIME
    b.w32(GCMD, IRE | CFI | SIRTP);
    EXPECT_FALSE(b.send(0xfee0'1000, 0x31));
    EXPECT_EQ(b.take_reason(), 0x25u);
    b.w32(GCMD, 0);
    EXPECT_TRUE(b.send(0xfee0'1000, 0x31));  // remapping off
    EXPECT_TRUE(b.send(b.handle(3)));
}

TEST(Vtd_6_5_2_7_IEC, EntriesAreCachedUntilInvalidated)
{
    RemappingBoard b;
    b.w32(GCMD, IRE);
    b.irte(1, 0x0000'0200'0031'0001, 0);
    b.irte(9, 0x0000'0200'0039'0001, 0);
    EXPECT_EQ(b.send(b.handle(1))->data, 0x4031u);
    EXPECT_EQ(b.send(b.handle(9))->data, 0x4039u);
    b.irte(1, 0x0000'0200'0041'0001, 0);
    b.irte(9, 0x0000'0200'0049'0001, 0);
    EXPECT_EQ(b.send(b.handle(1))->data, 0x4031u);
    b.queue();
    const auto changes = b.unit.interrupt_changes();
    b.submit(0x14 | 1ull << 32 | 1ull << 27, 0);  // entries 0 and 1
    EXPECT_NE(b.unit.interrupt_changes(), changes);
    EXPECT_EQ(b.send(b.handle(1))->data, 0x4041u);
    EXPECT_EQ(b.send(b.handle(9))->data, 0x4039u);
    b.submit(0x04, 0);  // all
    EXPECT_EQ(b.send(b.handle(9))->data, 0x4049u);
    // A not-present entry is not cached: CAP.CM is clear.
    EXPECT_FALSE(b.send(b.handle(2)));
    b.irte(2, 0x0000'0200'0032'0001, 0);
    EXPECT_TRUE(b.send(b.handle(2)));
}
