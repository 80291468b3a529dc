// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 7.1 "Non-Recoverable Fault": what happened, as a plain value.  How it is written
// down is spec/fault.hpp's business, whether there is room is FaultLog's.
#pragma once

#include <cstdint>

#include "hw/iommu/common/hooks.hpp"
#include "hw/iommu/vtd/spec/fault.hpp"
#include "iommu/address.hpp"
#include "iommu/transaction.hpp"

namespace iommu::vtd {

// PCIe 2.2.4.1, AT.
enum class AddressType : std::uint8_t {
    Untranslated = 0b00,
    TranslationRequest = 0b01,
    Translated = 0b10
};

// A DMA request that was refused.
struct Fault {
    FaultReason reason{};
    SourceId source{};
    Transaction request{};
    AddressType type = AddressType::Untranslated;
};

// An interrupt request that was refused, VT-d 5.1.
struct InterruptFault {
    FaultReason reason{};
    SourceId source{};
    std::uint16_t index = 0;
};

// Told of each request that is refused, recorded or (FPD) muted, on any thread.
class RefusalListener {
public:
    virtual void refused(const Fault& fault, bool muted) = 0;
    virtual void refused(const InterruptFault& fault, bool muted) = 0;
    // The access this thread was refused last goes on, refused, up to here.
    virtual void refused_further(Iova) {}

protected:
    ~RefusalListener() = default;
};

constexpr FaultRecord encode(const Fault& f)
{
    const auto& r = f.request;
    return FaultRecord{}
        .with(FaultRecord::FI, Iova{r.address.value & ~std::uint64_t{0xfff}})
        .with(FaultRecord::SID, f.source)
        .with(FaultRecord::PRIV,
              r.substream.present && r.privilege == Privilege::Privileged)
        .with(FaultRecord::EXE, r.substream.present && r.content == Content::Instruction)
        .with(FaultRecord::PP, r.substream.present)
        .with(FaultRecord::FR, f.reason)
        .with(FaultRecord::PV,
              Pasid{r.substream.present ? r.substream.value & 0xfffff : 0})
        .with(FaultRecord::AT, static_cast<unsigned>(f.type))
        .with(FaultRecord::T1, r.access == Access::Read)
        .with(FaultRecord::F, true);
}

constexpr InterruptFaultRecord encode(const InterruptFault& f)
{
    return InterruptFaultRecord{}
        .with(InterruptFaultRecord::InterruptIndex, f.index)
        .with(InterruptFaultRecord::SID, f.source)
        .with(InterruptFaultRecord::FR, f.reason)
        .with(InterruptFaultRecord::F, true);
}

}  // namespace iommu::vtd
