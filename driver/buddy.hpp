// SPDX-License-Identifier: GPL-2.0-or-later
// The logical allocator: power-of-two blocks of an address space of up to 63 bits, lowest
// address first.  A binary tree whose leaves are blocks; a leaf remembers who has it, so
// freeing needs the base alone.
#pragma once

#include <cstdint>

#include "driver/platform.hpp"

namespace iommu::driver {

class Buddy {
public:
    enum class Use : std::uint8_t { Free, Split, Mapping, Token, Reserved };
    enum class Result : std::uint8_t { Ok, Full, NoMemory };
    struct Window {
        std::uint64_t min = 0, max = ~0ull;  // addresses, both inclusive
    };

    bool create(const Platform& platform, unsigned width);
    void destroy();

    Result allocate(std::uint64_t pages, Window window, Use use, std::uint64_t& base);
    // Takes the pages for good.  False: no memory, or somebody has them.
    bool withhold(std::uint64_t base, std::uint64_t pages);
    // What the block that starts at `base` was allocated for; Free if none starts there.
    Use find(std::uint64_t base, std::uint64_t& pages) const;
    void free(std::uint64_t base);

private:
    struct Node {
        Node* children = nullptr;  // two of them, when Split
        std::uint64_t pages = 0;
        Use use = Use::Free;
        std::uint8_t largest = 0;  // 1 + order of the largest free block below; 0 none
    };
    struct Pair {
        Node node[2];
    };
    struct Slab;
    struct Request {
        std::uint64_t pages;
        unsigned order;
        Window window;
        Use use;
    };

    bool stock(unsigned pairs);
    void split(Node& node, unsigned order);
    static void summarize(Node& node, unsigned order);
    void merge(Node& node, unsigned order);
    bool take(Node& node, unsigned order, std::uint64_t at, const Request& request,
              std::uint64_t& base);
    bool carve(Node& node, unsigned order, std::uint64_t at, std::uint64_t first,
               std::uint64_t last);
    bool give_back(Node& node, unsigned order, std::uint64_t at, std::uint64_t base);

    Platform platform_{};
    Node root_{};
    unsigned order_ = 0;  // of the root, in pages
    Slab* slabs_ = nullptr;
    Pair* spare_ = nullptr;
    unsigned spares_ = 0;
};

}  // namespace iommu::driver
