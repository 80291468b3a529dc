// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/page_table.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

namespace {

constexpr unsigned entries = 512;
constexpr std::uint64_t address_mask = 0x000f'ffff'ffff'f000;  // [51:12] in every format

constexpr std::uint64_t span(unsigned height)  // pages an entry covers
{
    return std::uint64_t{1} << (9 * height);
}
constexpr unsigned index(std::uint64_t page, unsigned height)
{
    return static_cast<unsigned>(page >> (9 * height)) & (entries - 1);
}
constexpr std::uint64_t smaller(std::uint64_t a, std::uint64_t b)
{
    return a < b ? a : b;
}

// A walker may be reading the entry: one store of a doubleword.
void store(std::uint64_t* entry, std::uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

// The part of [first, last] below the entry that covers `first`.
std::uint64_t entry_last(std::uint64_t first, std::uint64_t last, unsigned height)
{
    return smaller(last, first | (span(height) - 1));
}
bool covers_entry(std::uint64_t first, std::uint64_t last, unsigned height)
{
    return (first & (span(height) - 1)) == 0 && last - first + 1 == span(height);
}

}  // namespace

// --- PageChain

void PageChain::push(std::uint64_t* page)
{
    store(page, reinterpret_cast<std::uintptr_t>(first_));
    first_ = page;
}

std::uint64_t* PageChain::pop()
{
    auto* page = first_;
    first_ = reinterpret_cast<std::uint64_t*>(static_cast<std::uintptr_t>(page[0]));
    page[0] = 0;
    return page;
}

bool PageChain::fill(const Platform& platform, std::uint64_t count)
{
    for (; count != 0; --count) {
        std::uint64_t physical = 0;
        auto* page = platform.pages(1, physical);
        if (page == nullptr) {
            release(platform);
            return false;
        }
        // The table entry needs the physical address: the second word keeps it.
        page[1] = physical;
        push(page);
    }
    return true;
}

void PageChain::release(const Platform& platform)
{
    while (first_ != nullptr) {
        platform.release_pages(pop(), 1);
    }
}

// --- PageTable

struct PageTable::Walk {
    const PhysicalPages* pages = nullptr;  // nullptr: tables only
    std::uint64_t origin = 0;              // the page number of pages[0]
    Access access{};
    unsigned largest = 0;

    // Can [first, last] below an entry of this height be one leaf?
    bool leaf(unsigned height, std::uint64_t first, std::uint64_t last) const
    {
        if (height == 0) {
            return true;
        }
        return pages != nullptr && height <= largest &&
               covers_entry(first, last, height) &&
               pages->block(first - origin, span(height));
    }
};

bool PageTable::create(const Platform& platform, const Format& format,
                       unsigned input_bits)
{
    platform_ = platform;
    format_ = &format;
    input_bits_ = input_bits;
    top_ = (input_bits - PAGE_SHIFT + 8) / 9 - 1;
    root_ = platform.pages(1, root_physical_);
    return root_ != nullptr;
}

void PageTable::destroy()
{
    if (root_ != nullptr) {
        destroy(root_, top_);
        root_ = nullptr;
    }
}

void PageTable::destroy(std::uint64_t* table, unsigned height)
{
    if (height != 0) {
        for (unsigned i = 0; i < entries; ++i) {
            if (format_->present(table[i]) && !format_->is_leaf(table[i], height) &&
                !mutant(Mutant::LeakPageTables)) {
                destroy(child(table[i]), height - 1);
            }
        }
    }
    platform_.release_pages(table, 1);
}

std::uint64_t* PageTable::child(std::uint64_t entry) const
{
    return platform_.at(entry & address_mask);
}

std::uint64_t PageTable::missing(const std::uint64_t* table, unsigned height,
                                 std::uint64_t first, std::uint64_t last,
                                 const Walk& walk) const
{
    if (height == 0) {
        return 0;
    }
    std::uint64_t count = 0;
    for (auto at = first; at <= last;) {
        const auto end = entry_last(at, last, height);
        const auto entry = table == nullptr ? 0 : table[index(at, height)];
        if (format_->present(entry)) {
            count += missing(child(entry), height - 1, at, end, walk);
        } else if (!walk.leaf(height, at, end)) {
            count += 1 + missing(nullptr, height - 1, at, end, walk);
        }
        at = end + 1;
    }
    return count;
}

void PageTable::install(std::uint64_t* table, unsigned height, std::uint64_t first,
                        std::uint64_t last, const Walk& walk, PageChain& spare)
{
    for (auto at = first; at <= last;) {
        const auto end = entry_last(at, last, height);
        auto* entry = table + index(at, height);
        if (!format_->present(*entry) && walk.leaf(height, at, end)) {
            if (walk.pages != nullptr) {
                const auto physical = (*walk.pages)[at - walk.origin];
                store(entry, format_->leaf(physical, height, walk.access));
            }
        } else {
            if (!format_->present(*entry)) {
                auto* page = spare.pop();
                const auto physical = page[1];
                page[1] = 0;
                store(entry, format_->table(physical));
            }
            install(child(*entry), height - 1, at, end, walk, spare);
        }
        at = end + 1;
    }
}

bool PageTable::map(std::uint64_t first, const PhysicalPages& pages, Access access,
                    Blocks blocks)
{
    const unsigned largest = blocks == Blocks::Allowed ? format_->largest_leaf : 0;
    const Walk walk{&pages, first, access, largest};
    const auto last = first + pages.count() - 1;
    PageChain spare;
    if (!spare.fill(platform_, missing(root_, top_, first, last, walk))) {
        return false;
    }
    install(root_, top_, first, last, walk, spare);
    return true;
}

std::uint64_t PageTable::needed(std::uint64_t page) const
{
    return missing(root_, top_, page, page, Walk{});
}

void PageTable::map_page(std::uint64_t page, std::uint64_t physical, Access access,
                         PageChain& tables)
{
    const auto one = PhysicalPages::contiguous(physical, 1);
    install(root_, top_, page, page, Walk{&one, page, access, 0}, tables);
}

bool PageTable::reserve(std::uint64_t first, std::uint64_t count)
{
    const Walk walk{};
    const auto last = first + count - 1;
    PageChain spare;
    if (!spare.fill(platform_, missing(root_, top_, first, last, walk))) {
        return false;
    }
    install(root_, top_, first, last, walk, spare);
    return true;
}

// Tables needed to cut the blocks that [first, last] only partly covers.
std::uint64_t PageTable::splits(const std::uint64_t* table, unsigned height,
                                std::uint64_t first, std::uint64_t last) const
{
    if (height == 0) {
        return 0;
    }
    std::uint64_t count = 0;
    for (auto at = first; at <= last;) {
        const auto end = entry_last(at, last, height);
        const auto entry = table[index(at, height)];
        if (format_->is_leaf(entry, height)) {
            if (!covers_entry(at, end, height)) {
                // Below a freshly split block only the ends can be cut again.
                count += 1 + 2 * (height - 1);
            }
        } else if (format_->present(entry)) {
            count += splits(child(entry), height - 1, at, end);
        }
        at = end + 1;
    }
    return count;
}

// The table says what the block said, and takes its place in one store.  Where a cached
// block beside a cached page is not allowed, the domain never maps blocks it may have to
// cut.
std::uint64_t* PageTable::split(std::uint64_t* entry, unsigned height, PageChain& spare)
{
    auto* page = spare.pop();
    const auto physical = page[1];
    page[1] = 0;
    const auto step = span(height - 1) * page_size;
    const auto attributes = *entry & ~address_mask;
    for (unsigned i = 0; i < entries; ++i) {
        page[i] = ((*entry & address_mask) + i * step) | attributes;
        if (height == 1) {
            // A page is spelled as leaf() spells it: take its type and drop the block's.
            const auto block_type = format_->leaf(0, 1, {}) ^ format_->leaf(0, 0, {});
            page[i] ^= block_type;
        }
    }
    store(entry, format_->table(physical));
    return page;
}

void PageTable::remove(std::uint64_t* table, unsigned height, std::uint64_t first,
                       std::uint64_t last, PageChain& spare, PageChain* emptied)
{
    for (auto at = first; at <= last;) {
        const auto end = entry_last(at, last, height);
        auto* entry = table + index(at, height);
        if (height == 0 || !format_->present(*entry) ||
            (format_->is_leaf(*entry, height) && covers_entry(at, end, height))) {
            store(entry, 0);
        } else {
            auto* below = format_->is_leaf(*entry, height) ? split(entry, height, spare)
                                                           : child(*entry);
            remove(below, height - 1, at, end, spare, emptied);
            if (emptied != nullptr && covers_entry(at, end, height)) {
                store(entry, 0);
                emptied->push(below);
            }
        }
        at = end + 1;
    }
}

bool PageTable::unmap(std::uint64_t first, std::uint64_t count, PageChain& emptied)
{
    const auto last = first + count - 1;
    PageChain spare;
    if (!spare.fill(platform_, splits(root_, top_, first, last))) {
        return false;
    }
    remove(root_, top_, first, last, spare, &emptied);
    spare.release(platform_);
    return true;
}

void PageTable::cut(std::uint64_t* table, unsigned height, std::uint64_t first,
                    std::uint64_t last, PageChain& spare)
{
    for (auto at = first; height != 0 && at <= last;) {
        const auto end = entry_last(at, last, height);
        auto* entry = table + index(at, height);
        const bool leaf = format_->is_leaf(*entry, height);
        if (leaf && !covers_entry(at, end, height)) {
            cut(split(entry, height, spare), height - 1, at, end, spare);
        } else if (!leaf && format_->present(*entry)) {
            cut(child(*entry), height - 1, at, end, spare);
        }
        at = end + 1;
    }
}

bool PageTable::isolate(std::uint64_t first, std::uint64_t count)
{
    const auto last = first + count - 1;
    PageChain spare;
    if (!spare.fill(platform_, splits(root_, top_, first, last))) {
        return false;
    }
    cut(root_, top_, first, last, spare);
    spare.release(platform_);
    return true;
}

void PageTable::clear(std::uint64_t first, std::uint64_t count)
{
    PageChain none;
    remove(root_, top_, first, first + count - 1, none, nullptr);
}

template <bool Any>
bool PageTable::scan(const std::uint64_t* table, unsigned height, std::uint64_t first,
                     std::uint64_t last) const
{
    for (auto at = first; at <= last;) {
        const auto end = entry_last(at, last, height);
        const auto entry = table[index(at, height)];
        bool found = format_->present(entry);
        if (found && !format_->is_leaf(entry, height)) {
            found = scan<Any>(child(entry), height - 1, at, end);
        }
        if (found == Any) {
            return Any;
        }
        at = end + 1;
    }
    return !Any;
}

bool PageTable::any_present(std::uint64_t first, std::uint64_t count) const
{
    return scan<true>(root_, top_, first, first + count - 1);
}

bool PageTable::all_present(std::uint64_t first, std::uint64_t count) const
{
    return scan<false>(root_, top_, first, first + count - 1);
}

bool PageTable::lookup(std::uint64_t page, std::uint64_t& physical) const
{
    const std::uint64_t* table = root_;
    for (unsigned height = top_;; --height) {
        const auto entry = table[index(page, height)];
        if (!format_->present(entry)) {
            return false;
        }
        if (format_->is_leaf(entry, height)) {
            const auto offset = (page & (span(height) - 1)) * page_size;
            const auto block = span(height) * page_size - 1;
            physical = ((entry & address_mask & ~block) + offset);
            return true;
        }
        table = child(entry);
    }
}

}  // namespace iommu::driver
