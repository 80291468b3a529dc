// SPDX-License-Identifier: GPL-2.0-or-later
// Who wants to know what software does to an SMMU and what it is told.
#pragma once

#include <array>
#include <cstdint>

#include "hw/iommu/common/hooks.hpp"
#include "hw/iommu/smmuv3/fault.hpp"
#include "hw/iommu/smmuv3/spec/commands.hpp"
#include "hw/iommu/smmuv3/types.hpp"

namespace iommu::smmu {

class Observer {
public:
    // CR0 and IRQ_CTRL as they are when a register is about to be written.
    struct Enables {
        std::uint32_t cr0 = 0, irq_ctrl = 0;
    };
    // The offset within page 0.
    virtual void writes_register(std::uint32_t offset, std::uint32_t value,
                                 const Enables& now) = 0;
    virtual void configured(const Settings& settings) = 0;
    // It has been executed.
    virtual void consumed(const Command& command) = 0;
    // Any thread; recorded, or would have been had the queue room.
    virtual void refused(const Fault& fault,
                         const std::array<std::uint64_t, 4>& words) = 0;

protected:
    ~Observer() = default;
};

}  // namespace iommu::smmu
