// SPDX-License-Identifier: GPL-2.0-or-later
// Tables of the documentation, so that a test can hold them against a device.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace iommu::test {

using Row = std::vector<std::string>;

// The rows of the list-table of that name in docs/`file`, without its header.
inline std::vector<Row> rst_table(const std::string& file_name, const std::string& name)
{
    std::ifstream file(DOCS_DIR "/" + file_name);
    EXPECT_TRUE(file.is_open()) << DOCS_DIR "/" << file_name;
    std::vector<Row> rows;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (line.rfind(".. list-table:: ", 0) == 0) {
            inside = line == ".. list-table:: " + name;
        } else if (!line.empty() && line[0] != ' ') {
            inside = false;
        } else if (inside && line.rfind("   * - ", 0) == 0) {
            rows.push_back({line.substr(7)});
        } else if (inside && line.rfind("     - ", 0) == 0) {
            rows.back().push_back(line.substr(7));
        }
    }
    EXPECT_GT(rows.size(), 1u) << name;
    if (!rows.empty()) {
        rows.erase(rows.begin());
    }
    return rows;
}

inline std::uint64_t number(const std::string& text)
{
    return std::stoull(text, nullptr, 0);
}

// "[hi:lo]" or "[bit]" as a mask and its lowest bit.
struct BitRange {
    std::uint64_t mask = 0;
    unsigned low = 0;
};
inline BitRange bit_range(const std::string& text)
{
    const auto colon = text.find(':');
    const auto hi = number(text.substr(1));
    const auto lo = colon == std::string::npos ? hi : number(text.substr(colon + 1));
    return {(~0ull >> (63 - (hi - lo))) << lo, static_cast<unsigned>(lo)};
}

}  // namespace iommu::test
