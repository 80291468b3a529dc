// SPDX-License-Identifier: GPL-2.0-or-later
// The properties verify and findings of a real winiommu-vtd.
#include "tests/qtest/q35.hpp"

namespace {

using namespace qtest;
using q35::ram;
using q35::unit;

constexpr std::uint64_t root = ram, context = ram + 0x1000, queue = ram + 0x4000,
                        tree = ram + 0x10000, data = ram + 0x100000;
constexpr std::uint64_t iova = 0x4000'0000;
constexpr unsigned devfn = 4 << 3;
// VT-d 11.1 and 11.4.4.1.
constexpr std::uint64_t GCMD = unit + 0x18, RTADDR = unit + 0x20, IQT = unit + 0x88,
                        IQA = unit + 0x90;
constexpr std::uint32_t TE = 1u << 31, SRTP = 1u << 30, QIE = 1u << 26;

class Vtd_Verify : public q35::Test {
protected:
    void boot_unit(const std::string& options)
    {
        boot({"-d", "guest_errors", "-device", "winiommu-vtd,id=unit" + options,
              "-device", "winiommu-dma,addr=4"});
        dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                         q35::pci_window);
        ASSERT_TRUE(dma->present());
        machine->write64(tree, (tree + 0x1000) | 3);
        machine->write64(tree + 0x1000 + 8, (tree + 0x2000) | 3);
        machine->write64(tree + 0x2000, (tree + 0x3000) | 3);
        machine->write64(tree + 0x3000, data | 3);
        machine->write64(root, context | 1);
        machine->write64(context + devfn * 16, tree | 1);
        machine->write64(context + devfn * 16 + 8, 5 << 8 | 2);
        machine->write64(RTADDR, root);
        machine->write32(GCMD, SRTP);
        machine->write64(IQA, queue);
        machine->write32(GCMD, QIE);
        machine->write32(GCMD, QIE | TE);
    }
    // IOTLB, page-selective in domain 5, and a wait descriptor.
    void flush(std::uint64_t at)
    {
        machine->write64(queue + tail, 0x32 | 5ull << 16);
        machine->write64(queue + tail + 8, at);
        machine->write64(queue + tail + 16, 0x25);
        machine->write64(queue + tail + 24, queue + 0x2000);
        tail += 32;
        machine->write64(IQT, tail);
    }
    std::string findings()
    {
        const auto answer = machine->qmp(
            "qom-get",
            "{\"path\": \"/machine/peripheral/unit\", \"property\": \"findings\"}");
        EXPECT_TRUE(answer.ok) << answer.json;
        return answer.json;
    }
    std::unique_ptr<Endpoint> dma;
    std::uint64_t tail = 0;
};

TEST_F(Vtd_Verify, LogNamesTheForgottenFlush)
{
    boot_unit(",verify=log");
    ASSERT_EQ(dma->read(iova, 8), Endpoint::done);
    machine->write64(tree + 0x3000, 0);
    ASSERT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_EQ(findings().find("WI-"), std::string::npos) << findings();
    flush(iova + 0x1000);
    flush(iova + 0x1000);
    EXPECT_NE(findings().find("WI-VTD-STALE-IOTLB"), std::string::npos) << findings();
    EXPECT_NE(machine->output().find("winiommu-vtd: WI-VTD-STALE-IOTLB: "),
              std::string::npos)
        << machine->output();
}

TEST_F(Vtd_Verify, ADriverThatFlushesIsNotBlamed)
{
    boot_unit(",verify=log");
    for (unsigned i = 0; i < 8; ++i) {
        ASSERT_EQ(dma->read(iova, 8), Endpoint::done);
        machine->write64(tree + 0x3000, 0);
        flush(iova);
        ASSERT_EQ(dma->read(iova, 8), Endpoint::aborted);
        machine->write64(tree + 0x3000, (data + i * 0x1000) | 3);
    }
    EXPECT_EQ(findings().find("WI-"), std::string::npos) << findings();
}

// A function with a translation cache of its own: ATS, VT-d chapter 4.
class Vtd_Verify_Ats : public Vtd_Verify {
protected:
    static constexpr std::uint64_t mmconfig = 0xb000'0000;

    void start()
    {
        boot_unit(",verify=log,device-iotlb=on");
        config->write32(0, 0, 0x60, mmconfig | 1);  // PCIEXBAR of the host bridge
        extended = ecam(*machine, mmconfig);
        dma = std::make_unique<Endpoint>(*machine, *extended, Function{0, 4, 0},
                                         q35::pci_window);
        dma->write_config(0x108 + 4, 1u << 31);  // PCIe 10.5.1.3, ATS on
        machine->write64(context + devfn * 16, tree | 1 | 1 << 2);  // TT 01b
        machine->write64(queue + tail, 0x11);
        tail += 16;
        flush(iova);
    }
    void flush_device(std::uint64_t at)
    {
        machine->write64(queue + tail, 0x3 | std::uint64_t{devfn} << 32);
        machine->write64(queue + tail + 8, at);
        machine->write64(queue + tail + 16, 0x25);
        machine->write64(queue + tail + 24, queue + 0x2000);
        tail += 32;
        machine->write64(IQT, tail);
    }
    std::unique_ptr<ConfigSpace> extended;
};

TEST_F(Vtd_Verify_Ats, LogNamesTheForgottenDeviceTlbInvalidation)
{
    start();
    ASSERT_EQ(dma->read(iova, 8), Endpoint::done);
    machine->write64(tree + 0x3000, 0);
    flush(iova);
    ASSERT_EQ(dma->fill(iova, 8, 2), Endpoint::done) << "stale";
    flush(iova + 0x1000);
    flush(iova + 0x1000);
    EXPECT_NE(findings().find("WI-VTD-STALE-DEVTLB"), std::string::npos) << findings();
    EXPECT_EQ(findings().find("WI-VTD-STALE-IOTLB"), std::string::npos) << findings();
    EXPECT_NE(machine->output().find("winiommu-vtd: WI-VTD-STALE-DEVTLB: "),
              std::string::npos)
        << machine->output();
}

TEST_F(Vtd_Verify_Ats, ADriverThatTellsTheFunctionIsNotBlamed)
{
    start();
    for (unsigned i = 0; i < 8; ++i) {
        ASSERT_EQ(dma->fill(iova, 8, i), Endpoint::done);
        ASSERT_EQ(dma->read(iova, 8), Endpoint::done);
        machine->write64(tree + 0x3000, 0);
        flush(iova);
        flush_device(iova);
        ASSERT_EQ(dma->read(iova, 8), Endpoint::aborted);
        machine->write64(tree + 0x3000, (data + i * 0x1000) | 3);
    }
    EXPECT_EQ(findings().find("WI-"), std::string::npos) << findings();
}

TEST_F(Vtd_Verify, WrongValuesGetOneLine)
{
    refuse({"-device", "winiommu-vtd,verify=on"},
           "winiommu-vtd: verify=on is none of off, log, stop");
}

}  // namespace
