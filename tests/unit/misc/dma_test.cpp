// SPDX-License-Identifier: GPL-2.0-or-later
// docs/specs/winiommu-dma.rst, register by register, against a bus of one RAM block with
// a hole.
#include "hw/misc/dma/device.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "iommu/capi.h"

namespace {

constexpr std::uint64_t ram_base = 0x40000000;
constexpr std::size_t ram_size = 1 << 20;
constexpr std::uint64_t hole = ram_base + 0x8000;  // one page nobody answers at

struct Seen {
    std::uint64_t address;
    std::size_t size;
    unsigned attributes;
    std::uint32_t substream;
};

class DmaTest : public ::testing::Test {
protected:
    DmaTest()
    {
        WiDmaBoard board{};
        board.opaque = this;
        board.transfer = [](void* o, const WiDmaAccess* a, void* data) {
            return static_cast<DmaTest*>(o)->transfer(*a, data);
        };
        board.pin = [](void* o, const WiDmaAccess* a) -> void* {
            auto* t = static_cast<DmaTest*>(o);
            t->seen.push_back({a->address, a->size, a->attributes, a->substream});
            return t->answers(*a) ? t->at(a->address) : nullptr;
        };
        board.unpin = [](void* o, const WiDmaAccess*, void*) {
            ++static_cast<DmaTest*>(o)->unpinned;
        };
        board.start = [](void* o) {
            auto* t = static_cast<DmaTest*>(o);
            ++t->started;
            if (t->run_inline) {
                wi_dma_work(t->dma);
                wi_dma_finish(t->dma);
            }
        };
        board.interrupt = [](void* o, unsigned v) {
            static_cast<DmaTest*>(o)->interrupts.push_back(v);
        };
        board.log = [](void* o, std::uint8_t b) {
            static_cast<DmaTest*>(o)->logged += static_cast<char>(b);
        };
        board.understands_attributes = [](void* o) {
            return static_cast<DmaTest*>(o)->attributes_reach;
        };
        dma = wi_dma_new(&board, buffer.data(), false);
    }
    ~DmaTest() override { wi_dma_free(dma); }

    bool answers(const WiDmaAccess& a) const
    {
        const bool inside = a.address >= ram_base && a.address - ram_base < ram_size;
        return inside && (a.address & ~std::uint64_t{0xfff}) != hole;
    }
    std::uint8_t* at(std::uint64_t address) { return ram.data() + (address - ram_base); }

    int transfer(const WiDmaAccess& a, void* data)
    {
        seen.push_back({a.address, a.size, a.attributes, a.substream});
        if (!answers(a)) {
            return -1;
        }
        if (a.attributes & WI_WRITE) {
            std::memcpy(at(a.address), data, a.size);
        } else {
            std::memcpy(data, at(a.address), a.size);
        }
        return 0;
    }

    void w32(std::uint64_t offset, std::uint32_t v) { wi_dma_write(dma, offset, 4, v); }
    void w64(std::uint64_t offset, std::uint64_t v) { wi_dma_write(dma, offset, 8, v); }
    std::uint32_t r32(std::uint64_t offset)
    {
        return static_cast<std::uint32_t>(wi_dma_read(dma, offset, 4));
    }
    std::uint64_t r64(std::uint64_t offset) { return wi_dma_read(dma, offset, 8); }

    std::uint32_t go(std::uint32_t command)
    {
        w32(0x10, command);
        return r32(0x14);
    }

    WiDma* dma = nullptr;
    std::vector<std::uint8_t> ram = std::vector<std::uint8_t>(ram_size);
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(WI_DMA_BUFFER_SIZE);
    std::vector<Seen> seen;
    std::vector<unsigned> interrupts;
    std::string logged;
    int started = 0, unpinned = 0;
    bool run_inline = true, attributes_reach = true;
};

constexpr std::uint32_t done = 2, aborted = 3, mismatch = 4, rejected = 5;

TEST_F(DmaTest, IdentifiesItself)
{
    EXPECT_EQ(r32(0x000), 0x414d4457u);
    EXPECT_EQ(r32(0x004), 1u);
    EXPECT_EQ(r32(0x008), 7u);
    EXPECT_EQ(r32(0x00c), 0x1000000u);
    attributes_reach = false;
    EXPECT_EQ(r32(0x008), 0u);
    EXPECT_EQ(r32(0x014), 0u);
}

TEST_F(DmaTest, ReadAndWriteGoThroughTheInternalBuffer)
{
    std::memcpy(at(ram_base + 0x10), "123456789", 9);
    w64(0x20, ram_base + 0x10);
    w32(0x30, 9);
    w32(0x70, 0x100);
    EXPECT_EQ(go(1), done);
    EXPECT_EQ(std::memcmp(&buffer[0x100], "123456789", 9), 0);
    EXPECT_EQ(r64(0x80), 9u);
    EXPECT_EQ(r32(0x9c), 0xcbf43926u);  // the check value every CRC-32 catalogue prints

    w64(0x28, ram_base + 0x2000);
    EXPECT_EQ(go(2), done);
    EXPECT_EQ(std::memcmp(at(ram_base + 0x2000), "123456789", 9), 0);
    EXPECT_EQ(seen.back().attributes, unsigned(WI_WRITE));
}

TEST_F(DmaTest, NoAccessCrossesAPage)
{
    w64(0x20, ram_base + 0xff0);
    w64(0x28, ram_base + 0x4ff8);
    w32(0x30, 0x1020);
    EXPECT_EQ(go(3), done);
    for (const Seen& s : seen) {
        EXPECT_EQ(s.address / 4096, (s.address + s.size - 1) / 4096);
    }
    EXPECT_EQ(r32(0x98), seen.size());
    EXPECT_EQ(r64(0x80), 0x1020u);
}

TEST_F(DmaTest, AccessRegisterSplits)
{
    w64(0x20, ram_base);
    w32(0x30, 10);
    w32(0x74, 4);
    EXPECT_EQ(go(6), done);
    ASSERT_EQ(seen.size(), 3u);
    EXPECT_EQ(seen[2].address, ram_base + 8);
    EXPECT_EQ(seen[2].size, 2u);
}

TEST_F(DmaTest, FillWritesThePatternAndCompareFindsTheFirstDifference)
{
    w64(0x28, ram_base + 0x1000);
    w64(0x50, 0x1122334455667788);
    w64(0x58, 1);
    w32(0x30, 20);
    EXPECT_EQ(go(4), done);
    const std::uint8_t expect[20] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22,
                                     0x11, 0x89, 0x77, 0x66, 0x55, 0x44, 0x33,
                                     0x22, 0x11, 0x8a, 0x77, 0x66, 0x55};
    EXPECT_EQ(std::memcmp(at(ram_base + 0x1000), expect, 20), 0);

    w64(0x20, ram_base + 0x1000);
    EXPECT_EQ(go(5), done);
    *at(ram_base + 0x1000 + 17) ^= 0xff;
    EXPECT_EQ(go(5), mismatch);
    EXPECT_EQ(r64(0xa8), 17u);
    EXPECT_EQ(r64(0x88), ram_base + 0x1000 + 17);
    EXPECT_EQ(r32(0xb0), 0x7788u);  // expected 0x77, found 0x88
}

TEST_F(DmaTest, AbortStopsAndNamesTheAccess)
{
    w64(0x20, hole - 0x1000);
    w32(0x30, 0x3000);
    EXPECT_EQ(go(6), aborted);
    EXPECT_EQ(r64(0x88), hole);
    EXPECT_EQ(r32(0x90), 1u);
    EXPECT_EQ(r32(0x94), 1u);
    EXPECT_EQ(r32(0x98), 2u);
    EXPECT_EQ(r64(0x80), 0x1000u);
}

TEST_F(DmaTest, ContinueGoesOnPastAborts)
{
    w64(0x28, hole - 0x1000);
    w32(0x30, 0x3000);
    w32(0x4c, 4);
    w32(0x74, 0x800);
    EXPECT_EQ(go(4), aborted);
    EXPECT_EQ(r32(0x90), 2u);
    EXPECT_EQ(r32(0x94), 2u);
    EXPECT_EQ(r64(0x80), 0x2000u);
    EXPECT_EQ(r64(0x88), hole);
}

TEST_F(DmaTest, CopyWhoseReadAbortsDoesNotWrite)
{
    *at(ram_base + 0x3000) = 0x5a;
    w64(0x20, hole);
    w64(0x28, ram_base + 0x3000);
    w32(0x30, 16);
    EXPECT_EQ(go(3), aborted);
    EXPECT_EQ(seen.size(), 1u);
    EXPECT_EQ(*at(ram_base + 0x3000), 0x5a);
    EXPECT_EQ(r64(0x80), 0u);
}

TEST_F(DmaTest, RepeatAndStrideWalk)
{
    w64(0x28, ram_base);
    w64(0x40, 0x1000);
    w32(0x34, 3);
    w32(0x30, 8);
    w64(0x50, 0xabcd);
    EXPECT_EQ(go(4), done);
    EXPECT_EQ(*at(ram_base + 0x2000), 0xcd);
    EXPECT_EQ(*at(ram_base + 0x3000), 0);
    EXPECT_EQ(r32(0x98), 3u);
}

TEST_F(DmaTest, AtomicsReturnTheOldValue)
{
    const std::uint64_t start = 0xfffffffffffffffe;
    std::memcpy(at(ram_base), &start, 8);
    w64(0x28, ram_base);
    w32(0x30, 8);
    w64(0x60, 3);
    EXPECT_EQ(go(8), done);
    EXPECT_EQ(r64(0xa0), start);
    w32(0x30, 4);
    EXPECT_EQ(go(9), done);
    EXPECT_EQ(r64(0xa0), 1u);
    w64(0x60, 7);
    w64(0x68, 4);
    EXPECT_EQ(go(10), done);  // holds 3, not 4: no change
    EXPECT_EQ(r64(0xa0), 3u);
    w64(0x68, 3);
    EXPECT_EQ(go(10), done);
    EXPECT_EQ(*at(ram_base), 7);
    EXPECT_EQ(unpinned, 4);
    w64(0x28, hole);
    EXPECT_EQ(go(8), aborted);
    EXPECT_EQ(r32(0x94), 3u);
}

TEST_F(DmaTest, AttributesReachTheBus)
{
    w64(0x20, ram_base);
    w32(0x30, 4);
    w32(0x48, 0x800abcde);
    w32(0x4c, 3);
    EXPECT_EQ(go(6), done);
    EXPECT_EQ(seen[0].attributes,
              unsigned(WI_PRIVILEGED | WI_INSTRUCTION | WI_SUBSTREAM));
    EXPECT_EQ(seen[0].substream, 0xabcdeu);
    attributes_reach = false;
    EXPECT_EQ(go(6), rejected);
    EXPECT_EQ(r32(0x18), 9u);
    EXPECT_EQ(seen.size(), 1u);
}

struct Wrong {
    const char* what;
    std::uint32_t command, offset, value, reason;
};

class DmaRejects : public DmaTest, public ::testing::WithParamInterface<Wrong> {};

TEST_P(DmaRejects, BeforeTheFirstAccess)
{
    const Wrong& w = GetParam();
    w64(0x20, ram_base);
    w64(0x28, ram_base);
    w32(0x30, 16);
    w32(w.offset, w.value);
    EXPECT_EQ(go(w.command), rejected) << w.what;
    EXPECT_EQ(r32(0x18), w.reason) << w.what;
    EXPECT_TRUE(seen.empty());
    EXPECT_EQ(started, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Programming, DmaRejects,
    ::testing::Values(Wrong{"command 7", 7, 0x30, 16, 1},
                      Wrong{"command 11", 11, 0x30, 16, 1},
                      Wrong{"high command bits", 0x101, 0x30, 16, 1},
                      Wrong{"length 0", 1, 0x30, 0, 2},
                      Wrong{"length too large", 6, 0x30, 0x1000001, 2},
                      Wrong{"repeat too large", 6, 0x34, 65537, 3},
                      Wrong{"access too large", 6, 0x74, 4097, 5},
                      Wrong{"beyond the buffer", 1, 0x70, 0xfff8, 6},
                      Wrong{"buffer offset wraps", 2, 0x70, 0xffffffff, 6},
                      Wrong{"atomic of 16", 8, 0x30, 16, 7},
                      Wrong{"PASID too wide", 6, 0x48, 0x80100000, 8}));

TEST_F(DmaTest, WorkIsBoundedInBytesAndInAccesses)
{
    w64(0x20, ram_base);
    w32(0x30, 0x1000000);
    w32(0x34, 5);
    EXPECT_EQ(go(6), rejected);
    EXPECT_EQ(r32(0x18), 4u);
    w32(0x34, 1);
    w32(0x74, 8);
    EXPECT_EQ(go(6), rejected);
    EXPECT_EQ(r32(0x18), 4u);
    EXPECT_TRUE(seen.empty());
}

TEST_F(DmaTest, NopIsOverAtOnceWhateverRepeatSays)
{
    // Found by the fuzzer: it made as many empty passes as REPEAT said.
    w32(0x34, 0xffffffff);
    EXPECT_EQ(go(0), done);
    EXPECT_TRUE(seen.empty());
}

TEST_F(DmaTest, MisalignedAtomicIsRejected)
{
    w64(0x28, ram_base + 4);
    w32(0x30, 8);
    EXPECT_EQ(go(8), rejected);
    EXPECT_EQ(r32(0x18), 7u);
}

TEST_F(DmaTest, LargestProgramStaysWithinItsBounds)
{
    w64(0x20, ram_base + 1);
    w32(0x30, 1 << 20);
    w32(0x34, 64);
    w32(0x4c, 4);
    go(6);
    EXPECT_LE(seen.size(), std::size_t{1} << 18);
    EXPECT_EQ(seen.size(), r32(0x98));
}

TEST_F(DmaTest, InterruptOnlyWhenAsked)
{
    w64(0x20, ram_base);
    w32(0x30, 4);
    go(6);
    EXPECT_TRUE(interrupts.empty());
    w32(0x78, 5);
    w32(0x4c, 8);
    go(6);
    w32(0xc0, 3);
    EXPECT_EQ(interrupts, (std::vector<unsigned>{5, 3}));
}

TEST_F(DmaTest, BusyIgnoresWritesUntilTheWorkIsFinished)
{
    run_inline = false;
    w64(0x20, ram_base);
    w32(0x30, 4);
    EXPECT_EQ(go(6), 1u);
    w32(0x30, 8);
    w32(0x10, 1);
    EXPECT_EQ(started, 1);
    EXPECT_EQ(r32(0x30), 4u);
    w32(0xd0, 'x');
    EXPECT_EQ(logged, "x");
    wi_dma_work(dma);
    EXPECT_EQ(r32(0x14), 1u);
    wi_dma_finish(dma);
    EXPECT_EQ(r32(0x14), done);
}

TEST_F(DmaTest, LogKeepsTheLastBytes)
{
    for (int i = 0; i < 5000; ++i) {
        wi_dma_write(dma, 0xd0, 1, static_cast<std::uint64_t>(i & 0xff));
    }
    EXPECT_EQ(logged.size(), 5000u);
    EXPECT_EQ(r32(0xd4), 4096u);
    EXPECT_EQ(r32(0xd8), (5000u - 4096u) & 0xff);
    EXPECT_EQ(r32(0xd4), 4095u);
}

TEST_F(DmaTest, OddAccessesReadZeroAndChangeNothing)
{
    for (std::uint64_t offset = 0; offset < 0x1000; ++offset) {
        EXPECT_EQ(wi_dma_read(dma, offset, 2), 0u);
        if (offset % 4 != 0 || offset >= 0x100) {
            EXPECT_EQ(wi_dma_read(dma, offset, 4), 0u) << offset;
            wi_dma_write(dma, offset, 4, ~0u);
        }
    }
    EXPECT_EQ(started, 0);
    EXPECT_EQ(wi_dma_read(dma, ~std::uint64_t{0} - 3, 8), 0u);
}

TEST_F(DmaTest, StateSurvivesSaveAndLoad)
{
    w64(0x20, 0x123456789abcdef0);
    w32(0xd0, 'l');
    std::size_t size = 0;
    void* state = wi_dma_save(dma, &size);
    wi_dma_reset(dma);
    EXPECT_EQ(r64(0x20), 0u);
    EXPECT_EQ(wi_dma_load(dma, state, size), nullptr);
    EXPECT_EQ(r64(0x20), 0x123456789abcdef0u);
    EXPECT_EQ(r32(0xd8), std::uint32_t{'l'});

    EXPECT_NE(wi_dma_load(dma, state, size - 1), nullptr);
    static_cast<std::uint8_t*>(state)[0] = 99;
    EXPECT_NE(wi_dma_load(dma, state, size), nullptr);
    std::free(state);
}

}  // namespace
