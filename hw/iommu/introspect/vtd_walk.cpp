// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 3 "DMA Remapping", told.
//
// The verdict is a second Translator's, which has no caches and whose memory is a
// Snapshot.  The steps are the same lookups and formats, narrated over the same Snapshot.
#include "hw/iommu/introspect/vtd_walk.hpp"

#include <algorithm>
#include <memory>

#include "hw/iommu/introspect/narrate.hpp"
#include "hw/iommu/introspect/vtd_cached.hpp"
#include "hw/iommu/introspect/vtd_fields.hpp"
#include "hw/iommu/vtd/plan_formats.hpp"
#include "hw/iommu/vtd/requester.hpp"

namespace iommu::vtd {

using introspect::Json;
using introspect::Snapshot;
using introspect::Step;
using introspect::Story;
using introspect::VtdWorld;

namespace {

using namespace introspect;

std::string describe_first(std::uint64_t raw, int, EntryKind)
{
    return FirstStageEntryFields::describe({&raw, 1});
}
std::string describe_second(std::uint64_t raw, int, EntryKind)
{
    return SecondStageEntryFields::describe({&raw, 1});
}

// The structures of a mode, in the order they are read.
struct Structure {
    const char* name;
    std::string (*fields)(std::span<const std::uint64_t> raw);
};
constexpr Structure legacy[] = {
    {"root entry", RootEntryFields::describe},
    {"context entry", ContextEntryFields::describe},
};
constexpr Structure scalable[] = {
    {"scalable-mode root entry", ScalableRootEntryFields::describe},
    {"scalable-mode context entry", ScalableContextEntryFields::describe},
    {"PASID directory entry", PasidDirectoryEntryFields::describe},
    {"PASID table entry", PasidTableEntryFields::describe},
};

// The last refusal of the judging translator.
struct Heard final : RefusalListener {
    std::optional<Fault> fault{};
    bool muted = false;
    void refused(const Fault& f, bool m) override
    {
        fault = f;
        muted = m;
    }
    void refused(const InterruptFault&, bool) override {}
};

}  // namespace

class Narrator {
public:
    Narrator(const VtdWorld& world, Snapshot& snapshot)
        : world_(world), snapshot_(snapshot), reader_(snapshot.memory()),
          built_(uncached(world.built)), log_(snapshot, 1),
          judge_(std::make_unique<Translator>(built_, snapshot.memory(), log_, epoch_))
    {
        judge_->listen(heard_);
    }

    // The entries from the root on; nothing when they lead nowhere.
    std::optional<Plan> tell_lookup(SourceId source, Substream substream);
    void tell_walk(const Plan& plan, const Transaction& access);
    // The translation alone is empty for a refusal.
    std::optional<Translation> write_verdict(Json& json, SourceId source,
                                             const Transaction& access);
    // Beside the last entry: what caches hold of the translation.
    void tell_cached(const Caches& caches, const std::optional<Plan>& plan,
                     const Transaction& access, const std::optional<Translation>& now);
    Story& story() { return story_; }
    FaultReason problem() const { return problem_; }

private:
    static Configuration uncached(Configuration c)
    {
        c.tlb = false;
        return c;
    }
    void configure();
    std::optional<Mapped> map(const Plan& plan, const Transaction& access);
    template <typename In>
    std::optional<Gpa> second(const SecondStage<In>& format, In input, Rights wanted,
                              unsigned depth);
    template <typename Out, typename Place>
    std::optional<Out> first(const FirstStage<Out>& format, Iova input, Rights wanted,
                             Place&& place_of);

    const VtdWorld& world_;
    Snapshot& snapshot_;
    TableReader reader_;
    const Configuration built_;
    FaultLog log_;
    Epoch epoch_;
    Heard heard_;
    std::unique_ptr<Translator> judge_;
    Story story_;
    FaultReason problem_{};
};

std::optional<Plan> Narrator::tell_lookup(SourceId source, Substream substream)
{
    judge_->configure(world_.settings);
    snapshot_.forget_reads();
    const auto plan = judge_->fetch_plan(source, substream);
    const auto mode = world_.settings.root[RtaddrReg::TTM];
    const std::span<const Structure> structures =
        mode == TranslationTableMode::Scalable ? std::span<const Structure>(scalable)
                                               : std::span<const Structure>(legacy);
    const auto& reads = snapshot_.reads();
    for (std::size_t i = 0; i < reads.size() && i < structures.size(); ++i) {
        Step step;
        step.structure = structures[i].name;
        step.at = reads[i].at;
        step.raw = snapshot_.words(reads[i].at, reads[i].size);
        if (step.raw.empty()) {
            step.problem = introspect::name_of(WalkFault::Unreadable);
        } else {
            step.fields = structures[i].fields(step.raw);
        }
        story_.add(std::move(step));
    }
    if (plan) {
        return *plan;
    }
    problem_ = plan.error().reason;
    if (!story_.empty()) {
        story_.last().problem = name_of_value(problem_);
    }
    return std::nullopt;
}

template <typename In>
std::optional<Gpa> Narrator::second(const SecondStage<In>& format, In input,
                                    Rights wanted, unsigned depth)
{
    return introspect::tell_stage(
        story_, reader_, format, {"second-stage entry", "second-stage input", depth},
        input, wanted, &describe_second, [](Gpa at) { return std::optional(at); });
}

// `place_of`: where in memory the entry at an address of the first stage's is.
template <typename Out, typename Place>
std::optional<Out> Narrator::first(const FirstStage<Out>& format, Iova input,
                                   Rights wanted, Place&& place_of)
{
    return introspect::tell_stage(story_, reader_, format,
                                  {"first-stage entry", "first-stage input"}, input,
                                  wanted, &describe_first, place_of);
}

void Narrator::tell_walk(const Plan& plan, const Transaction& access)
{
    auto t = sanitised(access);
    if (!t.substream.present &&
        (is_interrupt_address(t.address.value) || plan.head.has(PlanHead::privileged))) {
        if (is_interrupt_address(t.address.value)) {
            return;
        }
        t.privilege = Privilege::Privileged;
    }
    const auto wanted = needed(t);
    switch (plan.head.kind()) {
    case PlanKind::Disabled:
    case PlanKind::PassThrough:
        return;
    case PlanKind::SecondStage:
        second(second_stage<Iova>(plan, built_), t.address, wanted, 0);
        return;
    case PlanKind::FirstStage:
        first(first_stage<Gpa>(plan, built_.haw_bits()), t.address, wanted,
              [](Gpa at) { return std::optional(at); });
        return;
    case PlanKind::Nested:
        break;
    }
    const auto outer = second_stage<Ipa>(plan, built_);
    const auto tables = needed(Access::Read, Privilege::Privileged, Content::Data);
    const auto inner = first(first_stage<Ipa>(plan, 52), t.address, wanted,
                             [&](Ipa at) { return second(outer, at, tables, 1); });
    if (inner) {
        second(outer, *inner, wanted, 0);
    }
}

// Whoever is allowed to do anything there finds the entry.
std::optional<Mapped> Narrator::map(const Plan& plan, const Transaction& access)
{
    auto t = access;
    for (const auto privilege : {Privilege::User, Privilege::Privileged}) {
        for (const auto kind : {0, 1, 2}) {
            t.privilege = privilege;
            t.access = kind == 1 ? Access::Write : Access::Read;
            t.content = kind == 2 ? Content::Instruction : Content::Data;
            if (const auto mapped = judge_->walk_plan(plan, t)) {
                return Mapped{mapped->output, mapped->allowed};
            }
        }
    }
    return std::nullopt;
}

void Narrator::tell_cached(const Caches& caches, const std::optional<Plan>& plan,
                           const Transaction& access,
                           const std::optional<Translation>& now)
{
    const auto& used = caches.plan() ? caches.plan() : plan;
    const auto address = access.address.value;
    Tlb::Hit hit;
    if (used && (access.substream.present || !is_interrupt_address(address))) {
        const bool walks = plan && plan->head.kind() != PlanKind::Disabled &&
                           plan->head.kind() != PlanKind::PassThrough;
        const auto mapped = walks ? map(*plan, access) : std::nullopt;
        if (caches.lookup(*used, address, hit)) {
            introspect::tell_hit(story_, "IOTLB", address, hit, mapped);
        }
        caches.tell_last_table(story_, address, mapped);
    }
    if (caches.stream() != nullptr) {
        introspect::tell_answer(story_, *caches.stream(), access, now);
    }
}

std::optional<Translation> Narrator::write_verdict(Json& json, SourceId source,
                                                   const Transaction& access)
{
    Translation out;
    heard_.fault.reset();
    auto& stream = *judge_->stream(source, nullptr);
    const bool passed = stream.translate(access, out) == Stream::Result::Ok;
    json.open_object();
    if (passed) {
        json.text("result", stream.bypassed() ? "bypassed" : "translated")
            .hex("output", out.output.value)
            .hex("mask", out.mask)
            .boolean("read", out.read)
            .boolean("write", out.write);
    } else {
        json.text("result", "refused").key("event");
        if (heard_.fault && !heard_.muted) {
            write_fault(json, *heard_.fault);
        } else {
            json.null();
        }
        if (heard_.fault && heard_.muted) {
            json.text("muted", name_of_value(heard_.fault->reason));
        }
    }
    json.close_object();
    return passed ? std::optional(out) : std::nullopt;
}

}  // namespace iommu::vtd

namespace iommu::introspect {

namespace {

template <typename AnyFault>
void write_any(Json& json, const AnyFault& fault)
{
    const auto record = vtd::encode(fault);
    json.open_object()
        .text("name", name_of_value(fault.reason))
        .number("number", static_cast<std::uint64_t>(fault.reason))
        .key("raw")
        .words(record.dword)
        .key("fields");
    write_record(json, fault.reason, record.dword);
    json.close_object();
}

}  // namespace

void write_fault(Json& json, const vtd::Fault& fault)
{
    write_any(json, fault);
}
void write_fault(Json& json, const vtd::InterruptFault& fault)
{
    write_any(json, fault);
}

// VT-d 7.1.3: 20h to 2fh are interrupt remapping's.
void write_record(Json& json, vtd::FaultReason reason,
                  const std::array<std::uint64_t, 2>& words)
{
    if (static_cast<unsigned>(reason) >> 4 == 2) {
        InterruptFaultRecordFields::write(json, vtd::InterruptFaultRecord{words});
    } else {
        FaultRecordFields::write(json, vtd::FaultRecord{words});
    }
}

void walk(Json& json, const VtdWorld& world, SourceId source, const Transaction& access)
{
    Snapshot snapshot(world.memory);
    vtd::Narrator narrator(world, snapshot);
    const vtd::Caches caches(world.engine, source, access.substream);
    const auto plan = narrator.tell_lookup(source, access.substream);
    caches.tell_plan(narrator.story(), plan);
    if (plan) {
        narrator.tell_walk(*plan, access);
    }
    Json verdict;
    const auto now = narrator.write_verdict(verdict, source, access);
    narrator.tell_cached(caches, plan, access, now);
    json.key("steps");
    narrator.story().write(json);
    json.boolean("stale", narrator.story().stale()).key("verdict").splice(verdict.str());
}

void configuration(Json& json, const VtdWorld& world, SourceId source,
                   Substream substream)
{
    Snapshot snapshot(world.memory);
    vtd::Narrator narrator(world, snapshot);
    const auto plan = narrator.tell_lookup(source, substream);
    json.key("steps");
    narrator.story().write(json);
    json.key("problem");
    plan ? json.null() : json.text(name_of_value(narrator.problem()));
}

}  // namespace iommu::introspect
