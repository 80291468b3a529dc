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

// A structure of the DMAR: VT-d 8.2 "Remapping Structure Types"; the first is at 48.
Bytes structure(const Bytes& dmar, unsigned type)
{
    for (std::size_t at = 48; at + 4 <= dmar.size();) {
        const std::size_t size = dmar[at + 2] | dmar[at + 3] << 8;
        if ((dmar[at] | dmar[at + 1] << 8) == static_cast<int>(type)) {
            const auto begin = dmar.begin() + static_cast<std::ptrdiff_t>(at);
            return {begin, begin + static_cast<std::ptrdiff_t>(size)};
        }
        at += size < 4 ? dmar.size() : size;
    }
    return {};
}

// VT-d 8.6 "Remapping Hardware Static Affinity Structure".
TEST_F(Vtd_Firmware, TheUnitHasAProximityDomain)
{
    const std::vector<std::string> nodes = {
        "-smp",    "2",
        "-object", "memory-backend-ram,id=m0,size=128M",
        "-object", "memory-backend-ram,id=m1,size=128M",
        "-numa",   "node,memdev=m0,cpus=0",
        "-numa",   "node,memdev=m1,cpus=1"};
    auto all = nodes;
    all.insert(all.end(), {"-device", "winiommu-vtd,proximity-domain=1"});
    boot(all);
    EXPECT_EQ(structure(dmar(), 3),
              (Bytes{3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, 1, 0, 0, 0}));
    boot({"-device", "winiommu-vtd"});
    EXPECT_TRUE(structure(dmar(), 3).empty());
    all.back() = "winiommu-vtd,proximity-domain=2";
    refuse(all, "proximity-domain=2: the machine has no such NUMA node");
}

// VT-d 8.5 "Root Port ATS Capability Reporting Structure": ALL_PORTS is flag 0.
TEST_F(Vtd_Firmware, EveryRootPortMayHaveAts)
{
    boot({"-device", "winiommu-vtd,device-iotlb=on"});
    EXPECT_EQ(structure(dmar(), 2), (Bytes{2, 0, 8, 0, 1, 0, 0, 0}));
    boot({"-device", "winiommu-vtd"});
    EXPECT_TRUE(structure(dmar(), 2).empty());
}

// VT-d 8.8 "SoC Integrated Address Translation Cache Reporting Structure": ATC_REQUIRED
// is flag 0, the scopes are endpoints.
TEST_F(Vtd_Firmware, IntegratedFunctionsWithCachesAreListed)
{
    boot({"-device", "winiommu-vtd,cached-functions=a:b,caches-required=on", "-device",
          "winiommu-dma,id=a,addr=4", "-device", "winiommu-dma,id=b,addr=5.0"});
    EXPECT_EQ(structure(dmar(), 5), (Bytes{5, 0, 24, 0, 1, 0, 0, 0,  //
                                           1, 8, 0,  0, 0, 0, 4, 0,  //
                                           1, 8, 0,  0, 0, 0, 5, 0}));
    boot({"-device", "winiommu-vtd,cached-functions=a", "-device",
          "winiommu-dma,id=a,addr=4"});
    EXPECT_EQ(structure(dmar(), 5),
              (Bytes{5, 0, 16, 0, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 4, 0}));
    refuse(
        {"-device", "winiommu-vtd,cached-functions=a:c", "-device", "winiommu-dma,id=a"},
        "cached-functions: there is no PCI function with the id 'c'");
    refuse({"-device", "winiommu-vtd,cached-functions=a", "-device",
            "pcie-root-port,id=far", "-device", "winiommu-dma,id=a,bus=far"},
           "cached-functions: 'a' is not on a root bus");
}

// VT-d 8.7 "ACPI Name-space Device Declaration Structure", and its scope, type 5,
// in 8.3.1.
TEST_F(Vtd_Firmware, DevicesOfTheNamespaceAreDeclared)
{
    boot({"-device", "winiommu-vtd,named-devices=\\_SB.I2C0@00:15.0+\\_SB.SPI1@f0:1f.7"});
    const Bytes table = dmar();
    EXPECT_EQ(structure(table, 4), (Bytes{4, 0, 18, 0, 0, 0, 0, 1, '\\', '_', 'S', 'B',
                                          '.', 'I', '2', 'C', '0', 0}));
    EXPECT_TRUE(contains(table, Bytes{4, 0, 18, 0, 0, 0, 0, 2, '\\', '_', 'S', 'B', '.',
                                      'S', 'P', 'I', '1', 0}));
    const Bytes unit = structure(table, 0);
    EXPECT_TRUE(contains(unit, Bytes{5, 8, 0, 0, 1, 0, 0x15, 0}));
    EXPECT_TRUE(contains(unit, Bytes{5, 8, 0, 0, 2, 0xf0, 0x1f, 7}));
    EXPECT_EQ(sum(table), 0u);
    for (const char* wrong : {"\\_SB.I2C0", "_SB.I2C0@00:15.0", "\\_SB.I2C0@00:20.0",
                              "\\_SB.I2C0@00:15.0+", "\\_SB.I2C0@00:15.0x"}) {
        refuse({"-device", std::string("winiommu-vtd,named-devices=") + wrong},
               "it is not of the form");
    }
    refuse({"-device", "winiommu-vtd,dma-protection=on,named-devices=\\_SB.I2C0@00:15.0"},
           "DMA protection forbids ANDD structures");
}

// VT-d 8.4 "Reserved Memory Region Reporting Structure": the limit is inclusive.
TEST_F(Vtd_Firmware, ReservedMemoryNamesItsFunction)
{
    boot({"-device", "winiommu-vtd,rmrr=0xe000000+0x2000@00:1d.0"});
    EXPECT_EQ(structure(dmar(), 1),
              (Bytes{1,    0,    32, 0,    0, 0, 0, 0, 0, 0, 0, 0x0e, 0, 0, 0,    0,
                     0xff, 0x1f, 0,  0x0e, 0, 0, 0, 0, 1, 8, 0, 0,    0, 0, 0x1d, 0}));
    for (const char* wrong : {"0xe000000", "0xe000000+0x2000", "0xe000000+0x2000@00:1d.8",
                              "0xe000000+0x2000@00:1d.0x", "0xe000000+0x2000@:1d.0"}) {
        refuse({"-device", std::string("winiommu-vtd,rmrr=") + wrong},
               "it is not of the form");
    }
    refuse({"-device", "winiommu-vtd,rmrr=0xe000000+0x200@00:1d.0"}, "4 KiB aligned");
}

// VT-d 8.3.1 "Device Scope Structure": type 4, MSI_CAPABLE_HPET, only when it is capable.
TEST_F(Vtd_Firmware, AnHpetThatSendsMessagesIsInTheScopeOfTheUnit)
{
    const Bytes hpet{4, 8, 0, 0, 0, 0xff, 1, 0};
    boot({"-device", "winiommu-vtd"});
    EXPECT_FALSE(contains(structure(dmar(), 0), hpet));
    boot({"-global", "hpet.msi=on", "-device", "winiommu-vtd"});
    EXPECT_TRUE(contains(structure(dmar(), 0), hpet));
    boot({"-global", "hpet.msi=on", "-device", "winiommu-vtd,include-pci-all=on"});
    EXPECT_TRUE(contains(structure(dmar(), 0), hpet));
}

// VT-d 8.3 "DMA Remapping Hardware Unit Definition Structure": what no structure lists is
// behind no unit, and INCLUDE_PCI_ALL cannot leave anything to nobody.
TEST_F(Vtd_Firmware, WhatBypassesTheUnitIsNotInItsScope)
{
    const std::vector<std::string> all = {
        "-nodefaults",
        "-device",
        "winiommu-vtd",
        "-device",
        "pxb-pcie,id=free,bus=pcie.0,addr=8,bus_nr=128,bypass_iommu=on",
        "-device",
        "pxb-pcie,id=tied,bus=pcie.0,addr=9,bus_nr=64",
        "-device",
        "pcie-root-port,id=below,bus=free,addr=0,chassis=1",
        "-device",
        "pcie-root-port,id=under,bus=tied,addr=0,chassis=2"};
    boot(all);
    EXPECT_EQ(structure(dmar(), 0),
              (Bytes{
                  0, 0, 80, 0, 0, 0,    0,    0, 0, 0, 0xd9, 0xfe, 0, 0, 0,    0,  //
                  3, 8, 0,  0, 0, 0xff, 0,    0,                                   //
                  1, 8, 0,  0, 0, 0,    0,    0, 1, 8, 0,    0,    0, 0, 8,    0,  //
                  1, 8, 0,  0, 0, 0,    9,    0, 1, 8, 0,    0,    0, 0, 0x1f, 0,  //
                  1, 8, 0,  0, 0, 0,    0x1f, 2, 1, 8, 0,    0,    0, 0, 0x1f, 3,  //
                  2, 8, 0,  0, 0, 64,   0,    0,                                   //
              }));
    auto claims = all;
    claims[2] += ",include-pci-all=on";
    refuse(claims,
           "include-pci-all=on would claim what is on the bus free, which bypasses the "
           "IOMMU; set include-pci-all=off");
    claims[4] = "pxb-pcie,id=free,bus=pcie.0,addr=8,bus_nr=128";
    boot(claims);
    EXPECT_EQ(structure(dmar(), 0), (Bytes{0, 0, 24, 0, 1, 0, 0, 0, 0, 0,    0xd9, 0xfe,
                                           0, 0, 0,  0, 3, 8, 0, 0, 0, 0xff, 0,    0}));
    claims.insert(claims.begin(), {"-M", "default_bus_bypass_iommu=on"});
    refuse(claims, "on the bus pcie.0, which bypasses");
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
