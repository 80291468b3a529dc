// SPDX-License-Identifier: GPL-2.0-or-later
// The SMMUv3 against its oracle.  ORACLE_CASES and ORACLE_SEED: property.hpp.
#include "tests/oracle/property.hpp"
#include "tests/oracle/smmuv3_machine.hpp"
#include "tests/oracle/smmuv3_oracle.hpp"
#include "tests/oracle/smmuv3_scenario.hpp"
#include "tests/oracle/words.hpp"

namespace oracle {
namespace {

struct SmmuKind {
    using Config = WiSmmuv3Config;
    using Features = SmmuFeatures;
    using Machine = SmmuMachine;
    using Scenario = SmmuScenario;
    using Change = oracle::Change;
    using Oracle = SmmuOracle;
    using Access = oracle::Access;
    using Answer = SmmuAnswer;
    static constexpr unsigned all_choices = AllChoices;
};

WiSmmuv3Config config_of(const SmmuFeatures& features)
{
    WiSmmuv3Config config;
    wi_smmuv3_config_init(&config);
    config.ssid_bits = static_cast<std::uint8_t>(features.ssid_bits);
    config.oas_bits = static_cast<std::uint8_t>(features.oas);
    config.stage1 = features.stage1;
    config.stage2 = features.stage2;
    return config;
}

class SmmuBench final : public Bench<SmmuKind> {
public:
    explicit SmmuBench(const Variant<SmmuFeatures>& v)
        : Bench(v.name, v.features, config_of(v.features))
    {
    }

private:
    Request request_of(const Access& a) const override;
    bool agrees(const Answer& a, const Access&, const Seen& seen) const override;
    std::string expected(const Answer& a) const override
    {
        return !a.event ? ""
                        : "\n  event " + text_of(a.event->bits.data(), 4) + "\n  care  " +
                              text_of(a.event->care.data(), 4);
    }
    std::optional<unsigned> number_of(const Answer& a) const override
    {
        return a.event ? std::optional(static_cast<unsigned>(a.event->bits[0] & 0xff))
                       : std::nullopt;
    }
    std::string broken(Machine& device, const Seen& seen) override;
    Access within(const Access& access, std::uint64_t address, bool write) const override
    {
        Access other = access;
        other.address = address;
        other.write = write;
        return other;
    }
    Oracle oracle_of(const Scenario& s) override
    {
        return {features_, s.registers(), reader()};
    }
    void point(Machine& device, const Scenario& s) override
    {
        device.set_stream_table(s.registers().strtab_base, s.registers().strtab_cfg);
    }
    bool fixed(const Scenario& s) const override { return s.contiguous(); }
    bool cache_unknown(const Scenario& s) const override { return s.ambiguous_tags(); }
    void invalidate(const Scenario& s, const Change& change, bool pristine,
                    Rng& rng) override;
    void invalidate_stage1(const Scenario& s, const Change& change, Rng& rng);
    void invalidate_stage2(const Scenario& s, const Change& change, Rng& rng);
    void command(std::uint64_t low, std::uint64_t high)
    {
        each([=](Machine& device) { device.command(low, high); });
    }
};

Request SmmuBench::request_of(const Access& a) const
{
    const unsigned who =
        (a.privileged ? WI_PRIVILEGED : 0) | (a.has_substream ? WI_SUBSTREAM : 0);
    const unsigned what = (a.write ? WI_WRITE : 0) | (a.instruction ? WI_INSTRUCTION : 0);
    return {a.stream, a.address, who | what, a.substream};
}

bool SmmuBench::agrees(const Answer& a, const Access&, const Seen& seen) const
{
    const auto& event = seen.record;
    if (a.passes != seen.passed || (seen.passed && a.output != seen.t.output) ||
        a.event.has_value() != event.has_value()) {
        return false;
    }
    for (unsigned i = 0; event && i < 4; ++i) {
        if (((*event)[i] ^ a.event->bits[i]) & a.event->care[i]) {
            return false;
        }
    }
    return true;
}

std::string SmmuBench::broken(Machine& device, const Seen& seen)
{
    if (device.next_record()) {
        return "two events for one access";
    }
    return seen.passed && seen.t.output >> features_.oas != 0
               ? "output beyond the output address size"
               : "";
}

// --- Invalidation, as the manual requires after each kind of change: SMMU 3.21, 4.3, 4.4
// --

void SmmuBench::invalidate_stage1(const SmmuScenario& s, const Change& change, Rng& rng)
{
    const Place& p = change.place;
    const std::uint64_t vmid = std::uint64_t{s.vmid()} << 32;
    const std::uint64_t asid = std::uint64_t{s.asid(p.context)} << 48;
    const std::uint64_t page = ~low(12);
    const bool was_table = (change.before & 3) == 3 && p.level != 3;
    const bool is_table = (change.after & 3) == 3 && p.level != 3;
    const std::uint64_t leaf = was_table || is_table ? 0 : rng() & 1;
    unsigned way = static_cast<unsigned>(rng() % (was_table || p.level < 0 ? 4 : 8));
    if (way == 2 && !features_.stage2) {
        way = 0;  // S12_VMALL is ILLEGAL without stage 2
    }
    const std::uint64_t ttl = chance(rng, 50) ? std::uint64_t(p.level & 3) << 8 : 0;
    const std::uint64_t tg = (p.granule == 12   ? 1ull
                              : p.granule == 14 ? 2ull
                                                : 3ull)
                             << 10;
    switch (way) {
    case 0:
        command(0x10 | vmid, 0);
        break;  // CMD_TLBI_NH_ALL
    case 1:
        command(0x11 | vmid | asid, 0);
        break;  // CMD_TLBI_NH_ASID
    case 2:
        command(0x28 | vmid, 0);
        break;  // CMD_TLBI_S12_VMALL
    case 3:
        command(0x30, 0);
        break;  // CMD_TLBI_NSNH_ALL
    case 4:
        command(0x12 | vmid | asid, (p.input & page) | leaf);
        break;  // NH_VA
    case 5:
        command(0x13 | vmid, (p.input & page) | leaf);
        break;  // NH_VAA
    default: {  // the same two as ranges: NUM, SCALE, TG, TTL
        const std::uint64_t scale = rng() % 4,
                            num = pick(rng, 1, 31);  // TG alone is ILLEGAL
        const std::uint64_t granules = (num + 1) << scale;
        const std::uint64_t start =
            (p.input & ~low(p.granule)) - ((rng() % granules) << p.granule);
        const bool inside = (start ^ p.input) >> 55 == 0;  // no wrap between the halves
        const std::uint64_t from = inside ? start : p.input & ~low(p.granule);
        command((way == 6 ? 0x12 | asid : 0x13) | vmid | num << 12 | scale << 20,
                from | tg | ttl | leaf);
    }
    }
}

void SmmuBench::invalidate_stage2(const SmmuScenario& s, const Change& change, Rng& rng)
{
    const Place& p = change.place;
    const std::uint64_t vmid = std::uint64_t{s.vmid()} << 32;
    const bool was_table = (change.before & 3) == 3 && p.level != 3;
    const bool is_table = (change.after & 3) == 3 && p.level != 3;
    const std::uint64_t leaf = was_table || is_table ? 0 : rng() & 1;
    if (was_table || p.level < 0 || chance(rng, 30)) {
        command(chance(rng, 50) ? 0x30 : 0x28 | vmid, 0);
        return;
    }
    if (chance(rng, 50)) {
        command(0x2a | vmid, (p.input & ~low(12)) | leaf);  // CMD_TLBI_S2_IPA
    } else {
        const std::uint64_t num = pick(rng, 1, 31);
        const std::uint64_t tg = p.granule == 12 ? 1 : p.granule == 14 ? 2 : 3;
        const std::uint64_t back = (rng() % (num + 1)) << p.granule;
        const std::uint64_t at = p.input & ~low(p.granule);
        command(0x2a | vmid | num << 12, (at >= back ? at - back : at) | tg << 10 | leaf);
    }
    if (s.nested()) {
        command(0x10 | vmid, 0);  // stage 1 entries combine both stages: 4.4.3
    }
}

void SmmuBench::invalidate(const SmmuScenario& s, const Change& change, bool pristine,
                           Rng& rng)
{
    const Place& p = change.place;
    if (!pristine || p.word == Word::Ste || p.word == Word::StreamTable) {
        if (pristine && p.word == Word::Ste) {
            command(0x03 | std::uint64_t{s.stream()} << 32, 1);  // CMD_CFGI_STE, leaf
        } else if (pristine && chance(rng, 50)) {
            command(0x03 | std::uint64_t{s.stream()} << 32, 0);
        } else {
            command(0x04, 31);  // CMD_CFGI_ALL
        }
        command(0x30, 0);
    } else if (p.word == Word::Cd || p.word == Word::CdTable) {
        const std::uint64_t who =
            std::uint64_t{s.stream()} << 32 | std::uint64_t{s.substream(p.context)} << 12;
        if (chance(rng, 50) && p.word == Word::Cd) {
            command(0x05 | who, 1);  // CMD_CFGI_CD, leaf
        } else {
            command(0x06 | std::uint64_t{s.stream()} << 32, 0);  // CMD_CFGI_CD_ALL
        }
        command(0x10 | std::uint64_t{s.vmid()} << 32, 0);
    } else if (p.word == Word::Stage1) {
        invalidate_stage1(s, change, rng);
    } else {
        invalidate_stage2(s, change, rng);
        if (s.nested()) {
            command(0x03 | std::uint64_t{s.stream()} << 32,
                    1);  // CDs came through stage 2
        }
    }
    command(0x46, 0);  // CMD_SYNC
}

class SmmuOracleTest : public testing::TestWithParam<Variant<SmmuFeatures>> {};

const Variant<SmmuFeatures> variants[] = {
    {"ssid8-oas48", {8, 48, true, true}},   {"ssid0-oas44", {0, 44, true, true}},
    {"ssid20-oas40", {20, 40, true, true}}, {"ssid8-oas32", {8, 32, true, true}},
    {"stage1-only", {8, 48, true, false}},  {"stage2-only", {8, 48, false, true}},
};

TEST_P(SmmuOracleTest, DeviceAgreesOverRandomTables)
{
    const auto tally = SmmuBench(GetParam()).compare(std::size(variants));
    if (GetParam().features.stage1 && GetParam().features.stage2) {
        EXPECT_GT(tally.nested * 50, tally.told)
            << "walk was hardly asked of both stages";
    }
    if (tally.wanted > 5000) {
        for (const unsigned number : {0x02u, 0x04u, 0x08u, 0x10u, 0x11u, 0x12u, 0x13u}) {
            EXPECT_GT(tally.seen(number), 10u)
                << "event " << number << " was hardly seen";
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Smmu, SmmuOracleTest, testing::ValuesIn(variants),
                         [](const auto& v) { return test_name(v.param.name); });

}  // namespace
}  // namespace oracle
