// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 7 "Faults, errors and Event queue": records in, faults out.
#include "hw/iommu/smmuv3/spec/events.hpp"
#include "driver/smmuv3/smmuv3.hpp"
#include "hw/iommu/smmuv3/spec/registers.hpp"

namespace iommu::driver {

using namespace smmu;

namespace {

// [S] The enumeration is that of the SMMUv2 fault status, high bit first.
FAULT_INFORMATION_ARM64_TYPE type_of(EventId id)
{
    switch (id) {
    case EventId::F_UUT:
        return UnsupportedUpstreamTransaction;
    case EventId::F_ADDR_SIZE:
        return AddressSizeFault;
    case EventId::F_TLB_CONFLICT:
        return TlbMatchConflict;
    case EventId::F_PERMISSION:
        return PermissionFault;
    case EventId::F_ACCESS:
        return AccessFlagFault;
    case EventId::F_TRANSLATION:
        return TranslationFault;
    default:
        return ExternalFault;
    }
}

// Records that carry the access: SMMU 7.3.11 to 7.3.16.
bool has_address(EventId id)
{
    switch (id) {
    case EventId::F_WALK_EABT:
    case EventId::F_TRANSLATION:
    case EventId::F_ADDR_SIZE:
    case EventId::F_ACCESS:
    case EventId::F_PERMISSION:
        return true;
    default:
        return false;
    }
}

}  // namespace

void Smmuv3::report(const std::uint64_t* event)
{
    TranslationRecord r{};
    for (unsigned i = 0; i < 4; ++i) {
        r.dword[i] = event[i];
    }
    const auto id = r[TranslationRecord::EventNumber];
    Fault f{};
    f.stream = {static_cast<std::uint32_t>(r[TranslationRecord::StreamID]), index_};
    f.tagged = r[TranslationRecord::SSV];
    f.pasid = static_cast<std::uint32_t>(r[TranslationRecord::SubstreamID]);
    f.hardware_code = static_cast<std::uint32_t>(id);
    f.type = type_of(id);
    f.address_valid = has_address(id);
    if (f.address_valid) {
        f.stage1 = !r[TranslationRecord::S2];
        f.write = !r[TranslationRecord::RnW];
        f.direction_known = true;
        f.instruction = r[TranslationRecord::InD];
        f.privileged = r[TranslationRecord::PnU];
        f.address = r[TranslationRecord::InputAddr];
    }
    sink_->fault(f);
}

// SMMU 7.4 "Event queue overflow": acknowledging is copying OVFLG into OVACKFLG.
void Smmuv3::drain_events()
{
    constexpr std::uint32_t index_mask = (2u << log2_events) - 1;
    const Guard guard(platform_, event_lock_, HIGH_LEVEL);
    const auto registers = node_.base + page1;
    const auto raw = platform_.read32(registers + EventqProd::offset);
    const auto write = raw & index_mask;
    while (event_read_ != write) {
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        report(events_ + (event_read_ & ((1u << log2_events) - 1)) * 4);
        event_read_ = (event_read_ + 1) & index_mask;
    }
    const auto overflow = raw & static_cast<std::uint32_t>(EventqProd::OVFLG.mask);
    platform_.write32(registers + EventqCons::offset, event_read_ | overflow);
}

}  // namespace iommu::driver
