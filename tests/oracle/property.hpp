// SPDX-License-Identifier: GPL-2.0-or-later
// A device against its oracle, over random tables: valid, hostile, and changed under it.
// What is the same of every architecture; what is not, a Bench of its own says below "the
// architecture's part".
//
//   ORACLE_CASES=n   accesses to compare, over all variants (default 120000)
//   ORACLE_SEED=n    first seed (default fixed; each mismatch prints its own)
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "iommu/capi.h"
#include "tests/oracle/arena.hpp"
#include "tests/oracle/told.hpp"

namespace oracle {

// An access as the C interface takes it; `attributes` are WI_WRITE and its like.
struct Request {
    std::uint32_t requester = 0;
    std::uint64_t address = 0;
    unsigned attributes = 0;
    std::uint32_t substream = 0;
};
std::string text_of(const Request& r);
std::string text_of(const std::uint64_t* record, std::size_t doublewords);
std::string text_of(bool passes, std::uint64_t output);
std::string text_of_block(const WiTranslation& t);

// What was seen, so that a test that has become blind fails.
struct Tally {
    std::uint64_t wanted = 0, compared = 0, passed = 0, silent = 0, wild = 0, told = 0;
    // Of the walks told: beside caches, through both stages.
    std::uint64_t cached = 0, nested = 0;
    std::map<unsigned, std::uint64_t> numbers;  // of events, or of fault reasons
    std::uint64_t seen(unsigned number) const
    {
        const auto at = numbers.find(number);
        return at == numbers.end() ? 0 : at->second;
    }
};
// ORACLE_CASES' share of one of so many variants, and ORACLE_SEED.
std::uint64_t cases_wanted(unsigned variants);
std::uint64_t first_seed();
void print(const char* name, std::uint64_t from, std::uint64_t to, const Tally& tally);

template <typename Features>
struct Variant {
    const char* name;
    Features features;
};
std::string test_name(std::string variant);

// Kind:: Config, Features, Machine, Scenario, Change, Oracle, Access, Answer.
template <typename Kind>
class Bench {
public:
    using Config = typename Kind::Config;
    using Features = typename Kind::Features;
    using Machine = typename Kind::Machine;
    using Scenario = typename Kind::Scenario;
    using Change = typename Kind::Change;
    using Oracle = typename Kind::Oracle;
    using Access = typename Kind::Access;
    using Answer = typename Kind::Answer;
    using Record = typename Machine::Record;

    virtual ~Bench() = default;

    // A test's body: seeds, until the share of one of so many variants is compared.
    Tally compare(unsigned variants);

protected:
    Bench(const char* name, const Features& features, Config config)
        : name_(name), features_(features)
    {
        for (const bool tlb : {false, true}) {
            config.tlb = tlb;
            devices_[tlb] = std::make_unique<Machine>(arena_, config, tlb ? 1 : 0);
        }
    }
    void each(const std::function<void(Machine&)>& visit)
    {
        visit(*devices_[0]);
        visit(*devices_[1]);
    }
    std::function<bool(std::uint64_t, std::uint64_t&)> reader()
    {
        return [this](std::uint64_t at, std::uint64_t& v) {
            in_flux_ |= changes_by_itself(at);
            return arena_.read(at, &v, 8);
        };
    }

    struct Seen {
        Told told;            // what `walk` said of it before
        bool silent = false;  // and that it recorded nothing
        bool passed = false;
        WiTranslation t{};
        std::optional<Record> record;
    };

    // --- the architecture's part

    virtual Request request_of(const Access& access) const = 0;
    // Also compares what is recorded, as far as the manual says what that is.
    virtual bool agrees(const Answer& a, const Access& access,
                        const Seen& seen) const = 0;
    // What the oracle expects to be recorded, and its number.
    virtual std::string expected(const Answer& a) const = 0;
    virtual std::optional<unsigned> number_of(const Answer& a) const = 0;
    // A complaint about what no choice of the manual's allows, or about what the device
    // did not leave in memory.
    virtual std::string broken(Machine&, const Seen&) { return {}; }
    virtual std::string unmarked(const Answer&) { return {}; }
    // Another access to a block that `access` passed to.
    virtual Access within(const Access& access, std::uint64_t address,
                          bool write) const = 0;

    virtual Oracle oracle_of(const Scenario& s) = 0;
    virtual void point(Machine& device, const Scenario& s) = 0;
    // Memory that changes while we look: the queues.
    virtual bool changes_by_itself(std::uint64_t at) const
    {
        return at - Arena::base < Arena::queues;
    }
    // Nothing in it may be damaged or changed.
    virtual bool fixed(const Scenario&) const { return false; }
    // What a cache answers is UNKNOWN.
    virtual bool cache_unknown(const Scenario&) const { return false; }
    virtual bool tlb_first(Rng&) { return false; }
    // As the manual requires after the change; what is not pristine, of everything.
    virtual void invalidate(const Scenario& s, const Change& change, bool pristine,
                            Rng& rng) = 0;

    const std::string name_;
    const Features features_;
    Arena arena_;

private:
    std::string run(std::uint64_t seed, std::uint64_t except, Tally& tally);
    std::string run_and_shrink(std::uint64_t seed, Tally& tally);
    std::string check_both(Scenario& s, Oracle& oracle, Rng& rng, Tally& tally);
    std::string check(Machine& device, Oracle& oracle, const Access& access, Rng& rng,
                      Tally& tally);
    std::string check_block(Oracle& oracle, const Access& access, const WiTranslation& t,
                            Rng& rng);
    Seen put(Machine& device, const Request& r);
    std::string explain(const Answer& a) const;

    bool in_flux_ = false;
    std::unique_ptr<Machine> devices_[2];
};

template <typename Kind>
auto Bench<Kind>::put(Machine& device, const Request& r) -> Seen
{
    Seen seen;
    seen.told =
        ask_walk(device.device(), r.requester, r.address, r.attributes, r.substream);
    seen.silent = !device.next_record();
    seen.passed =
        device.translate(r.requester, r.address, r.attributes, r.substream, &seen.t);
    seen.record = device.next_record();
    return seen;
}

template <typename Kind>
std::string Bench<Kind>::explain(const Answer& a) const
{
    std::string text = "oracle: " + text_of(a.passes, a.output) + expected(a);
    for (const auto& step : a.trail) {
        text += "\n    " + step;
    }
    return text + "\n";
}

template <typename Kind>
std::string Bench<Kind>::check(Machine& device, Oracle& oracle, const Access& access,
                               Rng& rng, Tally& tally)
{
    in_flux_ = false;
    // First what must come out: the device's A and D updates do not change it.
    const auto first = oracle.answer(access);
    const unsigned touched = oracle.touched();
    const auto request = request_of(access);
    const auto seen = put(device, request);
    bool wild = first.wild, agreed = agrees(first, access, seen);
    for (unsigned c = 1; touched != 0 && c <= Kind::all_choices && !agreed; ++c) {
        const auto other = oracle.answer(access, c);
        if ((c & ~oracle.touched()) == 0) {
            wild |= other.wild;
            agreed |= agrees(other, access, seen);
        }
    }
    auto complaint = broken(device, seen);
    if (complaint.empty() && (wild || in_flux_)) {
        ++tally.wild;
        return {};
    }
    if (complaint.empty() && !agreed) {
        complaint = "different answers";
    }
    if (complaint.empty() && seen.passed && touched == 0) {
        complaint = unmarked(first);
        complaint =
            complaint.empty() ? check_block(oracle, access, seen.t, rng) : complaint;
    }
    if (complaint.empty()) {
        complaint = seen.silent ? differs(seen.told, seen.passed, seen.t, seen.record)
                                : "walk left a record";
        ++tally.told;
        tally.cached += seen.told.has("\"cached\":[");
        tally.nested += seen.told.has("\"depth\":1");
    }
    const auto number = number_of(first);
    ++tally.compared;
    tally.passed += first.passes;
    tally.silent += !first.passes && !number;
    if (number) {
        ++tally.numbers[*number];
    }
    if (complaint.empty()) {
        return {};
    }
    const auto& r = seen.record;
    return complaint + "\n" + text_of(request) +
           "\ndevice: " + text_of(seen.passed, seen.t.output) + text_of_block(seen.t) +
           (r ? "\n  record " + text_of(r->data(), r->size()) : "") + "\n" +
           explain(oracle.answer(access)) + "walk: " + seen.told.text + "\n";
}

// What the device says of the block around an address must hold all over it.
template <typename Kind>
std::string Bench<Kind>::check_block(Oracle& oracle, const Access& access,
                                     const WiTranslation& t, Rng& rng)
{
    if ((t.mask & (t.mask + 1)) != 0) {
        return "the mask is not a block";
    }
    if (access.write ? !t.write : !t.read) {
        return "passes, but not with the permission asked for";
    }
    const std::uint64_t address = (access.address & ~t.mask) | (rng() & t.mask);
    for (const bool write : {false, true}) {
        if (write ? !t.write : !t.read) {
            continue;
        }
        const auto other = within(access, address, write);
        const auto a = oracle.answer(other);
        const std::uint64_t output = (t.output & ~t.mask) | (address & t.mask);
        if (oracle.touched() == 0 && !a.wild && (!a.passes || a.output != output)) {
            return "the block claims too much: " + text_of(request_of(other)) + "\n" +
                   explain(a);
        }
    }
    return {};
}

template <typename Kind>
std::string Bench<Kind>::check_both(Scenario& s, Oracle& oracle, Rng& rng, Tally& tally)
{
    const Access access = s.random_access();
    const bool swapped = tlb_first(rng);
    for (const bool other : {false, true}) {
        const bool tlb = other != swapped;
        if (tlb && cache_unknown(s)) {
            continue;
        }
        const auto complaint = check(*devices_[tlb], oracle, access, rng, tally);
        if (!complaint.empty()) {
            return (tlb ? "tlb=on: " : "tlb=off: ") + complaint + s.describe();
        }
    }
    return {};
}

// Empty when device and oracle agree over everything the seed leads to.
template <typename Kind>
std::string Bench<Kind>::run(std::uint64_t seed, std::uint64_t except, Tally& tally)
{
    Scenario s(arena_, features_, seed);
    Rng rng(seed ^ 0x5eed);
    const unsigned damages =
        fixed(s) || chance(rng, 60) ? 0 : static_cast<unsigned>(pick(rng, 1, 3));
    s.damage(damages, except);
    Oracle oracle = oracle_of(s);
    each([&](Machine& device) { point(device, s); });
    bool pristine = damages == 0;
    for (unsigned round = 0; round < 3; ++round) {
        for (unsigned i = 0; i < 10; ++i) {
            const auto complaint = check_both(s, oracle, rng, tally);
            if (!complaint.empty()) {
                return name_ + ", round " + std::to_string(round) + ", " + complaint;
            }
        }
        if (fixed(s)) {
            break;
        }
        const auto change = s.mutate();
        invalidate(s, change, pristine, rng);
        pristine = false;
        unsigned error = 0;
        each([&](Machine& device) { error |= device.queue_error(); });
        if (error != 0) {
            return "an invalidation was refused, error " + std::to_string(error) + "\n";
        }
    }
    return {};
}

// As run, then without every damage that does not matter.
template <typename Kind>
std::string Bench<Kind>::run_and_shrink(std::uint64_t seed, Tally& tally)
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

template <typename Kind>
Tally Bench<Kind>::compare(unsigned variants)
{
    Tally tally;
    tally.wanted = cases_wanted(variants);
    auto seed = first_seed();
    for (unsigned complaints = 0; tally.compared < tally.wanted && complaints < 3;
         ++seed) {
        const auto complaint = run_and_shrink(seed, tally);
        if (!complaint.empty()) {
            ++complaints;
            ADD_FAILURE() << complaint;
        }
    }
    print(name_.c_str(), first_seed(), seed - 1, tally);
    // A generator that no longer reaches what it is for is a broken test.
    EXPECT_GT(tally.passed * 8, tally.compared);
    EXPECT_GE(tally.told, tally.wanted) << "walk was hardly asked";
    EXPECT_GT(tally.cached * 10, tally.told) << "walk found hardly anything cached";
    return tally;
}

}  // namespace oracle
