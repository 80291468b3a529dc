// SPDX-License-Identifier: GPL-2.0-or-later
// What an SMMUv3's configuration cache and TLB, and the asking thread's last tables, hold
// for one access (SMMU 3.17, 4.3), looked at and left as it is.
#pragma once

#include <optional>

#include "hw/iommu/introspect/cached.hpp"
#include "hw/iommu/smmuv3/translator.hpp"

namespace iommu::smmu {

class Caches {
public:
    // `entry` of the stream in `engine`; nullptr: no access of it was seen.
    Caches(const Translator& engine, const StreamEntry* entry, Substream substream);

    // Beside STE and CD.  `now`: what these amount to at this moment, if anything.
    void tell_configuration(introspect::Story& story,
                            const std::optional<Context>& now) const;
    // Beside the last descriptor.  `now`: what the tables map `input` to.
    void tell_translation(introspect::Story& story, const std::optional<Context>& context,
                          Iova input, const std::optional<introspect::Mapped>& now) const;

private:
    const Translator& engine_;
    std::optional<StreamEntry::Cached> kept_;
};

}  // namespace iommu::smmu
