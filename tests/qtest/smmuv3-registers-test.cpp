// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 6 "Memory map and registers", read and written by 32 and 64 bits.
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_6_Registers : public smmuv3::Test {};

TEST_F(Smmu_6_Registers, IdentificationSaysWhatIsImplemented)
{
    start();
    const std::uint32_t idr0 = smmu->r32(IDR0);
    EXPECT_EQ(idr0 & 3, 3u) << "S1P, S2P";
    EXPECT_EQ(idr0 >> 2 & 3, 2u) << "TTF: AArch64";
    EXPECT_EQ(idr0 >> 4 & 1, 1u) << "COHACC";
    EXPECT_EQ(idr0 >> 12 & 3, 3u) << "ASID16, MSI";
    EXPECT_EQ(idr0 >> 18 & 1, 1u) << "VMID16";
    EXPECT_EQ(idr0 >> 27 & 3, 1u) << "ST_LEVEL: two-level";
    EXPECT_EQ(idr0 & (1u << 5 | 3u << 6 | 1u << 9 | 1u << 10 | 1u << 15 | 1u << 16), 0u)
        << "no BTM, HTTU, HYP, ATS, ATOS, PRI";
    const std::uint32_t idr1 = smmu->r32(IDR1);
    EXPECT_EQ(idr1 & 0x3f, 16u) << "SIDSIZE";
    EXPECT_EQ(idr1 >> 6 & 0x1f, 8u) << "SSIDSIZE";
    EXPECT_EQ(smmu->r32(IDR5) & 7, 5u) << "OAS: 48 bits";
    EXPECT_EQ(smmu->r32(IDR5) >> 4 & 7, 7u) << "GRAN64K, GRAN16K, GRAN4K";
    EXPECT_EQ(smmu->r32(AIDR), 2u) << "SMMUv3.2";
}

TEST_F(Smmu_6_Registers, IdentificationFollowsTheProperties)
{
    start("stage=1,sid-bits=20,ssid-bits=0,oas=40,msi=off");
    EXPECT_EQ(smmu->r32(IDR0) & 3, 2u) << "S1P only";
    EXPECT_EQ(smmu->r32(IDR0) >> 13 & 1, 0u) << "MSI";
    EXPECT_EQ(smmu->r32(IDR1) & 0x3f, 20u);
    EXPECT_EQ(smmu->r32(IDR1) >> 6 & 0x1f, 0u);
    EXPECT_EQ(smmu->r32(IDR5) & 7, 2u);
}

TEST_F(Smmu_6_Registers, A64BitAccessIsTwo32BitAccesses)
{
    start();
    EXPECT_EQ(smmu->r64(IDR0), smmu->r32(IDR0) | std::uint64_t{smmu->r32(IDR1)} << 32);
    smmu->w32(STRTAB_BASE, 0x12345680);
    smmu->w32(STRTAB_BASE + 4, 0x40000009);
    EXPECT_EQ(smmu->r64(STRTAB_BASE), 0x4000000912345680u);
    smmu->w64(STRTAB_BASE, 0x0000000acafe0040);
    EXPECT_EQ(smmu->r32(STRTAB_BASE), 0xcafe0040u);
    EXPECT_EQ(smmu->r32(STRTAB_BASE + 4), 0x0000000au);
}

TEST_F(Smmu_6_Registers, EveryOffsetTakesEveryAccess)
{
    start();
    const std::uint64_t base = smmu->base();
    for (std::uint64_t offset = 0; offset < 0x20000; offset += 4) {
        if (offset >= 0x200 && offset % 0x10000 >= 0x200 && offset % 0x400 != 0) {
            continue;  // nothing but reserved space: one in 256 will do
        }
        machine->read32(base + offset);
        machine->write32(base + offset, 0xffffffff);
        if (offset % 8 == 0) {
            machine->read64(base + offset);
            machine->write64(base + offset, ~std::uint64_t{0});
        }
        machine->write8(base + offset, 0xff);
        machine->write16(base + offset + 1, 0xffff);
        ASSERT_TRUE(machine->alive()) << offset;
    }
}

TEST_F(Smmu_6_Registers, Cr0IsAcknowledged)
{
    start();
    EXPECT_EQ(smmu->r32(CR0), 0u);
    smmu->w32(CR0, 0xffffffff);
    const std::uint32_t now = smmu->r32(CR0);
    EXPECT_EQ(now & 0b1101, 0b1101u);
    EXPECT_EQ(smmu->r32(CR0ACK), now);
    EXPECT_EQ(now & 1u << 1, 0u) << "PRIQEN without IDR0.PRI";
}

TEST_F(Smmu_6_Registers, TableBaseIsGuardedWhileEnabled)
{
    start();
    smmu->enable();
    const std::uint64_t base = smmu->r64(STRTAB_BASE);
    const std::uint32_t cfg = smmu->r32(STRTAB_BASE_CFG);
    smmu->w64(STRTAB_BASE, 0);
    smmu->w32(STRTAB_BASE_CFG, 1);
    smmu->w64(CMDQ_BASE, 0);
    EXPECT_EQ(smmu->r64(STRTAB_BASE), base);
    EXPECT_EQ(smmu->r32(STRTAB_BASE_CFG), cfg);
    EXPECT_NE(smmu->r64(CMDQ_BASE), 0u);
}

TEST_F(Smmu_6_Registers, CommandConsIsWritableOnlyWhileTheQueueIsOff)
{
    start();
    smmu->w64(CMDQ_BASE, virt::ram | 8);
    smmu->w32(CMDQ_CONS, 5);
    EXPECT_EQ(smmu->r32(CMDQ_CONS), 5u);
    smmu->w32(CMDQ_PROD, 5);
    smmu->w32(CR0, 1u << 3);
    smmu->w32(CMDQ_CONS, 7);
    EXPECT_EQ(smmu->r32(CMDQ_CONS), 5u);
}

TEST_F(Smmu_6_Registers, GbpaNeedsUpdate)
{
    start();
    const std::uint32_t before = smmu->r32(GBPA);
    smmu->w32(GBPA, 1u << 20);
    EXPECT_EQ(smmu->r32(GBPA), before) << "without Update nothing happens";
    smmu->w32(GBPA, 1u << 31 | 1u << 20);
    EXPECT_EQ(smmu->r32(GBPA) >> 20, 1u) << "ABORT set, Update clear again";
}

TEST_F(Smmu_6_Registers, InterruptEnablesAreAcknowledged)
{
    start();
    smmu->w32(IRQ_CTRL, 0xffffffff);
    EXPECT_EQ(smmu->r32(IRQ_CTRL), 0b101u) << "no PRIQ";
    EXPECT_EQ(smmu->r32(IRQ_CTRLACK), 0b101u);
}

TEST_F(Smmu_6_Registers, QueueIndexesAreOnPage1)
{
    start();
    smmu->w64(EVENTQ_BASE, virt::ram | 7);
    smmu->w32(EVENTQ_PROD, 0x85);
    smmu->w32(EVENTQ_CONS, 0x81);
    EXPECT_EQ(smmu->r32(EVENTQ_PROD), 0x85u);
    EXPECT_EQ(smmu->r32(EVENTQ_CONS), 0x81u);
}

TEST_F(Smmu_6_Registers, ResetForgetsEverything)
{
    start();
    const std::uint32_t gbpa = smmu->r32(GBPA);
    smmu->enable();
    stage1();
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
    ASSERT_TRUE(machine->qmp("system_reset").ok);
    connect();
    EXPECT_EQ(smmu->r32(CR0), 0u);
    EXPECT_EQ(smmu->r32(GBPA), gbpa);
    EXPECT_EQ(smmu->r64(STRTAB_BASE), 0u);
    EXPECT_EQ(dma->fill(target, 8, 0x77), Endpoint::done) << "bypass again";
    EXPECT_EQ(machine->read64(target), 0x77u);
}

}  // namespace
