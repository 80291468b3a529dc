// SPDX-License-Identifier: GPL-2.0-or-later
// Which register fields are not RES0, given what IDR0, IDR1 and IDR3 announce.
#pragma once

#include <cstdint>

#include "hw/iommu/smmuv3/spec/registers.hpp"

namespace iommu::smmu::fields {

template <typename... Fields>
constexpr std::uint32_t mask_of(Fields... fields)
{
    return static_cast<std::uint32_t>((fields.mask | ...));
}
template <typename Register>
constexpr std::uint32_t all = static_cast<std::uint32_t>(~Register::layout[0]);

inline constexpr auto cr0 = mask_of(Cr0::SMMUEN, Cr0::EVENTQEN, Cr0::CMDQEN);
inline constexpr auto cr1_table = mask_of(Cr1::TABLE_SH, Cr1::TABLE_OC, Cr1::TABLE_IC);
inline constexpr auto cr1_queue = mask_of(Cr1::QUEUE_SH, Cr1::QUEUE_OC, Cr1::QUEUE_IC);
inline constexpr auto cr2 = mask_of(Cr2::RECINVSID);
inline constexpr auto irq_ctrl = mask_of(IrqCtrl::GERROR_IRQEN, IrqCtrl::EVENTQ_IRQEN);
inline constexpr auto gbpa = all<Gbpa> & ~mask_of(Gbpa::Update);

constexpr std::uint32_t gerror(bool msi)
{
    const auto always =
        mask_of(Gerror::CMDQ_ERR, Gerror::EVENTQ_ABT_ERR, Gerror::SFM_ERR);
    const auto with_msi = mask_of(Gerror::MSI_CMDQ_ABT_ERR, Gerror::MSI_EVENTQ_ABT_ERR,
                                  Gerror::MSI_GERROR_ABT_ERR);
    return msi ? always | with_msi : always;
}

// Address bits at and above the output address size are RES0.
constexpr std::uint64_t strtab_base(std::uint64_t oas_mask)
{
    return StrtabBase::RA.mask | (StrtabBase::ADDR.mask & oas_mask);
}
constexpr std::uint64_t queue_base(std::uint64_t oas_mask)
{
    return QueueBase::RA.mask | QueueBase::LOG2SIZE.mask |
           (QueueBase::ADDR.mask & oas_mask);
}
constexpr std::uint64_t msi_address(bool msi, std::uint64_t oas_mask)
{
    return msi ? IrqCfg0::ADDR.mask & oas_mask : 0;
}

}  // namespace iommu::smmu::fields
