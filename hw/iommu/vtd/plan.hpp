// SPDX-License-Identifier: GPL-2.0-or-later
// What root, context and PASID entries amount to for one requester and PASID: how its
// requests are translated.  Cached as a whole (VT-d 6.2.2 "Context Cache", 6.2.3
// "PASID-Cache").
#pragma once

#include <cstdint>

#include "hw/iommu/common/tlb.hpp"
#include "hw/iommu/vtd/spec/pasid.hpp"
#include "hw/iommu/vtd/spec/registers.hpp"
#include "iommu/address.hpp"

namespace iommu::vtd {

// GSTS.TES and the latched RTADDR_REG, as the registers' owner hands them over.
struct Settings {
    RtaddrReg root{};
    bool enabled = false;
    std::uint8_t reserved[7] = {};
};

enum class PlanKind : std::uint8_t {
    Disabled,     // TES is clear: nothing is looked at
    PassThrough,  // TT 10b, PGTT 100b
    FirstStage,
    SecondStage,
    Nested
};

// What a hit needs; a Plan begins with it.
struct PlanHead {
    Tlb::Tag tag{};
    std::uint32_t stamp = 0;  // of the counters that end it
    std::uint16_t domain_slot = 0;
    std::uint16_t pasid_slot = 0;
    PlanKind kind = PlanKind::Disabled;
    bool valid = false;
    bool scalable = false;
    bool muted = false;         // FPD of one of the entries
    bool supervisor = false;    // SRE
    bool execute = false;       // ERE
    bool tracks_dirty = false;  // a cached translation may lack the D bit
    bool privileged = false;    // RID_PRIV: what a request without PASID counts as
};
static_assert(sizeof(PlanHead) == 32);

struct Plan {
    PlanHead head{};
    Gpa first_root{};
    Gpa second_root{};
    std::uint32_t requester = 0;  // source-id, and the PASID this plan is for
    std::uint32_t pasid = 0;
    std::uint16_t domain = 0;
    std::uint8_t first_levels = 4;
    std::uint8_t second_levels = 4;
    bool write_protect = false, no_execute = false, smep = false;
    bool extended_accessed = false, second_accessed_dirty = false,
         second_executes = false;
    std::uint8_t reserved[6] = {};
};
static_assert(sizeof(Plan) % 8 == 0);

}  // namespace iommu::vtd
