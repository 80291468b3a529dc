// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.18 "Interrupts and notifications", 7.5 "Global error recording".
#include "hw/iommu/smmuv3/device.hpp"

namespace iommu::smmu {

// SMMU 7.5: a flag toggles only while its error is inactive; 7.5.1: every activation but
// that of MSI_GERROR_ABT_ERR interrupts.
void Smmuv3::activate(std::uint32_t flag)
{
    MsiTarget target;
    {
        const std::lock_guard lock(reporting_);
        auto& r = registers_;
        if (((r.gerror ^ r.gerrorn) & flag) != 0) {
            return;
        }
        r.gerror ^= flag;
        if (flag == Gerror::MSI_GERROR_ABT_ERR.mask ||
            !from_raw<IrqCtrl>(r.irq_ctrl)[IrqCtrl::GERROR_IRQEN]) {
            return;
        }
        target = r.gerror_msi;
    }
    interrupt(Line::GlobalError, &target,
              static_cast<std::uint32_t>(Gerror::MSI_GERROR_ABT_ERR.mask));
}

// SMMU 3.18.2: the source is enabled.  A pulse on its wire, and an MSI when MSIs are
// implemented and a target is programmed.
void Smmuv3::interrupt(Line line, const MsiTarget* target, std::uint32_t abort_flag)
{
    if (configuration_.msi && target && target->address != 0 &&
        send_msi(target->address, target->data) != MemoryResult::Ok) {
        activate(abort_flag);
    }
    host_.pulse(static_cast<unsigned>(line));
}

// A target in memory is polled by software; anything else is an interrupt controller.
MemoryResult Smmuv3::send_msi(std::uint64_t address, std::uint32_t data)
{
    if (auto* word = memory_.ram().find_writable(Gpa{address}, sizeof data)) {
        __atomic_store_n(reinterpret_cast<std::uint32_t*>(word), data, __ATOMIC_RELEASE);
        host_.mark_dirty(Gpa{address}, sizeof data);
        return MemoryResult::Ok;
    }
    return host_.send_msi(Gpa{address}, data);
}

}  // namespace iommu::smmu
