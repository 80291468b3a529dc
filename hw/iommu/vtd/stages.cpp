// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 3.6 "First-Stage Translation", 3.7 "Second-Stage Translation", 3.8 "Nested
// Translation", and which fault reason each way of failing has (7.1.3).
//
//   nested:  input --first stage--> second stage's input --second stage--> output
//                      |  each table entry's own address through the second stage as well
#include <algorithm>
#include <optional>

#include "hw/iommu/vtd/blocks.hpp"
#include "hw/iommu/vtd/plan_formats.hpp"
#include "hw/iommu/vtd/requester.hpp"
#include "hw/iommu/vtd/translator.hpp"

namespace iommu::vtd {

namespace {

FaultReason denied(bool scalable, Access access)
{
    if (access == Access::Write) {
        return scalable ? FaultReason::SmWriteDenied : FaultReason::WriteDenied;
    }
    return scalable ? FaultReason::SmReadDenied : FaultReason::ReadDenied;
}

FaultReason legacy_reason(WalkFault why, Access access)
{
    switch (why) {
    case WalkFault::OutOfRange:
        return FaultReason::AddressBeyondWidth;
    case WalkFault::Reserved:
    case WalkFault::AddressSize:
        return FaultReason::PagingEntryReserved;
    case WalkFault::Unreadable:
        return FaultReason::PagingEntryAccess;
    case WalkFault::Translation:
    case WalkFault::AccessFlag:
    case WalkFault::Permission:
        break;
    }
    return denied(false, access);
}

FaultReason second_reason(WalkFault why, FaultReason out_of_range, FaultReason permission)
{
    switch (why) {
    case WalkFault::OutOfRange:
        return out_of_range;
    case WalkFault::Translation:
        return FaultReason::SsPagingEntryNotPresent;
    case WalkFault::Reserved:
    case WalkFault::AddressSize:
        return FaultReason::SsPagingEntryReserved;
    case WalkFault::Unreadable:
        return FaultReason::SsPagingEntryAccess;
    case WalkFault::AccessFlag:
    case WalkFault::Permission:
        break;
    }
    return permission;
}

// VT-d 7.1.3: U/S before what the page itself allows.
FaultReason first_permission(const Transaction& t, bool user_may_read)
{
    if (t.privilege == Privilege::User && !user_may_read) {
        return FaultReason::SmUserDenied;
    }
    return t.access == Access::Read && t.content == Content::Instruction
               ? FaultReason::SmExecuteDenied
               : denied(true, t.access);
}

FaultReason first_reason(WalkFault why, FaultReason unreadable)
{
    switch (why) {
    case WalkFault::OutOfRange:
        return FaultReason::SmNotCanonical;
    case WalkFault::Reserved:
    case WalkFault::AddressSize:
        return FaultReason::FsPagingEntryReserved;
    case WalkFault::Unreadable:
        return unreadable;
    case WalkFault::Translation:
    case WalkFault::AccessFlag:
    case WalkFault::Permission:
        break;
    }
    return FaultReason::FsPagingEntryNotPresent;
}

// Reads and marks first-stage entries that lie in host memory.
struct PlainReader {
    TableReader reader;
    Gpa root{};

    Expected<std::uint64_t, FaultReason> operator()(Gpa at)
    {
        const auto value = reader(at);
        if (!value) {
            return Unexpected{(at.value & ~std::uint64_t{0xfff}) == root.value
                                  ? FaultReason::FsRootAccess
                                  : FaultReason::FsPagingEntryAccess};
        }
        return *value;
    }
    Expected<bool, FaultReason> update(Gpa at, std::uint64_t& expected,
                                       std::uint64_t desired)
    {
        const auto stored = reader.update(at, expected, desired);
        if (!stored) {
            return Unexpected{FaultReason::FsAccessedDirtyUpdate};
        }
        return *stored;
    }
};

// VT-d 3.8: the same, each entry's address going through the second stage first.
struct NestedReader {
    using Denied = WalkError<TableReader::Abort>;

    TableReader& reader;
    const SecondStage<Ipa>& second;
    Ipa root{};
    // The last entry that could be read, and what it says by now.
    std::optional<Gpa> read_at{};
    std::uint64_t says = 0;
    std::optional<Denied> denied{};  // what the second stage had against an entry

    Expected<std::uint64_t, FaultReason> operator()(Ipa at)
    {
        const bool top = (at.value & ~std::uint64_t{0xfff}) == root.value;
        const auto place =
            find(at, Access::Read,
                 top ? FaultReason::FsRootReadDenied : FaultReason::FsEntryReadDenied);
        if (!place) {
            return Unexpected{place.error()};
        }
        const auto value = reader(*place);
        if (!value) {
            return Unexpected{top ? FaultReason::FsRootAccess
                                  : FaultReason::FsPagingEntryAccess};
        }
        read_at = *place;
        return says = *value;
    }
    Expected<bool, FaultReason> update(Ipa at, std::uint64_t& expected,
                                       std::uint64_t desired)
    {
        const auto place = find(at, Access::Write, FaultReason::FsEntryWriteDenied);
        if (!place) {
            return Unexpected{place.error()};
        }
        const auto stored = reader.update(*place, expected, desired);
        if (!stored) {
            return Unexpected{FaultReason::FsAccessedDirtyUpdate};
        }
        says = *stored ? desired : expected;
        return *stored;
    }

private:
    Expected<Gpa, FaultReason> find(Ipa at, Access access, FaultReason permission)
    {
        const auto place = walk(second, reader, at,
                                needed(access, Privilege::Privileged, Content::Data));
        if (!place) {
            denied = place.error();
            return Unexpected{second_reason(
                denied->why, FaultReason::FsEntryAddressBeyondWidth, permission)};
        }
        return place->output;
    }
};

// A refused first-stage walk, as the reason software sees.
template <typename Format, typename Reader>
FaultReason explain_first(const Format& format, Reader& reader, const Transaction& t,
                          const WalkError<FaultReason>& error)
{
    if (error.why != WalkFault::Permission) {
        return first_reason(error.why, error.unreadable);
    }
    const Rights read{Rights::user_read};
    return first_permission(t, bool(walk(format, reader, t.address, read)));
}

}  // namespace

// Without a TLB every access reads everything.  `physical`: where the entry stood.
template <typename Error>
Grounds Translator::grounds_of(const WalkError<Error>& error, Gpa physical) const
{
    const auto& ram = memory_.ram();
    if (!configuration_.tlb) {
        return {};
    }
    if (error.entry_read) {
        return Grounds::entry(ram, physical, error.entry_raw);
    }
    return error.why == WalkFault::OutOfRange ? Grounds::configuration(ram) : Grounds{};
}

// In place: copied while it is being put together it would stall.
[[gnu::always_inline]] inline void
Translator::map_by(const Leaf<Gpa>& leaf, const Transaction& access, Mapped& out)
{
    out.mapping.input = access.address.value;
    out.mapping.output = out.output = leaf.output.value;
    out.mapping.log2size = leaf.log2size;
    out.allowed = leaf.allowed;
    // A first stage's entries have no traits.
    out.transient = (leaf.traits & SecondStage<Iova>::transient) != 0;
}

template <typename Format>
bool Translator::nearby_in(const Transaction& access, const WalkKey& key, Mapped& out)
{
    auto* table = LastTables<Format>::find(key, access.address);
    Leaf<Gpa> leaf;
    std::uint64_t raw = 0;
    if (table == nullptr || !table->find(access.address, needed(access), leaf, raw)) {
        return false;
    }
    map_by(leaf, access, out);
    auto* around = table->around(access.address, raw, leaf);
    if (around != nullptr) {
        for (auto& output : around->output) {
            // VT-d 3.15: nothing translates to an interrupt.
            output = is_interrupt_address(output) ? Neighbours::unlike : output;
        }
        out.neighbours = around;
    }
    return true;
}

bool Translator::nearby(const Plan& plan, const Transaction& access, const WalkKey& key,
                        Mapped& out)
{
    switch (plan.head.kind()) {
    case PlanKind::FirstStage:
        return nearby_in<FirstStage<Gpa>>(access, key, out);
    case PlanKind::SecondStage:
        return nearby_in<SecondStage<Iova>>(access, key, out);
    default:
        return false;  // Nested: a first stage's tables are the second's to find
    }
}

Expected<Translator::Mapped, Translator::Unmapped>
Translator::walk_plan(const Plan& plan, const Transaction& access, const WalkKey& key)
{
    switch (plan.head.kind()) {
    case PlanKind::FirstStage:
        return walk_first(plan, access, key);
    case PlanKind::Nested:
        return walk_nested(plan, access);
    default:
        return walk_second(plan, access, key);
    }
}

Expected<Translator::Mapped, Translator::Unmapped>
Translator::walk_second(const Plan& plan, const Transaction& t, const WalkKey& key)
{
    TableReader reader(memory_);
    const auto format = second_stage<Iova>(plan, configuration_);
    const auto leaf = walk(format, reader, t.address, needed(t));
    if (!leaf) {
        const auto why = leaf.error().why;
        const auto grounds = grounds_of(leaf.error(), Gpa{leaf.error().entry_at});
        if (!plan.head.has(PlanHead::scalable)) {
            return Unexpected{Unmapped{legacy_reason(why, t.access), grounds}};
        }
        const bool beyond_mgaw = t.address.value >> configuration_.aw_bits != 0;
        const bool fetch = t.content == Content::Instruction && t.access == Access::Read;
        const auto reason =
            second_reason(why,
                          beyond_mgaw ? FaultReason::SmAddressBeyondWidth
                                      : FaultReason::SmSecondStageInputBeyondWidth,
                          fetch ? FaultReason::SmExecuteDenied : denied(true, t.access));
        return Unexpected{Unmapped{reason, grounds}};
    }
    LastTables<SecondStage<Iova>>::keep(key, t.address, format, *leaf, memory_.ram());
    Mapped out;
    map_by(*leaf, t, out);
    return out;
}

Expected<Translator::Mapped, Translator::Unmapped>
Translator::walk_first(const Plan& plan, const Transaction& t, const WalkKey& key)
{
    PlainReader reader{TableReader(memory_), plan.first_root};
    const auto format = first_stage<Gpa>(plan, configuration_.haw_bits());
    const auto leaf = walk(format, reader, t.address, needed(t));
    if (!leaf) {
        const auto grounds = grounds_of(leaf.error(), Gpa{leaf.error().entry_at});
        return Unexpected{
            Unmapped{explain_first(format, reader, t, leaf.error()), grounds}};
    }
    LastTables<FirstStage<Gpa>>::keep(key, t.address, format, *leaf, memory_.ram());
    Mapped out;
    map_by(*leaf, t, out);
    return out;
}

Expected<Translator::Mapped, Translator::Unmapped>
Translator::walk_nested(const Plan& plan, const Transaction& t)
{
    TableReader reader(memory_);
    const auto second = second_stage<Ipa>(plan, configuration_);
    NestedReader nested{reader, second, Ipa{plan.first_root.value}};
    // An address beyond the second stage rests on the entry of the first that gave it.
    const auto by_second = [&](const NestedReader::Denied& error) {
        const bool given = error.why == WalkFault::OutOfRange && nested.read_at;
        return given && configuration_.tlb
                   ? Grounds::entry(memory_.ram(), *nested.read_at, nested.says)
                   : grounds_of(error, Gpa{error.entry_at});
    };
    const auto format = first_stage<Ipa>(plan, 52);
    const auto inner = walk(format, nested, t.address, needed(t));
    if (!inner) {
        const auto grounds =
            nested.denied ? by_second(*nested.denied)
                          : grounds_of(inner.error(), nested.read_at.value_or(Gpa{}));
        return Unexpected{
            Unmapped{explain_first(format, nested, t, inner.error()), grounds}};
    }
    const auto outer = walk(second, reader, inner->output, needed(t));
    if (!outer) {
        const bool fetch = t.content == Content::Instruction && t.access == Access::Read;
        const auto reason =
            second_reason(outer.error().why, FaultReason::SmSecondStageInputBeyondWidth,
                          fetch ? FaultReason::SmExecuteDenied : denied(true, t.access));
        return Unexpected{Unmapped{reason, by_second(outer.error())}};
    }
    // The piece both stages map alike; invalidating any address of either block ends it.
    Mapped out;
    map_by(*outer, t, out);
    out.mapping.log2size = std::min(inner->log2size, outer->log2size);
    out.mapping.outer_log2size = inner->log2size;
    out.mapping.inner_log2size = outer->log2size;
    out.mapping.inner_input = inner->output.value;
    out.allowed = inner->allowed & outer->allowed;
    return out;
}

// VT-d 6.1: CAP.CM says nothing of first stages, whose new pages software does not
// announce; of these, and of what passes untranslated, nothing is listed.
bool Translator::list_blocks(const Plan& plan, const PageSpan& span, CopyBudget& budget,
                             std::vector<MappedBlock>& found)
{
    if (plan.head.kind() != PlanKind::SecondStage) {
        return true;
    }
    TableReader reader(memory_);
    const auto format = second_stage<Iova>(plan, configuration_);
    return BlockList(format, reader, budget, found).collect(span);
}

}  // namespace iommu::vtd
