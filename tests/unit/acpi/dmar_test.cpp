// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 8 "BIOS Considerations".  The byte vectors were laid out by hand.
#include "tests/unit/acpi/parse.hpp"

namespace iommu::test {
namespace {

using acpi::build_dmar;
using acpi::Dmar;
using acpi::Scope;
using Type = acpi::Scope::Type;

Scope ioapic()
{
    return {Type::Ioapic, 0, 0xff, {{0, 0}}};
}
Scope endpoint(std::uint8_t device, std::uint8_t function = 0)
{
    return {Type::Endpoint, 0, 0, {{device, function}}};
}

// What a q35 machine without added devices has.
Dmar q35()
{
    Dmar d;
    d.ids = bochs();
    acpi::Drhd unit;
    unit.base = Gpa{0xfed90000};
    unit.scopes = {ioapic(),          endpoint(0),       endpoint(1),
                   endpoint(0x1f, 0), endpoint(0x1f, 2), endpoint(0x1f, 3)};
    d.units = {unit};
    return d;
}

Bytes table_of(const Dmar& d)
{
    const auto table = build_dmar(d);
    EXPECT_EQ(table.error, "");
    auto bytes = plain(table.bytes);
    expect_header(bytes, "DMAR", 1);
    return bytes;
}

std::string error_of(const Dmar& d)
{
    const auto table = build_dmar(d);
    EXPECT_TRUE(table.bytes.empty()) << "a wrong description made a table";
    EXPECT_EQ(table.error.find('\n'), std::string::npos) << "one line";
    return table.error;
}

#define EXPECT_REFUSED(d, part)                                                          \
    EXPECT_NE(error_of(d).find(part), std::string::npos) << error_of(d)

// The same bytes as the DMAR in QEMU's acceptance data for q35, a foreign table.
TEST(Dmar_8_1, Q35ToTheByte)
{
    auto d = q35();
    d.ats_ports.push_back({});
    const Bytes
        body{
            // clang-format off
        0x2f, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,        // 48 bits, INTR_REMAP
        0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0,
        3, 8, 0, 0, 0, 0xff, 0, 0,
        1, 8, 0, 0, 0, 0, 0, 0,
        1, 8, 0, 0, 0, 0, 1, 0,
        1, 8, 0, 0, 0, 0, 0x1f, 0,
        1, 8, 0, 0, 0, 0, 0x1f, 2,
        1, 8, 0, 0, 0, 0, 0x1f, 3,
        2, 0, 8, 0, 1, 0, 0, 0,                          // ATSR, ALL_PORTS
            // clang-format on
        };
    const auto t = table_of(d);
    EXPECT_EQ(t.size(), 120u);
    EXPECT_EQ(slice(t, 36, body.size()), body);
}

TEST(Dmar_8_1, FlagsAreWhatWasAskedFor)
{
    auto d = q35();
    EXPECT_EQ(table_of(d)[37], 0x01);
    d.dma_control_opt_in = true;
    EXPECT_EQ(table_of(d)[37], 0x05);
    d.x2apic_opt_out = true;
    EXPECT_EQ(table_of(d)[37], 0x07);
    d.interrupt_remapping = false;
    d.x2apic_opt_out = false;
    EXPECT_EQ(table_of(d)[37], 0x04);
}

TEST(Dmar_8_1, HostAddressWidthIsWidthMinusOne)
{
    auto d = q35();
    d.host_address_bits = 39;
    EXPECT_EQ(table_of(d)[36], 38);
    d.host_address_bits = 57;
    EXPECT_EQ(table_of(d)[36], 56);
}

TEST(Dmar_8_1, StructuresAscendByType)
{
    auto d = q35();
    d.integrated_caches.push_back({0, true, {endpoint(2)}});
    d.named_devices.push_back({1, "\\_SB.I2C0"});
    d.affinities.push_back({Gpa{0xfed90000}, 3});
    d.ats_ports.push_back({0, {{Type::SubHierarchy, 0, 0, {{3, 0}}}}});
    d.reserved.push_back({0, {Gpa{0x7f000000}, 0x2000}, {endpoint(2)}});
    const auto s = dmar_structures(table_of(d));
    ASSERT_EQ(s.size(), 6u);
    for (unsigned type = 0; type < 6; ++type) {
        EXPECT_EQ(s[type].type, type);
    }
    EXPECT_EQ(s[1].bytes, (Bytes{1,    0,    0x20, 0,    0, 0, 0, 0,  //
                                 0,    0,    0,    0x7f, 0, 0, 0, 0,  //
                                 0xff, 0x1f, 0,    0x7f, 0, 0, 0, 0,  //
                                 1,    8,    0,    0,    0, 0, 2, 0}));
    EXPECT_EQ(s[2].bytes, (Bytes{2, 0, 16, 0, 0, 0, 0, 0, 2, 8, 0, 0, 0, 0, 3, 0}));
    EXPECT_EQ(s[3].bytes, (Bytes{3, 0, 20,   0,    0, 0, 0, 0,  //
                                 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, 3, 0, 0, 0}));
    EXPECT_EQ(s[4].bytes, (Bytes{4, 0, 18, 0, 0, 0, 0, 1, '\\', '_', 'S', 'B', '.', 'I',
                                 '2', 'C', '0', 0}));
    EXPECT_EQ(s[5].bytes, (Bytes{5, 0, 16, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 2, 0}));
}

TEST(Dmar_8_3, TheCatchAllComesLastAndListsNoPciDevice)
{
    auto d = q35();
    d.units[0].include_pci_all = true;
    d.units[0].scopes = {ioapic(), {Type::Hpet, 0, 0xff, {{1, 0}}}};
    acpi::Drhd graphics;
    graphics.base = Gpa{0xfed91000};
    graphics.log2_pages = 1;
    graphics.segment = 0;
    graphics.scopes = {endpoint(2)};
    d.units.push_back(graphics);
    const auto s = dmar_structures(table_of(d));
    ASSERT_EQ(s.size(), 2u);
    EXPECT_EQ(s[0].bytes, (Bytes{0, 0, 24, 0, 0, 1, 0, 0, 0, 0x10, 0xd9, 0xfe,
                                 0, 0, 0,  0, 1, 8, 0, 0, 0, 0,    2,    0}));
    EXPECT_EQ(s[1].bytes,
              (Bytes{0, 0, 32, 0, 1, 0,    0, 0, 0, 0, 0xd9, 0xfe, 0, 0,    0, 0,
                     3, 8, 0,  0, 0, 0xff, 0, 0, 4, 8, 0,    0,    0, 0xff, 1, 0}));
}

TEST(Dmar_8_3_1, PathsGoThroughBridges)
{
    auto d = q35();
    d.units[0].scopes = {ioapic(), {Type::SubHierarchy, 0, 0, {{0x1c, 1}, {2, 0}}}};
    const auto s = dmar_structures(table_of(d));
    EXPECT_EQ(slice(s[0].bytes, 24, 10), (Bytes{2, 10, 0, 0, 0, 0, 0x1c, 1, 2, 0}));
}

TEST(Dmar_8_3, SegmentsHaveTheirOwnCatchAll)
{
    auto d = q35();
    acpi::Drhd other;
    other.base = Gpa{0xfed92000};
    other.segment = 1;
    other.include_pci_all = true;
    d.units.push_back(other);
    d.units[0].include_pci_all = true;
    d.units[0].scopes = {ioapic()};
    const auto s = dmar_structures(table_of(d));
    ASSERT_EQ(s.size(), 2u);
    EXPECT_EQ(le(s[0].bytes, 6, 2), 0u);
    EXPECT_EQ(s[1].bytes,
              (Bytes{0, 0, 16, 0, 1, 0, 1, 0, 0, 0x20, 0xd9, 0xfe, 0, 0, 0, 0}));
}

TEST(Dmar_Refused, Flags)
{
    auto d = q35();
    d.interrupt_remapping = false;
    d.x2apic_opt_out = true;
    EXPECT_REFUSED(d, "opt-out");
    d = q35();
    d.units[0].scopes = {endpoint(0)};
    EXPECT_REFUSED(d, "IOAPIC");
    d = q35();
    d.dma_control_opt_in = true;
    d.named_devices.push_back({1, "\\_SB.I2C0"});
    EXPECT_REFUSED(d, "ANDD");
    d = q35();
    d.units.clear();
    EXPECT_REFUSED(d, "no remapping unit");
    d = q35();
    d.host_address_bits = 65;
    EXPECT_REFUSED(d, "32 to 64");
    d.host_address_bits = 0;
    EXPECT_REFUSED(d, "32 to 64");
}

TEST(Dmar_Refused, Units)
{
    auto d = q35();
    d.units[0].base = Gpa{0xfed90800};
    EXPECT_REFUSED(d, "4 KiB aligned");
    d = q35();
    d.units[0].log2_pages = 16;
    EXPECT_REFUSED(d, "2^15");
    d = q35();
    d.units[0].scopes.clear();
    d.interrupt_remapping = false;
    EXPECT_REFUSED(d, "covers nothing");
    d = q35();
    acpi::Drhd second;
    second.base = Gpa{0xfed90000};
    second.scopes = {endpoint(5)};
    d.units.push_back(second);
    EXPECT_REFUSED(d, "overlaps the unit");
    d.units[1].base = Gpa{0xfed91000};
    EXPECT_EQ(build_dmar(d).error, "");
    d.units[0].log2_pages = 1;
    EXPECT_REFUSED(d, "overlaps the unit");
    d = q35();
    d.units[0].include_pci_all = true;
    EXPECT_REFUSED(d, "IOAPICs and HPETs only");
    d.units[0].scopes = {ioapic()};
    d.units.push_back(d.units[0]);
    d.units[1].base = Gpa{0xfed91000};
    d.units[1].scopes.clear();
    EXPECT_REFUSED(d, "second catch-all");
}

TEST(Dmar_Refused, Scopes)
{
    auto d = q35();
    d.units[0].scopes.push_back(endpoint(0x1f, 2));
    EXPECT_REFUSED(d, "listed twice");
    d = q35();
    d.units[0].scopes.push_back(endpoint(32));
    EXPECT_REFUSED(d, "no PCI address");
    d = q35();
    d.units[0].scopes.push_back({Type::Endpoint, 0, 0, {}});
    EXPECT_REFUSED(d, "no device in its path");
    d = q35();
    d.units[0].scopes.push_back(
        {Type::SubHierarchy, 0, 0, std::vector<acpi::PciHop>(125)});
    EXPECT_REFUSED(d, "124 bridges");
    d = q35();
    d.units[0].scopes.push_back({static_cast<Type>(9), 0, 0, {{4, 0}}});
    EXPECT_REFUSED(d, "use 1 to 5");
    d = q35();
    d.units[0].scopes.push_back({Type::Ioapic, 0, 0xfe, {{0, 0}}});
    EXPECT_REFUSED(d, "listed twice");
    d = q35();
    d.units[0].scopes.push_back({Type::NamespaceDevice, 4, 0, {{7, 0}}});
    EXPECT_REFUSED(d, "no ANDD declares");
    d.named_devices.push_back({4, "\\_SB.I2C0"});
    EXPECT_EQ(build_dmar(d).error, "");
    d.named_devices.push_back({4, "\\_SB.I2C1"});
    EXPECT_REFUSED(d, "number named devices apart");
}

TEST(Dmar_Refused, ReservedMemory)
{
    const auto with = [](Gpa base, std::uint64_t size) {
        auto d = q35();
        d.reserved.push_back({0, {base, size}, {endpoint(2)}});
        return d;
    };
    EXPECT_REFUSED(with(Gpa{0x800}, 0x1000), "4 KiB aligned");
    EXPECT_REFUSED(with(Gpa{0x1000}, 0), "4 KiB aligned");
    EXPECT_REFUSED(with(Gpa{0xffff'ffff'ffff'f000}, 0x2000), "4 KiB aligned");
    auto d = with(Gpa{0x1000}, 0x1000);
    d.reserved[0].scopes.clear();
    EXPECT_REFUSED(d, "belongs to no device");
    d.reserved[0].scopes = {ioapic()};
    EXPECT_REFUSED(d, "PCI devices only");
    d = with(Gpa{0x1000}, 0x2000);
    d.reserved.push_back({0, {Gpa{0x2000}, 0x1000}, {endpoint(3)}});
    EXPECT_REFUSED(d, "overlaps 0x1000+0x2000");
}

TEST(Dmar_Refused, AtsAndAffinity)
{
    auto d = q35();
    d.ats_ports.push_back({0, {endpoint(3)}});
    EXPECT_REFUSED(d, "root ports only");
    d.ats_ports = {{}, {}};
    EXPECT_REFUSED(d, "two ATSR");
    d = q35();
    d.integrated_caches.push_back({0, false, {}});
    EXPECT_REFUSED(d, "SATC without a device");
    d = q35();
    d.affinities.push_back({Gpa{0xfed91000}, 0});
    EXPECT_REFUSED(d, "not described");
    d.affinities = {{Gpa{0xfed90000}, 0}, {Gpa{0xfed90000}, 1}};
    EXPECT_REFUSED(d, "given twice");
}

}  // namespace
}  // namespace iommu::test
