// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/catalogue/chapters.hpp"

namespace iommu::contract {

namespace {

constexpr std::size_t total = sizeof(rules_a_to_d) / sizeof(Rule) +
                              sizeof(rules_e_to_i) / sizeof(Rule) +
                              sizeof(rules_j_to_q) / sizeof(Rule);
static_assert(total == 218);

template <std::size_t size>
Rule* copy(const Rule (&chapter)[size], Rule* to)
{
    for (const auto& rule : chapter) {
        *to++ = rule;
    }
    return to;
}

}  // namespace

Rules all_rules()
{
    static Rule all[total];
    if (all[0].number == 0) {
        copy(rules_j_to_q, copy(rules_e_to_i, copy(rules_a_to_d, all)));
    }
    return {all, total};
}

const char* section_title(char section)
{
    switch (section) {
    case 'A':
        return "Interface retrieval and ABI";
    case 'B':
        return "Domain creation and deletion";
    case 'C':
        return "Reserved regions";
    case 'D':
        return "Device tokens";
    case 'E':
        return "Attach and detach (Ex)";
    case 'F':
        return "Attach and detach (V1)";
    case 'G':
        return "Available types and policy";
    case 'H':
        return "State-change callbacks";
    case 'I':
        return "MapLogicalRangeEx and MapLogicalRange";
    case 'J':
        return "UnmapLogicalRange";
    case 'K':
        return "Identity maps";
    case 'L':
        return "Tokens";
    case 'M':
        return "Unmanaged: configure and flush";
    case 'N':
        return "Input mappings";
    case 'O':
        return "Fault reporting";
    case 'P':
        return "PASID (V3)";
    case 'Q':
        return "DXGK";
    default:
        return "";
    }
}

}  // namespace iommu::contract
