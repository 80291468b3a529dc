// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3.1 "Stream table lookup", 3.3.2 "StreamIDs to Context Descriptors": from a
// stream and substream to all that a translation needs, checked (5.2.2, 5.4.2).
#pragma once

#include "hw/iommu/smmuv3/spec/cd.hpp"
#include "hw/iommu/smmuv3/spec/ste.hpp"
#include "hw/iommu/smmuv3/stages.hpp"
#include "hw/iommu/smmuv3/stream_entry.hpp"
#include "hw/iommu/smmuv3/types.hpp"

namespace iommu::smmu {

// Where a lookup looked, in this order; what it did not come to stays empty.
struct LookupTrace {
    std::optional<Gpa> l1std{}, ste{};
    SecondStage s2{};  // that l1cd and cd, intermediate addresses, went through
    std::optional<Ipa> l1cd{}, cd{};
};

// SMMU 5.1, 7.3.3, 7.3.4: linear and two-level tables, C_BAD_STREAMID, F_STE_FETCH.
// `trace` may be nullptr.
Expected<Ste, Problem> fetch_ste(GuestMemory& memory, const StreamTable& table,
                                 unsigned sid_bits, StreamId stream, LookupTrace* trace);

// SMMU 5.2.2 "Validity of STE".
bool illegal(const Ste& ste, const Capabilities& built);

// SMMU 5.4.2 "Validity of CD".
bool illegal(const Cd& cd, const Capabilities& built);

// The whole lookup.  Everything it reads, it reads now: caching is the caller's.
Expected<Context, Problem> lookup_context(GuestMemory& memory, const Capabilities& built,
                                          const StreamTable& table, StreamId stream,
                                          Substream substream,
                                          LookupTrace* trace = nullptr);

}  // namespace iommu::smmu
