// SPDX-License-Identifier: GPL-2.0-or-later
// Stage 2 of VMSAv8-64 as an STE describes it (VMSA D8.3, D8.4.2; SMMU 5.2).
#pragma once

#include "hw/iommu/smmuv3/vmsa.hpp"

namespace iommu::smmu {

struct VmsaStage2 {
    using Input = Ipa;
    using Output = Gpa;
    static constexpr unsigned max_levels = Tables::max_levels;

    // Leaf traits.
    static constexpr std::uint8_t device_memory = 2;  // MemAttr says any Device type

    Tables tables{};
    friend bool operator==(const VmsaStage2&, const VmsaStage2&) = default;

    Expected<WalkStart<Gpa>, WalkFault> start(Ipa input) const
    {
        if ((input.value >> tables.input_bits) != 0) {
            return Unexpected{WalkFault::OutOfRange};
        }
        return WalkStart<Gpa>{Gpa{tables.aligned_base()}, tables.start_level};
    }
    Gpa entry_address(Gpa table, int level, Ipa input) const
    {
        return Gpa{table.value | tables.entry_offset(level, input.value)};
    }
    static int below(int level) { return Tables::below(level); }
    PageEntries pages() const { return tables.pages(); }

    [[gnu::always_inline]] Entry<Gpa> decode(std::uint64_t raw, int level,
                                             Ipa input) const
    {
        auto entry = tables.decode_common<Gpa>(raw, level, input.value);
        if (entry.kind == EntryKind::Leaf) {
            entry.rights = leaf_rights(raw);
            // VMSA D8.5.5: MemAttr[3:2], descriptor bits [5:4], 0b00 is Device.
            entry.traits = ((raw >> 4) & 3) == 0 ? device_memory : 0;
        }
        return entry;
    }
    Rights finish(Rights r) const { return r; }

private:
    // VMSA D8.4.2: S2AP in bits [7:6], write and read; XN[1:0] in bits [54:53].
    static constexpr Rights leaf_rights(std::uint64_t raw)
    {
        unsigned r = 0;
        if (raw & (std::uint64_t{1} << 6)) {
            r |= Rights::user_read | Rights::priv_read;
        }
        if (raw & (std::uint64_t{1} << 7)) {
            r |= Rights::user_write | Rights::priv_write;
        }
        switch ((raw >> 53) & 3) {
        case 0b00:
            r |= Rights::user_execute | Rights::priv_execute;
            break;
        case 0b01:
            r |= Rights::user_execute;
            break;
        case 0b11:
            r |= Rights::priv_execute;
            break;
        default:
            break;
        }
        return {static_cast<std::uint8_t>(r)};
    }
};
static_assert(sizeof(VmsaStage2) == 16 && PageTableFormat<VmsaStage2>);

}  // namespace iommu::smmu
