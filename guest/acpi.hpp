// SPDX-License-Identifier: GPL-2.0-or-later
// The firmware's ACPI tables, and the one thing the guest adds to them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace iommu::guest {

class Acpi {
public:
    // `rsdp` as the configuration table has it.  False: there are no tables there.
    bool open(const void* rsdp);

    // Null when there is none, or its checksum is wrong.
    const std::uint8_t* table(const char* signature, std::size_t& size) const;

    // Whether the IORT puts a PCI function of segment 0 behind an SMMUv3.
    bool has_smmu(std::uint32_t requester) const;

    // The machine has no ACPI device that does DMA.  A copy of the IORT gets a named
    // component whose input ids are the StreamIDs `stream` and following, which belong to
    // the PCI functions with these requester ids.  False: no room, or no SMMU has them.
    bool add_component(const char* path, std::uint32_t first_input, std::uint32_t ids,
                       std::uint32_t stream);

private:
    const std::uint8_t* xsdt_ = nullptr;
    std::size_t xsdt_size_ = 0;
    alignas(8) std::uint8_t iort_[4096] = {};
    std::size_t iort_size_ = 0;  // 0: the firmware's
};

template <typename T>
T load(const void* from)
{
    T value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

}  // namespace iommu::guest
