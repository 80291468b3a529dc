// SPDX-License-Identifier: GPL-2.0-or-later
// Units as types: addresses of different spaces, and the ids that name who asks, never
// mix.
#pragma once

#include <compare>
#include <cstdint>

namespace iommu {

template <typename Tag>
struct Address {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(Address, Address) = default;
    friend constexpr Address operator+(Address a, std::uint64_t offset)
    {
        return {a.value + offset};
    }
};

using Iova = Address<struct IovaTag>;  // what the device puts on the bus
using Ipa = Address<struct IpaTag>;    // stage 1's output, stage 2's input
using Gpa = Address<struct GpaTag>;    // what the machine's memory answers to

enum class StreamId : std::uint32_t {};     // SMMU 3.2 "Stream numbering"
enum class SubstreamId : std::uint32_t {};  // SMMU 3.2, 20 bits
enum class SourceId : std::uint16_t {};     // VT-d 3.4.1 "Source Identifier"
enum class Pasid : std::uint32_t {};        // PCIe 6.20 "PASID TLP Prefix", 20 bits
enum class Asid : std::uint16_t {};
enum class Vmid : std::uint16_t {};
enum class DomainId : std::uint16_t {};

}  // namespace iommu
