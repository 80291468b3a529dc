// SPDX-License-Identifier: GPL-2.0-or-later
// What the SMMU keeps for one StreamID: the STE and CDs it has seen, decoded (SMMU 4.3
// "Configuration structure invalidation": stale until a CMD_CFGI).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "hw/iommu/common/seqlock.hpp"
#include "hw/iommu/common/tlb.hpp"
#include "hw/iommu/smmuv3/stages.hpp"

namespace iommu::smmu {

// A checked STE and, where stage 1 is used, its CD.
struct Context {
    enum class Route : std::uint8_t { Abort, Bypass, Translate };
    Route route = Route::Abort;
    bool stage1 = false;
    bool record_s1 = true;  // CD.R; without a CD faults are recorded
    bool record_s2 = true;  // STE.S2R
    Vmid vmid{};
    Asid asid{};
    std::array<VmsaStage1, 2> ttb{};
    SecondStage s2{};
    friend bool operator==(const Context&, const Context&) = default;
};

class StreamEntry {
public:
    explicit StreamEntry(StreamId stream) : id(stream) {}

    const StreamId id;

private:
    friend class Translator;
    friend class Caches;  // introspect/smmuv3_cached.cpp

    // All that a hit looks at, as words that are loaded one by one: copied as a whole
    // they would be stored and loaded again in other sizes, at ten nanoseconds a hit.
    struct Hot {
        std::uint64_t generation = 0;   // of the configuration; 0 is never current
        std::uint64_t tag_context = 0;  // Tlb::Tag, Route::Translate
        std::uint64_t tag_slots = 0;    // spread, domain, space
        std::uint64_t passes = 0;       // Route::Bypass: the address bits that may be set
        // key() [31:0], route [39:32], TBI0 [40], TBI1 [41], regime [55:48]
        std::uint64_t flags = 0;
        std::uint64_t serial = 0;  // of this decoding: never used twice in a process

        Tlb::Tag tag() const { return Tlb::Tag::of(tag_context, tag_slots); }
        void set_tag(const Tlb::Tag& t)
        {
            tag_context = t.context;
            tag_slots = t.slots();
        }
        std::uint32_t substream() const { return static_cast<std::uint32_t>(flags); }
        Context::Route route() const
        {
            return static_cast<Context::Route>(flags >> 32 & 0xff);
        }
        std::uint8_t regime() const { return static_cast<std::uint8_t>(flags >> 48); }
        bool top_byte_ignored(unsigned half) const
        {
            return (flags >> (40 + half) & 1) != 0;
        }
    };
    struct Cached {
        Hot hot{};
        Context context{};
    };
    static bool read(const Published<Cached>& from, Hot& hot)
    {
        const auto ticket = from.begin_read();
        hot = {from.word(0), from.word(1), from.word(2),
               from.word(3), from.word(4), from.word(5)};
        return from.end_read(ticket);
    }
    static_assert(sizeof(Hot) == 48);

    struct Slot {
        Published<Cached> cached{};
        std::atomic<std::uint8_t> block_size{0};  // found last time: where to look first
    };

    static constexpr std::uint32_t key(Substream s)
    {
        return s.present ? s.value + 1 : 0;
    }

    Slot& slot(Substream s) const
    {
        return slots_[s.present ? 1 + (s.value & (substream_slots - 1)) : 0];
    }

    static constexpr std::size_t substream_slots = 8;
    mutable std::array<Slot, 1 + substream_slots> slots_{};
};

}  // namespace iommu::smmu
