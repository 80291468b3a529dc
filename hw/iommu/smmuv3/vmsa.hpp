// SPDX-License-Identifier: GPL-2.0-or-later
// What stage 1 and stage 2 of the VMSAv8-64 translation system share: granules, levels,
// descriptor kinds and the contiguous bit (VMSA D8.2 "Translation process", D8.3
// "Translation table descriptor formats").
#pragma once

#include <cstdint>

#include "hw/iommu/common/last_tables.hpp"
#include "iommu/address.hpp"

namespace iommu::smmu {

enum class Granule : std::uint8_t { K4 = 12, K16 = 14, K64 = 16 };

constexpr unsigned page_shift(Granule g)
{
    return static_cast<unsigned>(g);
}
constexpr unsigned stride(Granule g)
{
    return page_shift(g) - 3;
}

// Lowest input bit that an entry of `level` resolves.
constexpr unsigned level_shift(Granule g, int level)
{
    return page_shift(g) + static_cast<unsigned>(3 - level) * stride(g);
}

// VMSA D8.3.1: where a block descriptor may stand, with output addresses up to 48 bits.
constexpr bool has_blocks(Granule g, int level)
{
    return level == 2 || (level == 1 && g == Granule::K4);
}

// VMSA D8.6.1 "The Contiguous bit": log2 of the number of adjacent entries.
constexpr unsigned contiguous_log2(Granule g, int level)
{
    switch (g) {
    case Granule::K4:
        return 4;
    case Granule::K16:
        return level == 3 ? 7 : 5;
    case Granule::K64:
        return 5;
    }
    return 0;
}

// Output sizes as CD.IPS and STE.S2PS encode them; beyond what is implemented, that
// counts (SMMU 5.4 CD.IPS, 5.2 STE.S2PS).
constexpr unsigned address_bits(unsigned encoded, unsigned oas)
{
    constexpr unsigned bits[] = {32, 36, 40, 42, 44, 48, 52, 52};
    const auto wanted = bits[encoded & 7];
    return wanted < oas ? wanted : oas;
}

// One set of tables: a TTBx of stage 1, or stage 2.
struct Tables {
    std::uint64_t base = 0;
    Granule granule = Granule::K4;
    std::uint8_t input_bits = 0;
    std::uint8_t output_bits = 0;
    std::int8_t start_level = 0;
    bool access_flag_faults = true;  // not AFFD
    std::uint8_t reserved[3] = {};

    friend bool operator==(const Tables&, const Tables&) = default;

    static constexpr unsigned max_levels = 4;
    static constexpr int below(int level) { return level + 1; }

    // VMSA D8.3.1.2: a page's address stands in bits [47:page].
    constexpr PageEntries pages() const
    {
        const auto page = page_shift(granule);
        const auto address = (std::uint64_t{1} << 48) - (std::uint64_t{1} << page);
        return {.level = 3,
                .log2size = page,
                .address = address,
                .ignored = (std::uint64_t{1} << page) - (std::uint64_t{1} << 12),
                .beyond = address & ~std::uint64_t{0} << output_bits};
    }

    // VMSA D8.2.8: the start table is aligned to its size; low bits are taken as zero.
    constexpr std::uint64_t aligned_base() const
    {
        const auto index_bits = input_bits - level_shift(granule, start_level);
        return base & ~((std::uint64_t{8} << index_bits) - 1);
    }

    constexpr std::uint64_t entry_offset(int level, std::uint64_t input) const
    {
        const auto in_range = input & ((std::uint64_t{1} << input_bits) - 1);
        auto index = in_range >> level_shift(granule, level);
        if (level != start_level) {  // a stage 2 start level may span concatenated tables
            index &= (std::uint64_t{1} << stride(granule)) - 1;
        }
        return index * 8;
    }

    // Everything of `raw` that both stages read alike; rights and traits stay untouched.
    template <typename Output>
    [[gnu::always_inline]] constexpr Entry<Output>
    decode_common(std::uint64_t raw, int level, std::uint64_t input) const
    {
        constexpr std::uint64_t valid = 1, not_block = 2;
        constexpr std::uint64_t address_mask = 0x0000'ffff'ffff'f000;
        Entry<Output> entry;
        if ((raw & valid) == 0) {
            return entry;
        }
        if (level < 3 && (raw & not_block) != 0) {
            entry.kind = EntryKind::Table;
            entry.address.value =
                raw & address_mask & ~((std::uint64_t{1} << page_shift(granule)) - 1);
        } else if (level == 3 ? (raw & not_block) != 0 : has_blocks(granule, level)) {
            entry.kind = EntryKind::Leaf;
            const auto shift = level_shift(granule, level);
            entry.log2size = static_cast<std::uint8_t>(shift);
            entry.address.value = raw & address_mask & ~((std::uint64_t{1} << shift) - 1);
        } else {
            return entry;
        }
        if ((entry.address.value >> output_bits) != 0) {
            entry.kind = EntryKind::Bad;
            entry.why = WalkFault::AddressSize;
            return entry;
        }
        if (entry.kind == EntryKind::Leaf) {
            finish_leaf(entry, raw, level, input);
        }
        return entry;
    }

private:
    template <typename Output>
    constexpr void finish_leaf(Entry<Output>& entry, std::uint64_t raw, int level,
                               std::uint64_t input) const
    {
        constexpr std::uint64_t af = std::uint64_t{1} << 10;
        constexpr std::uint64_t contiguous = std::uint64_t{1} << 52;
        entry.accessed = (raw & af) != 0 || !access_flag_faults;
        if ((raw & contiguous) == 0) {
            return;
        }
        // A misprogrammed run, whose output is not laid out like its input, or which is
        // larger than the input range, is taken for what this one entry says.
        const auto shift = entry.log2size + contiguous_log2(granule, level);
        const auto run =
            (std::uint64_t{1} << shift) - (std::uint64_t{1} << entry.log2size);
        if (shift <= input_bits && ((entry.address.value ^ input) & run) == 0) {
            entry.log2size = static_cast<std::uint8_t>(shift);
            entry.address.value &= ~((std::uint64_t{1} << shift) - 1);
        }
    }
};
static_assert(sizeof(Tables) == 16);

}  // namespace iommu::smmu
