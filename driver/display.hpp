// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of the display port driver's model share.
#pragma once

#include "driver/system.hpp"
#include "wdm/platform.h"

namespace iommu::driver {

inline constexpr unsigned most_linked = 4;

struct Adapter {
    IOMMU_DMA_DOMAIN* domain = nullptr;
    IOMMU_DMA_DOMAIN* open_domain = nullptr;  // pass-through; nullptr: isolated
    IOMMU_DMA_DEVICE* devices[most_linked] = {};
    unsigned count = 0;
    bool remapping = false;
    std::uint64_t highest_visible = 0;
};

IOMMU_MAP_PHYSICAL_ADDRESS description(std::uint64_t base, std::uint64_t pages);

DXGKCB_CREATEPHYSICALMEMORYOBJECT CreatePhysicalMemoryObject;
DXGKCB_DESTROYPHYSICALMEMORYOBJECT DestroyPhysicalMemoryObject;
DXGKCB_OPENPHYSICALMEMORYOBJECT OpenPhysicalMemoryObject;
DXGKCB_CLOSEPHYSICALMEMORYOBJECT ClosePhysicalMemoryObject;
DXGKCB_MAPPHYSICALMEMORY MapPhysicalMemory;
DXGKCB_UNMAPPHYSICALMEMORY UnmapPhysicalMemory;
DXGKCB_ALLOCATEADL AllocateAdl;
DXGKCB_FREEADL FreeAdl;

}  // namespace iommu::driver
