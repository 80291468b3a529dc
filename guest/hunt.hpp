// SPDX-License-Identifier: GPL-2.0-or-later
// Hunts the driver's deliberate mistakes, in a build that has them.
#pragma once

#include "guest/run.hpp"

namespace iommu::guest {

// From the mutant of this number on, counted from 1: a line before each, and one that
// says which rule found it.
void hunt_mutants(contract::Home& home, unsigned first);

}  // namespace iommu::guest
