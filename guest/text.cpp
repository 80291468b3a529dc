// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/text.hpp"

#include "guest/cpu.hpp"

namespace iommu::guest {

void print(const char* text)
{
    while (*text != 0) {
        cpu::put(*text++);
    }
}

void print_number(std::uint64_t value)
{
    char digits[21];
    auto* at = digits + sizeof(digits) - 1;
    *at = 0;
    do {
        *--at = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    print(at);
}

void print_hex(std::uint64_t value)
{
    print("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        cpu::put("0123456789abcdef"[(value >> shift) & 15]);
    }
}

}  // namespace iommu::guest
