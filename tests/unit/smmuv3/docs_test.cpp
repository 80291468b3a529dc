// SPDX-License-Identifier: GPL-2.0-or-later
// docs/specs/smmuv3.rst says what the device does.
#include <map>
#include <set>

#include "tests/support/rst_table.hpp"
#include "tests/unit/smmuv3/board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

std::vector<Row> table(const std::string& name)
{
    return rst_table("specs/smmuv3.rst", name);
}

bool consumed(std::uint64_t opcode, bool stage1, bool stage2)
{
    smmu::Configuration c;
    c.capabilities.stage1 = stage1;
    c.capabilities.stage2 = stage2;
    Board b(c);
    b.enable_cmdq(2);
    b.submit(opcode);
    return b.active_errors() == 0;
}

}  // namespace

TEST(Docs, RegistersHaveTheResetValuesTheTableGives)
{
    Board b;
    std::set<std::uint64_t> listed;
    for (const auto& row : table("Registers")) {
        ASSERT_EQ(row.size(), 4u) << row[0];
        EXPECT_EQ(b.r32(number(row[1])), number(row[2])) << row[0];
        listed.insert(number(row[1]) & 0xffff);
    }
    // What the table leaves out reads as zero and ignores writes.
    const std::set<std::uint64_t> upper_halves{GERROR_IRQ_CFG0 + 4, STRTAB_BASE + 4,
                                               CMDQ_BASE + 4, EVENTQ_BASE + 4,
                                               EVENTQ_IRQ_CFG0 + 4};
    for (std::uint64_t at = 0; at < 0x10000; at += 4) {
        if (listed.count(at) == 0 && upper_halves.count(at) == 0) {
            b.w32(at, ~0u);
            ASSERT_EQ(b.r32(at), 0u) << std::hex << at;
        }
    }
}

TEST(Docs, RegistersThatTheTableCallsReadOnlyAre)
{
    for (const auto& row : table("Registers")) {
        Board b;
        const auto at = number(row[1]);
        const auto before = b.r32(at);
        // GBPA needs Update; CMDQ_CONS, CMDQ_PROD need a queue that has more than one
        // slot.
        b.w64(CMDQ_BASE, cmdq_at | 19);
        b.w64(EVENTQ_BASE, eventq_at | 19);
        const auto ready = b.r32(at);
        b.w32(at, ~0u);
        if (row[3] == "never") {
            EXPECT_EQ(b.r32(at), before) << row[0];
        } else {
            EXPECT_NE(b.r32(at), ready) << row[0];
        }
    }
}

TEST(Docs, CapabilitiesAreThoseOfTheTableBitForBit)
{
    Board b;
    const std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> registers{
        {"IDR0", {IDR0, smmu::Idr0::layout[0]}},
        {"IDR1", {IDR1, smmu::Idr1::layout[0]}},
        {"IDR2", {IDR2, smmu::Idr2::layout[0]}},
        {"IDR3", {IDR3, smmu::Idr3::layout[0]}},
        {"IDR5", {IDR5, smmu::Idr5::layout[0]}}};
    std::map<std::string, std::uint64_t> covered;
    for (const auto& row : table("Capabilities")) {
        ASSERT_EQ(row.size(), 4u) << row[0];
        const auto name = row[0].substr(0, row[0].find('.'));
        ASSERT_EQ(registers.count(name), 1u) << row[0];
        const auto [mask, lo] = bit_range(row[1]);
        const auto value = b.r32(registers.at(name).first);
        EXPECT_EQ((value & mask) >> lo, number(row[2])) << row[0];
        EXPECT_EQ(covered[name] & mask, 0u) << row[0] << " listed twice";
        covered[name] |= mask;
        if (number(row[2]) == 0 && name != "IDR1" && name != "IDR2") {
            EXPECT_TRUE(row[3].rfind("not", 0) == 0 || row[3].rfind("no ", 0) == 0 ||
                        row[0] == "IDR5.VAX")
                << row[0];
        }
    }
    for (const auto& [name, where] : registers) {
        EXPECT_EQ(covered[name], ~where.second & 0xffff'ffff) << name;
    }
}

TEST(Docs, CommandsAreConsumedAsTheTableSays)
{
    std::set<std::uint64_t> listed;
    for (const auto& row : table("Commands")) {
        ASSERT_EQ(row.size(), 5u) << row[0];
        const auto opcode = number(row[0]);
        listed.insert(opcode);
        EXPECT_EQ(consumed(opcode, true, true), row[2] == "yes") << row[1];
        EXPECT_EQ(consumed(opcode, true, false), row[3] == "yes") << row[1];
        EXPECT_EQ(consumed(opcode, false, true), row[4] == "yes") << row[1];
    }
    for (std::uint64_t opcode = 0; opcode < 256; ++opcode) {
        if (listed.count(opcode) == 0) {
            EXPECT_FALSE(consumed(opcode, true, true)) << std::hex << opcode;
        }
    }
}
