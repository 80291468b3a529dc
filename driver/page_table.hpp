// SPDX-License-Identifier: GPL-2.0-or-later
// One page-table writer for every format with 4 KiB tables of 512 doublewords: VMSAv8-64
// stage 1 and stage 2 (VMSA D8.2, D8.3), VT-d second and first stage (VT-d 9.7, 9.8).
//
//      root (height top) -> ... -> height 1 (2 MiB an entry) -> height 0 (4 KiB an entry)
//
// Nothing here invalidates; whoever changes an entry that was present does it afterwards.
#pragma once

#include <cstdint>

#include "driver/platform.hpp"

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

// Pages of physical memory in the order in which they are to appear.
class PhysicalPages {
public:
    static PhysicalPages contiguous(std::uint64_t base, std::uint64_t pages)
    {
        return {base, nullptr, pages};
    }
    static PhysicalPages frames(const PFN_NUMBER* frames, std::uint64_t pages)
    {
        return {0, frames, pages};
    }
    std::uint64_t count() const { return pages_; }
    std::uint64_t operator[](std::uint64_t i) const
    {
        return frames_ == nullptr ? base_ + i * page_size : frames_[i] << PAGE_SHIFT;
    }
    // Pages i .. i+n-1 are one block that is aligned to its size.
    bool block(std::uint64_t i, std::uint64_t n) const;
    // Every page's address is below 1 << bits.
    bool fit(unsigned bits) const;

private:
    PhysicalPages(std::uint64_t base, const PFN_NUMBER* frames, std::uint64_t pages)
        : base_(base), frames_(frames), pages_(pages)
    {
    }
    std::uint64_t base_;
    const PFN_NUMBER* frames_;
    std::uint64_t pages_;
};

// Pages handed around singly linked through their first word.  The word of a page that
// was a table reads as "not present" in every format, since the link is page aligned.
class PageChain {
public:
    void push(std::uint64_t* page);
    std::uint64_t* pop();  // zeroed
    // All or nothing.
    bool fill(const Platform& platform, std::uint64_t count);
    void release(const Platform& platform);

private:
    std::uint64_t* first_ = nullptr;
};

class PageTable {
public:
    bool create(const Platform& platform, const Format& format, unsigned input_bits);
    void destroy();
    bool exists() const { return root_ != nullptr; }

    std::uint64_t root() const { return root_physical_; }
    unsigned top() const { return top_; }
    unsigned input_bits() const { return input_bits_; }

    // [first, first + count) in pages.
    bool any_present(std::uint64_t first, std::uint64_t count) const;
    bool all_present(std::uint64_t first, std::uint64_t count) const;
    // Where page `first` leads; false: nowhere.
    bool lookup(std::uint64_t first, std::uint64_t& physical) const;

    enum class Blocks : std::uint8_t { Allowed, Forbidden };
    // The range must be free.  False: no memory, nothing has changed.
    bool map(std::uint64_t first, const PhysicalPages& pages, Access access,
             Blocks blocks);
    // The same for one page, out of tables that were got beforehand: it cannot fail.
    std::uint64_t needed(std::uint64_t page) const;
    void map_page(std::uint64_t page, std::uint64_t physical, Access access,
                  PageChain& tables);
    // Every table that mapping [first, first + count) by pages will need.  False: none.
    bool reserve(std::uint64_t first, std::uint64_t count);

    // Takes the range out.  Blocks that reach beyond it are split first; false: there was
    // no memory for that, nothing has changed.  Tables it leaves empty are unlinked and
    // wait in `emptied` until nobody can be walking them.
    bool unmap(std::uint64_t first, std::uint64_t count, PageChain& emptied);
    // Cuts every block that reaches beyond the range, which changes no translation: what
    // is unmapped of it afterwards takes no memory.  False: there was none for that.
    bool isolate(std::uint64_t first, std::uint64_t count);
    // Like unmap, but every table stays: for ranges that were reserved.
    void clear(std::uint64_t first, std::uint64_t count);

private:
    struct Walk;
    std::uint64_t* child(std::uint64_t entry) const;
    std::uint64_t missing(const std::uint64_t* table, unsigned height,
                          std::uint64_t first, std::uint64_t last,
                          const Walk& walk) const;
    void install(std::uint64_t* table, unsigned height, std::uint64_t first,
                 std::uint64_t last, const Walk& walk, PageChain& spare);
    std::uint64_t splits(const std::uint64_t* table, unsigned height, std::uint64_t first,
                         std::uint64_t last) const;
    void remove(std::uint64_t* table, unsigned height, std::uint64_t first,
                std::uint64_t last, PageChain& spare, PageChain* emptied);
    void cut(std::uint64_t* table, unsigned height, std::uint64_t first,
             std::uint64_t last, PageChain& spare);
    std::uint64_t* split(std::uint64_t* entry, unsigned height, PageChain& spare);
    template <bool Any>
    bool scan(const std::uint64_t* table, unsigned height, std::uint64_t first,
              std::uint64_t last) const;
    void destroy(std::uint64_t* table, unsigned height);

    Platform platform_{};
    const Format* format_ = nullptr;
    std::uint64_t* root_ = nullptr;
    std::uint64_t root_physical_ = 0;
    unsigned top_ = 0, input_bits_ = 0;
};

}  // namespace iommu::driver
