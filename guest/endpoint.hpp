// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-dma (docs/specs/winiommu-dma.rst) as a PCI function found through ECAM.
#pragma once

#include <cstdint>

namespace iommu::guest {

class Acpi;

class Endpoint {
public:
    // False: the function there is no winiommu-dma that can be used.
    bool open(std::uint64_t config, std::uint32_t requester);

    std::uint32_t requester() const { return requester_; }
    // PCIe 7.8.8 "PASID Extended Capability"; 0: it has none, or nobody takes PASIDs.
    unsigned pasid_bits() const { return pasid_bits_; }

    struct Access {
        std::uint64_t address = 0;
        bool write = false, tagged = false;
        std::uint32_t pasid = 0;
    };
    // Moves eight bytes, four at a time.  False: it was refused.
    bool move(const Access& access, std::uint64_t& value) const;

private:
    std::uint32_t requester_ = 0;
    std::uint64_t registers_ = 0, buffer_ = 0;
    unsigned pasid_bits_ = 0;
};

// The doubleword at an offset of configuration space, through ECAM; all ones: nobody
// answers.
std::uint32_t read_config(const Acpi& acpi, std::uint32_t requester,
                          std::uint32_t offset);

// Fills `found` in the order of requester ids; how many there are.
unsigned find_endpoints(const Acpi& acpi, Endpoint* found, unsigned room);

}  // namespace iommu::guest
