// SPDX-License-Identifier: GPL-2.0-or-later
// A bare SMMUv3 driver over qtest: raw structures in guest memory, raw registers.  Bit
// numbers are Arm IHI 0070's, written out here once more and on purpose not shared with
// the device.
#pragma once

#include <array>
#include <cstdint>

#include "tests/qtest/virt.hpp"

namespace qtest::smmuv3 {

// SMMU 6.3, offsets of the Non-secure registers.
enum Register : std::uint64_t {
    IDR0 = 0x000,
    IDR1 = 0x004,
    IDR2 = 0x008,
    IDR3 = 0x00c,
    IDR4 = 0x010,
    IDR5 = 0x014,
    IIDR = 0x018,
    AIDR = 0x01c,
    CR0 = 0x020,
    CR0ACK = 0x024,
    CR1 = 0x028,
    CR2 = 0x02c,
    STATUSR = 0x040,
    GBPA = 0x044,
    IRQ_CTRL = 0x050,
    IRQ_CTRLACK = 0x054,
    GERROR = 0x060,
    GERRORN = 0x064,
    GERROR_IRQ_CFG0 = 0x068,
    STRTAB_BASE = 0x080,
    STRTAB_BASE_CFG = 0x088,
    CMDQ_BASE = 0x090,
    CMDQ_PROD = 0x098,
    CMDQ_CONS = 0x09c,
    EVENTQ_BASE = 0x0a0,
    EVENTQ_IRQ_CFG0 = 0x0b0,
    EVENTQ_IRQ_CFG1 = 0x0b8,
    EVENTQ_IRQ_CFG2 = 0x0bc,
    EVENTQ_PROD = 0x100a8,
    EVENTQ_CONS = 0x100ac,
};

// SMMU 7.3, event numbers.
enum Event : std::uint8_t {
    C_BAD_STREAMID = 0x02,
    F_STE_FETCH = 0x03,
    C_BAD_STE = 0x04,
    F_STREAM_DISABLED = 0x06,
    C_BAD_SUBSTREAMID = 0x08,
    F_CD_FETCH = 0x09,
    C_BAD_CD = 0x0a,
    F_WALK_EABT = 0x0b,
    F_TRANSLATION = 0x10,
    F_ADDR_SIZE = 0x11,
    F_ACCESS = 0x12,
    F_PERMISSION = 0x13,
};

// Lines of the device: interrupt outputs in sysbus order.
inline constexpr unsigned line_eventq = 0, line_priq = 1, line_sync = 2, line_gerror = 3;

using Words = std::array<std::uint64_t, 8>;
using Record = std::array<std::uint64_t, 4>;
using Command = std::array<std::uint64_t, 2>;

// SMMU 7.3 "Event records", fields common to most of them.
inline unsigned number(const Record& r)
{
    return r[0] & 0xff;
}
inline bool ssv(const Record& r)
{
    return r[0] >> 11 & 1;
}
inline unsigned substream(const Record& r)
{
    return r[0] >> 12 & 0xfffff;
}
inline unsigned stream(const Record& r)
{
    return static_cast<unsigned>(r[0] >> 32);
}
inline bool pnu(const Record& r)
{
    return r[1] >> 33 & 1;
}
inline bool ind(const Record& r)
{
    return r[1] >> 34 & 1;
}
inline bool rnw(const Record& r)
{
    return r[1] >> 35 & 1;
}
inline bool s2(const Record& r)
{
    return r[1] >> 39 & 1;
}
inline unsigned event_class(const Record& r)
{
    return r[1] >> 40 & 3;
}

// SMMU 4, commands.
Command cfgi_ste(std::uint32_t sid);
Command cfgi_all();
Command cfgi_cd(std::uint32_t sid, std::uint32_t ssid);
Command cfgi_cd_all(std::uint32_t sid);
Command tlbi_nh_all(std::uint16_t vmid);
Command tlbi_nh_asid(std::uint16_t vmid, std::uint16_t asid);
Command tlbi_nh_va(std::uint16_t vmid, std::uint16_t asid, std::uint64_t address);
Command tlbi_nh_vaa(std::uint16_t vmid, std::uint64_t address);
Command tlbi_s12_vmall(std::uint16_t vmid);
Command tlbi_s2_ipa(std::uint16_t vmid, std::uint64_t ipa);
Command tlbi_nsnh_all();
Command sync_none();
Command sync_irq();
Command sync_msi(std::uint64_t address, std::uint32_t data);

// A granule: log2 of the page size.
enum class Granule : unsigned { K4 = 12, K16 = 14, K64 = 16 };

// VMSA D8.3 page descriptor attributes.
inline constexpr std::uint64_t page = 3, block = 1, af = 1u << 10,
                               inner_shareable = 3u << 8, user = 1u << 6,
                               read_only = 1u << 7, uxn = std::uint64_t{1} << 54,
                               pxn = std::uint64_t{1} << 53, not_global = 1u << 11,
                               contiguous = std::uint64_t{1} << 52;
inline constexpr std::uint64_t s1_rw = af | inner_shareable | user | not_global;
inline constexpr std::uint64_t s2_rw = af | inner_shareable | 3u << 6 | 0xfu << 2;

// STE.Config.
enum class Config : unsigned { Abort = 0, Bypass = 4, S1 = 5, S2 = 6, Nested = 7 };

class Driver {
public:
    // Registers at `base`; everything else in the `memory` megabyte and the three after
    // it.
    Driver(Machine& machine, std::uint64_t base = virt::platform_bus,
           std::uint64_t memory = virt::ram + 0x1000000);
    // The same driver after its machine has moved to another process.
    Driver(const Driver& before, Machine& machine);

    std::uint32_t r32(std::uint64_t reg) { return machine_.read32(base_ + reg); }
    std::uint64_t r64(std::uint64_t reg) { return machine_.read64(base_ + reg); }
    void w32(std::uint64_t reg, std::uint32_t v) { machine_.write32(base_ + reg, v); }
    void w64(std::uint64_t reg, std::uint64_t v) { machine_.write64(base_ + reg, v); }
    Machine& machine() { return machine_; }
    std::uint64_t base() const { return base_; }

    // Queues of 2^cmdq_log2 and 2^eventq_log2, a linear table of 2^sid_log2 zeroed STEs,
    // all on.
    struct Sizes {
        unsigned cmdq_log2 = 8, eventq_log2 = 7, sid_log2 = 12;
    };
    void enable() { enable(Sizes{}); }
    void enable(const Sizes& sizes);
    void two_level_table(unsigned log2size, unsigned split);
    std::uint64_t ste_address(std::uint32_t sid) const { return strtab_ + sid * 64ull; }

    // Memory of this driver, zeroed.
    std::uint64_t allocate(std::uint64_t size, std::uint64_t alignment = 4096);

    void put(std::uint64_t at, const Words& words);
    void set_ste(std::uint32_t sid, const Words& ste);  // with CFGI_STE and SYNC

    // Puts commands on the queue, rings once.  True when all were consumed without error.
    bool submit(std::initializer_list<Command> commands);
    bool submit_and_sync(std::initializer_list<Command> commands);

    // Takes the next event off the queue.
    bool next_event(Record& record);
    std::uint32_t events_waiting();

    // --- building blocks
    Words ste_stage1(std::uint64_t cd, unsigned s1cdmax = 0) const;
    Words ste_stage2(std::uint64_t table, Granule granule, std::uint16_t vmid) const;
    Words ste_nested(std::uint64_t cd, std::uint64_t table, std::uint16_t vmid) const;
    Words cd(std::uint64_t table, Granule granule, std::uint16_t asid) const;

    // 48-bit stage 1 or 40-bit (two concatenated level 1 tables, 4K) stage 2.
    std::uint64_t new_table(Granule granule);
    std::uint64_t new_stage2_table();
    // Maps `size` bytes at the last level.
    struct Mapping {
        std::uint64_t input = 0, output = 0, size = 4096, attributes = s1_rw;
    };
    void map(std::uint64_t table, Granule granule, const Mapping& m);
    void map_stage2(std::uint64_t table, const Mapping& m);
    void map_block_2m(std::uint64_t table, const Mapping& m);
    // The address of the last-level descriptor of `input`.
    std::uint64_t leaf(std::uint64_t table, Granule granule, std::uint64_t input);
    std::uint64_t leaf_stage2(std::uint64_t table, std::uint64_t input);

private:
    struct Shape {
        unsigned granule_log2, start_level, root_bits;
    };
    std::uint64_t descriptor(std::uint64_t table, Shape shape, std::uint64_t input,
                             unsigned level);

    Machine& machine_;
    std::uint64_t base_, memory_, free_;
    std::uint64_t strtab_ = 0, cmdq_ = 0, eventq_ = 0;
    Sizes sizes_{};
    std::uint32_t prod_ = 0;
};

}  // namespace qtest::smmuv3
