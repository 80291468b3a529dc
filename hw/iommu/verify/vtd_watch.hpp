// SPDX-License-Identifier: GPL-2.0-or-later
// Verify mode of the VT-d unit.
#pragma once

#include <map>

#include "hw/iommu/verify/device_tlb.hpp"
#include "hw/iommu/verify/watch.hpp"
#include "hw/iommu/vtd/interrupt_remapper.hpp"
#include "hw/iommu/vtd/observer.hpp"
#include "hw/iommu/vtd/translator.hpp"

namespace iommu::vtd {
class Vtd;
}

namespace iommu::verify {

class VtdWatch final : public Watch, private vtd::Observer {
public:
    // Before the first stream.  `built` as the unit was made.
    VtdWatch(vtd::Vtd& unit, const vtd::Configuration& built, bool verifies,
             Listener listener);
    ~VtdWatch();

    // After the unit has answered an interrupt request.
    void interrupt(std::optional<SourceId> source, const vtd::Message& request,
                   const std::optional<vtd::Message>& answer);

private:
    Fresh ask(std::uint32_t id, const Transaction& access) override;
    void judge(const Fresh& fresh, const Transaction& access) override;
    void translation_told(std::uint32_t id, const Transaction& request,
                          const Translation& told) override;
    void translation_used(std::uint32_t id, const Transaction& used) override;
    const Rules& rules() const override;
    record::Device kind() const override { return record::Device::Vtd; }

    void writes_register(std::uint64_t slot, std::uint64_t value, std::uint64_t mask,
                         std::uint32_t gsts) override;
    void configured(const vtd::Settings& settings) override;
    void interrupts_configured(const vtd::InterruptSettings& settings) override;
    void consumed(const std::array<std::uint64_t, 2>& descriptor) override;
    void invalidated(const std::array<std::uint64_t, 2>& descriptor) override;
    void refused(const std::array<std::uint64_t, 2>& record) override;

    std::optional<Invalidation>
    decode(const std::array<std::uint64_t, 2>& descriptor) const;
    void read_structures(Fresh& fresh) const;
    void read_pasid_entry(Fresh& fresh, const std::uint64_t* words) const;
    void learn(const Invalidation& what);

    struct KeptEntry {
        std::array<std::uint64_t, 2> entry{};
        std::uint64_t since_ns = 0;
    };

    vtd::Vtd& unit_;
    const vtd::Configuration built_;
    GuestMemory memory_;
    vtd::FaultLog faults_;
    Epoch epoch_;
    vtd::Translator engine_;
    vtd::InterruptRemapper interrupts_;
    DeviceTlbs device_tlbs_;
    std::uint64_t table_ = 0;  // of interrupts
    std::map<std::uint32_t, KeptEntry> entries_;
};

}  // namespace iommu::verify
