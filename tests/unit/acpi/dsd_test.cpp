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

}  // namespace
}  // namespace iommu::test
