// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/callbacks/page.hpp"

#include <cstring>
#include <iostream>

namespace iommu::contract::callbacks {

namespace {

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

void write_head(std::ostream& out)
{
    out << ".. SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".. Written by: winiommu-callbacks.\n\n"
           "Which rule shows a callback by DMA\n==================================\n\n"
           "Each rule runs on the three simulated machines; a DMA is put to the account "
           "of the callback\nthat last succeeded before it.  Rules: "
           "docs/conformance/rules.rst.\n\n"
           ".. list-table::\n   :header-rows: 1\n\n"
           "   * - callback\n     - of\n     - data moved, rules\n"
           "     - access blocked, rules\n";
}

bool write_row(std::ostream& out, const Row& row, const Shown& shown)
{
    const bool seen = !shown.moved.empty() || !shown.blocked.empty();
    const char* reason = reason_of(row.callback);
    const auto moved = seen ? list(shown.moved) : reason == nullptr ? "none" : reason;
    out << "   * - " << row.callback << "\n     - " << row.versions << "\n     - "
        << moved << "\n     - " << list(shown.blocked) << "\n";
    if (!seen && reason == nullptr) {
        std::cerr << row.callback << ": no rule moves or blocks DMA right after it, and "
                  << "there is no reason why\n";
        return false;
    }
    return true;
}

}  // namespace

bool write_page(std::ostream& out, Watch& watch, std::set<std::string> tapped)
{
    bool good = true;
    write_head(out);
    for (const auto& row : rows) {
        good = write_row(out, row, watch.of(row.callback)) && good;
        tapped.erase(row.callback);
    }
    out << absent;
    for (const auto& name : tapped) {
        std::cerr << name << " is not on the page\n";
        good = false;
    }
    return good;
}

}  // namespace iommu::contract::callbacks
