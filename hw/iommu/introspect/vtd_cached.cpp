// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/introspect/vtd_cached.hpp"

#include "hw/iommu/vtd/page_formats.hpp"
#include "hw/iommu/vtd/requester.hpp"

namespace iommu::vtd {

using introspect::Json;

namespace {

const char* name_of(PlanKind kind)
{
    switch (kind) {
    case PlanKind::Disabled:
        return "disabled";
    case PlanKind::PassThrough:
        return "pass-through";
    case PlanKind::FirstStage:
        return "first stage";
    case PlanKind::SecondStage:
        return "second stage";
    case PlanKind::Nested:
        return "nested";
    }
    return "";
}

// Without what says whose it is and how long it holds.
Plan bare(Plan plan)
{
    plan.head.set(PlanHead::valid, false);
    plan.head.ends = plan.serial = 0;
    plan.requester = plan.pasid = 0;
    return plan;
}

}  // namespace

Caches::Caches(Translator& engine, SourceId source, Substream substream)
    : engine_(engine), requester_(engine.find(source))
{
    Plan plan;
    if (requester_ != nullptr && engine.slot_of(*requester_, substream).try_read(plan) &&
        engine.current(plan.head, *requester_) &&
        plan.requester == static_cast<std::uint32_t>(source) &&
        (!substream.present || plan.pasid == substream.value)) {
        plan_ = plan;
    }
}

void Caches::tell_plan(introspect::Story& story, const std::optional<Plan>& now) const
{
    if (!plan_) {
        return;
    }
    const bool differs = !now || bare(*plan_) != bare(*now);
    const bool scalable = plan_->head.has(PlanHead::scalable);
    const auto kind = plan_->head.kind();
    Json json;
    json.open_object()
        .text("cache", scalable ? "PASID-cache" : "context cache")
        .boolean("differs", differs)
        .text("translation", name_of(kind))
        .number("DID", plan_->domain);
    if (scalable) {
        json.number("PASID", plan_->pasid);
    }
    if (kind == PlanKind::FirstStage || kind == PlanKind::Nested) {
        json.hex("FSPTPTR", plan_->first_root.value)
            .number("first-stage-levels", plan_->first_levels);
    }
    if (kind == PlanKind::SecondStage || kind == PlanKind::Nested) {
        json.hex("SSPTPTR", plan_->second_root.value)
            .number("second-stage-levels", plan_->second_levels);
    }
    json.close_object();
    story.beside_last(json.str(), differs);
}

bool Caches::lookup(const Plan& plan, std::uint64_t address, Tlb::Hit& hit) const
{
    if (plan.head.kind() == PlanKind::Disabled ||
        plan.head.kind() == PlanKind::PassThrough) {
        return false;
    }
    std::atomic<std::uint8_t> guess{0};
    return engine_.tlb_.lookup(plan.head.tag(), address, guess, hit);
}

void Caches::tell_last_table(introspect::Story& story, std::uint64_t address,
                             const std::optional<introspect::Mapped>& now) const
{
    if (!plan_) {
        return;
    }
    const auto key = engine_.walk_key(*plan_, engine_.tlb_.begin());
    if (plan_->head.kind() == PlanKind::FirstStage) {
        introspect::tell_last_table<FirstStage<Gpa>>(story, key, Iova{address}, now);
    } else if (plan_->head.kind() == PlanKind::SecondStage) {
        introspect::tell_last_table<SecondStage<Iova>>(story, key, Iova{address}, now);
    }
}

const Stream* Caches::stream() const
{
    return requester_;
}

}  // namespace iommu::vtd
