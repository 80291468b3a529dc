// SPDX-License-Identifier: GPL-2.0-or-later
// Stage 1 of VMSAv8-64, EL1&0 regime, as one TTBx of a CD describes it (VMSA D8.3, D8.4;
// SMMU 5.4, 13.4.1 "Stage 1 page permissions").
#pragma once

#include <array>

#include "hw/iommu/smmuv3/vmsa.hpp"

namespace iommu::smmu {

struct VmsaStage1 {
    using Input = Iova;
    using Output = Ipa;
    static constexpr unsigned max_levels = Tables::max_levels;

    // Leaf traits.
    static constexpr std::uint8_t global = 1;  // nG == 0: matches any ASID

    Tables tables{};
    bool upper_half = false;        // TTB1
    bool walks_disabled = false;    // EPDx
    bool top_byte_ignored = false;  // TBIx
    bool hierarchical = true;       // not HADx
    bool wxn = false;
    bool pan = false;
    std::uint8_t reserved[2] = {};
    friend bool operator==(const VmsaStage1&, const VmsaStage1&) = default;

    Expected<WalkStart<Ipa>, WalkFault> start(Iova input) const
    {
        // VMSA D8.2.3, SMMU 5.4 CD.TBI0: every bit above the range equals VA[55], which
        // chose this half; the top byte counts unless it is ignored.
        auto va = input.value;
        if (top_byte_ignored) {
            va = sign_extend_55(va);
        }
        if (walks_disabled || ((upper_half ? ~va : va) >> tables.input_bits) != 0) {
            return Unexpected{WalkFault::OutOfRange};
        }
        return WalkStart<Ipa>{Ipa{tables.aligned_base()}, tables.start_level};
    }
    Ipa entry_address(Ipa table, int level, Iova input) const
    {
        return Ipa{table.value | tables.entry_offset(level, input.value)};
    }
    static int below(int level) { return Tables::below(level); }
    PageEntries pages() const { return tables.pages(); }

    [[gnu::always_inline]] Entry<Ipa> decode(std::uint64_t raw, int level,
                                             Iova input) const
    {
        auto entry = tables.decode_common<Ipa>(raw, level, input.value);
        if (entry.kind == EntryKind::Table) {
            entry.rights = hierarchical ? table_rights(raw) : Rights::all();
        } else if (entry.kind == EntryKind::Leaf) {
            entry.rights = leaf_rights(raw);
            entry.traits = (raw & bit(11)) == 0 ? global : 0;
        }
        return entry;
    }

    // VMSA D8.4.1.2: rules over the combined permissions.
    Rights finish(Rights r) const
    {
        if (r.has(Rights::user_write)) {
            r = r.without(Rights::priv_execute);
            if (wxn) {
                r = r.without(Rights::user_execute);
            }
        }
        if (wxn && r.has(Rights::priv_write)) {
            r = r.without(Rights::priv_execute);
        }
        if (pan && r.has(Rights::user_read | Rights::user_write)) {
            r = r.without(Rights::priv_read | Rights::priv_write);
        }
        return r;
    }

    static constexpr std::uint64_t sign_extend_55(std::uint64_t va)
    {
        return static_cast<std::uint64_t>(static_cast<std::int64_t>(va << 8) >> 8);
    }

private:
    static constexpr std::uint64_t bit(unsigned n) { return std::uint64_t{1} << n; }

    // VMSA D8.3.1.1: APTable[62:61], UXNTable[60], PXNTable[59].
    static constexpr Rights table_rights(std::uint64_t raw)
    {
        if ((raw & (bit(59) | bit(60) | bit(61) | bit(62))) == 0) [[likely]] {
            return Rights::all();
        }
        unsigned taken = 0;
        if (raw & bit(61)) {
            taken |= Rights::user_read | Rights::user_write;
        }
        if (raw & bit(62)) {
            taken |= Rights::user_write | Rights::priv_write;
        }
        if (raw & bit(60)) {
            taken |= Rights::user_execute;
        }
        if (raw & bit(59)) {
            taken |= Rights::priv_execute;
        }
        return Rights::all().without(taken);
    }

    // VMSA D8.4.1: AP[2:1] in bits [7:6], PXN[53], UXN[54]; here AP[1], AP[2], PXN, UXN
    // from bit 0 up.
    static constexpr Rights rights_of(unsigned ap_xn)
    {
        unsigned taken = 0;
        if ((ap_xn & 1) == 0) {
            taken |= Rights::user_read | Rights::user_write;
        }
        if (ap_xn & 2) {
            taken |= Rights::user_write | Rights::priv_write;
        }
        if (ap_xn & 4) {
            taken |= Rights::priv_execute;
        }
        if (ap_xn & 8) {
            taken |= Rights::user_execute;
        }
        return Rights::all().without(taken);
    }
    struct RightsTable {
        std::array<Rights, 16> of{};
        constexpr RightsTable()
        {
            for (unsigned i = 0; i < of.size(); ++i) {
                of[i] = rights_of(i);
            }
        }
    };
    static Rights leaf_rights(std::uint64_t raw)
    {
        static constexpr RightsTable table;
        return table.of[(raw >> 6 & 3) | (raw >> 53 & 3) << 2];
    }
};
static_assert(sizeof(VmsaStage1) == 24 && TableKeepingFormat<VmsaStage1>);

}  // namespace iommu::smmu
