// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/memory.hpp"

namespace iommu::guest {

namespace {

constexpr std::uint64_t given = 0x6e657669'67206b63, back = 0x65657266'20736920;

unsigned order_of(std::uint64_t n)
{
    unsigned order = 0;
    while ((std::uint64_t{1} << order) < n) {
        ++order;
    }
    return order;
}

template <typename T>
T* at(std::uint64_t physical)
{
    return reinterpret_cast<T*>(physical);
}

}  // namespace

void Memory::own(std::uint64_t base, std::uint64_t size)
{
    base_ = base;
    size_ = size;
    reset();
}

// A table of the pages first.  Half for small blocks: 65536 domains fit, one for each ASID,
// so that ASIDs run out before memory does.  The rest for pages.
void Memory::reset()
{
    const auto count = size_ / page;
    frames_ = at<Frame>(base_);
    __builtin_memset(frames_, 0, count * sizeof(Frame));
    small_from_ = (base_ + count * sizeof(Frame) + page - 1) & ~(page - 1);
    small_end_ = base_ + size_ / 2;
    pages_from_ = small_end_;
    for (unsigned i = 0; i < orders; ++i) {
        free_blocks_[i] = nullptr;
        free_runs_[i] = 0;
    }
    held_ = 0;
}

bool Memory::owns(std::uint64_t physical, std::uint64_t size) const
{
    return physical >= base_ && physical - base_ <= size_ &&
           size <= size_ - (physical - base_);
}

void* Memory::allocate(std::size_t size)
{
    const auto order = order_of(size < 16 ? 16 : size);
    if (order >= orders) {
        return nullptr;
    }
    auto* block = free_blocks_[order];
    if (block != nullptr) {
        free_blocks_[order] = *reinterpret_cast<Block**>(block + 1);
    } else {
        const auto whole = sizeof(Block) + (std::uint64_t{1} << order);
        if (whole > small_end_ - small_from_) {
            return nullptr;
        }
        block = at<Block>(small_from_);
        small_from_ += whole;
    }
    *block = {size, given};
    held_ += size;
    __builtin_memset(block + 1, 0, size);
    return block + 1;
}

void Memory::release(void* memory)
{
    const auto physical = reinterpret_cast<std::uint64_t>(memory);
    if (physical % 16 != 0 || !owns(physical - sizeof(Block), sizeof(Block))) {
        return;
    }
    auto* block = static_cast<Block*>(memory) - 1;
    if (block->magic != given) {
        return;
    }
    const auto order = order_of(block->size < 16 ? 16 : block->size);
    held_ -= block->size;
    block->magic = back;
    *reinterpret_cast<Block**>(block + 1) = free_blocks_[order];
    free_blocks_[order] = block;
}

std::uint64_t Memory::pages(std::uint64_t count)
{
    const auto order = order_of(count);
    if (count == 0 || count > size_ / page) {
        return 0;
    }
    std::uint64_t physical = 0;
    if (free_runs_[order] != 0) {
        const auto index = free_runs_[order] - 1;
        free_runs_[order] = frames_[index].next;
        physical = base_ + index * page;
    } else {
        const auto run = page << order;
        physical = (pages_from_ + run - 1) & ~(run - 1);
        if (!owns(physical, run)) {
            return 0;
        }
        pages_from_ = physical + run;
    }
    __builtin_memset(at<void>(physical), 0, count * page);
    return physical;
}

std::uint64_t Memory::allocate_pages(std::uint64_t count)
{
    const auto physical = pages(count);
    if (physical != 0) {
        frames_[(physical - base_) / page].count = static_cast<std::uint32_t>(count);
        held_ += count * page;
    }
    return physical;
}

void Memory::release_pages(std::uint64_t physical)
{
    if (!owns(physical, page) || (physical - base_) % page != 0) {
        return;
    }
    const auto index = static_cast<std::uint32_t>((physical - base_) / page);
    auto& frame = frames_[index];
    if (frame.count == 0) {
        return;
    }
    const auto order = order_of(frame.count);
    held_ -= frame.count * page;
    frame = {free_runs_[order], 0};
    free_runs_[order] = index + 1;
}

}  // namespace iommu::guest
