// SPDX-License-Identifier: GPL-2.0-or-later
// One page-table walker.  The format is all that differs between Arm stage 1, Arm stage
// 2, VT-d first stage and VT-d second stage (VMSA D8.2, VT-d 3.6 and 3.7).
//
//   root --> [entry] --> [entry] --> ... --> [leaf] --> output
//              |            |                   |
//              +--- rights of each entry on the way narrow what the leaf grants
//
// Nesting is not a flag: the outer stage hands the inner stage's walk over as its reader.
#pragma once

#include <concepts>
#include <cstdint>

#include "iommu/expected.hpp"
#include "iommu/transaction.hpp"

namespace iommu {

// Who may do what through a mapping.  Complete for every kind of access, so that a cached
// leaf answers later accesses of another kind as the walk would have.
struct Rights {
    static constexpr std::uint8_t user_read = 1, user_write = 2, user_execute = 4;
    static constexpr std::uint8_t priv_read = 8, priv_write = 16, priv_execute = 32;
    static constexpr std::uint8_t every = 63;

    std::uint8_t bits = 0;

    static constexpr Rights all() { return {every}; }
    constexpr bool has(unsigned mask) const { return (bits & mask) != 0; }
    constexpr bool allow(Rights wanted) const { return (wanted.bits & ~bits) == 0; }
    // Of one privilege, as user rights.
    constexpr Rights of(Privilege p) const
    {
        return {static_cast<std::uint8_t>(bits >> (p == Privilege::Privileged ? 3 : 0))};
    }
    constexpr Rights without(unsigned mask) const
    {
        return {static_cast<std::uint8_t>(bits & ~mask)};
    }
    friend constexpr Rights operator&(Rights a, Rights b)
    {
        return {static_cast<std::uint8_t>(a.bits & b.bits)};
    }
    friend constexpr Rights operator|(Rights a, Rights b)
    {
        return {static_cast<std::uint8_t>(a.bits | b.bits)};
    }
    friend constexpr bool operator==(Rights, Rights) = default;
};

// The right an access needs.  A write is always data (SMMU 13.1.2, VT-d 3.6).
constexpr Rights needed(Access access, Privilege privilege, Content content)
{
    const unsigned right = access == Access::Write           ? Rights::user_write
                           : content == Content::Instruction ? Rights::user_execute
                                                             : Rights::user_read;
    const unsigned shift = privilege == Privilege::Privileged ? 3 : 0;
    return {static_cast<std::uint8_t>(right << shift)};
}
constexpr Rights needed(const Transaction& t)
{
    return needed(t.access, t.privilege, t.content);
}

enum class WalkFault : std::uint8_t {
    OutOfRange,   // no table covers the input
    Translation,  // an entry that is not valid
    Reserved,     // a bit set that the format reserves
    AddressSize,  // an entry that points beyond the output size
    AccessFlag,
    Permission,
    Unreadable,  // the reader failed; it says why
};

template <typename ReadError>
struct WalkError {
    WalkFault why{};
    int level = 0;
    ReadError unreadable{};  // meaningful for Unreadable only
    // The entry that ended the walk, if one was read: while it stands, so does the
    // refusal.
    bool entry_read = false;
    std::uint64_t entry_at = 0, entry_raw = 0;
};

enum class EntryKind : std::uint8_t { Bad, Table, Leaf };

// What a format makes of one entry.
template <typename Output>
struct Entry {
    EntryKind kind = EntryKind::Bad;
    WalkFault why = WalkFault::Translation;  // Bad only
    bool accessed = true;                    // Leaf only: no access-flag fault
    std::uint8_t log2size = 0;               // Leaf only: of the block it maps
    std::uint8_t traits = 0;                 // Leaf only: the format's own remarks
    Rights rights = Rights::all();           // Table: what is left to those below
    Output address{};                        // next table, or the block's output
};

template <typename Output>
struct WalkStart {
    Output table{};
    int level = 0;
};

template <typename Output>
struct Leaf {
    Output output{};  // of the input itself, not of the block's first byte
    std::uint8_t log2size = 0;
    std::uint8_t traits = 0;
    Rights allowed{};
    int level = 0;
    // Where it stood, and what the tables above it left: who keeps these can read the
    // leaves next to it without the walk.
    Output table{};
    Rights above{};
};

template <typename F>
concept PageTableFormat = requires(const F f, typename F::Input in,
                                   typename F::Output out, int level, std::uint64_t raw,
                                   Rights rights)
{
    {
        f.start(in)
        } -> std::same_as<Expected<WalkStart<typename F::Output>, WalkFault>>;
    {
        f.entry_address(out, level, in)
        } -> std::same_as<typename F::Output>;
    {
        f.decode(raw, level, in)
        } -> std::same_as<Entry<typename F::Output>>;
    {
        f.below(level)
        } -> std::same_as<int>;
    // Rules that need the permissions of the whole path (WXN, PAN, ...).
    {
        f.finish(rights)
        } -> std::same_as<Rights>;
    {
        F::max_levels
        } -> std::convertible_to<unsigned>;
};

// A format whose entries are marked as they are used: `update` gives the value the entry
// is to have.  Its reader also has `update(at, expected, desired)`, as
// GuestMemory::compare_exchange64.
template <typename F>
concept UpdatingFormat = PageTableFormat<F> &&
    requires(const F f, std::uint64_t raw, int level, EntryKind kind, Rights wanted)
{
    {
        f.update(raw, level, kind, wanted)
        } -> std::same_as<std::uint64_t>;
};

// A reader gives Expected<uint64_t, E> for an address or, without moving results about,
// has fetch() that says whether it could, and failure() that says why not.
template <typename Reader, typename Output, typename ReadError>
[[gnu::always_inline]] inline bool read_entry(Reader& read, Output at, std::uint64_t& raw,
                                              ReadError& why)
{
    if constexpr (requires { read.fetch(at, raw); }) {
        if (!read.fetch(at, raw)) [[unlikely]] {
            why = read.failure(at);
            return false;
        }
    } else {
        const auto value = read(at);
        if (!value) {
            why = value.error();
            return false;
        }
        raw = *value;
    }
    return true;
}

// True: `leaf` is what the input maps to;
// false: `error` says why it maps to nothing.  Results go straight where the caller wants
// them: a walk is not much longer than the copying of its results would be.
template <PageTableFormat Format, typename Reader, typename ReadError>
[[gnu::always_inline]] inline bool
walk_into(const Format& format, Reader& read, typename Format::Input input, Rights wanted,
          Leaf<typename Format::Output>& leaf, WalkError<ReadError>& error)
{
    const auto fail = [&error](WalkFault why, int level) {
        error.why = why;
        error.level = level;
        return false;
    };
    const auto unreadable = [&error](int level, const ReadError& why) {
        error.why = WalkFault::Unreadable;
        error.level = level;
        error.unreadable = why;
        return false;
    };

    const auto start = format.start(input);
    if (!start) {
        return fail(start.error(), 0);
    }
    auto table = start->table;
    auto level = start->level;
    auto granted = Rights::all();

    // An entry that changed under us is looked at again, a bounded number of times.
    [[maybe_unused]] unsigned retries = 16;
    for (unsigned steps = Format::max_levels; steps > 0;) {
        const auto at = format.entry_address(table, level, input);
        std::uint64_t raw = 0;
        ReadError unread;
        if (!read_entry(read, at, raw, unread)) {
            return unreadable(level, unread);
        }
        // In the architectures' priority order, one check a line.
        const auto entry = format.decode(raw, level, input);
        const auto refuse = [&](WalkFault why) {
            error.entry_read = true;
            error.entry_at = at.value;
            error.entry_raw = raw;
            return fail(why, level);
        };
        if (entry.kind == EntryKind::Bad) {
            return refuse(entry.why);
        }
        auto allowed = granted & entry.rights;
        if (entry.kind == EntryKind::Leaf) {
            if (!entry.accessed) {
                return refuse(WalkFault::AccessFlag);
            }
            allowed = format.finish(allowed);
            if (!allowed.allow(wanted)) {
                return refuse(WalkFault::Permission);
            }
        }
        if constexpr (UpdatingFormat<Format>) {
            const auto desired = format.update(raw, level, entry.kind, wanted);
            if (desired != raw) {
                auto found = raw;
                const auto stored = read.update(at, found, desired);
                if (!stored) {
                    return unreadable(level, stored.error());
                }
                if (!*stored && retries > 0) {
                    --retries;
                    continue;
                }
            }
        }
        if (entry.kind == EntryKind::Leaf) {
            const auto offset = input.value & ((std::uint64_t{1} << entry.log2size) - 1);
            leaf.output.value = entry.address.value | offset;
            leaf.log2size = entry.log2size;
            leaf.traits = entry.traits;
            leaf.allowed = allowed;
            leaf.level = level;
            leaf.table = table;
            leaf.above = granted;
            return true;
        }
        granted = allowed;
        table = entry.address;
        level = format.below(level);
        --steps;
    }
    return fail(WalkFault::Translation, level);
}

// The same as one value, where a few nanoseconds do not matter.
template <PageTableFormat Format, typename Reader>
inline auto walk(const Format& format, Reader& read, typename Format::Input input,
                 Rights wanted)
{
    using Output = typename Format::Output;
    using Read = decltype(read(Output{}));
    using Error = WalkError<std::remove_cvref_t<decltype(std::declval<Read>().error())>>;
    using Result = Expected<Leaf<Output>, Error>;
    Leaf<Output> leaf;
    Error error;
    return walk_into(format, read, input, wanted, leaf, error)
               ? Result{leaf}
               : Result{Unexpected{error}};
}

}  // namespace iommu
