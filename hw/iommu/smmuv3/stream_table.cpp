// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3.1 "Stream table lookup", 5.1 "L1STD", 6.3.24 and 6.3.25 STRTAB_BASE(_CFG).
#include "hw/iommu/smmuv3/spec/stream_table.hpp"

#include <algorithm>

#include "hw/iommu/smmuv3/context.hpp"

namespace iommu::smmu {
namespace {

constexpr std::uint64_t bytes(unsigned log2)
{
    return std::uint64_t{1} << log2;
}

// Bits below the alignment are taken as zero.
constexpr Gpa aligned(Gpa at, unsigned log2)
{
    return Gpa{at.value & ~(bytes(log2) - 1)};
}

// SMMU 6.3.25: reserved values behave as 6.
constexpr unsigned effective_split(unsigned split)
{
    return split == 8 || split == 10 ? split : 6;
}

Problem bad_stream_id()
{
    return {.id = EventId::C_BAD_STREAMID};
}
Problem failed_fetch(Gpa at)
{
    return {.id = EventId::F_STE_FETCH, .fetched_from = at};
}

// Where the STE of `index` stands in the two-level table.
Expected<Gpa, Problem> locate(GuestMemory& memory, const StreamTable& table,
                              unsigned log2size, std::uint64_t index, LookupTrace* trace)
{
    const auto split = effective_split(table.split);
    const auto log2_l1 = log2size > split ? log2size - split : 0;
    // SMMU 6.3.24: aligned to the level 1 table's size, at least to 64 bytes.
    const auto base = aligned(table.base, std::max(6u, log2_l1 + 3));
    const auto at = base + (index >> split) * sizeof(L1Std);
    if (trace) {
        trace->l1std = at;
    }
    const auto entry = memory.fetch<L1Std>(at);
    if (!entry) {
        return Unexpected{failed_fetch(at)};
    }
    const auto span = (*entry)[L1Std::Span];
    const auto second = index & (bytes(split) - 1);
    // SMMU 5.1.1, 7.3.3: none, reserved, beyond the split, or beyond the array.
    if (span == 0 || span > 11 || span > split + 1 || second >= bytes(span - 1)) {
        return Unexpected{bad_stream_id()};
    }
    return aligned((*entry)[L1Std::L2Ptr], 6 + span - 1) + second * sizeof(Ste);
}

}  // namespace

Expected<Ste, Problem> fetch_ste(GuestMemory& memory, const StreamTable& table,
                                 unsigned sid_bits, StreamId stream, LookupTrace* trace)
{
    const auto index = static_cast<std::uint64_t>(stream);
    const auto log2size = std::min(table.log2size, sid_bits);
    if (index >= bytes(log2size)) {
        return Unexpected{bad_stream_id()};
    }
    auto at = aligned(table.base, log2size + 6) + index * sizeof(Ste);
    if (table.format == StreamTable::Format::TwoLevel) {
        const auto found = locate(memory, table, log2size, index, trace);
        if (!found) {
            return Unexpected{found.error()};
        }
        at = *found;
    }
    if (trace) {
        trace->ste = at;
    }
    const auto ste = memory.fetch<Ste>(at);
    if (!ste) {
        return Unexpected{failed_fetch(at)};
    }
    return *ste;
}

}  // namespace iommu::smmu
