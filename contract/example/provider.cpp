// SPDX-License-Identifier: GPL-2.0-or-later
// A provider: the reference driver, with an UnmapLogicalRange of its own.
#include "driver/reference.hpp"

static PIOMMU_UNMAP_LOGICAL_RANGE reference_unmap;
static NTSTATUS WDM_CALL Unmap(PIOMMU_DMA_DOMAIN Domain, ULONGLONG Base, ULONGLONG Pages);

NTSTATUS WDM_CALL IommuProviderStart(const WdmPlatform* platform)
{
    return iommu::driver::start(platform);
}
VOID WDM_CALL IommuProviderStop(void)
{
    iommu::driver::stop();
}
NTSTATUS WDM_CALL IoGetIommuInterface(ULONG Version, PDMA_IOMMU_INTERFACE Out)
{
    const auto status = iommu::driver::get_interface(Version, Out);
    if (NT_SUCCESS(status)) {
        reference_unmap = Out->UnmapLogicalRange;
        Out->UnmapLogicalRange = EXAMPLE_MISTAKE == 4 ? nullptr : Unmap;
    }
    return status;
}
NTSTATUS WDM_CALL IoGetIommuInterfaceEx(ULONG Version, ULONGLONG Flags,
                                        PDMA_IOMMU_INTERFACE_EX Out)
{
    const auto status = iommu::driver::get_interface_ex(Version, Flags, Out);
    if (NT_SUCCESS(status)) {  // the same slot in all three versions
        reference_unmap = Out->V1.UnmapLogicalRange;
        Out->V1.UnmapLogicalRange = EXAMPLE_MISTAKE == 4 ? nullptr : Unmap;
    }
#if EXAMPLE_MISTAKE == 2
    static PIOMMU_DOMAIN_DETACH_DEVICE_EX detach;
    if (NT_SUCCESS(status) && Version >= 2) {
        detach = Out->V2.DetachDeviceEx;
        Out->V2.DetachDeviceEx = [](PIOMMU_DMA_DEVICE Device) -> NTSTATUS {
            return NT_SUCCESS(detach(Device)) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
        };
    }
#elif EXAMPLE_MISTAKE == 3
    if (NT_SUCCESS(status) && Version < 3) {
        Out->V3.QueryDeviceInfo = nullptr;
    }
#endif
    return status;
}
static NTSTATUS WDM_CALL Unmap(PIOMMU_DMA_DOMAIN Domain, ULONGLONG Base, ULONGLONG Pages)
{
#if EXAMPLE_MISTAKE == 1
    return STATUS_SUCCESS;
#elif EXAMPLE_MISTAKE == 5
    __builtin_trap();
#elif EXAMPLE_MISTAKE == 6
    for (volatile bool forever = true; forever;) {
    }
#endif
    return reference_unmap(Domain, Base, Pages);
}
