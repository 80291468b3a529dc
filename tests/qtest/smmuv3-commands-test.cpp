// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 4 "Commands", 3.5 "Command and Event queues".
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_4_Commands : public smmuv3::Test {
protected:
    static constexpr std::uint32_t cerror_ill = 1, cerror_abt = 2;
    std::uint32_t cerror() { return smmu->r32(CMDQ_CONS) >> 24 & 0x7f; }
};

TEST_F(Smmu_4_Commands, TheQueueIsConsumedAndWraps)
{
    start();
    smmu->enable({.cmdq_log2 = 2, .eventq_log2 = 7, .sid_log2 = 12});
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(smmu->submit({cfgi_ste(1), tlbi_nh_all(0), sync_none()})) << i;
    }
    expect_no_event();
}

TEST_F(Smmu_4_Commands, NothingIsConsumedWhileTheQueueIsOff)
{
    start();
    smmu->enable();
    const std::uint32_t cons = smmu->r32(CMDQ_CONS);
    smmu->w32(CR0, 0b0101);
    EXPECT_FALSE(smmu->submit({sync_none()}));
    EXPECT_EQ(smmu->r32(CMDQ_CONS), cons);
    smmu->w32(CR0, 0b1101);
    EXPECT_EQ(smmu->r32(CMDQ_CONS), cons + 1) << "enabling goes on where it stood";
}

struct IllegalCommand {
    const char* what;
    Command command;
};

class Smmu_4_Illegal : public Smmu_4_Commands,
                       public ::testing::WithParamInterface<IllegalCommand> {};

TEST_P(Smmu_4_Illegal, StopsTheQueueUntilAcknowledged)
{
    // qemu.md A8: what IDR does not announce is illegal, not swallowed.
    start();
    smmu->enable();
    const std::uint32_t before = smmu->r32(CMDQ_CONS) & 0xfffff;
    EXPECT_FALSE(smmu->submit({sync_none(), GetParam().command, sync_none()}));
    EXPECT_EQ(cerror(), cerror_ill) << GetParam().what;
    EXPECT_EQ(smmu->r32(CMDQ_CONS) & 0xfffff, before + 1) << "stands at the culprit";
    EXPECT_EQ(smmu->r32(GERROR), 1u) << "CMDQ_ERR";

    // Software overwrites the command, then acknowledges: the queue goes on.
    const std::uint64_t queue = smmu->r64(CMDQ_BASE) & 0x000fffffffffffe0;
    machine->write64(queue + 16 * ((before + 1) & 0xff), 0x46);
    machine->write64(queue + 16 * ((before + 1) & 0xff) + 8, 0);
    smmu->w32(GERRORN, 1);
    EXPECT_EQ(smmu->r32(CMDQ_CONS) & 0xfffff, before + 3);
}

INSTANTIATE_TEST_SUITE_P(
    Commands, Smmu_4_Illegal,
    ::testing::Values(IllegalCommand{"reserved 0x00", {0x00, 0}},
                      IllegalCommand{"reserved 0xff", {0xff, 0}},
                      IllegalCommand{"TLBI_EL3_ALL", {0x18, 0}},
                      IllegalCommand{"TLBI_EL3_VA", {0x1a, 0}},
                      IllegalCommand{"TLBI_EL2_ALL", {0x20, 0}},
                      IllegalCommand{"TLBI_EL2_ASID", {0x21, 0}},
                      IllegalCommand{"TLBI_EL2_VA", {0x22, 0}},
                      IllegalCommand{"TLBI_EL2_VAA", {0x23, 0}},
                      IllegalCommand{"ATC_INV", {0x40, 0}},
                      IllegalCommand{"PRI_RESP", {0x41, 0}},
                      IllegalCommand{"RESUME", {0x44, 0}},
                      IllegalCommand{"STALL_TERM", {0x45, 0}},
                      IllegalCommand{"SYNC with CS reserved", {0x46 | 3u << 12, 0}},
                      IllegalCommand{"CFGI_STE with SSec", {0x03 | 1u << 10, 1}}));

TEST_F(Smmu_4_Commands, AnUnreadableQueueIsAnAbort)
{
    start();
    smmu->enable();
    smmu->w32(CR0, 0);
    smmu->w64(CMDQ_BASE, no_memory | 8);
    smmu->w32(CMDQ_CONS, 0);
    smmu->w32(CMDQ_PROD, 1);
    smmu->w32(CR0, 0b1000);
    EXPECT_EQ(cerror(), cerror_abt);
    EXPECT_EQ(smmu->r32(GERROR), 1u);
}

TEST_F(Smmu_4_Commands, SyncCanInterrupt)
{
    start();
    smmu->enable();
    machine->intercept(smmu_path, "sysbus-irq");
    EXPECT_TRUE(smmu->submit({sync_irq()}));
    EXPECT_EQ(machine->line(line_sync).raised, 1u);
    EXPECT_TRUE(smmu->submit({sync_none()}));
    EXPECT_EQ(machine->line(line_sync).raised, 1u);
}

TEST_F(Smmu_4_Commands, SyncCanSendAMessage)
{
    start();
    smmu->enable();
    EXPECT_TRUE(smmu->submit({sync_msi(virt::ram + 0x6000, 0xcafe)}));
    EXPECT_EQ(machine->read32(virt::ram + 0x6000), 0xcafeu);
    EXPECT_TRUE(smmu->submit({sync_msi(no_memory, 1)}));
    EXPECT_EQ(smmu->r32(GERROR), 1u << 4) << "MSI_CMDQ_ABT_ERR";
}

TEST_F(Smmu_4_Commands, SevIsAccepted)
{
    start();
    smmu->enable();
    EXPECT_TRUE(smmu->submit({Command{0x46 | 2u << 12, 0}}));
    expect_no_event();
}

TEST_F(Smmu_4_Commands, PrefetchIsAccepted)
{
    start();
    smmu->enable();
    stage1();
    EXPECT_TRUE(smmu->submit_and_sync({Command{0x01 | std::uint64_t{sid} << 32, 0},
                                       Command{0x02 | std::uint64_t{sid} << 32, iova}}));
    expect_no_event();
}

TEST_F(Smmu_4_Commands, CfgiCdForgetsTheContext)
{
    start();
    smmu->enable();
    stage1();
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
    smmu->put(cd_at, {});
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
    EXPECT_TRUE(smmu->submit_and_sync({cfgi_cd(sid + 1, 0)}));
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
    EXPECT_TRUE(smmu->submit_and_sync({cfgi_cd_all(sid)}));
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    expect_event(C_BAD_CD);
}

TEST_F(Smmu_4_Commands, SmmuWritingItsOwnRegistersHurtsNobody)
{
    start();
    smmu->enable();
    // A completion message to its own CMDQ_PROD, EVENTQ_PROD and CR0.
    smmu->submit({sync_msi(smmu->base() + CMDQ_PROD, 0xff),
                  sync_msi(smmu->base() + EVENTQ_PROD, 0xffffffff),
                  sync_msi(smmu->base() + CR0, 0)});
    EXPECT_TRUE(machine->alive());
    EXPECT_EQ(smmu->r32(AIDR), 2u);
}

TEST_F(Smmu_4_Commands, AnInconsistentQueueEnds)
{
    start();
    smmu->enable();
    for (const std::uint32_t prod : {0xffffffffu, 0x1ffu, 0x100u, 0x7fffffffu}) {
        smmu->w32(CMDQ_PROD, prod);
        EXPECT_TRUE(machine->alive());
        smmu->w32(GERRORN, smmu->r32(GERROR));
    }
}

}  // namespace
