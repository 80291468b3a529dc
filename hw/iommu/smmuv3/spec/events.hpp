// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 7.3 "Event records": 32 bytes each, little-endian.  How a Fault is written down.
#pragma once

#include <array>
#include <cstdint>

#include "hw/iommu/smmuv3/fault.hpp"
#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::smmu {

using EventWords = std::array<std::uint64_t, 4>;

// clang-format off

// SMMU 7.3.3 C_BAD_STREAMID, 7.3.5 C_BAD_STE, 7.3.11 C_BAD_CD.  7.3.9 C_BAD_SUBSTREAMID has no
// SSV (the SubstreamID is always valid), 7.3.7 F_STREAM_DISABLED has the StreamID alone.
struct ConfigurationRecord : Descriptor<ConfigurationRecord, 256> {
    static constexpr Field<7, 0, EventId>    EventNumber {};
    static constexpr Flag <11>               SSV         {};
    static constexpr Field<31, 12>           SubstreamID {};
    static constexpr Field<63, 32, StreamId> StreamID    {};
    static constexpr auto layout = tiled(EventNumber, Res0<10, 8>{}, SSV, SubstreamID, StreamID,
                                         Res0<127, 64>{}, Res0<191, 128>{}, Res0<255, 192>{});
};

// SMMU 7.3.4 F_STE_FETCH, 7.3.10 F_CD_FETCH.
struct FetchRecord : Descriptor<FetchRecord, 256> {
    static constexpr Field<7, 0, EventId>    EventNumber {};
    static constexpr Flag <11>               SSV         {};
    static constexpr Field<31, 12>           SubstreamID {};
    static constexpr Field<63, 32, StreamId> StreamID    {};
    static constexpr Field<79, 64>           Reason      {};
    static constexpr Flag <80>               GPCF        {};
    static constexpr Addr <247, 195, Gpa>    FetchAddr   {};  // [55:3]
    static constexpr auto layout = tiled(EventNumber, Res0<10, 8>{}, SSV, SubstreamID, StreamID,
                                         Reason, GPCF, Res0<127, 81>{}, Res0<191, 128>{},
                                         Res0<194, 192>{}, FetchAddr, Res0<255, 248>{});
};

// SMMU 7.3.12 F_WALK_EABT.
struct WalkAbortRecord : Descriptor<WalkAbortRecord, 256> {
    static constexpr Field<7, 0, EventId>     EventNumber {};
    static constexpr Flag <11>                SSV         {};
    static constexpr Field<31, 12>            SubstreamID {};
    static constexpr Field<63, 32, StreamId>  StreamID    {};
    static constexpr Field<79, 64>            Reason      {};
    static constexpr Flag <80>                GPCF        {};
    static constexpr Flag <97>                PnU         {};
    static constexpr Flag <98>                InD         {};
    static constexpr Flag <99>                RnW         {};
    static constexpr Flag <103>               S2          {};
    static constexpr Field<105, 104, Purpose> CLASS       {};
    static constexpr Field<191, 128>          InputAddr   {};
    static constexpr Addr <247, 195, Gpa>     FetchAddr   {};  // [55:3]
    static constexpr auto layout = tiled(EventNumber, Res0<10, 8>{}, SSV, SubstreamID, StreamID,
                                         Reason, GPCF, Res0<96, 81>{}, PnU, InD, RnW,
                                         Res0<102, 100>{}, S2, CLASS, Res0<127, 106>{}, InputAddr,
                                         Res0<194, 192>{}, FetchAddr, Res0<255, 248>{});
};

// SMMU 7.3.13 F_TRANSLATION, 7.3.14 F_ADDR_SIZE, 7.3.15 F_ACCESS, 7.3.16 F_PERMISSION.
// STAG and Stall belong to the stall model, NSIPA to Secure state: neither is implemented.
struct TranslationRecord : Descriptor<TranslationRecord, 256> {
    static constexpr Field<7, 0, EventId>     EventNumber {};
    static constexpr Flag <11>                SSV         {};
    static constexpr Field<31, 12>            SubstreamID {};
    static constexpr Field<63, 32, StreamId>  StreamID    {};
    static constexpr Field<79, 64>            STAG        {};
    static constexpr Flag <95>                Stall       {};
    static constexpr Flag <97>                PnU         {};
    static constexpr Flag <98>                InD         {};
    static constexpr Flag <99>                RnW         {};
    static constexpr Flag <102>               NSIPA       {};
    static constexpr Flag <103>               S2          {};
    static constexpr Field<105, 104, Purpose> CLASS       {};
    static constexpr Flag <108>               TTRnW       {};  // F_PERMISSION only
    static constexpr Field<191, 128>          InputAddr   {};
    static constexpr Addr <247, 204, Ipa>     IPA         {};  // [55:12]
    static constexpr auto layout = tiled(EventNumber, Res0<10, 8>{}, SSV, SubstreamID, StreamID,
                                         STAG, Res0<94, 80>{}, Stall, Res0<96>{}, PnU, InD, RnW,
                                         Res0<101, 100>{}, NSIPA, S2, CLASS, Res0<107, 106>{},
                                         TTRnW, Res0<127, 109>{}, InputAddr, Res0<203, 192>{}, IPA,
                                         Res0<255, 248>{});
};

// clang-format on

namespace detail {

template <typename Record>
constexpr Record common(const Fault& f)
{
    return Record{}
        .with(Record::EventNumber, f.id)
        .with(Record::SSV, f.substream.present)
        // Without SSV the field is UNKNOWN: ours is zero.
        .with(Record::SubstreamID, f.substream.present ? f.substream.value & 0xfffff : 0)
        .with(Record::StreamID, f.stream);
}

template <typename Record>
constexpr Record access(const Fault& f)
{
    const bool read = f.access == Access::Read;
    return common<Record>(f)
        .with(Record::PnU, f.privilege == Privilege::Privileged)
        // InD == 0 when RnW == 0.
        .with(Record::InD, read && f.content == Content::Instruction)
        .with(Record::RnW, read)
        .with(Record::S2, f.stage == Stage::S2)
        .with(Record::CLASS, f.purpose)
        .with(Record::InputAddr, f.input.value);
}

// Addresses are reported in [55:OAS] as zero.
constexpr std::uint64_t within(unsigned oas_bits, std::uint64_t address)
{
    return address & ((std::uint64_t{1} << oas_bits) - 1);
}

}  // namespace detail

constexpr EventWords encode(const Fault& f, unsigned oas_bits)
{
    const Gpa fetched{detail::within(oas_bits, f.fetched_from.value) & ~7ull};
    switch (f.id) {
    case EventId::F_STE_FETCH:
    case EventId::F_CD_FETCH:
        return detail::common<FetchRecord>(f).with(FetchRecord::FetchAddr, fetched).dword;
    case EventId::F_WALK_EABT:
        return detail::access<WalkAbortRecord>(f)
            .with(WalkAbortRecord::FetchAddr, fetched)
            .dword;
    case EventId::F_TRANSLATION:
    case EventId::F_ADDR_SIZE:
    case EventId::F_ACCESS:
    case EventId::F_PERMISSION: {
        const bool s2 = f.stage == Stage::S2;
        // Without hardware update of Access flag and dirty state the SMMU only reads
        // tables.
        const bool table_read =
            f.id == EventId::F_PERMISSION && s2 && f.purpose == Purpose::TableWalk;
        const Ipa ipa{s2 ? detail::within(oas_bits, f.ipa.value) & ~0xfffull : 0};
        return detail::access<TranslationRecord>(f)
            .with(TranslationRecord::TTRnW, table_read)
            .with(TranslationRecord::IPA, ipa)
            .dword;
    }
    case EventId::C_BAD_SUBSTREAMID:
        return detail::common<ConfigurationRecord>(f)
            .with(ConfigurationRecord::SSV, false)
            .dword;
    case EventId::F_STREAM_DISABLED:
        return detail::common<ConfigurationRecord>(f)
            .with(ConfigurationRecord::SSV, false)
            .with(ConfigurationRecord::SubstreamID, 0)
            .dword;
    case EventId::C_BAD_STREAMID:
    case EventId::C_BAD_STE:
    case EventId::C_BAD_CD:
    // Not raised: F_UUT, ATS (3.9), F_TLB_CONFLICT, F_CFG_CONFLICT, E_PAGE_REQUEST.
    case EventId::F_UUT:
    case EventId::F_BAD_ATS_TREQ:
    case EventId::F_TRANSL_FORBIDDEN:
    case EventId::F_TLB_CONFLICT:
    case EventId::F_CFG_CONFLICT:
    case EventId::E_PAGE_REQUEST:
        break;
    }
    return detail::common<ConfigurationRecord>(f).dword;
}

}  // namespace iommu::smmu
