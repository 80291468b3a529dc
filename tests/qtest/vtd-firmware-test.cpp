// SPDX-License-Identifier: GPL-2.0-or-later
// What the q35 machine tells software about winiommu-vtd, read as raw bytes from guest
// memory.
#include <algorithm>

#include <cstring>

#include "tests/qtest/fw_cfg.hpp"
#include "tests/qtest/q35.hpp"

namespace {

using namespace qtest;

class Vtd_Firmware : public q35::Test {
protected:
    FwCfg firmware() { return FwCfg(*machine, FwCfgAt::Q35, q35::ram); }
    Bytes dmar()
    {
        const auto tables = firmware().acpi("DMAR");
        EXPECT_EQ(tables.size(), 1u);
        return tables.empty() ? Bytes(64) : tables[0];
    }
    // The SSDTs this project made: ACPI 5.2.6, Creator ID at 28.
    std::vector<Bytes> ssdts()
    {
        std::vector<Bytes> ours;
        for (const auto& table : firmware().acpi("SSDT")) {
            if (std::memcmp(&table[28], "WIMU", 4) == 0) {
                ours.push_back(table);
            }
        }
        return ours;
    }
    // How often the DSDT has And (Local0, `mask`, Local0): each _OSC of a PCI Express
    // root.
    unsigned osc_masks(std::uint8_t mask)
    {
        const Bytes wanted{0x7b, 0x60, 0x0a, mask, 0x60};
        unsigned found = 0;
        for (const auto& table : firmware().acpi("DSDT")) {
            for (auto at = table.begin();; ++at) {
                at = std::search(at, table.end(), wanted.begin(), wanted.end());
                if (at == table.end()) {
                    break;
                }
                ++found;
            }
        }
        return found;
    }
    static unsigned sum(const Bytes& table)
    {
        unsigned total = 0;
        for (const auto byte : table) {
            total += byte;
        }
        return total & 0xff;
    }
    // Whether `part` is somewhere in `whole`.
    static bool contains(const Bytes& whole, const Bytes& part)
    {
        return std::search(whole.begin(), whole.end(), part.begin(), part.end()) !=
               whole.end();
    }
};

// VT-d 8.1 "DMA Remapping Reporting Structure": Flags at 37.
TEST_F(Vtd_Firmware, DmaProtectionOptsThePlatformIn)
{
    boot({"-device", "winiommu-vtd"});
    EXPECT_EQ(dmar()[37], 1u) << "INTR_REMAP";
    boot({"-device", "winiommu-vtd,dma-protection=on"});
    EXPECT_EQ(dmar()[37], 5u) << "INTR_REMAP, DMA_CTRL_PLATFORM_OPT_IN_FLAG";
    EXPECT_EQ(sum(dmar()), 0u);
}

// PCI Firmware 4.5.1 "_OSC Interface for PCI Host Bridge Devices": hot-plug is bit 0 of
// the control field, and hot-plug, SHPC, PME, AER, capability structure together are
// 0x1f.
TEST_F(Vtd_Firmware, DmaProtectionGrantsAllOfPciExpress)
{
    boot({"-device", "winiommu-vtd"});
    EXPECT_EQ(osc_masks(0x1e), 1u);
    boot({"-device", "winiommu-vtd,dma-protection=on"});
    EXPECT_EQ(osc_masks(0x1f), 1u);
    EXPECT_EQ(osc_masks(0x1e), 0u);
}

// What is granted works: a device that arrives is shown in the slot (PCIe 7.5.3.11 "Slot
// Status Register": Presence Detect State, bit 6) and the hot-plug interrupt's cause is
// set.
TEST_F(Vtd_Firmware, DevicesArriveByNativeHotPlug)
{
    boot({"-device", "winiommu-vtd,dma-protection=on", "-device",
          "pcie-root-port,id=one,addr=5"});
    const auto slot_status = [&] {
        unsigned at = config->read32(0, 5 << 3, 0x34) & 0xff;
        while (at != 0 && (config->read32(0, 5 << 3, at) & 0xff) != 0x10) {
            at = config->read32(0, 5 << 3, at) >> 8 & 0xff;
        }
        return config->read32(0, 5 << 3, at + 0x18) >> 16;
    };
    EXPECT_EQ(slot_status() & 0x48, 0u);
    const auto added = machine->qmp(
        "device_add", "{\"driver\":\"winiommu-dma\",\"bus\":\"one\",\"id\":\"late\"}");
    EXPECT_TRUE(added.ok) << added.json;
    EXPECT_EQ(slot_status() & 0x48, 0x48u);
}

TEST_F(Vtd_Firmware, APortNobodyMarkedHasNoTable)
{
    boot({"-device", "winiommu-vtd", "-device", "pcie-root-port,id=one"});
    EXPECT_TRUE(ssdts().empty());
}

// "DSD for PCIe Root Ports": the UUID, then the packages.
TEST_F(Vtd_Firmware, MarkedPortsHaveTheirDsd)
{
    boot({"-device",
          "winiommu-vtd,dma-protection=on,external-ports=left:far,accessible-ports=right,"
          "d3-hot-plug-ports=left",
          "-device", "pcie-root-port,id=left,addr=2,chassis=1", "-device",
          "pcie-root-port,id=right,addr=3,chassis=2", "-device",
          "pxb-pcie,id=expander,bus_nr=16", "-device",
          "pcie-root-port,id=far,bus=expander,addr=1,chassis=3"});
    const auto tables = ssdts();
    ASSERT_EQ(tables.size(), 1u);
    const auto& table = tables[0];
    EXPECT_EQ(sum(table), 0u);
    const Bytes external{0x11, 0x13, 0x0a, 0x10, 0xcc, 0x06, 0xcc, 0xef, 0xac, 0x73,
                         0xc3, 0x4b, 0xbf, 0xf0, 0x76, 0x14, 0x38, 0x07, 0xc3, 0x89,
                         0x12, 0x23, 0x02, 0x12, 0x17, 0x02, 0x0d, 'E',  'x',  't',
                         'e',  'r',  'n',  'a',  'l',  'F',  'a',  'c',  'i',  'n',
                         'g',  'P',  'o',  'r',  't',  0x00, 0x01, 0x12, 0x08, 0x02,
                         0x0d, 'U',  'I',  'D',  0x00};
    const Bytes accessible{0x11, 0x13, 0x0a, 0x10, 0x61, 0x41, 0xd2, 0x70, 0xd5, 0x6d,
                           0x9e, 0x4c, 0x80, 0x70, 0x70, 0x55, 0x31, 0x29, 0x28, 0x65};
    const Bytes left{'\\', 0x2f, 3,   '_', 'S', 'B',  '_', 'P', 'C', 'I',
                     '0',  'S',  '1', '0', '_', 0x08, '_', 'D', 'S', 'D'};
    const Bytes right{'\\', 0x2f, 3,   '_', 'S', 'B',  '_', 'P', 'C', 'I',
                      '0',  'S',  '1', '8', '_', 0x08, '_', 'D', 'S', 'D'};
    const Bytes far{'\\', 0x2e, '_', 'S', 'B', '_', 'P', 'C', '1', '0', 0x5b, 0x82};
    EXPECT_TRUE(contains(table, left));
    EXPECT_TRUE(contains(table, right));
    EXPECT_TRUE(contains(table, far)) << "expander buses are not in the machine's DSDT";
    for (const std::uint8_t uid : {0, 1}) {  // ZeroOp, OneOp
        auto whole = external;
        whole.push_back(uid);
        EXPECT_TRUE(contains(table, whole)) << "UID " << unsigned{uid};
    }
    EXPECT_TRUE(contains(table, accessible));
    EXPECT_TRUE(contains(table, Bytes{'D',  'm', 'a', 'P', 'r',  'o',  'p',  'e',
                                      'r',  't', 'y', 0,   0x01, 0x12, 0x09, 2,
                                      0x0d, 'U', 'I', 'D', 0,    0x0a, 2}));
    EXPECT_TRUE(contains(
        table, Bytes{'S', 'u', 'p', 'p', 'o', 'r', 't', 'I', 'n', 'D', '3', 0, 0x01}));
}

TEST_F(Vtd_Firmware, WrongPlatformOptionsEndWithOneLine)
{
    refuse({"-device", "winiommu-vtd,external-ports=nowhere"},
           "external-ports: there is no root port with the id 'nowhere'");
    refuse({"-device", "winiommu-vtd,accessible-ports=dma", "-device",
            "winiommu-dma,id=dma"},
           "accessible-ports: there is no root port with the id 'dma'");
    refuse(
        {"-device", "pcie-root-port,id=one", "-device", "winiommu-vtd,dma-protection=on"},
        "before the root ports");
}

}  // namespace
