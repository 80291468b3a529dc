// SPDX-License-Identifier: GPL-2.0-or-later
// The translation cache of both devices: bounded, set-associative, read without a lock.
//
//   tag ---+--> set --> [entry][entry][entry][entry]    entry: input block, tag, output,
//   input -+                |                           rights, generation
//                           v
//        valid while generation == all + domain + space (+ links), counters that only
//        grow
//
// Bulk invalidation adds one to a counter and touches no entry.  Invalidation by address
// looks only at the block sizes present.  Entries that map a piece of a larger block
// (nested translations, global pages) are linked to a counter for that block, so that
// invalidating any address of the block ends all of them at once.
//
// Stale entries: whoever fills takes a Ticket before its walk.  Each invalidation first
// moves the epoch, then acts; `insert` holds its entry busy while it looks at the epoch
// again, and an invalidation waits for a busy entry.  So either the insert sees the new
// epoch and is dropped, or the invalidation sees the entry.  Between
// begin_invalidations() and end_invalidations() the epoch is odd and nothing is put in:
// it moves once for all.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

namespace iommu {

namespace introspect {
class TlbView;  // shows the entries
}

class Tlb {
public:
    static constexpr unsigned ways = 4;
    static constexpr unsigned min_log2size = 12;
    // Sets (or links) one invalidation by address may visit; beyond, it widens to the
    // whole space or domain.
    static constexpr std::uint64_t max_probes = 512;

    // Whose translation it is.  Slots may be shared by several domains or spaces; sharing
    // only makes invalidation reach further.
    struct Tag {
        std::uint64_t context =
            0;                     // 58 bits, compared whole: unique to the address space
        std::uint32_t spread = 0;  // of context, for the set index
        std::uint16_t domain = 0;
        std::uint16_t space = 0;

        // As two words, `context` and this one: for who loads it word by word.
        std::uint64_t slots() const
        {
            return spread | std::uint64_t{domain} << 32 | std::uint64_t{space} << 48;
        }
        static Tag of(std::uint64_t context, std::uint64_t slots)
        {
            return {context, static_cast<std::uint32_t>(slots),
                    static_cast<std::uint16_t>(slots >> 32),
                    static_cast<std::uint16_t>(slots >> 48)};
        }
    };

    struct Hit {
        std::uint64_t output = 0;
        std::uint16_t attributes = 0;
        std::uint8_t log2size = 0;
    };

    struct Mapping {
        std::uint64_t input = 0;
        std::uint64_t output = 0;
        std::uint8_t log2size = 0;
        std::uint16_t attributes = 0;  // 10 bits, the device's own
        // Ended by invalidate_outer of any address in this block; 0: not linked.
        std::uint8_t outer_log2size = 0;
        // Ended by invalidate_inner of any address in this block; 0: not linked.
        std::uint8_t inner_log2size = 0;
        std::uint64_t inner_input = 0;
    };

    struct Ticket {
        std::uint64_t epoch = 0;
        // Nothing is being invalidated: what was true at this epoch is true until the
        // next.
        bool settled() const { return (epoch & 1) == 0; }
    };

    // 2^log2_entries in all; 0 for a cache that never holds anything.
    explicit Tlb(unsigned log2_entries);

    static Tag tag(std::uint64_t context, std::uint64_t domain, std::uint64_t space)
    {
        return {context, static_cast<std::uint32_t>(mix(context) >> 32),
                domain_slot(domain), space_slot(domain, space)};
    }
    static std::uint16_t domain_slot(std::uint64_t domain)
    {
        return static_cast<std::uint16_t>(mix(domain) >> (64 - domain_bits));
    }
    static std::uint16_t space_slot(std::uint64_t domain, std::uint64_t space)
    {
        return static_cast<std::uint16_t>(mix(domain ^ mix(space + 1)) >>
                                          (64 - space_bits));
    }

    // `guess` is the block size found last time by the same asker, 0 for none.
    [[gnu::always_inline]] bool lookup(Tag tag, std::uint64_t input,
                                       std::atomic<std::uint8_t>& guess, Hit& hit) const
    {
        const auto first = guess.load(std::memory_order_relaxed);
        if (first != 0 && probe(tag, input, first, hit)) [[likely]] {
            return true;
        }
        // One size is all there is, mostly.
        if (first != 0 && (sizes_.load(std::memory_order_relaxed) &
                           ~(std::uint64_t{1} << first)) == 0) {
            return false;
        }
        return lookup_other_sizes(tag, input, first, guess, hit);
    }

    Ticket begin() const { return {epoch_.load(std::memory_order_seq_cst)}; }
    void insert(Ticket ticket, const Tag& tag, const Mapping& mapping);

    // Around any number of invalidations that follow each other closely, to pay for their
    // order against inserts once.  Each is still complete when it returns.
    void begin_invalidations() { several_ = true; }
    void end_invalidations();

    // One caller at a time; lookups and inserts may run meanwhile.  On return no lookup
    // that begins later finds what was to go.
    void invalidate_all();
    void invalidate_domain(std::uint16_t domain);
    void invalidate_space(std::uint16_t space);
    // invalidate_pages and invalidate_outer in one.
    void invalidate_range(const Tag& tag, std::uint64_t first, std::uint64_t last);
    // Unlinked entries of `tag` that map any of [first, last].
    void invalidate_pages(const Tag& tag, std::uint64_t first, std::uint64_t last);
    void invalidate_outer(std::uint16_t domain, std::uint64_t first, std::uint64_t last);
    void invalidate_inner(std::uint16_t domain, std::uint64_t first, std::uint64_t last);

private:
    friend class introspect::TlbView;

    static constexpr unsigned domain_bits = 10, space_bits = 12, link_bits = 12;
    using Counter = std::atomic<std::uint32_t>;
    template <unsigned Bits>
    using Counters = std::array<Counter, std::size_t{1} << Bits>;
    using Links = Counters<link_bits>;

    // What a probe compares stands in one cache line, what a hit reads in the next.
    //
    // input:    [63:12] block, [11:6] log2 of its size; 0: empty.
    // context:  [63:58] log2 of the outer block's size, [57:0] Tag::context.
    // sequence: [31:0] odd while being written, [63:32] generation.
    // output:   [63:52] inner link, [51:12] block, [11] outer, [10] inner linked,
    //           [9:0] attributes.
    struct alignas(64) Set {
        std::array<std::atomic<std::uint64_t>, ways> input{};
        std::array<std::atomic<std::uint64_t>, ways> context{};
        std::array<std::atomic<std::uint64_t>, ways> sequence{};
        std::array<std::atomic<std::uint64_t>, ways> output{};

        [[gnu::always_inline]] bool matches(unsigned way, std::uint64_t wanted,
                                            std::uint64_t wanted_context) const
        {
            return input[way].load(std::memory_order_relaxed) == wanted &&
                   (context[way].load(std::memory_order_relaxed) ^ wanted_context)
                           << outer_size_bits ==
                       0;
        }
    };
    struct Place {
        Set* set = nullptr;
        unsigned way = 0;
        std::uint64_t sequence = 0;  // as it was
    };
    static constexpr unsigned outer_size_bits = 6;
    static constexpr std::uint64_t outer_linked = 1u << 11, inner_linked = 1u << 10;
    static constexpr std::uint64_t output_mask = 0x000f'ffff'ffff'f000;
    static constexpr std::uint64_t attributes_mask = 0x3ff;

    static constexpr std::uint64_t mix(std::uint64_t v)
    {
        v *= 0x9e37'79b9'7f4a'7c15;
        return v ^ (v << 29);
    }
    static std::size_t link(std::uint16_t domain, std::uint64_t address,
                            unsigned log2size)
    {
        return mix(mix((address >> log2size) + log2size) + domain) >> (64 - link_bits);
    }
    static std::uint64_t block(std::uint64_t input, unsigned log2size)
    {
        return input >> log2size << log2size | log2size << 6;
    }
    // Neighbouring blocks fall into neighbouring sets: a contiguous region fills the
    // cache evenly.
    std::uint64_t index(Tag tag, std::uint64_t input, unsigned log2size) const
    {
        return (input >> log2size) + tag.spread + log2size;
    }

    [[gnu::always_inline]] bool probe(Tag tag, std::uint64_t input, unsigned log2size,
                                      Hit& hit) const
    {
        const auto& set = sets_[index(tag, input, log2size) & set_mask_];
        const auto wanted = block(input, log2size);
        for (unsigned way = 0; way < ways; ++way) {
            if (set.input[way].load(std::memory_order_relaxed) == wanted &&
                read_entry(set, way, tag, input, wanted, hit)) [[likely]] {
                hit.log2size = static_cast<std::uint8_t>(log2size);
                return true;
            }
        }
        return false;
    }
    unsigned preferred_way(std::uint64_t at) const
    {
        return at >> set_bits_ & (ways - 1);
    }

    [[gnu::always_inline]] bool read_entry(const Set& set, unsigned way, Tag tag,
                                           std::uint64_t input, std::uint64_t wanted,
                                           Hit& hit) const
    {
        const auto sequence = set.sequence[way].load(std::memory_order_acquire);
        const auto block = set.input[way].load(std::memory_order_relaxed);
        const auto context = set.context[way].load(std::memory_order_relaxed);
        const auto output = set.output[way].load(std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (set.sequence[way].load(std::memory_order_relaxed) != sequence ||
            (sequence & 1) != 0 || block != wanted ||
            (context ^ tag.context) << outer_size_bits != 0) {
            return false;
        }
        auto generation = current(tag);
        if ((output & (outer_linked | inner_linked)) != 0) {
            generation += links(tag, input, outer_log2size(context), output);
        }
        if (generation != static_cast<std::uint32_t>(sequence >> 32)) {
            return false;
        }
        const auto log2size = static_cast<unsigned>(wanted >> 6 & 63);
        hit.output =
            (output & output_mask) | (input & ((std::uint64_t{1} << log2size) - 1));
        hit.attributes = static_cast<std::uint16_t>(output & attributes_mask);
        return true;
    }
    static unsigned outer_log2size(std::uint64_t context)
    {
        return static_cast<unsigned>(context >> (64 - outer_size_bits));
    }

    std::uint32_t current(Tag tag) const
    {
        return all_.load(std::memory_order_relaxed) +
               domains_[tag.domain].load(std::memory_order_relaxed) +
               spaces_[tag.space].load(std::memory_order_relaxed);
    }
    std::uint32_t links(Tag tag, std::uint64_t input, unsigned outer_log2size,
                        std::uint64_t output) const
    {
        std::uint32_t sum = 0;
        if ((output & outer_linked) != 0) {
            sum += outer_[link(tag.domain, input, outer_log2size)].load(
                std::memory_order_relaxed);
        }
        if ((output & inner_linked) != 0) {
            sum += inner_[output >> 52].load(std::memory_order_relaxed);
        }
        return sum;
    }

    bool lookup_other_sizes(Tag tag, std::uint64_t input, std::uint8_t tried,
                            std::atomic<std::uint8_t>& guess, Hit& hit) const;
    bool claim(const Tag& tag, const Mapping& mapping, std::uint32_t generation,
               Place& place);
    void next_epoch();
    void evict_pages(const Tag& tag, std::uint64_t first, std::uint64_t last);
    void evict(const Tag& tag, std::uint64_t input, unsigned log2size);
    static void evict_way(Set& set, unsigned way, std::uint64_t wanted,
                          std::uint64_t context);
    static bool empty(Set& set, unsigned way, std::uint64_t sequence);
    void bump(Counter& counter);
    void bump_links(Links& counters, std::uint64_t sizes, std::uint16_t domain,
                    std::uint64_t first, std::uint64_t last);
    void scrub();

    // Read on every hit, written by bulk invalidations only.
    alignas(64) Counter all_{0};
    std::atomic<std::uint64_t> sizes_{0};  // bit n: blocks of 2^n bytes may be cached
    std::uint64_t set_mask_ = 0;
    unsigned set_bits_ = 0;
    std::vector<Set> sets_;

    alignas(64) std::atomic<std::uint64_t> epoch_{0};  // odd: see begin_invalidations()
    bool several_ = false;
    std::uint64_t bumps_ = 0;
    std::atomic<std::uint64_t> outer_sizes_{0}, inner_sizes_{0};

    Counters<domain_bits> domains_{};
    Counters<space_bits> spaces_{};
    Links outer_{}, inner_{};
};

}  // namespace iommu
