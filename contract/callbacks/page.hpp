// SPDX-License-Identifier: GPL-2.0-or-later
// docs/conformance/callbacks.rst.
#pragma once

#include <ostream>
#include <set>
#include <string>

#include "contract/callbacks/watch.hpp"

namespace iommu::contract::callbacks {

// False: a callback has neither a rule nor a reason, or is not on the page; it was said.
bool write_page(std::ostream& out, Watch& watch, std::set<std::string> tapped);

}  // namespace iommu::contract::callbacks
