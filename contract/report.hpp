// SPDX-License-Identifier: GPL-2.0-or-later
// What became of the rules, for people and for machines.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "contract/runner.hpp"

namespace iommu::contract {

struct Totals {
    unsigned passed = 0, failed = 0, proposals_failed = 0, not_applicable = 0;
};
Totals count(const std::vector<Result>& results);

// Strict: a failed proposal is a failure.
void write_summary(std::ostream& out, const std::string& title,
                   const std::vector<Result>& results);
void write_tap(std::ostream& out, const std::vector<Result>& results, bool strict);
void write_junit(std::ostream& out, const std::string& title,
                 const std::vector<Result>& results, bool strict);
void write_json(std::ostream& out, const std::string& title,
                const std::vector<Result>& results);
// docs/conformance/rules.rst.
void write_rst(std::ostream& out);

}  // namespace iommu::contract
