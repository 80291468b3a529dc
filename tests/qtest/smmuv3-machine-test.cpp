// SPDX-License-Identifier: GPL-2.0-or-later
// The device in its machine: buses, several SMMUs, bypass, migration, what QEMU refuses.
#include <unistd.h>

#include <cstdlib>

#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

const Words bypass_ste = {1 | unsigned(Config::Bypass) << 1, 0, 0, 0};
const Words abort_ste = {1, 0, 0, 0};

class Smmu_Machine : public smmuv3::Test {
protected:
    static constexpr std::uint32_t window = 0x11000000;

    // A function behind a root port at 00:02.0 whose bus the test numbers.
    void start_behind_port()
    {
        boot({"-device", "winiommu-smmuv3,id=smmu", "-device",
              "pcie-root-port,id=rp,addr=2,chassis=1", "-device",
              "winiommu-dma,bus=rp,addr=0"});
        smmu = std::make_unique<Driver>(*machine);
        open_bridge(*config, port, {5, 5, window, 0x100000});
        dma = std::make_unique<Endpoint>(*machine, *config, Function{5, 0, 0}, window);
        ASSERT_TRUE(dma->present());
    }
    void renumber(unsigned bus)
    {
        config->write32(0, port.devfn(), 0x18, bus << 16 | bus << 8);
        dma->move({bus, 0, 0});
    }
    std::string state_file() const
    {
        return ::testing::TempDir() + "winiommu-smmuv3-state." +
               std::to_string(::getpid());
    }

    static constexpr Function port{0, 2, 0};
};

TEST_F(Smmu_Machine, TheStreamIdFollowsTheBusNumber)
{
    // qemu.md A13: no stale bus number, neither in the StreamID of events nor in which
    // STE is used.
    start_behind_port();
    smmu->enable();
    smmu->set_ste(0x500, abort_ste);
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    expect_no_event();

    renumber(6);
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    Record r{};
    ASSERT_TRUE(smmu->next_event(r));
    EXPECT_EQ(number(r), C_BAD_STE);
    EXPECT_EQ(stream(r), 0x600u);

    smmu->set_ste(0x600, bypass_ste);
    EXPECT_EQ(dma->fill(target, 8, 0x66), Endpoint::done);
    renumber(5);
    EXPECT_EQ(dma->fill(target, 8, 0x55), Endpoint::aborted)
        << "out of bypass by the bridge's register alone";
    renumber(6);
    EXPECT_EQ(dma->compare(target, 8, 0x66), Endpoint::done);
    renumber(5);
    smmu->set_ste(0x500, bypass_ste);
    EXPECT_EQ(dma->fill(target, 8, 0x55), Endpoint::done);
}

// What DMA of winiommu-dma meets, from QEMU's own list of flattened address spaces.
std::string view_of_dma(Machine& machine)
{
    const std::string all = machine.hmp("info mtree -f");
    const auto name = all.find("AS \"winiommu-dma\"");
    if (name == std::string::npos) {
        return {};
    }
    return all.substr(name, all.find("FlatView", name) - name);
}

TEST_F(Smmu_Machine, BypassIsSystemMemoryItself)
{
    // qemu.md A15: while everything passes, DMA does not even meet an IOMMU region.
    start();
    const auto direct = [this] {
        return view_of_dma(*machine).find("mach-virt.ram") != std::string::npos;
    };
    EXPECT_TRUE(direct()) << "SMMUEN = 0: " << view_of_dma(*machine);
    smmu->w32(GBPA, 1u << 31 | 1u << 20);
    EXPECT_FALSE(direct()) << "GBPA.ABORT";
    smmu->w32(GBPA, 1u << 31);
    EXPECT_TRUE(direct());
    smmu->enable();
    EXPECT_FALSE(direct()) << "no valid STE";
    smmu->set_ste(sid, bypass_ste);
    EXPECT_TRUE(direct()) << "STE bypass";
    stage1();
    EXPECT_FALSE(direct()) << "stage 1";
    smmu->w32(CR0, 0b1100);
    EXPECT_TRUE(direct()) << "SMMUEN = 0 again";
}

// An extra root bus 8 with a root port 08:00.0 and a function 09:00.0 behind it.
const std::vector<std::string> extra_root = {
    "-device", "pxb-pcie,id=pcie.8,bus_nr=8,bus=pcie.0,addr=8",
    "-device", "pcie-root-port,id=rp,bus=pcie.8,addr=0,chassis=8",
    "-device", "winiommu-dma,bus=rp,addr=0"};

std::vector<std::string> operator+(std::vector<std::string> a,
                                   const std::vector<std::string>& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

TEST_F(Smmu_Machine, SeveralSmmusEachHaveTheirRootBus)
{
    boot(extra_root +
         std::vector<std::string>{"-device", "winiommu-smmuv3,id=smmu", "-device",
                                  "winiommu-smmuv3,id=other,primary-bus=pcie.8",
                                  "-device", "winiommu-dma,bus=pcie.0,addr=4"});
    connect();
    Driver second(*machine, virt::platform_bus + 0x20000, virt::ram + 0x4000000);
    open_bridge(*config, {8, 0, 0}, {9, 9, window, 0x100000});
    Endpoint behind(*machine, *config, {9, 0, 0}, window);
    ASSERT_TRUE(behind.present());
    smmu->enable();
    EXPECT_EQ(behind.fill(target, 8, 0x8), Endpoint::done) << "the other is still off";
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    expect_event(C_BAD_STE);

    second.enable();
    const std::uint64_t root = second.new_table(Granule::K4);
    second.map(root, Granule::K4, {iova, target + 0x2000, 4096, s1_rw});
    const std::uint64_t context = second.allocate(64, 64);
    second.put(context, second.cd(root, Granule::K4, 1));
    second.set_ste(0x900, second.ste_stage1(context));
    EXPECT_EQ(behind.fill(iova, 8, 0x9), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 0x2000), 0x9u);
    EXPECT_EQ(behind.read(iova + 4096, 4), Endpoint::aborted);
    Record r{};
    ASSERT_TRUE(second.next_event(r));
    EXPECT_EQ(stream(r), 0x900u);
    expect_no_event();
}

TEST_F(Smmu_Machine, AnExtraRootBusWithoutItsOwnIsBehindTheFirst)
{
    boot(extra_root + std::vector<std::string>{"-device", "winiommu-smmuv3,id=smmu"});
    smmu = std::make_unique<Driver>(*machine);
    open_bridge(*config, {8, 0, 0}, {9, 9, window, 0x100000});
    Endpoint behind(*machine, *config, {9, 0, 0}, window);
    smmu->enable();
    EXPECT_EQ(behind.read(target, 4), Endpoint::aborted);
    Record r{};
    ASSERT_TRUE(smmu->next_event(r));
    EXPECT_EQ(stream(r), 0x900u);
}

TEST_F(Smmu_Machine, FunctionsAreStreamsOfTheirOwn)
{
    boot({"-device", "winiommu-smmuv3,id=smmu", "-device",
          "winiommu-dma,addr=4.0,multifunction=on", "-device", "winiommu-dma,addr=4.1"});
    connect();
    Endpoint second(*machine, *config, {0, 4, 1}, virt::pci_window + 0x20000);
    smmu->enable();
    smmu->set_ste(0x21, bypass_ste);
    EXPECT_EQ(second.fill(target, 8, 0x21), Endpoint::done);
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    expect_event(C_BAD_STE);
}

TEST_F(Smmu_Machine, DeviceMessagesAreTranslatedToo)
{
    start();
    smmu->enable();
    stage1();
    machine->write64(dma->msix_table(), iova + 0x40);
    machine->write32(dma->msix_table() + 8, 0x3141);
    machine->write32(dma->msix_table() + 12, 0);
    unsigned capability = dma->read_config(0x34) & 0xff;
    while ((dma->read_config(capability) & 0xff) != 0x11) {
        capability = dma->read_config(capability) >> 8 & 0xff;
        ASSERT_NE(capability, 0u);
    }
    dma->write_config(capability, 0x80000000);
    dma->w32(0xc0, 0);
    EXPECT_EQ(machine->read32(target + 0x40), 0x3141u);
    expect_no_event();
}

TEST_F(Smmu_Machine, MigratesInTheMiddleOfTraffic)
{
    const std::string file = state_file();
    start();
    smmu->enable();
    stage1();
    EXPECT_EQ(dma->fill(iova, 64, 0x4d), Endpoint::done);
    EXPECT_EQ(dma->read(iova + 0x1000, 4), Endpoint::aborted);
    EXPECT_EQ(dma->read(iova + 0x2000, 4), Endpoint::aborted);
    smmu->submit({Command{0x7f, 0}});  // an error that nobody has acknowledged
    const std::uint32_t cons = smmu->r32(CMDQ_CONS);
    std::vector<std::uint64_t> registers;
    for (std::uint64_t reg = 0; reg < 0x200; reg += 8) {
        registers.push_back(smmu->r64(reg));
    }
    Driver saved = *smmu;
    ASSERT_TRUE(machine->migrate_to(file));

    boot({"-device", "winiommu-smmuv3,id=smmu", "-device", "winiommu-dma,addr=4",
          "-incoming", "defer"});
    ASSERT_TRUE(machine->migrate_from(file)) << machine->output();
    ::unlink(file.c_str());
    smmu = std::make_unique<Driver>(saved, *machine);
    for (std::uint64_t reg = 0; reg < 0x200; reg += 8) {
        EXPECT_EQ(smmu->r64(reg), registers[reg / 8]) << std::hex << reg;
    }
    EXPECT_EQ(smmu->r32(CMDQ_CONS), cons);
    EXPECT_EQ(smmu->r32(GERROR), 1u);
    dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                     virt::pci_window);
    EXPECT_EQ(dma->compare(iova, 64, 0x4d), Endpoint::done);
    EXPECT_EQ(dma->read(iova + 0x3000, 4), Endpoint::aborted);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        Record r{};
        ASSERT_TRUE(smmu->next_event(r)) << "event " << i << " is lost";
        EXPECT_EQ(r[2], iova + 0x1000 * i);
    }
}

TEST_F(Smmu_Machine, ABypassedMachineMigratesBypassed)
{
    const std::string file = state_file();
    start();
    smmu->enable();
    smmu->set_ste(sid, bypass_ste);
    Driver saved = *smmu;
    ASSERT_TRUE(machine->migrate_to(file));
    boot({"-device", "winiommu-smmuv3,id=smmu", "-device", "winiommu-dma,addr=4",
          "-incoming", "defer"});
    ASSERT_TRUE(machine->migrate_from(file)) << machine->output();
    ::unlink(file.c_str());
    smmu = std::make_unique<Driver>(saved, *machine);
    dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                     virt::pci_window);
    EXPECT_EQ(dma->fill(target, 8, 0xb), Endpoint::done);
    smmu->set_ste(sid, abort_ste);
    EXPECT_EQ(dma->fill(target, 8, 0xc), Endpoint::aborted);
}

TEST_F(Smmu_Machine, ASnapshotBringsEverythingBack)
{
    const char* img = std::getenv("WINIOMMU_QEMU_IMG");
    ASSERT_NE(img, nullptr) << "set WINIOMMU_QEMU_IMG to qemu-img";
    const std::string disk = state_file() + ".qcow2";
    const std::string create = std::string(img) + " create -q -f qcow2 " + disk + " 64M";
    ASSERT_EQ(std::system(create.c_str()), 0);
    start("", {"-drive", "if=none,id=disk,format=qcow2,file=" + disk});
    smmu->enable();
    stage1();
    EXPECT_EQ(dma->fill(iova, 8, 0x11), Endpoint::done);
    EXPECT_EQ(dma->read(iova + 0x1000, 4), Endpoint::aborted);
    EXPECT_EQ(machine->hmp("savevm here"), "");

    Record r{};
    EXPECT_TRUE(smmu->next_event(r));
    machine->write64(smmu->leaf(table, Granule::K4, iova), 0);
    smmu->submit_and_sync({tlbi_nh_all(0)});
    EXPECT_EQ(dma->read(iova, 8), Endpoint::aborted);
    smmu->w32(CR0, 0);
    EXPECT_EQ(machine->hmp("loadvm here"), "");

    EXPECT_EQ(smmu->r32(CR0), 0b1101u);
    EXPECT_EQ(smmu->events_waiting(), 1u) << "the event of before, not taken yet";
    EXPECT_EQ(dma->compare(iova, 8, 0x11), Endpoint::done)
        << "tables and caches are those of before";
    ::unlink(disk.c_str());
}

TEST_F(Smmu_Machine, TwoThreadsOfDmaWhileSoftwareChangesEverything)
{
    // Translations on two iothreads against invalidation, remapping and switches between
    // stage 1, bypass and abort.  A FILL ends whole or aborted, never anywhere else.
    boot({"-object", "iothread,id=io0", "-object", "iothread,id=io1", "-device",
          "winiommu-smmuv3,id=smmu", "-device",
          "winiommu-dma,addr=4.0,multifunction=on,iothread=io0", "-device",
          "winiommu-dma,addr=4.1,iothread=io1"});
    connect();
    Endpoint second(*machine, *config, {0, 4, 1}, virt::pci_window + 0x20000);
    smmu->enable();
    stage1();
    const Words translated = smmu->ste_stage1(cd_at);
    const std::uint64_t leaf = smmu->leaf(table, Granule::K4, iova);
    const std::uint64_t guard = target + 0x3000;
    smmu->set_ste(sid + 1, translated);
    unsigned done[2] = {}, aborted[2] = {};
    for (unsigned round = 0; round < 60; ++round) {
        Endpoint* endpoints[] = {dma.get(), &second};
        for (Endpoint* e : endpoints) {
            e->w64(0x28, iova);
            e->w64(0x50, round);
            e->w32(0x30, 4096);
            e->w32(0x34, 2000);
            e->w32(0x10, Endpoint::command_fill);
        }
        machine->write64(leaf, (target + (round % 2) * 0x1000) | s1_rw | page);
        smmu->submit_and_sync({tlbi_nh_va(0, 1, iova)});
        if (round % 10 == 3) {
            smmu->set_ste(sid, abort_ste);
        } else if (round % 10 == 6) {
            smmu->set_ste(sid, bypass_ste);
        } else if (round % 10 == 9) {
            smmu->set_ste(sid, translated);
        }
        smmu->submit_and_sync({cfgi_all(), tlbi_nsnh_all()});
        for (unsigned i = 0; i < 2; ++i) {
            while (endpoints[i]->r32(0x14) == Endpoint::busy && machine->alive()) {
            }
            done[i] += endpoints[i]->r32(0x14) == Endpoint::done;
            aborted[i] += endpoints[i]->r32(0x14) == Endpoint::aborted;
        }
        ASSERT_TRUE(machine->alive());
    }
    EXPECT_EQ(done[1], 60u) << "the stream nobody touched";
    EXPECT_EQ(done[0] + aborted[0], 60u);
    EXPECT_GT(aborted[0], 0u);
    EXPECT_GT(done[0], 0u);
    EXPECT_EQ(machine->read64(guard), 0u);
}

TEST_F(Smmu_Machine, WrongSetUpsAreRefusedWithAReason)
{
    refuse({"-device", "winiommu-smmuv3,stage=3"}, "none of 1, 2, nested");
    refuse({"-device", "winiommu-smmuv3,oas=43"}, "output address size");
    refuse({"-device", "winiommu-smmuv3,sid-bits=7"}, "StreamID");
    refuse({"-device", "winiommu-smmuv3", "-device", "winiommu-smmuv3"},
           "already has an IOMMU");
    refuse({"-M", "virt,iommu=smmuv3", "-device", "winiommu-smmuv3"},
           "already has an IOMMU");
    refuse({"-device", "pcie-root-port,id=rp,chassis=1", "-device",
            "winiommu-smmuv3,primary-bus=rp"},
           "root bus");
    refuse({"-device",
            "virtio-rng-pci,id=early,disable-legacy=on,disable-modern=off,"
            "iommu_platform=on",
            "-device", "winiommu-smmuv3"},
           "put -device winiommu-smmuv3 before it");
    refuse({"-device", "winiommu-smmuv3,rmr=1234"}, "BASE+SIZE@STREAM");
}

TEST_F(Smmu_Machine, OrdinaryDevicesMayComeBeforeIt)
{
    boot({"-device", "winiommu-dma,addr=4", "-device", "winiommu-smmuv3,id=smmu"});
    connect();
    smmu->enable();
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    expect_event(C_BAD_STE);
}

}  // namespace
