// SPDX-License-Identifier: GPL-2.0-or-later
// A TLB, and the few words in which its tests speak of it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "hw/iommu/common/tlb.hpp"

namespace iommu {

inline constexpr std::uint64_t page = 4096;

// Two address spaces of one domain, and one of another.
inline const auto tag_a = Tlb::tag(0x1'0005'0007, 7, 5);
inline const auto tag_b = Tlb::tag(0x1'0006'0007, 7, 6);
inline const auto tag_c = Tlb::tag(0x1'0005'0008, 8, 5);

class TlbTest : public ::testing::Test {
protected:
    void insert(const Tlb::Tag& tag, const Tlb::Mapping& mapping)
    {
        tlb.insert(tlb.begin(), tag, mapping);
    }
    void insert_page(const Tlb::Tag& tag, std::uint64_t input, std::uint64_t output)
    {
        insert(tag,
               {.input = input, .output = output, .log2size = 12, .attributes = 0x155});
    }
    // The output, or nothing.
    std::optional<std::uint64_t> find(const Tlb::Tag& tag, std::uint64_t input)
    {
        if (!tlb.lookup(tag, input, guess, hit)) {
            return std::nullopt;
        }
        return hit.output;
    }

    Tlb tlb{10};
    Tlb::Hit hit;
    std::atomic<std::uint8_t> guess{0};
};

}  // namespace iommu
