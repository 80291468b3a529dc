// SPDX-License-Identifier: GPL-2.0-or-later
// The C door gives the same bytes as the C++ one, with every field in its place.
#include <cstdlib>
#include <cstring>

#include "iommu/capi.h"
#include "tests/unit/acpi/parse.hpp"

namespace iommu::test {
namespace {

constexpr WiAcpiIds ids{
    {'B', 'O', 'C', 'H', 'S', ' '}, {'B', 'X', 'P', 'C', ' ', ' ', ' ', ' '}, 1};

Bytes take(void* table, std::size_t size)
{
    const auto* p = static_cast<const std::uint8_t*>(table);
    Bytes out(p, p + (table == nullptr ? 0 : size));
    std::free(table);
    return out;
}

TEST(Capi_Acpi, IortCarriesEveryField)
{
    const WiIortSmmuv3 smmu{0x09050000, 1, 2, 3, 4, true, 0xff00, 7, 0x20000, 0x100000};
    const WiIortBuses buses{1, 2, 0};
    const WiIortRootComplex rc{5, 0x50000, true, true, 19, 44, &buses, 1};
    const WiIortIds range{2, 3, 0x10000, 0};
    const WiIortComponent component{"\\A", 40, 4, false, &range, 1};
    const WiMemoryRange memory{0x30000, 0x20000};
    const WiIortReserved reserved{false, true, &memory, 1, 0, 8, 2};
    const std::uint32_t its = 6;
    const WiIort c{ids, &its, 1, &smmu, 1, &rc, 1, &component, 1, &reserved, 1};

    acpi::Iort d;
    d.ids = bochs();
    d.its = {6};
    acpi::Smmuv3 s;
    s.base = Gpa{0x09050000};
    s.event_gsiv = 1;
    s.pri_gsiv = 2;
    s.gerror_gsiv = 3;
    s.sync_gsiv = 4;
    s.msi_device_id = 0xff00;
    s.proximity_domain = 7;
    s.stream_ids = 0x20000;
    s.device_id_base = 0x100000;
    d.smmus = {s};
    d.root_complexes = {{5, true, true, 19, 44, 0x50000, {{1, 2, 0}}}};
    d.components = {{"\\A", 40, 4, false, {{2, 3, 0x10000, 0}}}};
    d.reserved = {{false, true, {{Gpa{0x30000}, 0x20000}}, 0, 8, 2}};

    std::size_t size = 0;
    const char* error = "unset";
    void* const table = wi_acpi_iort(&c, &size, &error);
    EXPECT_EQ(error, nullptr);
    const auto bytes = take(table, size);
    EXPECT_EQ(bytes, plain(acpi::build_iort(d).bytes));
    expect_header(bytes, "IORT", 6);
    EXPECT_EQ(iort_nodes(bytes).size(), 5u);
}

TEST(Capi_Acpi, DmarCarriesEveryField)
{
    const WiPciHop hops[]{{0x1c, 1}, {2, 3}};
    const WiDmarScope scopes[]{{WI_SCOPE_IOAPIC, 9, 0xf0, &hops[1], 1},
                               {WI_SCOPE_SUB_HIERARCHY, 0, 1, hops, 2}};
    const WiDmarScope endpoint{WI_SCOPE_ENDPOINT, 0, 4, &hops[1], 1};
    const WiDmarUnit units[]{{2, 0xfed90000, 1, false, scopes, 2},
                             {3, 0xfed94000, 0, true, nullptr, 0}};
    const WiDmarReserved reserved{2, {0x10000, 0x3000}, &endpoint, 1};
    const WiDmarAtsr atsr{2, &scopes[1], 1};
    const WiDmarRhsa rhsa{0xfed90000, 11};
    const WiDmarAndd andd{1, "\\A"};
    const WiDmarSatc satc{2, true, &endpoint, 1};
    const WiDmar c{ids,   39, true,  true, false, units, 2,     &reserved, 1,
                   &atsr, 1,  &rhsa, 1,    &andd, 1,     &satc, 1};

    using acpi::Scope;
    acpi::Dmar d;
    d.ids = bochs();
    d.host_address_bits = 39;
    d.x2apic_opt_out = true;
    const Scope bridge{Scope::Type::SubHierarchy, 0, 1, {{0x1c, 1}, {2, 3}}};
    const Scope end{Scope::Type::Endpoint, 0, 4, {{2, 3}}};
    d.units = {{2,
                Gpa{0xfed90000},
                1,
                false,
                {{Scope::Type::Ioapic, 9, 0xf0, {{2, 3}}}, bridge}},
               {3, Gpa{0xfed94000}, 0, true, {}}};
    d.reserved = {{2, {Gpa{0x10000}, 0x3000}, {end}}};
    d.ats_ports = {{2, {bridge}}};
    d.affinities = {{Gpa{0xfed90000}, 11}};
    d.named_devices = {{1, "\\A"}};
    d.integrated_caches = {{2, true, {end}}};

    std::size_t size = 0;
    const char* error = "unset";
    void* const table = wi_acpi_dmar(&c, &size, &error);
    EXPECT_EQ(error, nullptr);
    const auto bytes = take(table, size);
    EXPECT_EQ(bytes, plain(acpi::build_dmar(d).bytes));
    expect_header(bytes, "DMAR", 1);
    EXPECT_EQ(dmar_structures(bytes).size(), 7u);
}

TEST(Capi_Acpi, AWrongDescriptionGivesOneLineAndNoTable)
{
    const WiDmar empty{};
    std::size_t size = 1;
    const char* error = nullptr;
    EXPECT_EQ(wi_acpi_dmar(&empty, &size, &error), nullptr);
    ASSERT_NE(error, nullptr);
    EXPECT_NE(std::strstr(error, "DMAR: "), nullptr);
    EXPECT_EQ(size, 0u);

    const WiIortSmmuv3 smmu{0x1000, 1, 2, 3, 4, true, WI_ACPI_NONE, WI_ACPI_NONE, 1, 0};
    WiIort iort{};
    iort.smmus = &smmu;
    iort.smmu_count = 1;
    EXPECT_EQ(wi_acpi_iort(&iort, &size, &error), nullptr);
    ASSERT_NE(error, nullptr);
    EXPECT_NE(std::strstr(error, "64 KiB"), nullptr);
}

TEST(Capi_Acpi, RootPorts)
{
    const WiAcpiIds ids{
        {'B', 'O', 'C', 'H', 'S', ' '}, {'B', 'X', 'P', 'C', ' ', ' ', ' ', ' '}, 7};
    const WiRootPort ports[] = {
        {"\\_SB.PCI0", "S10", false, {}, true, 3, WI_ACPI_NONE},
        {"\\_SB.PC10", "S08", true, {1, 0}, false, WI_ACPI_NONE, 4},
    };
    std::size_t size = 0;
    const char* error = "unset";
    void* const table = wi_acpi_root_ports(&ids, ports, 2, &size, &error);
    EXPECT_EQ(error, nullptr);
    const auto bytes = take(table, size);
    acpi::RootPorts d;
    std::memcpy(d.ids.oem_id.data(), ids.oem_id, 6);
    std::memcpy(d.ids.oem_table_id.data(), ids.oem_table_id, 8);
    d.ids.oem_revision = 7;
    d.ports = {{.host_bridge = "\\_SB.PCI0",
                .name = "S10",
                .properties = {.hot_plug_in_d3 = true, .external_facing_uid = 3}},
               {.host_bridge = "\\_SB.PC10",
                .name = "S08",
                .declare = true,
                .address = {1, 0},
                .properties = {.dma_property_uid = 4}}};
    EXPECT_EQ(bytes, plain(acpi::build_root_ports_ssdt(d).bytes));
    expect_header(bytes, "SSDT", 2);
    EXPECT_EQ(wi_acpi_root_ports(&ids, nullptr, 0, &size, &error), nullptr);
    EXPECT_NE(error, nullptr);
}

}  // namespace
}  // namespace iommu::test
