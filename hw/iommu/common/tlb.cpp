// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/common/tlb.hpp"

#include <thread>

namespace iommu {
namespace {

constexpr std::uint64_t bit(unsigned n)
{
    return std::uint64_t{1} << n;
}

// An entry is busy for a few stores, but its writer may be scheduled out meanwhile.
std::uint64_t wait_until_idle(const std::atomic<std::uint64_t>& sequence)
{
    for (unsigned spins = 0;; ++spins) {
        const auto now = sequence.load(std::memory_order_seq_cst);
        if ((now & 1) == 0) {
            return now;
        }
        if (spins > 64) {
            std::this_thread::yield();
        }
    }
}

// The low half counts, the high half is the generation.
constexpr std::uint64_t next_sequence(std::uint64_t sequence, std::uint32_t generation)
{
    return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(sequence + 1);
}

}  // namespace

Tlb::Tlb(unsigned log2_entries)
{
    if (log2_entries == 0) {
        return;
    }
    constexpr unsigned log2_ways = std::countr_zero(ways);
    set_bits_ = log2_entries > log2_ways ? log2_entries - log2_ways : 0;
    set_mask_ = bit(set_bits_) - 1;
    sets_ = std::vector<Set>(bit(set_bits_));
}

bool Tlb::lookup_other_sizes(Tag tag, std::uint64_t input, std::uint8_t tried,
                             std::atomic<std::uint8_t>& guess, Hit& hit) const
{
    auto sizes = sizes_.load(std::memory_order_acquire);
    if (tried != 0) {
        sizes &= ~bit(tried);
    }
    for (; sizes != 0; sizes &= sizes - 1) {
        const auto log2size = static_cast<unsigned>(std::countr_zero(sizes));
        if (probe(tag, input, log2size, hit)) {
            guess.store(static_cast<std::uint8_t>(log2size), std::memory_order_relaxed);
            return true;
        }
    }
    return false;
}

// Makes one entry of the set ours; false when another thread is at it.
bool Tlb::claim(const Tag& tag, const Mapping& mapping, std::uint32_t generation,
                Place& place)
{
    const auto at = index(tag, mapping.input, mapping.log2size);
    auto& set = sets_[at & set_mask_];
    const auto wanted = block(mapping.input, mapping.log2size);
    const auto unused = [&](unsigned way) {
        return set.input[way].load(std::memory_order_relaxed) == 0 ||
               ((set.context[way].load(std::memory_order_relaxed) ^ tag.context)
                        << outer_size_bits ==
                    0 &&
                (set.output[way].load(std::memory_order_relaxed) &
                 (outer_linked | inner_linked)) == 0 &&
                set.sequence[way].load(std::memory_order_relaxed) >> 32 != generation);
    };
    // Nothing is known about use: one of four by bits that did not choose the set.
    const auto preferred = preferred_way(at);
    unsigned victim = preferred;
    bool found = unused(preferred);
    for (unsigned way = 0; way < ways; ++way) {
        if (set.matches(way, wanted, tag.context)) {
            victim = way;  // never two entries for one block
            break;
        }
        if (!found && unused(way)) {
            victim = way;
            found = true;
        }
    }
    auto& sequence = set.sequence[victim];
    place = {&set, victim, sequence.load(std::memory_order_relaxed)};
    auto expected = place.sequence;
    return (expected & 1) == 0 && sequence.compare_exchange_strong(
                                      expected, expected + 1, std::memory_order_seq_cst,
                                      std::memory_order_relaxed);
}

void Tlb::insert(Ticket ticket, const Tag& tag, const Mapping& mapping)
{
    Place place;
    auto generation = current(tag);
    if (sets_.empty() || !ticket.settled() || !claim(tag, mapping, generation, place)) {
        return;
    }
    auto output = (mapping.output >> mapping.log2size << mapping.log2size & output_mask) |
                  (mapping.attributes & attributes_mask);
    if (mapping.outer_log2size != 0) {
        output |= outer_linked;
        outer_sizes_.fetch_or(bit(mapping.outer_log2size), std::memory_order_seq_cst);
    }
    if (mapping.inner_log2size != 0) {
        const auto slot = link(tag.domain, mapping.inner_input, mapping.inner_log2size);
        output |= inner_linked | std::uint64_t{slot} << 52;
        inner_sizes_.fetch_or(bit(mapping.inner_log2size), std::memory_order_seq_cst);
    }
    if ((sizes_.load(std::memory_order_relaxed) & bit(mapping.log2size)) == 0) {
        sizes_.fetch_or(bit(mapping.log2size), std::memory_order_seq_cst);
    }
    // After the entry was made busy: what is older than the epoch we look at next.
    generation = current(tag) + links(tag, mapping.input, mapping.outer_log2size, output);
    std::atomic_thread_fence(std::memory_order_acquire);
    auto& sequence = place.set->sequence[place.way];
    if (epoch_.load(std::memory_order_seq_cst) != ticket.epoch) {
        // What was walked may be gone: leave the entry as it was.
        sequence.store(next_sequence(place.sequence + 1,
                                     static_cast<std::uint32_t>(place.sequence >> 32)),
                       std::memory_order_release);
        return;
    }
    std::atomic_thread_fence(std::memory_order_release);
    place.set->input[place.way].store(block(mapping.input, mapping.log2size),
                                      std::memory_order_relaxed);
    place.set->context[place.way].store(
        tag.context | std::uint64_t{mapping.outer_log2size} << (64 - outer_size_bits),
        std::memory_order_relaxed);
    place.set->output[place.way].store(output, std::memory_order_relaxed);
    sequence.store(next_sequence(place.sequence + 1, generation),
                   std::memory_order_release);
}

void Tlb::next_epoch()
{
    if (!several_) {
        epoch_.fetch_add(2, std::memory_order_seq_cst);
    } else if ((epoch_.load(std::memory_order_relaxed) & 1) == 0) {
        epoch_.fetch_add(1, std::memory_order_seq_cst);
    }
}

void Tlb::end_invalidations()
{
    several_ = false;
    // Only the one caller writes it.
    if (const auto now = epoch_.load(std::memory_order_relaxed); (now & 1) != 0) {
        epoch_.store(now + 1, std::memory_order_release);
    }
}

void Tlb::bump(Counter& counter)
{
    // The only writer; what orders it against an insert is the epoch.
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    // A sum of counters must not come round to a value some entry still holds.
    if ((++bumps_ & 0x7fff'ffff) == 0) {
        scrub();
    }
}

// Empties the entry if it is still what `sequence` says; false: look again.
bool Tlb::empty(Set& set, unsigned way, std::uint64_t sequence)
{
    if (!set.sequence[way].compare_exchange_strong(sequence, sequence + 1,
                                                   std::memory_order_seq_cst)) {
        return false;
    }
    std::atomic_thread_fence(std::memory_order_release);
    set.input[way].store(0, std::memory_order_relaxed);
    set.sequence[way].store(next_sequence(sequence + 1, 0), std::memory_order_release);
    return true;
}

void Tlb::scrub()
{
    for (auto& set : sets_) {
        for (unsigned way = 0; way < ways; ++way) {
            while (!empty(set, way, wait_until_idle(set.sequence[way]))) {
            }
        }
    }
}

void Tlb::invalidate_all()
{
    // Sizes first: an insert that passes its look at the epoch before we move it is ended
    // by the counter, one that comes later sets its size again.
    sizes_.store(0, std::memory_order_seq_cst);
    outer_sizes_.store(0, std::memory_order_seq_cst);
    inner_sizes_.store(0, std::memory_order_seq_cst);
    next_epoch();
    bump(all_);
}

void Tlb::invalidate_domain(std::uint16_t domain)
{
    next_epoch();
    bump(domains_[domain]);
}

void Tlb::invalidate_space(std::uint16_t space)
{
    next_epoch();
    bump(spaces_[space]);
}

[[gnu::always_inline]] inline void Tlb::evict(const Tag& tag, std::uint64_t input,
                                              unsigned log2size)
{
    const auto wanted = block(input, log2size);
    auto& set = sets_[index(tag, input, log2size) & set_mask_];
    for (unsigned way = 0; way < ways; ++way) {
        const auto busy = set.sequence[way].load(std::memory_order_seq_cst) & 1;
        if (busy != 0 || set.input[way].load(std::memory_order_relaxed) == wanted)
            [[unlikely]] {
            evict_way(set, way, wanted, tag.context);
        }
    }
}

void Tlb::evict_way(Set& set, unsigned way, std::uint64_t wanted, std::uint64_t context)
{
    for (;;) {
        const auto sequence = wait_until_idle(set.sequence[way]);
        if (!set.matches(way, wanted, context) || empty(set, way, sequence)) {
            return;
        }
    }
}

void Tlb::invalidate_range(const Tag& tag, std::uint64_t first, std::uint64_t last)
{
    next_epoch();
    evict_pages(tag, first, last);
    if (const auto sizes = outer_sizes_.load(std::memory_order_seq_cst); sizes != 0) {
        bump_links(outer_, sizes, tag.domain, first, last);
    }
}

void Tlb::invalidate_pages(const Tag& tag, std::uint64_t first, std::uint64_t last)
{
    next_epoch();
    evict_pages(tag, first, last);
}

void Tlb::evict_pages(const Tag& tag, std::uint64_t first, std::uint64_t last)
{
    const auto present = sizes_.load(std::memory_order_seq_cst);
    if (first == last) {
        for (auto sizes = present; sizes != 0; sizes &= sizes - 1) {
            evict(tag, first, static_cast<unsigned>(std::countr_zero(sizes)));
        }
        return;
    }
    std::uint64_t probes = 0;
    for (auto sizes = present; sizes != 0; sizes &= sizes - 1) {
        const auto log2size = static_cast<unsigned>(std::countr_zero(sizes));
        const auto blocks = (last >> log2size) - (first >> log2size);
        probes += blocks < max_probes ? blocks + 1 : max_probes + 1;
        if (probes > max_probes) {
            bump(spaces_[tag.space]);
            return;
        }
        for (std::uint64_t i = 0; i <= blocks; ++i) {
            evict(tag, first + (i << log2size), log2size);
        }
    }
}

void Tlb::bump_links(Links& counters, std::uint64_t sizes, std::uint16_t domain,
                     std::uint64_t first, std::uint64_t last)
{
    std::uint64_t probes = 0;
    for (; sizes != 0; sizes &= sizes - 1) {
        const auto log2size = static_cast<unsigned>(std::countr_zero(sizes));
        const auto blocks = (last >> log2size) - (first >> log2size);
        probes += blocks < max_probes ? blocks + 1 : max_probes + 1;
        if (probes > max_probes) {
            bump(domains_[domain]);
            return;
        }
        for (std::uint64_t i = 0; i <= blocks; ++i) {
            bump(counters[link(domain, first + (i << log2size), log2size)]);
        }
    }
}

void Tlb::invalidate_outer(std::uint16_t domain, std::uint64_t first, std::uint64_t last)
{
    next_epoch();
    bump_links(outer_, outer_sizes_.load(std::memory_order_seq_cst), domain, first, last);
}

void Tlb::invalidate_inner(std::uint16_t domain, std::uint64_t first, std::uint64_t last)
{
    next_epoch();
    bump_links(inner_, inner_sizes_.load(std::memory_order_seq_cst), domain, first, last);
}

}  // namespace iommu
