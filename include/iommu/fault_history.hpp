// SPDX-License-Identifier: GPL-2.0-or-later
// The last refused accesses of a device, for people: kept whether or not software is
// told, and the place that asks for the machine to stop.  Refusals come from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "iommu/capi.h"
#include "iommu/transaction.hpp"

namespace iommu {

struct RefusedNote {
    std::uint32_t requester = 0;
    Transaction access{};
    // EventId or fault reason and its name; 0: refused without an event of its own.
    unsigned event = 0;
    std::string_view name{};
    bool recorded = false;               // software is told, if it has set up how
    std::array<std::uint64_t, 4> raw{};  // the record, `words` of them
    unsigned words = 0;

    // Filled in by FaultHistory.
    std::uint64_t serial = 0;
    std::int64_t wall_ns = 0;     // since 1970, UTC, to some milliseconds
    std::int64_t virtual_ns = 0;  // of the machine
    Iova last{};                  // of an access that came in pieces
};

class FaultHistory {
public:
    static constexpr std::size_t kept = 256;
    static constexpr std::size_t sources = 1024;  // counted one by one; the rest together

    // Which refusals stop the machine.  What is absent matches all.
    struct Filter {
        std::optional<std::uint32_t> requester{}, pasid{};
        std::uint64_t first = 0, last = ~std::uint64_t{0};
        std::optional<unsigned> event{};
        std::optional<Access> access{};
        std::string text{};
    };
    // Off: nothing is noted, for whom the time of a refused access matters.
    enum class Action : std::uint8_t { Record, Stop, Off };
    static constexpr std::uint64_t no_note = ~std::uint64_t{0};

    // Before the first access.
    void watch(const WiFaultWatch& watch) { watch_ = watch; }

    void set_action(Action action);
    Action action() const { return action_.load(std::memory_order_relaxed); }
    void set_filter(const Filter& filter);
    std::string filter() const;

    bool off() const { return action() == Action::Off; }

    // The note's serial number; no_note while off.
    std::uint64_t note(const RefusedNote& note);
    // The access of that note was refused up to `last` as well, in the same page.  Takes
    // no lock: QEMU comes once for each piece.
    void extend(std::uint64_t serial, Iova last)
    {
        if (serial == no_note) {
            return;
        }
        ends_[serial % kept].store(end_of(serial, last), std::memory_order_relaxed);
    }

    struct Look {
        std::uint64_t total = 0;
        std::uint64_t stops = 0;
        std::uint64_t uncounted = 0;  // of requesters beyond `sources`
        std::map<std::uint32_t, std::uint64_t> by_requester;
        std::map<unsigned, std::uint64_t> by_event;
        std::vector<RefusedNote> notes;  // oldest first
    };
    Look look() const;

private:
    void count(const RefusedNote& note);
    bool matches(const RefusedNote& note) const;
    Iova end(const RefusedNote& note) const;

    // What an end says is of no note but the one whose serial it has.
    static constexpr unsigned page_shift = 12;
    static constexpr std::uint64_t end_of(std::uint64_t serial, Iova last)
    {
        return (serial + 1) << page_shift | (last.value & ((1u << page_shift) - 1));
    }
    std::array<std::atomic<std::uint64_t>, kept> ends_{};

    mutable std::mutex lock_;
    WiFaultWatch watch_{};
    std::atomic<Action> action_{Action::Record};
    Filter filter_;
    std::vector<RefusedNote> notes_;  // a ring once it is full
    std::uint64_t total_ = 0, stops_ = 0, uncounted_ = 0;
    std::map<std::uint32_t, std::uint64_t> by_requester_;
    // Of the requester counted last: map entries never move.
    std::uint32_t counted_ = 0;
    std::uint64_t* count_ = nullptr;
    std::array<std::uint64_t, 256> by_event_{};  // events and reasons are of 8 bits
};

}  // namespace iommu
