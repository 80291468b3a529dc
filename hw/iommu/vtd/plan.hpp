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

// What a hit needs, as words that are loaded one by one: copied as a whole they would be
// stored and loaded again in other sizes.  A Plan begins with it.
struct PlanHead {
    std::uint64_t tag_context = 0;
    std::uint64_t tag_slots = 0;  // spread, domain, space of the Tlb::Tag
    std::uint64_t ends = 0;       // stamp [31:0], domain slot [47:32], PASID slot [63:48]
    std::uint64_t flags = 0;      // kind [7:0], then the bits below

    static constexpr std::uint64_t valid = 1u << 8;
    static constexpr std::uint64_t scalable = 1u << 9;
    static constexpr std::uint64_t muted = 1u << 10;         // FPD of one of the entries
    static constexpr std::uint64_t supervisor = 1u << 11;    // SRE
    static constexpr std::uint64_t execute = 1u << 12;       // ERE
    static constexpr std::uint64_t tracks_dirty = 1u << 13;  // what is cached may lack D
    static constexpr std::uint64_t privileged = 1u << 14;    // RID_PRIV: without PASID
    static constexpr std::uint64_t device_tlb = 1u << 15;  // TT 01b, DTE: ATS is allowed

    PlanKind kind() const { return static_cast<PlanKind>(flags & 0xff); }
    bool has(std::uint64_t flag) const { return (flags & flag) != 0; }
    void set(PlanKind kind, std::uint64_t more)
    {
        flags = (flags & ~std::uint64_t{0xff}) | static_cast<std::uint64_t>(kind) | more;
    }
    void set(std::uint64_t flag, bool on) { flags = on ? flags | flag : flags & ~flag; }

    std::uint32_t stamp() const { return static_cast<std::uint32_t>(ends); }
    unsigned domain_slot() const { return ends >> 32 & 0xffff; }
    unsigned pasid_slot() const { return static_cast<unsigned>(ends >> 48); }
    void set_ends(std::uint32_t stamp, unsigned domain_slot, unsigned pasid_slot)
    {
        ends = stamp | std::uint64_t{domain_slot} << 32 | std::uint64_t{pasid_slot} << 48;
    }

    Tlb::Tag tag() const { return Tlb::Tag::of(tag_context, tag_slots); }
    void set_tag(const Tlb::Tag& t)
    {
        tag_context = t.context;
        tag_slots = t.slots();
    }
    friend bool operator==(const PlanHead&, const PlanHead&) = default;
};
static_assert(sizeof(PlanHead) == 32);

struct Plan {
    PlanHead head{};
    std::uint64_t serial = 0;  // WalkKey::new_context(), of this reading
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
    friend bool operator==(const Plan&, const Plan&) = default;
};
static_assert(sizeof(Plan) % 8 == 0);

}  // namespace iommu::vtd
