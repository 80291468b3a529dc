// SPDX-License-Identifier: GPL-2.0-or-later
// The page-table formats that a plan asks for (VT-d 3.6, 3.7, 9.6).
#pragma once

#include <algorithm>

#include "hw/iommu/vtd/capabilities.hpp"
#include "hw/iommu/vtd/page_formats.hpp"
#include "hw/iommu/vtd/plan.hpp"

namespace iommu::vtd {

// Level by level the same reserved bits: those the platform has no address for, SNP where
// it is not offered, TM where there are no Device-TLBs.
template <typename In>
SecondStage<In> second_stage(const Plan& plan, const Configuration& c)
{
    using E = SecondStageEntry;
    SecondStage<In> s;
    s.root = plan.second_root;
    s.levels = plan.second_levels;
    s.width =
        static_cast<std::uint8_t>(std::min(input_bits(plan.second_levels), c.aw_bits));
    const auto addresses = beyond(c.haw_bits());
    s.reserved_table = addresses | E::SNP.mask | E::TM.mask;
    s.reserved_page = addresses | (c.snoop_control ? 0 : E::SNP.mask) |
                      (c.device_iotlb ? 0 : E::TM.mask);
    s.accessed_dirty = plan.second_accessed_dirty;
    s.executes = plan.second_executes;
    return s;
}

// What the first stage points to are, when nested, addresses of the second stage: these
// reach up to bit 51, and the second stage refuses those it does not cover.
template <typename Out>
FirstStage<Out> first_stage(const Plan& plan, unsigned output_bits)
{
    FirstStage<Out> f;
    f.root = Out{plan.first_root.value};
    f.levels = plan.first_levels;
    f.reserved = beyond(output_bits) | (plan.no_execute ? 0 : FirstStageEntry::XD.mask);
    f.write_protect = plan.write_protect;
    f.smep = plan.smep;
    f.extended_accessed = plan.extended_accessed;
    return f;
}

}  // namespace iommu::vtd
