// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3.1 "Stream table lookup": linear while that is small, else of two levels if the
// SMMU knows them.  Every entry says from the start what a stream nobody asked for may
// do:
//
//   first level   [0] [1] [2] [3] ...        256 StreamIDs each
//                  |   |   |   '--------+
//                  |   '---|------------+--> one table for all whose 256 are untouched
//                  '-------'--> a table of their own, a copy of that one, since own()
#pragma once

#include "driver/platform.hpp"
#include "hw/iommu/smmuv3/spec/ste.hpp"

namespace iommu::driver {

class StreamTable {
public:
    // 1 << log2_streams entries.  False: no memory.
    bool allocate(const Platform& platform, unsigned log2_streams, bool two_levels);
    void release();
    bool allocated() const { return top_ != nullptr; }
    bool holds(std::uint64_t streams) const
    {
        return streams <= std::uint64_t{1} << log2_;
    }

    void fill(const smmu::Ste& ste);
    // STRTAB_BASE and STRTAB_BASE_CFG, with the unit stopped.
    void program(std::uint64_t registers) const;

    enum class Own : std::uint8_t { Already, Moved, NoMemory };
    // Before the first write to a stream's entry.  Moved: what the SMMU has cached of the
    // 1 << split streams around it is stale.
    Own own(std::uint32_t id);
    std::uint64_t* entry(std::uint32_t id) const;

    static constexpr unsigned split = 8;

private:
    std::uint64_t top_pages() const;
    std::uint64_t descriptor(std::uint64_t physical) const;

    const Platform* platform_ = nullptr;
    unsigned log2_ = 0;
    bool two_levels_ = false;
    std::uint64_t* top_ = nullptr;  // STEs, or first-level descriptors
    std::uint64_t top_physical_ = 0;
    std::uint64_t* common_ = nullptr;  // of two levels
    std::uint64_t common_physical_ = 0;
};

}  // namespace iommu::driver
