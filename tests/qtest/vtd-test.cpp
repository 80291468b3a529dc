// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-vtd inside QEMU: raw registers and tables, DMA that moved or did not.
#include "tests/qtest/q35.hpp"

namespace {

using namespace qtest;
using q35::ram;
using q35::unit;

// VT-d 11.1.
enum : std::uint64_t {
    CAP = unit + 0x08,
    ECAP = unit + 0x10,
    GCMD = unit + 0x18,
    GSTS = unit + 0x1c,
    RTADDR = unit + 0x20,
    FSTS = unit + 0x34,
    FECTL = unit + 0x38,
    IQT = unit + 0x88,
    IQA = unit + 0x90,
    IRTA = unit + 0xb8,
    FRCD = unit + 0x220,
};
constexpr std::uint32_t TE = 1u << 31, SRTP = 1u << 30, QIE = 1u << 26, IRE = 1u << 25,
                        SIRTP = 1u << 24, CFI = 1u << 23;

// Tables of function 00:04.0, from 1 MiB up.
constexpr std::uint64_t root = ram, context = ram + 0x1000, directory = ram + 0x2000,
                        pasids = ram + 0x3000, queue = ram + 0x4000, tree = ram + 0x10000,
                        data = ram + 0x100000;
constexpr std::uint64_t iova = 0x4000'0000;
constexpr unsigned devfn = 4 << 3;

class Vtd : public q35::Test {
protected:
    void boot_unit(const std::string& options = "")
    {
        boot({"-device", "winiommu-vtd" + options, "-device", "winiommu-dma,addr=4"});
        if (machine) {
            dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                             q35::pci_window);
            ASSERT_TRUE(dma->present());
        }
    }
    // Four levels; `rights` in every entry; pages 0 and 1 at `data`.
    void build_tree(std::uint64_t rights)
    {
        machine->write64(tree, (tree + 0x1000) | rights);
        machine->write64(tree + 0x1000 + 8, (tree + 0x2000) | rights);
        machine->write64(tree + 0x2000, (tree + 0x3000) | rights);
        machine->write64(tree + 0x3000, data | rights);
        machine->write64(tree + 0x3008, (data + 0x1000) | (rights & ~2ull));
    }
    void enable_legacy(std::uint64_t low = tree | 1)
    {
        build_tree(3);
        machine->write64(root, context | 1);
        machine->write64(context + devfn * 16, low);
        machine->write64(context + devfn * 16 + 8, 5 << 8 | 2);
        machine->write64(RTADDR, root);
        machine->write32(GCMD, SRTP);
        machine->write32(GCMD, TE);
    }
    void enable_scalable()
    {
        build_tree(7);
        machine->write64(root, context | 1);
        machine->write64(context + devfn * 32, directory | 9);
        machine->write64(directory, pasids | 1);
        machine->write64(pasids + 3 * 64, 0x41);
        machine->write64(pasids + 3 * 64 + 8, 7);
        machine->write64(pasids + 3 * 64 + 16, tree);
        machine->write64(RTADDR, root | 1 << 10);
        machine->write32(GCMD, SRTP);
        machine->write32(GCMD, TE);
    }
    // FRCD[0], cleared afterwards.
    std::uint64_t take_fault()
    {
        const auto high = machine->read64(FRCD + 8);
        machine->write64(FRCD + 8, 1ull << 63);
        return high;
    }
    std::unique_ptr<Endpoint> dma;
};

TEST_F(Vtd, HasTheRegistersWindowsAccepts)
{
    boot_unit();
    EXPECT_EQ(machine->read32(unit), 0x10u);
    EXPECT_EQ(machine->read64(CAP), 0x80d2008c226f0606u);
    EXPECT_EQ(machine->read64(ECAP), 0x00f00fdbu);
    EXPECT_EQ(machine->read32(FECTL), 0x80000000u);
    EXPECT_EQ(machine->read32(GSTS), 0u);
}

// QEMU's B4: an 8-byte write to a 32-bit register killed the process.
TEST_F(Vtd, SurvivesWritesOfEveryWidthAtEveryOffset)
{
    boot_unit(",scalable-mode=on,fault-records=256");
    for (std::uint64_t at = 0; at < 0x2000; at += 4) {
        machine->write32(unit + at, 0xffffffff);
        if (at % 8 == 0) {
            machine->write64(unit + at, ~0ull);
        }
    }
    EXPECT_EQ(machine->read32(unit), 0x10u);
}

TEST_F(Vtd, MovesDataThroughTheSecondStage)
{
    boot_unit();
    enable_legacy();
    machine->write64(data + 8, 0x1122334455667788);
    EXPECT_EQ(dma->read(iova + 8, 8), Endpoint::done);
    EXPECT_EQ(machine->read64(dma->buffer()), 0x1122334455667788u);
    EXPECT_EQ(dma->fill(iova + 0x100, 8, 0xa5a5), Endpoint::done);
    EXPECT_EQ(machine->read64(data + 0x100), 0xa5a5u);
    EXPECT_EQ(machine->read32(FSTS), 0u);
}

// QEMU's B1: refused by a cached translation, and nothing was recorded.
TEST_F(Vtd, RecordsAWriteToAPageCachedAsReadOnly)
{
    boot_unit();
    enable_legacy();
    EXPECT_EQ(dma->read(iova + 0x1000, 8), Endpoint::done);
    machine->write64(data + 0x1000, 7);
    EXPECT_EQ(dma->fill(iova + 0x1000, 64, 0xdead), Endpoint::aborted);
    EXPECT_EQ(machine->read64(data + 0x1000), 7u);
    EXPECT_EQ(machine->read64(FRCD), iova + 0x1000);
    EXPECT_EQ(take_fault(), 0x8000'0005'0000'0020u);
    EXPECT_EQ(machine->read32(FSTS), 0u);
}

TEST_F(Vtd, PassThroughReachesMemoryAsItIs)
{
    boot_unit();
    enable_legacy(9);
    EXPECT_EQ(dma->fill(data, 8, 0x55), Endpoint::done);
    EXPECT_EQ(machine->read64(data), 0x55u);
}

TEST_F(Vtd, InvalidatesThroughTheQueue)
{
    boot_unit();
    enable_legacy();
    machine->write64(IQA, queue);
    machine->write32(GCMD, TE | QIE);
    machine->write64(data, 1);
    machine->write64(data + 0x2000, 2);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    machine->write64(tree + 0x3000, (data + 0x2000) | 3);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_EQ(machine->read64(dma->buffer()), 1u) << "stale until invalidated";
    machine->write64(queue, 0x32 | 5 << 16);
    machine->write64(queue + 8, iova);
    machine->write64(queue + 16, 0x25 | 0x77ull << 32);
    machine->write64(queue + 24, data + 0x3000);
    machine->write64(IQT, 32);
    EXPECT_EQ(machine->read32(data + 0x3000), 0x77u);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_EQ(machine->read64(dma->buffer()), 2u);
}

// QEMU's B2: read first, then written, and D stayed clear.
TEST_F(Vtd, MarksAFirstStagePageOfAPasidDirty)
{
    boot_unit(",scalable-mode=on");
    enable_scalable();
    dma->attributes(0, Endpoint::has_pasid | 3);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_EQ(machine->read64(tree + 0x3000), data | 0x27);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::done);
    EXPECT_EQ(machine->read64(tree + 0x3000), data | 0x67);
    EXPECT_EQ(dma->fill(iova + 0x1000, 8, 1), Endpoint::aborted);
    EXPECT_EQ(take_fault(), 0x8000'0385'8000'0020u);
}

// QEMU's B9: compatibility format passed with CFI clear.
TEST_F(Vtd, BlocksAForgedCompatibilityInterrupt)
{
    boot_unit();
    machine->write64(IRTA, ram + 0x8000);
    machine->write32(GCMD, SIRTP);
    machine->write32(GCMD, IRE);
    EXPECT_EQ(dma->fill(0xfee00000, 4, 0x41), Endpoint::aborted);
    EXPECT_EQ(take_fault(), 0x8000'0025'0000'0020u);
    EXPECT_EQ(dma->fill(0xfee00010, 4, 0x41), Endpoint::aborted);  // entry 0 is empty
    EXPECT_EQ(take_fault(), 0x8000'0022'0000'0020u);
    machine->write32(GCMD, IRE | CFI);
    EXPECT_EQ(dma->fill(0xfee00000, 4, 0x41), Endpoint::done);
    EXPECT_EQ(machine->read32(FSTS), 0u);
}

TEST_F(Vtd, RefusesWhatTheArchitectureDoesNotHave)
{
    refuse({"-device", "winiommu-vtd,aw-bits=40"}, "39, 48 or 57");
    refuse({"-device", "winiommu-vtd,fault-records=0"}, "fault-records");
    refuse({"-device", "winiommu-vtd,eim=on,intremap=off"}, "intremap=on");
    refuse({"-device", "winiommu-vtd", "-device", "intel-iommu"}, "iommu");
}

}  // namespace
