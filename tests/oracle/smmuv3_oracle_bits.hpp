// SPDX-License-Identifier: GPL-2.0-or-later
// What the SMMUv3 oracle and its scenarios share: encodings and event numbers.
#pragma once

#include "tests/oracle/words.hpp"

namespace oracle {

// CD.IPS, STE.S2PS: SMMU 5.4, 5.2.  From 6 on: 52 bits, which no OAS here reaches.
constexpr unsigned size_bits(u64 code)
{
    constexpr unsigned bits[] = {32, 36, 40, 42, 44, 48, 52, 52};
    return bits[code];
}

// Page shift of TG0 and S2TG; 0 for the reserved value.  TG1 has another encoding.
constexpr unsigned tg0_shift(u64 tg)
{
    return tg == 0 ? 12 : tg == 1 ? 16 : tg == 2 ? 14 : 0;
}
constexpr unsigned tg1_shift(u64 tg)
{
    return tg == 2 ? 12 : tg == 3 ? 16 : tg == 1 ? 14 : 0;
}

// And back.
constexpr u64 tg0_code(unsigned granule)
{
    return granule == 12 ? 0 : granule == 16 ? 1 : 2;
}
constexpr u64 tg1_code(unsigned granule)
{
    return granule == 12 ? 2 : granule == 16 ? 3 : 1;
}

// SMMU 7.3.
constexpr unsigned F_STE_FETCH = 0x03, C_BAD_STREAMID = 0x02, C_BAD_STE = 0x04,
                   F_STREAM_DISABLED = 0x06, C_BAD_SUBSTREAMID = 0x08, F_CD_FETCH = 0x09,
                   C_BAD_CD = 0x0a, F_WALK_EABT = 0x0b, F_TRANSLATION = 0x10,
                   F_ADDR_SIZE = 0x11, F_ACCESS = 0x12, F_PERMISSION = 0x13;

}  // namespace oracle
