// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 5.1.2 "Interrupt requests" and 9.9 "Interrupt Remapping Table Entry".
#pragma once

#include <cstdint>

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::vtd {

// VT-d 5.1.2.1, 5.1.2.2: the address of an interrupt message, and its data, as one.
struct InterruptRequest : Descriptor<InterruptRequest, 128> {
    // clang-format off
    static constexpr Flag <2>      Handle15       {};
    static constexpr Flag <3>      SHV            {};
    static constexpr Flag <4>      InterruptFormat{};  // 1: remappable
    static constexpr Field<19, 5>  Handle14_0     {};
    static constexpr Field<31, 20> FEEh           {};
    static constexpr Field<79, 64> Subhandle      {};
    static constexpr Field<95, 80> DataReserved   {};  // must be 0 when SHV is set
    static constexpr auto layout =
        tiled(Ignored<1, 0>{}, Handle15, SHV, InterruptFormat, Handle14_0, FEEh,
              Ignored<63, 32>{}, Subhandle, DataReserved, Ignored<127, 96>{});
    // clang-format on
};

enum class SourceValidation : std::uint8_t {
    None = 0b00,
    SourceId = 0b01,
    Bus = 0b10,
    Reserved = 0b11
};

// VT-d 9.9 "Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts".
struct Irte : Descriptor<Irte, 128> {
    // clang-format off
    static constexpr Flag <0>                        P  {};
    static constexpr Flag <1>                        FPD{};
    static constexpr Flag <2>                        DM {};
    static constexpr Flag <3>                        RH {};
    static constexpr Flag <4>                        TM {};
    static constexpr Field<7, 5>                     DLM{};
    static constexpr Flag <15>                       IM {};  // 1: posted, VT-d 9.10
    static constexpr Field<23, 16>                   V  {};
    static constexpr Field<63, 32>                   DST{};
    static constexpr Field<79, 64, SourceId>         SID{};
    static constexpr Field<81, 80>                   SQ {};
    static constexpr Field<83, 82, SourceValidation> SVT{};
    static constexpr auto layout = tiled(P, FPD, DM, RH, TM, DLM, Ignored<11, 8>{},
                                         Res0<14, 12>{}, IM, V, Res0<31, 24>{}, DST, SID,
                                         SQ, SVT, Res0<127, 84>{});
    // clang-format on
};

// Intel SDM 3, 11.11.1 "Message Address Register Format" and 11.11.2 "Message Data ...".
struct MsiAddress : Descriptor<MsiAddress, 64> {
    // clang-format off
    static constexpr Flag <2>      DestinationMode    {};
    static constexpr Flag <3>      RedirectionHint    {};
    static constexpr Field<19, 12> DestinationId      {};
    static constexpr Field<31, 20> FEEh               {};
    static constexpr Field<63, 40> DestinationIdUpper {};  // x2APIC ids above 255, VT-d 5.1.6.2
    static constexpr auto layout = tiled(Res0<1, 0>{}, DestinationMode, RedirectionHint,
                                         Res0<11, 4>{}, DestinationId, FEEh, Res0<39, 32>{},
                                         DestinationIdUpper);
    // clang-format on
};
struct MsiData : Descriptor<MsiData, 64> {
    static constexpr Field<7, 0> Vector{};
    static constexpr Field<10, 8> DeliveryMode{};
    static constexpr Flag<14> Level{};
    static constexpr Flag<15> TriggerMode{};
    static constexpr auto layout =
        tiled(Vector, DeliveryMode, Res0<13, 11>{}, Level, TriggerMode, Res0<63, 16>{});
};

// Golden, by hand: vector 0x31, fixed, physical, to APIC 2 (xAPIC), of 00:1f.2, whole
// SID.
static_assert(Irte{}
                  .with(Irte::P, true)
                  .with(Irte::V, 0x31)
                  .with(Irte::DST, 0x200)
                  .with(Irte::SID, SourceId{0xfa})
                  .with(Irte::SVT, SourceValidation::SourceId)
                  .dword ==
              std::array<std::uint64_t, 2>{0x0000'0200'0031'0001, 0x4'00fa});

}  // namespace iommu::vtd
