// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 7 "Faults, errors and Event queue", 3.18 "Interrupts and notifications".
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_7_Events : public smmuv3::Test {
protected:
    void fault_at(std::uint64_t address)
    {
        EXPECT_EQ(dma->read(address, 4), Endpoint::aborted);
    }
};

TEST_F(Smmu_7_Events, ATranslationFaultToTheBit)
{
    start();
    smmu->enable();
    stage1();
    EXPECT_EQ(dma->fill(0x12'3456'8ab4, 4, 0), Endpoint::aborted);
    Record r{};
    ASSERT_TRUE(smmu->next_event(r));
    // F_TRANSLATION, no SSV, StreamID 0x20; write by an unprivileged data access, CLASS
    // IN.
    EXPECT_EQ(r[0], 0x0000002000000010u);
    EXPECT_EQ(r[1], 0x0000020000000000u);
    EXPECT_EQ(r[2], 0x0000001234568ab4u);
    EXPECT_EQ(r[3], 0u);
}

TEST_F(Smmu_7_Events, OneFailingDmaIsOneEvent)
{
    start();
    smmu->enable();
    stage1();
    EXPECT_EQ(dma->read(iova + 0x1000, 64), Endpoint::aborted);
    EXPECT_EQ(expect_event(F_TRANSLATION)[2], iova + 0x1000);
    EXPECT_EQ(dma->fill(iova + 0x1003, 4000, 1), Endpoint::aborted);
    EXPECT_EQ(expect_event(F_TRANSLATION)[2], iova + 0x1003);
    dma->attributes(Endpoint::privileged);
    EXPECT_EQ(dma->read(iova + 0x1000, 64), Endpoint::aborted);
    EXPECT_EQ(expect_event(F_TRANSLATION)[2], iova + 0x1000);
}

TEST_F(Smmu_7_Events, EachFailingDmaIsAnEventOfItsOwn)
{
    start();
    smmu->enable();
    stage1();
    // Accesses of 8 bytes, one behind the other: nothing is mistaken for a piece.
    dma->attributes(Endpoint::keep_going);
    dma->w32(0x74, 8);
    EXPECT_EQ(dma->read(iova + 0x1000, 64), Endpoint::aborted);
    EXPECT_EQ(smmu->events_waiting(), 8u);
    for (std::uint64_t i = 0; i < 8; ++i) {
        Record r{};
        smmu->next_event(r);
        EXPECT_EQ(r[2], iova + 0x1000 + 8 * i);
    }
}

TEST_F(Smmu_7_Events, AFullQueueOverflowsAndLosesNothingElse)
{
    // qemu.md A1: OVFLG toggles, GERROR stays clear, and the queue goes on once drained.
    start();
    smmu->enable({.cmdq_log2 = 8, .eventq_log2 = 2, .sid_log2 = 12});
    stage1();
    for (std::uint64_t i = 0; i < 6; ++i) {
        fault_at(iova + 0x1000 * (i + 1));
    }
    EXPECT_EQ(smmu->r32(GERROR), 0u);
    EXPECT_EQ(smmu->r32(EVENTQ_PROD), 1u << 31 | 4u) << "OVFLG, full";
    for (std::uint64_t i = 0; i < 4; ++i) {
        Record r{};
        ASSERT_TRUE(smmu->next_event(r));
        EXPECT_EQ(r[2], iova + 0x1000 * (i + 1));
    }
    smmu->w32(EVENTQ_CONS, 1u << 31 | 4u);  // OVACKFLG
    fault_at(iova + 0x9000);
    EXPECT_EQ(smmu->r32(EVENTQ_PROD), 1u << 31 | 5u);
    Record r{};
    ASSERT_TRUE(smmu->next_event(r));
    EXPECT_EQ(r[2], iova + 0x9000);
}

TEST_F(Smmu_7_Events, TheQueueWraps)
{
    start();
    smmu->enable({.cmdq_log2 = 8, .eventq_log2 = 2, .sid_log2 = 12});
    stage1();
    for (std::uint64_t i = 1; i <= 19; ++i) {
        fault_at(iova + 0x1000 * i);
        Record r{};
        ASSERT_TRUE(smmu->next_event(r)) << i;
        EXPECT_EQ(r[2], iova + 0x1000 * i);
    }
    EXPECT_EQ(smmu->r32(EVENTQ_PROD), 19u % 8);
}

TEST_F(Smmu_7_Events, AQueueOutsideMemoryIsAGlobalError)
{
    start();
    smmu->enable();
    stage1();
    smmu->w32(CR0, 0b1000);
    smmu->w64(EVENTQ_BASE, no_memory | 7);
    smmu->w32(CR0, 0b1101);
    fault_at(iova + 0x1000);
    EXPECT_EQ(smmu->r32(GERROR), 1u << 2) << "EVENTQ_ABT_ERR";
    smmu->w32(GERRORN, 1u << 2);
    fault_at(iova + 0x1000);
    EXPECT_EQ(smmu->r32(GERROR), 0u) << "toggled again";
}

TEST_F(Smmu_7_Events, WithoutEventqenNothingIsRecorded)
{
    start();
    smmu->enable();
    stage1();
    smmu->w32(CR0, 0b1001);
    fault_at(iova + 0x1000);
    smmu->w32(CR0, 0b1101);
    expect_no_event();
}

TEST_F(Smmu_7_Events, WiredInterruptsAreEdges)
{
    start();
    smmu->enable();
    stage1();
    machine->intercept(smmu_path, "sysbus-irq");
    fault_at(iova + 0x1000);
    EXPECT_EQ(machine->line(line_eventq).raised, 1u);
    EXPECT_FALSE(machine->line(line_eventq).level);
    fault_at(iova + 0x2000);
    EXPECT_EQ(machine->line(line_eventq).raised, 1u) << "the queue was not empty";
    EXPECT_EQ(machine->line(line_gerror).raised, 0u);
    smmu->submit({Command{0x7f, 0}});
    EXPECT_EQ(machine->line(line_gerror).raised, 1u);
    EXPECT_EQ(machine->line(line_priq).raised, 0u);
}

TEST_F(Smmu_7_Events, InterruptsThatAreOffStayOff)
{
    start();
    smmu->enable();
    stage1();
    machine->intercept(smmu_path, "sysbus-irq");
    smmu->w32(IRQ_CTRL, 0);
    fault_at(iova + 0x1000);
    smmu->submit({Command{0x7f, 0}});
    EXPECT_EQ(machine->line(line_eventq).raised, 0u);
    EXPECT_EQ(machine->line(line_gerror).raised, 0u);
}

TEST_F(Smmu_7_Events, MessageSignalledInterruptsAreWritten)
{
    start();
    smmu->enable();
    stage1();
    const std::uint64_t message = virt::ram + 0x5000;
    smmu->w32(IRQ_CTRL, 0);
    smmu->w64(EVENTQ_IRQ_CFG0, message);
    smmu->w32(EVENTQ_IRQ_CFG1, 0x1234);
    smmu->w64(GERROR_IRQ_CFG0, message + 4);
    smmu->w32(GERROR_IRQ_CFG0 + 8, 0x5678);
    smmu->w32(IRQ_CTRL, 0b101);
    fault_at(iova + 0x1000);
    EXPECT_EQ(machine->read32(message), 0x1234u);
    smmu->submit({Command{0x7f, 0}});
    EXPECT_EQ(machine->read32(message + 4), 0x5678u);
}

TEST_F(Smmu_7_Events, AnAbortedMessageIsAGlobalError)
{
    start();
    smmu->enable();
    stage1();
    smmu->w32(IRQ_CTRL, 0);
    smmu->w64(EVENTQ_IRQ_CFG0, no_memory);
    smmu->w32(IRQ_CTRL, 0b101);
    fault_at(iova + 0x1000);
    EXPECT_EQ(smmu->r32(GERROR), 1u << 5) << "MSI_EVTQ_ABT_ERR";
}

TEST_F(Smmu_7_Events, FaultsOfAnIothreadAreRecordedAndInterrupt)
{
    boot({"-object", "iothread,id=io0", "-device", "winiommu-smmuv3,id=smmu", "-device",
          "winiommu-dma,addr=4,iothread=io0"});
    connect();
    smmu->enable();
    stage1();
    machine->intercept(smmu_path, "sysbus-irq");
    EXPECT_EQ(dma->fill(iova, 4096, 0x77), Endpoint::done);
    EXPECT_EQ(machine->read64(target), 0x77u);
    EXPECT_EQ(dma->read(iova + 0x1000, 64), Endpoint::aborted);
    EXPECT_EQ(expect_event(F_TRANSLATION)[2], iova + 0x1000);
    for (int i = 0; i < 1000 && machine->line(line_eventq).raised == 0; ++i) {
    }
    EXPECT_EQ(machine->line(line_eventq).raised, 1u);
}

}  // namespace
