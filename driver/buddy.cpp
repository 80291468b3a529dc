// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/buddy.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

// A page of pairs; pairs in stock are linked through node[0].children.
struct Buddy::Slab {
    static constexpr std::size_t size = 4096;
    static constexpr std::size_t capacity = (size - sizeof(Slab*)) / sizeof(Pair);
    Slab* next;
    Pair pairs[capacity];
};

bool Buddy::create(const Platform& platform, unsigned width)
{
    platform_ = platform;
    order_ = width - PAGE_SHIFT;
    root_ = {};
    summarize(root_, order_);
    return stock(order_);
}

void Buddy::destroy()
{
    while (slabs_ != nullptr) {
        auto* slab = slabs_;
        slabs_ = slab->next;
        platform_.release(slab, sizeof(Slab));
    }
    spare_ = nullptr;
    spares_ = 0;
}

bool Buddy::stock(unsigned pairs)
{
    while (spares_ < pairs) {
        auto* slab = platform_.make<Slab>();
        if (slab == nullptr) {
            return false;
        }
        slab->next = slabs_;
        slabs_ = slab;
        for (auto& pair : slab->pairs) {
            pair.node[0].children = reinterpret_cast<Node*>(spare_);
            spare_ = &pair;
            ++spares_;
        }
    }
    return true;
}

void Buddy::split(Node& node, unsigned order)
{
    auto* pair = spare_;
    spare_ = reinterpret_cast<Pair*>(pair->node[0].children);
    --spares_;
    for (auto& child : pair->node) {
        child = {};
        summarize(child, order - 1);
    }
    node.children = pair->node;
    node.use = Use::Split;
}

void Buddy::summarize(Node& node, unsigned order)
{
    switch (node.use) {
    case Use::Free:
        node.largest = static_cast<std::uint8_t>(order + 1);
        break;
    case Use::Split: {
        const auto a = node.children[0].largest, b = node.children[1].largest;
        node.largest = a > b ? a : b;
        break;
    }
    case Use::Mapping:
    case Use::Token:
    case Use::Reserved:
        node.largest = 0;
        break;
    }
}

void Buddy::merge(Node& node, unsigned order)
{
    if (node.use == Use::Split && node.children[0].use == Use::Free &&
        node.children[1].use == Use::Free) {
        auto* pair = reinterpret_cast<Pair*>(node.children);
        pair->node[0].children = reinterpret_cast<Node*>(spare_);
        spare_ = pair;
        ++spares_;
        node.use = Use::Free;
        node.children = nullptr;
    }
    summarize(node, order);
}

Buddy::Result Buddy::allocate(std::uint64_t pages, Window window, Use use,
                              std::uint64_t& base)
{
    unsigned order = 0;
    while (order < 52 && (std::uint64_t{1} << order) < pages) {
        ++order;
    }
    if (mutant(Mutant::BuddyNoRounding)) {
        order = 0;
    }
    if (order > order_ || window.min > window.max) {
        return Result::Full;
    }
    if (!stock(order_)) {
        return Result::NoMemory;
    }
    if (mutant(Mutant::IgnoreMinimum)) {
        window.min = 0;
    }
    if (mutant(Mutant::IgnoreMaximum)) {
        window.max = ~0ull;
    }
    return take(root_, order_, 0, {pages, order, window, use}, base) ? Result::Ok
                                                                     : Result::Full;
}

bool Buddy::take(Node& node, unsigned order, std::uint64_t at, const Request& r,
                 std::uint64_t& base)
{
    const auto bytes = page_size << order;
    if (node.largest < r.order + 1 || at > r.window.max ||
        at + (bytes - 1) < r.window.min) {
        return false;
    }
    if (order == r.order) {
        if (at < r.window.min || r.window.max - at < r.pages * page_size - 1) {
            return false;
        }
        node.use = r.use;
        node.pages = r.pages;
        summarize(node, order);
        base = at;
        return true;
    }
    if (node.use == Use::Free) {
        split(node, order);
    }
    const unsigned low = mutant(Mutant::BuddyHighFirst) ? 1 : 0;
    const bool taken =
        take(node.children[low], order - 1, at + low * (bytes / 2), r, base) ||
        take(node.children[1 - low], order - 1, at + (1 - low) * (bytes / 2), r, base);
    merge(node, order);
    return taken;
}

bool Buddy::withhold(std::uint64_t base, std::uint64_t pages)
{
    const auto first = base / page_size;
    const auto end = std::uint64_t{1} << order_;
    if (pages == 0 || first >= end) {
        return true;
    }
    const auto last = pages > end - first ? end - 1 : first + pages - 1;
    // A range cuts a block at either end: two paths down the tree.
    return stock(2 * order_ + 2) && carve(root_, order_, 0, first, last);
}

bool Buddy::carve(Node& node, unsigned order, std::uint64_t at, std::uint64_t first,
                  std::uint64_t last)
{
    const auto end = at + ((std::uint64_t{1} << order) - 1);
    if (end < first || at > last) {
        return true;
    }
    if (first <= at && end <= last && node.use == Use::Free) {
        node.use = Use::Reserved;
        node.pages = std::uint64_t{1} << order;
        summarize(node, order);
        return true;
    }
    if (node.use == Use::Free) {
        split(node, order);
    }
    if (node.use != Use::Split) {
        return node.use == Use::Reserved;  // withheld before
    }
    const auto half = std::uint64_t{1} << (order - 1);
    const bool ok = carve(node.children[0], order - 1, at, first, last) &&
                    carve(node.children[1], order - 1, at + half, first, last);
    summarize(node, order);
    return ok;
}

Buddy::Use Buddy::find(std::uint64_t base, std::uint64_t& pages) const
{
    const Node* node = &root_;
    auto order = order_;
    std::uint64_t at = 0;
    if (base / page_size >> order_ != 0) {
        return Use::Free;
    }
    while (node->use == Use::Split) {
        --order;
        const auto half = page_size << order;
        const bool upper = base - at >= half;
        at += upper ? half : 0;
        node = &node->children[upper ? 1 : 0];
    }
    pages = node->pages;
    return at == base ? node->use : Use::Free;
}

void Buddy::free(std::uint64_t base)
{
    give_back(root_, order_, 0, base);
}

bool Buddy::give_back(Node& node, unsigned order, std::uint64_t at, std::uint64_t base)
{
    if (node.use == Use::Split) {
        const auto half = page_size << (order - 1);
        const bool upper = base - at >= half;
        const bool done = give_back(node.children[upper ? 1 : 0], order - 1,
                                    at + (upper ? half : 0), base);
        merge(node, order);
        return done;
    }
    node.use = Use::Free;
    node.pages = 0;
    summarize(node, order);
    return true;
}

}  // namespace iommu::driver
