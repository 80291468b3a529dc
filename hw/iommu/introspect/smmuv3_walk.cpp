// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3 "Data structures and translation procedure", told.
//
// The verdict is a second Translator's, which has no caches and whose memory is a
// Snapshot.  The steps are the same lookups and formats, narrated over the same Snapshot.
#include "hw/iommu/introspect/smmuv3_walk.hpp"

#include <algorithm>
#include <memory>

#include "hw/iommu/introspect/narrate.hpp"
#include "hw/iommu/introspect/smmuv3_cached.hpp"
#include "hw/iommu/introspect/smmuv3_fields.hpp"
#include "hw/iommu/smmuv3/context.hpp"
#include "hw/iommu/smmuv3/translator.hpp"

namespace iommu::introspect {
namespace {

using namespace smmu;

std::string describe_stage1(std::uint64_t raw, int level, EntryKind kind)
{
    const bool leaf = kind == EntryKind::Leaf || (kind == EntryKind::Bad && level == 3);
    return leaf ? Stage1LeafFields::describe({&raw, 1})
                : Stage1TableFields::describe({&raw, 1});
}
std::string describe_stage2(std::uint64_t raw, int level, EntryKind kind)
{
    const bool leaf = kind == EntryKind::Leaf || (kind == EntryKind::Bad && level == 3);
    return leaf ? Stage2LeafFields::describe({&raw, 1})
                : Stage2TableFields::describe({&raw, 1});
}

class Teller {
public:
    Teller(const SmmuWorld& world, Snapshot& snapshot)
        : world_(world), snapshot_(snapshot), reader_(snapshot.memory())
    {
    }

    Expected<Context, Problem> tell_lookup(StreamId stream, Substream substream);
    void tell_walk(const Context& context, const Transaction& access);
    // What the tables map the address to, whoever is allowed to use it.
    std::optional<Mapped> map(const Context& context, Iova input);
    Story& story() { return story_; }

private:
    template <typename Fields, typename D>
    void tell_structure(const char* name, Gpa at, std::optional<Ipa> ipa);
    std::optional<Gpa> stage2(const SecondStage& s2, Ipa input, Rights wanted,
                              unsigned depth);
    std::optional<Ipa> stage1(const VmsaStage1& format, const SecondStage& s2, Iova input,
                              Rights wanted);

    const SmmuWorld& world_;
    Snapshot& snapshot_;
    TableReader reader_;
    Story story_;
};

template <typename Fields, typename D>
void Teller::tell_structure(const char* name, Gpa at, std::optional<Ipa> ipa)
{
    Step step;
    step.structure = name;
    step.at = at;
    if (ipa && ipa->value != at.value) {
        step.asked_at = ipa->value;
    }
    step.raw = snapshot_.words(at, sizeof(D));
    if (step.raw.empty()) {
        step.problem = name_of(WalkFault::Unreadable);
    } else {
        step.fields = Fields::describe(step.raw);
    }
    story_.add(std::move(step));
}

std::optional<Gpa> Teller::stage2(const SecondStage& s2, Ipa input, Rights wanted,
                                  unsigned depth)
{
    if (!s2.enabled) {
        return Gpa{input.value};
    }
    return tell_stage(story_, reader_, s2.format,
                      {"stage 2 descriptor", "stage 2 input", depth}, input, wanted,
                      &describe_stage2, [](Gpa at) { return std::optional(at); });
}

std::optional<Ipa> Teller::stage1(const VmsaStage1& format, const SecondStage& s2,
                                  Iova input, Rights wanted)
{
    Telling telling{"stage 1 descriptor", format.upper_half ? "TTB1" : "TTB0"};
    if (format.walks_disabled) {
        telling.out_of_range = "walks are disabled (EPD)";
    }
    return tell_stage(
        story_, reader_, format, telling, input, wanted, &describe_stage1,
        [&](Ipa at) { return stage2(s2, at, Rights{Rights::priv_read}, 1); });
}

Expected<Context, Problem> Teller::tell_lookup(StreamId stream, Substream substream)
{
    LookupTrace seen;
    const auto found =
        lookup_context(snapshot_.memory(), world_.built, world_.settings.stream_table,
                       stream, substream, &seen);
    if (seen.l1std) {
        tell_structure<L1StdFields, L1Std>("L1STD", *seen.l1std, {});
    }
    if (seen.ste) {
        tell_structure<SteFields, Ste>("STE", *seen.ste, {});
    }
    const auto descriptors = Rights{Rights::priv_read};
    if (seen.l1cd) {
        if (const auto at = stage2(seen.s2, *seen.l1cd, descriptors, 1)) {
            tell_structure<L1CdFields, L1Cd>("L1CD", *at, seen.l1cd);
        }
    }
    if (seen.cd) {
        if (const auto at = stage2(seen.s2, *seen.cd, descriptors, 1)) {
            tell_structure<CdFields, Cd>("CD", *at, seen.cd);
        }
    }
    if (!found && !story_.empty() && story_.last().problem.empty()) {
        story_.last().problem = name_of_value(found.error().id);
    }
    return found;
}

void Teller::tell_walk(const Context& context, const Transaction& access)
{
    if (context.route != Context::Route::Translate) {
        return;
    }
    const auto wanted = needed(access);
    auto output = std::optional(Ipa{access.address.value});
    if (context.stage1) {
        output = stage1(context.ttb[access.address.value >> 55 & 1], context.s2,
                        access.address, wanted);
    }
    if (output) {
        stage2(context.s2, *output, wanted, 0);
    }
}

std::optional<Mapped> Teller::map(const Context& context, Iova input)
{
    Leaf<Ipa> inner;
    inner.output = Ipa{input.value};
    inner.allowed = Rights::all();
    Leaf<Gpa> outer;
    Problem why;
    if ((context.stage1 && !smmu::stage1(context.ttb[input.value >> 55 & 1], context.s2,
                                         reader_, input, Rights{}, inner, why)) ||
        !smmu::stage2(context.s2, reader_, inner.output, Rights{}, Purpose::Input, outer,
                      why)) {
        return std::nullopt;
    }
    return Mapped{outer.output.value, inner.allowed & outer.allowed};
}

void write_verdict(Json& json, const Outcome& outcome, unsigned oas_bits)
{
    json.key("verdict").open_object();
    if (outcome.kind == Outcome::Kind::Aborted) {
        json.text("result", "refused").key("event");
        if (outcome.record) {
            write_event(json, *outcome.record, oas_bits);
        } else {
            json.null();
        }
    } else {
        const auto& t = outcome.translation;
        json.text("result",
                  outcome.kind == Outcome::Kind::Bypassed ? "bypassed" : "translated")
            .hex("output", t.output.value)
            .hex("mask", t.mask)
            .boolean("read", t.read)
            .boolean("write", t.write);
    }
    json.close_object();
}

}  // namespace

void write_record(Json& json, EventId id, const EventWords& words)
{
    switch (id) {
    case EventId::F_STE_FETCH:
    case EventId::F_CD_FETCH:
        return FetchRecordFields::write(json, FetchRecord{words});
    case EventId::F_WALK_EABT:
        return WalkAbortRecordFields::write(json, WalkAbortRecord{words});
    case EventId::F_TRANSLATION:
    case EventId::F_ADDR_SIZE:
    case EventId::F_ACCESS:
    case EventId::F_PERMISSION:
        return TranslationRecordFields::write(json, TranslationRecord{words});
    default:
        return ConfigurationRecordFields::write(json, ConfigurationRecord{words});
    }
}

void write_event(Json& json, const Fault& fault, unsigned oas_bits)
{
    const auto words = encode(fault, oas_bits);
    json.open_object()
        .text("name", name_of_value(fault.id))
        .number("number", static_cast<std::uint64_t>(fault.id))
        .key("raw")
        .words(words)
        .key("fields");
    write_record(json, fault.id, words);
    json.close_object();
}

void walk(Json& json, const SmmuWorld& world, const SmmuRequester& of,
          const Transaction& access)
{
    Snapshot snapshot(world.memory);
    Teller teller(world, snapshot);
    const Caches caches(world.engine, of.entry, access.substream);
    std::optional<Context> context;
    if (world.settings.smmu_enabled) {
        if (const auto found = teller.tell_lookup(of.id, access.substream)) {
            context = *found;
        }
        caches.tell_configuration(teller.story(), context);
        if (context) {
            teller.tell_walk(*context, access);
        }
        const bool walks = context && context->route == Context::Route::Translate;
        caches.tell_translation(teller.story(), context, access.address,
                                walks ? teller.map(*context, access.address)
                                      : std::nullopt);
    }
    auto built = world.built;
    built.tlb = false;
    const auto judge = std::make_unique<Translator>(built, snapshot.memory());
    judge->configure(world.settings);
    const auto entry = std::make_unique<StreamEntry>(of.id);
    const auto outcome = judge->translate(*entry, access);
    if (of.stream != nullptr) {
        const bool passed = outcome.kind != Outcome::Kind::Aborted;
        tell_answer(teller.story(), *of.stream, access,
                    passed ? std::optional(outcome.translation) : std::nullopt);
    }
    json.key("steps");
    teller.story().write(json);
    json.boolean("stale", teller.story().stale());
    write_verdict(json, outcome, world.built.oas_bits);
}

void configuration(Json& json, const SmmuWorld& world, StreamId stream,
                   Substream substream)
{
    Snapshot snapshot(world.memory);
    Teller teller(world, snapshot);
    std::string_view problem;
    if (world.settings.smmu_enabled) {
        const auto found = teller.tell_lookup(stream, substream);
        if (!found) {
            problem = name_of_value(found.error().id);
        }
    }
    json.key("steps");
    teller.story().write(json);
    json.key("problem");
    problem.empty() ? json.null() : json.text(problem);
}

}  // namespace iommu::introspect
