// SPDX-License-Identifier: GPL-2.0-or-later
// IoGetIommuInterface and IoGetIommuInterfaceEx: the tables.
#include "driver/reference.hpp"
#include "driver/slots.hpp"
#include "driver/system.hpp"

namespace iommu::driver {

static System* instance = nullptr;

System* system()
{
    return instance;
}

void install(System* s)
{
    instance = s;
}

namespace {

DMA_IOMMU_INTERFACE_V1 table_v1()
{
    DMA_IOMMU_INTERFACE_V1 t{
        CreateDomain,       DeleteDomain,       AttachDevice,
        DetachDevice,       FlushDomain,        FlushDomainByVaList,
        QueryInputMappings, MapLogicalRange,    UnmapLogicalRange,
        MapIdentityRange,   UnmapIdentityRange, SetDeviceFaultReporting,
        ConfigureDomain};
    return t;
}

DMA_IOMMU_INTERFACE_V3 table_v3()
{
    DMA_IOMMU_INTERFACE_V3 t{CreateDomainEx,
                             DeleteDomain,
                             AttachDeviceEx,
                             DetachDeviceEx,
                             FlushDomain,
                             FlushDomainByVaList,
                             QueryInputMappings,
                             MapLogicalRangeEx,
                             UnmapLogicalRange,
                             MapIdentityRangeEx,
                             UnmapIdentityRangeEx,
                             SetDeviceFaultReportingEx,
                             ConfigureDomain,
                             QueryAvailableDomainTypes,
                             RegisterInterfaceStateChangeCallback,
                             UnregisterInterfaceStateChangeCallback,
                             ReserveLogicalAddressRange,
                             FreeReservedLogicalAddressRange,
                             MapReservedLogicalRange,
                             UnmapReservedLogicalRange,
                             CreateDevice,
                             DeleteDevice,
                             CreatePasidDevice,
                             DeletePasidDevice,
                             AttachPasidDevice,
                             DetachPasidDevice,
                             QueryDeviceInfo};
    if (mutant(Mutant::MissingSlot)) {
        t.UnmapReservedLogicalRange = nullptr;
    }
    return t;
}

// The order in which the reference page of DMA_IOMMU_INTERFACE lists the members.
void page_order(DMA_IOMMU_INTERFACE_V1& t)
{
    void* slot[13];
    __builtin_memcpy(slot, &t, sizeof(slot));
    void* moved[13];
    for (unsigned i = 0; i < 13; ++i) {
        moved[i] = i < 4 ? slot[i] : i == 4 ? slot[12] : slot[i - 1];
    }
    __builtin_memcpy(&t, moved, sizeof(moved));
}

}  // namespace

WdmSlots slots()
{
    return {table_v1(), table_v3()};
}

NTSTATUS get_interface(ULONG Version, PDMA_IOMMU_INTERFACE InterfaceOut)
{
    require_irql(*system(), "IoGetIommuInterface", PASSIVE_LEVEL);
    auto all = slots();
    if (mutant(Mutant::SlotOrder)) {
        page_order(all.v1);
    }
    if (mutant(Mutant::VersionUnchecked)) {
        Version = DMA_IOMMU_INTERFACE_VERSION_1;
    }
    return wdm_get_interface(&all, Version, InterfaceOut);
}

NTSTATUS get_interface_ex(ULONG Version, ULONGLONG Flags,
                          PDMA_IOMMU_INTERFACE_EX InterfaceOut)
{
    require_irql(*system(), "IoGetIommuInterfaceEx", PASSIVE_LEVEL);
    if (mutant(Mutant::ClearsWholeTable) && InterfaceOut != nullptr) {
        *InterfaceOut = {};
    }
    if (mutant(Mutant::ExFlagsUnchecked)) {
        Flags = 0;
    }
    const auto all = slots();
    const auto status = wdm_get_interface_ex(&all, Version, Flags, InterfaceOut);
    if (mutant(Mutant::VersionStatus) && status == STATUS_INVALID_PARAMETER_1) {
        return STATUS_NOT_SUPPORTED;
    }
    if (mutant(Mutant::SizeOfUnion) && NT_SUCCESS(status)) {
        InterfaceOut->Size = sizeof(DMA_IOMMU_INTERFACE_EX);
    }
    if (mutant(Mutant::VersionNotWritten) && NT_SUCCESS(status)) {
        InterfaceOut->Version = DMA_IOMMU_INTERFACE_EX_VERSION_MAX;
    }
    return status;
}

}  // namespace iommu::driver
