// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/qtest/pci.hpp"

namespace qtest {

namespace {

// PCIe 7.2.2 "PCI Express Enhanced Configuration Access Mechanism".
class Ecam final : public ConfigSpace {
public:
    Ecam(Machine& machine, std::uint64_t base) : machine_(machine), base_(base) {}
    std::uint32_t read32(unsigned bus, unsigned devfn, unsigned offset) override
    {
        return machine_.read32(at(bus, devfn, offset));
    }
    void write32(unsigned bus, unsigned devfn, unsigned offset,
                 std::uint32_t value) override
    {
        machine_.write32(at(bus, devfn, offset), value);
    }

private:
    std::uint64_t at(unsigned bus, unsigned devfn, unsigned offset) const
    {
        return base_ + (std::uint64_t{bus} << 20 | devfn << 12 | offset);
    }
    Machine& machine_;
    std::uint64_t base_;
};

// PCI 3.2.2.3.2 "Software Generation of Configuration Transactions".
class Ports final : public ConfigSpace {
public:
    explicit Ports(Machine& machine) : machine_(machine) {}
    std::uint32_t read32(unsigned bus, unsigned devfn, unsigned offset) override
    {
        select(bus, devfn, offset);
        return machine_.in32(0xcfc);
    }
    void write32(unsigned bus, unsigned devfn, unsigned offset,
                 std::uint32_t value) override
    {
        select(bus, devfn, offset);
        machine_.out32(0xcfc, value);
    }

private:
    void select(unsigned bus, unsigned devfn, unsigned offset)
    {
        machine_.out32(0xcf8, 1u << 31 | bus << 16 | devfn << 8 | (offset & 0xfc));
    }
    Machine& machine_;
};

constexpr unsigned command_register = 0x04;
constexpr std::uint16_t memory_space = 1u << 1, bus_master_enable = 1u << 2;

}  // namespace

void ConfigSpace::write16(unsigned bus, unsigned devfn, unsigned offset,
                          std::uint16_t value)
{
    const unsigned shift = 8 * (offset & 2);
    const std::uint32_t old = read32(bus, devfn, offset & ~3u);
    write32(bus, devfn, offset & ~3u,
            (old & ~(0xffffu << shift)) | std::uint32_t{value} << shift);
}

std::unique_ptr<ConfigSpace> ecam(Machine& machine, std::uint64_t base)
{
    return std::make_unique<Ecam>(machine, base);
}

std::unique_ptr<ConfigSpace> ports(Machine& machine)
{
    return std::make_unique<Ports>(machine);
}

Endpoint::Endpoint(Machine& machine, ConfigSpace& config, Function where,
                   std::uint64_t window)
    : machine_(machine), config_(config), where_(where), registers_(window)
{
    write_config(0x10, static_cast<std::uint32_t>(window));
    write_config(0x14, static_cast<std::uint32_t>(window + 0x1000));
    write_config(0x18, static_cast<std::uint32_t>(window + 0x10000));
    bus_master(true);
}

bool Endpoint::present()
{
    return read_config(0) == 0x10dd1234;
}

void Endpoint::bus_master(bool on)
{
    write_config(command_register, memory_space | (on ? bus_master_enable : 0));
}

void Endpoint::write_config(unsigned offset, std::uint32_t value)
{
    config_.write32(where_.bus, where_.devfn(), offset, value);
}

std::uint32_t Endpoint::read_config(unsigned offset)
{
    return config_.read32(where_.bus, where_.devfn(), offset);
}

void Endpoint::attributes(std::uint32_t attr, std::uint32_t pasid)
{
    w32(0x4c, attr);
    w32(0x48, pasid);
}

std::uint32_t Endpoint::run(std::uint32_t command)
{
    w32(0x10, command);
    std::uint32_t status = r32(0x14);
    while (status == busy && machine_.alive()) {
        status = r32(0x14);
    }
    return status;
}

std::uint32_t Endpoint::read(std::uint64_t iova, std::uint32_t length)
{
    w64(0x20, iova);
    w32(0x30, length);
    return run(command_read);
}

std::uint32_t Endpoint::write(std::uint64_t iova, std::uint32_t length)
{
    w64(0x28, iova);
    w32(0x30, length);
    return run(command_write);
}

std::uint32_t Endpoint::fill(std::uint64_t iova, std::uint32_t length,
                             std::uint64_t pattern)
{
    w64(0x28, iova);
    w64(0x50, pattern);
    w32(0x30, length);
    return run(command_fill);
}

std::uint32_t Endpoint::compare(std::uint64_t iova, std::uint32_t length,
                                std::uint64_t pattern)
{
    w64(0x20, iova);
    w64(0x50, pattern);
    w32(0x30, length);
    return run(command_compare);
}

void open_bridge(ConfigSpace& config, Function bridge, const BridgeSetup& setup)
{
    const unsigned bus = bridge.bus, devfn = bridge.devfn();
    config.write32(bus, devfn, 0x18,
                   setup.subordinate << 16 | setup.secondary << 8 | bus);
    const std::uint32_t limit = setup.window + setup.window_size - 1;
    config.write32(bus, devfn, 0x20, (limit & 0xfff00000) | setup.window >> 16);
    config.write32(bus, devfn, command_register, memory_space | bus_master_enable);
}

}  // namespace qtest
