// SPDX-License-Identifier: GPL-2.0-or-later
// Runs rules in a process of their own: a provider that crashes or hangs fails the rule
// it did so in, and the others go on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contract/home.hpp"
#include "contract/rule.hpp"

namespace iommu::contract {

struct Result {
    const Rule* rule = nullptr;
    Outcome outcome = Outcome::NotApplicable;
    std::string message;
};

struct RunOptions {
    std::vector<unsigned> only;  // rule numbers; empty: all
    unsigned seconds = 10;       // a rule may take
    unsigned most_hangs = 5;     // rules that took longer; then the rest is not run
    bool own_process = true;
    bool stop_at_failure = false;  // of any kind: for mutants
};

// Called where the rules run.  Null and a reason: there is no home.
using HomePointer = std::unique_ptr<Home, void (*)(Home*)>;
using MakeHome = std::function<HomePointer(std::string& error)>;

std::vector<Result> run_rules(const MakeHome& make_home, const RunOptions& options);

}  // namespace iommu::contract
