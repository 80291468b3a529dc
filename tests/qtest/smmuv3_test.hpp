// SPDX-License-Identifier: GPL-2.0-or-later
// A `virt` with one winiommu-smmuv3 on pcie.0 and one winiommu-dma at 00:04.0.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/qtest/smmuv3.hpp"

namespace qtest::smmuv3 {

inline constexpr std::uint32_t sid = 0x20;  // 00:04.0
inline constexpr std::uint64_t iova = 0x1234567000;
inline constexpr std::uint64_t target = virt::ram + 0x8000000;  // what IOVAs point to
inline constexpr std::uint64_t no_memory = 0x20'0000'0000;  // within OAS, nobody there
inline constexpr const char* smmu_path = "/machine/peripheral/smmu";

class Test : public virt::Test {
protected:
    void start(const std::string& smmu_options = "",
               const std::vector<std::string>& more = {})
    {
        std::vector<std::string> all = {
            "-device",
            "winiommu-smmuv3,id=smmu" + (smmu_options.empty() ? "" : "," + smmu_options),
            "-device", "winiommu-dma,addr=4"};
        all.insert(all.end(), more.begin(), more.end());
        boot(all);
        if (machine) {
            connect();
        }
    }

    void connect()
    {
        dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                         virt::pci_window);
        smmu = std::make_unique<Driver>(*machine);
        ASSERT_TRUE(dma->present());
    }

    // Stage 1 for `sid` with `iova` mapped to `target`, one page of `granule`.
    void stage1(Granule granule = Granule::K4, std::uint64_t attributes = s1_rw)
    {
        table = smmu->new_table(granule);
        smmu->map(table, granule,
                  {iova & ~((1ull << unsigned(granule)) - 1),
                   target & ~((1ull << unsigned(granule)) - 1), 4096, attributes});
        cd_at = smmu->allocate(64, 64);
        smmu->put(cd_at, smmu->cd(table, granule, 1));
        smmu->set_ste(sid, smmu->ste_stage1(cd_at));
    }

    void stage2()
    {
        table2 = smmu->new_stage2_table();
        smmu->map_stage2(table2, {iova, target, 4096, s2_rw});
        smmu->set_ste(sid, smmu->ste_stage2(table2, Granule::K4, 7));
    }

    void expect_no_event()
    {
        EXPECT_EQ(smmu->events_waiting(), 0u);
        EXPECT_EQ(smmu->r32(GERROR), 0u);
    }

    // Exactly one event, and this is it.
    Record expect_event(unsigned expected)
    {
        Record r{};
        EXPECT_EQ(smmu->events_waiting(), 1u);
        smmu->next_event(r);
        EXPECT_EQ(number(r), expected);
        EXPECT_EQ(stream(r), sid);
        return r;
    }

    std::unique_ptr<Endpoint> dma;
    std::unique_ptr<Driver> smmu;
    std::uint64_t table = 0, table2 = 0, cd_at = 0;
};

}  // namespace qtest::smmuv3
