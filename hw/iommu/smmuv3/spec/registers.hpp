// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 6.2 "Register overview" and 6.3 "Register formats": the Non-secure programming
// interface, pages 0 and 1.  Types and offsets only.
#pragma once

#include <cstdint>

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::smmu {

template <typename Register>
constexpr Register from_raw(std::uint64_t raw)
{
    Register out{};
    out.dword[0] = raw;
    return out;
}

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

// SMMU 6.3.9 "SMMU_CR0"; 6.3.10 "SMMU_CR0ACK" has the same fields.
struct Cr0 : Descriptor<Cr0, 32> {
    static constexpr std::uint32_t offset = 0x0020, ack_offset = 0x0024;
    static constexpr Flag <0>    SMMUEN      {};
    static constexpr Flag <1>    PRIQEN      {};
    static constexpr Flag <2>    EVENTQEN    {};
    static constexpr Flag <3>    CMDQEN      {};
    static constexpr Flag <4>    ATSCHK      {};
    static constexpr Field<8, 6> VMW         {};
    static constexpr Flag <10>   DPT_WALK_EN {};
    static constexpr auto layout = tiled(SMMUEN, PRIQEN, EVENTQEN, CMDQEN, ATSCHK, Res0<5>{}, VMW,
                                         Res0<9>{}, DPT_WALK_EN, Res0<31, 11>{});
};

// SMMU 6.3.11 "SMMU_CR1".
struct Cr1 : Descriptor<Cr1, 32> {
    static constexpr std::uint32_t offset = 0x0028;
    static constexpr Field<1, 0>   QUEUE_IC {};
    static constexpr Field<3, 2>   QUEUE_OC {};
    static constexpr Field<5, 4>   QUEUE_SH {};
    static constexpr Field<7, 6>   TABLE_IC {};
    static constexpr Field<9, 8>   TABLE_OC {};
    static constexpr Field<11, 10> TABLE_SH {};
    static constexpr auto layout = tiled(QUEUE_IC, QUEUE_OC, QUEUE_SH, TABLE_IC, TABLE_OC,
                                         TABLE_SH, Res0<31, 12>{});
};

// SMMU 6.3.12 "SMMU_CR2".
struct Cr2 : Descriptor<Cr2, 32> {
    static constexpr std::uint32_t offset = 0x002c;
    static constexpr Flag<0> E2H         {};
    static constexpr Flag<1> RECINVSID   {};
    static constexpr Flag<2> PTM         {};
    static constexpr Flag<3> REC_CFG_ATS {};
    static constexpr auto layout = tiled(E2H, RECINVSID, PTM, REC_CFG_ATS, Res0<31, 4>{});
};

// SMMU 6.3.13 "SMMU_STATUSR".
struct Statusr : Descriptor<Statusr, 32> {
    static constexpr std::uint32_t offset = 0x0040;
    static constexpr Flag<0> DORMANT {};
    static constexpr auto layout = tiled(DORMANT, Res0<31, 1>{});
};

// SMMU 6.3.14 "SMMU_GBPA".
struct Gbpa : Descriptor<Gbpa, 32> {
    static constexpr std::uint32_t offset = 0x0044;
    static constexpr Field<3, 0>   MemAttr  {};
    static constexpr Flag <4>      MTCFG    {};
    static constexpr Field<11, 8>  ALLOCCFG {};
    static constexpr Field<13, 12> SHCFG    {};
    static constexpr Field<17, 16> PRIVCFG  {};
    static constexpr Field<19, 18> INSTCFG  {};
    static constexpr Flag <20>     ABORT    {};
    static constexpr Flag <31>     Update   {};
    static constexpr auto layout = tiled(MemAttr, MTCFG, Res0<7, 5>{}, ALLOCCFG, SHCFG,
                                         Res0<15, 14>{}, PRIVCFG, INSTCFG, ABORT, Res0<30, 21>{},
                                         Update);
};

// SMMU 6.3.16 "SMMU_IRQ_CTRL"; 6.3.18 "SMMU_IRQ_CTRLACK" has the same fields.
struct IrqCtrl : Descriptor<IrqCtrl, 32> {
    static constexpr std::uint32_t offset = 0x0050, ack_offset = 0x0054;
    static constexpr Flag<0> GERROR_IRQEN {};
    static constexpr Flag<1> PRIQ_IRQEN   {};
    static constexpr Flag<2> EVENTQ_IRQEN {};
    static constexpr auto layout = tiled(GERROR_IRQEN, PRIQ_IRQEN, EVENTQ_IRQEN, Res0<31, 3>{});
};

// SMMU 6.3.19 "SMMU_GERROR"; 6.3.20 "SMMU_GERRORN" has the same fields.
struct Gerror : Descriptor<Gerror, 32> {
    static constexpr std::uint32_t offset = 0x0060, ack_offset = 0x0064;
    static constexpr Flag<0>  CMDQ_ERR           {};
    static constexpr Flag<2>  EVENTQ_ABT_ERR     {};
    static constexpr Flag<3>  PRIQ_ABT_ERR       {};
    static constexpr Flag<4>  MSI_CMDQ_ABT_ERR   {};
    static constexpr Flag<5>  MSI_EVENTQ_ABT_ERR {};
    static constexpr Flag<6>  MSI_PRIQ_ABT_ERR   {};
    static constexpr Flag<7>  MSI_GERROR_ABT_ERR {};
    static constexpr Flag<8>  SFM_ERR            {};
    static constexpr Flag<9>  CMDQP_ERR          {};
    static constexpr Flag<10> DPT_ERR            {};
    static constexpr auto layout = tiled(
        CMDQ_ERR, Res0<1>{}, EVENTQ_ABT_ERR, PRIQ_ABT_ERR, MSI_CMDQ_ABT_ERR, MSI_EVENTQ_ABT_ERR,
        MSI_PRIQ_ABT_ERR, MSI_GERROR_ABT_ERR, SFM_ERR, CMDQP_ERR, DPT_ERR, Res0<31, 11>{});
};

// SMMU 6.3.21 to 6.3.23 "SMMU_GERROR_IRQ_CFG{0,1,2}", 6.3.30 to 6.3.32
// "SMMU_EVENTQ_IRQ_CFG{0,1,2}".
struct IrqCfg0 : Descriptor<IrqCfg0, 64> {
    static constexpr std::uint32_t gerror_offset = 0x0068, eventq_offset = 0x00b0;
    static constexpr Addr<55, 2, Gpa> ADDR {};
    static constexpr auto layout = tiled(Res0<1, 0>{}, ADDR, Res0<63, 56>{});
};
struct IrqCfg1 : Descriptor<IrqCfg1, 32> {
    static constexpr std::uint32_t gerror_offset = 0x0070, eventq_offset = 0x00b8;
    static constexpr Field<31, 0> DATA {};
    static constexpr auto layout = tiled(DATA);
};
struct IrqCfg2 : Descriptor<IrqCfg2, 32> {
    static constexpr std::uint32_t gerror_offset = 0x0074, eventq_offset = 0x00bc;
    static constexpr Field<3, 0> MemAttr {};
    static constexpr Field<5, 4> SH      {};
    static constexpr auto layout = tiled(MemAttr, SH, Res0<31, 6>{});
};

// SMMU 6.3.24 "SMMU_STRTAB_BASE".
struct StrtabBase : Descriptor<StrtabBase, 64> {
    static constexpr std::uint32_t offset = 0x0080;
    static constexpr Addr<55, 6, Gpa> ADDR {};
    static constexpr Flag<62>         RA   {};
    static constexpr auto layout = tiled(Res0<5, 0>{}, ADDR, Res0<61, 56>{}, RA, Res0<63>{});
};

// SMMU 6.3.25 "SMMU_STRTAB_BASE_CFG".
struct StrtabBaseCfg : Descriptor<StrtabBaseCfg, 32> {
    static constexpr std::uint32_t offset = 0x0088;
    static constexpr Field<5, 0>   LOG2SIZE {};
    static constexpr Field<10, 6>  SPLIT    {};
    static constexpr Field<17, 16> FMT      {};
    static constexpr auto layout = tiled(LOG2SIZE, SPLIT, Res0<15, 11>{}, FMT, Res0<31, 18>{});
};

// SMMU 6.3.26 "SMMU_CMDQ_BASE", 6.3.29 "SMMU_EVENTQ_BASE": bit 62 is RA, WA.
struct QueueBase : Descriptor<QueueBase, 64> {
    static constexpr std::uint32_t cmdq_offset = 0x0090, eventq_offset = 0x00a0;
    static constexpr Field<4, 0>      LOG2SIZE {};
    static constexpr Addr <55, 5, Gpa> ADDR    {};
    static constexpr Flag <62>        RA       {};
    static constexpr auto layout = tiled(LOG2SIZE, ADDR, Res0<61, 56>{}, RA, Res0<63>{});
};

// SMMU 6.3.27 "SMMU_CMDQ_PROD".
struct CmdqProd : Descriptor<CmdqProd, 32> {
    static constexpr std::uint32_t offset = 0x0098;
    static constexpr Field<19, 0> WR {};
    static constexpr auto layout = tiled(WR, Res0<31, 20>{});
};

// SMMU 7.1 "Command queue errors".
enum class CommandError : std::uint8_t {
    CERROR_NONE = 0x00,
    CERROR_ILL = 0x01,
    CERROR_ABT = 0x02,
    CERROR_ATC_INV_SYNC = 0x03,
};

// SMMU 6.3.28 "SMMU_CMDQ_CONS".
struct CmdqCons : Descriptor<CmdqCons, 32> {
    static constexpr std::uint32_t offset = 0x009c;
    static constexpr Field<19, 0>                RD  {};
    static constexpr Field<30, 24, CommandError> ERR {};
    static constexpr auto layout = tiled(RD, Res0<23, 20>{}, ERR, Res0<31>{});
};

// SMMU 6.3.95 "SMMU_EVENTQ_PROD", 6.3.96 "SMMU_EVENTQ_CONS": in page 1.
struct EventqProd : Descriptor<EventqProd, 32> {
    static constexpr std::uint32_t offset = 0x00a8;
    static constexpr Field<19, 0> WR    {};
    static constexpr Flag <31>    OVFLG {};
    static constexpr auto layout = tiled(WR, Res0<30, 20>{}, OVFLG);
};
struct EventqCons : Descriptor<EventqCons, 32> {
    static constexpr std::uint32_t offset = 0x00ac;
    static constexpr Field<19, 0> RD       {};
    static constexpr Flag <31>    OVACKFLG {};
    static constexpr auto layout = tiled(RD, Res0<30, 20>{}, OVACKFLG);
};

// clang-format on

}  // namespace iommu::smmu
