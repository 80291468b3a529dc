// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 9.7 "First-Stage Paging Entries" and 9.8 "Second-Stage Paging Entries".
#pragma once

#include <cstdint>

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::vtd {

// Bits 51:HAW are reserved as well; the walker's formats add them.

// VT-d 9.7: the entries of all levels; bit 7 is PS where a page may end and reserved
// elsewhere.
struct FirstStageEntry : Descriptor<FirstStageEntry, 64> {
    // clang-format off
    static constexpr Flag<0>                P   {};
    static constexpr Flag<1>                RW  {};
    static constexpr Flag<2>                US  {};
    static constexpr Flag<3>                PWT {};
    static constexpr Flag<4>                PCD {};
    static constexpr Flag<5>                A   {};
    static constexpr Flag<6>                D   {};
    static constexpr Flag<7>                PS  {};
    static constexpr Flag<8>                G   {};
    static constexpr Flag<10>               EA  {};
    static constexpr Addr<51, 12, Ipa>      ADDR{};
    static constexpr Flag<63>               XD  {};
    static constexpr auto layout = tiled(P, RW, US, PWT, PCD, A, D, PS, G, Ignored<9>{}, EA,
                                         Ignored<11>{}, ADDR, Ignored<62, 52>{}, XD);
    // clang-format on
};

// VT-d 9.8.
struct SecondStageEntry : Descriptor<SecondStageEntry, 64> {
    // clang-format off
    static constexpr Flag <0>           R   {};
    static constexpr Flag <1>           W   {};
    static constexpr Flag <2>           X   {};
    static constexpr Field<5, 3>        EMT {};
    static constexpr Flag <6>           IPAT{};
    static constexpr Flag <7>           PS  {};
    static constexpr Flag <8>           A   {};
    static constexpr Flag <9>           D   {};
    static constexpr Flag <11>          SNP {};
    static constexpr Addr <51, 12, Gpa> ADDR{};
    static constexpr Flag <62>          TM  {};
    static constexpr auto layout = tiled(R, W, X, EMT, IPAT, PS, A, D, Ignored<10>{}, SNP,
                                         ADDR, Ignored<61, 52>{}, TM, Ignored<63>{});
    // clang-format on
};

}  // namespace iommu::vtd
