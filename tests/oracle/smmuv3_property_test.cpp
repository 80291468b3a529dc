// SPDX-License-Identifier: GPL-2.0-or-later
// The device against the oracle, over random tables: valid, hostile, and changed under
// it.
//
//   ORACLE_CASES=n   accesses to compare (default 120000)
//   ORACLE_SEED=n    first seed (default fixed; each mismatch prints its own)
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "tests/oracle/smmuv3_machine.hpp"
#include "tests/oracle/smmuv3_oracle.hpp"
#include "tests/oracle/smmuv3_scenario.hpp"
#include "tests/oracle/told.hpp"

namespace oracle {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise)
{
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

constexpr std::uint64_t low_bits(unsigned n)
{
    return (1ull << n) - 1;
}

// What was seen, so that a test that has become blind fails.
struct Tally {
    std::uint64_t compared = 0, passed = 0, silent = 0, wild = 0, told = 0;
    std::map<unsigned, std::uint64_t> events;
};

std::string text_of(const SmmuMachine::Record& r)
{
    char line[100];
    std::snprintf(
        line, sizeof line, "%016llx %016llx %016llx %016llx",
        static_cast<unsigned long long>(r[0]), static_cast<unsigned long long>(r[1]),
        static_cast<unsigned long long>(r[2]), static_cast<unsigned long long>(r[3]));
    return line;
}

std::string text_of(const Access& a)
{
    char line[160];
    std::snprintf(line, sizeof line, "stream %#x substream %s%#x %s %s %s at %#llx",
                  a.stream, a.has_substream ? "" : "none/", a.substream,
                  a.write ? "write" : "read", a.privileged ? "privileged" : "user",
                  a.instruction ? "instruction" : "data",
                  static_cast<unsigned long long>(a.address));
    return line;
}

unsigned attributes_of(const Access& a)
{
    unsigned attributes = 0;
    attributes |= a.write ? WI_WRITE : 0;
    attributes |= a.privileged ? WI_PRIVILEGED : 0;
    attributes |= a.instruction ? WI_INSTRUCTION : 0;
    attributes |= a.has_substream ? WI_SUBSTREAM : 0;
    return attributes;
}

class Bench {
public:
    Bench(const SmmuFeatures& features, const char* name)
        : name_(name), features_(features)
    {
        WiSmmuv3Config config;
        wi_smmuv3_config_init(&config);
        config.ssid_bits = static_cast<std::uint8_t>(features.ssid_bits);
        config.oas_bits = static_cast<std::uint8_t>(features.oas);
        config.stage1 = features.stage1;
        config.stage2 = features.stage2;
        for (const bool tlb : {false, true}) {
            config.tlb = tlb;
            devices_[tlb] = std::make_unique<SmmuMachine>(arena_, config, tlb ? 1 : 0);
        }
    }

    // Empty when device and oracle agree over everything the seed leads to.
    std::string run(std::uint64_t seed, std::uint64_t except, Tally& tally);
    // As run, then without every damage that does not matter.
    std::string run_and_shrink(std::uint64_t seed, Tally& tally);

private:
    std::string check(SmmuMachine& device, SmmuOracle& oracle, const Access& access,
                      Rng& rng, Tally& tally);
    std::string check_block(SmmuOracle& oracle, const Access& access,
                            const WiTranslation& t, Rng& rng);
    void invalidate(const SmmuScenario& s, const Change& change, bool pristine, Rng& rng);
    void command(std::uint64_t low, std::uint64_t high)
    {
        devices_[0]->command(low, high);
        devices_[1]->command(low, high);
    }
    void invalidate_stage1(const SmmuScenario& s, const Change& change, Rng& rng);
    void invalidate_stage2(const SmmuScenario& s, const Change& change, Rng& rng);

    std::string name_;
    SmmuFeatures features_;
    Arena arena_;
    bool in_queues_ = false;
    std::unique_ptr<SmmuMachine> devices_[2];
};

bool agrees(const SmmuAnswer& a, bool passed, const WiTranslation& t,
            const std::optional<SmmuMachine::Record>& event)
{
    if (a.passes != passed || (passed && a.output != t.output) ||
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

std::string explain(const SmmuAnswer& a)
{
    std::string text = "oracle: ";
    char line[60];
    std::snprintf(line, sizeof line, "%s %#llx", a.passes ? "passes to" : "refuses",
                  static_cast<unsigned long long>(a.output));
    text += line;
    if (a.event) {
        text +=
            "\n  event " + text_of(a.event->bits) + "\n  care  " + text_of(a.event->care);
    }
    for (const auto& step : a.trail) {
        text += "\n    " + step;
    }
    return text + "\n";
}

std::string Bench::check(SmmuMachine& device, SmmuOracle& oracle, const Access& access,
                         Rng& rng, Tally& tally)
{
    const auto told = ask_walk(device.device(), access.stream, access.address,
                               attributes_of(access), access.substream);
    const bool silent = !device.next_event();
    WiTranslation t{};
    const bool passed = device.translate(access.stream, access.address,
                                         attributes_of(access), access.substream, &t);
    const auto event = device.next_event();
    const bool second = device.next_event().has_value();
    in_queues_ = false;
    auto first = oracle.answer(access);
    const unsigned touched = oracle.touched();
    bool wild = first.wild, agreed = agrees(first, passed, t, event);
    for (unsigned choices = 1; touched != 0 && choices <= AllChoices && !agreed;
         ++choices) {
        const auto other = oracle.answer(access, choices);
        if ((choices & ~oracle.touched()) == 0) {
            wild |= other.wild;
            agreed |= agrees(other, passed, t, event);
        }
    }
    std::string complaint;
    if (second) {
        complaint = "two events for one access";
    } else if (passed && (t.output >> features_.oas) != 0) {
        complaint = "output beyond the output address size";
    } else if (wild || in_queues_) {
        ++tally.wild;
        return {};
    } else if (!agreed) {
        complaint = "different answers";
    } else if (passed && touched == 0) {
        complaint = check_block(oracle, access, t, rng);
    }
    if (complaint.empty() && !wild) {
        complaint = silent ? differs(told, passed, t, event) : "walk recorded an event";
        ++tally.told;
    }
    ++tally.compared;
    tally.passed += first.passes;
    tally.silent += !first.passes && !first.event;
    if (first.event) {
        ++tally.events[static_cast<unsigned>(first.event->bits[0] & 0xff)];
    }
    if (complaint.empty()) {
        return {};
    }
    char line[120];
    std::snprintf(line, sizeof line, "device: %s %#llx mask %#llx r%d w%d\n",
                  passed ? "passes to" : "refuses",
                  static_cast<unsigned long long>(t.output),
                  static_cast<unsigned long long>(t.mask), t.read, t.write);
    return complaint + "\n" + text_of(access) + "\n" + line +
           (event ? "  event " + text_of(*event) + "\n" : std::string()) +
           explain(oracle.answer(access)) + "walk: " + told.text + "\n";
}

// What the device says of the block around an address must hold all over it.
std::string Bench::check_block(SmmuOracle& oracle, const Access& access,
                               const WiTranslation& t, Rng& rng)
{
    if ((t.mask & (t.mask + 1)) != 0) {
        return "the mask is not a block";
    }
    if (access.write ? !t.write : !t.read) {
        return "passes, but not with the permission asked for";
    }
    Access other = access;
    other.address = (access.address & ~t.mask) | (rng() & t.mask);
    for (const bool write : {false, true}) {
        if (write ? !t.write : !t.read) {
            continue;
        }
        other.write = write;
        const auto a = oracle.answer(other);
        const std::uint64_t output = (t.output & ~t.mask) | (other.address & t.mask);
        if (oracle.touched() == 0 && !a.wild && (!a.passes || a.output != output)) {
            return "the block claims too much: " + text_of(other) + "\n" + explain(a);
        }
    }
    return {};
}

// --- Invalidation, as the manual requires after each kind of change: SMMU 3.21, 4.3, 4.4
// --

void Bench::invalidate_stage1(const SmmuScenario& s, const Change& change, Rng& rng)
{
    const Place& p = change.place;
    const std::uint64_t vmid = std::uint64_t{s.vmid()} << 32;
    const std::uint64_t asid = std::uint64_t{s.asid(p.context)} << 48;
    const std::uint64_t page = ~low_bits(12);
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
            (p.input & ~low_bits(p.granule)) - ((rng() % granules) << p.granule);
        const bool inside = (start ^ p.input) >> 55 == 0;  // no wrap between the halves
        const std::uint64_t from = inside ? start : p.input & ~low_bits(p.granule);
        command((way == 6 ? 0x12 | asid : 0x13) | vmid | num << 12 | scale << 20,
                from | tg | ttl | leaf);
    }
    }
}

void Bench::invalidate_stage2(const SmmuScenario& s, const Change& change, Rng& rng)
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
        command(0x2a | vmid, (p.input & ~low_bits(12)) | leaf);  // CMD_TLBI_S2_IPA
    } else {
        const std::uint64_t num = pick(rng, 1, 31);
        const std::uint64_t tg = p.granule == 12 ? 1 : p.granule == 14 ? 2 : 3;
        const std::uint64_t back = (rng() % (num + 1)) << p.granule;
        const std::uint64_t at = p.input & ~low_bits(p.granule);
        command(0x2a | vmid | num << 12, (at >= back ? at - back : at) | tg << 10 | leaf);
    }
    if (s.nested()) {
        command(0x10 | vmid, 0);  // stage 1 entries combine both stages: 4.4.3
    }
}

void Bench::invalidate(const SmmuScenario& s, const Change& change, bool pristine,
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

// --- The runs
// -----------------------------------------------------------------------------

std::string Bench::run(std::uint64_t seed, std::uint64_t except, Tally& tally)
{
    SmmuScenario s(arena_, features_, seed);
    Rng rng(seed ^ 0x5eed);
    const unsigned damages =
        s.contiguous() || chance(rng, 60) ? 0 : static_cast<unsigned>(pick(rng, 1, 3));
    s.damage(damages, except);
    SmmuRegisters registers = s.registers();
    SmmuOracle oracle(features_, registers, [this](std::uint64_t at, std::uint64_t& v) {
        // Tables that overlap the queues change while we look.
        in_queues_ |= at - Arena::base < Arena::queues;
        return arena_.read(at, &v, 8);
    });
    for (auto& device : devices_) {
        device->set_stream_table(registers.strtab_base, registers.strtab_cfg);
    }
    bool pristine = damages == 0;
    for (unsigned round = 0; round < 3; ++round) {
        for (unsigned i = 0; i < 10; ++i) {
            const Access access = s.random_access();
            for (const bool tlb : {false, true}) {
                if (tlb && s.ambiguous_tags()) {
                    continue;
                }
                auto complaint = check(*devices_[tlb], oracle, access, rng, tally);
                if (!complaint.empty()) {
                    return std::string(name_) + (tlb ? ", tlb=on" : ", tlb=off") +
                           ", round " + std::to_string(round) + ": " + complaint +
                           s.describe();
                }
            }
        }
        if (s.contiguous()) {
            break;
        }
        const auto change = s.mutate();
        invalidate(s, change, pristine, rng);
        pristine = false;
        for (auto& device : devices_) {
            if (const unsigned error = device->command_error(); error != 0) {
                return "an invalidation was refused, error " + std::to_string(error) +
                       "\n";
            }
        }
    }
    return {};
}

std::string Bench::run_and_shrink(std::uint64_t seed, Tally& tally)
{
    auto complaint = run(seed, 0, tally);
    if (complaint.empty()) {
        return {};
    }
    std::uint64_t except = 0;
    for (unsigned i = 0; i < 3; ++i) {
        Tally ignored;
        const auto smaller = run(seed, except | 1u << i, ignored);
        if (!smaller.empty()) {
            except |= 1u << i;
            complaint = smaller;
        }
    }
    return "seed " + std::to_string(seed) + ", without damages " +
           std::to_string(except) + ", " + complaint;
}

struct Variant {
    const char* name;
    SmmuFeatures features;
};

class SmmuOracleTest : public testing::TestWithParam<Variant> {};

TEST_P(SmmuOracleTest, DeviceAgreesOverRandomTables)
{
    const auto variants = 6u;
    const std::uint64_t wanted = from_environment("ORACLE_CASES", 120000) / variants + 1;
    std::uint64_t seed = from_environment("ORACLE_SEED", 20240229);
    const auto first_seed = seed;
    Bench bench(GetParam().features, GetParam().name);
    Tally tally;
    unsigned complaints = 0;
    for (; tally.compared < wanted && complaints < 3; ++seed) {
        const auto complaint = bench.run_and_shrink(seed, tally);
        if (!complaint.empty()) {
            ++complaints;
            ADD_FAILURE() << complaint;
        }
    }
    std::printf(
        "%s: seeds %llu..%llu, %llu compared (%llu passed, %llu silent, %llu left "
        "open by the manual)",
        GetParam().name, static_cast<unsigned long long>(first_seed),
        static_cast<unsigned long long>(seed - 1),
        static_cast<unsigned long long>(tally.compared),
        static_cast<unsigned long long>(tally.passed),
        static_cast<unsigned long long>(tally.silent),
        static_cast<unsigned long long>(tally.wild));
    for (const auto& [number, count] : tally.events) {
        std::printf(" %02x:%llu", number, static_cast<unsigned long long>(count));
    }
    std::printf("\n");
    // A generator that no longer reaches what it is for is a broken test.
    EXPECT_GT(tally.passed * 8, tally.compared);
    EXPECT_GE(tally.told, wanted) << "walk was hardly asked";
    if (wanted > 5000) {
        for (const unsigned number : {0x02u, 0x04u, 0x08u, 0x10u, 0x11u, 0x12u, 0x13u}) {
            EXPECT_GT(tally.events[number], 10u)
                << "event " << number << " was hardly seen";
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Smmu, SmmuOracleTest,
                         testing::Values(Variant{"ssid8-oas48", {8, 48, true, true}},
                                         Variant{"ssid0-oas44", {0, 44, true, true}},
                                         Variant{"ssid20-oas40", {20, 40, true, true}},
                                         Variant{"ssid8-oas32", {8, 32, true, true}},
                                         Variant{"stage1-only", {8, 48, true, false}},
                                         Variant{"stage2-only", {8, 48, false, true}}),
                         [](const auto& variant) {
                             std::string name = variant.param.name;
                             for (char& c : name) {
                                 c = c == '-' ? '_' : c;
                             }
                             return name;
                         });

}  // namespace
}  // namespace oracle
