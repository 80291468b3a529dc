// SPDX-License-Identifier: GPL-2.0-or-later
// What a cache holds, and what an invalidation reaches: one vocabulary for both devices.
//
//               SMMUv3          VT-d
//   domain      VMID            domain-id
//   space       ASID            PASID          none: stage 2 (second stage) alone
#pragma once

#include <array>
#include <cstdint>

namespace iommu::verify {

enum class Cached : std::uint8_t {
    Translation = 1,
    Configuration = 2,
    Interrupt = 4,
    DeviceTranslation = 8  // by the requester itself: a Device-TLB, an ATC
};

struct Subject {
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    Cached what = Cached::Translation;
    bool nested = false;             // the second stage's address is not known
    std::uint32_t requester = 0;     // StreamID, source-id
    std::uint32_t substream = none;  // SubstreamID, PASID of the request
    std::uint32_t domain = 0;
    std::uint32_t space = none;
    std::uint64_t first = 0, last = 0;  // addresses; Interrupt: the table's index
};

// `any`: whatever the subject says.
struct Invalidation {
    static constexpr std::uint32_t any = ~std::uint32_t{0} - 1;
    static constexpr std::uint32_t any_substream = any - 1;  // but not none

    const char* name = "";
    std::array<std::uint64_t, 2> words{};
    std::uint64_t ns = 0;
    std::uint8_t what = 0;  // of Cached, or-ed
    std::uint32_t first_requester = 0, last_requester = any;
    std::uint32_t requester_mask = 0;  // bits that do not count
    std::uint32_t substream = any;
    std::uint32_t domain = any;
    std::uint32_t space = any;  // Subject::none: stage 2 alone and nested
    std::uint64_t first = 0, last = ~std::uint64_t{0};

    bool reaches_tag(const Subject& s) const
    {
        if (domain != any && domain != s.domain) {
            return false;
        }
        return space == any || space == s.space || (space == Subject::none && s.nested);
    }
    bool reaches_addresses(const Subject& s) const
    {
        const bool unknown = space == Subject::none && s.nested;
        return unknown || (first <= s.last && s.first <= last);
    }
    bool reaches_requester(const Subject& s) const
    {
        const auto id = s.requester & ~requester_mask;
        return id >= (first_requester & ~requester_mask) && id <= last_requester;
    }
    bool covers(const Subject& s) const
    {
        if ((what & static_cast<std::uint8_t>(s.what)) == 0) {
            return false;
        }
        switch (s.what) {
        case Cached::Translation:
            return reaches_tag(s) && reaches_addresses(s);
        case Cached::Configuration:
            return reaches_requester(s) &&
                   (substream == any || substream == s.substream ||
                    s.substream == Subject::none) &&
                   (domain == any || domain == s.domain) &&
                   (space == any || space == s.space);
        case Cached::DeviceTranslation:
            return reaches_requester(s) && first <= s.last && s.first <= last &&
                   (substream == any || substream == s.substream ||
                    (substream == any_substream && s.substream != Subject::none));
        case Cached::Interrupt:
            return first <= s.first && s.first <= last;
        }
        return false;
    }
};

}  // namespace iommu::verify
