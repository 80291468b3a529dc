// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 7.2, 7.4, 7.5 and 3.18: the event queue, global errors, interrupts.
#include <thread>

#include "tests/unit/smmuv3/board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint32_t OVFLG = 0x8000'0000;

}  // namespace

TEST(Smmu_7_2_Events, ARecordIsWrittenAtProdAndInterruptsAnEmptyQueue)
{
    Board b;
    b.enable_eventq(2);
    b.refuse_all_streams();
    b.w32(IRQ_CTRL, 4);
    EXPECT_FALSE(b.dma(0x1234));
    EXPECT_EQ(b.r32(EVENTQ_PROD), 1u);
    EXPECT_EQ(b.event(0), (std::array<std::uint64_t, 4>{0x0000'1234'0000'0002, 0, 0, 0}));
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_eventq});
    ASSERT_EQ(b.host.dirty.size(), 1u);
    EXPECT_EQ(b.host.dirty[0].first, Gpa{eventq_at});
    EXPECT_EQ(b.host.dirty[0].second, 32u);
    EXPECT_FALSE(b.dma(5));
    EXPECT_EQ(b.host.pulses.size(), 1u) << "not empty before: no interrupt";
    EXPECT_EQ(b.event(1)[0], 0x0000'0005'0000'0002u);
    b.w32(EVENTQ_CONS, 2);
    EXPECT_FALSE(b.dma(6));
    EXPECT_EQ(b.host.pulses.size(), 2u) << "emptied: interrupts again";
}

TEST(Smmu_6_3_12_CR2, BadStreamIdsAreRecordedOnlyWithRecinvsid)
{
    Board b;
    b.enable_eventq(2);
    b.w32(STRTAB_BASE_CFG, 0);
    b.w32(CR0, EVENTQEN | SMMUEN);
    EXPECT_FALSE(b.dma(7));
    EXPECT_EQ(b.r32(EVENTQ_PROD), 0u);
    b.w32(CR0, EVENTQEN);
    b.w32(CR2, 2);
    b.w32(CR0, EVENTQEN | SMMUEN);
    EXPECT_FALSE(b.dma(7));
    EXPECT_EQ(b.r32(EVENTQ_PROD), 1u);
    EXPECT_EQ(b.event(0)[0], 0x0000'0007'0000'0002u);
}

TEST(Smmu_7_4_Overflow, AFullQueueTogglesOvflgAndNeverAborts)
{
    Board b;
    b.enable_eventq(1);
    b.refuse_all_streams();
    b.w32(IRQ_CTRL, 5);
    b.dma(1);
    b.dma(2);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 2u) << "full is not yet overflow";
    b.dma(3);
    EXPECT_EQ(b.r32(EVENTQ_PROD), OVFLG | 2u);
    EXPECT_EQ(b.r32(GERROR), 0u);
    EXPECT_EQ(b.event(0)[0] >> 32, 1u);
    EXPECT_EQ(b.event(1)[0] >> 32, 2u);
    b.dma(4);
    EXPECT_EQ(b.r32(EVENTQ_PROD), OVFLG | 2u) << "one toggle until acknowledged";
    b.w32(EVENTQ_CONS, 1);  // room, but not acknowledged: records go on
    b.dma(5);
    EXPECT_EQ(b.r32(EVENTQ_PROD), OVFLG | 3u);
    EXPECT_EQ(b.event(0)[0] >> 32, 5u);
    b.dma(6);
    EXPECT_EQ(b.r32(EVENTQ_PROD), OVFLG | 3u) << "a second overflow is invisible";
    b.w32(EVENTQ_CONS, OVFLG | 1);
    b.dma(7);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 3u) << "acknowledged: the next overflow toggles back";
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_eventq});
}

TEST(Smmu_7_4_Overflow, ADisabledQueueDoesNotOverflow)
{
    Board b;
    b.enable_eventq(0);
    b.refuse_all_streams();
    b.dma(1);
    b.w32(CR0, SMMUEN);
    b.dma(2);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 1u);
}

TEST(Smmu_3_5_1_Queues, TheEventQueueWraps)
{
    Board b;
    b.enable_eventq(2);
    b.refuse_all_streams();
    for (unsigned i = 1; i <= 20; ++i) {
        b.dma(i);
        ASSERT_EQ(b.r32(EVENTQ_PROD), i & 7u);
        ASSERT_EQ(b.event((i - 1) & 3)[0] >> 32, i);
        b.w32(EVENTQ_CONS, i & 7u);
    }
}

TEST(Smmu_3_5_1_Queues, InconsistentEventIndexesCountAsFull)
{
    Board b;
    b.enable_eventq(2);
    b.refuse_all_streams();
    b.w32(EVENTQ_CONS, 1);  // ahead of PROD
    b.dma(1);
    EXPECT_EQ(b.r32(EVENTQ_PROD), OVFLG);
    EXPECT_EQ(b.event(0)[0], 0u);
}

TEST(Smmu_7_2_2_EventAbort, AQueueWithoutMemoryIsAGlobalErrorAndStopsDelivery)
{
    Board b;
    b.w64(EVENTQ_BASE, 0x1'0000'0000 | 3);
    b.w32(CR0, EVENTQEN);
    b.refuse_all_streams();
    b.w32(IRQ_CTRL, 5);
    b.dma(1);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 0u) << "the abort is synchronous";
    EXPECT_EQ(b.active_errors(), 4u);
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_gerror});
    b.dma(2);
    EXPECT_EQ(b.host.pulses.size(), 1u);
    b.w32(CR0, SMMUEN);
    b.w64(EVENTQ_BASE, eventq_at | 3);
    b.w32(CR0, EVENTQEN | SMMUEN);
    b.dma(3);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 0u) << "not acknowledged: discarded";
    b.w32(GERRORN, 4);
    b.dma(4);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 1u);
    EXPECT_EQ(b.event(0)[0] >> 32, 4u);
}

TEST(Smmu_3_18_Interrupts, AnEventMsiGoesWhereSoftwareSaid)
{
    Board b;
    b.enable_eventq(3);
    b.refuse_all_streams();
    b.w64(EVENTQ_IRQ_CFG0, its_at);
    b.w32(EVENTQ_IRQ_CFG1, 0x55);
    b.w32(IRQ_CTRL, 4);
    b.dma(1);
    ASSERT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.host.msis[0].first, Gpa{its_at});
    EXPECT_EQ(b.host.msis[0].second, 0x55u);
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_eventq});
}

TEST(Smmu_3_18_Interrupts, NothingIsSignalledWhileDisabled)
{
    Board b;
    b.enable_eventq(3);
    b.enable_cmdq(3);
    b.refuse_all_streams();
    b.w64(EVENTQ_IRQ_CFG0, its_at);
    b.w64(GERROR_IRQ_CFG0, its_at);
    b.dma(1);
    b.submit(0xff);
    EXPECT_TRUE(b.host.msis.empty());
    EXPECT_TRUE(b.host.pulses.empty());
    b.w32(IRQ_CTRL, 5);
    EXPECT_TRUE(b.host.pulses.empty()) << "an occurrence before the enable stays silent";
}

TEST(Smmu_7_5_GlobalErrors, AnAbortedEventMsiIsOne)
{
    Board b;
    b.enable_eventq(3);
    b.refuse_all_streams();
    b.w64(EVENTQ_IRQ_CFG0, its_at);
    b.w32(IRQ_CTRL, 5);
    b.host.msi_aborts = true;
    b.dma(1);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 1u);
    EXPECT_EQ(b.active_errors(), 0x20u);  // MSI_EVENTQ_ABT_ERR
    EXPECT_EQ(b.host.pulses, (std::vector<unsigned>{irq_gerror, irq_eventq}));
}

TEST(Smmu_7_5_1_GlobalErrors, AnAbortedGerrorMsiRaisesNoFurtherInterrupt)
{
    Board b;
    b.enable_cmdq(3);
    b.w64(GERROR_IRQ_CFG0, its_at);
    b.w32(GERROR_IRQ_CFG1, 9);
    b.w32(IRQ_CTRL, 1);
    b.host.msi_aborts = true;
    b.submit(0xff);
    EXPECT_EQ(b.active_errors(), 0x81u);  // CMDQ_ERR, MSI_GERROR_ABT_ERR
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_gerror});
    b.host.msi_aborts = false;
    b.w32(GERRORN, 0x81);  // fails again at once
    ASSERT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.host.msis[0].second, 9u);
    EXPECT_EQ(b.active_errors(), 1u);
}

TEST(Smmu_7_5_GlobalErrors, ToggleInBothDirections)
{
    Board b;
    b.enable_cmdq(3);
    b.submit(0xff);
    b.w32(CMDQ_PROD, 0);
    b.prod = 0;
    b.w32(GERRORN, 1);
    EXPECT_EQ(b.active_errors(), 0u);
    b.submit(0xff);
    EXPECT_EQ(b.r32(GERROR), 0u);
    EXPECT_EQ(b.active_errors(), 1u);
}

// QEMU 10.2 writes the queue without its lock.
TEST(Smmu_7_2_Events, ConcurrentFaultsLoseNothingAndTearNothing)
{
    Board b;
    b.w64(EVENTQ_BASE, (ram_base + 0x8'0000) | 12);
    b.w32(CR0, EVENTQEN);
    b.refuse_all_streams();
    constexpr unsigned per_thread = 1000;
    Stream* streams[4];
    for (unsigned t = 0; t < 4; ++t) {
        streams[t] = b.smmu.stream(t + 1, nullptr);
    }
    std::vector<std::thread> threads;
    for (auto* stream : streams) {
        threads.emplace_back([stream] {
            Translation out;
            for (unsigned i = 0; i < per_thread; ++i) {
                stream->translate({.address = Iova{i}}, out);
            }
        });
    }
    for (unsigned i = 0; i < 1000; ++i) {
        b.r32(EVENTQ_PROD);  // a vCPU looks on
    }
    for (auto& t : threads) {
        t.join();
    }
    EXPECT_EQ(b.r32(EVENTQ_PROD), 4 * per_thread);
    unsigned seen[5] = {};
    for (unsigned i = 0; i < 4 * per_thread; ++i) {
        const auto word = b.host.load64(Gpa{ram_base + 0x8'0000 + i * 32});
        ASSERT_EQ(word & 0xffff'ffff, 0x02u);
        ASSERT_LE(word >> 32, 4u);
        ++seen[word >> 32];
    }
    for (unsigned t = 1; t <= 4; ++t) {
        EXPECT_EQ(seen[t], per_thread);
    }
}
