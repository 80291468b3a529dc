// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 5.1 "L1STD, Level 1 Stream Table Descriptor".  Bit numbers are the manual's.
#pragma once

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::smmu {

struct L1Std : Descriptor<L1Std, 64> {
    static constexpr Field<4, 0, unsigned> Span{};
    static constexpr Addr<55, 6, Gpa> L2Ptr{};

    static constexpr auto layout = tiled(Span, Res0<5>{}, L2Ptr, Res0<63, 56>{});
};
static_assert(sizeof(L1Std) == 8);

}  // namespace iommu::smmu
