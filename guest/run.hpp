// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the rules and says what became of each, as TAP.
#pragma once

#include "contract/home.hpp"

namespace iommu::guest {

// What the host asks for.
struct Request {
    char nonce[33] = {};  // repeated in our first and last line
    unsigned first = 1;   // rules with smaller numbers are not run
    unsigned only = 0;    // 0: all
    // To see that the host notices: in the check of this rule, if any, the processor
    // meets an instruction that is none, or never comes back.
    unsigned crash = 0, hang = 0;
    unsigned mutant = 0;  // 0: run the rules; else hunt the mutants from this one on
};

void run_rules(contract::Home& home, const Request& request);

}  // namespace iommu::guest
