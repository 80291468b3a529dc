// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 4 "Commands": the queue as its producer sees it.  Usable at every interrupt level.
#pragma once

#include "driver/platform.hpp"
#include "hw/iommu/smmuv3/spec/commands.hpp"

namespace iommu::driver {

class CommandQueue {
public:
    static constexpr unsigned log2_entries = 8;

    bool allocate(const Platform& platform);
    void release();
    // With the unit stopped.
    void program(std::uint64_t registers);

    // Adds the commands and CMD_SYNC, and returns when the SMMU has completed it.
    template <typename... Commands>
    void issue(const Commands&... commands)
    {
        const Guard guard(*platform_, lock_, HIGH_LEVEL);
        (push(commands.dword.data()), ...);
        complete();
    }
    class Batch;

private:
    void push(const std::uint64_t* command);
    void complete();
    bool full() const;
    void publish();

    const Platform* platform_ = nullptr;
    std::uint64_t registers_ = 0;
    std::uint64_t* entries_ = nullptr;
    std::uint64_t physical_ = 0;
    std::uint32_t write_ = 0;  // with its wrap bit
    SpinLock lock_;
};

// Commands whose number is not known beforehand, under one CMD_SYNC.
class CommandQueue::Batch {
public:
    explicit Batch(CommandQueue& queue)
        : queue_(queue), guard_(*queue.platform_, queue.lock_, HIGH_LEVEL)
    {
    }
    ~Batch() { queue_.complete(); }
    template <typename Command>
    void add(const Command& command)
    {
        queue_.push(command.dword.data());
    }

private:
    CommandQueue& queue_;
    Guard guard_;
};

}  // namespace iommu::driver
