// SPDX-License-Identifier: GPL-2.0-or-later
// An SMMUv3 on a machine of one megabyte, driven by raw register offsets and raw bytes.
#pragma once

#include <array>
#include <cstdint>

#include <gtest/gtest.h>

#include "hw/iommu/smmuv3/device.hpp"
#include "tests/support/fake_host.hpp"

namespace iommu::test {

inline constexpr std::uint64_t ram_base = 0x4000'0000;
inline constexpr std::uint64_t cmdq_at = ram_base + 0x1'0000;
inline constexpr std::uint64_t eventq_at = ram_base + 0x2'0000;
inline constexpr std::uint64_t its_at = 0x0808'0040;  // no RAM there

// Offsets as printed in SMMU 6.2.1 and 6.2.2, not taken from our headers.
inline constexpr std::uint64_t IDR0 = 0x00, IDR1 = 0x04, IDR2 = 0x08, IDR3 = 0x0c,
                               IDR4 = 0x10, IDR5 = 0x14, IIDR = 0x18, AIDR = 0x1c,
                               CR0 = 0x20, CR0ACK = 0x24, CR1 = 0x28, CR2 = 0x2c,
                               STATUSR = 0x40, GBPA = 0x44, AGBPA = 0x48, IRQ_CTRL = 0x50,
                               IRQ_CTRLACK = 0x54, GERROR = 0x60, GERRORN = 0x64,
                               GERROR_IRQ_CFG0 = 0x68, GERROR_IRQ_CFG1 = 0x70,
                               GERROR_IRQ_CFG2 = 0x74, STRTAB_BASE = 0x80,
                               STRTAB_BASE_CFG = 0x88, CMDQ_BASE = 0x90, CMDQ_PROD = 0x98,
                               CMDQ_CONS = 0x9c, EVENTQ_BASE = 0xa0,
                               EVENTQ_IRQ_CFG0 = 0xb0, EVENTQ_IRQ_CFG1 = 0xb8,
                               EVENTQ_IRQ_CFG2 = 0xbc, PRIQ_BASE = 0xc0,
                               PRIQ_IRQ_CFG0 = 0xd0, EVENTQ_PROD = 0x100a8,
                               EVENTQ_CONS = 0x100ac, PRIQ_PROD = 0x100c8,
                               PRIQ_CONS = 0x100cc;

inline constexpr std::uint32_t SMMUEN = 1, EVENTQEN = 4, CMDQEN = 8;
inline constexpr unsigned irq_eventq = 0, irq_cmd_sync = 2, irq_gerror = 3;

struct Board {
    explicit Board(const smmu::Configuration& configuration = {})
        : host(1 << 20, Gpa{ram_base}), smmu(configuration, host)
    {
        host.map_into(smmu.memory());
    }

    std::uint32_t r32(std::uint64_t at)
    {
        return static_cast<std::uint32_t>(smmu.mmio_read(at, 4));
    }
    std::uint64_t r64(std::uint64_t at) { return smmu.mmio_read(at, 8); }
    void w32(std::uint64_t at, std::uint32_t value) { smmu.mmio_write(at, 4, value); }
    void w64(std::uint64_t at, std::uint64_t value) { smmu.mmio_write(at, 8, value); }

    void enable_cmdq(unsigned log2)
    {
        w64(CMDQ_BASE, cmdq_at | log2);
        w32(CMDQ_PROD, 0);
        w32(CMDQ_CONS, 0);
        w32(CR0, r32(CR0) | CMDQEN);
        cmdq_log2 = log2;
    }
    void enable_eventq(unsigned log2)
    {
        w64(EVENTQ_BASE, eventq_at | log2);
        w32(EVENTQ_PROD, 0);
        w32(EVENTQ_CONS, 0);
        w32(CR0, r32(CR0) | EVENTQEN);
    }
    // Places a command at PROD without ringing the doorbell.
    void place(std::uint64_t low, std::uint64_t high)
    {
        const auto slot = prod & ((1u << cmdq_log2) - 1);
        host.store64(Gpa{cmdq_at + slot * 16}, low);
        host.store64(Gpa{cmdq_at + slot * 16 + 8}, high);
        prod = (prod + 1) & ((2u << cmdq_log2) - 1);
    }
    void ring() { w32(CMDQ_PROD, prod); }
    void submit(std::uint64_t low, std::uint64_t high = 0)
    {
        place(low, high);
        ring();
    }
    std::uint32_t cons() { return r32(CMDQ_CONS) & 0xfffff; }
    unsigned cerror() { return r32(CMDQ_CONS) >> 24; }
    std::uint32_t active_errors() { return r32(GERROR) ^ r32(GERRORN); }

    // From now on every access of StreamID 1 and up records C_BAD_STREAMID.
    void refuse_all_streams()
    {
        w32(CR2, 2);  // RECINVSID
        w32(STRTAB_BASE_CFG, 0);
        w32(CR0, r32(CR0) | SMMUEN);
    }
    bool dma(std::uint32_t sid, std::uint64_t address = 0x1000)
    {
        Translation out;
        auto* stream = smmu.stream(sid, nullptr);
        return stream->translate({.address = Iova{address}}, out) == Stream::Result::Ok;
    }
    std::array<std::uint64_t, 4> event(unsigned slot)
    {
        std::array<std::uint64_t, 4> words;
        for (unsigned i = 0; i < 4; ++i) {
            words[i] = host.load64(Gpa{eventq_at + slot * 32 + i * 8});
        }
        return words;
    }

    FakeHost host;
    smmu::Smmuv3 smmu;
    unsigned cmdq_log2 = 0;
    std::uint32_t prod = 0;
};

}  // namespace iommu::test
