// SPDX-License-Identifier: GPL-2.0-or-later
// The rules of the contract, in order: what each says, where it comes from, and the check,
// or why software cannot make one.
#pragma once

#include "contract/rule.hpp"

namespace iommu::contract {

extern const Rule rules_a_to_d[59];
extern const Rule rules_e_to_i[69];
extern const Rule rules_j_to_q[90];

}  // namespace iommu::contract
