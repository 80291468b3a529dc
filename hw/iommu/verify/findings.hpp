// SPDX-License-Identifier: GPL-2.0-or-later
// What verify mode has found: each cause once, with its evidence, a bounded number.
//
//   suspected --a covering invalidation, before it is due--> forgotten
//       |
//       +--two completed waits, or a second, without one--> found --> told, once
//
// Between a change of the tables and its invalidation the caches may still answer: only
// what nobody invalidates in time is a mistake.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hw/iommu/verify/rules.hpp"
#include "hw/iommu/verify/subject.hpp"

namespace iommu::verify {

struct Fact {
    const char* name;
    std::uint64_t value;
    enum class Kind : std::uint8_t { Hex, Decimal } kind = Kind::Hex;
};

struct Finding {
    Rule rule{};
    Subject subject{};
    std::uint64_t cause = 0;  // with rule: what makes two findings the same
    std::vector<Fact> facts;
    std::vector<Invalidation> invalidations;  // the last that did not cover it
    std::uint64_t first_ns = 0, last_ns = 0;
    std::uint64_t count = 1;
    bool told = false;
};

class Findings {
public:
    static constexpr std::size_t capacity = 256;
    static constexpr std::size_t suspects = 32;
    static constexpr std::uint64_t due_ns = 1'000'000'000;
    static constexpr unsigned due_waits = 2;

    using Tell = std::function<void(const Finding&)>;
    explicit Findings(Tell tell) : tell_(std::move(tell)) {}

    // Found at once.
    void add(Finding finding);
    // Found unless withdrawn in time.
    void suspect(Finding finding);
    void withdraw(const Invalidation& by);
    void wait_completed();
    void settle(std::uint64_t now_ns);
    void settle_all();
    void forget_suspects() { suspected_.clear(); }

    const std::vector<Finding>& found() const { return found_; }
    std::uint64_t lost() const { return lost_; }
    std::uint64_t withdrawn() const { return withdrawn_; }
    bool suspicious() const { return !suspected_.empty(); }

    // {"findings": [...], "lost": n, "withdrawn": n, "suspected": n}
    std::string json() const;
    static std::string json(const Finding& finding);
    static std::string none()
    {
        return Findings([](const Finding&) {}).json();
    }
    // One line for a log.
    static std::string line(const Finding& finding);

private:
    struct Suspected {
        Finding finding;
        unsigned waits = 0;
    };
    Finding* known(Rule rule, std::uint64_t cause);
    void promote(std::size_t index);

    Tell tell_;
    std::vector<Finding> found_;
    std::vector<Suspected> suspected_;
    std::uint64_t lost_ = 0, withdrawn_ = 0;
};

}  // namespace iommu::verify
