// SPDX-License-Identifier: GPL-2.0-or-later
// A provider: the reference driver, with an UnmapLogicalRange of its own.
#include "wdm/provider.h"
#include "driver/reference.hpp"

static WdmSlots slots;
static PIOMMU_UNMAP_LOGICAL_RANGE reference_unmap;

static NTSTATUS WDM_CALL Unmap(PIOMMU_DMA_DOMAIN Domain, ULONGLONG Base, ULONGLONG Pages)
{
    return reference_unmap(Domain, Base, Pages);
}
NTSTATUS WDM_CALL IommuProviderStart(const WdmPlatform* platform)
{
    slots = iommu::driver::slots();
    reference_unmap = slots.v1.UnmapLogicalRange;
    slots.v1.UnmapLogicalRange = slots.v3.UnmapLogicalRange = Unmap;
    return iommu::driver::start(platform);
}
VOID WDM_CALL IommuProviderStop(void)
{
    iommu::driver::stop();
}
NTSTATUS WDM_CALL IoGetIommuInterface(ULONG Version, PDMA_IOMMU_INTERFACE Out)
{
    return wdm_get_interface(&slots, Version, Out);
}
NTSTATUS WDM_CALL IoGetIommuInterfaceEx(ULONG Version, ULONGLONG Flags,
                                        PDMA_IOMMU_INTERFACE_EX Out)
{
    return wdm_get_interface_ex(&slots, Version, Flags, Out);
}
