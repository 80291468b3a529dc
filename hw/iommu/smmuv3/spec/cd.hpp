// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 5.4 "CD, Context Descriptor" and 5.3 "L1CD, Level 1 Context Descriptor".  Bit
// numbers are the manual's, 511:0 and 63:0.
#pragma once

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::smmu {

struct Cd : Descriptor<Cd, 512> {
    // clang-format off
    static constexpr Field<5, 0, unsigned>    T0SZ   {};
    static constexpr Field<7, 6, unsigned>    TG0    {};
    static constexpr Field<9, 8>              IR0    {};
    static constexpr Field<11, 10>            OR0    {};
    static constexpr Field<13, 12>            SH0    {};
    static constexpr Flag <14>                EPD0   {};
    static constexpr Flag <15>                ENDI   {};
    static constexpr Field<21, 16, unsigned>  T1SZ   {};
    static constexpr Field<23, 22, unsigned>  TG1    {};
    static constexpr Field<25, 24>            IR1    {};
    static constexpr Field<27, 26>            OR1    {};
    static constexpr Field<29, 28>            SH1    {};
    static constexpr Flag <30>                EPD1   {};
    static constexpr Flag <31>                V      {};
    static constexpr Field<34, 32, unsigned>  IPS    {};
    static constexpr Flag <35>                AFFD   {};
    static constexpr Flag <36>                WXN    {};
    static constexpr Flag <37>                UWXN   {};
    static constexpr Flag <38>                TBI0   {};
    static constexpr Flag <39>                TBI1   {};
    static constexpr Flag <40>                PAN    {};
    static constexpr Flag <41>                AA64   {};
    static constexpr Flag <42>                HD     {};
    static constexpr Flag <43>                HA     {};
    static constexpr Flag <44>                S      {};
    static constexpr Flag <45>                R      {};
    static constexpr Flag <46>                A      {};
    static constexpr Flag <47>                ASET   {};
    static constexpr Field<63, 48, Asid>      ASID   {};

    static constexpr Flag <64>                NSCFG0 {};
    static constexpr Flag <65>                HAD0   {};
    static constexpr Flag <66>                E0PD0  {};
    static constexpr Flag <67>                HAFT   {};
    static constexpr Addr <115, 68, Ipa>      TTB0   {};
    static constexpr Flag <122>               PnCH   {};
    static constexpr Flag <123>               EPAN   {};
    static constexpr Flag <124>               HWU059 {};
    static constexpr Flag <125>               HWU060 {};
    static constexpr Field<127, 126>          HWU0x  {};  // HWU062 and HWU061

    static constexpr Flag <128>               NSCFG1 {};
    static constexpr Flag <129>               HAD1   {};
    static constexpr Flag <130>               E0PD1  {};
    static constexpr Flag <131>               AIE    {};
    static constexpr Addr <179, 132, Ipa>     TTB1   {};
    static constexpr Flag <186>               DS     {};
    static constexpr Flag <187>               PIE    {};
    static constexpr Flag <188>               HWU159 {};
    static constexpr Flag <189>               HWU160 {};
    static constexpr Field<191, 190>          HWU1x  {};  // HWU162 and HWU161

    static constexpr Field<223, 192>          MAIR0  {};
    static constexpr Field<255, 224>          MAIR1  {};
    static constexpr Field<287, 256>          AMAIR0 {};
    static constexpr Field<319, 288>          AMAIR1 {};
    static constexpr Field<367, 352>          PARTID {};
    static constexpr Field<375, 368>          PMG    {};
    static constexpr Field<431, 384>          PIIU   {};
    static constexpr Field<495, 448>          PIIP   {};

    // Ignored<351, 320> is IMPLEMENTATION DEFINED.
    static constexpr auto layout = tiled(
        T0SZ, TG0, IR0, OR0, SH0, EPD0, ENDI, T1SZ, TG1, IR1, OR1, SH1, EPD1, V, IPS, AFFD, WXN,
        UWXN, TBI0, TBI1, PAN, AA64, HD, HA, S, R, A, ASET, ASID,
        NSCFG0, HAD0, E0PD0, HAFT, TTB0, Res0<119, 116>{}, Res0<121, 120>{}, PnCH, EPAN, HWU059,
        HWU060, HWU0x,
        NSCFG1, HAD1, E0PD1, AIE, TTB1, Res0<183, 180>{}, Res0<185, 184>{}, DS, PIE, HWU159,
        HWU160, HWU1x,
        MAIR0, MAIR1, AMAIR0, AMAIR1, Ignored<351, 320>{}, PARTID, PMG, Res0<383, 376>{},
        PIIU, Res0<447, 432>{}, PIIP, Res0<511, 496>{});
    // clang-format on
};
static_assert(sizeof(Cd) == 64);

struct L1Cd : Descriptor<L1Cd, 64> {
    static constexpr Flag<0> V{};
    static constexpr Addr<55, 12, Ipa> L2Ptr{};

    static constexpr auto layout = tiled(V, Res0<11, 1>{}, L2Ptr, Res0<63, 56>{});
};
static_assert(sizeof(L1Cd) == 8);

}  // namespace iommu::smmu
