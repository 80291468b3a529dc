// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-vtd moves to another QEMU, or comes back from a snapshot, with all that
// software saw.
#include <unistd.h>

#include <cstdlib>

#include "tests/qtest/q35.hpp"

namespace {

using namespace qtest;
using q35::ram;
using q35::unit;

// VT-d 11.4; two fault records.
enum : std::uint64_t {
    GCMD = unit + 0x18,
    GSTS = unit + 0x1c,
    RTADDR = unit + 0x20,
    FSTS = unit + 0x34,
    FECTL = unit + 0x38,
    FEDATA = unit + 0x3c,
    IQH = unit + 0x80,
    IQT = unit + 0x88,
    IQA = unit + 0x90,
    IRTA = unit + 0xb8,
    FRCD = unit + 0x220,
};
constexpr std::uint32_t TE = 1u << 31, SRTP = 1u << 30, QIE = 1u << 26, IRE = 1u << 25,
                        SIRTP = 1u << 24;
constexpr std::uint32_t PFO = 1u << 0, PPF = 1u << 1, IQE = 1u << 4;

// Functions 00:04.0, 00:05.0 and 00:06.0, domain 5.
constexpr std::uint64_t root = ram, context = ram + 0x1000, queue = ram + 0x4000,
                        entries = ram + 0x8000, tree = ram + 0x10000,
                        leaves = tree + 0x3000, data = ram + 0x100000;
constexpr std::uint64_t iova = 0x4000'0000;
constexpr unsigned source = 4 << 3, pages = 16, passes = 900;
constexpr std::uint64_t wait_and_write = 0x25 | 0x77ull
                                                    << 32;  // VT-d 6.5.2.8, status 0x77

class Vtd_Migration : public q35::Test {
protected:
    static std::vector<std::string> machine_with(std::vector<std::string> more,
                                                 const std::string& options = "")
    {
        std::vector<std::string> all = {
            "-object", "iothread,id=io",
            "-device", "winiommu-vtd,fault-records=2" + options,
            "-device", "winiommu-dma,addr=4,iothread=io",
            "-device", "winiommu-dma,addr=5",
            "-device", "winiommu-dma,addr=6"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    void start(const std::vector<std::string>& more = {})
    {
        boot(machine_with(more));
        ASSERT_NE(machine, nullptr);
        connect();
        machine->write64(tree, (tree + 0x1000) | 3);
        machine->write64(tree + 0x1000 + 8, (tree + 0x2000) | 3);
        machine->write64(tree + 0x2000, leaves | 3);
        for (unsigned i = 0; i < pages; ++i) {
            machine->write64(leaves + 8 * i, (data + 0x1000 * i) | 3);
        }
        machine->write64(root, context | 1);
        for (unsigned devfn = source; devfn <= 6 << 3; devfn += 8) {
            machine->write64(context + devfn * 16, tree | 1);
            machine->write64(context + devfn * 16 + 8, 5 << 8 | 2);
        }
        // Entry 1: present, vector 0x51, from 00:04.0 and nobody else.
        machine->write64(entries + 16, std::uint64_t{0x51} << 16 | 1);
        machine->write64(entries + 24, 1ull << 18 | source);
        machine->write64(RTADDR, root);
        machine->write32(GCMD, SRTP);
        machine->write64(IRTA, entries | 7);
        machine->write32(GCMD, SIRTP);
        machine->write64(IQA, queue);
        machine->write32(GCMD, QIE);
        machine->write32(GCMD, QIE | TE);
        machine->write32(GCMD, QIE | TE | IRE);
    }
    void connect()
    {
        dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                         q35::pci_window);
    }
    // Stays BUSY for a while: 900 passes of 64 KiB in 256-byte accesses.
    void start_filling(std::uint64_t pattern)
    {
        dma->w64(0x28, iova);
        dma->w32(0x30, 0x10000);
        dma->w32(0x34, passes);
        dma->w32(0x74, 256);
        dma->w64(0x50, pattern);
        dma->w32(0x10, Endpoint::command_fill);
    }
    std::vector<std::uint32_t> registers()
    {
        std::vector<std::uint32_t> out;
        for (std::uint64_t at = 0; at < 0x240; at += 4) {
            out.push_back(machine->read32(unit + at));
        }
        return out;
    }
    // Three functions' faults for two records, and a descriptor of no type before one
    // that waits.
    void leave_errors_behind()
    {
        for (unsigned i = 0; i < 3; ++i) {
            Endpoint each(*machine, *config, Function{0, 4 + i, 0},
                          q35::pci_window + 0x20000 * i);
            EXPECT_EQ(each.read(iova + 0x1000 * (pages + i), 8), Endpoint::aborted);
        }
        machine->write32(FEDATA, 0x41);
        machine->write64(queue, 0xf0f);
        machine->write64(queue + 8, 0);
        machine->write64(queue + 16, wait_and_write);
        machine->write64(queue + 24, data + 0x100000);
        machine->write64(IQT, 32);
    }
    void expect_errors()
    {
        EXPECT_EQ(machine->read32(FSTS) & (PFO | PPF | IQE), PFO | PPF | IQE);
        for (unsigned i = 0; i < 2; ++i) {
            EXPECT_EQ(machine->read64(FRCD + 16 * i), iova + 0x1000 * (pages + i));
            EXPECT_EQ(machine->read64(FRCD + 16 * i + 8),
                      0xc000'0006'0000'0000u | (source + 8 * i));
        }
        EXPECT_EQ(machine->read64(IQH), 0u);
        EXPECT_EQ(machine->read32(data + 0x100000), 0u)
            << "nothing behind the error is done";
    }
    // Software mends the queue, takes the faults, and the unit goes on.
    void recover()
    {
        machine->write64(queue, 2 | 1 << 4);  // IOTLB, global
        machine->write32(FSTS, IQE);
        machine->write64(IQT, 32);
        EXPECT_EQ(machine->read64(IQH), 32u);
        EXPECT_EQ(machine->read32(data + 0x100000), 0x77u);
        for (unsigned i = 0; i < 2; ++i) {
            machine->write64(FRCD + 16 * i + 8, 1ull << 63);
        }
        machine->write32(FSTS, PFO);
        EXPECT_EQ(machine->read32(FSTS) & (PFO | PPF | IQE), 0u);
    }
    static std::string state_file()
    {
        return ::testing::TempDir() + "winiommu-vtd-state." + std::to_string(::getpid());
    }
    std::unique_ptr<Endpoint> dma;
};

TEST_F(Vtd_Migration, MigratesInTheMiddleOfTraffic)
{
    const std::string file = state_file();
    start();
    leave_errors_behind();
    expect_errors();
    const auto before = registers();
    // RAM is copied while the endpoint writes to it: nothing it writes may be missed.
    bool running = false;
    for (unsigned tries = 0; tries < 20 && !running; ++tries) {
        start_filling(0x1122334455667788);
        running = dma->r32(0x14) == Endpoint::busy;
    }
    EXPECT_TRUE(running);
    ASSERT_TRUE(machine->migrate_to(file));

    boot(machine_with({"-incoming", "defer"}));
    ASSERT_NE(machine, nullptr);
    ASSERT_TRUE(machine->migrate_from(file)) << machine->output();
    ::unlink(file.c_str());
    EXPECT_EQ(registers(), before);
    expect_errors();
    EXPECT_EQ(machine->read32(GSTS) & (TE | QIE | IRE), TE | QIE | IRE);
    EXPECT_EQ(machine->read32(FEDATA), 0x41u);
    connect();
    while (dma->r32(0x14) == Endpoint::busy && machine->alive()) {
    }
    EXPECT_EQ(dma->r32(0x14), Endpoint::done);
    EXPECT_EQ(dma->r64(0x80), passes * 0x10000u)
        << "every byte was moved, on either side";
    for (unsigned i = 0; i < pages; ++i) {
        EXPECT_EQ(machine->read64(data + 0x1000 * i + 0xff8), 0x1122334455667788u) << i;
    }
    dma->w32(0x34, 1);
    recover();
    EXPECT_EQ(dma->fill(iova + 0x2000, 8, 0x5a), Endpoint::done);
    EXPECT_EQ(machine->read64(data + 0x2000), 0x5au);
    EXPECT_EQ(dma->read(iova + 0x1000 * pages, 8), Endpoint::aborted);
    EXPECT_EQ(machine->read32(FSTS) & PPF, PPF) << "and records on";
}

TEST_F(Vtd_Migration, InterruptsStayRemapped)
{
    const std::string file = state_file();
    start();
    EXPECT_EQ(dma->fill(0xfee00000 | 1 << 5 | 1 << 4, 4, 0), Endpoint::done);
    ASSERT_TRUE(machine->migrate_to(file));
    boot(machine_with({"-incoming", "defer"}));
    ASSERT_NE(machine, nullptr);
    ASSERT_TRUE(machine->migrate_from(file)) << machine->output();
    ::unlink(file.c_str());
    connect();
    EXPECT_EQ(dma->fill(0xfee00000 | 1 << 5 | 1 << 4, 4, 0), Endpoint::done);
    EXPECT_EQ(machine->read32(FSTS), 0u);
    EXPECT_EQ(dma->fill(0xfee00000, 4, 0x51), Endpoint::aborted);
    EXPECT_EQ(machine->read64(FRCD + 8), 0x8000'0025'0000'0000u | source);
}

TEST_F(Vtd_Migration, ASnapshotBringsEverythingBack)
{
    const char* img = std::getenv("WINIOMMU_QEMU_IMG");
    ASSERT_NE(img, nullptr) << "set WINIOMMU_QEMU_IMG to qemu-img";
    const std::string disk = state_file() + ".qcow2";
    ASSERT_EQ(
        std::system((std::string(img) + " create -q -f qcow2 " + disk + " 64M").c_str()),
        0);
    start({"-drive", "if=none,id=disk,format=qcow2,file=" + disk});
    EXPECT_EQ(dma->fill(iova, 8, 0x11), Endpoint::done);
    leave_errors_behind();
    const auto before = registers();
    EXPECT_EQ(machine->hmp("savevm here"), "");

    recover();
    machine->write64(leaves, 0);
    machine->write32(GCMD, 0);
    machine->write64(data, 0);
    EXPECT_EQ(machine->hmp("loadvm here"), "");
    EXPECT_EQ(registers(), before);
    expect_errors();
    EXPECT_EQ(dma->compare(iova, 8, 0x11), Endpoint::done);
    recover();
    ::unlink(disk.c_str());
}

TEST_F(Vtd_Migration, AUnitWithOtherCapabilitiesRefusesTheState)
{
    const std::string file = state_file();
    start();
    ASSERT_TRUE(machine->migrate_to(file));
    boot(machine_with({"-incoming", "defer"}, ",aw-bits=39"));
    ASSERT_NE(machine, nullptr);
    EXPECT_FALSE(machine->migrate_from(file));
    EXPECT_NE(machine->output().find("other properties"), std::string::npos)
        << machine->output();
    machine.reset();  // QEMU ends by itself then
    ::unlink(file.c_str());
}

}  // namespace
