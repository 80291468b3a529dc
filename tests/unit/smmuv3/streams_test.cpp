// SPDX-License-Identifier: GPL-2.0-or-later
// Streams: stable, bounded by SIDSIZE, and what the host is told about them.
#include "tests/unit/smmuv3/board.hpp"

using namespace iommu;
using namespace iommu::test;

TEST(Smmu_3_2_Streams, TheSameIdIsTheSameStream)
{
    Board b;
    int cookie = 0;
    auto* stream = b.smmu.stream(0x1234, &cookie);
    ASSERT_NE(stream, nullptr);
    EXPECT_EQ(stream->cookie(), &cookie);
    EXPECT_EQ(b.smmu.stream(0x1234, nullptr), stream);
    EXPECT_NE(b.smmu.stream(0x1235, nullptr), stream);
    EXPECT_NE(b.smmu.stream(0xffff, nullptr), nullptr);
    EXPECT_EQ(b.smmu.stream(0x10000, nullptr), nullptr);
    EXPECT_EQ(b.smmu.stream(~0u, nullptr), nullptr);
}

TEST(Smmu_3_4_AddressSizes, WhileDisabledWhatFitsTheOutputSizePassesAsItIs)
{
    Board b;
    b.enable_eventq(3);
    auto* stream = b.smmu.stream(1, nullptr);
    EXPECT_TRUE(stream->bypassed());
    Translation out;
    ASSERT_EQ(stream->translate({.address = Iova{0xba98'7654'3210},
                                 .access = Access::Write,
                                 .substream = {3, true}},
                                out),
              Stream::Result::Ok);
    EXPECT_EQ(out.output, Gpa{0xba98'7654'3210});
    EXPECT_EQ(out.mask, 0xffff'ffff'ffffull);
    EXPECT_TRUE(out.read && out.write);
    EXPECT_FALSE(b.dma(1, 0x1'0000'0000'0000)) << "beyond 48 bits: aborted";
    EXPECT_EQ(b.r32(EVENTQ_PROD), 0u) << "and not recorded";
}

TEST(Bypass, TheHostIsToldOnceForEachChange)
{
    Board b;
    int one = 0, two = 0;
    b.smmu.stream(1, &one);
    b.smmu.stream(2, &two);
    b.w32(CR0, EVENTQEN);
    EXPECT_TRUE(b.host.bypass_changes.empty());
    b.w32(GBPA, 0x8010'0000);
    EXPECT_EQ(b.host.bypass_changes, (std::vector<StreamCookie>{&one, &two}));
    b.w32(GBPA, 0x8010'0000);
    EXPECT_EQ(b.host.bypass_changes.size(), 2u);
    b.w32(GBPA, 0x8000'0000);
    EXPECT_EQ(b.host.bypass_changes.size(), 4u);
    b.refuse_all_streams();
    EXPECT_EQ(b.host.bypass_changes.size(), 6u);
    b.smmu.reset();
    EXPECT_EQ(b.host.bypass_changes.size(), 8u);
    EXPECT_TRUE(b.smmu.stream(1, &one)->bypassed());
}

namespace {

struct Listening : Board {
    Listening()
    {
        smmu.stream(7, this)->want_unmaps(true);
        smmu.stream(8, nullptr);
        enable_cmdq(5);
        host.unmaps.clear();
    }
    // What one command tells stream 7; {1, 1} when it is not told exactly once.
    std::pair<std::uint64_t, std::uint64_t> told(std::uint64_t low,
                                                 std::uint64_t high = 0)
    {
        host.unmaps.clear();
        submit(low, high);
        if (host.unmaps.size() != 1 || host.unmaps[0].stream != this) {
            return {1, 1};
        }
        return {host.unmaps[0].base.value, host.unmaps[0].size};
    }
};

using Span = std::pair<std::uint64_t, std::uint64_t>;

}  // namespace

TEST(Unmaps, RangesWithALevelAreExactAndTheRestIsEverything)
{
    Listening b;
    const std::uint64_t nh_va = 0x12;
    EXPECT_EQ(b.told(nh_va, 0x1234'5000 | 1 << 10 | 3 << 8), (Span{0x1234'5000, 0x1000}));
    EXPECT_EQ(b.told(nh_va | 4 << 12, 0x1234'5000 | 1 << 10 | 3 << 8),
              (Span{0x1234'5000, 0x5000}));
    EXPECT_EQ(b.told(nh_va, 0x1234'5000 | 1 << 10 | 2 << 8),
              (Span{0x1220'0000, 0x20'0000}))
        << "the leaf that covered it was 2 MiB";
    EXPECT_EQ(b.told(nh_va, 0x1000'8000 | 2 << 10 | 3 << 8), (Span{0x1000'8000, 0x4000}));
    EXPECT_EQ(b.told(nh_va, 0x4'3001'0000 | 3 << 10 | 2 << 8),
              (Span{0x4'2000'0000, 0x2000'0000}));
    EXPECT_EQ(b.told(nh_va, 0x1234'5000), (Span{0, 0}));
    EXPECT_EQ(b.told(nh_va | 4 << 12, 0x1234'5000 | 1 << 10), (Span{0, 0}));
    EXPECT_EQ(
        b.told(nh_va | 31 << 12 | 31 << 20, 0xffff'ffff'ffff'f000 | 1 << 10 | 3 << 8),
        (Span{0xffff'ffff'ffff'f000, 0x1000}))
        << "a range does not wrap";
    for (const std::uint64_t op : {0x10, 0x11, 0x28, 0x2a, 0x30}) {
        EXPECT_EQ(b.told(op), (Span{0, 0})) << std::hex << op;
    }
}

TEST(Unmaps, ConfigurationCommandsTellTheStreamsTheyName)
{
    Listening b;
    EXPECT_EQ(b.told(0x03 | 7ull << 32), (Span{0, 0}));
    EXPECT_EQ(b.told(0x05 | 7ull << 32), (Span{0, 0}));
    EXPECT_EQ(b.told(0x06 | 7ull << 32), (Span{0, 0}));
    EXPECT_EQ(b.told(0x04 | 5ull << 32, 1), (Span{0, 0})) << "4..7";
    EXPECT_EQ(b.told(0x04, 31), (Span{0, 0}));
    EXPECT_EQ(b.told(0x03 | 8ull << 32), (Span{1, 1}));
    EXPECT_EQ(b.told(0x04 | 8ull << 32, 1), (Span{1, 1})) << "8..11";
    EXPECT_EQ(b.told(0x03 | 0x10007ull << 32), (Span{1, 1})) << "out of range";
    EXPECT_EQ(b.told(0x46), (Span{1, 1}));
}

TEST(Unmaps, StopWhenNoLongerWanted)
{
    Listening b;
    b.smmu.stream(7, nullptr)->want_unmaps(false);
    b.submit(0x30);
    b.w32(CR0, SMMUEN);
    EXPECT_TRUE(b.host.unmaps.empty());
}
