// SPDX-License-Identifier: GPL-2.0-or-later
// A reader of ACPI tables for the tests.  Written from the manuals' offsets, it shares
// nothing with the generators.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "iommu/acpi.hpp"

namespace iommu::test {

using Bytes = std::vector<std::uint8_t>;

inline Bytes plain(const std::vector<std::byte>& bytes)
{
    Bytes out;
    for (const auto b : bytes) {
        out.push_back(std::to_integer<std::uint8_t>(b));
    }
    return out;
}

inline Bytes slice(const Bytes& b, std::size_t at, std::size_t size)
{
    EXPECT_LE(at + size, b.size());
    return at + size <= b.size() ? Bytes(b.begin() + static_cast<long>(at),
                                         b.begin() + static_cast<long>(at + size))
                                 : Bytes{};
}

inline std::uint64_t le(const Bytes& b, std::size_t at, unsigned size)
{
    std::uint64_t v = 0;
    for (unsigned i = 0; i < size && at + i < b.size(); ++i) {
        v |= std::uint64_t{b[at + i]} << (8 * i);
    }
    EXPECT_LE(at + size, b.size());
    return v;
}

inline acpi::OemIds bochs()
{
    return {{'B', 'O', 'C', 'H', 'S', ' '}, {'B', 'X', 'P', 'C', ' ', ' ', ' ', ' '}, 1};
}

// ACPI 5.2.6: length and checksum cover the whole table.
inline void expect_header(const Bytes& t, const std::string& signature, unsigned revision)
{
    ASSERT_GE(t.size(), 36u);
    EXPECT_EQ(std::string(t.begin(), t.begin() + 4), signature);
    EXPECT_EQ(le(t, 4, 4), t.size());
    EXPECT_EQ(le(t, 8, 1), revision);
    unsigned sum = 0;
    for (const auto b : t) {
        sum += b;
    }
    EXPECT_EQ(sum & 0xff, 0u) << "checksum";
    EXPECT_EQ(std::string(t.begin() + 10, t.begin() + 16), "BOCHS ");
    EXPECT_EQ(std::string(t.begin() + 16, t.begin() + 24), "BXPC    ");
}

// One structure of a table: its type, where it stands, and its bytes.
struct Item {
    unsigned type = 0;
    std::size_t at = 0;
    Bytes bytes;
};

// IORT: nodes start at the offset in byte 40, type u8, length u16 at offset 1.
inline std::vector<Item> iort_nodes(const Bytes& t)
{
    std::vector<Item> nodes;
    std::size_t at = le(t, 40, 4);
    const auto count = le(t, 36, 4);
    while (at + 16 <= t.size()) {
        const std::size_t length = le(t, at + 1, 2);
        if (length < 16) {
            ADD_FAILURE() << "node at " << at << " is shorter than its head";
            break;
        }
        nodes.push_back({t[at], at, slice(t, at, length)});
        at += length;
    }
    EXPECT_EQ(at, t.size()) << "nodes fill the table";
    EXPECT_EQ(nodes.size(), count);
    return nodes;
}

struct Mapping {
    std::uint64_t first, last, output, reference, flags;
    friend bool operator==(const Mapping&, const Mapping&) = default;
    friend void PrintTo(const Mapping& m, std::ostream* os)
    {
        *os << std::hex << "{0x" << m.first << "..0x" << m.last << " -> 0x" << m.output
            << " @0x" << m.reference << " flags " << m.flags << "}";
    }
};

inline std::vector<Mapping> mappings(const Item& node)
{
    std::vector<Mapping> out;
    const auto count = le(node.bytes, 8, 4), offset = le(node.bytes, 12, 4);
    for (std::size_t i = 0; i < count; ++i) {
        const auto at = offset + 20 * i;
        const auto first = le(node.bytes, at, 4);
        out.push_back({first, first + le(node.bytes, at + 4, 4),
                       le(node.bytes, at + 8, 4), le(node.bytes, at + 12, 4),
                       le(node.bytes, at + 16, 4)});
    }
    return out;
}

// DMAR: structures from offset 48, type u16, length u16.
inline std::vector<Item> dmar_structures(const Bytes& t)
{
    std::vector<Item> out;
    std::size_t at = 48;
    while (at + 4 <= t.size()) {
        const std::size_t length = le(t, at + 2, 2);
        if (length < 8) {
            ADD_FAILURE() << "structure at " << at << " is shorter than any";
            break;
        }
        out.push_back({static_cast<unsigned>(le(t, at, 2)), at, slice(t, at, length)});
        at += length;
    }
    EXPECT_EQ(at, t.size()) << "structures fill the table";
    return out;
}

}  // namespace iommu::test
