// SPDX-License-Identifier: GPL-2.0-or-later
// What the VT-d unit would do with an interrupt message, and why.
#pragma once

#include "hw/iommu/introspect/json.hpp"
#include "hw/iommu/vtd/interrupt_remapper.hpp"

namespace iommu::introspect {

// Members of an object: steps, stale, verdict.  `engine`: whose settings hold, and whose
// cache is shown.
void walk_interrupt(Json& json, GuestMemory& memory, const vtd::InterruptRemapper& engine,
                    SourceId source, const vtd::Message& request);

}  // namespace iommu::introspect
