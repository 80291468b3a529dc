// SPDX-License-Identifier: GPL-2.0-or-later
// What both devices show of a translation cache.
#pragma once

#include "hw/iommu/introspect/arguments.hpp"
#include "hw/iommu/introspect/narrate.hpp"
#include "hw/iommu/introspect/tlb_view.hpp"

namespace iommu::introspect {

// Of a cached translation: whose it is, by the names of the arguments that select it.
struct TlbOwner {
    std::uint64_t domain = 0;              // VMID, domain-id
    std::optional<std::uint64_t> space{};  // ASID, PASID; none: of stage 2 alone
    bool nested = false;
};

struct TlbNames {
    const char* domain;
    const char* space;
};

// `tlb`: keys names.domain, names.space, address, limit.
template <typename TagOf, typename OwnerOf>
void write_tlb(Json& json, Arguments& arguments, const Tlb& tlb, const TlbNames& names,
               TagOf&& tag_of, OwnerOf&& owner_of)
{
    const auto domain = arguments.number(names.domain, 0xffff);
    const auto space = arguments.number(names.space, 0xfffff);
    const auto address = arguments.number("address", ~std::uint64_t{0});
    const auto limit = arguments.number("limit", 65536).value_or(256);
    if (!arguments.error().empty()) {
        return;
    }
    std::uint64_t live = 0, matching = 0;
    json.open_object()
        .number("capacity", TlbView::capacity(tlb))
        .key("entries")
        .open_list();
    TlbView::each(
        tlb, tag_of,
        [&](std::uint64_t context, std::uint64_t input, const Tlb::Hit& hit) {
            ++live;
            const TlbOwner owner = owner_of(context);
            const auto mask = (std::uint64_t{1} << hit.log2size) - 1;
            if ((domain && *domain != owner.domain) || (space && space != owner.space) ||
                (address && (*address & ~mask) != (input & ~mask)) ||
                ++matching > limit) {
                return;
            }
            json.open_object().number(names.domain, owner.domain);
            if (owner.space) {
                json.number(names.space, *owner.space);
            }
            json.boolean("nested", owner.nested)
                .hex("input", input)
                .hex("output", hit.output)
                .hex("size", mask + 1)
                .key("rights");
            write_rights(
                json, Rights{static_cast<std::uint8_t>(hit.attributes & Rights::every)});
            json.close_object();
        });
    json.close_list().number("live", live).number("matching", matching).close_object();
}

}  // namespace iommu::introspect
