// SPDX-License-Identifier: GPL-2.0-or-later
// What the translation and the registers' owner tell each other, as plain values.
#pragma once

#include <cstdint>
#include <optional>

#include "hw/iommu/smmuv3/fault.hpp"
#include "iommu/memory.hpp"
#include "iommu/transaction.hpp"

namespace iommu::smmu {

// SMMU 6.3.24, 6.3.25 SMMU_STRTAB_BASE(_CFG), as the registers' owner hands it over.
struct StreamTable {
    enum class Format : std::uint8_t { Linear, TwoLevel };
    Gpa base{};
    Format format = Format::Linear;
    unsigned log2size = 0;  // in StreamIDs
    unsigned split = 6;     // 6, 8 or 10; TwoLevel only
};

// What was built in (IDR): fixed for the life of the device.
struct Capabilities {
    unsigned sid_bits = 16;
    unsigned ssid_bits = 8;
    unsigned oas_bits = 48;
    bool stage1 = true;
    bool stage2 = true;
    bool tlb = true;  // false: translations are never cached
};

// What the registers say at the moment.
struct Settings {
    bool smmu_enabled = false;          // CR0.SMMUEN
    bool gbpa_abort = false;            // GBPA.ABORT
    bool record_bad_stream_id = false;  // CR2.RECINVSID
    StreamTable stream_table{};
};

// What became of an access.
struct Outcome {
    enum class Kind : std::uint8_t { Translated, Bypassed, Aborted };
    Kind kind = Kind::Aborted;
    Translation translation{};    // unless Aborted
    std::optional<Fault> record;  // Aborted, and software is to be told
};

// SMMU 4.4 "TLB invalidation".  A range is `count` blocks of `1 << granule_shift` bytes
// from `address` (SMMU 4.4.1.1 "Range-based invalidation and level hint"); count 1, shift
// 0 without RIL.
struct AddressRange {
    std::uint64_t address = 0;
    std::uint64_t count = 1;
    unsigned granule_shift =
        0;  // 0: not a range command, any page size that covers `address`
    unsigned level_hint = 0;  // TTL, 0 none
    bool leaf_only = false;
};

}  // namespace iommu::smmu
