// SPDX-License-Identifier: GPL-2.0-or-later
// What a FaultHistory shows and what it is told, alike for both devices.
#pragma once

#include "hw/iommu/introspect/arguments.hpp"
#include "hw/iommu/introspect/json.hpp"
#include "iommu/fault_history.hpp"

namespace iommu::introspect {

using WriteRecord = void (*)(Json& json, const RefusedNote& note);
using EventName = std::string_view (*)(unsigned event);

// `faults`: keys sid, limit.
void write_faults(Json& json, Arguments& arguments, const FaultHistory& history,
                  WriteRecord write);
// Members of an object: how many, by event and by requester.
void write_fault_counts(Json& json, const FaultHistory::Look& look, EventName name);

// fault-action, fault-filter.  Empty, or one line that says what is wrong; then nothing
// has changed.
std::string set_fault_option(FaultHistory& history, std::string_view option,
                             std::string_view value, EventName name);

}  // namespace iommu::introspect
