// SPDX-License-Identifier: GPL-2.0-or-later
// What QEMU gives to firmware: files by name, moved into guest memory by the DMA
// interface of fw_cfg (QEMU's docs/specs/fw_cfg.rst), and the ACPI tables in one of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/qtest/qtest_client.hpp"

namespace qtest {

using Bytes = std::vector<std::uint8_t>;

enum class FwCfgAt : std::uint8_t { Virt, Q35 };  // registers in memory, or ports

class FwCfg {
public:
    // `scratch`: guest memory for the command and, 64 KiB on, for what it brings.
    FwCfg(Machine& machine, FwCfgAt where, std::uint64_t scratch)
        : machine_(machine), where_(where), scratch_(scratch)
    {
    }

    // Empty: there is no such file.
    Bytes file(const std::string& name);
    // Every table with this signature, whole.
    std::vector<Bytes> acpi(const std::string& signature);

    static std::uint32_t little32(const Bytes& b, std::size_t at)
    {
        return b.at(at) | b.at(at + 1) << 8 | b.at(at + 2) << 16 |
               std::uint32_t{b.at(at + 3)} << 24;
    }

private:
    Bytes take(std::uint16_t key, std::uint32_t size);

    Machine& machine_;
    FwCfgAt where_;
    std::uint64_t scratch_;
};

}  // namespace qtest
