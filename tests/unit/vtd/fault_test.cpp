// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 7.2 and 7.3: what is recorded, where, and who is told.
#include "tests/unit/vtd/board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

vtd::Configuration records(unsigned n)
{
    vtd::Configuration c;
    c.fault_records = n;
    return c;
}

}  // namespace

// QEMU's B5: junk above PV.  Every bit of the record is checked here.
TEST(Vtd_B5_7_2_Record, HasNoBitThatTheFaultDoesNotHave)
{
    Board b;
    b.legacy_4k();
    EXPECT_FALSE(b.write(0x7123'4567'8abcull & 0x7fff'ffff'ffff).ok);
    EXPECT_EQ(b.r64(FRCD), 0x7123'4567'8000u);
    EXPECT_EQ(b.r64(FRCD + 8), 0x8000'0005'0000'0010u);  // write, reason 5, 00:02.0
    b.clear_faults();
    EXPECT_FALSE(b.read(0x7000'0000).ok);
    EXPECT_EQ(b.r64(FRCD + 8), 0xc000'0006'0000'0010u);  // T1: read
}

TEST(Vtd_7_2_1_Primary, FaultsFillTheRecordsInTurnAndOverflow)
{
    Board b(records(2));
    b.legacy_4k();
    EXPECT_FALSE(b.read(0x1000, 0x20).ok);  // no context entry
    EXPECT_EQ(b.r32(FSTS), 0x2u);           // PPF, FRI 0
    EXPECT_FALSE(b.read(0x1000, 0x28).ok);
    EXPECT_EQ(b.r32(FSTS), 0x2u);
    EXPECT_FALSE(b.read(0x1000, 0x30).ok);
    EXPECT_EQ(b.r32(FSTS), 0x3u);  // PFO
    EXPECT_EQ(b.r64(FRCD + 8) & 0xffff, 0x20u);
    EXPECT_EQ(b.r64(FRCD + 24) & 0xffff, 0x28u);
    // Nothing is recorded until PFO is cleared, though there is room again.
    b.w32(FRCD + 12, 1u << 31);
    EXPECT_FALSE(b.read(0x1000, 0x38).ok);
    EXPECT_EQ(b.reason(0), 0u);
    EXPECT_EQ(b.r32(FSTS), 0x3u);
    b.w32(FRCD + 28, 1u << 31);
    EXPECT_EQ(b.r32(FSTS), 0x1u);
    b.w32(FSTS, 1);
    EXPECT_EQ(b.r32(FSTS), 0u);
    EXPECT_FALSE(b.read(0x1000, 0x38).ok);
    EXPECT_EQ(b.r64(FRCD + 8) & 0xffff, 0x38u);
}

TEST(Vtd_7_2_1_Primary, FriNamesTheFirstPendingRecord)
{
    Board b(records(4));
    b.legacy_4k();
    EXPECT_FALSE(b.read(0x1000, 0x20).ok);
    b.w64(FRCD + 8, 1ull << 63);
    EXPECT_EQ(b.r32(FSTS), 0u);
    EXPECT_FALSE(b.read(0x1000, 0x20).ok);
    EXPECT_EQ(b.r32(FSTS), 0x102u);
}

TEST(Vtd_7_2_1_Primary, FurtherFaultsOfOneSourceCollapse)
{
    Board b(records(4));
    b.legacy_4k();
    for (int i = 0; i < 16; ++i) {  // as QEMU's core splits one refused DMA
        EXPECT_FALSE(b.read(0x7000'0000 + 4 * i).ok);
    }
    EXPECT_EQ(b.reason(0), 6u);
    EXPECT_EQ(b.reason(1), 0u);
    EXPECT_EQ(b.r32(FSTS), 2u);
}

TEST(Vtd_11_4_7_6_FRCD, OnlyFCanBeWritten)
{
    Board b;
    b.legacy_4k();
    EXPECT_FALSE(b.read(0x7000'0000).ok);
    const auto low = b.r64(FRCD), high = b.r64(FRCD + 8);
    b.w64(FRCD, ~0ull);
    b.w64(FRCD + 8, ~0ull >> 1);
    EXPECT_EQ(b.r64(FRCD), low);
    EXPECT_EQ(b.r64(FRCD + 8), high);
    b.w32(FRCD + 12, 1u << 31);
    EXPECT_EQ(b.r64(FRCD + 8), high & ~(1ull << 63));
}

TEST(Vtd_7_3_Event, IsSentOnceToItsFull64BitAddress)
{
    Board b;
    b.legacy_4k();
    b.w32(FEDATA, 0x51);
    b.w32(FEADDR, 0xfee1'2000);
    b.w32(FEUADDR, 0x100);  // x2APIC id 0x112
    b.w32(FECTL, 0);
    EXPECT_FALSE(b.read(0x7000'0000).ok);
    ASSERT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.host.msis[0].first, Gpa{0x100'fee1'2000});
    EXPECT_EQ(b.host.msis[0].second, 0x51u);
    EXPECT_FALSE(b.read(0x1000, 0x20).ok);
    EXPECT_EQ(b.host.msis.size(), 1u);
}

TEST(Vtd_7_3_Event, IsHeldWhileMaskedAndWithdrawnWhenServiced)
{
    Board b;
    b.legacy_4k();
    EXPECT_FALSE(b.read(0x7000'0000).ok);
    EXPECT_EQ(b.r32(FECTL), 0xc000'0000u);
    b.w32(FRCD + 12, 1u << 31);
    EXPECT_EQ(b.r32(FECTL), 0x8000'0000u);
    EXPECT_FALSE(b.read(0x7000'0000).ok);
    b.w32(FECTL, 0);
    EXPECT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.r32(FECTL), 0u);
}

TEST(Vtd_5_1_6_Event, OfTheUnitItselfIsNotRemapped)
{
    Board b;
    b.legacy_4k();
    b.w64(IRTA, 0x9000);
    b.w32(GCMD, TE | SIRTP);
    b.w32(GCMD, TE | IRE);  // compatibility format is blocked now
    b.w32(FEADDR, 0xfee0'0000);
    b.w32(FEDATA, 0x20);
    b.w32(FECTL, 0);
    EXPECT_FALSE(b.read(0x7000'0000).ok);
    ASSERT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.host.msis[0].first, Gpa{0xfee0'0000});
}

TEST(Vtd_7_1_3_FPD, MutesTheRecordNotTheFault)
{
    Board b;
    b.legacy_4k();
    b.context(0x10, 0x10003, 0x502);
    EXPECT_FALSE(b.read(0x7000'0000).ok);
    EXPECT_EQ(b.r32(FSTS), 0u);
    EXPECT_FALSE(b.write(0x7000'0000).ok);
    EXPECT_TRUE(b.read(0x4000'0000).ok);
    // From the cache as well.
    EXPECT_TRUE(b.read(0x4000'1000).ok);
    EXPECT_FALSE(b.write(0x4000'1000).ok);
    EXPECT_EQ(b.r32(FSTS), 0u);
    b.context(0x20, 0x2, 0);  // not present, FPD
    EXPECT_FALSE(b.read(0x1000, 0x20).ok);
    EXPECT_EQ(b.r32(FSTS), 0u);
}

// QEMU's B1: a write to a page that a read had cached was refused without a record.
TEST(Vtd_B1_7_1_Cached, ARefusalByACachedTranslationIsRecorded)
{
    Board b;
    b.legacy_4k();
    EXPECT_TRUE(b.read(0x4000'1000).ok);
    EXPECT_FALSE(b.write(0x4000'1000).ok);
    EXPECT_EQ(b.r64(FRCD), 0x4000'1000u);
    EXPECT_EQ(b.r64(FRCD + 8), 0x8000'0005'0000'0010u);
    b.clear_faults();
    EXPECT_TRUE(b.write(0x4000'2000).ok);
    EXPECT_FALSE(b.read(0x4000'2000).ok);
    EXPECT_EQ(b.reason(), 6u);
}

namespace {

// Reads the unit's registers from within the interrupt, on another thread: it would hang
// if the fault were delivered with a lock held.
struct CuriousHost : Host {
    MemoryResult read(Gpa, std::span<std::byte>) override { return MemoryResult::Abort; }
    MemoryResult write(Gpa, std::span<const std::byte>) override
    {
        return MemoryResult::Abort;
    }
    void mark_dirty(Gpa, std::size_t) override {}
    void pulse(unsigned) override {}
    MemoryResult send_msi(Gpa, std::uint32_t) override
    {
        std::thread([this] { status = unit->mmio_read(FSTS, 4); }).join();
        return MemoryResult::Ok;
    }
    void unmapped(StreamCookie, Iova, std::uint64_t) override {}
    void bypass_changed(StreamCookie) override {}
    void guest_error(const char*) override {}
    vtd::Vtd* unit = nullptr;
    std::uint64_t status = 0;
};

}  // namespace

// QEMU's B6 and B7: the fault's interrupt was sent with the translation lock held.
TEST(Vtd_B6_B7_7_3_Event, IsDeliveredWithNoLockHeld)
{
    CuriousHost host;
    vtd::Vtd unit(plain(), host);
    host.unit = &unit;
    unit.mmio_write(GCMD, 4, TE);
    unit.mmio_write(FECTL, 4, 0);
    Translation t;
    EXPECT_EQ(unit.stream(0x10, nullptr)->translate({.address = Iova{0x1000}}, t),
              Stream::Result::Refused);
    EXPECT_EQ(host.status, 2u);
    EXPECT_EQ(unit.mmio_read(FRCD + 8, 8), 0xc000'0008'0000'0010u);  // root not readable
}

TEST(Vtd_7_2_1_Primary, RecordsOfManyThreadsAreWholeAndCounted)
{
    Board b(records(256));
    b.legacy_4k();
    b.w32(FECTL, 0);
    for (unsigned i = 0; i < 64; ++i) {
        b.stream(0x40 + i);
    }
    std::vector<std::thread> threads;
    for (unsigned n = 0; n < 4; ++n) {
        threads.emplace_back([&, n] {
            for (unsigned i = 0; i < 16; ++i) {
                Translation t;
                const auto sid = 0x40 + n * 16 + i;
                b.unit.stream(sid, nullptr)
                    ->translate({.address = Iova{sid * 0x1000}}, t);
            }
        });
    }
    for (auto& t : threads) {
        t.join();
    }
    EXPECT_EQ(b.host.msis.size(), 1u);
    for (unsigned i = 0; i < 64; ++i) {
        const auto high = b.r64(FRCD + 16 * i + 8);
        EXPECT_EQ(high >> 32, 0xc000'0002u);
        EXPECT_EQ(b.r64(FRCD + 16 * i), (high & 0xffff) * 0x1000);
    }
    EXPECT_EQ(b.reason(64), 0u);
}
