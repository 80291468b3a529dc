// SPDX-License-Identifier: GPL-2.0-or-later
// What the VT-d unit would do with an access, and why, step by step.
#pragma once

#include "hw/iommu/introspect/json.hpp"
#include "hw/iommu/vtd/capabilities.hpp"
#include "hw/iommu/vtd/fault.hpp"
#include "hw/iommu/vtd/plan.hpp"
#include "hw/iommu/vtd/translator.hpp"
#include "iommu/memory.hpp"

namespace iommu::introspect {

// The fault record as software finds it: name, number, raw, fields.
void write_fault(Json& json, const vtd::Fault& fault);
void write_fault(Json& json, const vtd::InterruptFault& fault);
// The fields of a fault record.
void write_record(Json& json, vtd::FaultReason reason,
                  const std::array<std::uint64_t, 2>& words);

struct VtdWorld {
    const vtd::Configuration& built;
    vtd::Settings settings{};
    GuestMemory& memory;
    vtd::Translator& engine;  // whose caches are shown
};

// Members of an object: steps, stale, verdict.
void walk(Json& json, const VtdWorld& world, SourceId source, const Transaction& access);
// Members of an object: the root, context and PASID entries alone.
void configuration(Json& json, const VtdWorld& world, SourceId source,
                   Substream substream);

}  // namespace iommu::introspect
