// SPDX-License-Identifier: GPL-2.0-or-later
// The suite's physical memory: pages for DMA and tables, and small blocks for objects.
#pragma once

#include <cstddef>
#include <cstdint>

namespace iommu::guest {

class Memory {
public:
    static constexpr std::uint64_t page = 0x1000;

    // [base, base + size) is ours, and mapped where it is.
    void own(std::uint64_t base, std::uint64_t size);
    void reset();  // everything is free again

    // Zeroed, aligned to 16; null: none left.  A release of what was not given is
    // ignored.
    void* allocate(std::size_t size);
    void release(void* memory);
    // Zeroed, aligned to the count rounded up to a power of two; 0: none left.
    std::uint64_t allocate_pages(std::uint64_t count);
    void release_pages(std::uint64_t physical);
    // The same for pages that nobody gives back.
    std::uint64_t pages(std::uint64_t count);

    bool owns(std::uint64_t physical, std::uint64_t size) const;
    std::uint64_t held() const { return held_; }

private:
    static constexpr unsigned orders = 32;
    // Before each small block; the memory of a free one holds the next.
    struct Block {
        std::uint64_t size = 0, magic = 0;
    };
    // One for each page of the region.
    struct Frame {
        std::uint32_t next = 0;   // free run of the same order, by index + 1
        std::uint32_t count = 0;  // first page of a run that was given: its length
    };

    std::uint64_t base_ = 0, size_ = 0;
    std::uint64_t small_from_ = 0, small_end_ = 0, pages_from_ = 0;
    Frame* frames_ = nullptr;
    Block* free_blocks_[orders] = {};
    std::uint32_t free_runs_[orders] = {};
    std::uint64_t held_ = 0;
};

}  // namespace iommu::guest
