// SPDX-License-Identifier: GPL-2.0-or-later
// What the rules about CreateDomainEx call it with.
#pragma once

#include "contract/test.hpp"

namespace iommu::contract {

// What a failing call must leave in the output.
inline PIOMMU_DMA_DOMAIN nowhere()
{
    return reinterpret_cast<PIOMMU_DMA_DOMAIN>(std::uintptr_t{0x1234'5670});
}

inline IOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG allocator(IOMMU_DMA_LOGICAL_ALLOCATOR_TYPE type,
                                                    ULONG width)
{
    IOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG config{};
    config.LogicalAllocatorType = type;
    config.BuddyAllocatorConfig.AddressWidth = width;
    return config;
}

}  // namespace iommu::contract
