// SPDX-License-Identifier: GPL-2.0-or-later
// How C makes an SMMUv3.
#include "hw/iommu/capi.hpp"
#include "hw/iommu/smmuv3/device.hpp"
#include "hw/iommu/verify/smmuv3_watch.hpp"

using namespace iommu;

static_assert(static_cast<int>(smmu::Line::EventQueue) == WI_SMMUV3_IRQ_EVTQ &&
              static_cast<int>(smmu::Line::PriQueue) == WI_SMMUV3_IRQ_PRIQ &&
              static_cast<int>(smmu::Line::CommandSync) == WI_SMMUV3_IRQ_CMD_SYNC &&
              static_cast<int>(smmu::Line::GlobalError) == WI_SMMUV3_IRQ_GERROR);
static_assert(smmu::Smmuv3::mmio_size == WI_SMMUV3_MMIO_SIZE);

extern "C" {

void wi_smmuv3_config_init(WiSmmuv3Config* config)
{
    const smmu::Configuration defaults{};
    const auto& has = defaults.capabilities;
    *config = {
        .sid_bits = static_cast<uint8_t>(has.sid_bits),
        .ssid_bits = static_cast<uint8_t>(has.ssid_bits),
        .oas_bits = static_cast<uint8_t>(has.oas_bits),
        .stage1 = has.stage1,
        .stage2 = has.stage2,
        .tlb = has.tlb,
        .gbpa_abort = defaults.gbpa_abort,
        .msi = defaults.msi,
    };
}

WiIommu* wi_smmuv3_new(const WiSmmuv3Config* config, const WiHost* host,
                       const char** error)
{
    smmu::Configuration wanted{};
    wanted.capabilities = {
        .sid_bits = config->sid_bits,
        .ssid_bits = config->ssid_bits,
        .oas_bits = config->oas_bits,
        .stage1 = config->stage1,
        .stage2 = config->stage2,
        .tlb = config->tlb,
    };
    wanted.gbpa_abort = config->gbpa_abort;
    wanted.msi = config->msi;
    return make_handle<smmu::Smmuv3>(
        wanted, smmu::Smmuv3::refuse(wanted), host, error, [&wanted](auto& smmu) {
            return [&smmu, built = wanted.capabilities](
                       bool verifies, verify::Watch::Listener listener) {
                return std::make_unique<verify::SmmuWatch>(smmu, built, verifies,
                                                           listener);
            };
        });
}

}  // extern "C"
