// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5.2 "Queued Invalidation Interface": the descriptors.  The 256-bit form (IQA.DW)
// adds two reserved doublewords to each.
#pragma once

#include <cstdint>

#include "hw/iommu/vtd/spec/registers.hpp"
#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::vtd {

// Bits 3:0 and 11:9 of every descriptor together are its type.
enum class DescriptorType : std::uint8_t {
    ContextCache = 0x1,
    Iotlb = 0x2,
    DeviceTlb = 0x3,
    InterruptEntryCache = 0x4,
    Wait = 0x5,
    PasidIotlb = 0x6,
    PasidCache = 0x7,
    PasidDeviceTlb = 0x8,
};
struct AnyDescriptor : Descriptor<AnyDescriptor, 128> {
    static constexpr Field<3, 0> Type3_0{};
    static constexpr Field<11, 9> Type6_4{};
    static constexpr auto layout =
        tiled(Type3_0, Ignored<8, 4>{}, Type6_4, Ignored<63, 12>{}, Ignored<127, 64>{});
    constexpr DescriptorType type() const
    {
        return static_cast<DescriptorType>((*this)[Type3_0] | (*this)[Type6_4] << 4);
    }
};

// In each of the following the two halves of the type stand as Ignored: AnyDescriptor has
// decoded them.

// VT-d 6.5.2.1 "Context-Cache Invalidate Descriptor".
struct ContextCacheDescriptor : Descriptor<ContextCacheDescriptor, 128> {
    // clang-format off
    static constexpr Field<5, 4, ContextGranularity> G  {};
    static constexpr Field<31, 16, DomainId>         DID{};
    static constexpr Field<47, 32, SourceId>         SID{};
    static constexpr Field<49, 48>                   FM {};
    static constexpr auto layout = tiled(Ignored<3, 0>{}, G, Res0<8, 6>{}, Ignored<11, 9>{},
                                         Res0<15, 12>{}, DID, SID, FM, Res0<63, 50>{},
                                         Res0<127, 64>{});
    // clang-format on
};

// VT-d 6.5.2.3 "IOTLB Invalidate Descriptor".
struct IotlbDescriptor : Descriptor<IotlbDescriptor, 128> {
    // clang-format off
    static constexpr Field<5, 4, IotlbGranularity> G   {};
    static constexpr Flag <6>                      DW  {};
    static constexpr Flag <7>                      DR  {};
    static constexpr Field<31, 16, DomainId>       DID {};
    static constexpr Field<69, 64>                 AM  {};
    static constexpr Flag <70>                     IH  {};
    static constexpr Addr <127, 76, Iova>          ADDR{};
    static constexpr auto layout = tiled(Ignored<3, 0>{}, G, DW, DR, Res0<8>{},
                                         Ignored<11, 9>{}, Res0<15, 12>{}, DID,
                                         Res0<63, 32>{}, AM, IH, Res0<75, 71>{}, ADDR);
    // clang-format on
};

// VT-d 6.5.2.5 "Device-TLB Invalidate Descriptor".
struct DeviceTlbDescriptor : Descriptor<DeviceTlbDescriptor, 128> {
    // clang-format off
    static constexpr Field<15, 12>           PFSID3_0 {};
    static constexpr Field<20, 16>           MIP      {};
    static constexpr Field<47, 32, SourceId> SID      {};
    static constexpr Field<63, 52>           PFSID15_4{};
    static constexpr Flag <64>               S        {};
    static constexpr Addr <127, 76, Iova>    ADDR     {};
    static constexpr auto layout = tiled(Ignored<3, 0>{}, Res0<8, 4>{}, Ignored<11, 9>{},
                                         PFSID3_0, MIP, Res0<31, 21>{}, SID, Res0<51, 48>{},
                                         PFSID15_4, S, Res0<75, 65>{}, ADDR);
    // clang-format on
};

// VT-d 6.5.2.7 "Interrupt Entry Cache Invalidate Descriptor".
struct InterruptEntryCacheDescriptor : Descriptor<InterruptEntryCacheDescriptor, 128> {
    // clang-format off
    static constexpr Flag <4>      G   {};  // 0: all, 1: the indices IIDX and IM name
    static constexpr Field<31, 27> IM  {};
    static constexpr Field<47, 32> IIDX{};
    static constexpr auto layout = tiled(Ignored<3, 0>{}, G, Res0<8, 5>{}, Ignored<11, 9>{},
                                         Res0<26, 12>{}, IM, IIDX, Res0<63, 48>{},
                                         Res0<127, 64>{});
    // clang-format on
};

// VT-d 6.5.2.8 "Invalidation Wait Descriptor".
struct WaitDescriptor : Descriptor<WaitDescriptor, 128> {
    // clang-format off
    static constexpr Flag <4>             IF           {};
    static constexpr Flag <5>             SW           {};
    static constexpr Flag <6>             FN           {};
    static constexpr Flag <7>             PD           {};  // ECAP.PDS, not offered
    static constexpr Field<63, 32>        StatusData   {};
    static constexpr Addr <127, 66, Gpa>  StatusAddress{};
    static constexpr auto layout = tiled(Ignored<3, 0>{}, IF, SW, FN, PD, Res0<8>{},
                                         Ignored<11, 9>{}, Res0<31, 12>{}, StatusData,
                                         Res0<65, 64>{}, StatusAddress);
    // clang-format on
};

enum class PasidCacheGranularity : std::uint8_t {
    Domain = 0b00,
    Pasid = 0b01,
    Reserved = 0b10,
    Global = 0b11
};
// VT-d 6.5.2.2 "PASID-Cache Invalidate Descriptor".
struct PasidCacheDescriptor : Descriptor<PasidCacheDescriptor, 128> {
    // clang-format off
    static constexpr Field<5, 4, PasidCacheGranularity> G    {};
    static constexpr Field<31, 16, DomainId>            DID  {};
    static constexpr Field<51, 32, Pasid>               PASID{};
    static constexpr auto layout = tiled(Ignored<3, 0>{}, G, Res0<8, 6>{}, Ignored<11, 9>{},
                                         Res0<15, 12>{}, DID, PASID, Res0<63, 52>{},
                                         Res0<127, 64>{});
    // clang-format on
};

enum class PasidIotlbGranularity : std::uint8_t { Pasid = 0b10, PageInPasid = 0b11 };
// VT-d 6.5.2.4 "PASID-based-IOTLB Invalidate Descriptor".
struct PasidIotlbDescriptor : Descriptor<PasidIotlbDescriptor, 128> {
    // clang-format off
    static constexpr Field<5, 4, PasidIotlbGranularity> G    {};
    static constexpr Field<31, 16, DomainId>            DID  {};
    static constexpr Field<51, 32, Pasid>               PASID{};
    static constexpr Field<69, 64>                      AM   {};
    static constexpr Flag <70>                          IH   {};
    static constexpr Addr <127, 76, Iova>               ADDR {};
    static constexpr auto layout = tiled(Ignored<3, 0>{}, G, Res0<8, 6>{}, Ignored<11, 9>{},
                                         Res0<15, 12>{}, DID, PASID, Res0<63, 52>{}, AM, IH,
                                         Res0<75, 71>{}, ADDR);
    // clang-format on
};

// VT-d 6.5.2.6 "PASID-based-Device-TLB Invalidate Descriptor".
struct PasidDeviceTlbDescriptor : Descriptor<PasidDeviceTlbDescriptor, 128> {
    // clang-format off
    static constexpr Field<8, 4>             MIP      {};
    static constexpr Field<15, 12>           PFSID3_0 {};
    static constexpr Field<31, 16, SourceId> SID      {};
    static constexpr Field<51, 32, Pasid>    PASID    {};
    static constexpr Field<63, 52>           PFSID15_4{};
    static constexpr Flag <64>               G        {};
    static constexpr Flag <75>               S        {};
    static constexpr Addr <127, 76, Iova>    ADDR     {};
    static constexpr auto layout = tiled(Ignored<3, 0>{}, MIP, Ignored<11, 9>{}, PFSID3_0,
                                         SID, PASID, PFSID15_4, G, Res0<74, 65>{}, S, ADDR);
    // clang-format on
};

// Golden, by hand.
static_assert(WaitDescriptor::layout[0] == 0x0000'0000'ffff'f100);
static_assert(IotlbDescriptor{}
                  .with(IotlbDescriptor::G, IotlbGranularity::Page)
                  .with(IotlbDescriptor::DR, true)
                  .with(IotlbDescriptor::DID, DomainId{0x42})
                  .with(IotlbDescriptor::AM, 9)
                  .with(IotlbDescriptor::ADDR, Iova{0x8020'0000})
                  .dword == std::array<std::uint64_t, 2>{0x42'00b0, 0x8020'0009});
static_assert(PasidIotlbDescriptor{}
                  .with(PasidIotlbDescriptor::G, PasidIotlbGranularity::PageInPasid)
                  .with(PasidIotlbDescriptor::DID, DomainId{1})
                  .with(PasidIotlbDescriptor::PASID, Pasid{0x54321})
                  .with(PasidIotlbDescriptor::ADDR, Iova{0x1000})
                  .dword == std::array<std::uint64_t, 2>{0x5'4321'0001'0030, 0x1000});

}  // namespace iommu::vtd
