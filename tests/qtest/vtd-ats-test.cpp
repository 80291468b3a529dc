// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 4 "Support For Device-TLBs" with winiommu-dma's own cache: DMA that goes
// on with an old translation until the Device-TLB is invalidated, and not after.
#include "tests/qtest/q35.hpp"

namespace {

using namespace qtest;
using q35::ram;
using q35::unit;

enum : std::uint64_t {
    GCMD = unit + 0x18,
    RTADDR = unit + 0x20,
    FSTS = unit + 0x34,
    IQH = unit + 0x80,
    IQT = unit + 0x88,
    IQA = unit + 0x90,
    IQERCD = unit + 0xb0,
    FRCD = unit + 0x220,
};
constexpr std::uint32_t TE = 1u << 31, SRTP = 1u << 30, QIE = 1u << 26, ITE = 1u << 6;

constexpr std::uint64_t root = ram, context = ram + 0x1000, directory = ram + 0x2000,
                        pasids = ram + 0x3000, queue = ram + 0x4000,
                        status = ram + 0x8000, tree = ram + 0x10000,
                        leaves = tree + 0x3000, data = ram + 0x100000;
constexpr std::uint64_t iova = 0x4000'0000, mmconfig = 0xb000'0000;
constexpr unsigned devfn = 4 << 3;

// docs/specs/winiommu-dma.rst.
constexpr unsigned FEATURES = 0x08, ATS_ADDRESS = 0xe0, ATS_MASK = 0xe8,
                   ATS_COMPLETION = 0xf0, ATC_ENTRIES = 0xf4, ATC_REQUESTS = 0xf8;
constexpr std::uint32_t translated = 1 << 4, untranslated = 1 << 5, no_write = 1 << 6;
constexpr std::uint32_t command_translate = 0x0c;
constexpr unsigned ats_capability = 0x108;

class VtdAts : public q35::Test, public ::testing::WithParamInterface<bool> {
protected:
    void start(const std::string& options = "")
    {
        std::vector<std::string> all = {"-device",
                                        "winiommu-vtd,device-iotlb=on" + options};
        if (GetParam()) {
            all.insert(all.end(), {"-object", "iothread,id=io"});
        }
        all.insert(all.end(), {"-device", std::string("winiommu-dma,addr=4") +
                                              (GetParam() ? ",iothread=io" : "")});
        boot(all);
        ASSERT_NE(machine, nullptr);
        config->write32(0, 0, 0x60, mmconfig | 1);  // PCIEXBAR of the host bridge
        extended = ecam(*machine, mmconfig);
        dma = std::make_unique<Endpoint>(*machine, *extended, Function{0, 4, 0},
                                         q35::pci_window);
        ASSERT_TRUE(dma->present());
        for (unsigned level = 0; level < 3; ++level) {
            const auto at = tree + 0x1000 * level;
            machine->write64(at + (level == 1 ? 8 : 0), (at + 0x1000) | 7);
        }
        machine->write64(leaves, data | 7);
    }
    void legacy(std::uint64_t type = 1 << 2, const std::string& options = "")
    {
        start(options);
        machine->write64(root, context | 1);
        machine->write64(context + devfn * 16, tree | 1 | type);
        machine->write64(context + devfn * 16 + 8, 5 << 8 | 2);
        enable(root, 0);
    }
    void scalable()
    {
        start(",scalable-mode=on");
        machine->write64(root, context | 1);
        machine->write64(context + devfn * 32, directory | 0xd);  // DTE, PASIDE
        machine->write64(directory, pasids | 1);
        for (const unsigned pasid : {3, 4}) {
            machine->write64(pasids + pasid * 64, 0x41);
            machine->write64(pasids + pasid * 64 + 8, 7);
            machine->write64(pasids + pasid * 64 + 16, tree);
        }
        enable(root | 1 << 10, 1 << 11);
    }
    void enable(std::uint64_t table, std::uint64_t wide)
    {
        machine->write64(RTADDR, table);
        machine->write32(GCMD, SRTP);
        machine->write64(IQA, queue | wide);
        machine->write32(GCMD, QIE);
        machine->write32(GCMD, QIE | TE);
        descriptor_size = wide ? 32 : 16;
    }
    void enable_ats(bool on) { dma->write_config(ats_capability + 4, on ? 1u << 31 : 0); }
    void put(std::uint64_t low, std::uint64_t high = 0)
    {
        machine->write64(queue + tail, low);
        machine->write64(queue + tail + 8, high);
        tail += descriptor_size;
    }
    void ring() { machine->write64(IQT, tail); }
    // True when the wait descriptor behind it has completed.
    bool flush_device_tlb(std::uint64_t low = 0x3 | std::uint64_t{devfn} << 32,
                          std::uint64_t high = iova)
    {
        machine->write32(status, 0);
        put(low, high);
        put(0x25 | 0x77ull << 32, status);
        ring();
        return machine->read32(status) == 0x77;
    }
    void flush_iotlb()
    {
        put(0x12);
        ring();
    }
    std::uint64_t take_fault()
    {
        const auto high = machine->read64(FRCD + 8);
        machine->write64(FRCD + 8, 1ull << 63);
        return high;
    }
    std::uint64_t read_word(std::uint64_t at = iova)
    {
        return dma->read(at, 8) == Endpoint::done ? machine->read64(dma->buffer())
                                                  : ~0ull;
    }
    std::uint32_t translate(std::uint64_t at)
    {
        dma->w64(0x20, at);
        return dma->run(command_translate);
    }

    std::unique_ptr<ConfigSpace> extended;
    std::unique_ptr<Endpoint> dma;
    std::uint64_t tail = 0, descriptor_size = 16;
};

INSTANTIATE_TEST_SUITE_P(Both, VtdAts, ::testing::Bool(), [](const auto& info) {
    return info.param ? "InAnIothread" : "Inline";
});

TEST_P(VtdAts, Pcie_10_5_1_TheCapabilityIsThereAndOff)
{
    legacy();
    EXPECT_EQ(dma->read_config(0x100) >> 20, ats_capability);
    EXPECT_EQ(dma->read_config(ats_capability) & 0xfffff, 0x1000fu);
    EXPECT_EQ(dma->read_config(ats_capability + 4), 0x60u);
    EXPECT_EQ(dma->r32(FEATURES) & 0x100, 0x100u);
    dma->write_config(ats_capability + 4, ~0u);
    EXPECT_EQ(dma->read_config(ats_capability + 4), 0x801f0060u);
}

TEST_P(VtdAts, Vtd_6_5_2_5_AForgottenDeviceTlbInvalidationBites)
{
    legacy();
    enable_ats(true);
    machine->write64(data, 1);
    machine->write64(data + 0x2000, 2);
    EXPECT_EQ(read_word(), 1u);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 1u);
    EXPECT_EQ(dma->r32(ATC_REQUESTS), 1u);
    machine->write64(leaves, (data + 0x2000) | 3);
    flush_iotlb();
    EXPECT_EQ(read_word(), 1u) << "stale: the function has the address of its own";
    ASSERT_TRUE(flush_device_tlb());
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 0u);
    EXPECT_EQ(read_word(), 2u);
    machine->write64(leaves, 0);
    flush_iotlb();
    EXPECT_EQ(dma->fill(iova, 8, 9), Endpoint::done) << "stale";
    EXPECT_EQ(machine->read32(FSTS), 0u);
}

TEST_P(VtdAts, Vtd_6_5_2_5_ARemovedPageIsOutOfReachAfterwards)
{
    legacy();
    enable_ats(true);
    machine->write64(data, 1);
    EXPECT_EQ(dma->fill(iova, 8, 0x11), Endpoint::done);
    machine->write64(leaves, 0);
    flush_iotlb();
    EXPECT_EQ(dma->fill(iova, 8, 0x22), Endpoint::done);
    EXPECT_EQ(machine->read64(data), 0x22u) << "stale";
    ASSERT_TRUE(flush_device_tlb());
    EXPECT_EQ(dma->fill(iova, 8, 0x33), Endpoint::aborted);
    EXPECT_EQ(machine->read64(data), 0x22u);
    EXPECT_EQ(machine->read32(FSTS), 0u) << "the function was told: no fault";
}

TEST_P(VtdAts, Vtd_6_5_2_5_TheIotlbGoesFirst)
{
    legacy();
    enable_ats(true);
    EXPECT_EQ(dma->fill(iova, 8, 0x11), Endpoint::done);
    machine->write64(leaves, 0);
    ASSERT_TRUE(flush_device_tlb());
    EXPECT_EQ(dma->fill(iova, 8, 0x22), Endpoint::done) << "filled from the IOTLB again";
    flush_iotlb();
    ASSERT_TRUE(flush_device_tlb());
    EXPECT_EQ(dma->fill(iova, 8, 0x33), Endpoint::aborted);
}

TEST_P(VtdAts, Pcie_10_5_1_3_WithAtsDisabledItIsAFunctionWithoutAts)
{
    legacy();
    machine->write64(data, 1);
    machine->write64(data + 0x2000, 2);
    EXPECT_EQ(read_word(), 1u);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 0u);
    machine->write64(leaves, (data + 0x2000) | 3);
    flush_iotlb();
    EXPECT_EQ(read_word(), 2u);
    EXPECT_EQ(translate(iova), Endpoint::rejected);
    EXPECT_EQ(dma->r32(0x18), 10u);
    EXPECT_FALSE(flush_device_tlb()) << "nobody answers";
    EXPECT_EQ(machine->read32(FSTS), ITE);
    EXPECT_EQ(machine->read64(IQERCD), std::uint64_t{devfn} << 32);
    machine->write32(FSTS, ITE);
    EXPECT_EQ(machine->read32(FSTS), 0u);
    EXPECT_EQ(machine->read64(IQH), tail);
    EXPECT_EQ(machine->read32(status), 0u) << "given up for good";
}

TEST_P(VtdAts, Pcie_10_5_1_3_DisablingForgetsWhatWasCached)
{
    legacy();
    enable_ats(true);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::done);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 1u);
    enable_ats(false);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 0u);
    enable_ats(true);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 0u);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::done);
    machine->qmp("system_reset");
    machine->step_clock(1000000);
    for (int i = 0; i < 100000 && config->read32(0, devfn, 0x4) & 4; ++i) {
    }
    config->write32(0, 0, 0x60, mmconfig | 1);
    EXPECT_EQ(dma->read_config(ats_capability + 4), 0x60u) << "a reset disables, too";
}

TEST_P(VtdAts, Vtd_4_1_2_ATranslationTellsWhereHowMuchAndWhatIsAllowed)
{
    legacy();
    enable_ats(true);
    machine->write64(leaves + 8, (data + 0x1000) | 1);
    machine->write64(tree + 0x2008, 0x20'0083);
    const auto expect = [&](std::uint64_t at, std::uint64_t address, std::uint64_t mask,
                            std::uint32_t completion) {
        EXPECT_EQ(translate(at), Endpoint::done);
        EXPECT_EQ(dma->r64(ATS_ADDRESS), address);
        EXPECT_EQ(dma->r64(ATS_MASK), mask);
        EXPECT_EQ(dma->r32(ATS_COMPLETION), completion);
    };
    expect(iova + 0x10, data + 0x10, 0xfff, 0x30);
    expect(iova + 0x1000, data + 0x1000, 0xfff, 0x10);
    expect(iova + 0x20'3000, 0x20'3000, 0x1f'ffff, 0x30);
    expect(iova + 0x4000, 0, 0, 0);
    expect(0xfee0'0000, 0xfee0'0000, 0xfff, 0xa0);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 0u) << "the command only asks";
    EXPECT_EQ(machine->read32(FSTS), 0u);
    machine->write64(context + devfn * 16, tree | 1);
    put(0x11);
    flush_iotlb();
    expect(iova, 0, 0, 1);
    EXPECT_EQ(take_fault(), 0xd000'000d'0000'0020u);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::aborted);
    EXPECT_EQ(take_fault(), 0xd000'000d'0000'0020u);
}

TEST_P(VtdAts, Vtd_4_1_3_AForgedTranslatedRequestNeedsTheContextEntrysConsent)
{
    legacy();
    dma->attributes(translated);
    EXPECT_EQ(dma->fill(data + 0x9000, 8, 0x77), Endpoint::done);
    EXPECT_EQ(machine->read64(data + 0x9000), 0x77u) << "TT is 01b: believed";
    machine->write64(context + devfn * 16, tree | 1);
    put(0x11);
    ring();
    EXPECT_EQ(dma->fill(data + 0x9000, 8, 0x88), Endpoint::aborted);
    EXPECT_EQ(machine->read64(data + 0x9000), 0x77u);
    EXPECT_EQ(machine->read64(FRCD), data + 0x9000);
    EXPECT_EQ(take_fault(), 0xa000'000d'0000'0020u);
}

TEST_P(VtdAts, Vtd_3_15_InterruptsGoUntranslated)
{
    legacy();
    enable_ats(true);
    EXPECT_EQ(dma->fill(0xfee0'0000, 4, 0x41), Endpoint::done);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 0u);
    dma->attributes(translated);
    EXPECT_EQ(dma->fill(0xfee0'0000, 4, 0x41), Endpoint::aborted);
    EXPECT_EQ(take_fault(), 0xa000'000e'0000'0020u);
}

TEST_P(VtdAts, Vtd_6_5_2_6_ThePasidsCachedPagesGoByPasid)
{
    scalable();
    enable_ats(true);
    for (const unsigned pasid : {3, 4}) {
        dma->attributes(0, Endpoint::has_pasid | pasid);
        EXPECT_EQ(dma->fill(iova, 8, pasid), Endpoint::done);
    }
    EXPECT_EQ(machine->read64(leaves), data | 0x67) << "accessed and dirty";
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 2u);
    ASSERT_TRUE(flush_device_tlb()) << "of requests without PASID";
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 2u);
    const std::uint64_t of_pasid = 0x8 | devfn << 16 | 3ull << 32;
    ASSERT_TRUE(flush_device_tlb(of_pasid, iova + 0x1000));
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 2u) << "another page";
    ASSERT_TRUE(flush_device_tlb(of_pasid, iova));
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 1u);
    ASSERT_TRUE(flush_device_tlb(of_pasid, iova | 1)) << "global";
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 0u);
    EXPECT_EQ(machine->read32(FSTS), 0u);
}

TEST_P(VtdAts, Vtd_3_6_2_OnlyAWriteAsksForTheRightToWrite)
{
    scalable();
    enable_ats(true);
    dma->attributes(0, Endpoint::has_pasid | 3);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_EQ(machine->read64(leaves), data | 0x27);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::done);
    EXPECT_EQ(machine->read64(leaves), data | 0x67);
    EXPECT_EQ(dma->r32(ATC_REQUESTS), 2u);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 1u);
}

TEST_P(VtdAts, TheCacheIsBoundedAndAtomicsGoThroughIt)
{
    legacy();
    enable_ats(true);
    for (unsigned page = 0; page < 200; ++page) {
        machine->write64(leaves + 8 * page, (data + 0x1000 * page) | 3);
    }
    EXPECT_EQ(dma->fill(iova, 200 * 0x1000, 0x5555), Endpoint::done);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 64u);
    EXPECT_EQ(machine->read64(data + 199 * 0x1000), 0x5555u);
    dma->w64(0x28, iova + 8);
    dma->w32(0x30, 8);
    dma->w64(0x60, 3);
    EXPECT_EQ(dma->run(Endpoint::command_fetch_add), Endpoint::done);
    EXPECT_EQ(machine->read64(data + 8), 0x5558u);
    dma->attributes(untranslated);
    const auto before = dma->r32(ATC_REQUESTS);
    EXPECT_EQ(dma->fill(iova + 199 * 0x1000, 8, 1), Endpoint::done);
    EXPECT_EQ(dma->r32(ATC_REQUESTS), before) << "past the cache";
}

TEST_P(VtdAts, Pcie_10_5_1_3_NothingSmallerThanTheUnitIsCached)
{
    legacy();
    dma->write_config(ats_capability + 4, 1u << 31 | 9u << 16);  // 2 MiB
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::aborted) << "4 KiB is too small";
    machine->write64(tree + 0x2008, 0x20'0083);
    EXPECT_EQ(dma->fill(iova + 0x20'0000, 8, 1), Endpoint::done);
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 1u);
    ASSERT_TRUE(flush_device_tlb(0x3 | std::uint64_t{devfn} << 32, iova + 0x3f'f000));
    EXPECT_EQ(dma->r32(ATC_ENTRIES), 0u);
}

}  // namespace
