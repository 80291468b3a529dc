// SPDX-License-Identifier: GPL-2.0-or-later
// A set of small numbers (ASIDs, VMIDs, domain-ids), lowest first; 0 is never given.
#pragma once

#include "driver/platform.hpp"

namespace iommu::driver {

class Tags {
public:
    bool create(const Platform& platform, unsigned bits)
    {
        platform_ = &platform;
        count_ = 1u << bits;
        used_ = static_cast<std::uint8_t*>(platform.allocate(count_));
        return used_ != nullptr;
    }
    void destroy()
    {
        if (used_ != nullptr) {
            platform_->release(used_, count_);
            used_ = nullptr;
        }
    }
    bool take(std::uint16_t& tag)
    {
        const Guard guard(*platform_, lock_);
        for (std::uint32_t i = lowest_; i < count_; ++i) {
            if (used_[i] == 0) {
                used_[i] = 1;
                lowest_ = i + 1;
                tag = static_cast<std::uint16_t>(i);
                return true;
            }
        }
        lowest_ = count_;
        return false;
    }
    void give_back(std::uint16_t tag)
    {
        const Guard guard(*platform_, lock_);
        used_[tag] = 0;
        lowest_ = tag < lowest_ ? tag : lowest_;
    }

private:
    const Platform* platform_ = nullptr;
    std::uint8_t* used_ = nullptr;
    std::uint32_t count_ = 0, lowest_ = 1;  // none below `lowest_` is free
    SpinLock lock_;
};

}  // namespace iommu::driver
