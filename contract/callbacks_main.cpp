// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-callbacks: which rule shows, by DMA, what a callback did.  Every rule runs on
// every simulated machine with the provider's functions tapped; a DMA that was moved or
// blocked is put to the account of the callback that last succeeded before it.  Prints
// docs/conformance/callbacks.rst; fails when a callback has neither a rule nor a reason.
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "contract/sim/machine.hpp"
#include "contract/test.hpp"

namespace {

using namespace iommu::contract;

struct Shown {
    std::set<unsigned> moved, blocked;
};

// What the display port driver has for miniports besides, and the model does not.
constexpr const char* absent =
    "\nNot in the model\n----------------\n\n"
    "* DxgkCbPinFrameBufferForSave, DxgkCbPinFrameBufferForSave2, "
    "DxgkCbUnpinFrameBufferForSave,\n  DxgkCbMapFrameBufferPointer, "
    "DxgkCbUnmapFrameBufferPointer: the model adapter has no frame\n  buffer whose "
    "content could be saved; no rule speaks of them.  Their argument structures are\n  "
    "in ``include/wdm/dxgk_iommu.h``.\n"
    "* MapPhysicalMemory for user mode: the suite's machines have no user mode; the "
    "answer is\n  STATUS_NOT_SUPPORTED.\n"
    "* Section objects: pages without a file behind them; no access of a device tells "
    "the difference.\n";

// Why a callback has no rule of that kind.
constexpr struct {
    const char* callback;
    const char* reason;
} reasons[] = {
    {"QueryInputMappings", "answers a question; no access depends on it"},
    {"QueryAvailableDomainTypes", "answers a question; no access depends on it"},
    {"QueryDeviceInfo", "answers a question; no access depends on it"},
    {"RegisterInterfaceStateChangeCallback", "asks to be told; no access depends on it"},
    {"UnregisterInterfaceStateChangeCallback",
     "asks not to be told; no access depends on it"},
    {"CreateDomain", "a domain is reached only after AttachDevice"},
    {"CreateDomainEx", "a domain is reached only after AttachDeviceEx"},
    {"CreatePasidDevice", "no access changes before AttachPasidDevice"},
    {"DeletePasidDevice", "must be detached before: DetachPasidDevice blocks it"},
    {"CreatePhysicalMemoryObject",
     "memory has no address for a device before AllocateAdl"},
    {"OpenPhysicalMemoryObject", "memory has no address for a device before AllocateAdl"},
    {"ClosePhysicalMemoryObject", "its lists must be freed before: FreeAdl blocks them"},
    {"DestroyPhysicalMemoryObject",
     "its lists must be freed before: FreeAdl blocks them"},
    {"DxgkDdiBeginExclusiveAccess",
     "the miniport's: until EndExclusiveAccess its devices are quiet"},
    {"SetDeviceFaultReportingEx",
     "always answers STATUS_NOT_IMPLEMENTED, so there is no success to observe"},
};

class Watch {
public:
    void rule(unsigned number)
    {
        number_ = number;
        last_ = nullptr;
        raced_ = false;
        during_ = {};
    }
    void succeeded(const char* callback)
    {
        const std::lock_guard guard(lock_);
        last_ = callback;
    }
    void accessed(bool moved)
    {
        const std::lock_guard guard(lock_);
        if (last_ != nullptr) {
            (moved ? during_[last_].moved : during_[last_].blocked).insert(number_);
        }
    }
    void raced() { raced_ = true; }
    // Of a rule in which threads race, nothing is kept: the order differs from run to
    // run.
    void keep()
    {
        for (const auto& [callback, shown] : during_) {
            if (!raced_) {
                auto& all = shown_[callback];
                all.moved.insert(shown.moved.begin(), shown.moved.end());
                all.blocked.insert(shown.blocked.begin(), shown.blocked.end());
            }
        }
    }
    const Shown& of(const std::string& callback) { return shown_[callback]; }

private:
    std::mutex lock_;
    unsigned number_ = 0;
    const char* last_ = nullptr;
    bool raced_ = false;
    std::map<std::string, Shown> during_, shown_;
};
Watch watch;

std::set<std::string> tapped;  // callbacks the provider has

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

struct Row {
    const char* callback;
    const char* versions;
};
constexpr Row rows[] = {
    {"CreateDomain", "V1"},
    {"DeleteDomain", "V1 V2 V3"},
    {"AttachDevice", "V1"},
    {"DetachDevice", "V1"},
    {"FlushDomain", "V1 V2 V3"},
    {"FlushDomainByVaList", "V1 V2 V3"},
    {"QueryInputMappings", "V1 V2 V3"},
    {"MapLogicalRange", "V1"},
    {"UnmapLogicalRange", "V1 V2 V3"},
    {"MapIdentityRange", "V1"},
    {"UnmapIdentityRange", "V1"},
    {"SetDeviceFaultReporting", "V1"},
    {"ConfigureDomain", "V1 V2 V3"},
    {"CreateDomainEx", "V2 V3"},
    {"AttachDeviceEx", "V2 V3"},
    {"DetachDeviceEx", "V2 V3"},
    {"MapLogicalRangeEx", "V2 V3"},
    {"MapIdentityRangeEx", "V2 V3"},
    {"UnmapIdentityRangeEx", "V2 V3"},
    {"SetDeviceFaultReportingEx", "V2 V3"},
    {"QueryAvailableDomainTypes", "V2 V3"},
    {"RegisterInterfaceStateChangeCallback", "V2 V3"},
    {"UnregisterInterfaceStateChangeCallback", "V2 V3"},
    {"ReserveLogicalAddressRange", "V2 V3"},
    {"FreeReservedLogicalAddressRange", "V2 V3"},
    {"MapReservedLogicalRange", "V2 V3"},
    {"UnmapReservedLogicalRange", "V2 V3"},
    {"CreateDevice", "V2 V3"},
    {"DeleteDevice", "V2 V3"},
    {"CreatePasidDevice", "V3"},
    {"DeletePasidDevice", "V3"},
    {"AttachPasidDevice", "V3"},
    {"DetachPasidDevice", "V3"},
    {"QueryDeviceInfo", "V3"},
    {"MapMdlToIommu", "DXGKCB"},
    {"UnmapMdlFromIommu", "DXGKCB"},
    {"AllocatePagesForMdl", "DXGKCB"},
    {"FreePagesFromMdl", "DXGKCB"},
    {"AllocateContiguousMemory", "DXGKCB"},
    {"FreeContiguousMemory", "DXGKCB"},
    {"CreatePhysicalMemoryObject", "DXGKCB"},
    {"DestroyPhysicalMemoryObject", "DXGKCB"},
    {"OpenPhysicalMemoryObject", "DXGKCB"},
    {"ClosePhysicalMemoryObject", "DXGKCB"},
    {"MapPhysicalMemory", "DXGKCB"},
    {"UnmapPhysicalMemory", "DXGKCB"},
    {"AllocateAdl", "DXGKCB"},
    {"FreeAdl", "DXGKCB"},
    {"DxgkDdiBeginExclusiveAccess", "DXGKDDI"},
    {"DxgkDdiEndExclusiveAccess", "DXGKDDI"},
};

bool untapped = false;

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

// Every slot of a table must be tapped: one that is not would be missing below.
template <typename Table>
void tap_all(Table& table, const char* name, unsigned spare)
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
        untapped = true;
    }
}

// --- the provider, tapped; V2 is left as it is: its slots are V3's

NTSTATUS WDM_CALL tapped_interface(ULONG Version, PDMA_IOMMU_INTERFACE Out)
{
    return IoGetIommuInterface(Version, Out);
}

NTSTATUS WDM_CALL tapped_interface_ex(ULONG Version, ULONGLONG Flags,
                                      PDMA_IOMMU_INTERFACE_EX Out)
{
    const auto status = IoGetIommuInterfaceEx(Version, Flags, Out);
    if (NT_SUCCESS(status) && Version == DMA_IOMMU_INTERFACE_EX_VERSION_1) {
        tap_all(Out->V1, "V1", 0);
    } else if (NT_SUCCESS(status) && Version == DMA_IOMMU_INTERFACE_EX_VERSION_3) {
        tap_all(Out->V3, "V3", 0);
    }
    return status;
}

const WdmDisplay* WDM_CALL tapped_display()
{
    static WdmDisplay display;
    display = *IommuProviderDisplay();
    tap_all(display, "the display port driver", 2);  // StartAdapter and StopAdapter
    return &display;
}

class Watched final : public sim::Machine {
public:
    explicit Watched(Kind kind)
        : sim::Machine({IommuProviderStart, IommuProviderStop, tapped_interface,
                        tapped_interface_ex, tapped_display},
                       {.kind = kind})
    {
    }
    bool dma(const Dma& what, std::uint64_t& value) override
    {
        const bool moved = sim::Machine::dma(what, value);
        watch.accessed(moved);
        return moved;
    }
    void together(Routine a, Routine b, void* argument) override
    {
        watch.raced();
        sim::Machine::together(a, b, argument);
    }
};

void run_all(Kind kind)
{
    const auto all = all_rules();
    for (std::size_t i = 0; i < all.count; ++i) {
        const auto& rule = all.rule[i];
        Watched machine(kind);
        if (rule.check == nullptr || machine.start() != nullptr) {
            continue;
        }
        char message[1024];
        watch.rule(rule.number);
        Test test(machine, message, sizeof(message));
        rule.check(test);
        if (test.outcome(rule.tag) == Outcome::Passed) {
            watch.keep();
        }
        machine.stop();
    }
}

const char* reason_of(const char* callback)
{
    for (const auto& r : reasons) {
        if (std::strcmp(r.callback, callback) == 0) {
            return r.reason;
        }
    }
    return nullptr;
}

// The first few, and how many more.
std::string list(const std::set<unsigned>& rules)
{
    constexpr unsigned shown = 6;
    std::string text;
    unsigned n = 0;
    for (const auto rule : rules) {
        if (n++ < shown) {
            text += (text.empty() ? "" : ", ") + std::to_string(rule);
        }
    }
    if (n > shown) {
        text += " and " + std::to_string(n - shown) + " more";
    }
    return text.empty() ? "\\-" : text;
}

}  // namespace

int main()
{
    for (const auto kind : all_kinds) {
        run_all(kind);
    }
    std::cout
        << ".. SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".. Written by: winiommu-callbacks.\n\n"
           "Which rule shows a callback by DMA\n==================================\n\n"
           "Each rule runs on the three simulated machines; a DMA is put to the account "
           "of the callback\nthat last succeeded before it.  Rules: "
           "docs/conformance/rules.rst.\n\n"
           ".. list-table::\n   :header-rows: 1\n\n"
           "   * - callback\n     - of\n     - data moved, rules\n"
           "     - access blocked, rules\n";
    int status = untapped ? 1 : 0;
    for (const auto& row : rows) {
        const auto& shown = watch.of(row.callback);
        const bool seen = !shown.moved.empty() || !shown.blocked.empty();
        const char* reason = reason_of(row.callback);
        std::cout << "   * - " << row.callback << "\n     - " << row.versions
                  << "\n     - "
                  << (seen                ? list(shown.moved)
                      : reason == nullptr ? "none"
                                          : reason)
                  << "\n     - " << list(shown.blocked) << "\n";
        if (!seen && reason == nullptr) {
            std::cerr << row.callback
                      << ": no rule moves or blocks DMA right after it, and "
                      << "there is no reason why\n";
            status = 1;
        }
    }
    std::cout << absent;
    for (const auto& row : rows) {
        tapped.erase(row.callback);
    }
    for (const auto& name : tapped) {
        std::cerr << name << " is not on the page\n";
        status = 1;
    }
    return status;
}
