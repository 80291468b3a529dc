// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 7.1.3 "Fault Reasons" and 11.4.7.6 "Fault Recording Registers".
#pragma once

#include <cstdint>

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::vtd {

// The manual numbers the conditions (LRT.1, SSS.2, ...); the names here are ours, the
// codes the manual's, cross-checked with Linux's reason tables and QEMU's.
enum class FaultReason : std::uint8_t {
    // Legacy mode.
    RootEntryNotPresent = 0x01,
    ContextEntryNotPresent = 0x02,
    ContextEntryInvalid = 0x03,
    AddressBeyondWidth = 0x04,
    WriteDenied = 0x05,
    ReadDenied = 0x06,
    PagingEntryAccess = 0x07,
    RootEntryAccess = 0x08,
    ContextEntryAccess = 0x09,
    RootEntryReserved = 0x0a,
    ContextEntryReserved = 0x0b,
    PagingEntryReserved = 0x0c,
    RequestTypeBlocked = 0x0d,
    OutputIsInterruptAddress = 0x0e,
    // Interrupt remapping.
    InterruptRequestReserved = 0x20,
    InterruptIndexTooLarge = 0x21,
    IrteNotPresent = 0x22,
    IrteAccess = 0x23,
    IrteReserved = 0x24,
    CompatibilityBlocked = 0x25,
    SourceNotValid = 0x26,
    // Scalable mode: root table address register.
    TableModeInvalid = 0x30,
    PasidInLegacyMode = 0x31,
    // Scalable mode: root, context, PASID structures.
    SmRootEntryAccess = 0x38,
    SmRootEntryNotPresent = 0x39,
    SmRootEntryReserved = 0x3a,
    SmContextEntryAccess = 0x40,
    SmContextEntryNotPresent = 0x41,
    SmContextEntryReserved = 0x42,
    SmContextEntryInvalid = 0x43,
    SmDeviceTlbDisabled = 0x44,
    SmPasidDisabled = 0x45,
    SmPasidTooLarge = 0x46,
    SmRidPasidInvalid = 0x48,
    SmPasidDirAccess = 0x50,
    SmPasidDirNotPresent = 0x51,
    SmPasidDirReserved = 0x52,
    SmPasidEntryAccess = 0x58,
    SmPasidEntryNotPresent = 0x59,
    SmPasidEntryReserved = 0x5a,
    SmPasidEntryInvalid = 0x5b,
    SmExecuteDisabled = 0x5c,
    SmSupervisorDisabled = 0x5d,
    // Scalable mode: first stage.
    FsPagingEntryAccess = 0x70,
    FsPagingEntryNotPresent = 0x71,
    FsPagingEntryReserved = 0x72,
    FsRootAccess = 0x73,
    FsEntryAddressBeyondWidth = 0x74,
    FsRootReadDenied = 0x75,
    FsEntryReadDenied = 0x76,
    FsEntryWriteDenied = 0x77,
    // Scalable mode: second stage.
    SsPagingEntryAccess = 0x78,
    SsPagingEntryNotPresent = 0x79,
    SsPagingEntryReserved = 0x7a,
    SsRootAccess = 0x7b,
    // Scalable mode: the request itself.
    SmNotCanonical = 0x80,
    SmUserDenied = 0x81,
    SmExecuteDenied = 0x82,
    SmAddressBeyondWidth = 0x83,
    SmSecondStageInputBeyondWidth = 0x84,
    SmWriteDenied = 0x85,
    SmReadDenied = 0x86,
    SmOutputIsInterruptAddress = 0x87,
    FsAccessedDirtyUpdate = 0x91,
};

// Type of the request as T1 (bit 126) and T2 (bit 92) spell it: T1 is bit 1, T2 bit 0.
enum class RequestType : std::uint8_t {
    Write = 0b00,
    PageRequest = 0b01,
    Read = 0b10,
    AtomicOp = 0b11
};

// VT-d 11.4.7.6 "Fault Recording Registers".
struct FaultRecord : Descriptor<FaultRecord, 128> {
    // clang-format off
    static constexpr Addr <63, 12, Iova>           FI  {};
    static constexpr Field<79, 64, SourceId>       SID {};
    static constexpr Flag <92>                     T2  {};
    static constexpr Flag <93>                     PRIV{};
    static constexpr Flag <94>                     EXE {};
    static constexpr Flag <95>                     PP  {};
    static constexpr Field<103, 96, FaultReason>   FR  {};
    static constexpr Field<123, 104, Pasid>        PV  {};
    static constexpr Field<125, 124>               AT  {};
    static constexpr Flag <126>                    T1  {};
    static constexpr Flag <127>                    F   {};
    static constexpr auto layout = tiled(Res0<11, 0>{}, FI, SID, Res0<91, 80>{}, T2, PRIV,
                                         EXE, PP, FR, PV, AT, T1, F);
    // clang-format on
};

// VT-d 11.4.7.6, field FI: of an interrupt fault, bits 63:48 are the interrupt index.
struct InterruptFaultRecord : Descriptor<InterruptFaultRecord, 128> {
    // clang-format off
    static constexpr Field<63, 48>                 InterruptIndex{};
    static constexpr Field<79, 64, SourceId>       SID           {};
    static constexpr Field<103, 96, FaultReason>   FR            {};
    static constexpr Flag <127>                    F             {};
    static constexpr auto layout = tiled(Res0<47, 0>{}, InterruptIndex, SID, Res0<95, 80>{},
                                         FR, Res0<126, 104>{}, F);
    // clang-format on
};

// Golden, by hand: a read by 00:02.0 with PASID 5, user, of 0x1234'5000, no read
// permission.
static_assert(FaultRecord{}
                  .with(FaultRecord::FI, Iova{0x1234'5000})
                  .with(FaultRecord::SID, SourceId{0x10})
                  .with(FaultRecord::PP, true)
                  .with(FaultRecord::FR, FaultReason::SmReadDenied)
                  .with(FaultRecord::PV, Pasid{5})
                  .with(FaultRecord::T1, true)
                  .with(FaultRecord::F, true)
                  .dword ==
              std::array<std::uint64_t, 2>{0x1234'5000, 0xc000'0586'8000'0010});

}  // namespace iommu::vtd
