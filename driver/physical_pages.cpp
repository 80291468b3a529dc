// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/physical_pages.hpp"

namespace iommu::driver {

bool PhysicalPages::block(std::uint64_t i, std::uint64_t n) const
{
    const auto base = (*this)[i];
    if ((base & (n * page_size - 1)) != 0) {
        return false;
    }
    if (frames_ == nullptr) {
        return true;
    }
    for (std::uint64_t k = 1; k < n; ++k) {
        if ((*this)[i + k] != base + k * page_size) {
            return false;
        }
    }
    return true;
}

bool PhysicalPages::fit(unsigned bits) const
{
    const std::uint64_t frames = std::uint64_t{1} << (bits - PAGE_SHIFT);
    if (frames_ == nullptr) {
        const auto first = base_ >> PAGE_SHIFT;
        return first < frames && pages_ <= frames - first;
    }
    for (std::uint64_t i = 0; i < pages_; ++i) {
        if (frames_[i] >= frames) {
            return false;
        }
    }
    return true;
}

}  // namespace iommu::driver
