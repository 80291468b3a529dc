// SPDX-License-Identifier: GPL-2.0-or-later
// The questions a VT-d unit answers, each with the keys it knows.
#pragma once

#include <algorithm>

#include "hw/iommu/introspect/caches.hpp"
#include "hw/iommu/introspect/faults.hpp"
#include "hw/iommu/introspect/questions.hpp"
#include "hw/iommu/introspect/queues.hpp"
#include "hw/iommu/introspect/vtd_walk.hpp"
#include "hw/iommu/vtd/device.hpp"

namespace iommu::vtd {

class Vtd::Views {
public:
    explicit Views(Vtd& vtd) : vtd_(vtd) {}

    // As Device::ask.
    bool answer(std::string_view topic, std::string_view text, std::string& to);

private:
    using Json = introspect::Json;
    using Arguments = introspect::Arguments;

    // vtd.cpp
    void walk(Arguments& arguments, Json& json);
    void walk_interrupt(Arguments& arguments, Json& json);
    void context(Arguments& arguments, Json& json);
    void tlb(Arguments& arguments, Json& json);
    introspect::VtdWorld world() const
    {
        return {vtd_.configuration_, vtd_.settings(), vtd_.memory_, vtd_.translator_};
    }

    // vtd_queues.cpp
    void queues(Json& json);
    void stats(Json& json, introspect::EventName name);

    Vtd& vtd_;
};

}  // namespace iommu::vtd
