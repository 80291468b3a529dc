// SPDX-License-Identifier: GPL-2.0-or-later
// DEN 0049 "IO Remapping Table", as an operating system reads it: which SMMU, and which
// StreamIDs a device has there.
#pragma once

#include <cstdint>

#include "driver/hw.hpp"

namespace iommu::driver {

class Iort {
public:
    struct Smmu {
        std::uint32_t node = 0;  // offset in the table
        std::uint64_t base = 0;
        bool coherent = false;
        std::uint32_t event_gsiv = 0, gerror_gsiv = 0;
    };

    static constexpr const char* signature = "IORT";
    // False: not an IORT, or its lengths do not add up.
    bool open(const Platform& platform);
    bool open(const std::uint8_t* table, std::size_t size);

    // The SMMUv3 after this one, from the first if it is none yet; false: there is none.
    bool next_unit(Smmu& smmu) const;
    // 1 + the largest StreamID any mapping to the SMMU can give.
    std::uint32_t stream_count(const Smmu& smmu) const;
    bool find_device(const Smmu& smmu, const WdmDeviceIdentity& device,
                     InputIds& ids) const;

private:
    struct Node {
        std::uint32_t at = 0, length = 0, mappings = 0, first_mapping = 0;
        std::uint8_t type = 0;
    };
    struct Mapping {
        std::uint32_t input, count, output, reference;
        bool single;
    };
    std::uint32_t u32(std::uint32_t at) const;
    bool next(Node& node) const;  // at 0: the first
    Mapping mapping(const Node& node, std::uint32_t i) const;
    bool names(const Node& node, const WdmDeviceIdentity& device) const;

    const std::uint8_t* table_ = nullptr;
    std::uint32_t size_ = 0;
};

}  // namespace iommu::driver
