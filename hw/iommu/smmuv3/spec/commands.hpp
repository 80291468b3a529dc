// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 4 "Commands": 16 bytes each, little-endian.  Types only.
#pragma once

#include <cstdint>

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::smmu {

// SMMU 4.1.1 "Command opcodes".
enum class Opcode : std::uint8_t {
    CMD_PREFETCH_CONFIG = 0x01,
    CMD_PREFETCH_ADDR = 0x02,
    CMD_CFGI_STE = 0x03,
    CMD_CFGI_STE_RANGE = 0x04,  // Range 31 is CMD_CFGI_ALL
    CMD_CFGI_CD = 0x05,
    CMD_CFGI_CD_ALL = 0x06,
    CMD_CFGI_VMS_PIDM = 0x07,
    CMD_TLBI_NH_ALL = 0x10,
    CMD_TLBI_NH_ASID = 0x11,
    CMD_TLBI_NH_VA = 0x12,
    CMD_TLBI_NH_VAA = 0x13,
    CMD_TLBI_EL3_ALL = 0x18,
    CMD_TLBI_EL3_VA = 0x1a,
    CMD_TLBI_EL2_ALL = 0x20,
    CMD_TLBI_EL2_ASID = 0x21,
    CMD_TLBI_EL2_VA = 0x22,
    CMD_TLBI_EL2_VAA = 0x23,
    CMD_TLBI_S12_VMALL = 0x28,
    CMD_TLBI_S2_IPA = 0x2a,
    CMD_TLBI_NSNH_ALL = 0x30,
    CMD_ATC_INV = 0x40,
    CMD_PRI_RESP = 0x41,
    CMD_RESUME = 0x44,
    CMD_STALL_TERM = 0x45,
    CMD_SYNC = 0x46,
    CMD_TLBI_S_EL2_ALL = 0x50,
    CMD_TLBI_S_EL2_ASID = 0x51,
    CMD_TLBI_S_EL2_VA = 0x52,
    CMD_TLBI_S_EL2_VAA = 0x53,
    CMD_TLBI_S_S12_VMALL = 0x58,
    CMD_TLBI_S_S2_IPA = 0x5a,
    CMD_TLBI_SNH_ALL = 0x60,
    CMD_DPTI_ALL = 0x70,
    CMD_DPTI_PA = 0x73,
};

// clang-format off

// What every command begins with; SSec is bit 10 wherever a command has a StreamID
// (SMMU 4.1.6 "Common command fields").
struct Command : Descriptor<Command, 128> {
    static constexpr Field<7, 0, Opcode> opcode {};
    static constexpr Flag <10>           SSec   {};
    static constexpr auto layout = tiled(opcode, Ignored<9, 8>{}, SSec, Ignored<63, 11>{},
                                         Ignored<127, 64>{});
};

// SMMU 4.2.1 "CMD_PREFETCH_CONFIG".
struct PrefetchConfig : Descriptor<PrefetchConfig, 128> {
    static constexpr Field<7, 0, Opcode>         opcode      {};
    static constexpr Flag <10>                   SSec        {};
    static constexpr Flag <11>                   SSV         {};
    static constexpr Field<31, 12, SubstreamId>  SubstreamID {};
    static constexpr Field<63, 32, StreamId>     StreamID    {};
    static constexpr auto layout = tiled(opcode, Res0<9, 8>{}, SSec, SSV, SubstreamID, StreamID,
                                         Res0<127, 64>{});
};

// SMMU 4.3.1 "CMD_CFGI_STE", 4.3.2 "CMD_CFGI_STE_RANGE", 4.3.3 "CMD_CFGI_CD",
// 4.3.4 "CMD_CFGI_CD_ALL": each uses some of these and leaves the rest RES0.  Leaf and
// Range begin at the same bit.
struct CfgiSte : Descriptor<CfgiSte, 128> {
    static constexpr Field<7, 0, Opcode>     opcode   {};
    static constexpr Flag <10>               SSec     {};
    static constexpr Field<63, 32, StreamId> StreamID {};
    static constexpr Flag <64>               Leaf     {};
    static constexpr auto layout = tiled(opcode, Res0<9, 8>{}, SSec, Res0<31, 11>{}, StreamID, Leaf,
                                         Res0<127, 65>{});
};
struct CfgiSteRange : Descriptor<CfgiSteRange, 128> {
    static constexpr Field<7, 0, Opcode>     opcode   {};
    static constexpr Flag <10>               SSec     {};
    static constexpr Field<63, 32, StreamId> StreamID {};
    static constexpr Field<68, 64, unsigned> Range    {};
    static constexpr auto layout = tiled(opcode, Res0<9, 8>{}, SSec, Res0<31, 11>{}, StreamID,
                                         Range, Res0<127, 69>{});
};
struct CfgiCd : Descriptor<CfgiCd, 128> {
    static constexpr Field<7, 0, Opcode>        opcode      {};
    static constexpr Flag <10>                  SSec        {};
    static constexpr Field<31, 12, SubstreamId> SubstreamID {};
    static constexpr Field<63, 32, StreamId>    StreamID    {};
    static constexpr Flag <64>                  Leaf        {};
    static constexpr auto layout = tiled(opcode, Res0<9, 8>{}, SSec, Res0<11>{}, SubstreamID,
                                         StreamID, Leaf, Res0<127, 65>{});
};

// SMMU 4.4.1.1 "Range-based invalidation and level hint".
enum class TranslationGranule : std::uint8_t { Any = 0b00, G4K = 0b01, G16K = 0b10, G64K = 0b11 };

// SMMU 4.4.2 "TLB invalidation of stage 1", 4.4.3 "... of stage 2": CMD_TLBI_NH_ALL and
// CMD_TLBI_S12_VMALL use VMID, CMD_TLBI_NH_ASID adds ASID, CMD_TLBI_NH_VA uses all,
// CMD_TLBI_NH_VAA and CMD_TLBI_S2_IPA leave ASID RES0.
struct Tlbi : Descriptor<Tlbi, 128> {
    static constexpr Field<7, 0, Opcode>               opcode  {};
    static constexpr Field<16, 12, unsigned>           NUM     {};
    static constexpr Field<24, 20, unsigned>           SCALE   {};  // bit 25 is RES0, IDR5.DS is 0
    static constexpr Field<47, 32, Vmid>               VMID    {};
    static constexpr Field<63, 48, Asid>               ASID    {};
    static constexpr Flag <64>                         Leaf    {};
    static constexpr Flag <71>                         TTL128  {};
    static constexpr Field<73, 72, unsigned>           TTL     {};
    static constexpr Field<75, 74, TranslationGranule> TG      {};
    static constexpr Field<127, 76>                    Address {};  // [63:12]
    static constexpr auto layout = tiled(opcode, Res0<11, 8>{}, NUM, Res0<19, 17>{}, SCALE,
                                         Res0<31, 25>{}, VMID, ASID, Leaf, Res0<70, 65>{}, TTL128,
                                         TTL, TG, Address);
};

// SMMU 4.7.3 "CMD_SYNC", ComplSignal.
enum class CompletionSignal : std::uint8_t {
    SIG_NONE = 0b00,
    SIG_IRQ = 0b01,
    SIG_SEV = 0b10,
    Reserved = 0b11,
};

struct Sync : Descriptor<Sync, 128> {
    static constexpr Field<7, 0, Opcode>             opcode     {};
    static constexpr Field<13, 12, CompletionSignal> CS         {};
    static constexpr Field<23, 22>                   MSH        {};
    static constexpr Field<27, 24>                   MSIAttr    {};
    static constexpr Field<63, 32, std::uint32_t>    MSIData    {};
    static constexpr Flag <64>                       MSI_NS     {};
    static constexpr Field<119, 66>                  MSIAddress {};  // [55:2]
    static constexpr auto layout = tiled(opcode, Res0<11, 8>{}, CS, Res0<21, 14>{}, MSH, MSIAttr,
                                         Res0<31, 28>{}, MSIData, MSI_NS, Res0<65>{}, MSIAddress,
                                         Res0<127, 120>{});
};

// clang-format on

static_assert(sizeof(Command) == 16 && sizeof(Sync) == 16 && sizeof(Tlbi) == 16);

}  // namespace iommu::smmu
