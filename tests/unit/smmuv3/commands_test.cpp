// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 4 and 7.1: which commands are consumed, which stop the queue, and how it
// starts again.
#include <string>

#include "tests/unit/smmuv3/board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint64_t CMD_SYNC = 0x46;
constexpr std::uint64_t sync_irq = 0x46 | 1 << 12;

// Consumed without an error.
bool accepts(Board& b, std::uint64_t low, std::uint64_t high = 0)
{
    b.submit(low, high);
    return b.cons() == b.prod && b.active_errors() == 0;
}

// Refused as CERROR_ILL with CONS on the command itself.
bool refuses(std::uint64_t low, std::uint64_t high = 0, const smmu::Configuration& c = {})
{
    Board b(c);
    b.enable_cmdq(4);
    b.submit(CMD_SYNC);
    b.submit(low, high);
    return b.cons() == 1 && b.cerror() == 1 && b.active_errors() == 1;
}

}  // namespace

TEST(Smmu_4_1_1_Opcodes, EveryAnnouncedCommandIsConsumed)
{
    Board b;
    b.enable_cmdq(6);
    for (const std::uint64_t op : {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x10, 0x11, 0x12,
                                   0x13, 0x28, 0x2a, 0x30, 0x46}) {
        EXPECT_TRUE(accepts(b, op)) << std::hex << op;
        EXPECT_TRUE(accepts(b, op | 0x0000'0005'0000'0000, 1)) << std::hex << op;
    }
    EXPECT_TRUE(b.host.errors.empty());
}

// QEMU's model swallows EL2 and EL3 TLBI, ATC_INV, PRI_RESP, RESUME and STALL_TERM.
TEST(Smmu_4_1_3_CommandErrors, EveryOtherOpcodeIsIllegal)
{
    const std::string announced =
        "\x01\x02\x03\x04\x05\x06\x10\x11\x12\x13\x28\x2a\x30\x46";
    for (unsigned op = 0; op < 256; ++op) {
        if (announced.find(static_cast<char>(op)) == std::string::npos) {
            EXPECT_TRUE(refuses(op)) << std::hex << op;
        }
    }
}

// Introspection's `stats`: by name, whatever the order, those that were refused as well.
TEST(Smmu_4_1_1_Opcodes, AreCountedOneByOne)
{
    Board b;
    b.enable_cmdq(4);
    const auto commands = [&] {
        std::string told;
        EXPECT_TRUE(b.smmu.ask("stats", "", told)) << told;
        const auto from = told.find(R"("commands":)");
        return told.substr(from, told.find('}', from) + 1 - from);
    };
    EXPECT_EQ(commands(), R"("commands":{})");
    for (const std::uint64_t low : std::initializer_list<std::uint64_t>{
             0x10, 0x10, CMD_SYNC, 0x11, CMD_SYNC, CMD_SYNC}) {
        EXPECT_TRUE(accepts(b, low));
    }
    EXPECT_EQ(commands(),
              R"("commands":{"CMD_TLBI_NH_ALL":2,"CMD_TLBI_NH_ASID":1,"CMD_SYNC":3})");
    b.submit(CMD_SYNC | 3 << 12);  // CS is reserved
    EXPECT_EQ(b.cerror(), 1u);
    EXPECT_EQ(commands(),
              R"("commands":{"CMD_TLBI_NH_ALL":2,"CMD_TLBI_NH_ASID":1,"CMD_SYNC":4})");
}

TEST(Smmu_4_1_6_CommonFields, SSecOnTheNonSecureQueueIsIllegal)
{
    for (const std::uint64_t op : {0x01, 0x02, 0x03, 0x04, 0x05, 0x06}) {
        EXPECT_TRUE(refuses(op | 1 << 10)) << std::hex << op;
    }
    Board b;
    b.enable_cmdq(4);
    EXPECT_TRUE(accepts(b, 0x46 | 1 << 10));  // RES0 there, ignored
}

TEST(Smmu_4_1_5_ReservedFields, AreIgnored)
{
    Board b;
    b.enable_cmdq(4);
    EXPECT_TRUE(accepts(b, 0xffff'ffff'ffff'ff30, ~0ull));
    EXPECT_TRUE(accepts(b, 0xffff'ffff'ffff'cf46, ~0ull));
    EXPECT_TRUE(accepts(b, 0xffff'ffff'ffff'fb05, ~0ull));
}

TEST(Smmu_4_3_3_CFGI_CD, IsIllegalWithoutStage1)
{
    smmu::Configuration c;
    c.capabilities.stage1 = false;
    EXPECT_TRUE(refuses(0x05, 0, c));
    EXPECT_TRUE(refuses(0x06, 0, c));
    Board b(c);
    b.enable_cmdq(4);
    EXPECT_TRUE(accepts(b, 0x03));
    EXPECT_TRUE(accepts(b, 0x04, 31));
}

TEST(Smmu_4_4_2_TLBI, Stage1CommandsAreIllegalWithoutStage1)
{
    smmu::Configuration c;
    c.capabilities.stage1 = false;
    for (const std::uint64_t op : {0x10, 0x11, 0x12, 0x13}) {
        EXPECT_TRUE(refuses(op, 0, c)) << std::hex << op;
    }
    Board b(c);
    b.enable_cmdq(4);
    EXPECT_TRUE(accepts(b, 0x28));
    EXPECT_TRUE(accepts(b, 0x2a));
    EXPECT_TRUE(accepts(b, 0x30));
}

TEST(Smmu_4_4_3_TLBI, Stage2CommandsAreIllegalWithoutStage2)
{
    smmu::Configuration c;
    c.capabilities.stage2 = false;
    EXPECT_TRUE(refuses(0x28, 0, c));
    EXPECT_TRUE(refuses(0x2a, 0, c));
    Board b(c);
    b.enable_cmdq(4);
    for (const std::uint64_t op : {0x10, 0x11, 0x12, 0x13, 0x30}) {
        EXPECT_TRUE(accepts(b, op));
    }
}

TEST(Smmu_4_4_1_1_Ranges, AGranuleWithNeitherLevelNorRangeIsIllegal)
{
    for (const std::uint64_t op : {0x12, 0x13, 0x2a}) {
        for (const std::uint64_t tg : {1, 2, 3}) {
            EXPECT_TRUE(refuses(op, tg << 10));
            Board b;
            b.enable_cmdq(4);
            EXPECT_TRUE(accepts(b, op | 1 << 12, tg << 10));  // NUM 1
            EXPECT_TRUE(accepts(b, op | 1 << 20, tg << 10));  // SCALE 1
            EXPECT_TRUE(accepts(b, op, tg << 10 | 3 << 8));   // TTL 3
            EXPECT_TRUE(
                accepts(b, op | 0x1f << 12 | 0x1f << 20, tg << 10 | 0xfffull << 52));
        }
        // TTL 1 of a 16K granule is reserved and counts as 0.
        EXPECT_TRUE(refuses(op, 2 << 10 | 1 << 8));
        Board b;
        b.enable_cmdq(4);
        EXPECT_TRUE(accepts(b, op, 1 << 10 | 1 << 8));
        EXPECT_TRUE(accepts(b, op | 0x1f << 12 | 0x1f << 20, 3 << 8));  // TG 0: ignored
    }
}

TEST(Smmu_4_7_3_SYNC, NoneAndSevSignalNothing)
{
    Board b;
    b.enable_cmdq(4);
    EXPECT_TRUE(accepts(b, CMD_SYNC, its_at));
    EXPECT_TRUE(accepts(b, CMD_SYNC | 2 << 12, its_at));  // IDR0.SEV is 0
    EXPECT_TRUE(b.host.pulses.empty());
    EXPECT_TRUE(b.host.msis.empty());
}

TEST(Smmu_4_7_3_SYNC, ReservedSignalIsIllegal)
{
    EXPECT_TRUE(refuses(CMD_SYNC | 3 << 12));
}

TEST(Smmu_4_7_3_SYNC, IrqSendsTheMsiAndPulsesTheWire)
{
    Board b;
    b.enable_cmdq(4);
    EXPECT_TRUE(accepts(b, sync_irq | 0xabcd'0123ull << 32, its_at));
    ASSERT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.host.msis[0].first, Gpa{its_at});
    EXPECT_EQ(b.host.msis[0].second, 0xabcd'0123u);
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_cmd_sync});
    EXPECT_TRUE(accepts(b, sync_irq | 7ull << 32, 0));  // MSIAddress 0: wire only
    EXPECT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.host.pulses.size(), 2u);
}

TEST(Smmu_4_7_3_SYNC, IrqWithoutMsiIgnoresTheAddress)
{
    smmu::Configuration c;
    c.msi = false;
    Board b(c);
    b.enable_cmdq(4);
    EXPECT_TRUE(accepts(b, sync_irq | 1ull << 32, its_at));
    EXPECT_TRUE(b.host.msis.empty());
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_cmd_sync});
}

// Linux polls the first word of the command itself.
TEST(Smmu_4_7_3_SYNC, AnMsiToMemoryIsA32BitWrite)
{
    Board b;
    b.enable_cmdq(4);
    EXPECT_TRUE(accepts(b, sync_irq | 0x0fc0'0000, cmdq_at));
    EXPECT_EQ(b.host.load64(Gpa{cmdq_at}), 0u);
    EXPECT_EQ(b.host.load64(Gpa{cmdq_at + 8}), cmdq_at);
    EXPECT_TRUE(b.host.msis.empty());
    ASSERT_EQ(b.host.dirty.size(), 1u);
    EXPECT_EQ(b.host.dirty[0].first, Gpa{cmdq_at});
    EXPECT_EQ(b.host.dirty[0].second, 4u);
}

TEST(Smmu_4_7_3_SYNC, AnAbortedMsiIsAGlobalErrorAndTheCommandIsConsumed)
{
    Board b;
    b.enable_cmdq(4);
    b.w32(IRQ_CTRL, 1);
    b.host.msi_aborts = true;
    b.submit(sync_irq, its_at);
    EXPECT_EQ(b.cons(), 1u);
    EXPECT_EQ(b.active_errors(), 0x10u);  // MSI_CMDQ_ABT_ERR
    EXPECT_EQ(b.host.pulses, (std::vector<unsigned>{irq_gerror, irq_cmd_sync}));
    b.submit(CMD_SYNC);
    EXPECT_EQ(b.cons(), 2u);  // commands go on
}

TEST(Smmu_7_1_CommandErrors, StopAtTheCommandUntilAcknowledged)
{
    Board b;
    b.enable_cmdq(3);
    b.w32(IRQ_CTRL, 1);
    b.place(CMD_SYNC, 0);
    b.place(0xff, 0);
    b.place(sync_irq, its_at);
    b.ring();
    EXPECT_EQ(b.cons(), 1u);
    EXPECT_EQ(b.cerror(), 1u);  // CERROR_ILL
    EXPECT_EQ(b.r32(GERROR), 1u);
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_gerror});
    EXPECT_EQ(b.host.errors.size(), 1u);
    b.ring();
    EXPECT_EQ(b.cons(), 1u) << "a doorbell does not restart it";
    b.w32(CR0, 0);
    b.w32(CR0, CMDQEN);
    EXPECT_EQ(b.cons(), 1u) << "nor does enabling the queue again";
    EXPECT_EQ(b.r32(GERROR), 1u);
    b.host.store64(Gpa{cmdq_at + 16}, CMD_SYNC);
    b.w32(GERRORN, 1);
    EXPECT_EQ(b.cons(), 3u) << "the acknowledgement does, without a doorbell";
    EXPECT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.active_errors(), 0u);
}

TEST(Smmu_7_1_CommandErrors, ToggleTheFlagEachTime)
{
    Board b;
    b.enable_cmdq(3);
    b.submit(0xff);
    EXPECT_EQ(b.r32(GERROR), 1u);
    b.w32(GERRORN, 1);  // still illegal: fails again at once
    EXPECT_EQ(b.r32(GERROR), 0u);
    EXPECT_EQ(b.active_errors(), 1u);
    EXPECT_EQ(b.cons(), 0u);
    b.w32(CMDQ_PROD, 0);  // taken back
    b.w32(GERRORN, 0);
    EXPECT_EQ(b.active_errors(), 0u);
    EXPECT_EQ(b.cons(), 0u);
}

TEST(Smmu_7_1_CommandErrors, AnUnreadableQueueIsCerrorAbt)
{
    Board b;
    b.w64(CMDQ_BASE, 0x1'0000'0000 | 3);
    b.w32(CR0, CMDQEN);
    b.w32(CMDQ_PROD, 2);
    EXPECT_EQ(b.cons(), 0u);
    EXPECT_EQ(b.cerror(), 2u);
    EXPECT_EQ(b.active_errors(), 1u);
}

TEST(Smmu_7_1_CommandErrors, AQueueHalfInMemoryAbortsWhereItEnds)
{
    Board b;
    const auto end = ram_base + (1 << 20);
    b.host.store64(Gpa{end - 32}, CMD_SYNC);
    b.host.store64(Gpa{end - 16}, CMD_SYNC);
    // 2^17 entries fill 2 MiB aligned to 2 MiB: the first half is RAM.
    b.w64(CMDQ_BASE, ram_base | 17);
    b.w32(CMDQ_CONS, (1 << 16) - 2);
    b.w32(CR0, CMDQEN);
    b.w32(CMDQ_PROD, (1 << 16) + 1);
    EXPECT_EQ(b.cons(), 1u << 16);
    EXPECT_EQ(b.cerror(), 2u);
}

TEST(Smmu_3_5_1_Queues, TheCommandQueueWraps)
{
    for (const unsigned log2 : {0u, 1u, 3u}) {
        Board b;
        b.enable_cmdq(log2);
        for (unsigned i = 1; i <= 40; ++i) {
            b.submit(CMD_SYNC);
            ASSERT_EQ(b.cons(), i & ((2u << log2) - 1));
        }
        EXPECT_EQ(b.active_errors(), 0u);
    }
}

TEST(Smmu_3_5_1_Queues, AFullCommandQueueIsConsumedWhole)
{
    Board b;
    b.enable_cmdq(3);
    for (unsigned i = 0; i < 8; ++i) {
        b.place(i == 7 ? sync_irq : CMD_SYNC, its_at);
    }
    b.ring();
    EXPECT_EQ(b.cons(), 8u);
    EXPECT_EQ(b.host.msis.size(), 1u);
}

TEST(Smmu_3_5_1_Queues, InconsistentIndexesConsumeNothing)
{
    Board b;
    b.enable_cmdq(3);
    b.w32(CMDQ_PROD, 9);  // 9 entries in a queue of 8
    EXPECT_EQ(b.cons(), 0u);
    EXPECT_EQ(b.active_errors(), 0u);
    b.w32(CMDQ_PROD, 0);
    b.submit(CMD_SYNC);
    EXPECT_EQ(b.cons(), 1u);
}

TEST(Smmu_6_3_26_CMDQ_BASE, SizeIsCappedAndTheBaseAlignedToIt)
{
    Board b;
    // LOG2SIZE 31 works as 19: 8 MiB, aligned down to 0x4000'0000.
    b.w64(CMDQ_BASE, ram_base + 0x20'0000 + 31);
    b.host.store64(Gpa{ram_base}, sync_irq);
    b.host.store64(Gpa{ram_base + 8}, its_at);
    b.w32(CR0, CMDQEN);
    b.w32(CMDQ_PROD, 1);
    EXPECT_EQ(b.cons(), 1u);
    EXPECT_EQ(b.host.msis.size(), 1u);
}

TEST(Smmu_6_3_9_CR0, CommandsWaitForCmdqen)
{
    Board b;
    b.w64(CMDQ_BASE, cmdq_at | 3);
    b.host.store64(Gpa{cmdq_at}, sync_irq);
    b.w32(CMDQ_PROD, 1);
    EXPECT_EQ(b.cons(), 0u);
    b.w32(CR0, CMDQEN);
    EXPECT_EQ(b.cons(), 1u);
    EXPECT_EQ(b.host.pulses, std::vector<unsigned>{irq_cmd_sync});
}

namespace {

// An interrupt controller that is the SMMU itself.
struct LoopedHost final : Host {
    MemoryResult read(Gpa, std::span<std::byte>) override { return MemoryResult::Abort; }
    MemoryResult write(Gpa, std::span<const std::byte>) override
    {
        return MemoryResult::Abort;
    }
    void mark_dirty(Gpa, std::size_t) override {}
    void pulse(unsigned) override { ++pulses; }
    MemoryResult send_msi(Gpa at, std::uint32_t data) override
    {
        ++depth;
        deepest = depth > deepest ? depth : deepest;
        smmu->mmio_write(at.value - 0x0905'0000, 4, data);
        --depth;
        return MemoryResult::Ok;
    }
    void unmapped(StreamCookie, Iova, std::uint64_t) override {}
    void bypass_changed(StreamCookie) override {}
    void guest_error(const char*) override {}

    smmu::Smmuv3* smmu = nullptr;
    unsigned pulses = 0, depth = 0, deepest = 0;
};

}  // namespace

TEST(Smmu_4_7_3_SYNC, AnMsiToOurOwnRegistersNeitherNestsNorLoopsForEver)
{
    alignas(64) static std::array<std::uint64_t, 32> ram{};
    LoopedHost host;
    smmu::Smmuv3 smmu({}, host);
    host.smmu = &smmu;
    const RamRegion region{Gpa{0x4000'0000}, sizeof ram,
                           reinterpret_cast<std::byte*>(ram.data()), true};
    smmu.memory().ram().assign(std::span(&region, 1));
    // Each of 8 SYNCs writes CMDQ_PROD so that the queue is full again.
    for (unsigned i = 0; i < 8; ++i) {
        const std::uint64_t next = (i + 1 + 8) & 15;
        ram[2 * i] = sync_irq | next << 32;
        ram[2 * i + 1] = 0x0905'0000 + CMDQ_PROD;
    }
    smmu.mmio_write(CMDQ_BASE, 8, 0x4000'0000 | 3);
    smmu.mmio_write(CR0, 4, CMDQEN);
    smmu.mmio_write(CMDQ_PROD, 4, 1);
    EXPECT_EQ(host.deepest, 1u);
    EXPECT_EQ(host.pulses, 8u) << "one queue's worth a doorbell";
    // GERRORN and CR0 from within: the queue stops where it was told to.
    ram[1] = 0x0905'0000 + CR0;
    ram[0] = sync_irq;
    smmu.mmio_write(CR0, 4, 0);
    smmu.mmio_write(CMDQ_CONS, 4, 0);
    smmu.mmio_write(CMDQ_PROD, 4, 3);
    smmu.mmio_write(CR0, 4, CMDQEN);
    EXPECT_EQ(smmu.mmio_read(CMDQ_CONS, 4), 1u);
    EXPECT_EQ(smmu.mmio_read(CR0, 4), 0u);
}
