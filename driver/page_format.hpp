// SPDX-License-Identifier: GPL-2.0-or-later
// How the entries of a page table are spelled: VMSAv8-64 stage 1 and stage 2 (VMSA D8.3
// "Translation table descriptor formats"), VT-d first and second stage (VT-d 9.7
// "First-Stage Paging Entries", 9.8 "Second-Stage Paging Entries").
#pragma once

#include <cstdint>

namespace iommu::driver {

struct Access {
    bool read = false, write = false;
};

struct Format {
    std::uint64_t (*table)(std::uint64_t physical);
    std::uint64_t (*leaf)(std::uint64_t physical, unsigned height, Access access);
    bool (*present)(std::uint64_t entry);
    bool (*is_leaf)(std::uint64_t entry, unsigned height);
    unsigned largest_leaf;  // height of the largest block: 2 is 1 GiB
};
extern const Format arm_stage1, arm_stage2, vtd_second_stage, vtd_first_stage;

}  // namespace iommu::driver
