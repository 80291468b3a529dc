// SPDX-License-Identifier: GPL-2.0-or-later
// The VT-d unit against the oracle, over random structures: valid, hostile, and changed
// under it.  ORACLE_CASES and ORACLE_SEED as in smmuv3_property_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "tests/oracle/told.hpp"
#include "tests/oracle/vtd_machine.hpp"
#include "tests/oracle/vtd_oracle.hpp"
#include "tests/oracle/vtd_scenario.hpp"

namespace oracle::vtd {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise)
{
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

struct Tally {
    std::uint64_t compared = 0, passed = 0, silent = 0, wild = 0, told = 0;
    std::uint64_t cached = 0,
                  nested = 0;  // walks told beside caches, through both stages
    std::map<unsigned, std::uint64_t> reasons;
};

std::string text_of(const Access& a)
{
    char line[160];
    std::snprintf(line, sizeof line, "source %#x pasid %s%#x %s %s %s at %#llx", a.source,
                  a.has_pasid ? "" : "none/", a.pasid, a.write ? "write" : "read",
                  a.privileged ? "privileged" : "user", a.execute ? "execute" : "data",
                  static_cast<unsigned long long>(a.address));
    return line;
}

std::string explain(const Answer& a)
{
    std::string text = "oracle: ";
    char line[80];
    std::snprintf(line, sizeof line, "%s %#llx", a.passes ? "passes to" : "refuses",
                  static_cast<unsigned long long>(a.output));
    text += line;
    for (const unsigned r : a.reasons) {
        std::snprintf(line, sizeof line, " reason %#x", r);
        text += line;
    }
    text += a.any_reason ? " (or another)" : "";
    for (const auto& step : a.trail) {
        text += "\n    " + step;
    }
    return text + "\n";
}

unsigned attributes_of(const Access& a)
{
    unsigned attributes = 0;
    attributes |= a.write ? WI_WRITE : 0;
    attributes |= a.privileged ? WI_PRIVILEGED : 0;
    attributes |= a.execute ? WI_INSTRUCTION : 0;
    attributes |= a.has_pasid ? WI_SUBSTREAM : 0;
    return attributes;
}

// VT-d 11.4.7.6: FI, SID, T1, PP, PV, and PRIV and EXE where PP is set.
bool describes(const Machine::Record& r, const Access& a)
{
    const std::uint64_t expected_high =
        a.source | std::uint64_t{!a.write} << 62 | 1ull << 63 |
        (a.has_pasid ? 1ull << 31 | std::uint64_t{a.pasid} << 40 |
                           std::uint64_t{a.privileged} << 29
                     : 0);
    std::uint64_t care = ~(0xffull << 32);
    care &= ~(1ull << 30);  // EXE: of a write it means nothing
    if (!a.has_pasid) {
        care &= ~(1ull << 29);
    }
    return r[0] == (a.address & ~0xfffull) && ((r[1] ^ expected_high) & care) == 0;
}

bool agrees(const Answer& a, const Access& access, bool passed, const WiTranslation& t,
            const std::optional<Machine::Record>& fault)
{
    if (a.passes != passed || (passed && (a.output != t.output || fault))) {
        return false;
    }
    if (passed) {
        return true;
    }
    if (a.reasons.empty() && !a.any_reason) {
        return !fault;
    }
    if (!fault) {
        return a.any_reason && a.reasons.empty();  // muted by FPD
    }
    const unsigned reason = fault->at(1) >> 32 & 0xff;
    return describes(*fault, access) &&
           (a.any_reason ? !a.reasons.empty() && reason >= 0x70 && reason <= 0x91
                         : std::count(a.reasons.begin(), a.reasons.end(), reason) != 0);
}

class Bench {
public:
    Bench(const Features& features, const char* name) : name_(name), features_(features)
    {
        WiVtdConfig config;
        wi_vtd_config_init(&config);
        config.aw_bits = static_cast<std::uint8_t>(features.aw);
        config.snoop_control = features.snoop_control;
        config.pt = features.pass_through;
        config.device_iotlb = features.device_tlb;
        config.scalable_mode = features.scalable;
        config.pasid_bits = static_cast<std::uint8_t>(features.pasid_bits);
        for (const bool tlb : {false, true}) {
            config.tlb = tlb;
            units_[tlb] = std::make_unique<Machine>(arena_, config, tlb ? 1 : 0);
        }
    }
    std::string run(std::uint64_t seed, std::uint64_t except, Tally& tally);
    std::string run_and_shrink(std::uint64_t seed, Tally& tally);

private:
    std::string check(Machine& unit, Oracle& oracle, const Access& access, Rng& rng,
                      Tally& tally);
    std::string check_block(Oracle& oracle, const Access& access, const WiTranslation& t,
                            Rng& rng);
    void invalidate(const Scenario& s, const Change& change, bool pristine, Rng& rng);
    void both(std::uint64_t low, std::uint64_t high)
    {
        units_[0]->invalidate(low, high);
        units_[1]->invalidate(low, high);
    }

    std::string name_;
    Features features_;
    Arena arena_;
    bool in_queues_ = false;
    std::unique_ptr<Machine> units_[2];
};

std::string Bench::check(Machine& unit, Oracle& oracle, const Access& access, Rng& rng,
                         Tally& tally)
{
    in_queues_ = false;
    // First what must come out: the device's A and D updates do not change it.
    auto first = oracle.answer(access);
    const unsigned touched = oracle.touched();
    const auto told = ask_walk(unit.device(), access.source, access.address,
                               attributes_of(access), access.pasid);
    const bool silent = !unit.next_fault();
    WiTranslation t{};
    const bool passed = unit.translate(access.source, access.address,
                                       attributes_of(access), access.pasid, &t);
    const auto fault = unit.next_fault();
    bool wild = first.wild, agreed = agrees(first, access, passed, t, fault);
    for (unsigned c = 1; touched != 0 && c <= AllChoices && !agreed; ++c) {
        const auto other = oracle.answer(access, c);
        if ((c & ~oracle.touched()) == 0) {
            wild |= other.wild;
            agreed |= agrees(other, access, passed, t, fault);
        }
    }
    std::string complaint;
    if (wild || in_queues_) {
        ++tally.wild;
        return {};
    }
    if (!agreed) {
        complaint = "different answers";
    } else if (passed && touched == 0) {
        for (const auto& m : first.marks) {
            if ((arena_.peek(m.at) & m.bits) != m.bits) {
                complaint = "A, D or EA was not set at " + std::to_string(m.at);
            }
        }
        if (complaint.empty()) {
            complaint = check_block(oracle, access, t, rng);
        }
    }
    if (complaint.empty()) {
        complaint = silent ? differs(told, passed, t, fault) : "walk recorded a fault";
        ++tally.told;
        tally.cached += told.has("\"cached\":[");
        tally.nested += told.has("\"depth\":1");
    }
    ++tally.compared;
    tally.passed += first.passes;
    tally.silent += !first.passes && first.reasons.empty();
    if (!first.reasons.empty()) {
        ++tally.reasons[first.reasons[0]];
    }
    if (complaint.empty()) {
        return {};
    }
    char line[200];
    std::snprintf(
        line, sizeof line, "device: %s %#llx mask %#llx r%d w%d fault %016llx %016llx\n",
        passed ? "passes to" : "refuses", static_cast<unsigned long long>(t.output),
        static_cast<unsigned long long>(t.mask), t.read, t.write,
        static_cast<unsigned long long>(fault ? (*fault)[0] : 0),
        static_cast<unsigned long long>(fault ? (*fault)[1] : 0));
    return complaint + "\n" + text_of(access) + "\n" + line +
           explain(oracle.answer(access)) + "walk: " + told.text + "\n";
}

std::string Bench::check_block(Oracle& oracle, const Access& access,
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
        other.execute = access.execute && !access.write;  // means nothing in a write
        const auto a = oracle.answer(other);
        const std::uint64_t output = (t.output & ~t.mask) | (other.address & t.mask);
        if (oracle.touched() == 0 && !a.wild && (!a.passes || a.output != output)) {
            return "the block claims too much: " + text_of(other) + "\n" + explain(a);
        }
    }
    return {};
}

// VT-d 6.5.3: what each change of a structure calls for.
void Bench::invalidate(const Scenario& s, const Change& change, bool pristine, Rng& rng)
{
    const Place& p = change.place;
    const bool leaf = p.level != 0 && (p.level == 1 || (change.before & 0x80) != 0);
    const std::uint64_t domain = std::uint64_t{s.domain(p.space)} << 16;
    const std::uint64_t pasid = std::uint64_t{s.pasid(p.space)} << 32;
    const std::uint64_t page = p.input & ~0xfffull;
    const bool legacy = !features_.scalable;
    if (!pristine || p.word < Word::First) {
        units_[0]->invalidate_everything();
        units_[1]->invalidate_everything();
    } else if (p.word == Word::Second) {
        const bool selective = leaf && !s.nested(p.space) && chance(rng, 70);
        // AM: 2^AM pages from the aligned address.
        const std::uint64_t am = std::min<std::uint64_t>(
            18, 9 * static_cast<unsigned>(std::max(p.level - 1, 0)) + rng() % 3);  // MAMV
        const std::uint64_t at = p.input & ~((0x1000ull << am) - 1);
        const std::uint64_t ih =
            leaf && (change.after & 3) == 0 && rng() % 2 ? 1u << 6 : 0;
        if (selective) {
            both(0x2 | 3u << 4 | domain, at | am | ih);
        } else {
            both(0x2 | 2u << 4 | domain, 0);
        }
        if (!legacy && s.nested(p.space)) {
            both(0x6 | 2u << 4 | domain | pasid,
                 0);  // and what the first stage made of it
        }
    } else if (leaf && chance(rng, 70)) {
        const std::uint64_t am = std::min<std::uint64_t>(
            18, 9 * static_cast<unsigned>(p.level - 1) + rng() % 2);
        both(0x6 | 3u << 4 | domain | pasid, (page & ~((0x1000ull << am) - 1)) | am);
    } else {
        both(0x6 | 2u << 4 | domain | pasid, 0);
    }
}

std::string Bench::run(std::uint64_t seed, std::uint64_t except, Tally& tally)
{
    Scenario s(arena_, features_, seed);
    Rng rng(seed ^ 0x5eed);
    const unsigned damages = chance(rng, 60) ? 0 : static_cast<unsigned>(pick(rng, 1, 3));
    s.damage(damages, except);
    Oracle oracle(features_, s.root(), [this](std::uint64_t at, std::uint64_t& v) {
        in_queues_ |=
            at - Arena::base < Arena::queues || at - Arena::base >= Arena::ram_size - 8;
        return arena_.read(at, &v, 8);
    });
    for (auto& unit : units_) {
        unit->set_root_table(s.root());
    }
    bool pristine = damages == 0;
    for (unsigned round = 0; round < 3; ++round) {
        for (unsigned i = 0; i < 10; ++i) {
            const Access access = s.random_access();
            const bool swapped = rng() & 1;
            for (const bool other : {false, true}) {
                const bool tlb = other != swapped;
                const auto complaint = check(*units_[tlb], oracle, access, rng, tally);
                if (!complaint.empty()) {
                    return name_ + (tlb ? ", tlb=on" : ", tlb=off") + ", round " +
                           std::to_string(round) + ": " + complaint + s.describe();
                }
            }
        }
        const auto change = s.mutate();
        invalidate(s, change, pristine, rng);
        pristine = false;
        for (auto& unit : units_) {
            if (unit->queue_failed()) {
                return "an invalidation was refused\n";
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
    Features features;
};

class VtdOracleTest : public testing::TestWithParam<Variant> {};

TEST_P(VtdOracleTest, DeviceAgreesOverRandomStructures)
{
    const std::uint64_t wanted = from_environment("ORACLE_CASES", 120000) / 5 + 1;
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
    for (const auto& [reason, count] : tally.reasons) {
        std::printf(" %02x:%llu", reason, static_cast<unsigned long long>(count));
    }
    std::printf("\n");
    EXPECT_GT(tally.passed * 8, tally.compared);
    EXPECT_GE(tally.told, wanted) << "walk was hardly asked";
    EXPECT_GT(tally.cached * 10, tally.told) << "walk found hardly anything cached";
    if (GetParam().features.scalable) {
        EXPECT_GT(tally.nested * 50, tally.told)
            << "walk was hardly asked of both stages";
    }
    std::printf("walk: %llu told, %llu beside caches, %llu nested\n",
                static_cast<unsigned long long>(tally.told),
                static_cast<unsigned long long>(tally.cached),
                static_cast<unsigned long long>(tally.nested));
    if (wanted > 5000) {
        EXPECT_GT(tally.reasons.size(), 7u) << "the generator reaches too few faults";
    }
}

INSTANTIATE_TEST_SUITE_P(
    Vtd, VtdOracleTest,
    testing::Values(Variant{"legacy48", {48, true, true, false, false, 0}},
                    Variant{"legacy39-nosc", {39, false, false, false, false, 0}},
                    Variant{"legacy57-dt", {57, true, true, true, false, 0}},
                    Variant{"scalable48", {48, true, true, false, true, 20}},
                    Variant{"scalable57", {57, true, true, false, true, 16}}),
    [](const auto& variant) {
        std::string name = variant.param.name;
        for (char& c : name) {
            c = c == '-' ? '_' : c;
        }
        return name;
    });

}  // namespace
}  // namespace oracle::vtd
