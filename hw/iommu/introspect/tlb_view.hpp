// SPDX-License-Identifier: GPL-2.0-or-later
// The entries of a Tlb that a lookup would find now.
#pragma once

#include "hw/iommu/common/tlb.hpp"

namespace iommu::introspect {

class TlbView {
public:
    // `tag_of(context)` gives the Tag that was inserted; `visit(context, input, hit)`.
    template <typename TagOf, typename Visit>
    static void each(const Tlb& tlb, TagOf&& tag_of, Visit&& visit)
    {
        for (const auto& set : tlb.sets_) {
            for (unsigned way = 0; way < Tlb::ways; ++way) {
                const auto block = set.input[way].load(std::memory_order_relaxed);
                const auto context = set.context[way].load(std::memory_order_relaxed)
                                         << Tlb::outer_size_bits >>
                                     Tlb::outer_size_bits;
                const auto input = block & ~std::uint64_t{0xfff};
                const auto log2size = static_cast<unsigned>(block >> 6 & 63);
                Tlb::Hit hit;
                if (block != 0 && tlb.probe(tag_of(context), input, log2size, hit)) {
                    hit.log2size = static_cast<std::uint8_t>(log2size);
                    visit(context, input, hit);
                }
            }
        }
    }
    static std::size_t capacity(const Tlb& tlb) { return tlb.sets_.size() * Tlb::ways; }
};

}  // namespace iommu::introspect
