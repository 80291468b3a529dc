// SPDX-License-Identifier: GPL-2.0-or-later
// What caches hold for an access, as JSON beside the step of a walk that it spares: the
// cache's name, whether memory says otherwise by now, and what is kept.
#pragma once

#include <optional>
#include <string>

#include "hw/iommu/common/tlb.hpp"
#include "hw/iommu/introspect/narrate.hpp"
#include "iommu/device.hpp"

namespace iommu::introspect {

// What the tables make of an address at this moment.
struct Mapped {
    std::uint64_t output = 0;  // of the very address
    Rights allowed{};
    friend bool operator==(const Mapped&, const Mapped&) = default;
};

// An entry of a Tlb for `address`; `now` is empty when the tables map nothing there.
void tell_hit(Story& story, const char* cache, std::uint64_t address, const Tlb::Hit& hit,
              const std::optional<Mapped>& now);

// The answer that the asking thread would repeat without asking the device.  `now`: what
// the device would say without caches, empty for a refusal.
void tell_answer(Story& story, const Stream& stream, const Transaction& access,
                 const std::optional<Translation>& now);

}  // namespace iommu::introspect
