// SPDX-License-Identifier: GPL-2.0-or-later
// A structure as the manual prints it: so many bytes, each field at its printed offset.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "iommu/acpi.hpp"

namespace iommu::acpi {

class Block {
public:
    explicit Block(std::size_t size) : bytes_(size) {}

    std::size_t size() const { return bytes_.size(); }
    std::span<const std::byte> bytes() const { return bytes_; }
    std::vector<std::byte> release() && { return std::move(bytes_); }

    void u8(std::size_t at, std::uint8_t v) { put(at, v, 1); }
    void u16(std::size_t at, std::uint16_t v) { put(at, v, 2); }
    void u32(std::size_t at, std::uint32_t v) { put(at, v, 4); }
    void u64(std::size_t at, std::uint64_t v) { put(at, v, 8); }
    void text(std::size_t at, std::string_view s)
    {
        for (const char c : s) {
            u8(at++, static_cast<std::uint8_t>(c));
        }
    }
    void append(const Block& other)
    {
        bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
    }

private:
    void put(std::size_t at, std::uint64_t v, std::size_t width)
    {
        assert(at + width <= bytes_.size());
        for (std::size_t i = 0; i < width; ++i) {
            bytes_[at + i] = static_cast<std::byte>(v >> (8 * i));
        }
    }
    std::vector<std::byte> bytes_;
};

inline constexpr std::size_t header_size = 36;

// ACPI 5.2.6 "System Description Table Header", over the finished table: the length and
// the checksum come last.
void finish_header(Block& table, std::string_view signature, std::uint8_t revision,
                   const OemIds& ids);

// "0x1234", for messages.
std::string hex(std::uint64_t value);

// True when [a, a + a_size - 1] and [b, b + b_size - 1] share an element; sizes above 0.
constexpr bool overlap(std::uint64_t a, std::uint64_t a_size, std::uint64_t b,
                       std::uint64_t b_size)
{
    return a <= b ? b - a < a_size : a - b < b_size;
}

}  // namespace iommu::acpi
