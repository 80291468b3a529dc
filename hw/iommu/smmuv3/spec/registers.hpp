// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 6.2 "Register overview", 6.3.9 and on: control, queues and errors of the
// Non-secure programming interface, pages 0 and 1.  Types and offsets only.
#pragma once

#include <cstdint>

#include "hw/iommu/smmuv3/spec/identification.hpp"
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
