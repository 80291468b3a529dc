// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 3.6 "First-Stage Translation" and 3.7 "Second-Stage Translation" as formats of the
// one walker.  Levels count down to 1, the level of 4 KiB pages.
#pragma once

#include <cstdint>

#include "hw/iommu/common/last_tables.hpp"
#include "hw/iommu/common/walk.hpp"
#include "hw/iommu/vtd/spec/page_tables.hpp"
#include "iommu/address.hpp"

namespace iommu::vtd {

constexpr unsigned level_shift(int level)
{
    return 12 + 9 * static_cast<unsigned>(level - 1);
}
constexpr unsigned input_bits(int levels)
{
    return level_shift(levels + 1);
}
constexpr std::uint64_t entry_offset(int level, std::uint64_t input)
{
    return (input >> level_shift(level) & 511) * 8;
}
// Bits of an entry's doubleword that stand for no address the platform has.
constexpr std::uint64_t beyond(unsigned haw_bits)
{
    return 0x000f'ffff'ffff'f000 & ~std::uint64_t{0} << haw_bits;
}

// What both stages do alike once they know that the entry is present: its kind, its
// address, and the reserved address bits of a large page, [low : 12].
template <typename Output, typename E>
constexpr Entry<Output> place(E entry, int level, std::uint64_t low_reserved)
{
    Entry<Output> out;
    const bool page = level == 1 || entry[E::PS];
    out.kind = page ? EntryKind::Leaf : EntryKind::Table;
    const auto shift = page ? level_shift(level) : 12;
    const auto in_page = (std::uint64_t{1} << shift) - 1;
    // PS is reserved where no page ends; VT-d 9.7, 9.8: levels 4 and 5.
    if ((level > 3 && entry[E::PS]) ||
        (page && (entry.dword[0] & in_page & low_reserved) != 0)) {
        out.kind = EntryKind::Bad;
        out.why = WalkFault::Reserved;
        return out;
    }
    out.log2size = static_cast<std::uint8_t>(shift);
    out.address = Output{entry.dword[0] & E::ADDR.mask & ~in_page};
    return out;
}
template <typename Output>
constexpr Entry<Output> bad(WalkFault why)
{
    Entry<Output> out;
    out.why = why;
    return out;
}

// VT-d 9.7, 9.8: the entries of level 1 map pages.  `reserved`: in one of them.
constexpr PageEntries pages_of_4k(std::uint64_t address, std::uint64_t reserved)
{
    return {.level = 1,
            .log2size = level_shift(1),
            .address = address,
            .beyond = address & reserved};
}

template <typename In>
struct SecondStage {
    using Input = In;
    using Output = Gpa;
    static constexpr unsigned max_levels = 5;
    static constexpr std::uint8_t transient = 1;  // Leaf trait: TM

    Gpa root{};
    std::uint64_t reserved_table = 0;  // in an entry that points to a table
    std::uint64_t reserved_page = 0;   // in one that maps a page
    int levels = 4;
    std::uint8_t width = 48;      // the lesser of AW and MGAW
    bool accessed_dirty = false;  // SSADE
    bool executes = false;        // SSEE

    Expected<WalkStart<Gpa>, WalkFault> start(In input) const
    {
        if (input.value >> width != 0) {
            return Unexpected{WalkFault::OutOfRange};
        }
        return WalkStart<Gpa>{root, levels};
    }
    static Gpa entry_address(Gpa table, int level, In input)
    {
        return Gpa{table.value | entry_offset(level, input.value)};
    }
    static constexpr int below(int level) { return level - 1; }
    PageEntries pages() const
    {
        return pages_of_4k(SecondStageEntry::ADDR.mask, reserved_page);
    }

    Entry<Gpa> decode(std::uint64_t raw, int level, In) const
    {
        using E = SecondStageEntry;
        E e;
        e.dword[0] = raw;
        // VT-d 3.7: an entry is present when it grants anything at all.
        if (!e[E::R] && !e[E::W] && !(executes && e[E::X])) {
            return bad<Gpa>(WalkFault::Translation);
        }
        auto out = place<Gpa>(e, level, 0x3fff'f000);
        const auto reserved =
            out.kind == EntryKind::Leaf ? reserved_page : reserved_table;
        if (out.kind == EntryKind::Bad || (raw & reserved) != 0) {
            return bad<Gpa>(WalkFault::Reserved);
        }
        out.rights = rights(e);
        out.traits = e[E::TM] ? transient : 0;
        return out;
    }
    static Rights finish(Rights r) { return r; }

    // VT-d 3.7.2 "Accessed and Dirty Flags": A in every entry used, D where a page is
    // written.
    std::uint64_t update(std::uint64_t raw, int, EntryKind kind, Rights wanted) const
    {
        using E = SecondStageEntry;
        if (!accessed_dirty) {
            return raw;
        }
        const bool dirty = kind == EntryKind::Leaf &&
                           wanted.has(Rights::user_write | Rights::priv_write);
        return raw | E::A.mask | (dirty ? E::D.mask : 0);
    }

private:
    Rights rights(SecondStageEntry e) const
    {
        using E = SecondStageEntry;
        unsigned r = 0;
        if (e[E::R]) {
            r |= Rights::user_read | Rights::priv_read;
        }
        if (e[E::W]) {
            r |= Rights::user_write | Rights::priv_write;
        }
        // VT-d 9.8, field X: looked at with SSEE only.
        if (executes ? e[E::X] : e[E::R]) {
            r |= Rights::user_execute | Rights::priv_execute;
        }
        return {static_cast<std::uint8_t>(r)};
    }
};

template <typename Out>
struct FirstStage {
    using Input = Iova;
    using Output = Out;
    static constexpr unsigned max_levels = 5;

    Out root{};
    std::uint64_t reserved = 0;  // address bits beyond the output width, XD without NXE
    int levels = 4;
    bool write_protect = false;      // WPE
    bool smep = false;               // SMEP
    bool extended_accessed = false;  // EAFE

    // VT-d 3.6: bits above the width all equal its topmost bit.
    Expected<WalkStart<Out>, WalkFault> start(Iova input) const
    {
        const auto above =
            static_cast<std::int64_t>(input.value) >> (input_bits(levels) - 1);
        if (above != 0 && above != -1) {
            return Unexpected{WalkFault::OutOfRange};
        }
        return WalkStart<Out>{root, levels};
    }
    static Out entry_address(Out table, int level, Iova input)
    {
        return Out{table.value | entry_offset(level, input.value)};
    }
    static constexpr int below(int level) { return level - 1; }
    PageEntries pages() const
    {
        return pages_of_4k(FirstStageEntry::ADDR.mask, reserved);
    }

    Entry<Out> decode(std::uint64_t raw, int level, Iova) const
    {
        using E = FirstStageEntry;
        E e;
        e.dword[0] = raw;
        if (!e[E::P]) {
            return bad<Out>(WalkFault::Translation);
        }
        if ((raw & reserved) != 0) {
            return bad<Out>(WalkFault::Reserved);
        }
        // VT-d 9.7: bit 12 of a large page is PAT.
        auto out = place<Out>(e, level, 0x3fff'e000);
        out.rights = rights(e);
        return out;
    }

    // VT-d 3.6.1 "Access Rights": with SMEP a supervisor does not execute user pages.
    Rights finish(Rights r) const
    {
        return smep && r.has(Rights::user_read) ? r.without(Rights::priv_execute) : r;
    }

    // VT-d 3.6.2 "Accessed, Extended Accessed, and Dirty Flags".
    std::uint64_t update(std::uint64_t raw, int, EntryKind kind, Rights wanted) const
    {
        using E = FirstStageEntry;
        const bool dirty = kind == EntryKind::Leaf &&
                           wanted.has(Rights::user_write | Rights::priv_write);
        return raw | E::A.mask | (extended_accessed ? E::EA.mask : 0) |
               (dirty ? E::D.mask : 0);
    }

private:
    Rights rights(FirstStageEntry e) const
    {
        using E = FirstStageEntry;
        unsigned taken = 0;
        if (!e[E::US]) {
            taken |= Rights::user_read | Rights::user_write | Rights::user_execute;
        }
        if (!e[E::RW]) {
            taken |= Rights::user_write;
            taken |= write_protect ? Rights::priv_write : 0u;
        }
        if (e[E::XD]) {
            taken |= Rights::user_execute | Rights::priv_execute;
        }
        return Rights::all().without(taken);
    }
};
static_assert(UpdatingFormat<SecondStage<Iova>> && UpdatingFormat<FirstStage<Ipa>>);
static_assert(TableKeepingFormat<SecondStage<Iova>> &&
              TableKeepingFormat<FirstStage<Gpa>>);

}  // namespace iommu::vtd
