// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 8.3 "DMA Remapping Hardware Unit Definition Structure": two units, each with
// registers, tables and records of its own, and each function behind one of them.
#include <unistd.h>

#include <stdexcept>

#include "tests/qtest/fw_cfg.hpp"
#include "tests/qtest/q35.hpp"

namespace {

using namespace qtest;
using q35::ram;

constexpr std::uint64_t first = q35::unit, second = q35::unit + 0x10000;
// VT-d 11.1.
enum : std::uint64_t {
    VER = 0x00,
    CAP = 0x08,
    ECAP = 0x10,
    GCMD = 0x18,
    GSTS = 0x1c,
    RTADDR = 0x20,
    FSTS = 0x34,
    IRTA = 0xb8,
    FRCD = 0x220,
};
constexpr std::uint32_t TE = 1u << 31, SRTP = 1u << 30, IRE = 1u << 25, SIRTP = 1u << 24;
constexpr std::uint64_t iova = 0x4000'0000, forged = 0xfee00000;
constexpr Function here{0, 4, 0}, port{0x10, 0, 0}, there{0x11, 0, 0};
constexpr std::uint32_t far_window = q35::pci_window + 0x100000;

// What one unit uses of memory.
struct Tables {
    std::uint64_t root, context = root + 0x1000, tree = root + 0x2000,
                        entries = root + 0x6000, data = root + 0x10000;
};
constexpr Tables near_tables{ram}, far_tables{ram + 0x100000};

class Vtd_Units : public q35::Test {
protected:
    static std::vector<std::string> machine_with(const std::string& options,
                                                 const std::string& unit)
    {
        return {"-device", "winiommu-vtd" + options,
                "-device", "pxb-pcie,id=far,bus=pcie.0,addr=8,bus_nr=16",
                "-device", unit,
                "-device", "pcie-root-port,id=rp,bus=far,addr=0,chassis=1",
                "-device", "winiommu-dma,bus=pcie.0,addr=4",
                "-device", "winiommu-dma,bus=rp,addr=0"};
    }
    void boot_both(const std::string& options = "",
                   const std::vector<std::string>& more = {})
    {
        auto all = machine_with(options, "winiommu-vtd-unit,primary-bus=far");
        all.insert(all.end(), more.begin(), more.end());
        boot(all);
        if (!machine) {
            throw std::runtime_error("no machine");
        }
    }
    void start(const std::string& options = "")
    {
        boot_both(options);
        connect();
    }
    void connect()
    {
        open_bridge(*config, port, {0x11, 0x11, far_window, 0x100000});
        near = std::make_unique<Endpoint>(*machine, *config, here, q35::pci_window);
        far = std::make_unique<Endpoint>(*machine, *config, there, far_window);
        ASSERT_TRUE(near->present());
        ASSERT_TRUE(far->present());
    }
    // One page at `iova`, for one function only, whose domain is 5.
    void translate(std::uint64_t unit, const Tables& t, Function who)
    {
        machine->write64(t.root + 16 * who.bus, t.context | 1);
        machine->write64(t.context + 16 * who.devfn(), t.tree | 1);
        machine->write64(t.context + 16 * who.devfn() + 8, 5 << 8 | 2);
        machine->write64(t.tree, (t.tree + 0x1000) | 3);
        machine->write64(t.tree + 0x1000 + 8, (t.tree + 0x2000) | 3);
        machine->write64(t.tree + 0x2000, (t.tree + 0x3000) | 3);
        machine->write64(t.tree + 0x3000, t.data | 3);
        machine->write64(unit + RTADDR, t.root);
        machine->write32(unit + GCMD, SRTP);
        machine->write32(unit + GCMD, TE);
    }
    void translate_both()
    {
        translate(first, near_tables, here);
        translate(second, far_tables, there);
    }
    void remap(std::uint64_t unit, const Tables& t)
    {
        machine->write64(unit + IRTA, t.entries | 7);
        const auto on = machine->read32(unit + GSTS) & TE;
        machine->write32(unit + GCMD, on | SIRTP);
        machine->write32(unit + GCMD, on | IRE);
    }
    // VT-d 9.10: present, edge, fixed, to APIC 0; the source is compared whole.
    void entry(const Tables& t, std::uint8_t vector, Function source)
    {
        machine->write64(t.entries, std::uint64_t{vector} << 16 | 1);
        machine->write64(t.entries + 8, 1ull << 18 | source.requester());
    }
    bool requested(unsigned vector)
    {
        const auto text = machine->hmp("info lapic");
        const auto line = text.find("IRR");
        const auto found = text.find(" " + std::to_string(vector), line);
        return line != text.npos && found != text.npos && found < text.find("PPR", line);
    }
    Bytes dmar()
    {
        const auto tables = FwCfg(*machine, FwCfgAt::Q35, ram + 0x800000).acpi("DMAR");
        return tables.empty() ? Bytes{} : tables[0];
    }
    static Bytes part(const Bytes& table, std::size_t at, std::size_t size)
    {
        const auto begin = table.begin() + static_cast<std::ptrdiff_t>(at);
        return at + size > table.size()
                   ? Bytes{}
                   : Bytes(begin, begin + static_cast<std::ptrdiff_t>(size));
    }
    std::unique_ptr<Endpoint> near, far;
};

TEST_F(Vtd_Units, Vtd_11_4_EachHasItsRegisters)
{
    start(",aw-bits=39,fault-records=3");
    EXPECT_EQ(machine->read32(second + VER), 0x10u);
    EXPECT_EQ(machine->read64(second + CAP), machine->read64(first + CAP));
    EXPECT_EQ(machine->read64(second + ECAP), machine->read64(first + ECAP));
    EXPECT_EQ(machine->read64(second + CAP) >> 40 & 0xff, 2u) << "NFR";
    machine->write64(second + RTADDR, far_tables.root);
    machine->write32(second + GCMD, SRTP);
    EXPECT_EQ(machine->read32(second + GSTS), SRTP);
    EXPECT_EQ(machine->read32(first + GSTS), 0u);
    EXPECT_EQ(machine->read64(first + RTADDR), 0u);
}

TEST_F(Vtd_Units, Vtd_3_4_1_AFunctionIsTranslatedByTheTablesOfItsUnit)
{
    start();
    translate_both();
    machine->write64(near_tables.data, 0x1111);
    machine->write64(far_tables.data, 0x2222);
    EXPECT_EQ(near->read(iova, 8), Endpoint::done);
    EXPECT_EQ(far->read(iova, 8), Endpoint::done);
    EXPECT_EQ(machine->read64(near->buffer()), 0x1111u);
    EXPECT_EQ(machine->read64(far->buffer()), 0x2222u);
    EXPECT_EQ(far->fill(iova + 0x100, 8, 0x3333), Endpoint::done);
    EXPECT_EQ(machine->read64(far_tables.data + 0x100), 0x3333u);
    EXPECT_EQ(machine->read64(near_tables.data + 0x100), 0u);
}

TEST_F(Vtd_Units, Vtd_3_4_1_AUnitThatIsOffTranslatesNothingWhateverTheOtherDoes)
{
    start();
    translate(first, near_tables, here);
    machine->write64(far_tables.data, 0x2222);
    EXPECT_EQ(far->read(far_tables.data, 8), Endpoint::done);
    EXPECT_EQ(machine->read64(far->buffer()), 0x2222u);
    EXPECT_EQ(near->read(far_tables.data, 8), Endpoint::aborted);
}

TEST_F(Vtd_Units, Vtd_7_2_1_AFaultIsRecordedWhereTheFunctionIs)
{
    start();
    translate_both();
    EXPECT_EQ(far->fill(iova + 0x1000, 8, 1), Endpoint::aborted);
    EXPECT_EQ(machine->read32(first + FSTS), 0u);
    EXPECT_EQ(machine->read32(second + FSTS), 2u) << "PPF, record 0";
    EXPECT_EQ(machine->read64(second + FRCD), iova + 0x1000);
    EXPECT_EQ(machine->read64(second + FRCD + 8), 0x8000'0005'0000'1100u);
    EXPECT_EQ(near->read(iova + 0x2000, 8), Endpoint::aborted);
    EXPECT_EQ(machine->read64(first + FRCD), iova + 0x2000);
    EXPECT_EQ(machine->read64(first + FRCD + 8), 0xc000'0006'0000'0020u);
    EXPECT_EQ(machine->read64(second + FRCD), iova + 0x1000) << "as it was";
}

TEST_F(Vtd_Units, Vtd_5_1_MessagesOfAFunctionTakeTheEntriesOfItsUnit)
{
    start();
    translate_both();
    remap(first, near_tables);
    remap(second, far_tables);
    entry(near_tables, 0x61, here);
    entry(far_tables, 0x62, there);
    const std::uint64_t remappable = 0xfee00010;  // handle 0
    EXPECT_EQ(far->fill(remappable, 4, 0), Endpoint::done);
    EXPECT_TRUE(requested(0x62)) << machine->hmp("info lapic");
    EXPECT_FALSE(requested(0x61));
    EXPECT_EQ(near->fill(remappable, 4, 0), Endpoint::done);
    EXPECT_TRUE(requested(0x61));
    EXPECT_EQ(machine->read32(first + FSTS) | machine->read32(second + FSTS), 0u);
}

TEST_F(Vtd_Units, Vtd_5_1_ACompatibilityMessageIsBlockedByTheUnitOfItsFunction)
{
    start();
    remap(second, far_tables);
    EXPECT_EQ(far->fill(forged, 4, 0x51), Endpoint::aborted);
    EXPECT_FALSE(requested(0x51));
    EXPECT_EQ(machine->read64(second + FRCD + 8), 0x8000'0025'0000'1100u);
    EXPECT_EQ(machine->read32(first + FSTS), 0u);
    EXPECT_EQ(near->fill(forged, 4, 0x52), Endpoint::done) << "the first remaps nothing";
    EXPECT_TRUE(requested(0x52));
}

// Each has its state: what the first has is not what the second gets.
TEST_F(Vtd_Units, BothMigrate)
{
    const auto file =
        ::testing::TempDir() + "winiommu-vtd-units." + std::to_string(::getpid());
    start();
    translate_both();
    EXPECT_EQ(far->fill(iova + 0x1000, 8, 1), Endpoint::aborted);
    ASSERT_TRUE(machine->migrate_to(file));
    boot_both("", {"-incoming", "defer"});
    ASSERT_TRUE(machine->migrate_from(file)) << machine->output();
    ::unlink(file.c_str());
    EXPECT_EQ(machine->read64(first + RTADDR), near_tables.root);
    EXPECT_EQ(machine->read64(second + RTADDR), far_tables.root);
    EXPECT_EQ(machine->read32(first + FSTS), 0u);
    EXPECT_EQ(machine->read64(second + FRCD + 8), 0x8000'0005'0000'1100u);
    connect();
    EXPECT_EQ(near->fill(iova, 8, 0x4444), Endpoint::done);
    EXPECT_EQ(far->fill(iova, 8, 0x5555), Endpoint::done);
    EXPECT_EQ(machine->read64(near_tables.data), 0x4444u);
    EXPECT_EQ(machine->read64(far_tables.data), 0x5555u);
}

// The two structures, whole: the second lists the root port for all that is below it, and
// neither lists what the other does.  The IOAPIC is in one scope only.
TEST_F(Vtd_Units, Vtd_8_3_EachFunctionIsInTheScopeOfItsUnit)
{
    boot_both();
    const auto table = dmar();
    ASSERT_GT(table.size(), 48u);
    const std::size_t length = table[50] | table[51] << 8;
    EXPECT_EQ(part(table, 48, 16), (Bytes{0, 0, table[50], table[51], 0, 0, 0, 0, 0, 0,
                                          0xd9, 0xfe, 0, 0, 0, 0}));
    EXPECT_EQ(part(table, 64, 8), (Bytes{3, 8, 0, 0, 0, 0xff, 0, 0})) << "IOAPIC";
    for (std::size_t at = 72; at < 48 + length; at += 8) {
        EXPECT_EQ(part(table, at, 6), (Bytes{1, 8, 0, 0, 0, 0})) << "on bus 0";
    }
    EXPECT_EQ(part(table, 48 + length, table.size() - 48 - length),
              (Bytes{0, 0, 24, 0, 0, 0,    0, 0, 0, 0, 0xda, 0xfe, 0, 0, 0, 0,  //
                     2, 8, 0,  0, 0, 0x10, 0, 0}));
}

// VT-d 8.3: whoever includes all comes last.
TEST_F(Vtd_Units, Vtd_8_3_TheFirstMayIncludeAllThatIsLeft)
{
    boot_both(",include-pci-all=on");
    const auto table = dmar();
    ASSERT_GT(table.size(), 48u);
    EXPECT_EQ(part(table, 48, table.size() - 48),
              (Bytes{0, 0, 24, 0, 0, 0,    0, 0, 0, 0, 0xda, 0xfe, 0, 0, 0, 0,  //
                     2, 8, 0,  0, 0, 0x10, 0, 0,                                //
                     0, 0, 24, 0, 1, 0,    0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0,  //
                     3, 8, 0,  0, 0, 0xff, 0, 0}));
}

// VT-d 8.6 "Remapping Hardware Static Affinity Structure": the expander's node.
TEST_F(Vtd_Units, Vtd_8_6_AUnitIsNearTheNodeOfItsBus)
{
    auto all = machine_with("", "winiommu-vtd-unit,primary-bus=far");
    all[3] += ",numa_node=1";
    all.insert(all.end(), {"-smp", "2", "-object", "memory-backend-ram,id=m0,size=128M",
                           "-object", "memory-backend-ram,id=m1,size=128M", "-numa",
                           "node,memdev=m0,cpus=0", "-numa", "node,memdev=m1,cpus=1"});
    boot(all);
    const auto table = dmar();
    ASSERT_GT(table.size(), 68u);
    EXPECT_EQ(part(table, table.size() - 20, 20),
              (Bytes{3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0xda, 0xfe, 0, 0, 0, 0, 1, 0, 0, 0}));
}

// docs/specs/introspection.rst, `requesters`: of two units one has the function.
TEST_F(Vtd_Units, EachSaysWhoseAccessesComeToIt)
{
    boot_both();
    const auto requesters = [this](unsigned number) {
        return machine
            ->qmp("qom-get", "{\"path\":\"/machine/peripheral-anon/device[" +
                                 std::to_string(number) +
                                 "]\",\"property\":\"requesters\"}")
            .json;
    };
    const auto has = [](const std::string& text, const std::string& part) {
        return text.find(part) != text.npos;
    };
    auto near_ones = requesters(0), far_ones = requesters(1);
    EXPECT_TRUE(has(near_ones, R"("bus": "pcie.0")")) << near_ones;
    EXPECT_TRUE(has(near_ones, R"("0x20")")) << near_ones;
    EXPECT_TRUE(has(near_ones, R"("0xff00")")) << "the IOAPIC: " << near_ones;
    EXPECT_FALSE(has(near_ones, R"("0x1000")")) << near_ones;
    EXPECT_TRUE(has(far_ones, R"("bus": "far")")) << far_ones;
    EXPECT_TRUE(has(far_ones, R"("0x1000")")) << "the root port: " << far_ones;
    // Below the port no bus has a number yet, and 00:00.0 is the host bridge.
    EXPECT_FALSE(has(far_ones, R"("0x0")")) << far_ones;
    EXPECT_FALSE(has(far_ones, R"("0x1100")")) << far_ones;
    connect();
    far_ones = requesters(1);
    EXPECT_TRUE(has(far_ones, R"("0x1100")")) << far_ones;
    EXPECT_FALSE(has(requesters(0), R"("0x1100")"));
}

TEST_F(Vtd_Units, WrongOnesAreRefusedWithALine)
{
    refuse(machine_with("", "winiommu-vtd-unit"), "say which bus it serves");
    refuse(machine_with("", "winiommu-vtd-unit,primary-bus=pcie.0"),
           "the bus pcie.0 already has an IOMMU");
    auto twice = machine_with("", "winiommu-vtd-unit,primary-bus=far");
    twice.insert(twice.end(), {"-device", "winiommu-vtd-unit,primary-bus=far"});
    refuse(twice, "the bus far already has an IOMMU");
    auto around = machine_with("", "winiommu-vtd-unit,primary-bus=far");
    around[3] += ",bypass_iommu=on";
    refuse(around, "the bus far has bypass_iommu=on");
    refuse({"-device", "pxb-pcie,id=far,bus_nr=16", "-device",
            "winiommu-vtd-unit,primary-bus=far"},
           "put -device winiommu-vtd before it");
    refuse({"-device", "winiommu-vtd", "-device", "pxb-pcie,id=far,bus_nr=16", "-device",
            "winiommu-vtd-unit,primary-bus=far"},
           "unit at 0xfeda0000 covers nothing");
}

}  // namespace
