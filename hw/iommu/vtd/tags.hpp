// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.2.1 "Tagging of Cached Translations".
#pragma once

#include "hw/iommu/common/tlb.hpp"
#include "iommu/address.hpp"

namespace iommu::vtd {

// Space 2^20, which is no PASID, holds what the second stage alone translates.
inline Tlb::Tag second_stage_tag(DomainId domain)
{
    constexpr std::uint64_t space = std::uint64_t{1} << 20;
    const auto did = static_cast<std::uint64_t>(domain);
    return Tlb::tag(did | space << 16, did, space);
}

// First-stage and nested translations: both are of a PASID in a domain.
inline Tlb::Tag pasid_tag(DomainId domain, Pasid pasid)
{
    const auto did = static_cast<std::uint64_t>(domain);
    const auto space = static_cast<std::uint64_t>(pasid);
    return Tlb::tag(did | space << 16, did, space);
}

}  // namespace iommu::vtd
