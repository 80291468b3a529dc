// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 5 "Interrupt Remapping".
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "hw/iommu/common/seqlock.hpp"
#include "hw/iommu/vtd/capabilities.hpp"
#include "hw/iommu/vtd/event_message.hpp"
#include "hw/iommu/vtd/fault_log.hpp"
#include "hw/iommu/vtd/spec/irte.hpp"
#include "iommu/expected.hpp"
#include "iommu/memory.hpp"

namespace iommu::vtd {

// GSTS and the latched IRTA_REG, as the registers' owner hands them over.
struct InterruptSettings {
    IrtaReg table{};
    bool enabled = false;                // IRES
    bool compatibility_allowed = false;  // CFIS
    std::uint8_t reserved[6] = {};
};

class InterruptRemapper {
public:
    InterruptRemapper(GuestMemory& memory, FaultLog& faults)
        : memory_(memory), faults_(faults)
    {
    }

    // Before the first request.
    void listen(RefusalListener& listener) { listener_ = &listener; }

    // One caller at a time; drops what is cached (VT-d 11.4.4.1, SIRTP and IRE).
    void configure(const InterruptSettings&);

    // VT-d 6.5.2.7: all entries, or 2^mask from `first`, aligned.
    void invalidate_all();
    void invalidate(unsigned first, unsigned mask);

    // Grows with every invalidation and every configure().
    std::uint32_t changes() const { return changes_.load(std::memory_order_relaxed); }

    // Any thread.  No source: the requester is not known, and not verified.  Empty:
    // blocked, and recorded unless the entry says not to.
    std::optional<Message> remap(std::optional<SourceId> source, const Message& request);

    // For introspection: what configure() was given, and the entry that a request with
    // this index would find cached.
    InterruptSettings settings() const;
    std::optional<Irte> cached(std::uint32_t index) const;
    // VT-d 9.9, fields SVT, SQ and SID.
    static bool valid_source(const Irte&, SourceId);

private:
    struct Cached {
        Irte entry{};
        std::uint32_t index = 0;
        std::uint32_t generation = 0;  // of the whole cache; 0: never filled
        std::uint64_t slot_generation = 0;
    };
    struct Refusal {
        FaultReason reason{};
        std::uint16_t index = 0;
        bool muted = false;  // FPD
    };
    static constexpr unsigned slots = 1024;

    Expected<Message, Refusal> resolve(const InterruptSettings&, std::optional<SourceId>,
                                       const Message& request);
    Expected<Irte, Refusal> fetch(const InterruptSettings&, std::uint32_t index);
    static std::optional<FaultReason> refuse_entry(const Irte&);

    GuestMemory& memory_;
    FaultLog& faults_;
    RefusalListener* listener_ = nullptr;
    Published<InterruptSettings> settings_;
    std::atomic<std::uint32_t> generation_{1};
    std::atomic<std::uint32_t> changes_{0};
    std::array<std::atomic<std::uint64_t>, slots> slot_generation_{};
    std::array<Published<Cached>, slots> cache_;
};

}  // namespace iommu::vtd
