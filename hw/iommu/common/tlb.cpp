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

// Makes one entry of the set ours; nullptr when another thread is at it.
Tlb::Entry* Tlb::claim(const Tag& tag, const Mapping& mapping, std::uint64_t& sequence)
{
    const auto at = index(tag, mapping.input, mapping.log2size);
    auto& set = sets_[at & set_mask_];
    const auto wanted = block(mapping.input, mapping.log2size);
    const auto first = preferred_way(at);
    Entry* victim = nullptr;
    Entry* unused = nullptr;
    for (unsigned i = 0; i < ways; ++i) {
        auto& entry = set.way[first ^ i];
        const auto input = entry.input.load(std::memory_order_relaxed);
        const auto context = entry.context.load(std::memory_order_relaxed);
        if (input != 0 && context == tag.context && (input ^ wanted) >> 6 == 0) {
            victim = &entry;  // never two entries for one block
            break;
        }
        if (unused != nullptr) {
            continue;
        }
        const auto output = entry.output.load(std::memory_order_relaxed);
        const bool dead =
            context == tag.context && (output & (outer_linked | inner_linked)) == 0 &&
            entry.sequence.load(std::memory_order_relaxed) >> 32 != current(tag);
        if (input == 0 || dead) {
            unused = &entry;
        }
    }
    if (victim == nullptr) {
        // Nothing known about use: any but the preferred one, by bits of the address
        // that did not choose the set.
        const auto other = (mapping.input >> mapping.log2size >> set_bits_ >> 2) + first;
        victim = unused != nullptr ? unused : &set.way[other & (ways - 1)];
    }
    sequence = victim->sequence.load(std::memory_order_relaxed);
    const bool ours = (sequence & 1) == 0 &&
                      victim->sequence.compare_exchange_strong(sequence, sequence + 1,
                                                               std::memory_order_seq_cst,
                                                               std::memory_order_relaxed);
    return ours ? victim : nullptr;
}

void Tlb::insert(Ticket ticket, const Tag& tag, const Mapping& mapping)
{
    if (sets_.empty()) {
        return;
    }
    std::uint64_t sequence = 0;
    auto* entry = claim(tag, mapping, sequence);
    if (entry == nullptr) {
        return;
    }
    auto generation = current(tag);
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
    const auto input = block(mapping.input, mapping.log2size) | mapping.outer_log2size;
    generation += links(tag, mapping.input, input, output);
    if ((sizes_.load(std::memory_order_relaxed) & bit(mapping.log2size)) == 0) {
        sizes_.fetch_or(bit(mapping.log2size), std::memory_order_seq_cst);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (epoch_.load(std::memory_order_seq_cst) != ticket.epoch) {
        // What was walked may be gone: leave the entry as it was.
        entry->sequence.store(
            next_sequence(sequence + 1, static_cast<std::uint32_t>(sequence >> 32)),
            std::memory_order_release);
        return;
    }
    std::atomic_thread_fence(std::memory_order_release);
    entry->input.store(input, std::memory_order_relaxed);
    entry->context.store(tag.context, std::memory_order_relaxed);
    entry->output.store(output, std::memory_order_relaxed);
    entry->sequence.store(next_sequence(sequence + 1, generation),
                          std::memory_order_release);
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
bool Tlb::empty(Entry& entry, std::uint64_t sequence)
{
    if (!entry.sequence.compare_exchange_strong(sequence, sequence + 1,
                                                std::memory_order_seq_cst)) {
        return false;
    }
    std::atomic_thread_fence(std::memory_order_release);
    entry.input.store(0, std::memory_order_relaxed);
    entry.sequence.store(next_sequence(sequence + 1, 0), std::memory_order_release);
    return true;
}

void Tlb::scrub()
{
    for (auto& set : sets_) {
        for (auto& entry : set.way) {
            while (!empty(entry, wait_until_idle(entry.sequence))) {
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

void Tlb::evict(const Tag& tag, std::uint64_t input, unsigned log2size)
{
    const auto wanted = block(input, log2size);
    for (auto& entry : sets_[index(tag, input, log2size) & set_mask_].way) {
        for (;;) {
            const auto sequence = wait_until_idle(entry.sequence);
            if ((entry.input.load(std::memory_order_relaxed) ^ wanted) >> 6 != 0 ||
                entry.context.load(std::memory_order_relaxed) != tag.context ||
                empty(entry, sequence)) {
                break;
            }
        }
    }
}

void Tlb::invalidate_range(const Tag& tag, std::uint64_t first, std::uint64_t last)
{
    next_epoch();
    evict_pages(tag, first, last);
    bump_links(outer_, outer_sizes_.load(std::memory_order_seq_cst), tag.domain, first,
               last);
}

void Tlb::invalidate_pages(const Tag& tag, std::uint64_t first, std::uint64_t last)
{
    next_epoch();
    evict_pages(tag, first, last);
}

void Tlb::evict_pages(const Tag& tag, std::uint64_t first, std::uint64_t last)
{
    std::uint64_t probes = 0;
    for (auto sizes = sizes_.load(std::memory_order_seq_cst); sizes != 0;
         sizes &= sizes - 1) {
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
