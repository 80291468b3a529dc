// SPDX-License-Identifier: GPL-2.0-or-later
// iommu/capi.h as the C glue uses it.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "iommu/capi.h"

namespace {

struct Machine {
    std::vector<unsigned> pulses;
    std::vector<void*> bypass_changes;
    std::uint64_t ram[512] = {};
};

Machine* of(void* opaque)
{
    return static_cast<Machine*>(opaque);
}

WiHost host_of(Machine& m)
{
    return {
        .opaque = &m,
        .read = [](void*, uint64_t, void*, size_t) { return -1; },
        .write = [](void*, uint64_t, const void*, size_t) { return -1; },
        .mark_dirty = [](void*, uint64_t, size_t) {},
        .pulse = [](void* o, unsigned line) { of(o)->pulses.push_back(line); },
        .send_msi = [](void*, uint64_t, uint32_t) { return 0; },
        .unmapped = [](void*, void*, uint64_t, uint64_t) {},
        .bypass_changed = [](void* o,
                             void* cookie) { of(o)->bypass_changes.push_back(cookie); },
        .guest_error = [](void*, const char*) {},
        .mapping_changed = nullptr,
        .device_unmapped = nullptr,
    };
}

}  // namespace

TEST(Capi, MakesDrivesAndFreesADevice)
{
    Machine m;
    const auto host = host_of(m);
    WiSmmuv3Config config;
    wi_smmuv3_config_init(&config);
    EXPECT_EQ(config.sid_bits, 16);
    EXPECT_EQ(config.ssid_bits, 8);
    EXPECT_EQ(config.oas_bits, 48);
    EXPECT_TRUE(config.stage1 && config.stage2 && config.tlb);
    EXPECT_FALSE(config.gbpa_abort);
    const char* error = "unset";
    WiIommu* smmu = wi_smmuv3_new(&config, &host, &error);
    ASSERT_NE(smmu, nullptr);
    EXPECT_EQ(error, nullptr);
    EXPECT_EQ(wi_iommu_mmio_read(smmu, 0x1c, 4), 2u);

    const WiRamRegion region{0x4000'0000, sizeof m.ram, m.ram, false};
    wi_iommu_set_ram(smmu, &region, 1);
    m.ram[0] = 0x1046;  // CMD_SYNC, SIG_IRQ
    wi_iommu_mmio_write(smmu, 0x90, 8, 0x4000'0003);
    wi_iommu_mmio_write(smmu, 0x20, 4, 8);
    wi_iommu_mmio_write(smmu, 0x98, 4, 1);
    EXPECT_EQ(m.pulses, std::vector<unsigned>{WI_SMMUV3_IRQ_CMD_SYNC});

    WiStream* stream = wi_iommu_stream(smmu, 3, &m);
    ASSERT_NE(stream, nullptr);
    EXPECT_EQ(wi_iommu_stream(smmu, 0x10000, nullptr), nullptr);
    EXPECT_TRUE(wi_stream_bypassed(stream));
    WiTranslation out;
    ASSERT_TRUE(wi_stream_translate(stream, 0x1234, WI_WRITE, 0, &out));
    EXPECT_EQ(out.output, 0x1234u);
    EXPECT_EQ(out.mask, 0xffff'ffff'ffffull);
    EXPECT_TRUE(out.read && out.write);
    wi_iommu_mmio_write(smmu, 0x44, 4, 0x8010'0000);
    EXPECT_FALSE(wi_stream_translate(stream, 0x1234, 0, 0, &out));
    EXPECT_EQ(m.bypass_changes, std::vector<void*>{&m});

    size_t size = 0;
    void* state = wi_iommu_save(smmu, &size);
    ASSERT_NE(state, nullptr);
    wi_iommu_reset(smmu);
    EXPECT_TRUE(wi_stream_bypassed(stream));
    EXPECT_EQ(wi_iommu_load(smmu, state, size), nullptr);
    EXPECT_FALSE(wi_stream_bypassed(stream));
    EXPECT_NE(wi_iommu_load(smmu, state, size - 1), nullptr);
    std::free(state);
    wi_iommu_free(smmu);
}

TEST(Capi, RefusesWhatTheArchitectureDoesNotHaveInOneLine)
{
    Machine m;
    auto host = host_of(m);
    WiSmmuv3Config config;
    wi_smmuv3_config_init(&config);
    config.oas_bits = 39;
    const char* error = nullptr;
    EXPECT_EQ(wi_smmuv3_new(&config, &host, &error), nullptr);
    ASSERT_NE(error, nullptr);
    EXPECT_NE(std::string(error).find("output address size"), std::string::npos);
    wi_smmuv3_config_init(&config);
    host.pulse = nullptr;
    EXPECT_EQ(wi_smmuv3_new(&config, &host, &error), nullptr);
    ASSERT_NE(error, nullptr);
    EXPECT_NE(std::string(error).find("callback"), std::string::npos);
}
