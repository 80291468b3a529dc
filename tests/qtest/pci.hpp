// SPDX-License-Identifier: GPL-2.0-or-later
// PCI configuration and BARs over qtest, and the registers of winiommu-dma.
#pragma once

#include <cstdint>
#include <memory>

#include "tests/qtest/qtest_client.hpp"

namespace qtest {

// Where configuration space is: ECAM in memory (virt) or the ports 0xcf8/0xcfc (q35).
class ConfigSpace {
public:
    virtual ~ConfigSpace() = default;
    virtual std::uint32_t read32(unsigned bus, unsigned devfn, unsigned offset) = 0;
    virtual void write32(unsigned bus, unsigned devfn, unsigned offset,
                         std::uint32_t value) = 0;
    void write16(unsigned bus, unsigned devfn, unsigned offset, std::uint16_t value);
};

std::unique_ptr<ConfigSpace> ecam(Machine& machine, std::uint64_t base);
std::unique_ptr<ConfigSpace> ports(Machine& machine);

struct Function {
    unsigned bus = 0, device = 0, function = 0;
    unsigned devfn() const { return device << 3 | function; }
    unsigned requester() const { return bus << 8 | devfn(); }
};

// winiommu-dma, docs/specs/winiommu-dma.rst.
class Endpoint {
public:
    static constexpr std::uint32_t command_nop = 0, command_read = 1, command_write = 2,
                                   command_copy = 3, command_fill = 4,
                                   command_compare = 5, command_checksum = 6,
                                   command_fetch_add = 8, command_swap = 9,
                                   command_cas = 10;
    static constexpr std::uint32_t idle = 0, busy = 1, done = 2, aborted = 3,
                                   mismatch = 4, rejected = 5;

    // Gives BAR0, BAR1 and BAR2 the 0x20000 bytes from `window` and turns the function
    // on. The bridges above it must be open.
    Endpoint(Machine& machine, ConfigSpace& config, Function where, std::uint64_t window);

    bool present();
    Function where() const { return where_; }
    void move(Function where) { where_ = where; }  // its bus has a new number
    void bus_master(bool on);
    void write_config(unsigned offset, std::uint32_t value);
    std::uint32_t read_config(unsigned offset);

    std::uint32_t r32(unsigned offset) { return machine_.read32(registers_ + offset); }
    std::uint64_t r64(unsigned offset) { return machine_.read64(registers_ + offset); }
    void w32(unsigned offset, std::uint32_t v)
    {
        machine_.write32(registers_ + offset, v);
    }
    void w64(unsigned offset, std::uint64_t v)
    {
        machine_.write64(registers_ + offset, v);
    }
    std::uint64_t registers() const { return registers_; }
    std::uint64_t msix_table() const { return registers_ + 0x1000; }
    std::uint64_t buffer() const { return registers_ + 0x10000; }

    // Attributes of the commands that follow.
    static constexpr std::uint32_t privileged = 1, execute = 2, keep_going = 4,
                                   interrupt = 8, has_pasid = 1u << 31;
    void attributes(std::uint32_t attr, std::uint32_t pasid = 0);

    // Rings the doorbell and waits; the final STATUS.
    std::uint32_t run(std::uint32_t command);
    std::uint32_t read(std::uint64_t iova, std::uint32_t length);
    std::uint32_t write(std::uint64_t iova, std::uint32_t length);
    std::uint32_t fill(std::uint64_t iova, std::uint32_t length, std::uint64_t pattern);
    std::uint32_t compare(std::uint64_t iova, std::uint32_t length,
                          std::uint64_t pattern);
    std::uint64_t fail_address() { return r64(0x88); }

private:
    Machine& machine_;
    ConfigSpace& config_;
    Function where_;
    std::uint64_t registers_;
};

// Opens a PCI bridge: bus numbers, a memory window, memory and bus master on.
struct BridgeSetup {
    unsigned secondary = 0, subordinate = 0;
    std::uint32_t window = 0, window_size = 0;
};
void open_bridge(ConfigSpace& config, Function bridge, const BridgeSetup& setup);

}  // namespace qtest
