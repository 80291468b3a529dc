// SPDX-License-Identifier: GPL-2.0-or-later
// ACPI 6.2.5 "_DSD", in the AML of ACPI 20.2; bytes encoded by hand.
#include "tests/unit/acpi/parse.hpp"

namespace iommu::test {
namespace {

TEST(Dsd_RootPort, ExternalFacingPortToTheByte)
{
    const auto aml = plain(acpi::build_root_port_dsd({.external_facing_uid = 1}));
    EXPECT_EQ(aml, (Bytes{
                       // clang-format off
                  0x08, '_', 'D', 'S', 'D', 0x12, 0x3a, 2,
                  0x11, 0x13, 0x0a, 0x10,
                  0xcc, 0x06, 0xcc, 0xef, 0xac, 0x73, 0xc3, 0x4b,
                  0xbf, 0xf0, 0x76, 0x14, 0x38, 0x07, 0xc3, 0x89,
                  0x12, 0x23, 2,
                  0x12, 0x17, 2, 0x0d, 'E', 'x', 't', 'e', 'r', 'n', 'a', 'l', 'F', 'a', 'c',
                  'i', 'n', 'g', 'P', 'o', 'r', 't', 0, 0x01,
                  0x12, 0x08, 2, 0x0d, 'U', 'I', 'D', 0, 0x01,
                       // clang-format on
                   }));
}

TEST(Dsd_RootPort, AboveSixtyThreeBytesTheLengthTakesTwo)
{
    const auto aml = plain(
        acpi::build_root_port_dsd({.hot_plug_in_d3 = true, .dma_property_uid = 0x1234}));
    // The element count, 47 bytes and 51 bytes of properties, the two of the length:
    // 0x65.
    EXPECT_EQ(slice(aml, 0, 9), (Bytes{0x08, '_', 'D', 'S', 'D', 0x12, 0x45, 0x06, 4}));
    EXPECT_EQ(aml.size(), 6 + 0x65u);
    EXPECT_EQ(slice(aml, aml.size() - 3, 3), (Bytes{0x0b, 0x34, 0x12}));
    const auto wide = plain(acpi::build_root_port_dsd({.dma_property_uid = 0x12345}));
    EXPECT_EQ(slice(wide, wide.size() - 5, 5), (Bytes{0x0c, 0x45, 0x23, 0x01, 0}));
}

TEST(Dsd_RootPort, NothingToSayIsNoObject)
{
    EXPECT_TRUE(acpi::build_root_port_dsd({}).empty());
}

// ACPI 20.2.5.1 "Namespace Modifier Objects Encoding": Scope.
TEST(Ssdt_RootPorts, ADescribedPortIsOpenedWithAScopeToTheByte)
{
    const auto table = acpi::build_root_ports_ssdt(
        {.ids = bochs(),
         .ports = {{.host_bridge = "\\_SB.PCI0",
                    .name = "S10",
                    .properties = {.external_facing_uid = 1}}}});
    ASSERT_EQ(table.error, "");
    const auto bytes = plain(table.bytes);
    expect_header(bytes, "SSDT", 2);
    // 64 bytes of _DSD, 15 of name, two of the length: 0x51.
    EXPECT_EQ(slice(bytes, 36, 18), (Bytes{0x10, 0x41, 0x05, '\\', 0x2f, 3, '_', 'S', 'B',
                                           '_', 'P', 'C', 'I', '0', 'S', '1', '0', '_'}));
    const auto dsd = plain(acpi::build_root_port_dsd({.external_facing_uid = 1}));
    EXPECT_EQ(slice(bytes, 54, bytes.size() - 54), dsd);
    EXPECT_EQ(bytes.size(), 36 + 1 + 0x51u);
}

// ACPI 20.2.5.2 "Named Objects Encoding": Device.
TEST(Ssdt_RootPorts, AnUndescribedPortIsDeclaredWithItsAddress)
{
    const auto table =
        acpi::build_root_ports_ssdt({.ports = {{.host_bridge = "\\_SB.PC10",
                                                .name = "S0A",
                                                .declare = true,
                                                .address = {1, 2},
                                                .properties = {.dma_property_uid = 0}}}});
    ASSERT_EQ(table.error, "");
    const auto bytes = plain(table.bytes);
    // 57 bytes of _DSD, 10 of _ADR, 4 of name, two of the length: 0x49; 0x57 around it.
    EXPECT_EQ(slice(bytes, 36, 32),
              (Bytes{0x10, 0x47, 0x05, '\\', 0x2e, '_',  'S',  'B',  '_',  'P', 'C',
                     '1',  '0',  0x5b, 0x82, 0x49, 0x04, 'S',  '0',  'A',  '_', 0x08,
                     '_',  'A',  'D',  'R',  0x0c, 0x02, 0x00, 0x01, 0x00, 0x08}));
}

TEST(Ssdt_RootPorts, RefusesWhatIsNoPort)
{
    const auto error = [](const acpi::RootPort& port) {
        return acpi::build_root_ports_ssdt({.ports = {port}}).error;
    };
    const acpi::RootPort good{.host_bridge = "\\_SB.PCI0",
                              .name = "S10",
                              .properties = {.hot_plug_in_d3 = true}};
    EXPECT_EQ(error(good), "");
    for (const char* path :
         {"", "_SB.PCI0", "\\", "\\_SB.", "\\_SB.PCI00", "\\_SB.pci0"}) {
        auto bad = good;
        bad.host_bridge = path;
        EXPECT_NE(error(bad).find("host bridge"), std::string::npos) << path;
    }
    for (const char* name : {"", "1234", "S1000", "S-1"}) {
        auto bad = good;
        bad.name = name;
        EXPECT_NE(error(bad).find("name of a device"), std::string::npos) << name;
    }
    auto silent = good;
    silent.properties = {};
    EXPECT_NE(error(silent).find("no property"), std::string::npos);
    EXPECT_NE(acpi::build_root_ports_ssdt({}).error.find("no root port"),
              std::string::npos);
}

}  // namespace
}  // namespace iommu::test
