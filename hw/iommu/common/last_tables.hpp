// SPDX-License-Identifier: GPL-2.0-or-later
// The last-level tables a thread's walks ended in, so that the page next to one that was
// just translated costs one entry instead of four (SMMU 3.17, 16.2: a TLB may hold the
// descriptors of a walk one by one; VT-d 6.2.5 "Caches for Paging Structures").
//
//   a walk:    root --> [ ] --> [ ] --> [ ] --> table [ | |x| | ]
//   the next:                                         [ | | |x| ]  read anew, of the host
//
// A table is forgotten with the first invalidation of any translation, whatever it names,
// and with the configuration that led to it.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>

#include "hw/iommu/common/tlb.hpp"
#include "hw/iommu/common/walk.hpp"
#include "iommu/memory.hpp"
#include "iommu/transaction.hpp"

namespace iommu {

// What must be as it was for something kept of a walk to be good.
struct WalkKey {
    std::uint64_t context = 0;  // of new_context(); 0: nothing is kept
    std::uint64_t epoch = 0;    // of the TLB: Tlb::Ticket
    std::uint64_t ram = 0;      // RamMap::generation()
    friend bool operator==(const WalkKey&, const WalkKey&) = default;

    // `ticket` is older than anything the walk reads.
    static WalkKey of(std::uint64_t context, Tlb::Ticket ticket, const RamMap& ram)
    {
        return {ticket.settled() ? context : 0, ticket.epoch, ram.generation()};
    }
    // For a configuration as it was read once; never any other's, of any device.
    static std::uint64_t new_context()
    {
        static std::atomic<std::uint64_t> last{0};
        return last.fetch_add(1, std::memory_order_relaxed) + 1;
    }
};

// The entries of a format's last level.  A table of them is as large as a page.
struct PageEntries {
    int level = 0;
    unsigned log2size = 0;      // of a page
    std::uint64_t address = 0;  // the bits that are the page's address
    std::uint64_t ignored = 0;  // bits that say nothing
    std::uint64_t beyond = 0;   // bits of the address that make an entry bad
};

template <typename F>
concept TableKeepingFormat = PageTableFormat<F> && requires(const F f)
{
    {
        f.pages()
        } -> std::same_as<PageEntries>;
};

template <TableKeepingFormat Format>
class LastTables {
public:
    using Input = typename Format::Input;
    using Output = typename Format::Output;

    struct Table {
        WalkKey key{};
        std::uint64_t region = 0;
        const std::byte* host = nullptr;
        Format format{};
        Rights above{};
        std::uint32_t visited = 0;  // runs of pages that were looked into an odd number
                                    // of times

        // The entry that maps `input`.
        std::uint64_t read(Input input) const
        {
            return load(offset(input, format.pages().log2size));
        }
        // What `raw`, read there, is to those below `above`.
        Entry<Output> decode(std::uint64_t raw, Input input) const
        {
            auto entry = format.decode(raw, format.pages().level, input);
            entry.rights = format.finish(above & entry.rights);
            return entry;
        }

        // What a walk would end in, if nothing keeps it from that and no entry would be
        // updated: `leaf`, but for where it stood, and the entry itself.
        bool find(Input input, Rights wanted, Leaf<Output>& leaf,
                  std::uint64_t& raw) const
        {
            raw = read(input);
            const auto entry = decode(raw, input);
            if (entry.kind != EntryKind::Leaf || !entry.accessed ||
                !entry.rights.allow(wanted)) {
                return false;
            }
            if constexpr (UpdatingFormat<Format>) {
                if (format.update(raw, format.pages().level, entry.kind, wanted) != raw) {
                    return false;
                }
            }
            const auto inside = (std::uint64_t{1} << entry.log2size) - 1;
            leaf.output.value = entry.address.value | (input.value & inside);
            leaf.log2size = entry.log2size;
            leaf.traits = entry.traits;
            leaf.allowed = entry.rights;
            return true;
        }

        // The entries around the one that was found, which says `raw`, as far as they
        // are the same but for the address.  nullptr: not worthwhile, whoever comes once
        // need not come twice.  Good until the thread's next call.
        Neighbours* around(Input input, std::uint64_t raw, const Leaf<Output>& leaf)
        {
            const auto pages = format.pages();
            if (leaf.log2size != pages.log2size || !visit(input, pages.log2size)) {
                return nullptr;
            }
            static thread_local Neighbours out;
            const auto first = offset(input, pages.log2size) & ~(run_bytes - 1);
            out.log2size = leaf.log2size;
            for (unsigned i = 0; i < Neighbours::count; ++i) {
                const auto other = load(first + i * 8);
                const bool alike =
                    ((other ^ raw) & ~(pages.address | pages.ignored)) == 0 &&
                    (other & pages.beyond) == 0;
                out.output[i] = alike ? other & pages.address : Neighbours::unlike;
            }
            return &out;
        }

    private:
        static constexpr std::uint64_t run_bytes = Neighbours::count * 8;

        bool visit(Input input, unsigned page)
        {
            const auto run = std::uint32_t{1}
                             << (input.value >> page) / Neighbours::count % 32;
            visited ^= run;
            return (visited & run) == 0;
        }
        static std::uint64_t offset(Input input, unsigned page)
        {
            return (input.value >> page) * 8 & ((std::uint64_t{1} << page) - 1);
        }
        std::uint64_t load(std::uint64_t at) const
        {
            return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(host + at),
                                   __ATOMIC_ACQUIRE);
        }
    };

    // nullptr: not there.
    static Table* find(const WalkKey& key, Input input)
    {
        const auto region = input.value >> region_shift;
        auto& table = slot(key, region);
        return table.region == region && table.key == key && key.context != 0 ? &table
                                                                              : nullptr;
    }

    // The table that a walk of `input` ended in.
    static void keep(const WalkKey& key, Input input, const Format& format,
                     const Leaf<Output>& leaf, const RamMap& ram)
    {
        const auto pages = format.pages();
        const auto size = std::uint64_t{1} << pages.log2size;
        // Where a walk starts at the last level nothing stands above to be saved.
        if (key.context == 0 || leaf.level != pages.level ||
            leaf.level == format.start(input)->level || leaf.table.value % size != 0) {
            return;
        }
        if (const auto* host = ram.find(Gpa{leaf.table.value}, size)) {
            const auto region = input.value >> region_shift;
            slot(key, region) = Table{key, region, host, format, leaf.above};
        }
    }

private:
    // The least that any format's last table maps.
    static constexpr unsigned region_shift = 21;
    static constexpr std::size_t count = 64;

    static Table& slot(const WalkKey& key, std::uint64_t region)
    {
        return tables_[(region + key.context * 5) % count];
    }

    static thread_local inline std::array<Table, count> tables_{};
};

}  // namespace iommu
