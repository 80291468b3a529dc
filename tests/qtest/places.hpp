// SPDX-License-Identifier: GPL-2.0-or-later
// Where things are in the machines that tests start.
#pragma once

#include <cstdint>

namespace qtest {

namespace virt {
inline constexpr std::uint64_t ram = 0x40000000;
inline constexpr std::uint64_t ecam_base = 0x4010000000;
inline constexpr std::uint64_t pci_window = 0x10000000;
inline constexpr std::uint64_t platform_bus = 0x0c000000;  // the first SMMU's registers
}  // namespace virt

namespace q35 {
inline constexpr std::uint64_t ram = 0x100000;
inline constexpr std::uint64_t pci_window = 0xe0000000;
inline constexpr std::uint64_t unit = 0xfed90000;
}  // namespace q35

}  // namespace qtest
