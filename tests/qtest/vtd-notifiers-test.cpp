// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.1 "Caching Mode" and 6.5 "Invalidation of Translation Caches" as vhost and vfio
// hear of them.
#include "tests/qtest/q35.hpp"
#include "tests/qtest/watch.hpp"

namespace {

using namespace qtest;
using q35::ram;
using q35::unit;

enum : std::uint64_t {
    GCMD = unit + 0x18,
    RTADDR = unit + 0x20,
    FSTS = unit + 0x34,
    IQT = unit + 0x88,
    IQA = unit + 0x90,
};
constexpr std::uint32_t TE = 1u << 31, SRTP = 1u << 30, QIE = 1u << 26;

// The device is 00:05.0; its domain is 5.
constexpr std::uint64_t root = ram, context = ram + 0x1000, directory = ram + 0x2000,
                        pasids = ram + 0x3000, queue = ram + 0x4000, tree = ram + 0x10000,
                        leaves = tree + 0x3000, data = ram + 0x100000;
constexpr std::uint64_t iova = 0x4000'0000;
constexpr unsigned devfn = 5 << 3;

using Events = std::vector<Watch::Event>;

class VtdNotifiers : public q35::Test {
protected:
    void start(const std::string& options)
    {
        boot({"-device", "winiommu-vtd" + options, "-device", "winiommu-watch,addr=5"});
        ASSERT_NE(machine, nullptr);
        watch = std::make_unique<Watch>(*machine, *config, Function{0, 5, 0},
                                        q35::pci_window);
        machine->write64(tree, (tree + 0x1000) | 3);
        machine->write64(tree + 0x1000 + 8, (tree + 0x2000) | 3);
        machine->write64(tree + 0x2000, leaves | 3);
    }
    void legacy(const std::string& options = "")
    {
        start(options);
        machine->write64(root, context | 1);
        machine->write64(context + devfn * 16, tree | 1);
        machine->write64(context + devfn * 16 + 8, 5 << 8 | 2);
        enable(root, 0);
    }
    void scalable(const std::string& options)
    {
        start(",scalable-mode=on" + options);
        machine->write64(root, context | 1);
        machine->write64(context + devfn * 32, directory | 1);
        machine->write64(directory, pasids | 1);
        machine->write64(pasids, tree | 0x89);  // second stage, 4 levels
        machine->write64(pasids + 8, 5);
        enable(root | 1 << 10, 1 << 11);
    }
    void enable(std::uint64_t table, std::uint64_t wide)
    {
        machine->write64(RTADDR, table);
        machine->write32(GCMD, SRTP);
        machine->write64(IQA, queue | wide);
        machine->write32(GCMD, QIE);
        machine->write32(GCMD, QIE | TE);
        descriptor_size = wide ? 32 : 16;
    }
    void map_page(unsigned number, std::uint64_t entry)
    {
        machine->write64(leaves + 8 * number, entry);
    }
    void submit(std::uint64_t low, std::uint64_t high = 0)
    {
        machine->write64(queue + tail, low);
        machine->write64(queue + tail + 8, high);
        tail += descriptor_size;
        machine->write64(IQT, tail);
        EXPECT_EQ(machine->read32(FSTS), 0u);
    }
    static constexpr std::uint64_t of_pages = 0x32 | 5 << 16, of_domain = 0x22 | 5 << 16,
                                   of_all = 0x12;
    Events told(std::uint64_t low, std::uint64_t high = 0)
    {
        submit(low, high);
        return watch->take();
    }
    void expect_said(const std::string& line)
    {
        EXPECT_NE(machine->output().find(line), std::string::npos) << machine->output();
    }

    std::unique_ptr<Watch> watch;
    std::uint64_t tail = 0, descriptor_size = 16;
};

// 0xfeexxxxx holds no memory: VT-d 3.15.
const Events everything = {Watch::gone(0xfef0'0000, ~0ull - 0xfef0'0000),
                           Watch::gone(0, 0xfedf'ffff)};

TEST_F(VtdNotifiers, Vtd_6_5_2_3_UnmapsArriveExactly)
{
    legacy();
    ASSERT_TRUE(watch->listen(Watch::unmap));
    watch->forget();
    EXPECT_EQ(told(of_pages, iova), Events{Watch::gone(iova, 0xfff)});
    EXPECT_EQ(told(of_pages, iova | 9), Events{Watch::gone(iova, 0x1f'ffff)});
    EXPECT_EQ(told(0x32 | 6 << 16, iova), Events{}) << "another domain";
    const auto all = told(of_domain);
    EXPECT_EQ(all.size(), 2u);
    EXPECT_TRUE(all == everything || all == Events({everything[1], everything[0]}));
}

TEST_F(VtdNotifiers, Vtd_6_1_MappingsNeedCachingMode)
{
    legacy();
    EXPECT_FALSE(watch->listen(Watch::unmap | Watch::map));
    expect_said("which vfio needs, with caching-mode=on only: set it, or remove");
    ASSERT_TRUE(watch->listen(Watch::unmap)) << "and goes on";
    refuse({"-device", "winiommu-vtd", "-device", "winiommu-watch,vfio=on"},
           "caching-mode=on");
}

TEST_F(VtdNotifiers, Vtd_6_1_AReplayGivesAllThatIsMapped)
{
    legacy(",caching-mode=on");
    map_page(0, data | 3);
    map_page(1, (data + 0x1000) | 1);
    map_page(3, (data + 0x3000) | 2);
    machine->write64(tree + 0x2000 + 8, (data & ~0x1f'ffffull) | 0x83);  // 2 MiB
    ASSERT_TRUE(watch->listen(Watch::unmap | Watch::map));
    const Events present = {{iova, 0xfff, data, 3},
                            {iova + 0x1000, 0xfff, data + 0x1000, 1},
                            {iova + 0x3000, 0xfff, data + 0x3000, 2},
                            {iova + 0x20'0000, 0x1f'ffff, data & ~0x1f'ffffull, 3}};
    EXPECT_EQ(watch->take(), present);
    watch->replay();
    EXPECT_EQ(watch->take(), present);
}

TEST_F(VtdNotifiers, Vtd_6_1_InvalidationsBringACopyUpToDate)
{
    legacy(",caching-mode=on");
    ASSERT_TRUE(watch->listen(Watch::unmap | Watch::map));
    EXPECT_EQ(watch->take(), Events{});
    map_page(0, data | 3);
    map_page(1, (data + 0x1000) | 3);
    EXPECT_EQ(told(of_pages, iova), (Events{{iova, 0xfff, data, 3}})) << "that page only";
    EXPECT_EQ(told(of_domain), (Events{{iova + 0x1000, 0xfff, data + 0x1000, 3}}));
    EXPECT_EQ(told(of_all), Events{}) << "nothing has changed";
    map_page(0, (data + 0x5000) | 3);
    EXPECT_EQ(told(of_pages, iova),
              (Events{Watch::gone(iova, 0xfff), {iova, 0xfff, data + 0x5000, 3}}));
    map_page(0, 0);
    map_page(1, (data + 0x1000) | 1);
    EXPECT_EQ(told(of_all), (Events{Watch::gone(iova, 0xfff),
                                    Watch::gone(iova + 0x1000, 0xfff),
                                    {iova + 0x1000, 0xfff, data + 0x1000, 1}}));
    // A large page in place of the table: what stood there goes, whole.
    machine->write64(tree + 0x2000, (data & ~0x1f'ffffull) | 0x83);
    EXPECT_EQ(told(of_pages, iova + 0x7000),
              (Events{Watch::gone(iova + 0x1000, 0xfff),
                      {iova, 0x1f'ffff, data & ~0x1f'ffffull, 3}}));
    machine->write64(tree + 0x2000, leaves | 3);
    EXPECT_EQ(
        told(of_pages, iova + 0x7000),
        (Events{Watch::gone(iova, 0x1f'ffff), {iova + 0x1000, 0xfff, data + 0x1000, 1}}));
}

TEST_F(VtdNotifiers, Vtd_6_1_ABlockAroundTheInterruptRangeComesInPieces)
{
    legacy(",caching-mode=on");
    ASSERT_TRUE(watch->listen(Watch::unmap | Watch::map));
    machine->write64(tree + 0x1000 + 24, 0x83);  // 0xc000'0000, 1 GiB, to 0
    std::uint64_t below = 0, above = 0;
    for (const auto& e : told(of_all)) {
        EXPECT_EQ(e.input & e.mask, 0u) << e;
        EXPECT_EQ(e.output, e.input - 0xc000'0000) << e;
        (e.input < 0xfee0'0000 ? below : above) += e.mask + 1;
    }
    EXPECT_EQ(below, 0xfee0'0000u - 0xc000'0000u);
    EXPECT_EQ(above, 0x1'0000'0000u - 0xfef0'0000u);
    machine->write64(tree + 0x1000 + 24, 0);
    EXPECT_EQ(told(of_all).size(), 2u);
}

TEST_F(VtdNotifiers, Vtd_6_1_AContextThatComesAndGoesTakesItsMappingsAlong)
{
    legacy(",caching-mode=on");
    map_page(0, data | 3);
    ASSERT_TRUE(watch->listen(Watch::unmap | Watch::map));
    watch->forget();
    const std::uint64_t of_context = 0x31 | 5 << 16 | std::uint64_t{devfn} << 32;
    machine->write64(context + devfn * 16, tree);
    EXPECT_EQ(told(of_context), Events{Watch::gone(iova, 0xfff)});
    machine->write64(context + devfn * 16, tree | 1);
    EXPECT_EQ(told(of_context), (Events{{iova, 0xfff, data, 3}}));
}

TEST_F(VtdNotifiers, Vtd_6_1_TheSecondStageOfAPasidEntryIsCopiedToo)
{
    scalable(",caching-mode=on");
    map_page(0, data | 3);
    ASSERT_TRUE(watch->listen(Watch::unmap | Watch::map));
    EXPECT_EQ(watch->take(), (Events{{iova, 0xfff, data, 3}}));
    map_page(2, (data + 0x2000) | 3);
    EXPECT_EQ(told(of_pages, iova + 0x2000),
              (Events{{iova + 0x2000, 0xfff, data + 0x2000, 3}}));
    map_page(0, 0);
    EXPECT_EQ(told(of_domain), Events{Watch::gone(iova, 0xfff)});
    machine->write64(pasids, 0x41);  // a first stage: CAP.CM says nothing of it
    machine->write64(pasids + 16, tree);
    EXPECT_EQ(told(0x37), Events{Watch::gone(iova + 0x2000, 0xfff)});
}

// 2^27 pages out of four tables: more than anybody may ask to be copied.
TEST_F(VtdNotifiers, Vtd_6_1_TablesThatPointToThemselvesAreNotCopiedForEver)
{
    legacy(",caching-mode=on");
    ASSERT_TRUE(watch->listen(Watch::unmap | Watch::map));
    map_page(0, data | 3);
    EXPECT_EQ(told(of_all).size(), 1u);
    for (unsigned i = 0; i < 512; ++i) {
        machine->write64(tree + 0x1000 + 8 * i, (tree + 0x2000) | 3);
        machine->write64(tree + 0x2000 + 8 * i, leaves | 3);
        map_page(i, data | 3);
    }
    const auto all = told(of_all);
    EXPECT_EQ(all.size(), 2u);
    EXPECT_TRUE(all == everything || all == Events({everything[1], everything[0]}));
    // Back to one page.
    machine->write64(tree, 0);
    EXPECT_EQ(told(of_all), Events{});
    machine->write64(tree + 0x4000, data | 3);
    machine->write64(tree + 0x5000, (tree + 0x4000) | 3);
    machine->write64(tree + 0x6000, (tree + 0x5000) | 3);
    machine->write64(tree, (tree + 0x6000) | 3);
    EXPECT_EQ(told(of_all), (Events{{0, 0xfff, data, 3}}));
}

TEST_F(VtdNotifiers, Vtd_6_5_2_5_DeviceTlbInvalidationsReachTheFunctionTheyName)
{
    legacy(",device-iotlb=on");
    ASSERT_TRUE(watch->listen(Watch::device_unmap));
    watch->forget();
    const std::uint64_t of_device = 0x3 | std::uint64_t{devfn} << 32;
    EXPECT_EQ(told(of_device, iova), Events{Watch::gone(iova, 0xfff)});
    EXPECT_EQ(told(of_device, iova | 1 | 0x7000), Events{Watch::gone(iova, 0xffff)});
    EXPECT_EQ(told(of_all), Events{}) << "the unit's own cache";
    machine->write64(queue + tail, 0x3 | 8ull << 32);
    machine->write64(queue + tail + 8, iova);
    machine->write64(IQT, tail + descriptor_size);
    EXPECT_EQ(watch->take(), Events{}) << "another function";
    EXPECT_EQ(machine->read32(FSTS), 0x40u) << "which does not answer";
}

TEST_F(VtdNotifiers, Vtd_11_4_3_WithoutDeviceTlbsNobodyCanHaveOne)
{
    legacy();
    EXPECT_FALSE(watch->listen(Watch::device_unmap));
    expect_said("winiommu-vtd has no Device-TLBs: set device-iotlb=on");
}

}  // namespace
