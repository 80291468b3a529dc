// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 6: every register's bits, and in which state each can be written.
#include <string>

#include "tests/unit/smmuv3/board.hpp"

using namespace iommu;
using namespace iommu::test;

TEST(Smmu_6_3_1_IDR, AnnouncesWhatIsImplementedAndNothingElse)
{
    Board b;
    EXPECT_EQ(b.r32(IDR0), 0x0d4c'301bu);
    EXPECT_EQ(b.r32(IDR1), 0x0273'0210u);  // 2^19 entries a queue, SSIDSIZE 8, SIDSIZE 16
    EXPECT_EQ(b.r32(IDR2), 0u);
    EXPECT_EQ(b.r32(IDR3), 0x1414u);  // HAD, XNX, RIL, BBML 2
    EXPECT_EQ(b.r32(IDR4), 0u);
    EXPECT_EQ(b.r32(IDR5), 0x75u);  // 48 bits, 4K, 16K, 64K
    EXPECT_EQ(b.r32(IIDR), 0u);
    EXPECT_EQ(b.r32(AIDR), 0x02u);  // SMMUv3.2
}

TEST(Smmu_6_3_1_IDR, FollowsTheConfiguration)
{
    smmu::Configuration c;
    c.capabilities.stage1 = false;
    c.capabilities.sid_bits = 20;
    c.capabilities.oas_bits = 40;
    c.msi = false;
    Board s2(c);
    EXPECT_EQ(s2.r32(IDR0), 0x0d44'1019u);  // no S1P, MSI, CD2L
    EXPECT_EQ(s2.r32(IDR1), 0x0273'0014u);  // no substreams without stage 1
    EXPECT_EQ(s2.r32(IDR3), 0x1410u);       // no HAD
    EXPECT_EQ(s2.r32(IDR5), 0x72u);
    c.capabilities.stage1 = true;
    c.capabilities.stage2 = false;
    c.capabilities.ssid_bits = 20;
    Board s1(c);
    EXPECT_EQ(s1.r32(IDR0), 0x0d48'101au);  // no S2P, VMID16
    EXPECT_EQ(s1.r32(IDR1), 0x0273'0514u);
    EXPECT_EQ(s1.r32(IDR3), 0x1404u);  // no XNX
}

TEST(Smmu_6_3_1_IDR, EveryOutputSizeHasItsCode)
{
    const unsigned bits[] = {32, 36, 40, 42, 44, 48};
    for (unsigned code = 0; code < 6; ++code) {
        smmu::Configuration c;
        c.capabilities.oas_bits = bits[code];
        ASSERT_EQ(smmu::Smmuv3::refuse(c), nullptr);
        EXPECT_EQ(Board(c).r32(IDR5), 0x70u | code);
    }
}

TEST(Smmu_6_3_1_IDR, IdentificationAndStatusAreReadOnly)
{
    Board b;
    for (const auto at : {IDR0, IDR1, IDR2, IDR3, IDR4, IDR5, IIDR, AIDR, CR0ACK, STATUSR,
                          AGBPA, IRQ_CTRLACK, GERROR}) {
        const auto before = b.r32(at);
        b.w32(at, ~0u);
        EXPECT_EQ(b.r32(at), before) << std::hex << at;
        b.w32(at, 0);
        EXPECT_EQ(b.r32(at), before) << std::hex << at;
    }
}

TEST(Configuration, IsRefusedWithOneLineWhenTheArchitectureHasNoSuchValue)
{
    const auto refusal = [](auto change) {
        smmu::Configuration c;
        change(c.capabilities);
        const char* text = smmu::Smmuv3::refuse(c);
        return text ? std::string(text) : std::string();
    };
    EXPECT_EQ(refusal([](auto&) {}), "");
    EXPECT_NE(refusal([](auto& c) { c.sid_bits = 7; }).find("StreamID"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& c) { c.sid_bits = 25; }).find("StreamID"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& c) { c.ssid_bits = 21; }).find("SubstreamID"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& c) { c.oas_bits = 52; }).find("output"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& c) { c.stage1 = c.stage2 = false; }).find("stage"),
              std::string::npos);
    EXPECT_EQ(refusal([](auto& c) { c.oas_bits = 0; }).find('\n'), std::string::npos);
}

TEST(Smmu_6_3_9_CR0, HoldsTheThreeEnablesAndAcknowledgesAtOnce)
{
    Board b;
    EXPECT_EQ(b.r32(CR0), 0u);
    b.w32(CR0, ~0u);
    // PRIQEN, ATSCHK, VMW, DPT_WALK_EN are RES0: IDR0.PRI, ATS, VMW, IDR3.DPT are 0.
    EXPECT_EQ(b.r32(CR0), SMMUEN | EVENTQEN | CMDQEN);
    EXPECT_EQ(b.r32(CR0ACK), SMMUEN | EVENTQEN | CMDQEN);
    b.w32(CR0, EVENTQEN);
    EXPECT_EQ(b.r32(CR0ACK), EVENTQEN);
}

TEST(Smmu_6_3_11_CR1, TableFieldsAreGuardedBySmmuenQueueFieldsByTheQueues)
{
    Board b;
    b.w32(CR1, ~0u);
    EXPECT_EQ(b.r32(CR1), 0xfffu);
    b.w32(CR0, SMMUEN);
    b.w32(CR1, 0);
    EXPECT_EQ(b.r32(CR1), 0xfc0u);
    for (const auto queue : {EVENTQEN, CMDQEN}) {
        b.w32(CR0, 0);
        b.w32(CR1, 0xfff);
        b.w32(CR0, queue);
        b.w32(CR1, 0);
        EXPECT_EQ(b.r32(CR1), 0x03fu);
    }
}

TEST(Smmu_6_3_12_CR2, HoldsRecinvsidAloneAndIsReadOnlyWhileEnabled)
{
    Board b;
    b.w32(CR2, ~0u);
    EXPECT_EQ(b.r32(CR2), 2u);  // E2H, PTM, REC_CFG_ATS: IDR0.Hyp, BTM, ATSRECERR are 0
    b.w32(CR0, SMMUEN);
    b.w32(CR2, 0);
    EXPECT_EQ(b.r32(CR2), 2u);
    b.w32(CR0, 0);
    b.w32(CR2, 0);
    EXPECT_EQ(b.r32(CR2), 0u);
}

TEST(Smmu_6_3_14_GBPA, IsWrittenOnlyTogetherWithUpdate)
{
    Board b;
    EXPECT_EQ(b.r32(GBPA), 0x1000u);  // SHCFG: use incoming
    b.w32(GBPA, 0x0010'0000);
    EXPECT_EQ(b.r32(GBPA), 0x1000u);
    EXPECT_TRUE(b.dma(1));
    b.w32(GBPA, 0x8010'0000);
    EXPECT_EQ(b.r32(GBPA), 0x0010'0000u);  // Update completed
    EXPECT_FALSE(b.dma(1));
    b.w32(GBPA, ~0u);
    EXPECT_EQ(b.r32(GBPA), 0x001f'3f1fu);
}

TEST(Smmu_6_3_14_GBPA, AbortActsOnlyWhileDisabledAndRecordsNothing)
{
    Board b;
    b.enable_eventq(3);
    b.w32(GBPA, 0x8010'0000);
    EXPECT_FALSE(b.dma(1));
    EXPECT_EQ(b.r32(EVENTQ_PROD), 0u);
    b.w32(GBPA, 0x8000'0000);
    EXPECT_TRUE(b.dma(1));
}

TEST(Smmu_6_3_14_GBPA, ResetValueOfAbortIsAProperty)
{
    smmu::Configuration c;
    c.gbpa_abort = true;
    Board b(c);
    EXPECT_EQ(b.r32(GBPA), 0x0010'1000u);
    EXPECT_FALSE(b.dma(1));
    b.w32(GBPA, 0x8000'1000);
    EXPECT_TRUE(b.dma(1));
    b.smmu.reset();
    EXPECT_EQ(b.r32(GBPA), 0x0010'1000u);
    EXPECT_FALSE(b.dma(1));
}

TEST(Smmu_6_3_16_IRQ_CTRL, HoldsTwoEnablesAndAcknowledgesAtOnce)
{
    Board b;
    b.w32(IRQ_CTRL, ~0u);
    EXPECT_EQ(b.r32(IRQ_CTRL), 5u);  // PRIQ_IRQEN: IDR0.PRI is 0
    EXPECT_EQ(b.r32(IRQ_CTRLACK), 5u);
}

TEST(Smmu_6_3_21_IRQ_CFG, IsGuardedByItsOwnEnable)
{
    const struct {
        std::uint64_t cfg0, cfg1, cfg2;
        std::uint32_t own, other;
    } sets[] = {{GERROR_IRQ_CFG0, GERROR_IRQ_CFG1, GERROR_IRQ_CFG2, 1, 4},
                {EVENTQ_IRQ_CFG0, EVENTQ_IRQ_CFG1, EVENTQ_IRQ_CFG2, 4, 1}};
    for (const auto& set : sets) {
        Board b;
        b.w32(IRQ_CTRL, set.other);
        b.w64(set.cfg0, ~0ull);
        b.w32(set.cfg1, 0x1234'5678);
        b.w32(set.cfg2, ~0u);
        EXPECT_EQ(b.r64(set.cfg0), 0x0000'ffff'ffff'fffcull);  // [OAS-1:2]
        EXPECT_EQ(b.r32(set.cfg1), 0x1234'5678u);
        EXPECT_EQ(b.r32(set.cfg2), 0x3fu);
        b.w32(IRQ_CTRL, set.own);
        b.w64(set.cfg0, 0);
        b.w32(set.cfg0 + 4, 0);
        b.w32(set.cfg1, 0);
        b.w32(set.cfg2, 0);
        EXPECT_EQ(b.r64(set.cfg0), 0x0000'ffff'ffff'fffcull);
        EXPECT_EQ(b.r32(set.cfg1), 0x1234'5678u);
        EXPECT_EQ(b.r32(set.cfg2), 0x3fu);
    }
}

TEST(Smmu_6_3_21_IRQ_CFG, IsAbsentWithoutMsi)
{
    smmu::Configuration c;
    c.msi = false;
    Board b(c);
    for (const auto at :
         {GERROR_IRQ_CFG0, GERROR_IRQ_CFG1, EVENTQ_IRQ_CFG0, EVENTQ_IRQ_CFG1}) {
        b.w64(at, ~0ull);
        EXPECT_EQ(b.r64(at), 0u) << std::hex << at;
    }
    b.w32(GERRORN, ~0u);
    EXPECT_EQ(b.r32(GERRORN), 0x105u);  // CMDQ_ERR, EVENTQ_ABT_ERR, SFM_ERR
}

TEST(Smmu_6_3_20_GERRORN, HoldsTheFieldsOfGerror)
{
    Board b;
    b.w32(GERRORN, ~0u);
    EXPECT_EQ(b.r32(GERRORN), 0x1b5u);
    EXPECT_EQ(b.r32(GERROR), 0u);
}

TEST(Smmu_6_3_24_STRTAB_BASE, IsGuardedBySmmuen)
{
    Board b;
    b.w64(STRTAB_BASE, ~0ull);
    EXPECT_EQ(b.r64(STRTAB_BASE), 0x4000'ffff'ffff'ffc0ull);  // RA, ADDR[OAS-1:6]
    b.w32(STRTAB_BASE_CFG, ~0u);
    EXPECT_EQ(b.r32(STRTAB_BASE_CFG), 0x0003'07ffu);
    b.w32(CR0, SMMUEN);
    b.w64(STRTAB_BASE, 0);
    b.w32(STRTAB_BASE + 4, 0);
    b.w32(STRTAB_BASE_CFG, 0);
    EXPECT_EQ(b.r64(STRTAB_BASE), 0x4000'ffff'ffff'ffc0ull);
    EXPECT_EQ(b.r32(STRTAB_BASE_CFG), 0x0003'07ffu);
}

TEST(Smmu_6_3_26_CMDQ_BASE, IsGuardedByCmdqen)
{
    smmu::Configuration c;
    c.capabilities.oas_bits = 40;
    Board b(c);
    b.w64(CMDQ_BASE, ~0ull);
    EXPECT_EQ(b.r64(CMDQ_BASE), 0x4000'00ff'ffff'ffffull);  // RA, ADDR[39:5], LOG2SIZE
    b.w32(CR0, CMDQEN);
    b.w64(CMDQ_BASE, 0);
    EXPECT_EQ(b.r64(CMDQ_BASE), 0x4000'00ff'ffff'ffffull);
}

TEST(Smmu_6_3_28_CMDQ_CONS, IsWritableOnlyWhileTheQueueIsDisabled)
{
    Board b;
    b.w64(CMDQ_BASE, cmdq_at | 4);
    b.w32(CMDQ_CONS, 7);
    EXPECT_EQ(b.r32(CMDQ_CONS), 7u);
    b.w32(CMDQ_CONS, ~0u);
    EXPECT_EQ(b.r32(CMDQ_CONS), 0x1fu);  // index and wrap; ERR keeps its value
    b.w32(CMDQ_PROD, 0x1f);
    b.w32(CR0, CMDQEN);
    b.w32(CMDQ_CONS, 3);
    EXPECT_EQ(b.r32(CMDQ_CONS), 0x1fu);
}

TEST(Smmu_6_3_27_CMDQ_PROD, BitsAboveTheWrapBitHaveNoEffect)
{
    Board b;
    b.enable_cmdq(2);
    b.w32(CMDQ_PROD, 0xffff'fff8);
    EXPECT_EQ(b.r32(CMDQ_PROD), 0u);
    EXPECT_EQ(b.cons(), 0u);
    EXPECT_EQ(b.active_errors(), 0u);
}

TEST(Smmu_6_3_95_EVENTQ_PROD, IsWritableOnlyWhileTheQueueIsDisabled)
{
    Board b;
    b.w64(EVENTQ_BASE, eventq_at | 4);
    b.w32(EVENTQ_PROD, ~0u);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 0x8000'001fu);
    b.w32(EVENTQ_CONS, ~0u);
    EXPECT_EQ(b.r32(EVENTQ_CONS), 0x8000'001fu);
    b.w32(CR0, EVENTQEN);
    b.w32(EVENTQ_PROD, 0);
    b.w64(EVENTQ_BASE, 0);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 0x8000'001fu);
    EXPECT_EQ(b.r64(EVENTQ_BASE), eventq_at | 4);
    b.w32(EVENTQ_CONS, 2);
    EXPECT_EQ(b.r32(EVENTQ_CONS), 2u);  // the consumer's own, always writable
}

TEST(Smmu_6_2_Registers, Page0AndPage1Alias)
{
    Board b;
    b.w64(EVENTQ_BASE, eventq_at | 4);
    b.w32(0x00a8, 5);
    EXPECT_EQ(b.r32(EVENTQ_PROD), 5u);
    b.w32(EVENTQ_CONS, 6);
    EXPECT_EQ(b.r32(0x00ac), 6u);
    EXPECT_EQ(b.r32(0x10000 + IDR0), b.r32(IDR0));
}

TEST(Smmu_6_2_Registers, A64BitAccessIsItsTwoHalves)
{
    Board b;
    EXPECT_EQ(b.r64(IDR0), static_cast<std::uint64_t>(b.r32(IDR1)) << 32 | b.r32(IDR0));
    b.w64(STRTAB_BASE, 0x4000'0000'8000'0040);
    EXPECT_EQ(b.r32(STRTAB_BASE), 0x8000'0040u);
    EXPECT_EQ(b.r32(STRTAB_BASE + 4), 0x4000'0000u);
    b.w32(STRTAB_BASE + 4, 0x12);
    EXPECT_EQ(b.r64(STRTAB_BASE), 0x12'8000'0040ull);
    b.w32(STRTAB_BASE, 0x80);
    EXPECT_EQ(b.r64(STRTAB_BASE), 0x12'0000'0080ull);
}

TEST(Smmu_6_2_Registers, IllegalAccessesReadZeroAndAreIgnored)
{
    Board b;
    for (const unsigned size : {1u, 2u, 3u, 16u}) {
        EXPECT_EQ(b.smmu.mmio_read(IDR0, size), 0u);
    }
    EXPECT_EQ(b.smmu.mmio_read(IDR0 + 2, 4), 0u);
    EXPECT_EQ(b.smmu.mmio_read(IDR1, 8), 0u);
    EXPECT_EQ(b.smmu.mmio_read(0x20000, 4), 0u);
    EXPECT_EQ(b.smmu.mmio_read(~7ull, 8), 0u);
    b.smmu.mmio_write(CR0, 2, 1);
    b.smmu.mmio_write(CR0 - 2, 4, ~0u);
    b.smmu.mmio_write(0x20000 + CR0, 4, 1);
    EXPECT_EQ(b.r32(CR0), 0u);
}

TEST(Smmu_6_2_Registers, WhatIsNotAnnouncedIsReadAsZeroWriteIgnored)
{
    Board b;
    for (std::uint64_t at = 0; at < 0x20000; at += 4) {
        const auto in_page = at & 0xffff;
        if (in_page < 0xc0 && in_page != 0x30 && in_page != 0x34 && in_page != 0x48) {
            continue;
        }
        b.w32(at, ~0u);
        ASSERT_EQ(b.r32(at), 0u) << std::hex << at;
    }
}

TEST(Smmu_6_2_Registers, NoAccessAtAnyOffsetDoesHarm)
{
    Board b;
    std::uint64_t random = 0x9e37'79b9'7f4a'7c15;
    for (unsigned round = 0; round < 4; ++round) {
        for (std::uint64_t at = 0; at < 0x20010; at += 4) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            const auto value = round == 0 ? ~0ull : random;
            b.smmu.mmio_write(at, at % 8 == 0 && (random & 1) ? 8 : 4, value);
            b.smmu.mmio_read(at, 4);
            b.smmu.mmio_read(at, 8);
        }
        // Indexes stay within index and wrap bits of the queue's size.
        for (const auto at : {CMDQ_PROD, CMDQ_CONS, EVENTQ_PROD, EVENTQ_CONS}) {
            EXPECT_EQ(b.r32(at) & 0x00f0'0000u, 0u);
        }
        b.dma(1);
    }
}

TEST(Smmu_3_11_Reset, ReturnsEveryRegisterToItsResetValue)
{
    Board fresh;
    Board used;
    for (std::uint64_t at = 0; at < 0x100; at += 4) {
        used.w32(at, 0xa5a5'a5a5);
    }
    used.smmu.reset();
    for (std::uint64_t at = 0; at < 0x20000; at += 4) {
        ASSERT_EQ(used.r32(at), fresh.r32(at)) << std::hex << at;
    }
    EXPECT_TRUE(used.dma(1));
}
