// SPDX-License-Identifier: GPL-2.0-or-later
// The VT-d unit against its oracle.  ORACLE_CASES and ORACLE_SEED: property.hpp.
#include "tests/oracle/property.hpp"

#include <algorithm>

#include "tests/oracle/vtd_machine.hpp"
#include "tests/oracle/vtd_oracle.hpp"
#include "tests/oracle/vtd_scenario.hpp"

namespace oracle::vtd {
namespace {

struct VtdKind {
    using Config = WiVtdConfig;
    using Features = vtd::Features;
    using Machine = vtd::Machine;
    using Scenario = vtd::Scenario;
    using Change = vtd::Change;
    using Oracle = vtd::Oracle;
    using Access = vtd::Access;
    using Answer = vtd::Answer;
    static constexpr unsigned all_choices = AllChoices;
};

WiVtdConfig config_of(const Features& features)
{
    WiVtdConfig config;
    wi_vtd_config_init(&config);
    config.aw_bits = static_cast<std::uint8_t>(features.aw);
    config.snoop_control = features.snoop_control;
    config.pt = features.pass_through;
    config.device_iotlb = features.device_tlb;
    config.scalable_mode = features.scalable;
    config.pasid_bits = static_cast<std::uint8_t>(features.pasid_bits);
    return config;
}

class VtdBench final : public Bench<VtdKind> {
public:
    explicit VtdBench(const Variant<Features>& v)
        : Bench(v.name, v.features, config_of(v.features))
    {
    }

private:
    Request request_of(const Access& a) const override;
    bool agrees(const Answer& a, const Access& access, const Seen& seen) const override;
    std::string expected(const Answer& a) const override;
    std::optional<unsigned> number_of(const Answer& a) const override
    {
        return a.reasons.empty() ? std::nullopt : std::optional(a.reasons[0]);
    }
    std::string unmarked(const Answer& a) override;
    Access within(const Access& access, std::uint64_t address, bool write) const override
    {
        Access other = access;
        other.address = address;
        other.write = write;
        other.execute = access.execute && !access.write;  // means nothing in a write
        return other;
    }
    Oracle oracle_of(const Scenario& s) override
    {
        return {features_, s.root(), reader()};
    }
    void point(Machine& unit, const Scenario& s) override
    {
        unit.set_root_table(s.root());
    }
    bool changes_by_itself(std::uint64_t at) const override
    {
        return Bench::changes_by_itself(at) || at - Arena::base >= Arena::ram_size - 8;
    }
    // Whichever answers first sets A and D for the other.
    bool tlb_first(Rng& rng) override { return rng() & 1; }
    void invalidate(const Scenario& s, const Change& change, bool pristine,
                    Rng& rng) override;
    void both(std::uint64_t low, std::uint64_t high)
    {
        each([=](Machine& unit) { unit.invalidate(low, high); });
    }
};

Request VtdBench::request_of(const Access& a) const
{
    const unsigned who =
        (a.privileged ? WI_PRIVILEGED : 0) | (a.has_pasid ? WI_SUBSTREAM : 0);
    const unsigned what = (a.write ? WI_WRITE : 0) | (a.execute ? WI_INSTRUCTION : 0);
    return {a.source, a.address, who | what, a.pasid};
}

std::string VtdBench::expected(const Answer& a) const
{
    std::string text;
    for (const unsigned r : a.reasons) {
        char line[40];
        std::snprintf(line, sizeof line, " reason %#x", r);
        text += line;
    }
    return text + (a.any_reason ? " (or another)" : "");
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

bool VtdBench::agrees(const Answer& a, const Access& access, const Seen& seen) const
{
    const auto& fault = seen.record;
    if (a.passes != seen.passed ||
        (seen.passed && (a.output != seen.t.output || fault))) {
        return false;
    }
    if (seen.passed) {
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

std::string VtdBench::unmarked(const Answer& a)
{
    for (const auto& m : a.marks) {
        if ((arena_.peek(m.at) & m.bits) != m.bits) {
            return "A, D or EA was not set at " + std::to_string(m.at);
        }
    }
    return {};
}

// VT-d 6.5.3: what each change of a structure calls for.
void VtdBench::invalidate(const Scenario& s, const Change& change, bool pristine,
                          Rng& rng)
{
    const Place& p = change.place;
    const bool leaf = p.level != 0 && (p.level == 1 || (change.before & 0x80) != 0);
    const std::uint64_t domain = std::uint64_t{s.domain(p.space)} << 16;
    const std::uint64_t pasid = std::uint64_t{s.pasid(p.space)} << 32;
    const std::uint64_t page = p.input & ~0xfffull;
    const bool legacy = !features_.scalable;
    if (!pristine || p.word < Word::First) {
        each([](Machine& unit) { unit.invalidate_everything(); });
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

class VtdOracleTest : public testing::TestWithParam<Variant<Features>> {};

const Variant<Features> variants[] = {
    {"legacy48", {48, true, true, false, false, 0}},
    {"legacy39-nosc", {39, false, false, false, false, 0}},
    {"legacy57-dt", {57, true, true, true, false, 0}},
    {"scalable48", {48, true, true, false, true, 20}},
    {"scalable57", {57, true, true, false, true, 16}},
};

TEST_P(VtdOracleTest, DeviceAgreesOverRandomStructures)
{
    const auto tally = VtdBench(GetParam()).compare(std::size(variants));
    if (GetParam().features.scalable) {
        EXPECT_GT(tally.nested * 50, tally.told)
            << "walk was hardly asked of both stages";
    }
    if (tally.wanted > 5000) {
        EXPECT_GT(tally.numbers.size(), 7u) << "the generator reaches too few faults";
    }
}

INSTANTIATE_TEST_SUITE_P(Vtd, VtdOracleTest, testing::ValuesIn(variants),
                         [](const auto& v) { return test_name(v.param.name); });

}  // namespace
}  // namespace oracle::vtd
