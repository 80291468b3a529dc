// SPDX-License-Identifier: GPL-2.0-or-later
// Who wants to know what software does to a VT-d unit and what it is told.
#pragma once

#include <array>
#include <cstdint>

#include "hw/iommu/common/hooks.hpp"
#include "hw/iommu/vtd/plan.hpp"

namespace iommu::vtd {

struct InterruptSettings;

class Observer {
public:
    // `slot` is aligned to 8 bytes; `mask` the bits that are about to be written.
    virtual void writes_register(std::uint64_t slot, std::uint64_t value,
                                 std::uint64_t mask, std::uint32_t gsts) = 0;
    virtual void configured(const Settings& settings) = 0;
    virtual void interrupts_configured(const InterruptSettings& settings) = 0;
    // A descriptor that has been executed.
    virtual void consumed(const std::array<std::uint64_t, 2>& descriptor) = 0;
    // The same through CCMD_REG or IOTLB_REG, as the descriptor it amounts to; software
    // waits for it by reading the register.
    virtual void invalidated(const std::array<std::uint64_t, 2>& descriptor) = 0;
    // Any thread: a fault record, whether or not there was room for it.
    virtual void refused(const std::array<std::uint64_t, 2>& record) = 0;

protected:
    ~Observer() = default;
};

}  // namespace iommu::vtd
