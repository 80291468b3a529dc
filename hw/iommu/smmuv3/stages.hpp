// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3.2 "StreamIDs to Context Descriptors", 3.4 "Address sizes": the two stages as
// they are used for one access, and the reasons an access fails.
#pragma once

#include "hw/iommu/common/table_reader.hpp"
#include "hw/iommu/smmuv3/fault.hpp"
#include "hw/iommu/smmuv3/vmsa_s1.hpp"
#include "hw/iommu/smmuv3/vmsa_s2.hpp"

namespace iommu::smmu {

// A Fault before it is known whose access it was.
struct Problem {
    EventId id{};
    Stage stage = Stage::S1;
    Purpose purpose = Purpose::Input;
    Ipa ipa{};
    Gpa fetched_from{};
    bool recorded = true;  // false: what was read so far says not to

    // What says no, where all that comes before it may be cached.
    enum class RestsOn : std::uint8_t { Unknown, Configuration, Descriptor };
    RestsOn rests_on = RestsOn::Unknown;
    Gpa descriptor_at{};  // RestsOn::Descriptor
    std::uint64_t descriptor = 0;
};

// Stage 2 of a stream, if it has one.
struct SecondStage {
    VmsaStage2 format{};
    bool enabled = false;
    bool protected_walks = false;  // S2PTW
    std::uint8_t reserved[6] = {};
    friend bool operator==(const SecondStage&, const SecondStage&) = default;
};

// Stage 2 for `purpose`; a disabled stage 2 is the identity (SMMU 3.4).  False: `why`.
bool stage2(const SecondStage& s2, TableReader& memory, Ipa input, Rights wanted,
            Purpose purpose, Leaf<Gpa>& leaf, Problem& why);

// Stage 1, its tables read through stage 2.  False: `why`.
bool stage1(const VmsaStage1& format, const SecondStage& s2, TableReader& memory,
            Iova input, Rights wanted, Leaf<Ipa>& leaf, Problem& why);

}  // namespace iommu::smmu
