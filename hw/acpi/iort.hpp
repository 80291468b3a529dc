// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "iommu/acpi.hpp"

namespace iommu::acpi {

// Empty when a table can be made of `d`, else the one line for the user.
std::string check_iort(const Iort& d);

}  // namespace iommu::acpi
