// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.17 "TLB tagging, VMIDs, ASIDs and participation in broadcast TLB maintenance": a
// translation may be fetched before anybody asks for it, so pages next to each other may
// come together.  Each must still be what its own descriptor says, from its own TLBI on.
#include <array>

#include <gtest/gtest.h>

#include "tests/oracle/smmuv3_machine.hpp"

namespace oracle {
namespace {

constexpr std::uint64_t bit(unsigned n)
{
    return std::uint64_t{1} << n;
}

// One table of level 3 behind stream 1, and what each of its first pages is to do.
class Runs : public ::testing::TestWithParam<unsigned> {
protected:
    static constexpr unsigned pages = 96, input_bits = 36, ips = 40;

    void SetUp() override
    {
        WiSmmuv3Config config;
        wi_smmuv3_config_init(&config);
        machine.emplace(arena, config, 0);
        ASSERT_TRUE(machine->built()) << machine->error();
        const auto page = bit(granule);
        const auto top = arena.allocate(page);
        auto table = arena.allocate(page);
        leaves = table;
        if (granule == 12) {  // 36 bits begin at level 1
            const auto middle = arena.allocate(page);
            arena.store(middle + index(va, 2) * 8, table | 3);
            arena.store(top + index(va, 1) * 8, middle | 3);
        } else {
            arena.store(top + index(va, 2) * 8, table | 3);
        }
        // SMMU 5.4: T0SZ, TG0, EPD1, V, IPS 40 bits, AA64, R, A, ASET, ASID 5.
        const auto cd = arena.allocate(64);
        const std::uint64_t tg0 = granule == 12 ? 0 : granule == 16 ? 1 : 2;
        arena.store(cd, (64 - input_bits) | tg0 << 6 | bit(30) | bit(31) | bit(33) |
                            bit(41) | bit(45) | bit(46) | std::uint64_t{5} << 48);
        arena.store(cd + 8, top);
        // SMMU 5.2: V, Config 0b101, S1ContextPtr.
        const auto ste = arena.allocate(128);
        arena.store(ste + 64, 1 | 0b101 << 1 | cd);
        machine->set_stream_table(ste, 1);
    }
    // DDI 0487 D8.2: the index into a table of `level`.
    std::uint64_t index(std::uint64_t address, unsigned level) const
    {
        const auto stride = granule - 3;
        return address >> (granule + (3 - level) * stride) & (bit(stride) - 1);
    }
    void describe(unsigned n, std::uint64_t descriptor)
    {
        arena.store(leaves + index(va, 3) * 8 + n * 8, descriptor);
    }
    std::uint64_t descriptor(unsigned n) const
    {
        return arena.peek(leaves + index(va, 3) * 8 + n * 8);
    }
    std::uint64_t any_descriptor()
    {
        auto d = (rng() & (bit(ips) - bit(granule))) | 3 | bit(6) | bit(10) | bit(11);
        // Mostly alike, so that there is something to go wrong.
        switch (rng() % 12) {
        case 0:
            return d & ~bit(0);
        case 1:
            return d | bit(7);  // AP[2]
        case 2:
            return d & ~bit(6);  // AP[1]
        case 3:
            return d & ~bit(10);  // AF
        case 4:
            return d | bit(44);  // beyond CD.IPS
        case 5:
            return d & ~bit(1);  // no page descriptor
        default:
            return d;
        }
    }
    void access()
    {
        const auto n = static_cast<unsigned>(rng() % pages);
        const bool write = rng() % 4 == 0;
        const auto offset = rng() & (bit(granule) - 1);
        const auto d = descriptor(n);
        WiTranslation out{};
        const bool passed = machine->translate(1, va + n * bit(granule) + offset,
                                               write ? WI_WRITE : 0, 0, &out);
        const bool expected = (d & 3) == 3 && (d & bit(6)) && (d & bit(10)) &&
                              (d >> ips & 0xff) == 0 && !(write && (d & bit(7)));
        ASSERT_EQ(passed, expected) << "page " << n << ", descriptor " << std::hex << d;
        if (passed) {
            ++moved;
            ASSERT_EQ(out.output, (d & (bit(ips) - bit(granule))) | offset);
            ASSERT_EQ(out.mask, bit(granule) - 1);
            ASSERT_TRUE(out.read);
            ASSERT_EQ(out.write, (d & bit(7)) == 0);
        }
    }
    void change()
    {
        const auto n = static_cast<unsigned>(rng() % pages);
        describe(n, any_descriptor());
        // SMMU 4.4.2.4 CMD_TLBI_NH_VA: ASID 5, Leaf; 4.7.3 CMD_SYNC.
        machine->command(0x12 | std::uint64_t{5} << 48, (va + n * bit(granule)) | 1);
        machine->command(0x46, 0);
    }

    const unsigned granule = GetParam();
    const std::uint64_t va = 0x5'1000'0000 & ~(bit(25) - 1);
    Arena arena;
    std::optional<SmmuMachine> machine;
    std::uint64_t leaves = 0;
    Rng rng{granule};
    unsigned moved = 0;
};

}  // namespace

TEST_P(Runs, Smmu_3_17_EachPageIsWhatItsOwnDescriptorSays)
{
    for (unsigned n = 0; n < pages; ++n) {
        describe(n, any_descriptor());
    }
    for (unsigned step = 0; step < 200'000 && !HasFatalFailure(); ++step) {
        if (rng() % 40 == 0) {
            change();
        } else {
            access();
        }
        while (step % 32 == 0 && machine->next_record()) {
        }
    }
    EXPECT_GT(moved, 80'000u);
}

INSTANTIATE_TEST_SUITE_P(Granules, Runs, ::testing::Values(12u, 14u, 16u));

}  // namespace oracle
