// SPDX-License-Identifier: GPL-2.0-or-later
// Verify mode of the SMMUv3.
#pragma once

#include <map>

#include "hw/iommu/smmuv3/observer.hpp"
#include "hw/iommu/smmuv3/translator.hpp"
#include "hw/iommu/verify/watch.hpp"

namespace iommu::smmu {
class Smmuv3;
}

namespace iommu::verify {

class SmmuWatch final : public Watch, private smmu::Observer {
public:
    // Before the first stream.  `built` as the device was made.
    SmmuWatch(smmu::Smmuv3& device, const smmu::Capabilities& built, bool verifies,
              Listener listener);
    ~SmmuWatch();

private:
    Fresh ask(std::uint32_t id, const Transaction& access) override;
    void judge(const Fresh& fresh, const Transaction& access) override;
    const Rules& rules() const override;
    record::Device kind() const override { return record::Device::Smmuv3; }

    void writes_register(std::uint32_t offset, std::uint32_t value,
                         const Enables& now) override;
    void configured(const smmu::Settings& settings) override;
    void consumed(const smmu::Command& command) override;
    void refused(const smmu::Fault& fault,
                 const std::array<std::uint64_t, 4>& words) override;

    void consumed_configuration(const smmu::Command& command);
    void consumed_translation(const smmu::Command& command);
    void read_structures(Fresh& fresh) const;
    void learn(std::uint32_t id, Substream substream);

    smmu::Smmuv3& smmu_;
    const smmu::Capabilities built_;
    GuestMemory memory_;
    smmu::Translator engine_;
    std::map<std::uint32_t, std::unique_ptr<smmu::StreamEntry>> entries_;
};

}  // namespace iommu::verify
