// SPDX-License-Identifier: GPL-2.0-or-later
// What the SMMUv3 would do with an access, and why, step by step.
#pragma once

#include "hw/iommu/introspect/json.hpp"
#include "hw/iommu/smmuv3/types.hpp"

namespace iommu::introspect {

// The fields of an event record.
void write_record(Json& json, smmu::EventId id,
                  const std::array<std::uint64_t, 4>& words);
// The event record as software finds it: name, number, raw, fields.
void write_event(Json& json, const smmu::Fault& fault, unsigned oas_bits);

struct SmmuWorld {
    const smmu::Capabilities& built;
    smmu::Settings settings{};
    GuestMemory& memory;
};

// Members of an object: steps, verdict.
void walk(Json& json, const SmmuWorld& world, StreamId stream, const Transaction& access);
// Members of an object: the stream table, STE and CD entries alone.
void configuration(Json& json, const SmmuWorld& world, StreamId stream,
                   Substream substream);

}  // namespace iommu::introspect
