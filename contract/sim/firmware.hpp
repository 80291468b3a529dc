// SPDX-License-Identifier: GPL-2.0-or-later
// Where the simulated machine has its IOMMUs.
#pragma once

#include <cstdint>

#include "contract/host/kernel.hpp"

namespace iommu::contract::sim::firmware {

inline constexpr const char* acpi_path = "\\_SB.DMA0";

constexpr std::uint64_t registers_of(Kind kind, unsigned unit)
{
    return kind == Kind::Virt ? 0x0905'0000 + unit * 0x10'0000ull
                              : 0xfed9'0000 + unit * 0x1'0000ull;
}
// Of an SMMUv3: four in the order of WI_SMMUV3_IRQ_*.
constexpr std::uint32_t first_gsiv(unsigned unit)
{
    return 106 + unit * 4;
}

}  // namespace iommu::contract::sim::firmware
