// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 9.1 to 9.4: root and context entries, legacy and scalable mode.
#pragma once

#include <cstdint>

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::vtd {

enum class TranslationType : std::uint8_t {
    Untranslated = 0b00,  // untranslated requests only, through the second stage
    All = 0b01,           // as above, and Device-TLB requests
    PassThrough = 0b10,
    Reserved = 0b11
};

// Adjusted guest address width: 30 + 9 * n bits, n + 2 levels.
enum class AddressWidth : std::uint8_t {
    W39 = 0b001,
    W48 = 0b010,
    W57 = 0b011,
};

// VT-d 9.1 "Root Entry".
struct RootEntry : Descriptor<RootEntry, 128> {
    static constexpr Flag<0> P{};
    static constexpr Addr<63, 12, Gpa> CTP{};
    static constexpr auto layout = tiled(P, Res0<11, 1>{}, CTP, Res0<127, 64>{});
};

// VT-d 9.2 "Scalable-Mode Root Entry": devices 0 to 15 below LCTP, 16 to 31 below UCTP.
struct ScalableRootEntry : Descriptor<ScalableRootEntry, 128> {
    static constexpr Flag<0> LP{};
    static constexpr Addr<63, 12, Gpa> LCTP{};
    static constexpr Flag<64> UP{};
    static constexpr Addr<127, 76, Gpa> UCTP{};
    static constexpr auto layout =
        tiled(LP, Res0<11, 1>{}, LCTP, UP, Res0<75, 65>{}, UCTP);
};

// VT-d 9.3 "Context Entry", legacy mode.
struct ContextEntry : Descriptor<ContextEntry, 128> {
    // clang-format off
    static constexpr Flag <0>                     P      {};
    static constexpr Flag <1>                     FPD    {};
    static constexpr Field<3, 2, TranslationType> TT     {};
    static constexpr Addr <63, 12, Gpa>           SSPTPTR{};
    static constexpr Field<66, 64, AddressWidth>  AW     {};
    static constexpr Field<87, 72, DomainId>      DID    {};
    static constexpr auto layout = tiled(P, FPD, TT, Res0<11, 4>{}, SSPTPTR, AW,
                                         Ignored<70, 67>{}, Res0<71>{}, DID, Res0<127, 88>{});
    // clang-format on
};

// VT-d 9.4 "Scalable-Mode Context Entry".
struct ScalableContextEntry : Descriptor<ScalableContextEntry, 256> {
    // clang-format off
    static constexpr Flag <0>             P          {};
    static constexpr Flag <1>             FPD        {};
    static constexpr Flag <2>             DTE        {};
    static constexpr Flag <3>             PASIDE     {};
    static constexpr Flag <4>             PRE        {};
    static constexpr Field<11, 9>         PDTS       {};  // 2^(PDTS + 7) directory entries
    static constexpr Addr <63, 12, Gpa>   PASIDDIRPTR{};
    static constexpr Field<83, 64, Pasid> RID_PASID  {};
    static constexpr Flag <84>            RID_PRIV   {};
    static constexpr auto layout =
        tiled(P, FPD, DTE, PASIDE, PRE, Res0<8, 5>{}, PDTS, PASIDDIRPTR, RID_PASID,
              RID_PRIV, Res0<127, 85>{}, Res0<191, 128>{}, Res0<255, 192>{});
    // clang-format on
};

// Golden: a translated function in domain 0x1234 with a 4-level table at 0x7654'3000, and
// a scalable one with a directory of 1024 entries at 0x8000 and RID_PASID 1.  By hand.
static_assert(ContextEntry{}
                  .with(ContextEntry::P, true)
                  .with(ContextEntry::SSPTPTR, Gpa{0x7654'3000})
                  .with(ContextEntry::AW, AddressWidth::W48)
                  .with(ContextEntry::DID, DomainId{0x1234})
                  .dword == std::array<std::uint64_t, 2>{0x7654'3001, 0x12'3402});
static_assert(ScalableContextEntry{}
                  .with(ScalableContextEntry::P, true)
                  .with(ScalableContextEntry::PASIDE, true)
                  .with(ScalableContextEntry::PDTS, 3)
                  .with(ScalableContextEntry::PASIDDIRPTR, Gpa{0x8000})
                  .with(ScalableContextEntry::RID_PASID, Pasid{1})
                  .dword == std::array<std::uint64_t, 4>{0x8609, 1, 0, 0});
static_assert(sizeof(RootEntry) == 16 && sizeof(ContextEntry) == 16 &&
              sizeof(ScalableContextEntry) == 32);

}  // namespace iommu::vtd
