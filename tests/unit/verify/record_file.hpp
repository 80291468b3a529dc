// SPDX-License-Identifier: GPL-2.0-or-later
// A record as bytes: docs/specs/record.rst, spelled out here.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace iommu::test {

struct RecordFile {
    char path[32] = "/tmp/winiommu-record-XXXXXX";
    RecordFile() { close(mkstemp(path)); }
    ~RecordFile() { unlink(path); }
    std::string bytes() const
    {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
};

inline std::uint64_t number(const std::string& bytes, std::size_t at, unsigned size)
{
    std::uint64_t v = 0;
    for (unsigned i = size; i-- != 0;) {
        v = v << 8 | static_cast<unsigned char>(bytes.at(at + i));
    }
    return v;
}

struct RecordEntry {
    unsigned type;
    std::string payload;
};
// 4 bytes length, 2 type, 2 zero, 8 time, as the document says.
inline std::vector<RecordEntry> records_of(const std::string& bytes)
{
    std::vector<RecordEntry> out;
    std::size_t at = 32;
    std::uint64_t before = 0;
    while (at < bytes.size()) {
        const auto length = number(bytes, at, 4);
        EXPECT_GE(length, 16u);
        EXPECT_LE(at + length, bytes.size());
        EXPECT_EQ(number(bytes, at + 6, 2), 0u);
        EXPECT_GE(number(bytes, at + 8, 8), before);
        before = number(bytes, at + 8, 8);
        out.push_back({static_cast<unsigned>(number(bytes, at + 4, 2)),
                       bytes.substr(at + 16, length - 16)});
        at += length;
    }
    return out;
}

}  // namespace iommu::test
