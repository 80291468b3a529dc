// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.1 "Caching Mode": with CAP.CM software also invalidates what was not present, so
// that somebody who is told of invalidations can keep a copy of the second stage.  vfio
// does, for the host's own IOMMU.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "iommu/device.hpp"

namespace iommu::vtd {

// Both ends belong to it.
struct PageSpan {
    std::uint64_t first = 0;
    std::uint64_t last = ~std::uint64_t{0};
};

// Table entries that may still be read before software gets its processor back.
struct CopyBudget {
    static constexpr std::uint32_t whole = 1u << 23;
    std::uint32_t entries = whole;
};

// The copy of one requester: its blocks do not overlap.
class Shadow {
public:
    static constexpr std::size_t largest = std::size_t{1} << 20;

    // `span` and what stands out of it of blocks that reach into it.
    PageSpan widen(const PageSpan& span) const
    {
        PageSpan out = span;
        auto after = blocks_.upper_bound(span.last);
        if (after != blocks_.begin()) {
            const auto& b = std::prev(after)->second;
            out.last = std::max(out.last, b.input.value | b.mask);
        }
        after = blocks_.upper_bound(span.first);
        if (after != blocks_.begin()) {
            const auto& b = std::prev(after)->second;
            if ((b.input.value | b.mask) >= span.first) {
                out.first = b.input.value;
            }
        }
        return out;
    }

    // Within `span` the copy becomes `now`, which ascends.  `tell` hears of each change.
    template <typename Tell>
    void become(const PageSpan& span, const std::vector<MappedBlock>& now, Tell&& tell)
    {
        auto wanted = now.begin();
        auto old = blocks_.lower_bound(span.first);
        while (old != blocks_.end() && old->first <= span.last) {
            while (wanted != now.end() && wanted->input.value < old->first) {
                ++wanted;
            }
            if (wanted != now.end() && *wanted == old->second) {
                ++old;
                continue;
            }
            tell(MappedBlock{old->second.input, Gpa{}, old->second.mask});
            old = blocks_.erase(old);
        }
        for (const auto& block : now) {
            if (blocks_.emplace(block.input.value, block).second) {
                tell(block);
            }
        }
    }

    const std::map<std::uint64_t, MappedBlock>& blocks() const { return blocks_; }
    void clear() { blocks_.clear(); }

    // Emptied because bringing it up to date was too much for now.
    bool behind = false;
    // The guest was told that it has too much, or what cannot be copied.
    bool complained = false;

private:
    std::map<std::uint64_t, MappedBlock> blocks_;
};

}  // namespace iommu::vtd
