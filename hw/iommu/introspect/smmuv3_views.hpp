// SPDX-License-Identifier: GPL-2.0-or-later
// The questions an SMMUv3 answers, each with the keys it knows.
#pragma once

#include <algorithm>

#include "hw/iommu/introspect/caches.hpp"
#include "hw/iommu/introspect/faults.hpp"
#include "hw/iommu/introspect/questions.hpp"
#include "hw/iommu/introspect/queues.hpp"
#include "hw/iommu/introspect/smmuv3_walk.hpp"
#include "hw/iommu/smmuv3/device.hpp"

namespace iommu::smmu {

class Smmuv3::Views {
public:
    explicit Views(Smmuv3& smmu) : smmu_(smmu) {}

    // As Device::ask.
    bool answer(std::string_view topic, std::string_view text, std::string& to);

private:
    using Json = introspect::Json;
    using Arguments = introspect::Arguments;

    // smmuv3.cpp
    void walk(Arguments& arguments, Json& json);
    void stream(Arguments& arguments, Json& json);
    void tlb(Arguments& arguments, Json& json);
    StreamId stream_id(Arguments& arguments) const;
    introspect::SmmuWorld world() const
    {
        return {smmu_.configuration_.capabilities, smmu_.settings(), smmu_.memory_,
                smmu_.engine_};
    }

    // smmuv3_queues.cpp
    void queues(Json& json);
    void command_queue(Json& json);
    void event_queue(Json& json);
    void stats(Json& json, introspect::EventName name);

    Smmuv3& smmu_;
};

}  // namespace iommu::smmu
