// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3 "Data structures and translation procedure": from a stream and an access to an
// output address or a fault, with the caches in between.  Knows no register and no queue.
//
//   access --> stream's decoded configuration --> TLB ----------------> output
//                    | (not there: STE, CD)        | (not there: walk)
//                    +-------- fault ---> refuse(): aborted, recorded or not
#pragma once

#include <optional>

#include "hw/iommu/common/last_tables.hpp"
#include "hw/iommu/common/pieces.hpp"
#include "hw/iommu/common/seqlock.hpp"
#include "hw/iommu/common/tlb.hpp"
#include "hw/iommu/smmuv3/stream_entry.hpp"
#include "hw/iommu/smmuv3/types.hpp"

namespace iommu::smmu {

// `translate` and `bypassed` may be called by any thread at any time.  All else is for
// one caller at a time; when it returns, no access that begins later sees what it
// replaced.
class Translator {
public:
    Translator(const Capabilities& built, GuestMemory& memory);

    void configure(const Settings& settings);

    // Aborted.
    struct Refusal {
        std::optional<Fault> record{};  // what software is to be told, if anything
        Grounds grounds{};
    };

    // Into the caller's `out`.  What the caches do not answer is not looked into if
    // `refused_again()`.
    template <typename Again>
    Outcome::Kind translate(StreamEntry& stream, const Transaction& access,
                            Translation& out, Refusal& refusal,
                            Again refused_again) noexcept
    {
        auto& slot = stream.slot(access.substream);
        Hot hot;
        const bool known = read(stream, slot, access.substream, hot);
        if (known) [[likely]] {
            const auto kind = cached(hot, slot, access, out);
            if (kind != Outcome::Kind::Aborted) [[likely]] {
                return kind;
            }
        }
        if (refused_again()) {
            return Outcome::Kind::Aborted;
        }
        return known && nearby(hot, slot, access, out)
                   ? Outcome::Kind::Translated
                   : resolve(stream, access, out, refusal);
    }
    Outcome::Kind translate(StreamEntry& stream, const Transaction& access,
                            Translation& out, Refusal& refusal) noexcept
    {
        return translate(stream, access, out, refusal, [] { return false; });
    }
    Outcome translate(StreamEntry& stream, const Transaction& access) noexcept
    {
        Outcome outcome;
        Refusal refusal;
        outcome.kind = translate(stream, access, outcome.translation, refusal);
        outcome.record = refusal.record;
        return outcome;
    }

    // Every access without a substream, to any address there is, passes unchanged.
    bool bypassed(const StreamEntry& stream) const;

    // SMMU 4.3.  Invalidating more than was asked is always permitted; `leaf` makes no
    // difference, since no L1STD or L1CD is cached.
    void invalidate_ste(StreamId stream, bool leaf);
    void invalidate_ste_range(StreamId first, unsigned log2_count);
    void invalidate_all_configuration();
    void invalidate_cd(StreamId stream, SubstreamId substream, bool leaf);
    void invalidate_all_cds(StreamId stream);

    // Around the commands of one doorbell: Tlb::begin_invalidations().
    void begin_commands() { tlb_.begin_invalidations(); }
    void end_commands() { tlb_.end_invalidations(); }

    // SMMU 4.4.
    void invalidate_all();  // NSNH_ALL
    void invalidate_nh_all(Vmid vmid);
    void invalidate_vmid(Vmid vmid);  // S12_VMALL
    void invalidate_asid(Vmid vmid, Asid asid);
    void invalidate_va(Vmid vmid, std::optional<Asid> asid, const AddressRange& range);
    void invalidate_ipa(Vmid vmid, const AddressRange& range);

    // For introspection: the cache, and the tag of an entry by its context.
    const Tlb& tlb() const { return tlb_; }
    static Tlb::Tag tag_of(std::uint64_t context)
    {
        return tag(static_cast<Regime>(context >> 40),
                   Vmid{static_cast<std::uint16_t>(context)},
                   Asid{static_cast<std::uint16_t>(context >> 16)});
    }

private:
    friend class Caches;  // introspect/smmuv3_cached.cpp

    using Hot = StreamEntry::Hot;

    // SMMU 3.17: what a translation belongs to.
    enum class Regime : std::uint8_t { Stage1 = 1, Stage2 = 2, Nested = 3 };
    static Tlb::Tag tag(Regime regime, Vmid vmid, Asid asid);

    static constexpr unsigned stream_slot_bits = 10;
    static std::size_t stream_slot(StreamId stream)
    {
        return static_cast<std::size_t>(stream) & ((1u << stream_slot_bits) - 1);
    }
    std::uint64_t generation(StreamId stream) const
    {
        return every_stream_.load(std::memory_order_acquire) +
               streams_[stream_slot(stream)].load(std::memory_order_acquire);
    }

    static Outcome::Kind bypass(const Hot& hot, const Transaction& access,
                                Translation& out)
    {
        if (hot.route() != Context::Route::Bypass ||
            (access.address.value & ~hot.passes) != 0) {
            return Outcome::Kind::Aborted;
        }
        out = {Gpa{access.address.value}, hot.passes, true, true};
        return Outcome::Kind::Bypassed;
    }
    // An ignored top byte is no part of the address (SMMU 5.4 CD.TBI0).
    static std::uint64_t cache_address(const Hot& hot, Iova input)
    {
        const auto va = input.value;
        return hot.top_byte_ignored(va >> 55 & 1) ? VmsaStage1::sign_extend_55(va) : va;
    }
    static void fill(Translation& out, const Transaction& access, Gpa output,
                     unsigned log2size, Rights allowed)
    {
        out.output = output;
        out.mask = (std::uint64_t{1} << log2size) - 1;
        const auto granted = allowed.of(access.privilege);
        out.read =
            granted.has(access.content == Content::Instruction ? Rights::user_execute
                                                               : Rights::user_read);
        out.write = granted.has(Rights::user_write);
    }

    // What is kept of the stream's configuration; false: nothing that still holds.
    [[gnu::always_inline]] bool read(const StreamEntry& stream,
                                     const StreamEntry::Slot& slot, Substream substream,
                                     Hot& hot) const
    {
        return StreamEntry::read(slot.cached, hot) &&
               hot.generation == generation(stream.id) &&
               hot.substream() == StreamEntry::key(substream);
    }
    // The caches alone: Aborted says only that the answer is not there; `out` may have
    // been written.
    [[gnu::always_inline]] Outcome::Kind cached(const Hot& hot, StreamEntry::Slot& slot,
                                                const Transaction& access,
                                                Translation& out) const
    {
        if (hot.route() != Context::Route::Translate) [[unlikely]] {
            return bypass(hot, access, out);
        }
        Tlb::Hit hit;
        if (!tlb_.lookup(hot.tag(), cache_address(hot, access.address), slot.block_size,
                         hit)) [[unlikely]] {
            return Outcome::Kind::Aborted;
        }
        fill(out, access, Gpa{hit.output}, hit.log2size,
             Rights{static_cast<std::uint8_t>(hit.attributes)});
        const bool allowed = access.access == Access::Write ? out.write : out.read;
        return allowed ? Outcome::Kind::Translated : Outcome::Kind::Aborted;
    }

    WalkKey walk_key(const Hot& hot, Tlb::Ticket ticket) const
    {
        return WalkKey::of(built_.tlb ? hot.serial : 0, ticket, memory_.ram());
    }
    Grounds grounds_of(const Problem& why, const Context& context) const;

    // By a table that a walk of this thread just ended in.  False: to be resolved.
    bool nearby(const Hot& hot, StreamEntry::Slot& slot, const Transaction& access,
                Translation& out);
    template <typename Format>
    bool nearby(const Hot& hot, StreamEntry::Slot& slot, const Transaction& access,
                Translation& out);
    void insert(Tlb::Ticket ticket, const Hot& hot, StreamEntry::Slot& slot,
                const Tlb::Mapping& mapping);

    // Without the TLB: from the configuration, walking.
    Outcome::Kind resolve(StreamEntry& stream, const Transaction& access,
                          Translation& out, Refusal& refusal) noexcept;
    enum class Found : std::uint8_t { Nothing, Kept, Fetched };
    // Nothing: `why`.
    Found find_context(const StreamEntry& stream, Substream substream,
                       StreamEntry::Cached& out, Problem& why) const;
    void complete(Hot& hot, const Context& context) const;
    bool translate_by(const StreamEntry::Cached& by, StreamEntry::Slot& slot,
                      const Transaction& access, Translation& out, Problem& why);
    bool through_stage1(const StreamEntry::Cached& by, StreamEntry::Slot& slot,
                        const Transaction& access, Translation& out, Problem& why);
    bool through_stage2(const StreamEntry::Cached& by, StreamEntry::Slot& slot,
                        const Transaction& access, Translation& out, Problem& why);
    std::optional<Fault> refuse(const Problem& problem, const Context& context,
                                StreamId stream, const Transaction& access) const;
    Settings settings() const;
    Vmid effective(Vmid vmid) const { return built_.stage2 ? vmid : Vmid{}; }

    const Capabilities built_;
    GuestMemory& memory_;
    Published<Settings> settings_{};
    // Never 0 together, so that an empty slot is never current.
    std::atomic<std::uint64_t> every_stream_{1};
    std::array<std::atomic<std::uint64_t>, 1u << stream_slot_bits> streams_{};
    Tlb tlb_;
    // Of the last by-address invalidation; only their one caller looks.
    std::uint64_t last_space_ = ~std::uint64_t{0};
    Tlb::Tag last_tag_{};
};

}  // namespace iommu::smmu
