// SPDX-License-Identifier: GPL-2.0-or-later
// One page-table writer for every format with 4 KiB tables of 512 doublewords: VMSAv8-64
// stage 1 and stage 2 (VMSA D8.2, D8.3), VT-d first and second stage (VT-d 9.7, 9.8).
//
//      root (height top) -> ... -> height 1 (2 MiB an entry) -> height 0 (4 KiB an entry)
//
// Nothing here invalidates; whoever changes an entry that was present does it afterwards.
#pragma once

#include <cstdint>

#include "driver/page_format.hpp"
#include "driver/physical_pages.hpp"
#include "driver/platform.hpp"

namespace iommu::driver {

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
