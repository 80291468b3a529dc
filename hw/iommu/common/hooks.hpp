// SPDX-License-Identifier: GPL-2.0-or-later
// Where introspection, verify mode and the record hang on to the devices.  When nobody
// listens that costs the test of a pointer; a core built without it exists to be measured
// against (bench/core/hooks_bench.cpp, ./winiommu bench --hooks qemu), and for nothing
// else.
#pragma once

#include <cstdint>

namespace iommu {

// A loop over commands exists twice: what nobody watches tests that once a doorbell and
// needs no registers for it.
enum class Observed : std::uint8_t { No, Yes };

#ifdef WINIOMMU_WITHOUT_HOOKS
inline constexpr bool hooks = false;
#else
inline constexpr bool hooks = true;
#endif

}  // namespace iommu
