// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 6.3.1 to 6.3.8: the identification registers.  Types and offsets only.
#pragma once

#include <cstdint>

#include "iommu/bits.hpp"

namespace iommu::smmu {

// clang-format off

// SMMU 6.3.1 "SMMU_IDR0".
struct Idr0 : Descriptor<Idr0, 32> {
    static constexpr std::uint32_t offset = 0x0000;
    static constexpr Flag <0>      S2P         {};
    static constexpr Flag <1>      S1P         {};
    static constexpr Field<3, 2>   TTF         {};  // 0b10: AArch64
    static constexpr Flag <4>      COHACC      {};
    static constexpr Flag <5>      BTM         {};
    static constexpr Field<7, 6>   HTTU        {};
    static constexpr Flag <8>      DORMHINT    {};
    static constexpr Flag <9>      Hyp         {};
    static constexpr Flag <10>     ATS         {};
    static constexpr Flag <11>     NS1ATS      {};
    static constexpr Flag <12>     ASID16      {};
    static constexpr Flag <13>     MSI         {};
    static constexpr Flag <14>     SEV         {};
    static constexpr Flag <15>     ATOS        {};
    static constexpr Flag <16>     PRI         {};
    static constexpr Flag <17>     VMW         {};
    static constexpr Flag <18>     VMID16      {};
    static constexpr Flag <19>     CD2L        {};
    static constexpr Flag <20>     VATOS       {};
    static constexpr Field<22, 21> TTENDIAN    {};  // 0b10: little-endian
    static constexpr Flag <23>     ATSRECERR   {};
    static constexpr Field<25, 24> STALL_MODEL {};  // 0b01: stall not supported
    static constexpr Flag <26>     TERM_MODEL  {};  // terminate means abort
    static constexpr Field<28, 27> ST_LEVEL    {};  // 0b01: 2-level as well as linear
    static constexpr Flag <30>     RME_IMPL    {};

    static constexpr auto layout = tiled(
        S2P, S1P, TTF, COHACC, BTM, HTTU, DORMHINT, Hyp, ATS, NS1ATS, ASID16, MSI, SEV, ATOS,
        PRI, VMW, VMID16, CD2L, VATOS, TTENDIAN, ATSRECERR, STALL_MODEL, TERM_MODEL, ST_LEVEL,
        Res0<29>{}, RME_IMPL, Res0<31>{});
};

// SMMU 6.3.2 "SMMU_IDR1".
struct Idr1 : Descriptor<Idr1, 32> {
    static constexpr std::uint32_t offset = 0x0004;
    static constexpr Field<5, 0>   SIDSIZE        {};
    static constexpr Field<10, 6>  SSIDSIZE       {};
    static constexpr Field<15, 11> PRIQS          {};
    static constexpr Field<20, 16> EVENTQS        {};
    static constexpr Field<25, 21> CMDQS          {};
    static constexpr Flag <26>     ATTR_PERMS_OVR {};
    static constexpr Flag <27>     ATTR_TYPES_OVR {};
    static constexpr Flag <28>     REL            {};
    static constexpr Flag <29>     QUEUES_PRESET  {};
    static constexpr Flag <30>     TABLES_PRESET  {};
    static constexpr Flag <31>     ECMDQ          {};

    static constexpr auto layout = tiled(SIDSIZE, SSIDSIZE, PRIQS, EVENTQS, CMDQS, ATTR_PERMS_OVR,
                                         ATTR_TYPES_OVR, REL, QUEUES_PRESET, TABLES_PRESET, ECMDQ);
};

// SMMU 6.3.3 "SMMU_IDR2".
struct Idr2 : Descriptor<Idr2, 32> {
    static constexpr std::uint32_t offset = 0x0008;
    static constexpr Field<9, 0> BA_VATOS {};
    static constexpr auto layout = tiled(BA_VATOS, Res0<31, 10>{});
};

// SMMU 6.3.4 "SMMU_IDR3".
struct Idr3 : Descriptor<Idr3, 32> {
    static constexpr std::uint32_t offset = 0x000c;
    static constexpr Flag <2>      HAD     {};
    static constexpr Flag <3>      PBHA    {};
    static constexpr Flag <4>      XNX     {};
    static constexpr Flag <5>      PPS     {};
    static constexpr Flag <7>      MPAM    {};
    static constexpr Flag <8>      FWB     {};
    static constexpr Flag <9>      STT     {};
    static constexpr Flag <10>     RIL     {};
    static constexpr Field<12, 11> BBML    {};
    static constexpr Flag <13>     E0PD    {};
    static constexpr Flag <14>     PTWNNC  {};
    static constexpr Flag <15>     DPT     {};
    static constexpr Flag <16>     PASIDTT {};
    static constexpr Flag <17>     EPAN    {};
    static constexpr Flag <18>     S1PI    {};
    static constexpr Flag <19>     S2PI    {};
    static constexpr Flag <20>     S2PO    {};
    static constexpr Flag <21>     THE     {};
    static constexpr Flag <22>     MTEPERM {};
    static constexpr Flag <23>     AIE     {};

    static constexpr auto layout = tiled(
        Res0<1, 0>{}, HAD, PBHA, XNX, PPS, Res0<6>{}, MPAM, FWB, STT, RIL, BBML, E0PD, PTWNNC, DPT,
        PASIDTT, EPAN, S1PI, S2PI, S2PO, THE, MTEPERM, AIE, Res0<31, 24>{});
};

// SMMU 6.3.5 "SMMU_IDR4": implementation defined.
struct Idr4 : Descriptor<Idr4, 32> {
    static constexpr std::uint32_t offset = 0x0010;
    static constexpr Field<31, 0> ImplementationDefined {};
    static constexpr auto layout = tiled(ImplementationDefined);
};

// SMMU 6.3.6 "SMMU_IDR5".
struct Idr5 : Descriptor<Idr5, 32> {
    static constexpr std::uint32_t offset = 0x0014;
    static constexpr Field<2, 0>   OAS       {};
    static constexpr Flag <4>      GRAN4K    {};
    static constexpr Flag <5>      GRAN16K   {};
    static constexpr Flag <6>      GRAN64K   {};
    static constexpr Flag <7>      DS        {};
    static constexpr Flag <8>      D128      {};
    static constexpr Field<11, 10> VAX       {};
    static constexpr Field<31, 16> STALL_MAX {};

    static constexpr auto layout = tiled(OAS, Res0<3>{}, GRAN4K, GRAN16K, GRAN64K, DS, D128,
                                         Res0<9>{}, VAX, Res0<15, 12>{}, STALL_MAX);
};

// SMMU 6.3.7 "SMMU_IIDR".
struct Iidr : Descriptor<Iidr, 32> {
    static constexpr std::uint32_t offset = 0x0018;
    static constexpr Field<11, 0>  Implementer {};
    static constexpr Field<15, 12> Revision    {};
    static constexpr Field<19, 16> Variant     {};
    static constexpr Field<31, 20> ProductID   {};
    static constexpr auto layout = tiled(Implementer, Revision, Variant, ProductID);
};

// SMMU 6.3.8 "SMMU_AIDR".
struct Aidr : Descriptor<Aidr, 32> {
    static constexpr std::uint32_t offset = 0x001c;
    static constexpr Field<3, 0> ArchMinorRev {};
    static constexpr Field<7, 4> ArchMajorRev {};
    static constexpr auto layout = tiled(ArchMinorRev, ArchMajorRev, Res0<31, 8>{});
};

// clang-format on

}  // namespace iommu::smmu
