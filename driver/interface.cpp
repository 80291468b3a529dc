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

DMA_IOMMU_INTERFACE_V2 table_v2()
{
    DMA_IOMMU_INTERFACE_V2 t{CreateDomainEx,
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
                             DeleteDevice};
    if (mutant(Mutant::MissingSlot)) {
        t.UnmapReservedLogicalRange = nullptr;
    }
    return t;
}

DMA_IOMMU_INTERFACE_V3 table_v3()
{
    DMA_IOMMU_INTERFACE_V3 t{};
    const auto v2 = table_v2();
    // V3's first 22 slots are V2's.
    __builtin_memcpy(&t, &v2, sizeof(v2));
    t.CreatePasidDevice = CreatePasidDevice;
    t.DeletePasidDevice = DeletePasidDevice;
    t.AttachPasidDevice = AttachPasidDevice;
    t.DetachPasidDevice = DetachPasidDevice;
    t.QueryDeviceInfo = QueryDeviceInfo;
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

NTSTATUS get_interface(ULONG Version, PDMA_IOMMU_INTERFACE InterfaceOut)
{
    require_irql(*system(), "IoGetIommuInterface", PASSIVE_LEVEL);
    if (Version != DMA_IOMMU_INTERFACE_VERSION_1 && !mutant(Mutant::VersionUnchecked)) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (InterfaceOut == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    auto v1 = table_v1();
    if (mutant(Mutant::SlotOrder)) {
        page_order(v1);
    }
    InterfaceOut->Version = DMA_IOMMU_INTERFACE_VERSION_1;
    __builtin_memcpy(&InterfaceOut->CreateDomain, &v1, sizeof(v1));
    return STATUS_SUCCESS;
}

// [S] Not one byte beyond the requested version's table: a caller built before V3 owns
// only 0xC0 bytes, and cannot say so.
NTSTATUS get_interface_ex(ULONG Version, ULONGLONG Flags,
                          PDMA_IOMMU_INTERFACE_EX InterfaceOut)
{
    require_irql(*system(), "IoGetIommuInterfaceEx", PASSIVE_LEVEL);
    const auto refused =
        mutant(Mutant::VersionStatus) ? STATUS_NOT_SUPPORTED : STATUS_INVALID_PARAMETER_1;
    if (Version < DMA_IOMMU_INTERFACE_EX_VERSION_MIN ||
        Version > DMA_IOMMU_INTERFACE_EX_VERSION_MAX) {
        return refused;
    }
    if (Flags != 0 && !mutant(Mutant::ExFlagsUnchecked)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (InterfaceOut == nullptr) {
        return STATUS_INVALID_PARAMETER_3;
    }
    if (mutant(Mutant::ClearsWholeTable)) {
        *InterfaceOut = {};
    }
    InterfaceOut->Version = Version;
    if (Version == DMA_IOMMU_INTERFACE_EX_VERSION_1) {
        InterfaceOut->V1 = table_v1();
        InterfaceOut->Size = DMA_IOMMU_INTERFACE_EX_SIZE_V1;
    } else if (Version == DMA_IOMMU_INTERFACE_EX_VERSION_2) {
        InterfaceOut->V2 = table_v2();
        InterfaceOut->Size = DMA_IOMMU_INTERFACE_EX_SIZE_V2;
    } else {
        InterfaceOut->V3 = table_v3();
        InterfaceOut->Size = DMA_IOMMU_INTERFACE_EX_SIZE_V3;
    }
    if (mutant(Mutant::SizeOfUnion)) {
        InterfaceOut->Size = sizeof(DMA_IOMMU_INTERFACE_EX);
    }
    if (mutant(Mutant::VersionNotWritten)) {
        InterfaceOut->Version = DMA_IOMMU_INTERFACE_EX_VERSION_MAX;
    }
    return STATUS_SUCCESS;
}

}  // namespace iommu::driver
