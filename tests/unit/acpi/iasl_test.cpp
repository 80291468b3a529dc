// SPDX-License-Identifier: GPL-2.0-or-later
// A foreign reader: ACPICA's iasl disassembles what we produce without complaint, finds
// our values where it looks for them, and compiles its own text back to the same bytes.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/acpi/parse.hpp"

namespace iommu::test {
namespace {

namespace fs = std::filesystem;

struct Finished {
    int status;
    std::string output;
};

Finished run(const std::string& command)
{
    Finished r{-1, {}};
    if (FILE* pipe = ::popen((command + " 2>&1").c_str(), "r")) {
        char buffer[4096];
        while (const auto n = std::fread(buffer, 1, sizeof buffer, pipe)) {
            r.output.append(buffer, n);
        }
        r.status = ::pclose(pipe);
    }
    return r;
}

// "... version 20200925": 0 when there is no iasl.
long iasl_version()
{
    const auto output = run("iasl -v").output;
    const auto at = output.find("version ");
    return at == output.npos ? 0 : std::strtol(output.c_str() + at + 8, nullptr, 10);
}

class Iasl : public testing::Test {
protected:
    // The first release of ACPICA sure to know IORT's RMR node and DMAR's SATC.
    static constexpr long knows_new_types = 20220331;

    void SetUp() override
    {
        version_ = iasl_version();
        if (version_ == 0) {
            GTEST_SKIP() << "iasl is not installed (package acpica-tools)";
        }
        std::string name = (fs::temp_directory_path() / "winiommu-acpi-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override
    {
        if (!directory_.empty()) {
            fs::remove_all(directory_);
        }
    }

    void store(const std::string& name, const Bytes& bytes) const
    {
        std::ofstream out(directory_ / name, std::ios::binary);
        out.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
    }
    std::string load(const std::string& name) const
    {
        std::ifstream in(directory_ / name, std::ios::binary);
        std::ostringstream text;
        text << in.rdbuf();
        return text.str();
    }
    Finished in_directory(const std::string& command) const
    {
        return run("cd '" + directory_.string() + "' && " + command);
    }

    static void expect_no_complaint(const std::string& text)
    {
        for (const char* word :
             {"rror ", "arning ", "Unknown", "Invalid", "****", "nvalid "}) {
            EXPECT_EQ(text.find(word), text.npos) << word << " in:\n" << text;
        }
    }

    // The text iasl makes of a table.
    std::string disassemble(const Bytes& table) const
    {
        store("t.aml", table);
        const auto r = in_directory("iasl -d t.aml");
        EXPECT_EQ(r.status, 0) << r.output;
        expect_no_complaint(r.output);
        const auto text = load("t.dsl");
        EXPECT_NE(text, "");
        return text;
    }

    // In the text of a data table iasl marks what it does not know.
    std::string disassemble_data(const Bytes& table) const
    {
        const auto text = disassemble(table);
        expect_no_complaint(text);
        return text;
    }

    // What iasl compiles from the text of the last disassembly.
    Bytes recompile() const
    {
        const auto r = in_directory("iasl -oa -p again t.dsl");
        EXPECT_EQ(r.status, 0) << r.output;
        EXPECT_NE(r.output.find("0 Errors, 0 Warnings"), r.output.npos) << r.output;
        const auto bytes = load("again.aml");
        return Bytes(bytes.begin(), bytes.end());
    }

    long version_ = 0;
    fs::path directory_;
};

// "Name : value" as iasl prints fields.
testing::AssertionResult says(const std::string& text, const std::string& field,
                              const std::string& value)
{
    const auto line = field + " : " + value;
    return text.find(line) != text.npos ? testing::AssertionSuccess()
                                        : testing::AssertionFailure()
                                              << "no '" << line << "' in:\n"
                                              << text;
}

acpi::Iort two_smmus()
{
    acpi::Iort d;
    d.ids = bochs();
    d.its = {0};
    for (const std::uint64_t base : {0x09050000, 0x09070000}) {
        acpi::Smmuv3 s;
        s.base = Gpa{base};
        s.event_gsiv = 106;
        s.gerror_gsiv = 109;
        d.smmus.push_back(s);
    }
    d.smmus[0].msi_device_id = 0xfff8;
    d.smmus[1].pri_gsiv = 0x123;
    d.smmus[1].sync_gsiv = 0x124;
    acpi::RootComplex rc;
    rc.behind = {{0, 1, 0}, {16, 16, 1}};
    rc.address_bits = 52;
    d.root_complexes = {rc};
    d.components.push_back({"\\_SB.DMA0", 48, 8, true, {{0, 1, 0x200, 0}}});
    return d;
}

TEST_F(Iasl, FindsOurValuesInTheIort)
{
    const auto text = disassemble_data(plain(acpi::build_iort(two_smmus()).bytes));
    EXPECT_TRUE(says(text, "Base Address", "0000000009050000"));
    EXPECT_TRUE(says(text, "Base Address", "0000000009070000"));
    EXPECT_TRUE(says(text, "COHACC Override", "1"));
    EXPECT_TRUE(says(text, "Event GSIV", "0000006A"));
    EXPECT_TRUE(says(text, "PRI GSIV", "00000123"));
    EXPECT_TRUE(says(text, "GERR GSIV", "0000006D"));
    EXPECT_TRUE(says(text, "Sync GSIV", "00000124"));
    EXPECT_TRUE(says(text, "Device ID Mapping Index", "00000001"));
    EXPECT_TRUE(says(text, "Single Mapping", "1"));
    EXPECT_TRUE(says(text, "Memory Size Limit", "34"));
    EXPECT_TRUE(says(text, "Device Name", "\"\\_SB.DMA0\""));
    EXPECT_TRUE(says(text, "Output Reference", "00000048"));
    EXPECT_TRUE(says(text, "ID Count", "00000DFF"));
}

TEST_F(Iasl, AcceptsAnIortWithoutIts)
{
    auto d = two_smmus();
    d.its.clear();
    d.smmus[0].msi_device_id.reset();
    disassemble_data(plain(acpi::build_iort(d).bytes));
}

TEST_F(Iasl, FindsOurReservedMemoryInTheIort)
{
    if (version_ < knows_new_types) {
        GTEST_SKIP() << "iasl " << version_ << " does not know RMR nodes; needs "
                     << knows_new_types;
    }
    auto d = two_smmus();
    d.reserved = {{true, false, {{Gpa{0x08000000}, 0x100000}}, 0, 0x18, 1}};
    const auto text = disassemble_data(plain(acpi::build_iort(d).bytes));
    EXPECT_TRUE(says(text, "Base Address of RMR", "0000000008000000"));
    EXPECT_TRUE(says(text, "Length of RMR", "0000000000100000"));
    EXPECT_TRUE(says(text, "Remapping Permitted", "1"));
}

acpi::Dmar full_dmar()
{
    using acpi::Scope;
    acpi::Dmar d;
    d.ids = bochs();
    d.dma_control_opt_in = true;
    const Scope bridge{Scope::Type::SubHierarchy, 0, 0, {{0x1c, 1}, {2, 0}}};
    const Scope endpoint{Scope::Type::Endpoint, 0, 0, {{2, 0}}};
    acpi::Drhd some;
    some.base = Gpa{0xfed91000};
    some.scopes = {endpoint, bridge};
    acpi::Drhd rest;
    rest.base = Gpa{0xfed90000};
    rest.include_pci_all = true;
    rest.scopes = {{Scope::Type::Ioapic, 0, 0xff, {{0, 0}}},
                   {Scope::Type::Hpet, 0, 0xff, {{1, 0}}}};
    d.units = {some, rest};
    d.reserved = {{0, {Gpa{0x7f000000}, 0x2000}, {endpoint}}};
    d.ats_ports = {{0, {}}};
    d.affinities = {{Gpa{0xfed90000}, 1}, {Gpa{0xfed91000}, 2}};
    return d;
}

TEST_F(Iasl, CompilesItsOwnReadingOfTheDmarBackToTheSameBytes)
{
    const auto table = plain(acpi::build_dmar(full_dmar()).bytes);
    const auto text = disassemble_data(table);
    EXPECT_TRUE(says(text, "Host Address Width", "2F"));
    EXPECT_TRUE(says(text, "Register Base Address", "00000000FED90000"));
    EXPECT_TRUE(says(text, "End Address (limit)", "000000007F001FFF"));
    const auto again = recompile();
    ASSERT_EQ(again.size(), table.size());
    EXPECT_EQ(slice(again, 36, again.size() - 36), slice(table, 36, table.size() - 36));
}

TEST_F(Iasl, AcceptsADmarWithNamedDevices)
{
    auto d = full_dmar();
    d.dma_control_opt_in = false;
    d.named_devices = {{1, "\\_SB.I2C0"}};
    const auto text = disassemble_data(plain(acpi::build_dmar(d).bytes));
    EXPECT_TRUE(says(text, "Device Name", "\"\\_SB.I2C0\""));
}

TEST_F(Iasl, AcceptsADmarWithIntegratedCaches)
{
    if (version_ < knows_new_types) {
        GTEST_SKIP() << "iasl " << version_ << " does not know SATC; needs "
                     << knows_new_types;
    }
    auto d = full_dmar();
    d.integrated_caches = {{0, true, {{acpi::Scope::Type::Endpoint, 0, 0, {{2, 0}}}}}};
    disassemble_data(plain(acpi::build_dmar(d).bytes));
}

// A DSDT around the object: Scope (\_SB) { Device (RP00) { Name (_ADR, 0x1c0000) ... } }.
Bytes dsdt_with(const Bytes& dsd)
{
    const auto length = [](std::size_t content) {  // ACPI 20.2.4, two bytes long
        const auto n = content + 2;
        return Bytes{static_cast<std::uint8_t>(0x40 | (n & 0xf)),
                     static_cast<std::uint8_t>(n >> 4)};
    };
    const auto join = [](std::initializer_list<Bytes> parts) {
        Bytes out;
        for (const auto& p : parts) {
            out.insert(out.end(), p.begin(), p.end());
        }
        return out;
    };
    const auto device =
        join({{'R', 'P', '0', '0', 0x08, '_', 'A', 'D', 'R', 0x0c, 0, 0, 0x1c, 0}, dsd});
    const auto scope =
        join({{'\\', '_', 'S', 'B', '_', 0x5b, 0x82}, length(device.size()), device});
    auto t = join({{'D', 'S', 'D', 'T', 0,   0,   0,   0,   2,   0,   'B', 'O',
                    'C', 'H', 'S', ' ', 'B', 'X', 'P', 'C', ' ', ' ', ' ', ' ',
                    1,   0,   0,   0,   'W', 'I', 'M', 'U', 1,   0,   0,   0},
                   {0x10},
                   length(scope.size()),
                   scope});
    t[4] = static_cast<std::uint8_t>(t.size());
    t[5] = static_cast<std::uint8_t>(t.size() >> 8);
    for (std::size_t i = 0; i < t.size(); ++i) {
        t[9] = static_cast<std::uint8_t>(t[9] - (i == 9 ? 0 : t[i]));
    }
    return t;
}

TEST_F(Iasl, CompilesItsOwnReadingOfTheDsdBackToTheSameBytes)
{
    const auto dsd = plain(acpi::build_root_port_dsd(
        {.hot_plug_in_d3 = true, .external_facing_uid = 1, .dma_property_uid = 0x1234}));
    const auto table = dsdt_with(dsd);
    const auto text = disassemble(table);
    for (const char* part : {"6211e2c0-58a3-4af3-90e1-927a4e0c55a4", "HotPlugSupportInD3",
                             "efcc06cc-73ac-4bc3-bff0-76143807c389", "ExternalFacingPort",
                             "70d24161-6dd5-4c9e-8070-705531292865", "DmaProperty"}) {
        EXPECT_NE(text.find(part), text.npos) << part << " in:\n" << text;
    }
    const auto again = recompile();
    ASSERT_EQ(again.size(), table.size());
    EXPECT_EQ(slice(again, 36, again.size() - 36), slice(table, 36, table.size() - 36));
}

TEST_F(Iasl, CompilesItsOwnReadingOfTheRootPortsBackToTheSameBytes)
{
    const auto table = plain(
        acpi::build_root_ports_ssdt(
            {.ports = {{.host_bridge = "\\_SB.PCI0",
                        .name = "S10",
                        .properties = {.hot_plug_in_d3 = true, .external_facing_uid = 0}},
                       {.host_bridge = "\\_SB.PC10",
                        .name = "S08",
                        .declare = true,
                        .address = {1, 0},
                        .properties = {.dma_property_uid = 1}}}})
            .bytes);
    const auto text = disassemble(table);
    for (const char* part :
         {"Scope (\\_SB.PCI0.S10)", "Scope (\\_SB.PC10)", "Device (S08)",
          "Name (_ADR, 0x00010000)", "efcc06cc-73ac-4bc3-bff0-76143807c389",
          "70d24161-6dd5-4c9e-8070-705531292865"}) {
        EXPECT_NE(text.find(part), text.npos) << part << " in:\n" << text;
    }
    // iasl puts declarations of what the machine's tables have in front.
    const auto again = recompile();
    const auto body = table.size() - 36;
    ASSERT_GE(again.size(), table.size());
    EXPECT_EQ(slice(again, again.size() - body, body), slice(table, 36, body));
}

}  // namespace
}  // namespace iommu::test
