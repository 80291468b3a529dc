// SPDX-License-Identifier: GPL-2.0-or-later
// What plain mappings and tokens share.
#pragma once

#include "driver/system.hpp"

namespace iommu::driver {

bool granular(std::uint64_t address);
bool permissions_ok(ULONG permissions);
Access access_of(ULONG permissions);

// All of these with the domain's lock held; `first` and `pages` count pages.
bool range_fits(const IOMMU_DMA_DOMAIN* d, std::uint64_t base, std::uint64_t pages);
bool in_region(const IOMMU_DMA_DOMAIN* d, std::uint64_t first, std::uint64_t pages);
bool in_token(const IOMMU_DMA_DOMAIN* d, std::uint64_t first, std::uint64_t pages);
bool occupied(const IOMMU_DMA_DOMAIN* d, std::uint64_t first, std::uint64_t pages);

// False: neither bound was given.
bool window_of(const IOMMU_DMA_LOGICAL_ADDRESS* min, const IOMMU_DMA_LOGICAL_ADDRESS* max,
               Buddy::Window& window);

// After entries were cleared: nothing stale survives, then the tables go.
void take_out(System& s, IOMMU_DMA_DOMAIN* d, std::uint64_t first, std::uint64_t pages,
              PageChain& emptied);

}  // namespace iommu::driver
