// SPDX-License-Identifier: GPL-2.0-or-later
// Queues in guest memory, shown without being consumed.
#pragma once

#include "hw/iommu/introspect/arguments.hpp"
#include "hw/iommu/introspect/json.hpp"
#include "hw/iommu/introspect/snapshot.hpp"

namespace iommu::introspect {

// Slots of a ring: `begin` and `end` count up and are taken modulo `slots`.
struct Ring {
    Gpa base{};
    std::uint64_t slots = 0;
    std::size_t bytes = 0;  // of a slot
    std::uint64_t at(std::uint64_t n) const { return base.value + n % slots * bytes; }
};
using WriteEntry = void (*)(Json& json, const std::vector<std::uint64_t>& words);

// A list: index, address, doublewords and what `write` adds, of each.
inline void write_entries(Json& json, Snapshot& memory, const Ring& ring,
                          std::uint64_t begin, std::uint64_t count, WriteEntry write)
{
    json.open_list();
    for (auto n = begin; n < begin + count; ++n) {
        const auto words = memory.words(Gpa{ring.at(n)}, ring.bytes);
        json.open_object().number("index", n % ring.slots).hex("at", ring.at(n));
        json.key("raw").words(words);
        if (!words.empty()) {
            write(json, words);
        }
        json.close_object();
    }
    json.close_list();
}

}  // namespace iommu::introspect
