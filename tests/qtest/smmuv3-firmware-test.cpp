// SPDX-License-Identifier: GPL-2.0-or-later
// What the machine tells software about the device: device tree and IORT, as raw bytes.
#include <libfdt.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "tests/qtest/fw_cfg.hpp"
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_Firmware : public smmuv3::Test {
protected:
    // The device tree QEMU would give to a guest.
    Bytes device_tree(const std::vector<std::string>& more)
    {
        const std::string file =
            ::testing::TempDir() + "winiommu-virt.dtb." + std::to_string(::getpid());
        boot(more);
        EXPECT_TRUE(machine->qmp("dumpdtb", "{\"filename\":\"" + file + "\"}").ok);
        std::ifstream in(file, std::ios::binary);
        Bytes bytes((std::istreambuf_iterator<char>(in)),
                    std::istreambuf_iterator<char>());
        ::unlink(file.c_str());
        EXPECT_EQ(fdt_check_header(bytes.data()), 0);
        return bytes;
    }
    static std::vector<std::uint32_t> cells(const Bytes& fdt, int node, const char* name)
    {
        int size = 0;
        const auto* data =
            static_cast<const std::uint8_t*>(fdt_getprop(fdt.data(), node, name, &size));
        std::vector<std::uint32_t> out;
        for (int i = 0; data && i + 3 < size; i += 4) {
            out.push_back(std::uint32_t{data[i]} << 24 | data[i + 1] << 16 |
                          data[i + 2] << 8 | data[i + 3]);
        }
        return out;
    }

    static std::uint32_t little32(const Bytes& b, std::size_t at)
    {
        return b.at(at) | b.at(at + 1) << 8 | b.at(at + 2) << 16 |
               std::uint32_t{b.at(at + 3)} << 24;
    }
    Bytes iort()
    {
        const auto found = FwCfg(*machine, FwCfgAt::Virt, virt::ram).acpi("IORT");
        EXPECT_EQ(found.size(), 1u) << "IORT";
        return found.empty() ? Bytes() : found[0];
    }
    // DEN 0049: nodes have type (0), length (1..2), revision (3), identifier (4..7).
    static std::vector<Bytes> nodes(const Bytes& table)
    {
        std::vector<Bytes> out;
        std::size_t at = little32(table, 40);
        for (std::uint32_t i = 0; i < little32(table, 36); ++i) {
            const std::size_t size = table.at(at + 1) | table.at(at + 2) << 8;
            out.emplace_back(table.begin() + static_cast<std::ptrdiff_t>(at),
                             table.begin() + static_cast<std::ptrdiff_t>(at + size));
            at += size;
        }
        return out;
    }
};

TEST_F(Smmu_Firmware, TheDeviceTreeNodeSaysWhatTheBindingAsks)
{
    const Bytes fdt = device_tree({"-device", "winiommu-smmuv3"});
    const int node = fdt_path_offset(fdt.data(), "/iommu@c000000");
    ASSERT_GE(node, 0);
    EXPECT_STREQ(
        static_cast<const char*>(fdt_getprop(fdt.data(), node, "compatible", nullptr)),
        "arm,smmu-v3");
    EXPECT_EQ(cells(fdt, node, "reg"),
              (std::vector<std::uint32_t>{0, 0x0c000000, 0, 0x20000}));
    EXPECT_EQ(cells(fdt, node, "interrupts"),
              (std::vector<std::uint32_t>{0, 112, 1, 0, 113, 1, 0, 114, 1, 0, 115, 1}))
        << "SPIs, rising edges";
    int size = 0;
    const void* names = fdt_getprop(fdt.data(), node, "interrupt-names", &size);
    ASSERT_EQ(size, 29);
    EXPECT_EQ(std::memcmp(names, "eventq\0priq\0cmdq-sync\0gerror", 29), 0);
    EXPECT_NE(fdt_getprop(fdt.data(), node, "dma-coherent", nullptr), nullptr);
    EXPECT_EQ(cells(fdt, node, "#iommu-cells"), (std::vector<std::uint32_t>{1}));
    EXPECT_EQ(cells(fdt, node, "msi-parent").size(), 2u);

    const int bridge = fdt_path_offset(fdt.data(), "/pcie@10000000");
    ASSERT_GE(bridge, 0);
    const std::uint32_t phandle = cells(fdt, node, "phandle").at(0);
    EXPECT_EQ(cells(fdt, bridge, "iommu-map"),
              (std::vector<std::uint32_t>{0, phandle, 0, 0x10000}));
}

TEST_F(Smmu_Firmware, EachRootBusIsMappedToItsSmmu)
{
    const Bytes fdt = device_tree(
        {"-device", "pxb-pcie,id=pcie.8,bus_nr=8,bus=pcie.0,addr=8", "-device",
         "pxb-pcie,id=pcie.9,bus_nr=16,bus=pcie.0,addr=9", "-device", "winiommu-smmuv3",
         "-device", "winiommu-smmuv3,primary-bus=pcie.8"});
    const int one = fdt_path_offset(fdt.data(), "/iommu@c000000");
    const int two = fdt_path_offset(fdt.data(), "/iommu@c020000");
    ASSERT_GE(one, 0);
    ASSERT_GE(two, 0);
    const std::uint32_t p1 = cells(fdt, one, "phandle").at(0);
    const std::uint32_t p2 = cells(fdt, two, "phandle").at(0);
    ASSERT_NE(p1, p2);
    const auto map =
        cells(fdt, fdt_path_offset(fdt.data(), "/pcie@10000000"), "iommu-map");
    std::map<std::uint32_t, std::vector<std::uint32_t>> by_base;
    for (std::size_t i = 0; i + 3 < map.size(); i += 4) {
        by_base[map[i]] = {map[i + 1], map[i + 2], map[i + 3]};
    }
    ASSERT_EQ(by_base.size(), 3u);
    EXPECT_EQ(by_base[0x0000], (std::vector<std::uint32_t>{p1, 0x0000, 0x0800}));
    EXPECT_EQ(by_base[0x0800], (std::vector<std::uint32_t>{p2, 0x0800, 0x0800}));
    EXPECT_EQ(by_base[0x1000], (std::vector<std::uint32_t>{p1, 0x1000, 0xf000}));
}

TEST_F(Smmu_Firmware, TheIortDescribesWhatIsThere)
{
    boot({"-device", "winiommu-smmuv3"});
    const Bytes table = iort();
    ASSERT_GE(table.size(), 48u);
    EXPECT_EQ(table[8], 6u) << "revision E.e";
    std::uint8_t sum = 0;
    for (const std::uint8_t b : table) {
        sum = static_cast<std::uint8_t>(sum + b);
    }
    EXPECT_EQ(sum, 0u) << "checksum";
    const auto all = nodes(table);
    ASSERT_EQ(all.size(), 3u) << "ITS group, SMMUv3, root complex";
    const Bytes *its = nullptr, *smmu_node = nullptr, *root = nullptr;
    for (const Bytes& n : all) {
        (n[0] == 0 ? its : n[0] == 4 ? smmu_node : root) = &n;
    }
    ASSERT_TRUE(its && smmu_node && root);
    EXPECT_EQ((*root)[0], 2u);
    EXPECT_NE(little32(*its, 4), little32(*smmu_node, 4)) << "qemu.md A14: identifiers";
    EXPECT_NE(little32(*root, 4), little32(*smmu_node, 4));
    EXPECT_EQ(little32(*smmu_node, 16), 0x0c000000u) << "base";
    EXPECT_EQ(little32(*smmu_node, 24) & 1, 1u) << "COHACC override";
    EXPECT_EQ(little32(*smmu_node, 44), 112u + 32) << "event GSIV";
    EXPECT_EQ(little32(*smmu_node, 52), 115u + 32) << "GERR GSIV";
    EXPECT_EQ(little32(*smmu_node, 56), 114u + 32) << "sync GSIV";
    // The root complex's one mapping: 0, count - 1, 0, the SMMU node, flags 0.
    ASSERT_EQ(little32(*root, 8), 1u);
    const std::uint32_t map = little32(*root, 12);
    EXPECT_EQ(little32(*root, map), 0u);
    EXPECT_EQ(little32(*root, map + 4), 0xffffu);
    const std::uint32_t reference = little32(*root, map + 12);
    EXPECT_EQ(table.at(reference), 4u) << "refers to the SMMUv3 node";
}

TEST_F(Smmu_Firmware, TwoSmmusAndAReservedRange)
{
    boot({"-device", "pxb-pcie,id=pcie.8,bus_nr=8,bus=pcie.0,addr=8", "-device",
          "winiommu-smmuv3,rmr=0x4f000000+0x10000@0x20", "-device",
          "winiommu-smmuv3,primary-bus=pcie.8"});
    std::map<unsigned, unsigned> count;
    for (const Bytes& n : nodes(iort())) {
        ++count[n[0]];
    }
    EXPECT_EQ(count[4], 2u);
    EXPECT_EQ(count[2], 1u);
    EXPECT_EQ(count[6], 1u) << "RMR";
}

TEST_F(Smmu_Firmware, AMachineWithoutTheDeviceKeepsItsOwnTables)
{
    boot({});
    for (const Bytes& n : nodes(iort())) {
        EXPECT_NE(n[0], 4u) << "no SMMU is there";
    }
}

}  // namespace
