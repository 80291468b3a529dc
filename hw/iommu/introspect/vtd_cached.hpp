// SPDX-License-Identifier: GPL-2.0-or-later
// What a VT-d unit's context cache, PASID-cache and IOTLB, and the asking thread's last
// tables, hold for one request (VT-d 6.2 "Address Translation Caches"), looked at and
// left as it is.
#pragma once

#include <optional>

#include "hw/iommu/introspect/cached.hpp"
#include "hw/iommu/vtd/translator.hpp"

namespace iommu::vtd {

class Caches {
public:
    Caches(Translator& engine, SourceId source, Substream substream);

    // The plan that a request would find; empty: it would read the tables.
    const std::optional<Plan>& plan() const { return plan_; }
    // Beside the last of the structures.  `now`: what these amount to at this moment.
    void tell_plan(introspect::Story& story, const std::optional<Plan>& now) const;
    // What the IOTLB holds under `plan` for `address`.
    bool lookup(const Plan& plan, std::uint64_t address, Tlb::Hit& hit) const;
    // What the asking thread keeps of the tables for `address`.  `now`: what these map.
    void tell_last_table(introspect::Story& story, std::uint64_t address,
                         const std::optional<introspect::Mapped>& now) const;
    // Of this requester; nullptr: no access of it was seen.
    const Stream* stream() const;

private:
    Translator& engine_;
    Translator::Requester* requester_;
    std::optional<Plan> plan_;
};

}  // namespace iommu::vtd
