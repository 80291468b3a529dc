// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/verify/rules.hpp"

#include <array>
#include <cstddef>

namespace iommu::verify {

namespace {

constexpr std::array<RuleText, static_cast<std::size_t>(Rule::Count)> rules = {{
    {"WI-SMMU-STALE-TLB",
     "an access was answered by a cached translation that the tables no longer hold",
     "SMMU 4.4 TLB invalidation"},
    {"WI-SMMU-STALE-CONFIG",
     "an STE or CD changed in memory and no CMD_CFGI told the SMMU before its next use",
     "SMMU 4.3 Configuration structure invalidation"},
    {"WI-SMMU-BBM",
     "a valid translation was replaced by another valid one without an invalid one and a "
     "TLB invalidation between them",
     "VMSA D8.14.1 Using break-before-make when updating translation table entries"},
    {"WI-SMMU-NO-SYNC",
     "an address was mapped anew and used while the invalidation of its old translation "
     "still lacked its CMD_SYNC",
     "SMMU 4.7.3 CMD_SYNC(ComplSignal, MSIAddress, MSIData, MSIWriteAttributes)"},
    {"WI-SMMU-TAG-SHARED",
     "two contexts in use have the same VMID and ASID and different tables",
     "SMMU 3.17 TLB tagging, VMIDs, ASIDs and participation in broadcast TLB "
     "maintenance"},
    {"WI-SMMU-INCONSISTENT",
     "an STE or CD was used whose fields contradict each other or the ID registers",
     "SMMU 5.2.2 Validity of STE, 5.4.2 Validity of CD"},
    {"WI-SMMU-RESERVED", "an STE or CD in use has a reserved bit set",
     "SMMU 5.2 STE, Stream Table Entry, 5.4 CD, Context Descriptor"},
    {"WI-SMMU-SCOPE",
     "an invalidation names an ASID or VMID that no stream has used, and a translation "
     "of "
     "the same address with another tag is stale",
     "SMMU 4.4 TLB invalidation"},
    {"WI-SMMU-REG-STATE",
     "a register was written in a state in which the write has no effect",
     "SMMU 6.3 Register formats"},
    {"WI-SMMU-REG-RESERVED", "a reserved bit of a register was written as one",
     "SMMU 6.3 Register formats"},
    {"WI-VTD-STALE-IOTLB",
     "an access was answered by a cached translation that the tables no longer hold",
     "VT-d 6.5 Invalidation of Translation Caches"},
    {"WI-VTD-STALE-CONTEXT",
     "a context or PASID-table entry changed in memory and no invalidation told the unit "
     "before its next use",
     "VT-d 6.5 Invalidation of Translation Caches"},
    {"WI-VTD-STALE-IRTE",
     "an interrupt was remapped by a cached entry that the table no longer holds",
     "VT-d 6.5.2.7 Interrupt Entry Cache Invalidate Descriptor"},
    {"WI-VTD-NO-WAIT",
     "an address was mapped anew and used while the invalidation of its old translation "
     "still lacked its wait descriptor",
     "VT-d 6.5.2.8 Invalidation Wait Descriptor"},
    {"WI-VTD-DOMAIN-SHARED",
     "two entries in use have the same domain-id (and PASID) and different tables",
     "VT-d 6.2.1 Tagging of Cached Translations"},
    {"WI-VTD-INCONSISTENT",
     "a context or PASID-table entry was used whose fields the unit does not support",
     "VT-d 7.1.3 Fault Reasons, 9.3 Context Entry, 9.6 Scalable-Mode PASID Table Entry"},
    {"WI-VTD-RESERVED", "a structure in use has a reserved bit set",
     "VT-d 7.1.3 Fault Reasons, chapter 9 Translation Structure Formats"},
    {"WI-VTD-SCOPE",
     "an invalidation names a domain-id or PASID that no requester has used, and a "
     "translation of the same address with another tag is stale",
     "VT-d 6.5.2 Queued Invalidation Interface"},
    {"WI-VTD-REG-STATE", "a register was written in a state in which it must not be",
     "VT-d 11.4 Register Descriptions"},
    {"WI-VTD-REG-RESERVED", "a reserved bit of a register was written as one",
     "VT-d 11.4 Register Descriptions"},
    {"WI-VTD-STALE-DEVTLB",
     "a function used a translation of its own cache that the tables no longer hold",
     "VT-d 6.5.2.5 Device-TLB Invalidate Descriptor"},
}};

}  // namespace

const RuleText& text_of(Rule rule)
{
    return rules[static_cast<std::size_t>(rule)];
}

}  // namespace iommu::verify
