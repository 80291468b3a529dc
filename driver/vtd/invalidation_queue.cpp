// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/vtd/invalidation_queue.hpp"

namespace iommu::driver {

using namespace vtd;

namespace {

constexpr std::uint32_t units = page_size / 16;  // the indices count 128 bits

}  // namespace

bool InvalidationQueue::allocate(const Platform& platform)
{
    platform_ = &platform;
    entries_ = platform.pages(2, physical_);
    return entries_ != nullptr;
}

void InvalidationQueue::release()
{
    if (entries_ != nullptr) {
        platform_->release_pages(entries_, 2);
        entries_ = nullptr;
    }
}

// VT-d 11.4.9.3 "Invalidation Queue Address Register": a page of descriptors, of 256 bits
// each in scalable mode.
void InvalidationQueue::program(std::uint64_t registers, bool wide)
{
    registers_ = registers;
    step_ = wide ? 2 : 1;
    tail_ = 0;
    platform_->write64(registers_ + offset::IQT_REG, 0);
    platform_->write64(
        registers_ + offset::IQA_REG,
        IqaReg{}.with(IqaReg::IQA, Gpa{physical_}).with(IqaReg::DW, wide).dword[0]);
}

void InvalidationQueue::publish()
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    platform_->write64(registers_ + offset::IQT_REG,
                       QueueIndexReg{}.with(QueueIndexReg::Q, tail_).dword[0]);
}

void InvalidationQueue::push(const AnyDescriptor& descriptor)
{
    const auto next = (tail_ + step_) % units;
    const auto head = [&] {
        QueueIndexReg r{};
        r.dword[0] = platform_->read64(registers_ + offset::IQH_REG);
        return static_cast<std::uint32_t>(r[QueueIndexReg::Q]);
    };
    if (next == head()) {
        publish();
        while (next == head()) {
            platform_->pause();
        }
    }
    entries_[tail_ * 2] = descriptor.dword[0];
    entries_[tail_ * 2 + 1] = descriptor.dword[1];
    for (unsigned i = 2; i < 2 * step_; ++i) {
        entries_[tail_ * 2 + i] = 0;
    }
    tail_ = next;
}

// VT-d 6.5.2.8: the status write follows the completion of all that came before.
void InvalidationQueue::complete()
{
    auto* status = reinterpret_cast<std::uint32_t*>(entries_ + page_size / 8);
    ++sequence_;
    push(typed(DescriptorType::Wait,
               WaitDescriptor{}
                   .with(WaitDescriptor::SW, true)
                   .with(WaitDescriptor::FN, true)
                   .with(WaitDescriptor::StatusData, sequence_)
                   .with(WaitDescriptor::StatusAddress, Gpa{physical_ + page_size})));
    publish();
    while (__atomic_load_n(status, __ATOMIC_ACQUIRE) != sequence_) {
        platform_->pause();
    }
}

}  // namespace iommu::driver
