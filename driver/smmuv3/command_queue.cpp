// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/smmuv3/command_queue.hpp"

#include "hw/iommu/smmuv3/spec/registers.hpp"

namespace iommu::driver {

using namespace smmu;

namespace {

constexpr std::uint32_t entries = 1u << CommandQueue::log2_entries;
constexpr std::uint32_t index_mask = 2 * entries - 1;  // index and wrap bit

}  // namespace

bool CommandQueue::allocate(const Platform& platform)
{
    platform_ = &platform;
    entries_ = platform.pages(entries * sizeof(Command) / page_size, physical_);
    return entries_ != nullptr;
}

void CommandQueue::release()
{
    if (entries_ != nullptr) {
        platform_->release_pages(entries_, entries * sizeof(Command) / page_size);
        entries_ = nullptr;
    }
}

// SMMU 6.3.26 "SMMU_CMDQ_BASE" and the two indices.
void CommandQueue::program(std::uint64_t registers)
{
    registers_ = registers;
    write_ = 0;
    const auto base = QueueBase{}
                          .with(QueueBase::RA, true)
                          .with(QueueBase::ADDR, Gpa{physical_})
                          .with(QueueBase::LOG2SIZE, log2_entries);
    platform_->write64(registers_ + QueueBase::cmdq_offset, base.dword[0]);
    platform_->write32(registers_ + CmdqProd::offset, 0);
    platform_->write32(registers_ + CmdqCons::offset, 0);
}

// SMMU 3.5.1 "SMMU circular queues": full when only the wrap bits differ.
bool CommandQueue::full() const
{
    const auto read = platform_->read32(registers_ + CmdqCons::offset) & index_mask;
    return (write_ ^ read) == entries;
}

void CommandQueue::publish()
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    platform_->write32(registers_ + CmdqProd::offset, write_);
}

void CommandQueue::push(const std::uint64_t* command)
{
    if (full()) {
        publish();
        while (full()) {
            platform_->pause();
        }
    }
    auto* slot = entries_ + (write_ & (entries - 1)) * 2;
    slot[0] = command[0];
    slot[1] = command[1];
    write_ = (write_ + 1) & index_mask;
}

// SMMU 4.7.3 "CMD_SYNC": consumed means that everything before it has completed.
void CommandQueue::complete()
{
    const auto sync = Sync{}.with(Sync::opcode, Opcode::CMD_SYNC);
    push(sync.dword.data());
    publish();
    while ((platform_->read32(registers_ + CmdqCons::offset) & index_mask) != write_) {
        platform_->pause();
    }
}

}  // namespace iommu::driver
