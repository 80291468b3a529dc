// SPDX-License-Identifier: GPL-2.0-or-later
// Lines on the serial port.
#pragma once

#include <cstdint>

namespace iommu::guest {

void print(const char* text);
void print_number(std::uint64_t value);
void print_hex(std::uint64_t value);

inline void out(const char* text)
{
    print(text);
}
inline void out(std::uint64_t value)
{
    print_number(value);
}

// A line of texts and decimal numbers.
template <typename... Parts>
void line(const Parts&... parts)
{
    (out(parts), ...);
    print("\r\n");
}

}  // namespace iommu::guest
