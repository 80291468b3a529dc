// SPDX-License-Identifier: GPL-2.0-or-later
// The last-level tables a thread's walks ended in, so that the page next to one that was
// just translated costs one descriptor instead of four (SMMU 3.17, 16.2: a TLB may hold
// the descriptors of a walk one by one).
//
// A table is forgotten with the first invalidation of any translation, whatever it names,
// and with its stream's configuration.
#pragma once

#include <array>
#include <cstdint>

#include "hw/iommu/smmuv3/vmsa_s1.hpp"
#include "hw/iommu/smmuv3/vmsa_s2.hpp"
#include "iommu/memory.hpp"
#include "iommu/transaction.hpp"

namespace iommu::smmu {

// What must be as it was for something kept of a walk to be good.
struct WalkKey {
    std::uint64_t context = 0;  // StreamEntry::Hot::serial; 0: none
    std::uint64_t epoch = 0;    // of the TLB: Tlb::Ticket
    std::uint64_t ram = 0;      // RamMap::generation()
    friend bool operator==(const WalkKey&, const WalkKey&) = default;
};

// Level 3 tables of streams with one stage.
template <typename Format>
class LastTables {
public:
    using Key = WalkKey;

    struct Table {
        Key key{};
        std::uint64_t region = 0;
        const std::byte* host = nullptr;
        Format format{};
        Rights above{};
        std::uint32_t visited = 0;  // runs of pages that were looked into an odd number
                                    // of times

        // The descriptor that maps `input`.
        std::uint64_t read(std::uint64_t input) const { return load(offset(input)); }

        // Whether it is worthwhile to read around `input`: who comes twice goes on.
        bool visit(std::uint64_t input)
        {
            const auto page = page_shift(format.tables.granule);
            const auto run = std::uint32_t{1} << (input >> page) / Neighbours::count % 32;
            visited ^= run;
            return (visited & run) == 0;
        }

        // The descriptors around the one that maps `input`, which says `raw`, as far as
        // they are the same but for the address.
        void read_around(std::uint64_t input, std::uint64_t raw, Neighbours& out) const
        {
            const auto page = page_shift(format.tables.granule);
            const auto address = (std::uint64_t{1} << 48) - (std::uint64_t{1} << page);
            const auto ignored = (std::uint64_t{1} << page) - (std::uint64_t{1} << 12);
            const auto first = offset(input) & ~(Neighbours::count * 8 - 1);
            out.log2size = static_cast<std::uint8_t>(page);
            for (unsigned i = 0; i < Neighbours::count; ++i) {
                const auto other = load(first + i * 8);
                const bool alike = ((other ^ raw) & ~(address | ignored)) == 0 &&
                                   (other & address) >> format.tables.output_bits == 0;
                out.output[i] = alike ? other & address : Neighbours::unlike;
            }
        }

    private:
        std::uint64_t offset(std::uint64_t input) const
        {
            return format.tables.entry_offset(3, input) &
                   ((std::uint64_t{1} << page_shift(format.tables.granule)) - 1);
        }
        std::uint64_t load(std::uint64_t at) const
        {
            return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(host + at),
                                   __ATOMIC_ACQUIRE);
        }
    };

    // nullptr: not there.
    static Table* find(const Key& key, std::uint64_t input)
    {
        const auto region = input >> region_shift;
        auto& table = slot(key, region);
        return table.region == region && table.key == key ? &table : nullptr;
    }

    static void keep(const Key& key, std::uint64_t input, const Format& format, Gpa table,
                     Rights above, const RamMap& ram)
    {
        const auto size = std::uint64_t{1} << page_shift(format.tables.granule);
        // A start level of less than a whole table has nothing above it to save.
        if (format.tables.start_level == 3 || table.value % size != 0) {
            return;
        }
        if (const auto* host = ram.find(table, size)) {
            const auto region = input >> region_shift;
            slot(key, region) = Table{key, region, host, format, above};
        }
    }

private:
    // The least that any granule's level 3 table maps.
    static constexpr unsigned region_shift = 21;
    static constexpr std::size_t count = 64;

    static Table& slot(const Key& key, std::uint64_t region)
    {
        return tables_[(region + key.context * 5) % count];
    }

    static thread_local inline std::array<Table, count> tables_{};
};

}  // namespace iommu::smmu
