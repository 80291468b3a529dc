// SPDX-License-Identifier: GPL-2.0-or-later
// Doublewords and their bits, for oracles and scenarios: none of the device's own.
#pragma once

#include <cstdint>

namespace oracle {

using u64 = std::uint64_t;

// Bits [hi:lo].
constexpr u64 get(u64 word, unsigned hi, unsigned lo)
{
    return (word >> lo) & (~0ull >> (63 - (hi - lo)));
}
constexpr bool bit(u64 word, unsigned n)
{
    return (word >> n) & 1;
}
// The lowest `n` bits set.
constexpr u64 low(unsigned n)
{
    return n >= 64 ? ~0ull : (1ull << n) - 1;
}

}  // namespace oracle
