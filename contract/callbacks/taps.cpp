// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/callbacks/taps.hpp"

#include <cstring>
#include <iostream>
#include <type_traits>

namespace iommu::contract::callbacks {

Watch watch;
std::set<std::string> tapped;

namespace {

// Stands in the slot `Member` of a table and passes calls on.
template <auto Member, typename Type = decltype(Member)>
struct Tap;
template <auto Member, typename Table, typename Result, typename... Arguments>
struct Tap<Member, Result (*Table::*)(Arguments...)> {
    static inline Result (*real)(Arguments...) = nullptr;
    static inline const char* name = nullptr;

    static Result call(Arguments... arguments)
    {
        if constexpr (std::is_void_v<Result>) {
            real(arguments...);
            watch.succeeded(name);
        } else {
            const auto result = real(arguments...);
            if (NT_SUCCESS(result)) {
                watch.succeeded(name);
            }
            return result;
        }
    }
    static void into(Table& table, const char* callback)
    {
        if (table.*Member != nullptr && table.*Member != call) {
            real = table.*Member;
            name = callback;
            table.*Member = call;
            tapped.insert(callback);
        }
    }
};

void tap(DMA_IOMMU_INTERFACE_V1& t)
{
    using T = DMA_IOMMU_INTERFACE_V1;
    Tap<&T::CreateDomain>::into(t, "CreateDomain");
    Tap<&T::DeleteDomain>::into(t, "DeleteDomain");
    Tap<&T::AttachDevice>::into(t, "AttachDevice");
    Tap<&T::DetachDevice>::into(t, "DetachDevice");
    Tap<&T::FlushDomain>::into(t, "FlushDomain");
    Tap<&T::FlushDomainByVaList>::into(t, "FlushDomainByVaList");
    Tap<&T::QueryInputMappings>::into(t, "QueryInputMappings");
    Tap<&T::MapLogicalRange>::into(t, "MapLogicalRange");
    Tap<&T::UnmapLogicalRange>::into(t, "UnmapLogicalRange");
    Tap<&T::MapIdentityRange>::into(t, "MapIdentityRange");
    Tap<&T::UnmapIdentityRange>::into(t, "UnmapIdentityRange");
    Tap<&T::SetDeviceFaultReporting>::into(t, "SetDeviceFaultReporting");
    Tap<&T::ConfigureDomain>::into(t, "ConfigureDomain");
}

void tap(DMA_IOMMU_INTERFACE_V3& t)
{
    using T = DMA_IOMMU_INTERFACE_V3;
    Tap<&T::CreateDomainEx>::into(t, "CreateDomainEx");
    Tap<&T::DeleteDomain>::into(t, "DeleteDomain");
    Tap<&T::AttachDeviceEx>::into(t, "AttachDeviceEx");
    Tap<&T::DetachDeviceEx>::into(t, "DetachDeviceEx");
    Tap<&T::FlushDomain>::into(t, "FlushDomain");
    Tap<&T::FlushDomainByVaList>::into(t, "FlushDomainByVaList");
    Tap<&T::QueryInputMappings>::into(t, "QueryInputMappings");
    Tap<&T::MapLogicalRangeEx>::into(t, "MapLogicalRangeEx");
    Tap<&T::UnmapLogicalRange>::into(t, "UnmapLogicalRange");
    Tap<&T::MapIdentityRangeEx>::into(t, "MapIdentityRangeEx");
    Tap<&T::UnmapIdentityRangeEx>::into(t, "UnmapIdentityRangeEx");
    Tap<&T::SetDeviceFaultReportingEx>::into(t, "SetDeviceFaultReportingEx");
    Tap<&T::ConfigureDomain>::into(t, "ConfigureDomain");
    Tap<&T::QueryAvailableDomainTypes>::into(t, "QueryAvailableDomainTypes");
    Tap<&T::RegisterInterfaceStateChangeCallback>::into(
        t, "RegisterInterfaceStateChangeCallback");
    Tap<&T::UnregisterInterfaceStateChangeCallback>::into(
        t, "UnregisterInterfaceStateChangeCallback");
    Tap<&T::ReserveLogicalAddressRange>::into(t, "ReserveLogicalAddressRange");
    Tap<&T::FreeReservedLogicalAddressRange>::into(t, "FreeReservedLogicalAddressRange");
    Tap<&T::MapReservedLogicalRange>::into(t, "MapReservedLogicalRange");
    Tap<&T::UnmapReservedLogicalRange>::into(t, "UnmapReservedLogicalRange");
    Tap<&T::CreateDevice>::into(t, "CreateDevice");
    Tap<&T::DeleteDevice>::into(t, "DeleteDevice");
    Tap<&T::CreatePasidDevice>::into(t, "CreatePasidDevice");
    Tap<&T::DeletePasidDevice>::into(t, "DeletePasidDevice");
    Tap<&T::AttachPasidDevice>::into(t, "AttachPasidDevice");
    Tap<&T::DetachPasidDevice>::into(t, "DetachPasidDevice");
    Tap<&T::QueryDeviceInfo>::into(t, "QueryDeviceInfo");
}

void tap(WdmDisplay& t)
{
    using T = WdmDisplay;
    Tap<&T::MapMdlToIommu>::into(t, "MapMdlToIommu");
    Tap<&T::UnmapMdlFromIommu>::into(t, "UnmapMdlFromIommu");
    Tap<&T::AllocatePagesForMdl>::into(t, "AllocatePagesForMdl");
    Tap<&T::FreePagesFromMdl>::into(t, "FreePagesFromMdl");
    Tap<&T::AllocateContiguousMemory>::into(t, "AllocateContiguousMemory");
    Tap<&T::FreeContiguousMemory>::into(t, "FreeContiguousMemory");
    Tap<&T::CreatePhysicalMemoryObject>::into(t, "CreatePhysicalMemoryObject");
    Tap<&T::DestroyPhysicalMemoryObject>::into(t, "DestroyPhysicalMemoryObject");
    Tap<&T::OpenPhysicalMemoryObject>::into(t, "OpenPhysicalMemoryObject");
    Tap<&T::ClosePhysicalMemoryObject>::into(t, "ClosePhysicalMemoryObject");
    Tap<&T::MapPhysicalMemory>::into(t, "MapPhysicalMemory");
    Tap<&T::UnmapPhysicalMemory>::into(t, "UnmapPhysicalMemory");
    Tap<&T::AllocateAdl>::into(t, "AllocateAdl");
    Tap<&T::FreeAdl>::into(t, "FreeAdl");
    // The two are the miniport's; the switch they surround is over when this returns.
    Tap<&T::SwitchIsolation>::into(t, "DxgkDdiEndExclusiveAccess");
}

// Every slot of a table must be tapped: one that is not would be missing.
template <typename Table>
bool tap_all(Table& table, const char* name, unsigned spare)
{
    constexpr auto slots = sizeof(Table) / sizeof(void*);
    void *before[slots], *after[slots];
    std::memcpy(before, &table, sizeof(table));
    tap(table);
    std::memcpy(after, &table, sizeof(table));
    unsigned left = 0;
    for (std::size_t i = 0; i < slots; ++i) {
        left += before[i] == after[i] ? 1 : 0;
    }
    if (left != spare) {
        std::cerr << name << ": " << left << " slots are not tapped\n";
        return false;
    }
    return true;
}

}  // namespace

bool tap_all(DMA_IOMMU_INTERFACE_V1& table)
{
    return tap_all(table, "V1", 0);
}

bool tap_all(DMA_IOMMU_INTERFACE_V3& table)
{
    return tap_all(table, "V3", 0);
}

bool tap_all(WdmDisplay& table)
{
    return tap_all(table, "the display port driver", 2);  // StartAdapter and StopAdapter
}

}  // namespace iommu::contract::callbacks
