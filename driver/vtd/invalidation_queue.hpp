// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5.2 "Queued Invalidation Interface" as its producer sees it.  Usable at every
// interrupt level.
#pragma once

#include "driver/platform.hpp"
#include "hw/iommu/vtd/spec/descriptors.hpp"

namespace iommu::driver {

template <typename D>
constexpr vtd::AnyDescriptor typed(vtd::DescriptorType type, const D& descriptor)
{
    vtd::AnyDescriptor any{};
    any.dword = descriptor.dword;
    const auto code = static_cast<unsigned>(type);
    return any.with(vtd::AnyDescriptor::Type3_0, code & 15)
        .with(vtd::AnyDescriptor::Type6_4, code >> 4);
}

class InvalidationQueue {
public:
    bool allocate(const Platform& platform);
    void release();
    // Hands the queue to the unit; queued invalidation is enabled afterwards.
    void program(std::uint64_t registers, bool wide);

    // Descriptors under one wait, which ends when all of them are complete.
    class Batch {
    public:
        explicit Batch(InvalidationQueue& queue)
            : queue_(queue), guard_(*queue.platform_, queue.lock_, HIGH_LEVEL)
        {
        }
        ~Batch() { queue_.complete(); }
        template <typename D>
        void add(vtd::DescriptorType type, const D& descriptor)
        {
            queue_.push(typed(type, descriptor));
        }

    private:
        InvalidationQueue& queue_;
        Guard guard_;
    };

private:
    void push(const vtd::AnyDescriptor& descriptor);
    void publish();
    void complete();

    const Platform* platform_ = nullptr;
    std::uint64_t registers_ = 0;
    std::uint64_t* entries_ = nullptr;  // a page, and a page for the status word
    std::uint64_t physical_ = 0;
    std::uint32_t tail_ = 0, step_ = 1, sequence_ = 0;
    SpinLock lock_;
};

}  // namespace iommu::driver
