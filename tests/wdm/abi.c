/*
 * The headers as a C driver sees them; layouts are asserted where they are declared. What
 * is written here must also compile as C++.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "wdm/dma_iommu.h"
#include "wdm/dxgk_iommu.h"
#include "wdm/platform.h"
#include "wdm/provider.h"

/* The spelling of a WDK driver: anonymous unions, slots called through the table. */
NTSTATUS map_one_page(DMA_IOMMU_INTERFACE_EX* iommu, PIOMMU_DMA_DOMAIN domain,
                      ULONGLONG physical, IOMMU_DMA_LOGICAL_ADDRESS* logical);
NTSTATUS map_one_page(DMA_IOMMU_INTERFACE_EX* iommu, PIOMMU_DMA_DOMAIN domain,
                      ULONGLONG physical, IOMMU_DMA_LOGICAL_ADDRESS* logical)
{
    IOMMU_MAP_PHYSICAL_ADDRESS what;
    what.MapType = MapPhysicalAddressTypeContiguousRange;
    what.ContiguousRange.Base.QuadPart = (LONGLONG)physical;
    what.ContiguousRange.Size = PAGE_SIZE;
    return iommu->V2.MapLogicalRangeEx(domain, IOMMU_ACCESS_READ | IOMMU_ACCESS_WRITE,
                                       &what, NULL, NULL, NULL, logical);
}

/* The slots that V1 and V2 share sit at the same place; CreateDomain's does not. */
WDM_ASSERT(offsetof(DMA_IOMMU_INTERFACE_V1, FlushDomain) ==
           offsetof(DMA_IOMMU_INTERFACE_V2, FlushDomain));
WDM_ASSERT(sizeof(DMA_IOMMU_INTERFACE_EX) == DMA_IOMMU_INTERFACE_EX_SIZE_V3);
WDM_ASSERT(offsetof(DMA_IOMMU_INTERFACE_EX, V2) + sizeof(DMA_IOMMU_INTERFACE_V2) ==
           DMA_IOMMU_INTERFACE_EX_SIZE_V2);
WDM_ASSERT(offsetof(DMA_IOMMU_INTERFACE_EX, V1) + sizeof(DMA_IOMMU_INTERFACE_V1) ==
           DMA_IOMMU_INTERFACE_EX_SIZE_V1);
