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
};

class StreamEntry {
public:
    explicit StreamEntry(StreamId stream) : id(stream) {}

    const StreamId id;

private:
    friend class Translator;

    // All that a hit looks at.
    struct Hot {
        std::uint64_t generation = 0;  // of the configuration; 0 is never current
        Tlb::Tag tag{};                // Route::Translate
        std::uint64_t passes = 0;      // Route::Bypass: the address bits that may be set
        std::uint32_t substream = 0;   // key()
        Context::Route route = Context::Route::Abort;
        std::array<bool, 2> top_byte_ignored{};  // by VA[55]
        std::uint8_t reserved = 0;
    };
    struct Cached {
        Hot hot{};
        Context context{};
    };
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
