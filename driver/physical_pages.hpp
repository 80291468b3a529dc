// SPDX-License-Identifier: GPL-2.0-or-later
// What a caller wants mapped: a range, or frames in any order.
#pragma once

#include <cstdint>

#include "driver/platform.hpp"

namespace iommu::driver {

// Pages of physical memory in the order in which they are to appear.
class PhysicalPages {
public:
    static PhysicalPages contiguous(std::uint64_t base, std::uint64_t pages)
    {
        return {base, nullptr, pages};
    }
    static PhysicalPages frames(const PFN_NUMBER* frames, std::uint64_t pages)
    {
        return {0, frames, pages};
    }
    std::uint64_t count() const { return pages_; }
    std::uint64_t operator[](std::uint64_t i) const
    {
        return frames_ == nullptr ? base_ + i * page_size : frames_[i] << PAGE_SHIFT;
    }
    // Pages i .. i+n-1 are one block that is aligned to its size.
    bool block(std::uint64_t i, std::uint64_t n) const;
    // Every page's address is below 1 << bits.
    bool fit(unsigned bits) const;

private:
    PhysicalPages(std::uint64_t base, const PFN_NUMBER* frames, std::uint64_t pages)
        : base_(base), frames_(frames), pages_(pages)
    {
    }
    std::uint64_t base_;
    const PFN_NUMBER* frames_;
    std::uint64_t pages_;
};

}  // namespace iommu::driver
