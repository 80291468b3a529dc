// SPDX-License-Identifier: GPL-2.0-or-later
// docs/specs/vtd.rst says what the device does.
#include "tests/support/rst_table.hpp"
#include "tests/unit/vtd/board.hpp"

#include <map>
#include <set>

using namespace iommu;
using namespace iommu::test;

namespace {

std::vector<Row> table(const std::string& name)
{
    return rst_table("specs/vtd.rst", name);
}

// Does the queue get past a descriptor of that type?
bool consumed(std::uint64_t type, bool scalable_mode, bool device_iotlb)
{
    // Granularities that are valid for the type.
    const std::map<std::uint64_t, std::uint64_t> granularity{
        {1, 0x10}, {2, 0x10}, {6, 0x20}, {7, 0x30}};
    vtd::Configuration c;
    c.scalable_mode = scalable_mode;
    c.device_iotlb = device_iotlb;
    Board b(c);
    b.queue();
    const auto g = granularity.find(type);
    b.submit(type | (g == granularity.end() ? 0 : g->second), 0);
    return b.r64(IQH) != 0;
}

}  // namespace

TEST(Docs, RegistersHaveTheResetValuesTheTableGives)
{
    Board b;
    std::set<std::uint64_t> listed;
    for (const auto& row : table("Registers")) {
        ASSERT_EQ(row.size(), 5u) << row[0];
        const auto at = number(row[1]);
        const auto bits = number(row[2]);
        EXPECT_EQ(bits == 32 ? b.r32(at) : b.r64(at), number(row[3])) << row[0];
        for (std::uint64_t i = 0; i < bits / 8; i += 4) {
            listed.insert(at + i);
        }
    }
    // What the table leaves out reads as zero and ignores writes.
    for (std::uint64_t at = 0; at < b.unit.mmio_size(); at += 4) {
        if (listed.count(at) == 0) {
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
        const auto before = b.r64(at & ~7ull);
        b.w64(at & ~7ull,
              row[4] == "never" && at == number("0x1c") ? ~0ull << 32 : ~0ull);
        if (row[4] == "never") {
            EXPECT_EQ(b.r64(at & ~7ull), before) << row[0];
        }
        if (row[4] == "always") {
            EXPECT_NE(b.r64(at & ~7ull), before) << row[0];
        }
    }
}

TEST(Docs, CapabilitiesAreThoseOfTheTableBitForBit)
{
    Board plain_board, scalable_board(scalable());
    const std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> registers{
        {"CAP", {CAP, vtd::CapReg::layout[0]}},
        {"ECAP", {ECAP, vtd::EcapReg::layout[0]}}};
    std::map<std::string, std::uint64_t> covered;
    for (const auto& row : table("Capabilities")) {
        ASSERT_EQ(row.size(), 5u) << row[0];
        const auto name = row[0].substr(0, row[0].find('.'));
        ASSERT_EQ(registers.count(name), 1u) << row[0];
        const auto at = registers.at(name).first;
        const auto [mask, low] = bit_range(row[1]);
        EXPECT_EQ((plain_board.r64(at) & mask) >> low, number(row[2])) << row[0];
        EXPECT_EQ((scalable_board.r64(at) & mask) >> low, number(row[3])) << row[0];
        EXPECT_EQ(covered[name] & mask, 0u) << row[0] << " listed twice";
        covered[name] |= mask;
    }
    for (const auto& [name, where] : registers) {
        EXPECT_EQ(covered[name], ~where.second) << name;
    }
}

TEST(Docs, DescriptorsAreConsumedAsTheTableSays)
{
    std::set<std::uint64_t> listed;
    for (const auto& row : table("Descriptors")) {
        ASSERT_EQ(row.size(), 4u) << row[0];
        const auto type = number(row[0]);
        listed.insert(type);
        EXPECT_EQ(consumed(type, false, false), row[2] == "yes") << row[1];
        EXPECT_EQ(consumed(type, true, false), row[3] == "yes") << row[1];
        const bool device_tlb = type == 3 || type == 8;
        EXPECT_EQ(consumed(type, true, true), row[3] == "yes" || device_tlb) << row[1];
    }
    for (std::uint64_t type = 0; type < 16; ++type) {
        if (listed.count(type) == 0) {
            EXPECT_FALSE(consumed(type, true, true)) << type;
        }
    }
}
