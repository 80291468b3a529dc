// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-dma inside QEMU, without any IOMMU: the PCI function around the engine.
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/qtest/virt.hpp"

namespace {

using namespace qtest;
using virt::ram;

class WiniommuDma : public virt::Test {
protected:
    void boot_one(const std::vector<std::string>& more = {"-device",
                                                          "winiommu-dma,addr=4"})
    {
        boot(more);
        if (machine) {
            dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                             virt::pci_window);
            ASSERT_TRUE(dma->present());
        }
    }
    std::unique_ptr<Endpoint> dma;
};

TEST_F(WiniommuDma, IdentifiesItself)
{
    boot_one();
    EXPECT_EQ(dma->r32(0x00), 0x414d4457u);
    EXPECT_EQ(dma->r32(0x04), 1u);
    EXPECT_EQ(dma->r32(0x08), 0u) << "no IOMMU of ours is above it";
    EXPECT_EQ(dma->read_config(0x08), 0x00ff0001u);
}

TEST_F(WiniommuDma, PasidCapabilityIsAt0x100)
{
    boot_one();
    EXPECT_EQ(dma->read_config(0x100) & 0xfffff, 0x1001bu);
    EXPECT_EQ(dma->read_config(0x104), 0x1406u);
    dma->write_config(0x104, 0xffffffff);
    EXPECT_EQ(dma->read_config(0x104), 0x00071406u);
}

TEST_F(WiniommuDma, ReadsAndWritesGuestMemory)
{
    boot_one();
    const std::vector<std::uint8_t> data = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    machine->write(ram + 0x1003, data);
    EXPECT_EQ(dma->read(ram + 0x1003, 9), Endpoint::done);
    EXPECT_EQ(dma->r32(0x9c), 0xcbf43926u);
    EXPECT_EQ(machine->read(dma->buffer(), 9), data);
    EXPECT_EQ(dma->write(ram + 0x2ffd, 9), Endpoint::done);
    EXPECT_EQ(machine->read(ram + 0x2ffd, 9), data);
    EXPECT_EQ(dma->r32(0x98), 2u) << "one access on each side of the page boundary";
}

TEST_F(WiniommuDma, NobodyAnswersThere)
{
    boot_one();
    EXPECT_EQ(dma->read(0x20'0000'0000'0000, 64), Endpoint::aborted);
    EXPECT_EQ(dma->fail_address(), 0x20'0000'0000'0000u);
    EXPECT_EQ(dma->r32(0x90), 1u);
}

TEST_F(WiniommuDma, AtomicsWorkOnRamOnly)
{
    boot_one();
    machine->write64(ram + 0x100, 0xffffffff);
    dma->w64(0x28, ram + 0x100);
    dma->w32(0x30, 8);
    dma->w64(0x60, 1);
    EXPECT_EQ(dma->run(Endpoint::command_fetch_add), Endpoint::done);
    EXPECT_EQ(dma->r64(0xa0), 0xffffffffu);
    EXPECT_EQ(machine->read64(ram + 0x100), 0x100000000u);
    dma->w64(0x28, 0x09000000);  // the UART
    EXPECT_EQ(dma->run(Endpoint::command_fetch_add), Endpoint::aborted);
}

TEST_F(WiniommuDma, BusMasterOffAbortsEverything)
{
    boot_one();
    dma->bus_master(false);
    EXPECT_EQ(dma->read(ram, 4), Endpoint::aborted);
    dma->w64(0x28, ram);
    dma->w32(0x30, 4);
    EXPECT_EQ(dma->run(Endpoint::command_swap), Endpoint::aborted);
    dma->bus_master(true);
    EXPECT_EQ(dma->read(ram, 4), Endpoint::done);
}

TEST_F(WiniommuDma, AttributesNeedOneOfOurIommus)
{
    boot_one();
    dma->attributes(Endpoint::privileged);
    EXPECT_EQ(dma->read(ram, 4), Endpoint::rejected);
    EXPECT_EQ(dma->r32(0x18), 9u);
}

TEST_F(WiniommuDma, DmaIntoItsOwnRegistersHurtsNobody)
{
    boot_one();
    dma->w32(0x70, 0);
    machine->write32(dma->buffer(), Endpoint::command_write);
    EXPECT_NE(dma->write(dma->registers() + 0x10, 4), Endpoint::busy);
    EXPECT_EQ(dma->r32(0x00), 0x414d4457u);
    EXPECT_EQ(dma->fill(dma->buffer(), 4096, 0x55), Endpoint::done) << "BAR2 is memory";
    EXPECT_EQ(machine->read64(dma->buffer() + 8), 0x55u);
}

TEST_F(WiniommuDma, FunctionsHaveTheirOwnRegisters)
{
    boot({"-device", "winiommu-dma,addr=4.0,multifunction=on", "-device",
          "winiommu-dma,addr=4.1"});
    Endpoint first(*machine, *config, {0, 4, 0}, virt::pci_window);
    Endpoint second(*machine, *config, {0, 4, 1}, virt::pci_window + 0x20000);
    ASSERT_TRUE(first.present());
    ASSERT_TRUE(second.present());
    first.w32(0x30, 77);
    EXPECT_EQ(second.r32(0x30), 0u);
    EXPECT_EQ(first.r32(0x30), 77u);
}

TEST_F(WiniommuDma, MsixMessageIsWrittenWhereTheTableSays)
{
    boot_one();
    machine->write64(dma->msix_table() + 3 * 16, ram + 0x5000);
    machine->write32(dma->msix_table() + 3 * 16 + 8, 0xfeed);
    machine->write32(dma->msix_table() + 3 * 16 + 12, 0);
    unsigned capability = dma->read_config(0x34) & 0xff;
    while (capability != 0 && (dma->read_config(capability) & 0xff) != 0x11) {
        capability = dma->read_config(capability) >> 8 & 0xff;
    }
    ASSERT_NE(capability, 0u);
    dma->w32(0xc0, 3);
    EXPECT_EQ(machine->read32(ram + 0x5000), 0u) << "MSI-X is still off";
    dma->write_config(capability, 0x80000000);
    dma->w32(0xc0, 3);
    EXPECT_EQ(machine->read32(ram + 0x5000), 0xfeedu);
    dma->w32(0xc0, 8);
    EXPECT_EQ(machine->read32(ram + 0x5004), 0u);
}

// QEMU 10.2's aspeed-pcie-rc says for every machine of its binary that messages work, so
// what a function of QEMU's own offers is what this one is to offer.
TEST_F(WiniommuDma, WorksWhereMessagesDoNot)
{
    boot_one({"-M", "virt,gic-version=3,its=off", "-device", "winiommu-dma,addr=4",
              "-device", "virtio-serial-pci,addr=5"});
    const auto offers = [&](unsigned device, unsigned id) {
        const auto devfn = Function{0, device, 0}.devfn();
        unsigned at = config->read32(0, devfn, 0x34) & 0xff;
        while (at != 0 && (config->read32(0, devfn, at) & 0xff) != id) {
            at = config->read32(0, devfn, at) >> 8 & 0xff;
        }
        return at != 0;
    };
    ASSERT_EQ(config->read32(0, Function{0, 5, 0}.devfn(), 0) & 0xffff, 0x1af4u);
    const bool messages = offers(5, 0x11);
    EXPECT_EQ(offers(4, 0x11), messages) << "MSI-X";
    EXPECT_EQ(offers(4, 0x05), messages) << "MSI";
    dma->w32(0xc0, 0);
    EXPECT_EQ(dma->fill(ram, 8, 0x1234), Endpoint::done);
    EXPECT_EQ(machine->read64(ram), 0x1234u);
}

TEST_F(WiniommuDma, CommandsRunInAnIothread)
{
    boot_one(
        {"-object", "iothread,id=io0", "-device", "winiommu-dma,addr=4,iothread=io0"});
    EXPECT_EQ(dma->r32(0x08), 8u);
    EXPECT_EQ(dma->fill(ram + 0x10000, 0x100000, 0x0123456789abcdef), Endpoint::done);
    EXPECT_EQ(machine->read64(ram + 0x10ffff8), 0x0u);
    EXPECT_EQ(machine->read64(ram + 0x10fff8), 0x0123456789abcdefu);
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(dma->compare(ram + 0x10000, 0x1000, 0x0123456789abcdef),
                  Endpoint::done);
    }
}

TEST_F(WiniommuDma, ResetWaitsForTheIothread)
{
    boot_one(
        {"-object", "iothread,id=io0", "-device", "winiommu-dma,addr=4,iothread=io0"});
    dma->w64(0x28, ram);
    dma->w32(0x30, 0x1000000);
    dma->w32(0x10, Endpoint::command_fill);
    EXPECT_TRUE(machine->qmp("system_reset").ok);
    dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                     virt::pci_window);
    EXPECT_EQ(dma->read(ram, 4), Endpoint::done);
}

TEST_F(WiniommuDma, ResetWaitsAlsoForDmaThatNeedsTheBigLock)
{
    boot_one(
        {"-object", "iothread,id=io0", "-device", "winiommu-dma,addr=4,iothread=io0"});
    for (int i = 0; i < 10; ++i) {
        // Registers, not memory: QEMU takes its big lock for each piece.
        dma->w64(0x28, dma->registers() + 0x800);
        dma->w32(0x30, 2048);
        dma->w32(0x34, 200);
        dma->w32(0x10, Endpoint::command_fill);
        ASSERT_TRUE(machine->qmp("system_reset").ok);
        dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                         virt::pci_window);
        ASSERT_EQ(dma->read(ram, 4), Endpoint::done);
    }
}

TEST_F(WiniommuDma, LogGoesToTheChardevAndStaysReadable)
{
    const std::string file =
        ::testing::TempDir() + "winiommu-dma-log." + std::to_string(::getpid());
    boot_one({"-chardev", "file,id=log,path=" + file, "-device",
              "winiommu-dma,addr=4,chardev=log"});
    for (const char c : std::string("PASS\n")) {
        machine->write8(dma->registers() + 0xd0, static_cast<std::uint8_t>(c));
    }
    EXPECT_EQ(dma->r32(0xd4), 5u);
    EXPECT_EQ(dma->r32(0xd8), std::uint32_t{'P'});
    machine.reset();
    std::FILE* f = std::fopen(file.c_str(), "r");
    ASSERT_NE(f, nullptr);
    char text[16] = {};
    EXPECT_EQ(std::fread(text, 1, sizeof text, f), 5u);
    EXPECT_STREQ(text, "PASS\n");
    std::fclose(f);
    ::unlink(file.c_str());
}

TEST_F(WiniommuDma, RegistersAndBufferMigrate)
{
    const std::string file =
        ::testing::TempDir() + "winiommu-dma-state." + std::to_string(::getpid());
    boot_one();
    dma->w64(0x20, 0x123456789abcdef0);
    dma->fill(ram + 0x3000, 64, 0xabcd);
    machine->write32(dma->buffer() + 0x100, 0x600df00d);
    ASSERT_TRUE(machine->migrate_to(file));
    boot({"-device", "winiommu-dma,addr=4", "-incoming", "defer"});
    ASSERT_TRUE(machine->migrate_from(file)) << machine->output();
    ::unlink(file.c_str());
    EXPECT_EQ(machine->read64(virt::pci_window + 0x20), 0x123456789abcdef0u);
    EXPECT_EQ(machine->read32(virt::pci_window + 0x14), Endpoint::done);
    EXPECT_EQ(machine->read32(virt::pci_window + 0x10100), 0x600df00du);
    EXPECT_EQ(machine->read64(ram + 0x3008), 0xabcdu);
}

}  // namespace
