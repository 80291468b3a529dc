// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 4.4 "TLB invalidation" as vhost and vfio hear of it.
#include "tests/qtest/smmuv3_test.hpp"
#include "tests/qtest/watch.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

using Events = std::vector<Watch::Event>;
constexpr std::uint32_t watch_sid = 0x28;  // 00:05.0
constexpr std::uint64_t half = 0x7fff'ffff'ffff'ffff;
// All of the address space: its size would not fit the 64 bits in which listeners count.
const Events everything = {Watch::gone(0, half), Watch::gone(half + 1, half)};

class Notifiers : public smmuv3::Test {
protected:
    void listening(std::uint64_t flags)
    {
        start("", {"-device", "winiommu-watch,addr=5"});
        watch = std::make_unique<Watch>(*machine, *config, Function{0, 5, 0},
                                        virt::pci_window + 0x40000);
        smmu->enable();
        stage1();
        smmu->set_ste(watch_sid, smmu->ste_stage1(cd_at));
        ASSERT_TRUE(watch->listen(flags));
        watch->forget();
    }
    Events told(const Command& command)
    {
        EXPECT_TRUE(smmu->submit_and_sync({command}));
        return watch->take();
    }
    std::unique_ptr<Watch> watch;
};

TEST_F(Notifiers, Smmu_4_4_1_RangesWithALevelArriveExactly)
{
    listening(Watch::unmap);
    const std::uint64_t nh_va = 0x12, leaf = iova | 1 << 10 | 3 << 8;
    EXPECT_EQ(told({nh_va, leaf}), Events{Watch::gone(iova, 0xfff)});
    EXPECT_EQ(told({nh_va | 7 << 12, leaf}), Events{Watch::gone(iova, 0x7fff)})
        << "eight pages";
    EXPECT_EQ(told({nh_va, iova | 1 << 10 | 2 << 8}),
              Events{Watch::gone(iova & ~0x1f'ffffull, 0x1f'ffff)});
}

TEST_F(Notifiers, Smmu_4_4_OtherInvalidationsTellOfEverything)
{
    listening(Watch::unmap);
    EXPECT_EQ(told(tlbi_nh_va(0, 1, iova)), everything)
        << "without a level, the leaf's size is not known";
    EXPECT_EQ(told(tlbi_nh_asid(0, 1)), everything);
    EXPECT_EQ(told(tlbi_nsnh_all()), everything);
    EXPECT_EQ(told(cfgi_ste(watch_sid)), everything);
    EXPECT_EQ(told(cfgi_ste(sid)), Events{}) << "of another stream";
}

// SMMU 6.3.2 "SMMU_IDR1": with SIDSIZE 9, bus 1 has StreamIDs and bus 2 has none.
TEST_F(Notifiers, Smmu_6_3_2_ABusWithoutStreamIdsHasNothingToListenTo)
{
    const Function port{0, 6, 0};
    const std::uint64_t window = 0x11000000;
    const auto number_bus = [&](unsigned bus) {
        open_bridge(*config, port, {bus, bus, window, 0x100000});
    };
    boot({"-M", "acpi=off", "-device", "winiommu-smmuv3,sid-bits=9", "-device",
          "pcie-root-port,id=rp,addr=6", "-device", "winiommu-watch,bus=rp"});
    smmu = std::make_unique<Driver>(*machine);
    number_bus(1);
    watch = std::make_unique<Watch>(*machine, *config, Function{1, 0, 0}, window);
    smmu->enable();
    stage1();
    smmu->set_ste(0x100, smmu->ste_stage1(cd_at));
    ASSERT_TRUE(watch->listen(Watch::unmap));
    watch->forget();
    EXPECT_EQ(told(tlbi_nsnh_all()), everything);

    number_bus(2);
    EXPECT_EQ(watch->take(), everything) << "what bus 1 had mapped";
    EXPECT_EQ(told(tlbi_nsnh_all()), Events{});
    ASSERT_TRUE(watch->listen(0));
    ASSERT_TRUE(watch->listen(Watch::unmap)) << "there, too";
    watch->forget();
    EXPECT_EQ(told(tlbi_nsnh_all()), Events{});

    number_bus(1);
    watch->forget();
    EXPECT_EQ(told(tlbi_nsnh_all()), everything) << "and again when it has StreamIDs";
}

TEST_F(Notifiers, SayNothingToWhoDoesNotListenAnyMore)
{
    listening(Watch::unmap);
    ASSERT_TRUE(watch->listen(0));
    EXPECT_EQ(told(tlbi_nsnh_all()), Events{});
}

TEST_F(Notifiers, TheGuestsMappingsAreRefusedWithALine)
{
    listening(Watch::unmap);
    EXPECT_FALSE(watch->listen(Watch::unmap | Watch::map));
    EXPECT_NE(machine->output().find("winiommu-smmuv3 does not tell when the guest maps"),
              std::string::npos)
        << machine->output();
    EXPECT_FALSE(watch->listen(Watch::device_unmap));
    EXPECT_NE(machine->output().find("winiommu-smmuv3 has no ATS"), std::string::npos)
        << machine->output();
    ASSERT_TRUE(watch->listen(Watch::unmap)) << "and goes on";
}

TEST_F(Notifiers, ADeviceAssignedByVfioIsRefusedWhenItIsPluggedIn)
{
    refuse({"-device", "winiommu-smmuv3", "-device", "winiommu-watch,vfio=on"},
           "winiommu-smmuv3 does not tell when the guest maps memory, which vfio needs: "
           "remove the vfio device, or put it on a root bus (pxb-pcie) without IOMMU");
}

}  // namespace
