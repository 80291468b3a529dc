// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 7.2 "Event queue recorded faults and events", 7.4 "Event queue overflow".
#include <cstring>

#include "hw/iommu/smmuv3/device.hpp"
#include "hw/iommu/smmuv3/spec/events.hpp"

namespace iommu::smmu {

void Smmuv3::record(const Fault& fault)
{
    const auto words = encode(fault, configuration_.capabilities.oas_bits);
    if (hooks && observer_ != nullptr) {
        observer_->refused(fault, words);
    }
    Recorded recorded;
    MsiTarget target;
    {
        const std::lock_guard lock(reporting_);
        recorded = append(words);
        target = registers_.eventq_msi;
    }
    switch (recorded) {
    case Recorded::Discarded:
    case Recorded::Appended:
        return;
    case Recorded::FirstAppended:
        return interrupt(Line::EventQueue, &target,
                         static_cast<std::uint32_t>(Gerror::MSI_EVENTQ_ABT_ERR.mask));
    case Recorded::Aborted:
        return activate(static_cast<std::uint32_t>(Gerror::EVENTQ_ABT_ERR.mask));
    }
}

// With reporting_ held.
Smmuv3::Recorded Smmuv3::append(const std::array<std::uint64_t, 4>& words)
{
    auto& r = registers_;
    // SMMU 7.2.1: an unwritable queue discards; only a full one overflows.
    const bool abort_active = ((r.gerror ^ r.gerrorn) & Gerror::EVENTQ_ABT_ERR.mask) != 0;
    if (!from_raw<Cr0>(r.cr0)[Cr0::EVENTQEN] || abort_active) {
        return Recorded::Discarded;
    }
    const auto ring = event_ring();
    const auto used = ring.used(r.eventq_prod, r.eventq_cons);
    if (used >= ring.size()) {  // inconsistent indexes count as full: SMMU 3.5.1
        const bool unacknowledged =
            ((r.eventq_prod ^ r.eventq_cons) & EventqProd::OVFLG.mask) != 0;
        if (!unacknowledged) {
            r.eventq_prod ^= static_cast<std::uint32_t>(EventqProd::OVFLG.mask);
        }
        return Recorded::Discarded;
    }
    if (!store_event(ring, words)) {
        return Recorded::Aborted;  // synchronous: PROD does not move, SMMU 7.2.2
    }
    const auto wr = static_cast<std::uint32_t>(EventqProd::WR.mask);
    r.eventq_prod = (r.eventq_prod & ~wr) | ring.wrapped(r.eventq_prod + 1);
    // SMMU 3.18.2: the trigger is the queue becoming non-empty.
    const bool interrupts = from_raw<IrqCtrl>(r.irq_ctrl)[IrqCtrl::EVENTQ_IRQEN];
    return used == 0 && interrupts ? Recorded::FirstAppended : Recorded::Appended;
}

// Memory only: a queue that is not RAM answers with an external abort.  A write to
// another device could come back to our registers while the queue is locked.
bool Smmuv3::store_event(Ring ring, const std::array<std::uint64_t, 4>& words)
{
    const auto bytes = std::uint64_t{ring.size()} * sizeof words;
    const auto base = from_raw<QueueBase>(registers_.eventq_base)[QueueBase::ADDR];
    const Gpa at{(base.value & ~(bytes - 1)) +
                 std::uint64_t{ring.slot(registers_.eventq_prod)} * sizeof words};
    auto* to = memory_.ram().find_writable(at, sizeof words);
    if (!to) {
        return false;
    }
    auto* record = reinterpret_cast<std::uint64_t*>(to);
    for (std::size_t i = 0; i < words.size(); ++i) {
        __atomic_store_n(record + i, words[i], __ATOMIC_RELEASE);
    }
    host_.mark_dirty(at, sizeof words);
    return true;
}

}  // namespace iommu::smmu
