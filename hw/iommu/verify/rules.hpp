// SPDX-License-Identifier: GPL-2.0-or-later
// The mistakes verify mode knows (docs/specs/verify.rst).  An id, once given, keeps its
// meaning.
#pragma once

#include <cstdint>

namespace iommu::verify {

enum class Rule : std::uint8_t {
    SmmuStaleTlb,
    SmmuStaleConfig,
    SmmuBreakBeforeMake,
    SmmuNoSync,
    SmmuTagShared,
    SmmuInconsistent,
    SmmuReserved,
    SmmuScope,
    SmmuRegisterState,
    SmmuRegisterReserved,
    VtdStaleIotlb,
    VtdStaleContext,
    VtdStaleIrte,
    VtdNoWait,
    VtdDomainShared,
    VtdInconsistent,
    VtdReserved,
    VtdScope,
    VtdRegisterState,
    VtdRegisterReserved,
    VtdStaleDeviceTlb,
    Count
};

struct RuleText {
    const char* id;
    const char* sentence;
    const char* manual;  // section number and title
};
const RuleText& text_of(Rule rule);

}  // namespace iommu::verify
