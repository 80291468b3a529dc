// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5.2: descriptors as raw doublewords.
#include "tests/unit/vtd/board.hpp"

#include <functional>
#include <span>
#include <vector>

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint32_t IQE = 0x10;

// A board in scalable mode with 256-bit descriptors.
struct ScalableBoard : Board {
    explicit ScalableBoard(vtd::Configuration c = scalable()) : Board(c)
    {
        w64(RTADDR, 0x1400);
        w32(GCMD, SRTP);
        queue(true);
    }
};

}  // namespace

TEST(Vtd_6_5_2_8_Wait, StoresItsStatusAndMovesHead)
{
    Board b;
    b.queue();
    b.submit(0x1234'5678'0000'0025, 0x6004);
    EXPECT_EQ(b.get(0x6000), 0x1234'5678'0000'0000u);
    EXPECT_EQ(b.r64(IQH), 0x10u);
    EXPECT_EQ(b.r32(FSTS), 0u);
}

TEST(Vtd_6_5_2_8_Wait, InterruptsOnceUntilIwcIsCleared)
{
    Board b;
    b.queue();
    b.w32(IEDATA, 0x31);
    b.w32(IEADDR, 0xfee0'2000);
    b.w32(IEUADDR, 0x1);
    b.submit(0x15, 0);
    EXPECT_EQ(b.r32(ICS), 1u);
    EXPECT_EQ(b.r32(IECTL), 0xc000'0000u);  // masked: pending
    EXPECT_TRUE(b.host.msis.empty());
    b.w32(IECTL, 0);
    ASSERT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.host.msis[0].first, Gpa{0x1'fee0'2000});
    EXPECT_EQ(b.host.msis[0].second, 0x31u);
    EXPECT_EQ(b.r32(IECTL), 0u);
    b.submit(0x15, 0);
    EXPECT_EQ(b.host.msis.size(), 1u);
    b.w32(ICS, 1);
    EXPECT_EQ(b.r32(ICS), 0u);
    b.submit(0x15, 0);
    EXPECT_EQ(b.host.msis.size(), 2u);
    // Serviced while masked: nothing is pending any more.
    b.w32(ICS, 1);
    b.w32(IECTL, 0x8000'0000);
    b.submit(0x15, 0);
    EXPECT_EQ(b.r32(IECTL), 0xc000'0000u);
    b.w32(ICS, 1);
    EXPECT_EQ(b.r32(IECTL), 0x8000'0000u);
}

TEST(Vtd_6_5_2_Queue, WrapsAround)
{
    Board b;
    b.queue();
    for (unsigned i = 0; i < 300; ++i) {
        b.submit(std::uint64_t{i} << 32 | 0x25, 0x6000);
        ASSERT_EQ(b.get(0x6000), i);
    }
    EXPECT_EQ(b.r64(IQH), 300 * 16 % 4096);
}

// The machine's RAM changes under a queue that is in use; then it is not RAM at all.
TEST(Vtd_6_5_2_Queue, IsReadWhereTheMachineHasItNow)
{
    Board b;
    b.queue();
    b.submit(0x1'0000'0025, 0x6000);
    EXPECT_EQ(b.get(0x6000), 1u);
    std::vector<std::uint64_t> other(0x10000 / 8);
    other[0x8010 / 8] = 0x2'0000'0025;
    other[0x8018 / 8] = 0x6008;
    const RamRegion region{Gpa{0}, 0x10000, reinterpret_cast<std::byte*>(other.data()),
                           true};
    b.unit.memory().ram().assign(std::span(&region, 1));
    b.submit(0x3'0000'0025, 0x6008);
    EXPECT_EQ(other[0x6008 / 8], 2u);
    EXPECT_EQ(b.get(0x6008), 0u);
    b.unit.memory().ram().assign({});
    b.submit(0x4'0000'0025, 0x6008);
    EXPECT_EQ(b.get(0x6008), 4u);
    EXPECT_EQ(b.r64(IQH), 0x30u);
}

TEST(Vtd_6_5_2_Queue, StartsWithWhatIsThereWhenItIsEnabled)
{
    Board b;
    b.w64(IQA, 0x8000);
    b.put(0x8000, {0x7'0000'0025, 0x6000});
    b.w64(IQT, 0x10);
    EXPECT_EQ(b.get(0x6000), 0u);
    b.w32(GCMD, QIE);
    EXPECT_EQ(b.get(0x6000), 7u);
    b.w32(GCMD, 0);
    EXPECT_EQ(b.r64(IQH), 0u);
}

TEST(Vtd_6_5_2_Queue, UsesTheSizeAndPlaceOfIqa)
{
    Board b;
    b.w64(IQA, 0x1'0001);  // two pages
    b.put(0x1'0000 + 0x1ff0, {0x9'0000'0025, 0x6000});
    b.w32(GCMD, QIE);
    // 511 waits that ask for nothing, then the one above.
    for (unsigned i = 0; i < 511; ++i) {
        b.put(0x1'0000 + 16 * i, {0x05, 0});
    }
    b.w64(IQT, 0x1ff0);
    EXPECT_EQ(b.r64(IQH), 0x1ff0u);
    b.w64(IQT, 0);
    EXPECT_EQ(b.get(0x6000), 9u);
    EXPECT_EQ(b.r64(IQH), 0u);
}

TEST(Vtd_11_4_9_9_IQERCD, TellsWhatWasWrongAndTheQueueResumesWhenIqeIsCleared)
{
    Board b;
    b.queue();
    b.w32(FEDATA, 0x44);
    b.w32(FEADDR, 0xfee0'0000);
    b.w32(FECTL, 0);
    b.submit(0x0, 0);  // no such type
    EXPECT_EQ(b.r32(FSTS), IQE);
    EXPECT_EQ(b.r64(IQERCD), 3u);
    EXPECT_EQ(b.r64(IQH), 0u);
    ASSERT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.host.msis[0].second, 0x44u);
    b.submit(0x3'0000'0025, 0x6000);
    EXPECT_EQ(b.get(0x6000), 0u);
    // Software replaces the descriptor and lets the queue go on.
    b.put(0x8000, {0x05, 0});
    b.w32(FSTS, IQE);
    EXPECT_EQ(b.r32(FSTS), 0u);
    EXPECT_EQ(b.get(0x6000), 3u);
    EXPECT_EQ(b.r64(IQH), 0x20u);
}

TEST(Vtd_11_4_9_9_IQERCD, KnowsEachKindOfError)
{
    const auto error = [](Board& b, std::uint64_t low, std::uint64_t high = 0) {
        b.submit(low, high);
        const auto failed = (b.r32(FSTS) & IQE) != 0;
        const auto why = b.r64(IQERCD);
        const auto head = b.r64(IQH);
        b.put(0x8000 + head, {0x05, 0, 0, 0});
        b.w32(FSTS, IQE);
        return failed ? why : 0;
    };
    Board b;
    b.queue();
    EXPECT_EQ(error(b, 0x05), 0u);
    EXPECT_EQ(error(b, 0x08 | 1 << 9), 3u);  // type 0x18
    EXPECT_EQ(error(b, 0x03), 3u);           // device-TLB without ECAP.DT
    EXPECT_EQ(error(b, 0x07), 3u);           // PASID-cache without ECAP.SMTS
    EXPECT_EQ(error(b, 0x06 | 0x20), 3u);    // PASID-IOTLB
    EXPECT_EQ(error(b, 0x09), 3u);           // page group response
    EXPECT_EQ(error(b, 0x01), 4u);           // context-cache, G = 00
    EXPECT_EQ(error(b, 0x11, 1), 4u);        // reserved doubleword
    EXPECT_EQ(error(b, 0x11 | 1 << 12), 4u);
    EXPECT_EQ(error(b, 0x02), 4u);      // IOTLB, G = 00
    EXPECT_EQ(error(b, 0x32, 19), 4u);  // AM beyond MAMV
    EXPECT_EQ(error(b, 0x32, 18), 0u);
    EXPECT_EQ(error(b, 0x32, 1 << 7), 4u);
    EXPECT_EQ(error(b, 0x85), 4u);  // wait, PD without ECAP.PDS
    EXPECT_EQ(error(b, 0x25, 0x6001), 4u);
    EXPECT_EQ(error(b, 0x14 | 16ull << 27), 4u);  // IEC, IM beyond MHMV
    EXPECT_EQ(error(b, 0x14 | 15ull << 27), 0u);
    EXPECT_EQ(error(b, 0x14 | 1 << 5), 4u);
}

TEST(Vtd_11_4_9_9_IQERCD, KnowsTailAndWidthAndFetchErrors)
{
    {
        Board b;
        b.queue();
        b.w64(IQT, 0x1000);  // beyond the one page
        EXPECT_EQ(b.r64(IQERCD), 1u);
        b.w64(IQT, 0);
        b.w32(FSTS, IQE);
        EXPECT_EQ(b.r32(FSTS), 0u);
    }
    {
        Board b;
        b.w64(IQA, 0x4000'0000);  // nobody there
        b.w32(GCMD, QIE);
        b.w64(IQT, 0x10);
        EXPECT_EQ(b.r64(IQERCD), 2u);
    }
    {
        Board b(scalable());
        b.w64(RTADDR, 0x1400);
        b.w32(GCMD, SRTP);
        b.queue(false);  // 128 bits in scalable mode
        b.submit(0x05, 0);
        EXPECT_EQ(b.r64(IQERCD), 5u);
    }
    {
        ScalableBoard b;
        b.w64(IQT, 0x10);
        EXPECT_EQ(b.r64(IQERCD), 6u);
    }
    {
        ScalableBoard b;
        b.w64(RTADDR, 0x1c00);
        b.w32(GCMD, QIE | SRTP);
        b.submit(0x05, 0);
        EXPECT_EQ(b.r64(IQERCD), 7u);
    }
    {
        ScalableBoard b;
        b.put(0x8000, {0x05, 0, 0, 1});
        b.w64(IQT, 0x20);
        EXPECT_EQ(b.r64(IQERCD), 4u);
    }
}

TEST(Vtd_6_5_2_Queue, TakesTheScalableDescriptorsIn256Bits)
{
    vtd::Configuration c = scalable();
    c.device_iotlb = true;
    ScalableBoard b(c);
    b.stream();  // whose Device-TLB answers, while translation is on
    b.w32(GCMD, QIE | TE);
    b.submit(0x37, 0);                                        // PASID-cache, global
    b.submit(0x17 | 5 << 16 | 3ull << 32, 0);                 // PASID-selective
    b.submit(0x26 | 5 << 16 | 3ull << 32, 0);                 // PASID-IOTLB, PASID
    b.submit(0x36 | 5 << 16 | 3ull << 32, 0x4000'0000 | 63);  // pages, the largest mask
    b.submit(0x03 | 0x10ull << 32, ~0xfffull | 1);            // device-TLB, everything
    b.submit(0x08 | 0x10 << 16 | 3ull << 32, 0x7fff'f000 | 1 << 11);
    b.submit(0x1'0000'0025, 0x6000);
    EXPECT_EQ(b.r32(FSTS), 0u) << b.r64(IQERCD);
    EXPECT_EQ(b.get(0x6000), 1u);
    EXPECT_EQ(b.r64(IQH), 7 * 32u);
    b.submit(0x27, 0);  // PASID-cache, G = 10
    EXPECT_EQ(b.r64(IQERCD), 4u);
}

namespace {

// A host whose memory writes come back to the unit, as a write to its own registers
// would.
struct LoopingHost final : Host {
    MemoryResult read(Gpa from, std::span<std::byte> to) override
    {
        std::memcpy(to.data(), ram + from.value, to.size());
        return MemoryResult::Ok;
    }
    MemoryResult write(Gpa, std::span<const std::byte>) override
    {
        ++writes;
        on_write();
        return MemoryResult::Ok;
    }
    void mark_dirty(Gpa, std::size_t) override {}
    void pulse(unsigned) override {}
    MemoryResult send_msi(Gpa, std::uint32_t) override { return MemoryResult::Ok; }
    void unmapped(StreamCookie, Iova, std::uint64_t) override {}
    void bypass_changed(StreamCookie) override {}
    void guest_error(const char*) override {}

    alignas(8) std::byte ram[0x1000] = {};
    unsigned writes = 0;
    std::function<void()> on_write;
};

}  // namespace

TEST(Vtd_6_5_2_Queue, IsBoundedWhenAStatusWriteRingsItsOwnDoorbell)
{
    LoopingHost host;
    vtd::Vtd unit(plain(), host);
    for (unsigned i = 0; i < 256; ++i) {
        const std::uint64_t words[] = {0x25, 0x1000};
        std::memcpy(host.ram + 16 * i, words, 16);
    }
    unsigned depth = 0, deepest = 0;
    host.on_write = [&] {
        deepest = std::max(deepest, ++depth);
        unit.mmio_write(IQT, 8, (unit.mmio_read(IQH, 8) + 0x20) & 0xfff);
        --depth;
    };
    unit.mmio_write(IQA, 8, 0);
    unit.mmio_write(GCMD, 4, QIE);
    unit.mmio_write(IQT, 8, 0x10);
    EXPECT_EQ(deepest, 1u);
    EXPECT_GE(host.writes, 256u);
    EXPECT_LE(host.writes, 2u * 128 * 256);
}
