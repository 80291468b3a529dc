// SPDX-License-Identifier: GPL-2.0-or-later
// Entries of several doublewords, which software replaces at once while we read them.
#pragma once

#include "iommu/expected.hpp"
#include "iommu/memory.hpp"

namespace iommu::vtd {

// Two readings that agree are of one version; software that keeps changing the entry gets
// one of its versions after a bounded number of tries.
template <typename T>
Expected<T, MemoryAbort> fetch_entry(GuestMemory& memory, Gpa at)
{
    auto entry = memory.fetch<T>(at);
    for (unsigned retries = 16; entry && retries > 0; --retries) {
        const auto again = memory.fetch<T>(at);
        if (!again || again->dword == entry->dword) {
            return again;
        }
        entry = again;
    }
    return entry;
}

}  // namespace iommu::vtd
