// SPDX-License-Identifier: GPL-2.0-or-later
// What the SMMUv3 would do with an access, and why, step by step.
#pragma once

#include "hw/iommu/introspect/json.hpp"
#include "hw/iommu/smmuv3/translator.hpp"
#include "hw/iommu/smmuv3/types.hpp"
#include "iommu/device.hpp"

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
    const smmu::Translator& engine;  // whose caches are shown
};

// Members of an object: steps, stale, verdict.  `entry` and `stream` of the requester;
// nullptr: no access of it was seen.
struct SmmuRequester {
    StreamId id{};
    const smmu::StreamEntry* entry = nullptr;
    const Stream* stream = nullptr;
};
void walk(Json& json, const SmmuWorld& world, const SmmuRequester& of,
          const Transaction& access);
// Members of an object: the stream table, STE and CD entries alone.
void configuration(Json& json, const SmmuWorld& world, StreamId stream,
                   Substream substream);

}  // namespace iommu::introspect
