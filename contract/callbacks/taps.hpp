// SPDX-License-Identifier: GPL-2.0-or-later
// A provider's tables with every slot tapped: a call that succeeds is told to the watch.
#pragma once

#include <set>
#include <string>

#include "contract/callbacks/watch.hpp"
#include "wdm/dma_iommu.h"
#include "wdm/platform.h"

namespace iommu::contract::callbacks {

// Slots hold functions without a context: there is one watch.
extern Watch watch;
extern std::set<std::string> tapped;  // callbacks the provider has

// False: a slot was not tapped and would be missing from the page; it was said.
bool tap_all(DMA_IOMMU_INTERFACE_V1& table);
bool tap_all(DMA_IOMMU_INTERFACE_V3& table);
bool tap_all(WdmDisplay& table);

}  // namespace iommu::contract::callbacks
