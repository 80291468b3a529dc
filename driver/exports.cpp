// SPDX-License-Identifier: GPL-2.0-or-later
// The reference driver under the names a provider exports.
#include "driver/reference.hpp"

NTSTATUS WDM_CALL IommuProviderStart(const WdmPlatform* platform)
{
    return iommu::driver::start(platform);
}

VOID WDM_CALL IommuProviderStop(void)
{
    iommu::driver::stop();
}

NTSTATUS WDM_CALL IoGetIommuInterface(ULONG Version, PDMA_IOMMU_INTERFACE InterfaceOut)
{
    return iommu::driver::get_interface(Version, InterfaceOut);
}

NTSTATUS WDM_CALL IoGetIommuInterfaceEx(ULONG Version, ULONGLONG Flags,
                                        PDMA_IOMMU_INTERFACE_EX InterfaceOut)
{
    return iommu::driver::get_interface_ex(Version, Flags, InterfaceOut);
}

const WdmDisplay* WDM_CALL IommuProviderDisplay(void)
{
    return iommu::driver::display();
}
