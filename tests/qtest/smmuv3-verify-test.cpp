// SPDX-License-Identifier: GPL-2.0-or-later
// The properties verify, findings and record of a real winiommu-smmuv3.
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_Verify : public smmuv3::Test {
protected:
    std::string findings()
    {
        const auto answer =
            machine->qmp("qom-get", std::string("{\"path\": \"") + smmu_path +
                                        "\", \"property\": \"findings\"}");
        EXPECT_TRUE(answer.ok) << answer.json;
        return answer.json;
    }
    // The mapping goes, its invalidation is forgotten; two CMD_SYNCs later it is a
    // mistake.
    void forget_a_flush()
    {
        stage1();
        ASSERT_EQ(dma->read(iova, 8), Endpoint::done);
        machine->write64(smmu->leaf(table, Granule::K4, iova), 0);
        ASSERT_EQ(dma->read(iova, 8), Endpoint::done);  // the cache still answers
        smmu->submit_and_sync({tlbi_nh_va(0, 1, iova + 0x1000)});
        smmu->submit_and_sync({});
    }
    std::string status()
    {
        return json_value(machine->qmp("query-status").json, "status");
    }
    bool stopped()
    {
        for (unsigned tries = 0; tries < 100; ++tries) {
            if (status() == "paused") {
                return true;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        return false;
    }
};

TEST_F(Smmu_Verify, LogNamesTheForgottenFlushInLogAndProperty)
{
    start("verify=log", {"-d", "guest_errors"});
    smmu->enable();
    EXPECT_EQ(findings().find("WI-"), std::string::npos) << findings();
    forget_a_flush();
    EXPECT_NE(findings().find("WI-SMMU-STALE-TLB"), std::string::npos) << findings();
    EXPECT_NE(findings().find("0x1234567000"), std::string::npos) << findings();
    EXPECT_NE(machine->output().find("winiommu-smmuv3: WI-SMMU-STALE-TLB: "),
              std::string::npos)
        << machine->output();
    EXPECT_EQ(status(), "running");
    EXPECT_FALSE(machine
                     ->qmp("qom-set", std::string("{\"path\": \"") + smmu_path +
                                          "\", \"property\": \"findings\", "
                                          "\"value\": \"\"}")
                     .ok);
}

TEST_F(Smmu_Verify, ADriverThatFlushesIsNotBlamed)
{
    start("verify=log");
    smmu->enable();
    stage1();
    for (unsigned i = 0; i < 8; ++i) {
        EXPECT_EQ(dma->fill(iova, 8, i), Endpoint::done);
        machine->write64(smmu->leaf(table, Granule::K4, iova), 0);
        smmu->submit_and_sync({tlbi_nh_va(0, 1, iova)});
        EXPECT_EQ(dma->read(iova, 8), Endpoint::aborted);
        machine->write64(smmu->leaf(table, Granule::K4, iova),
                         (target + i * 0x1000) | s1_rw | page);
    }
    EXPECT_EQ(findings().find("WI-"), std::string::npos) << findings();
    Record r{};
    while (smmu->next_event(r)) {
    }
}

// qemu.md A9: a StreamWorld of EL2 is accepted although IDR0.Hyp is 0.  SMMU 5.2.2
// (IgnoreSTESTRW) wants it accepted, as NS-EL1's; here its driver is told.
TEST_F(Smmu_Verify, A9AStreamWorldOfEl2WithoutHypIsNotAcceptedInSilence)
{
    start("verify=log", {"-d", "guest_errors"});
    smmu->enable();
    stage1();
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_EQ(findings().find("WI-"), std::string::npos) << findings();
    Words ste = smmu->ste_stage1(cd_at);
    ste[1] |= 2u << 30;
    smmu->set_ste(sid, ste);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_NE(findings().find("WI-SMMU-INCONSISTENT"), std::string::npos) << findings();
    EXPECT_NE(machine->output().find("winiommu-smmuv3: WI-SMMU-INCONSISTENT: "),
              std::string::npos)
        << machine->output();
}

TEST_F(Smmu_Verify, StopStopsTheMachineAndItGoesOn)
{
    start("verify=stop");
    smmu->enable();
    forget_a_flush();
    EXPECT_TRUE(stopped());
    EXPECT_NE(findings().find("WI-SMMU-STALE-TLB"), std::string::npos) << findings();
    EXPECT_TRUE(machine->qmp("cont").ok);
    EXPECT_EQ(status(), "running");
}

TEST_F(Smmu_Verify, OffFindsNothing)
{
    start();
    smmu->enable();
    forget_a_flush();
    EXPECT_EQ(findings().find("WI-"), std::string::npos) << findings();
    EXPECT_NE(findings().find("\\\"findings\\\": []"), std::string::npos) << findings();
}

TEST_F(Smmu_Verify, WrongValuesGetOneLine)
{
    const auto device = [](const std::string& options) {
        return std::vector<std::string>{"-device", "winiommu-smmuv3," + options};
    };
    refuse(device("verify=perhaps"),
           "winiommu-smmuv3: verify=perhaps is none of off, log, stop");
    refuse(device("record=/nonexistent/a"),
           "winiommu-smmuv3: record: cannot write /nonexistent/a: No such file");
}

TEST_F(Smmu_Verify, TheRecordIsInTheFileWithinASecondAndEndsWithQemu)
{
    const std::string path = "/tmp/winiommu-qtest-" + std::to_string(getpid()) + ".rec";
    const auto bytes = [&] {
        std::ifstream in(path, std::ios::binary);
        return std::string{std::istreambuf_iterator<char>(in), {}};
    };
    start("verify=log,record=" + path);
    smmu->enable();
    forget_a_flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    const auto running = bytes();
    ASSERT_GT(running.size(), 32u);
    EXPECT_EQ(running.substr(0, 5), "WIREC");
    EXPECT_NE(running.find("WI-SMMU-STALE-TLB"), std::string::npos);
    machine.reset();
    const auto ended = bytes();
    ASSERT_GE(ended.size(), running.size() + 16);
    EXPECT_EQ(ended[ended.size() - 16], 16);  // a record of 16 bytes,
    EXPECT_EQ(ended[ended.size() - 12], 6);   // the end
    unlink(path.c_str());
}

}  // namespace
