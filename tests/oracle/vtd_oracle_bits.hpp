// SPDX-License-Identifier: GPL-2.0-or-later
// What the chapters of the VT-d oracle share.
#pragma once

#include "tests/oracle/words.hpp"

namespace oracle::vtd {

inline constexpr u64 page = ~low(12);
inline constexpr u64 address_field = low(52) & page;

}  // namespace oracle::vtd
