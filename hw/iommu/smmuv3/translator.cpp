// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3, 3.4, 3.12, 4.3, 4.4, 5.5: the parts of a translation put in order.
#include "hw/iommu/smmuv3/translator.hpp"

#include <algorithm>
#include <thread>

#include "hw/iommu/smmuv3/context.hpp"

namespace iommu::smmu {
namespace {

// 64 Ki entries of 32 bytes.
constexpr unsigned log2_tlb_entries = 16;

constexpr bool translation_related(EventId id)
{
    return id == EventId::F_TRANSLATION || id == EventId::F_ADDR_SIZE ||
           id == EventId::F_ACCESS || id == EventId::F_PERMISSION;
}

struct Span {
    std::uint64_t first, last;
};

// SMMU 4.4.1.1: a range command names a run of granules, any other one address.
constexpr Span span_of(const AddressRange& range)
{
    if (range.granule_shift == 0) {
        return {range.address, range.address};
    }
    const auto first = range.address >> range.granule_shift << range.granule_shift;
    const auto most = (~first >> range.granule_shift) + 1;
    if (range.count == 0 || range.count >= most) {
        return {first, ~std::uint64_t{0}};
    }
    return {first, first + (range.count << range.granule_shift) - 1};
}

}  // namespace

Translator::Translator(const Capabilities& built, GuestMemory& memory)
    : built_(built), memory_(memory), tlb_(built.tlb ? log2_tlb_entries : 0)
{
}

void Translator::configure(const Settings& settings)
{
    settings_.try_publish(settings);  // the only writer
    every_stream_.fetch_add(1, std::memory_order_seq_cst);
}

Settings Translator::settings() const
{
    Settings now;
    while (!settings_.try_read(now)) {
        std::this_thread::yield();
    }
    return now;
}

Tlb::Tag Translator::tag(Regime regime, Vmid vmid, Asid asid)
{
    const auto v = static_cast<std::uint64_t>(vmid);
    // Stage 2 alone knows no ASID: a space of its own, which no ASID names.
    const auto a = regime == Regime::Stage2 ? std::uint64_t{1} << 16
                                            : static_cast<std::uint64_t>(asid);
    return Tlb::tag(static_cast<std::uint64_t>(regime) << 40 | a << 16 | v, v, a);
}

Translator::Found Translator::find_context(const StreamEntry& stream, Substream substream,
                                           StreamEntry::Cached& out, Problem& why) const
{
    // The generation first: what is read later is at least as new.
    const auto now = generation(stream.id);
    auto& slot = stream.slot(substream).cached;
    if (slot.try_read(out) && out.hot.generation == now &&
        out.hot.substream() == StreamEntry::key(substream)) [[likely]] {
        return Found::Kept;
    }
    const auto set = settings();
    out.context = {};
    if (set.smmu_enabled) {
        const auto found =
            lookup_context(memory_, built_, set.stream_table, stream.id, substream);
        if (!found) {
            why = found.error();  // SMMU 5.2.1, 5.4.1: nothing is cached of a failure
            return Found::Nothing;
        }
        out.context = *found;
    } else {
        // SMMU 6.3.14 GBPA.ABORT; 3.4: beyond the OAS aborts, and records nothing.
        out.context.route =
            set.gbpa_abort ? Context::Route::Abort : Context::Route::Bypass;
        out.context.record_s1 = false;
    }
    out.hot.generation = now;
    out.hot.flags = StreamEntry::key(substream);
    complete(out.hot, out.context);
    // Another thread at the same slot knows as much as we do.
    (void)slot.try_publish(out);
    return Found::Fetched;
}

void Translator::complete(Hot& hot, const Context& context) const
{
    hot.serial = WalkKey::new_context();
    hot.flags |= std::uint64_t{static_cast<std::uint8_t>(context.route)} << 32;
    hot.passes = (std::uint64_t{1} << built_.oas_bits) - 1;
    if (context.stage1) {
        hot.flags |= std::uint64_t{context.ttb[0].top_byte_ignored} << 40 |
                     std::uint64_t{context.ttb[1].top_byte_ignored} << 41;
    }
    const auto regime = !context.stage1      ? Regime::Stage2
                        : context.s2.enabled ? Regime::Nested
                                             : Regime::Stage1;
    hot.flags |= std::uint64_t{static_cast<std::uint8_t>(regime)} << 48;
    hot.set_tag(tag(regime, context.vmid, context.asid));
}

bool Translator::bypassed(const StreamEntry& stream) const
{
    StreamEntry::Cached by;
    Problem why;
    return find_context(stream, Substream{}, by, why) != Found::Nothing &&
           by.context.route == Context::Route::Bypass;
}

Outcome::Kind Translator::resolve(StreamEntry& stream, const Transaction& access,
                                  Translation& out, Refusal& refusal) noexcept
{
    StreamEntry::Cached by;
    Problem why;
    auto& slot = stream.slot(access.substream);
    const auto found = find_context(stream, access.substream, by, why);
    if (found == Found::Nothing) {
        refusal.record = refuse(why, Context{}, stream.id, access);
        return Outcome::Kind::Aborted;
    }
    if (found == Found::Fetched) {
        // A new configuration says nothing about the translations that are cached.
        const auto kind = cached(by.hot, slot, access, out);
        if (kind != Outcome::Kind::Aborted) {
            return kind;
        }
    }
    if (by.context.route == Context::Route::Abort) {
        why.rests_on = Problem::RestsOn::Configuration;
        refusal.grounds = grounds_of(why, by.context);
        return Outcome::Kind::Aborted;  // SMMU 5.2 Config 0b0xx, 6.3.14: no event
    }
    if (!translate_by(by, slot, access, out, why)) {
        refusal.record = refuse(why, by.context, stream.id, access);
        refusal.grounds = grounds_of(why, by.context);
        return Outcome::Kind::Aborted;
    }
    return by.context.route == Context::Route::Bypass ? Outcome::Kind::Bypassed
                                                      : Outcome::Kind::Translated;
}

bool Translator::translate_by(const StreamEntry::Cached& by, StreamEntry::Slot& slot,
                              const Transaction& access, Translation& out, Problem& why)
{
    if (by.context.stage1) {
        return through_stage1(by, slot, access, out, why);
    }
    if (bypass(by.hot, access, out) == Outcome::Kind::Bypassed) {
        return true;
    }
    // SMMU 3.4, 7.3.14: with stage 1 bypassed, its output is the input, and must fit.
    if ((access.address.value & ~by.hot.passes) != 0) {
        why.id = EventId::F_ADDR_SIZE;
        why.rests_on = Problem::RestsOn::Configuration;
        return false;
    }
    return through_stage2(by, slot, access, out, why);
}

bool Translator::through_stage2(const StreamEntry::Cached& by, StreamEntry::Slot& slot,
                                const Transaction& access, Translation& out, Problem& why)
{
    const auto ticket = tlb_.begin();
    TableReader reader{memory_};
    const auto input = Ipa{access.address.value};
    Leaf<Gpa> leaf;
    if (!stage2(by.context.s2, reader, input, needed(access), Purpose::Input, leaf,
                why)) {
        return false;
    }
    insert(ticket, by.hot, slot,
           {.input = input.value,
            .output = leaf.output.value,
            .log2size = leaf.log2size,
            .attributes = leaf.allowed.bits});
    LastTables<VmsaStage2>::keep(walk_key(by.hot, ticket), input, by.context.s2.format,
                                 leaf, memory_.ram());
    fill(out, access, leaf.output, leaf.log2size, leaf.allowed);
    return true;
}

bool Translator::through_stage1(const StreamEntry::Cached& by, StreamEntry::Slot& slot,
                                const Transaction& access, Translation& out, Problem& why)
{
    const auto ticket = tlb_.begin();
    TableReader reader{memory_};
    const auto wanted = needed(access);
    const auto& format = by.context.ttb[access.address.value >> 55 & 1];
    Leaf<Ipa> inner;
    Leaf<Gpa> outer;
    if (!stage1(format, by.context.s2, reader, access.address, wanted, inner, why) ||
        !stage2(by.context.s2, reader, inner.output, wanted, Purpose::Input, outer,
                why)) {
        return false;
    }
    const bool nested = by.context.s2.enabled;
    const auto size = std::min(inner.log2size, outer.log2size);
    const auto allowed = inner.allowed & outer.allowed;
    const bool global = (inner.traits & VmsaStage1::global) != 0;
    // Any address of the stage 1 block ends the entry, from any ASID if it is global.
    insert(ticket, by.hot, slot,
           {.input = cache_address(by.hot, access.address),
            .output = outer.output.value,
            .log2size = size,
            .attributes = allowed.bits,
            .outer_log2size = nested || global ? inner.log2size : std::uint8_t{0},
            .inner_log2size = nested ? outer.log2size : std::uint8_t{0},
            .inner_input = inner.output.value});
    if (!nested) {
        LastTables<VmsaStage1>::keep(walk_key(by.hot, ticket), access.address, format,
                                     inner, memory_.ram());
    }
    fill(out, access, outer.output, size, allowed);
    return true;
}

// Without a TLB every access reads everything.
Grounds Translator::grounds_of(const Problem& why, const Context& context) const
{
    const auto& ram = memory_.ram();
    if (built_.tlb && why.rests_on == Problem::RestsOn::Descriptor) {
        return Grounds::entry(ram, why.descriptor_at, why.descriptor);
    }
    // That an address is beyond stage 2 rests on stage 1's descriptor, if there is one.
    const bool of_nested = why.stage == Stage::S2 && context.stage1;
    if (built_.tlb && why.rests_on == Problem::RestsOn::Configuration && !of_nested) {
        return Grounds::configuration(ram);
    }
    return {};
}

template <typename Format>
bool Translator::nearby(const Hot& hot, StreamEntry::Slot& slot,
                        const Transaction& access, Translation& out)
{
    const auto ticket = tlb_.begin();
    const typename Format::Input input{access.address.value};
    auto* table = LastTables<Format>::find(walk_key(hot, ticket), input);
    Leaf<typename Format::Output> leaf;
    std::uint64_t raw = 0;
    if (table == nullptr || !table->find(input, needed(access), leaf, raw)) {
        return false;
    }
    const bool global =
        std::is_same_v<Format, VmsaStage1> && (leaf.traits & VmsaStage1::global) != 0;
    insert(ticket, hot, slot,
           {.input = cache_address(hot, access.address),
            .output = leaf.output.value,
            .log2size = leaf.log2size,
            .attributes = leaf.allowed.bits,
            .outer_log2size = global ? leaf.log2size : std::uint8_t{0}});
    fill(out, access, Gpa{leaf.output.value}, leaf.log2size, leaf.allowed);
    out.neighbours = table->around(input, raw, leaf);
    return true;
}

void Translator::insert(Tlb::Ticket ticket, const Hot& hot, StreamEntry::Slot& slot,
                        const Tlb::Mapping& mapping)
{
    if (!built_.tlb) {
        return;
    }
    tlb_.insert(ticket, hot.tag(), mapping);
    // Where to look first, next time.
    if (slot.block_size.load(std::memory_order_relaxed) != mapping.log2size) {
        slot.block_size.store(mapping.log2size, std::memory_order_relaxed);
    }
}

bool Translator::nearby(const Hot& hot, StreamEntry::Slot& slot,
                        const Transaction& access, Translation& out)
{
    if (hot.route() != Context::Route::Translate) {
        return false;
    }
    switch (static_cast<Regime>(hot.regime())) {
    case Regime::Stage1:
        return nearby<VmsaStage1>(hot, slot, access, out);
    case Regime::Stage2:
        return nearby<VmsaStage2>(hot, slot, access, out);
    case Regime::Nested:
        break;
    }
    return false;
}

// The one place where it is decided what software is told (SMMU 5.5 "Fault configuration
// (A, R, S bits)", 6.3.12 CR2.RECINVSID).
std::optional<Fault> Translator::refuse(const Problem& problem, const Context& context,
                                        StreamId stream, const Transaction& access) const
{
    if (problem.id == EventId::C_BAD_STREAMID && !settings().record_bad_stream_id) {
        return std::nullopt;
    }
    const bool wanted =
        problem.stage == Stage::S1 ? context.record_s1 : context.record_s2;
    if (translation_related(problem.id) && !(wanted && problem.recorded)) {
        return std::nullopt;
    }
    return Fault{
        .id = problem.id,
        .stage = problem.stage,
        .purpose = problem.purpose,
        .stream = stream,
        .substream = access.substream,
        .access = access.access,
        .privilege = access.privilege,
        // SMMU 7.3.13: InD == 0 when RnW == 0.
        .content = access.access == Access::Write ? Content::Data : access.content,
        .input = access.address,
        .ipa = problem.ipa,
        .fetched_from = problem.fetched_from,
    };
}

void Translator::invalidate_ste(StreamId stream, bool)
{
    streams_[stream_slot(stream)].fetch_add(1, std::memory_order_seq_cst);
}

void Translator::invalidate_ste_range(StreamId first, unsigned log2_count)
{
    if (log2_count >= stream_slot_bits) {
        invalidate_all_configuration();
        return;
    }
    const auto base = static_cast<std::uint32_t>(first);
    for (std::uint32_t i = 0; i < 1u << log2_count; ++i) {
        invalidate_ste(StreamId{base + i}, true);
    }
}

void Translator::invalidate_all_configuration()
{
    every_stream_.fetch_add(1, std::memory_order_seq_cst);
}

void Translator::invalidate_cd(StreamId stream, SubstreamId, bool leaf)
{
    invalidate_ste(stream, leaf);
}

void Translator::invalidate_all_cds(StreamId stream)
{
    invalidate_ste(stream, true);
}

void Translator::invalidate_all()
{
    tlb_.invalidate_all();
}

void Translator::invalidate_nh_all(Vmid vmid)
{
    invalidate_vmid(vmid);
}

void Translator::invalidate_vmid(Vmid vmid)
{
    tlb_.invalidate_domain(tag(Regime::Stage2, effective(vmid), Asid{}).domain);
}

void Translator::invalidate_asid(Vmid vmid, Asid asid)
{
    tlb_.invalidate_space(tag(Regime::Stage1, effective(vmid), asid).space);
}

void Translator::invalidate_va(Vmid vmid, std::optional<Asid> asid,
                               const AddressRange& range)
{
    if (!asid) {
        // Entries are found by their ASID; without it the whole VMID goes.
        tlb_.invalidate_domain(tag(Regime::Stage1, effective(vmid), Asid{}).domain);
        return;
    }
    // Commands come in runs for one address space.
    const auto space = static_cast<std::uint64_t>(effective(vmid)) << 32 |
                       static_cast<std::uint64_t>(*asid);
    if (space != last_space_) {
        last_space_ = space;
        last_tag_ = tag(Regime::Stage1, effective(vmid), *asid);
    }
    const auto& tagged = last_tag_;
    // Entries under an ignored top byte are kept sign-extended; others never differ.
    auto [first, last] = span_of(range);
    first = VmsaStage1::sign_extend_55(first);
    last = VmsaStage1::sign_extend_55(last);
    if (last < first) {
        tlb_.invalidate_space(tagged.space);
        return;
    }
    tlb_.invalidate_range(tagged, first, last);
}

void Translator::invalidate_ipa(Vmid vmid, const AddressRange& range)
{
    const auto tagged = tag(Regime::Stage2, effective(vmid), Asid{});
    const auto [first, last] = span_of(range);
    tlb_.invalidate_pages(tagged, first, last);
    tlb_.invalidate_inner(tagged.domain, first, last);
}

}  // namespace iommu::smmu
