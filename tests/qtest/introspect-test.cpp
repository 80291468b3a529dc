// SPDX-License-Identifier: GPL-2.0-or-later
// Questions to both devices through QMP and the human monitor, and stopping at a fault:
// docs/specs/introspection.rst.
#include <unistd.h>

#include "tests/qtest/q35.hpp"
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;

// A device at `path`, asked.
class Asked {
public:
    Asked(Machine& machine, std::string path) : machine_(machine), path_(std::move(path))
    {
    }

    // The answer's JSON, or "error: " and QMP's.
    std::string get(const std::string& property)
    {
        const auto a = machine_.qmp(
            "qom-get", "{\"path\":\"" + path_ + "\",\"property\":\"" + property + "\"}");
        return (a.ok ? "" : "error: ") + a.json;
    }
    std::string set(const std::string& property, const std::string& value)
    {
        const auto a =
            machine_.qmp("qom-set", "{\"path\":\"" + path_ + "\",\"property\":\"" +
                                        property + "\",\"value\":\"" + value + "\"}");
        return a.ok ? "" : "error: " + a.json;
    }
    std::string ask(const std::string& topic, const std::string& request)
    {
        const auto problem = set(topic + "-request", request);
        return problem.empty() ? get(topic) : problem;
    }
    std::string state()
    {
        return json_value(machine_.qmp("query-status").json, "status");
    }
    // True once the machine is in `state`; the main loop gets there by itself.
    bool reaches(const std::string& wanted)
    {
        for (int tries = 0; tries < 500; ++tries) {
            if (state() == wanted) {
                return true;
            }
            ::usleep(10'000);
        }
        return false;
    }
    void go_on() { machine_.qmp("cont"); }

private:
    Machine& machine_;
    std::string path_;
};

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != text.npos;
}

// What holds on either machine; `name` is the event of a write to the page at `address`,
// which only grants reading.
void check_stop(Asked asked, Endpoint& dma, std::uint64_t address,
                const std::string& name)
{
    char first[32];
    std::snprintf(first, sizeof first, "first=%#llx",
                  static_cast<unsigned long long>(address));
    EXPECT_EQ(
        asked.set("fault-filter", std::string(first) + ",access=write,event=" + name),
        "");
    EXPECT_EQ(asked.set("fault-action", "stop"), "");
    EXPECT_TRUE(has(asked.get("fault-action"), "\"stop\""));
    // Beside the filter: below the addresses, and a read that is granted.
    EXPECT_EQ(dma.fill(address - 0x1000000, 8, 1), Endpoint::aborted);
    EXPECT_EQ(dma.read(address, 8), Endpoint::done);
    ::usleep(100'000);
    EXPECT_EQ(asked.state(), "running");
    EXPECT_EQ(dma.fill(address, 64, 1), Endpoint::aborted);
    EXPECT_TRUE(asked.reaches("debug"));
    EXPECT_TRUE(has(asked.get("stats"), "\"stops\": 1"));
    asked.go_on();
    EXPECT_TRUE(asked.reaches("running"));
    EXPECT_EQ(asked.set("fault-action", "record"), "");
    EXPECT_EQ(dma.fill(address, 8, 1), Endpoint::aborted);
    ::usleep(100'000);
    EXPECT_EQ(asked.state(), "running");
    EXPECT_TRUE(has(asked.set("fault-action", "explode"),
                    "explode is none of record, stop, off"));
    EXPECT_TRUE(
        has(asked.set("fault-filter", "first=2,last=1"), "first= is above last="));
    EXPECT_TRUE(
        has(asked.set("fault-filter", "event=F_RAIN"), "no event of this device"));
}

void check_errors(Asked asked)
{
    EXPECT_TRUE(has(asked.get("walk"), "sid= is missing"));
    EXPECT_TRUE(has(asked.ask("walk", "sid=00:04.0"), "address= is missing"));
    EXPECT_TRUE(has(asked.ask("walk", "sid=x,address=1"), "is no number"));
    EXPECT_TRUE(
        has(asked.ask("faults", "colour=red"), "no key=value with one of the keys"));
    EXPECT_TRUE(has(asked.ask("tlb-entries", "limit=-1"), "is no number"));
}

class SmmuIntrospect : public smmuv3::Test {
protected:
    Asked asked() { return {*machine, smmuv3::smmu_path}; }
    // One page, read only.
    void read_only_page()
    {
        smmu->enable();
        stage1(smmuv3::Granule::K4, smmuv3::s1_rw | smmuv3::read_only);
    }
};

TEST_F(SmmuIntrospect, FaultsAreKeptDecodedAndCounted)
{
    start();
    read_only_page();
    EXPECT_EQ(dma->fill(smmuv3::iova + 0x10, 64, 1), Endpoint::aborted);
    EXPECT_EQ(dma->read(smmuv3::iova + 0x1000, 4), Endpoint::aborted);
    const auto faults = asked().get("faults");
    EXPECT_TRUE(has(faults, R"("total": 2)")) << faults;
    EXPECT_TRUE(has(faults, R"("count": 2)")) << faults;
    EXPECT_TRUE(has(faults, R"("name": "F_PERMISSION")")) << faults;
    EXPECT_TRUE(has(faults, R"("name": "F_TRANSLATION")")) << faults;
    EXPECT_TRUE(has(faults, R"("address": "0x1234567010")")) << faults;
    EXPECT_TRUE(has(faults, R"("InputAddr": "0x1234567010")")) << faults;
    // Nothing was taken from software by looking.
    EXPECT_EQ(smmu->events_waiting(), 2u);
    EXPECT_TRUE(has(asked().ask("faults", "sid=0x21"), R"("faults": [])"));
    // Refused without an event: STE.Config says abort.
    smmu->set_ste(smmuv3::sid, {1});
    EXPECT_EQ(dma->fill(smmuv3::iova, 4, 1), Endpoint::aborted);
    EXPECT_TRUE(has(asked().ask("faults", "limit=1"), R"("event": null)"));
}

TEST_F(SmmuIntrospect, WalkShowsEveryStepAndTouchesNothing)
{
    start();
    read_only_page();
    const auto told =
        asked().ask("walk", "sid=00:04.0,address=0x1234567010,access=write");
    for (const char* part :
         {R"("structure": "STE")", R"("structure": "CD")",
          R"("structure": "stage 1 descriptor")", R"("result": "refused")",
          R"("name": "F_PERMISSION")", R"("AP": 3)",
          R"("problem": "the access is not permitted")"}) {
        EXPECT_TRUE(has(told, part)) << part << "\n" << told;
    }
    char leaf[64];
    std::snprintf(leaf, sizeof leaf, R"("at": "0x%llx")",
                  static_cast<unsigned long long>(
                      smmu->leaf(table, smmuv3::Granule::K4, smmuv3::iova)));
    EXPECT_TRUE(has(told, leaf)) << leaf << told;
    expect_no_event();
    EXPECT_TRUE(has(asked().get("faults"), R"("total": 0)"));
    const auto monitor =
        machine->hmp(std::string("qom-get ") + smmuv3::smmu_path + " walk");
    EXPECT_TRUE(has(monitor, "F_PERMISSION")) << monitor;
    EXPECT_EQ(machine->hmp(std::string("qom-set ") + smmuv3::smmu_path +
                           " stream-request sid=0x20"),
              "");
    EXPECT_TRUE(has(asked().get("stream"), R"("S1ContextPtr")"));
}

TEST_F(SmmuIntrospect, WalkShowsWhatIsCachedUntilItIsInvalidated)
{
    start();
    read_only_page();
    EXPECT_EQ(dma->read(smmuv3::iova + 8, 8), Endpoint::done);
    const auto question = "sid=00:04.0,address=0x1234567010";
    auto told = asked().ask("walk", question);
    EXPECT_TRUE(has(told, R"("cache": "configuration cache")")) << told;
    EXPECT_TRUE(has(told, R"("cache": "TLB")")) << told;
    EXPECT_TRUE(has(told, R"("stale": false)")) << told;
    // Unmapped, and nobody is told.
    machine->write64(smmu->leaf(table, smmuv3::Granule::K4, smmuv3::iova), 0);
    told = asked().get("walk");
    EXPECT_TRUE(has(told, R"("differs": true)")) << told;
    EXPECT_TRUE(has(told, R"("stale": true)")) << told;
    EXPECT_TRUE(has(told, R"("name": "F_TRANSLATION")")) << told;
    EXPECT_EQ(dma->read(smmuv3::iova + 8, 8), Endpoint::done);  // as it said
    EXPECT_TRUE(smmu->submit_and_sync({smmuv3::tlbi_nh_asid(0, 1)}));
    told = asked().get("walk");
    EXPECT_FALSE(has(told, R"("cache": "TLB")")) << told;
    EXPECT_TRUE(has(told, R"("stale": false)")) << told;
    EXPECT_EQ(dma->read(smmuv3::iova + 8, 8), Endpoint::aborted);
    EXPECT_TRUE(has(asked().ask("walk-interrupt", "sid=0,address=0xfee00000,data=0"),
                    "remaps no interrupts"));
}

TEST_F(SmmuIntrospect, StopsAtAFaultThatMatchesAndGoesOn)
{
    start();
    read_only_page();
    check_stop(asked(), *dma, smmuv3::iova, "F_PERMISSION");
}

TEST_F(SmmuIntrospect, TlbAndQueuesShowWhatIsThere)
{
    start();
    read_only_page();
    EXPECT_EQ(dma->read(smmuv3::iova + 8, 8), Endpoint::done);
    const auto tlb = asked().ask("tlb-entries", "asid=1");
    EXPECT_TRUE(has(tlb, R"("input": "0x1234567000")")) << tlb;
    EXPECT_TRUE(has(tlb, R"("asid": 1)")) << tlb;
    EXPECT_TRUE(has(asked().ask("tlb-entries", "asid=2"), R"("entries": [])"));
    EXPECT_TRUE(smmu->submit_and_sync({smmuv3::tlbi_nh_asid(0, 1)}));
    EXPECT_TRUE(has(asked().ask("tlb-entries", ""), R"("entries": [])"));
    const auto queues = asked().get("queues");
    EXPECT_TRUE(has(queues, R"("name": "CMD_TLBI_NH_ASID")")) << queues;
    EXPECT_TRUE(has(queues, R"("name": "CMD_SYNC")")) << queues;
    EXPECT_TRUE(has(asked().get("stats"), R"("CMD_TLBI_NH_ASID": 1)"))
        << asked().get("stats");
}

TEST_F(SmmuIntrospect, WrongArgumentsAreToldInOneLine)
{
    start();
    check_errors(asked());
    refuse({"-device", "winiommu-smmuv3,fault-action=explode"},
           "none of record, stop, off");
    refuse({"-device", "winiommu-smmuv3,fault-filter=colour=red"}, "no key=value");
}

class VtdIntrospect : public q35::Test {
protected:
    static constexpr std::uint64_t tree = q35::ram + 0x10000, iova = 0x4000'0000;

    void start()
    {
        boot({"-device", "winiommu-vtd,id=unit", "-device", "winiommu-dma,addr=4"});
        ASSERT_NE(machine, nullptr);
        dma = std::make_unique<Endpoint>(*machine, *config, Function{0, 4, 0},
                                         q35::pci_window);
        // Legacy mode, domain 5, four levels; the page at `iova` can only be read.
        const auto put = [&](std::uint64_t at, std::uint64_t v) {
            machine->write64(at, v);
        };
        put(q35::ram, (q35::ram + 0x1000) | 1);
        put(q35::ram + 0x1000 + 0x20 * 16, tree | 1);
        put(q35::ram + 0x1000 + 0x20 * 16 + 8, 0x502);
        put(tree, (tree + 0x1000) | 3);
        put(tree + 0x1008, (tree + 0x2000) | 3);
        put(tree + 0x2000, (tree + 0x3000) | 3);
        put(tree + 0x3000, (q35::ram + 0x100000) | 1);
        machine->write64(q35::unit + 0x20, q35::ram);
        machine->write32(q35::unit + 0x18, 1u << 30);  // SRTP
        machine->write32(q35::unit + 0x18, 1u << 31);  // TE
    }
    Asked asked() { return {*machine, "/machine/peripheral/unit"}; }
    std::unique_ptr<Endpoint> dma;
};

TEST_F(VtdIntrospect, FaultsAreKeptDecodedAndCounted)
{
    start();
    EXPECT_EQ(dma->fill(iova + 0x10, 8, 1), Endpoint::aborted);
    const auto faults = asked().get("faults");
    EXPECT_TRUE(has(faults, R"("total": 1)")) << faults;
    EXPECT_TRUE(has(faults, R"("name": "WriteDenied")")) << faults;
    EXPECT_TRUE(has(faults, R"("FI": "0x40000000")")) << faults;
    EXPECT_TRUE(has(faults, R"("sid": "0x20")")) << faults;
    EXPECT_TRUE(has(asked().get("stats"), R"("WriteDenied": 1)"));
}

TEST_F(VtdIntrospect, WalkAndContextShowTheEntries)
{
    start();
    const auto told = asked().ask("walk", "sid=00:04.0,address=0x40000010,access=write");
    for (const char* part :
         {R"("structure": "root entry")", R"("structure": "context entry")",
          R"("structure": "second-stage entry")", R"("name": "WriteDenied")", R"("W": 0)",
          R"("at": "0x113000")", R"("problem": "the access is not permitted")"}) {
        EXPECT_TRUE(has(told, part)) << part << "\n" << told;
    }
    EXPECT_TRUE(has(asked().get("faults"), R"("total": 0)"));
    EXPECT_EQ(machine->read32(q35::unit + 0x34), 0u);  // FSTS
    EXPECT_TRUE(has(asked().ask("context", "sid=00:04.0"), R"("DID": 5)"));
    EXPECT_TRUE(has(asked().ask("context", "sid=00:05.0"), "ContextEntryNotPresent"));
}

TEST_F(VtdIntrospect, WalkShowsWhatIsCachedUntilItIsInvalidated)
{
    start();
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    auto told = asked().ask("walk", "sid=00:04.0,address=0x40000010");
    EXPECT_TRUE(has(told, R"("cache": "context cache")")) << told;
    EXPECT_TRUE(has(told, R"("cache": "IOTLB")")) << told;
    EXPECT_TRUE(has(told, R"("stale": false)")) << told;
    machine->write64(tree + 0x3000, 0);
    told = asked().get("walk");
    EXPECT_TRUE(has(told, R"("stale": true)")) << told;
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);                // as it said
    machine->write64(q35::unit + 0xf8, 1ull << 63 | 1ull << 60);  // IOTLB_REG: all
    told = asked().get("walk");
    EXPECT_FALSE(has(told, R"("cache": "IOTLB")")) << told;
    EXPECT_TRUE(has(told, R"("stale": false)")) << told;
    EXPECT_EQ(dma->read(iova, 8), Endpoint::aborted);
}

TEST_F(VtdIntrospect, WalkOfAnInterruptShowsItsEntryAndTakesNothing)
{
    start();
    const auto irte = q35::ram + 0x6000;
    machine->write64(q35::unit + 0xb8, irte | 7);             // IRTA: 256 entries
    machine->write32(q35::unit + 0x18, 1u << 31 | 1u << 24);  // SIRTP
    machine->write32(q35::unit + 0x18, 1u << 31 | 1u << 25);  // IRE
    // Entry 5: vector 0x31 to APIC 0, of 00:04.0 alone.
    machine->write64(irte + 0x50, 0x0031'0001);
    machine->write64(irte + 0x58, 0x4'0020);
    auto told = asked().ask("walk-interrupt", "sid=00:04.0,address=0xfee000b0,data=0");
    for (const char* part :
         {R"("structure": "IRTE")", R"("index": 5)", R"("at": "0x106050")",
          R"("raw": ["0x0000000000310001", "0x0000000000040020"])", R"("SVT": 1)",
          R"("valid": true)", R"("result": "remapped")", R"("address": "0xfee00000")",
          R"("Vector": 49)"}) {
        EXPECT_TRUE(has(told, part)) << part << "\n" << told;
    }
    told = asked().ask("walk-interrupt", "sid=00:05.0,address=0xfee000b0,data=0");
    EXPECT_TRUE(has(told, R"("name": "SourceNotValid")")) << told;
    EXPECT_TRUE(has(told, R"("valid": false)")) << told;
    EXPECT_TRUE(has(asked().get("faults"), R"("total": 0)"));
    EXPECT_EQ(machine->read32(q35::unit + 0x34), 0u);  // FSTS
    EXPECT_TRUE(has(asked().ask("walk-interrupt", "sid=0,address=0x1000,data=0"),
                    "is no interrupt's"));
    const auto monitor = machine->hmp("qom-get /machine/peripheral/unit walk-interrupt");
    EXPECT_TRUE(has(monitor, "SourceNotValid")) << monitor;
}

TEST_F(VtdIntrospect, StopsAtAFaultThatMatchesAndGoesOn)
{
    start();
    check_stop(asked(), *dma, iova, "WriteDenied");
}

TEST_F(VtdIntrospect, TlbAndQueuesShowWhatIsThere)
{
    start();
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    const auto tlb = asked().ask("tlb-entries", "domain=5");
    EXPECT_TRUE(has(tlb, R"("input": "0x40000000")")) << tlb;
    EXPECT_TRUE(has(asked().ask("tlb-entries", "domain=6"), R"("entries": [])"));
    machine->write64(q35::ram + 0x4000, 0x50022);  // IOTLB, domain 5
    machine->write64(q35::ram + 0x4010, 0x25 | 7ull << 32);
    machine->write64(q35::ram + 0x4018, q35::ram + 0x5000);
    machine->write64(q35::unit + 0x90, q35::ram + 0x4000);
    machine->write32(q35::unit + 0x18, 1u << 31 | 1u << 26);  // QIE
    machine->write64(q35::unit + 0x88, 32);
    EXPECT_TRUE(has(asked().ask("tlb-entries", ""), R"("entries": [])"));
    const auto queues = asked().get("queues");
    EXPECT_TRUE(has(queues, R"("name": "Iotlb")")) << queues;
    EXPECT_TRUE(has(queues, R"("name": "Wait")")) << queues;
    EXPECT_TRUE(has(asked().get("stats"), R"("Wait": 1)")) << asked().get("stats");
}

TEST_F(VtdIntrospect, WrongArgumentsAreToldInOneLine)
{
    start();
    check_errors(asked());
    refuse({"-device", "winiommu-vtd,fault-action=explode"}, "none of record, stop, off");
}

}  // namespace
