// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/qtest/fw_cfg.hpp"

#include <cstring>

namespace qtest {

namespace {

constexpr std::uint32_t control_read = 1u << 1, control_select = 1u << 3;
constexpr std::uint16_t directory_key = 0x19;
constexpr std::uint64_t virt_dma = 0x09020010;
constexpr std::uint16_t q35_dma = 0x514;

std::uint32_t big32(const Bytes& b, std::size_t at)
{
    return __builtin_bswap32(FwCfg::little32(b, at));
}

}  // namespace

// The first `size` bytes of an item; empty: QEMU refused.
Bytes FwCfg::take(std::uint16_t key, std::uint32_t size)
{
    const std::uint64_t buffer = scratch_ + 0x10000;
    const auto control = std::uint32_t{key} << 16 | control_select | control_read;
    machine_.write32(scratch_, __builtin_bswap32(control));
    machine_.write32(scratch_ + 4, __builtin_bswap32(size));
    machine_.write64(scratch_ + 8, __builtin_bswap64(buffer));
    const auto high = __builtin_bswap32(static_cast<std::uint32_t>(scratch_ >> 32));
    const auto low = __builtin_bswap32(static_cast<std::uint32_t>(scratch_));
    if (where_ == FwCfgAt::Virt) {
        machine_.write32(virt_dma, high);
        machine_.write32(virt_dma + 4, low);  // starts it
    } else {
        machine_.out32(q35_dma, high);
        machine_.out32(q35_dma + 4, low);
    }
    return machine_.read32(scratch_) == 0 ? machine_.read(buffer, size) : Bytes();
}

// A count, then for each file its size, key, two reserved bytes and 56 of name.
Bytes FwCfg::file(const std::string& name)
{
    constexpr std::uint32_t entry = 64;
    const Bytes count = take(directory_key, 4);
    const auto entries = count.empty() ? 0 : big32(count, 0);
    const Bytes directory = take(directory_key, 4 + entry * entries);
    for (std::size_t at = 4; at + entry <= directory.size(); at += entry) {
        if (name == reinterpret_cast<const char*>(&directory[at + 8])) {
            const auto key =
                static_cast<std::uint16_t>(directory[at + 4] << 8 | directory[at + 5]);
            return take(key, big32(directory, at));
        }
    }
    return {};
}

// ACPI 5.2.6 "System Description Table Header": the length is at 4.
std::vector<Bytes> FwCfg::acpi(const std::string& signature)
{
    const Bytes tables = file("etc/acpi/tables");
    std::vector<Bytes> found;
    for (std::size_t at = 0; at + 36 < tables.size();) {
        const std::size_t size = little32(tables, at + 4);
        const bool table = tables[at] >= 'A' && size >= 36 && at + size <= tables.size();
        if (table && std::memcmp(&tables[at], signature.data(), 4) == 0) {
            const auto begin = tables.begin() + static_cast<std::ptrdiff_t>(at);
            found.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
        }
        at += table ? size : 1;
    }
    return found;
}

}  // namespace qtest
