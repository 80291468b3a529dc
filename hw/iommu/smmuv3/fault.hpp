// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 7.3 "Event records": what happened, as a plain value.  How it is written down is
// spec/events.hpp's business, whether it is written down is Translator::refuse's.
#pragma once

#include <cstdint>

#include "iommu/address.hpp"
#include "iommu/transaction.hpp"

namespace iommu::smmu {

enum class EventId : std::uint8_t {
    F_UUT = 0x01,
    C_BAD_STREAMID = 0x02,
    F_STE_FETCH = 0x03,
    C_BAD_STE = 0x04,
    F_BAD_ATS_TREQ = 0x05,
    F_STREAM_DISABLED = 0x06,
    F_TRANSL_FORBIDDEN = 0x07,
    C_BAD_SUBSTREAMID = 0x08,
    F_CD_FETCH = 0x09,
    C_BAD_CD = 0x0a,
    F_WALK_EABT = 0x0b,
    F_TRANSLATION = 0x10,
    F_ADDR_SIZE = 0x11,
    F_ACCESS = 0x12,
    F_PERMISSION = 0x13,
    F_TLB_CONFLICT = 0x20,
    F_CFG_CONFLICT = 0x21,
    E_PAGE_REQUEST = 0x24,
};

enum class Stage : std::uint8_t { S1, S2 };

// SMMU 7.3.12 CLASS: why the SMMU was reading.  Set where the read starts, never patched
// later.
enum class Purpose : std::uint8_t { CdFetch = 0b00, TableWalk = 0b01, Input = 0b10 };

// Fields that a given EventId does not have stay zero and are not encoded.
struct Fault {
    EventId id{};
    Stage stage = Stage::S1;
    Purpose purpose = Purpose::Input;
    StreamId stream{};
    Substream substream{};  // SSV, SubstreamID
    Access access = Access::Read;
    Privilege privilege = Privilege::User;
    Content content = Content::Data;
    Iova input{};        // InputAddr
    Ipa ipa{};           // IPA, meaningful when stage == Stage::S2
    Gpa fetched_from{};  // FetchAddr of F_STE_FETCH, F_CD_FETCH, F_WALK_EABT
};

}  // namespace iommu::smmu
