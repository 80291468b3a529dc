// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 11.4 "Register Descriptions": where each register is and what its bits mean.
// A 32-bit register is the low half of its Descriptor.
#pragma once

#include <cstdint>

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::vtd {

// VT-d 11.1 "Register Location".
namespace offset {
// clang-format off
constexpr std::uint64_t VER_REG     = 0x00, CAP_REG     = 0x08, ECAP_REG    = 0x10,
                        GCMD_REG    = 0x18, GSTS_REG    = 0x1c, RTADDR_REG  = 0x20,
                        CCMD_REG    = 0x28, FSTS_REG    = 0x34, FECTL_REG   = 0x38,
                        FEDATA_REG  = 0x3c, FEADDR_REG  = 0x40, FEUADDR_REG = 0x44,
                        PMEN_REG    = 0x64, IQH_REG     = 0x80, IQT_REG     = 0x88,
                        IQA_REG     = 0x90, ICS_REG     = 0x9c, IECTL_REG   = 0xa0,
                        IEDATA_REG  = 0xa4, IEADDR_REG  = 0xa8, IEUADDR_REG = 0xac,
                        IQERCD_REG  = 0xb0, IRTA_REG    = 0xb8;
// The manual leaves these two places to the implementation: ECAP.IRO and CAP.FRO say where.
constexpr std::uint64_t IVA_REG     = 0xf0, IOTLB_REG   = 0xf8, FRCD_REG    = 0x220;
// clang-format on
}  // namespace offset

// VT-d 11.4.1 "Version Register".
struct VerReg : Descriptor<VerReg, 64> {
    static constexpr Field<3, 0> MIN{};
    static constexpr Field<7, 4> MAX{};
    static constexpr auto layout = tiled(MIN, MAX, Res0<63, 8>{});
};

// VT-d 11.4.2 "Capability Register".
struct CapReg : Descriptor<CapReg, 64> {
    // clang-format off
    static constexpr Field<2, 0>   ND     {};
    static constexpr Flag <3>      AFL    {};
    static constexpr Flag <4>      RWBF   {};
    static constexpr Flag <5>      PLMR   {};
    static constexpr Flag <6>      PHMR   {};
    static constexpr Flag <7>      CM     {};
    static constexpr Field<12, 8>  SAGAW  {};
    static constexpr Field<21, 16> MGAW   {};
    static constexpr Flag <22>     ZLR    {};
    static constexpr Field<33, 24> FRO    {};
    static constexpr Field<37, 34> SSLPS  {};
    static constexpr Flag <39>     PSI    {};
    static constexpr Field<47, 40> NFR    {};
    static constexpr Field<53, 48> MAMV   {};
    static constexpr Flag <54>     DWD    {};
    static constexpr Flag <55>     DRD    {};
    static constexpr Flag <56>     FS1GP  {};
    static constexpr Flag <59>     PI     {};
    static constexpr Flag <60>     FS5LP  {};
    static constexpr Flag <61>     ECMDS  {};
    static constexpr Flag <62>     ESIRTPS{};
    static constexpr Flag <63>     ESRTPS {};

    static constexpr auto layout = tiled(
        ND, AFL, RWBF, PLMR, PHMR, CM, SAGAW, Res0<15, 13>{}, MGAW, ZLR, Res0<23>{}, FRO,
        SSLPS, Res0<38>{}, PSI, NFR, MAMV, DWD, DRD, FS1GP, Res0<58, 57>{}, PI, FS5LP,
        ECMDS, ESIRTPS, ESRTPS);
    // clang-format on
};

// VT-d 11.4.3 "Extended Capability Register".
struct EcapReg : Descriptor<EcapReg, 64> {
    // clang-format off
    static constexpr Flag <0>      C     {};
    static constexpr Flag <1>      QI    {};
    static constexpr Flag <2>      DT    {};
    static constexpr Flag <3>      IR    {};
    static constexpr Flag <4>      EIM   {};
    static constexpr Flag <6>      PT    {};
    static constexpr Flag <7>      SC    {};
    static constexpr Field<17, 8>  IRO   {};
    static constexpr Field<23, 20> MHMV  {};
    static constexpr Flag <25>     MTS   {};
    static constexpr Flag <26>     NEST  {};
    static constexpr Flag <29>     PRS   {};
    static constexpr Flag <30>     ERS   {};
    static constexpr Flag <31>     SRS   {};
    static constexpr Flag <33>     NWFS  {};
    static constexpr Flag <34>     EAFS  {};
    static constexpr Field<39, 35> PSS   {};
    static constexpr Flag <40>     PASID {};
    static constexpr Flag <41>     DIT   {};
    static constexpr Flag <42>     PDS   {};
    static constexpr Flag <43>     SMTS  {};
    static constexpr Flag <44>     VCS   {};
    static constexpr Flag <45>     SSADS {};
    static constexpr Flag <46>     SSTS  {};
    static constexpr Flag <47>     FSTS  {};
    static constexpr Flag <48>     SMPWCS{};
    static constexpr Flag <49>     RPS   {};
    static constexpr Flag <51>     PMS   {};
    static constexpr Flag <52>     ADMS  {};
    static constexpr Flag <53>     RPRIVS{};
    static constexpr Flag <58>     SMS   {};

    static constexpr auto layout = tiled(
        C, QI, DT, IR, EIM, Res0<5>{}, PT, SC, IRO, Res0<19, 18>{}, MHMV, Res0<24>{}, MTS,
        NEST, Res0<28, 27>{}, PRS, ERS, SRS, Res0<32>{}, NWFS, EAFS, PSS, PASID, DIT, PDS,
        SMTS, VCS, SSADS, SSTS, FSTS, SMPWCS, RPS, Res0<50>{}, PMS, ADMS, RPRIVS,
        Res0<57, 54>{}, SMS, Res0<63, 59>{});
    // clang-format on
};

// VT-d 11.4.4.1 "Global Command Register" and 11.4.4.2 "Global Status Register": the same
// places, xx in the one and xxS in the other.
struct GlobalReg : Descriptor<GlobalReg, 64> {
    // clang-format off
    static constexpr Flag<23> CFI  {};
    static constexpr Flag<24> SIRTP{};
    static constexpr Flag<25> IRE  {};
    static constexpr Flag<26> QIE  {};
    static constexpr Flag<27> WBF  {};
    static constexpr Flag<28> EAFL {};
    static constexpr Flag<29> SFL  {};
    static constexpr Flag<30> SRTP {};
    static constexpr Flag<31> TE   {};

    static constexpr auto layout = tiled(Res0<22, 0>{}, CFI, SIRTP, IRE, QIE, WBF, EAFL,
                                         SFL, SRTP, TE, Res0<63, 32>{});
    // clang-format on
};

enum class TranslationTableMode : std::uint8_t {
    Legacy = 0b00,
    Scalable = 0b01,
    Reserved = 0b10,
    AbortDma = 0b11
};

// VT-d 11.4.5 "Root Table Address Register".
struct RtaddrReg : Descriptor<RtaddrReg, 64> {
    static constexpr Field<11, 10, TranslationTableMode> TTM{};
    static constexpr Addr<63, 12, Gpa> RTA{};
    static constexpr auto layout = tiled(Res0<9, 0>{}, TTM, RTA);
};

// Granularities as CCMD.CIRG, IOTLB_REG.IIRG and the descriptors' G encode them.
enum class ContextGranularity : std::uint8_t {
    Reserved = 0b00,
    Global = 0b01,
    Domain = 0b10,
    Device = 0b11
};
enum class IotlbGranularity : std::uint8_t {
    Reserved = 0b00,
    Global = 0b01,
    Domain = 0b10,
    Page = 0b11
};

// VT-d 11.4.6.1 "Context Command Register".
struct CcmdReg : Descriptor<CcmdReg, 64> {
    // clang-format off
    static constexpr Field<15, 0, DomainId>            DID {};
    static constexpr Field<31, 16, SourceId>           SID {};
    static constexpr Field<33, 32>                     FM  {};
    static constexpr Field<60, 59, ContextGranularity> CAIG{};
    static constexpr Field<62, 61, ContextGranularity> CIRG{};
    static constexpr Flag <63>                         ICC {};
    static constexpr auto layout = tiled(DID, SID, FM, Res0<58, 34>{}, CAIG, CIRG, ICC);
    // clang-format on
};

// VT-d 11.4.6.2.1 "IOTLB Invalidate Register".
struct IotlbReg : Descriptor<IotlbReg, 64> {
    // clang-format off
    static constexpr Field<47, 32, DomainId>         DID {};
    static constexpr Flag <48>                       DW  {};
    static constexpr Flag <49>                       DR  {};
    static constexpr Field<58, 57, IotlbGranularity> IAIG{};
    static constexpr Field<61, 60, IotlbGranularity> IIRG{};
    static constexpr Flag <63>                       IVT {};
    static constexpr auto layout = tiled(Res0<31, 0>{}, DID, DW, DR, Res0<56, 50>{}, IAIG,
                                         Res0<59>{}, IIRG, Res0<62>{}, IVT);
    // clang-format on
};

// VT-d 11.4.6.2.2 "Invalidate Address Register".
struct IvaReg : Descriptor<IvaReg, 64> {
    static constexpr Field<5, 0> AM{};
    static constexpr Flag<6> IH{};
    static constexpr Addr<63, 12, Iova> ADDR{};
    static constexpr auto layout = tiled(AM, IH, Res0<11, 7>{}, ADDR);
};

// VT-d 11.4.7.1 "Fault Status Register".
struct FstsReg : Descriptor<FstsReg, 64> {
    // clang-format off
    static constexpr Flag <0>     PFO{};
    static constexpr Flag <1>     PPF{};
    static constexpr Flag <4>     IQE{};
    static constexpr Flag <5>     ICE{};
    static constexpr Flag <6>     ITE{};
    static constexpr Field<15, 8> FRI{};
    static constexpr auto layout = tiled(PFO, PPF, Res0<3, 2>{}, IQE, ICE, ITE, Res0<7>{},
                                         FRI, Res0<63, 16>{});
    // clang-format on
};

// VT-d 11.4.7.2 "Fault Event Control Register" and 11.4.9.5 "Invalidation Event Control
// Register".
struct EventControlReg : Descriptor<EventControlReg, 64> {
    static constexpr Flag<30> IP{};
    static constexpr Flag<31> IM{};
    static constexpr auto layout = tiled(Res0<29, 0>{}, IP, IM, Res0<63, 32>{});
};

// VT-d 11.4.9.1 "Invalidation Queue Head Register" and 11.4.9.2 "... Tail Register".
struct QueueIndexReg : Descriptor<QueueIndexReg, 64> {
    static constexpr Field<18, 4> Q{};  // in units of 128 bits
    static constexpr auto layout = tiled(Res0<3, 0>{}, Q, Res0<63, 19>{});
};

// VT-d 11.4.9.3 "Invalidation Queue Address Register".
struct IqaReg : Descriptor<IqaReg, 64> {
    static constexpr Field<2, 0> QS{};
    static constexpr Flag<11> DW{};
    static constexpr Addr<63, 12, Gpa> IQA{};
    static constexpr auto layout = tiled(QS, Res0<10, 3>{}, DW, IQA);
};

// VT-d 11.4.9.4 "Invalidation Completion Status Register".
struct IcsReg : Descriptor<IcsReg, 64> {
    static constexpr Flag<0> IWC{};
    static constexpr auto layout = tiled(IWC, Res0<63, 1>{});
};

// VT-d 11.4.9.9 "Invalidation Queue Error Record Register", field IQEI.
enum class QueueError : std::uint8_t {
    None = 0,
    InvalidTail = 1,
    FetchFailed = 2,
    InvalidType = 3,
    ReservedField = 4,
    InvalidWidth = 5,
    MisalignedTail = 6,
    InvalidTableMode = 7
};
struct IqercdReg : Descriptor<IqercdReg, 64> {
    static constexpr Field<3, 0, QueueError> IQEI{};
    static constexpr Field<47, 32, SourceId> ITESID{};
    static constexpr Field<63, 48, SourceId> ICESID{};
    static constexpr auto layout = tiled(IQEI, Res0<31, 4>{}, ITESID, ICESID);
};

// VT-d 11.4.10.1 "Interrupt Remapping Table Address Register".
struct IrtaReg : Descriptor<IrtaReg, 64> {
    static constexpr Field<3, 0> S{};  // 2^(S + 1) entries
    static constexpr Flag<11> EIME{};
    static constexpr Addr<63, 12, Gpa> IRTA{};
    static constexpr auto layout = tiled(S, Res0<10, 4>{}, EIME, IRTA);
};

// Golden, from the register dump of QEMU 10.2.2's intel-iommu (a foreign device, read
// from a guest): CAP 0x80d2008c222f0606, ECAP 0xf00f4a.
static_assert(CapReg{}
                  .with(CapReg::ND, 6)
                  .with(CapReg::SAGAW, 0b00110)
                  .with(CapReg::MGAW, 47)
                  .with(CapReg::FRO, 0x220 / 16)
                  .with(CapReg::SSLPS, 0b0011)
                  .with(CapReg::PSI, true)
                  .with(CapReg::MAMV, 18)
                  .with(CapReg::DWD, true)
                  .with(CapReg::DRD, true)
                  .with(CapReg::ESRTPS, true)
                  .dword[0] == 0x80d2'008c'222f'0606);
static_assert(EcapReg{}
                  .with(EcapReg::QI, true)
                  .with(EcapReg::IR, true)
                  .with(EcapReg::PT, true)
                  .with(EcapReg::IRO, 0xf0 / 16)
                  .with(EcapReg::MHMV, 15)
                  .dword[0] == 0x00f0'0f4a);

}  // namespace iommu::vtd
