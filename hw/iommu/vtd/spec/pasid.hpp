// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 9.5 and 9.6: the PASID directory and the PASID table.
#pragma once

#include <cstdint>

#include "hw/iommu/vtd/spec/context.hpp"
#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::vtd {

// VT-d 9.5 "Scalable-Mode PASID Directory Entry": 64 PASIDs each.
struct PasidDirectoryEntry : Descriptor<PasidDirectoryEntry, 64> {
    static constexpr Flag<0> P{};
    static constexpr Flag<1> FPD{};
    static constexpr Addr<63, 12, Gpa> SMPTBLPTR{};
    static constexpr auto layout = tiled(P, FPD, Res0<11, 2>{}, SMPTBLPTR);
};

enum class Pgtt : std::uint8_t {
    FirstStage = 0b001,
    SecondStage = 0b010,
    Nested = 0b011,
    PassThrough = 0b100
};
enum class FirstStageMode : std::uint8_t { Level4 = 0b00, Level5 = 0b01 };

// VT-d 9.6 "Scalable-Mode PASID Table Entry".  CD to PAT belong to ECAP.MTS, which is not
// offered: reserved here.
struct PasidTableEntry : Descriptor<PasidTableEntry, 512> {
    // clang-format off
    static constexpr Flag <0>                          P      {};
    static constexpr Flag <1>                          FPD    {};
    static constexpr Field<4, 2, AddressWidth>         AW     {};
    static constexpr Flag <5>                          SSEE   {};
    static constexpr Field<8, 6, Pgtt>                 PGTT   {};
    static constexpr Flag <9>                          SSADE  {};
    static constexpr Addr <63, 12, Gpa>                SSPTPTR{};
    static constexpr Field<79, 64, DomainId>           DID    {};
    static constexpr Flag <87>                         PWSNP  {};
    static constexpr Flag <88>                         PGSNP  {};
    static constexpr Flag <128>                        SRE    {};
    static constexpr Flag <129>                        ERE    {};
    static constexpr Field<131, 130, FirstStageMode>   FSPM   {};
    static constexpr Flag <132>                        WPE    {};
    static constexpr Flag <133>                        NXE    {};
    static constexpr Flag <134>                        SMEP   {};
    static constexpr Flag <135>                        EAFE   {};
    static constexpr Addr <191, 140, Gpa>              FSPTPTR{};
    static constexpr auto layout = tiled(
        P, FPD, AW, SSEE, PGTT, SSADE, Res0<11, 10>{}, SSPTPTR,
        DID, Res0<86, 80>{}, PWSNP, PGSNP, Res0<127, 89>{},
        SRE, ERE, FSPM, WPE, NXE, SMEP, EAFE, Res0<139, 136>{}, FSPTPTR,
        Res0<255, 192>{}, Res0<319, 256>{}, Res0<383, 320>{}, Res0<447, 384>{},
        Res0<511, 448>{});
    // clang-format on
};
static_assert(sizeof(PasidTableEntry) == 64);

// Golden, by hand.  Second stage: 4 levels at 0x5000, domain 7, A/D.  First stage: 4
// levels at 0x9000, domain 3, supervisor requests with write protection, extended
// accessed.
static_assert(PasidTableEntry{}
                  .with(PasidTableEntry::P, true)
                  .with(PasidTableEntry::AW, AddressWidth::W48)
                  .with(PasidTableEntry::PGTT, Pgtt::SecondStage)
                  .with(PasidTableEntry::SSADE, true)
                  .with(PasidTableEntry::SSPTPTR, Gpa{0x5000})
                  .with(PasidTableEntry::DID, DomainId{7})
                  .dword == std::array<std::uint64_t, 8>{0x5289, 7});
static_assert(PasidTableEntry{}
                  .with(PasidTableEntry::P, true)
                  .with(PasidTableEntry::PGTT, Pgtt::FirstStage)
                  .with(PasidTableEntry::DID, DomainId{3})
                  .with(PasidTableEntry::PWSNP, true)
                  .with(PasidTableEntry::SRE, true)
                  .with(PasidTableEntry::WPE, true)
                  .with(PasidTableEntry::EAFE, true)
                  .with(PasidTableEntry::FSPTPTR, Gpa{0x9000})
                  .dword == std::array<std::uint64_t, 8>{0x41, 0x80'0003, 0x9091});

}  // namespace iommu::vtd
