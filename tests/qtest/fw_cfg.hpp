// SPDX-License-Identifier: GPL-2.0-or-later
// Files of QEMU's fw_cfg on a PC, moved into guest memory by its DMA interface (QEMU's
// docs/specs/fw_cfg.rst), and the ACPI tables in one of them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/qtest/qtest_client.hpp"

namespace qtest {

using Bytes = std::vector<std::uint8_t>;

class FwCfg {
public:
    // `scratch`: guest memory for the command and, 64 KiB on, for what it brings.
    FwCfg(Machine& machine, std::uint64_t scratch) : machine_(machine), scratch_(scratch)
    {
    }

    Bytes file(const std::string& name)
    {
        const Bytes count = take(0x19, 4);
        const auto entries = big32(count, 0);
        const Bytes directory = take(0x19, 4 + 64 * entries);
        for (std::uint32_t i = 0; i < entries; ++i) {
            const std::size_t at = 4 + 64 * i;
            if (name == reinterpret_cast<const char*>(&directory[at + 8])) {
                const auto key = static_cast<std::uint16_t>(directory[at + 4] << 8 |
                                                            directory[at + 5]);
                return take(key, big32(directory, at));
            }
        }
        ADD_FAILURE() << "no fw_cfg file " << name;
        return {};
    }

    // Every table with this signature, whole.
    std::vector<Bytes> acpi(const std::string& signature)
    {
        const Bytes tables = file("etc/acpi/tables");
        std::vector<Bytes> found;
        for (std::size_t at = 0; at + 36 < tables.size();) {
            const std::size_t size = little32(tables, at + 4);
            const bool table =
                tables[at] >= 'A' && size >= 36 && at + size <= tables.size();
            if (table && std::memcmp(&tables[at], signature.data(), 4) == 0) {
                const auto begin = tables.begin() + static_cast<std::ptrdiff_t>(at);
                found.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
            }
            at += table ? size : 1;
        }
        return found;
    }

    static std::uint32_t little32(const Bytes& b, std::size_t at)
    {
        return b.at(at) | b.at(at + 1) << 8 | b.at(at + 2) << 16 |
               std::uint32_t{b.at(at + 3)} << 24;
    }

private:
    static std::uint32_t big32(const Bytes& b, std::size_t at)
    {
        return __builtin_bswap32(little32(b, at));
    }
    Bytes take(std::uint16_t key, std::uint32_t size)
    {
        const std::uint64_t buffer = scratch_ + 0x10000;
        machine_.write32(scratch_, __builtin_bswap32(std::uint32_t{key} << 16 | 8 | 2));
        machine_.write32(scratch_ + 4, __builtin_bswap32(size));
        machine_.write64(scratch_ + 8, __builtin_bswap64(buffer));
        machine_.out32(0x514, 0);
        machine_.out32(0x518, __builtin_bswap32(static_cast<std::uint32_t>(scratch_)));
        EXPECT_EQ(machine_.read32(scratch_), 0u) << "fw_cfg refused key " << key;
        return machine_.read(buffer, size);
    }

    Machine& machine_;
    std::uint64_t scratch_;
};

}  // namespace qtest
