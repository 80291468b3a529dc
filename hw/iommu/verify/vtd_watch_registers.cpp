// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 11.4 "Register Descriptions": what must not be written, and when.
#include "hw/iommu/verify/vtd_watch.hpp"

#include <bit>

#include "hw/iommu/vtd/device.hpp"
#include "hw/iommu/vtd/spec/registers.hpp"

namespace iommu::verify {

using namespace vtd;

void VtdWatch::writes_register(std::uint64_t slot, std::uint64_t value,
                               std::uint64_t mask, std::uint32_t gsts)
{
    if (!verifies()) {
        return;
    }
    struct Reserved {
        std::uint64_t at, bits;
    };
    constexpr Reserved reserved[] = {
        {offset::GCMD_REG, GlobalReg::layout[0] & 0xffff'ffff},
        {offset::RTADDR_REG, RtaddrReg::layout[0]},
        {offset::CCMD_REG, CcmdReg::layout[0]},
        {offset::IQT_REG, QueueIndexReg::layout[0]},
        {offset::IQA_REG, IqaReg::layout[0]},
        {offset::IRTA_REG, IrtaReg::layout[0]},
        {offset::IOTLB_REG, IotlbReg::layout[0]},
    };
    const bool queued = (gsts & GlobalReg::QIE.mask) != 0;
    bool wrong = false;
    switch (slot) {
    case offset::GCMD_REG: {
        // VT-d 11.4.4.1: one bit at a time.
        constexpr auto lasting = GlobalReg::TE.mask | GlobalReg::QIE.mask |
                                 GlobalReg::IRE.mask | GlobalReg::CFI.mask;
        constexpr auto deeds =
            GlobalReg::SRTP.mask | GlobalReg::SIRTP.mask | GlobalReg::WBF.mask;
        const auto command = value & mask & 0xffff'ffff;
        wrong = (mask & 0xffff'ffff) != 0 &&
                std::popcount(((command ^ gsts) & lasting) | (command & deeds)) > 1;
        break;
    }
    case offset::IQA_REG:  // VT-d 11.4.9.3: while the queue is disabled
        wrong = queued;
        break;
    case offset::CCMD_REG:  // VT-d 6.5.1: not together with the queue
        wrong = queued && (value & mask & CcmdReg::ICC.mask) != 0;
        break;
    case offset::IOTLB_REG:
        wrong = queued && (value & mask & IotlbReg::IVT.mask) != 0;
        break;
    default:
        break;
    }
    const Guard guard(lock_);
    if (wrong) {
        found(Rule::VtdRegisterState, slot,
              {{"register", slot}, {"value", value & mask}, {"GSTS", gsts}});
    }
    for (const auto& r : reserved) {
        if (slot == r.at && (value & mask & r.bits) != 0) {
            found(Rule::VtdRegisterReserved, slot,
                  {{"register", slot},
                   {"value", value & mask},
                   {"reserved", value & mask & r.bits}});
        }
    }
}

}  // namespace iommu::verify
