// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 4 "Support For Device-TLBs": translation requests (AT 01b) and translated
// requests (AT 10b).
//
//   what is wrong                          translation request       translated request
//   root or context entry not present      unsupported, recorded     blocked, recorded
//   ATS not allowed: TT is not 01b, DTE 0  unsupported, recorded     blocked, recorded
//   an entry unreadable or wrong           abort, recorded           blocked, recorded
//   PASID structures                       as for other entries      not looked at
//   the address, its page, its rights      success, no rights        not looked at
//   TES clear                              unsupported               blocked
#include "hw/iommu/vtd/requester.hpp"
#include "hw/iommu/vtd/translator.hpp"

namespace iommu::vtd {

namespace {

constexpr std::uint64_t page_mask = 0xfff, pass_through_mask = 0x1f'ffff;

// VT-d 7.1.3: what software sets up on purpose to refuse requests.
bool is_unsupported(FaultReason reason)
{
    switch (reason) {
    case FaultReason::RootEntryNotPresent:
    case FaultReason::ContextEntryNotPresent:
    case FaultReason::RequestTypeBlocked:
    case FaultReason::PasidInLegacyMode:
    case FaultReason::SmRootEntryNotPresent:
    case FaultReason::SmContextEntryNotPresent:
    case FaultReason::SmDeviceTlbDisabled:
    case FaultReason::SmPasidDisabled:
    case FaultReason::SmPasidTooLarge:
    case FaultReason::SmRidPasidInvalid:
    case FaultReason::SmPasidDirNotPresent:
    case FaultReason::SmPasidEntryNotPresent:
    case FaultReason::SmSupervisorDisabled:
        return true;
    default:
        return false;
    }
}

// VT-d 7.1: page tables that are broken, rather than pages that are not there.
bool is_error(FaultReason reason)
{
    switch (reason) {
    case FaultReason::PagingEntryAccess:
    case FaultReason::PagingEntryReserved:
    case FaultReason::FsPagingEntryAccess:
    case FaultReason::FsPagingEntryReserved:
    case FaultReason::FsRootAccess:
    case FaultReason::FsEntryAddressBeyondWidth:
    case FaultReason::FsRootReadDenied:
    case FaultReason::FsEntryReadDenied:
    case FaultReason::FsEntryWriteDenied:
    case FaultReason::FsAccessedDirtyUpdate:
    case FaultReason::SsPagingEntryAccess:
    case FaultReason::SsPagingEntryReserved:
    case FaultReason::SsRootAccess:
        return true;
    default:
        return false;
    }
}

constexpr AtsCompletion nothing{};
constexpr AtsCompletion failed(AtsStatus status)
{
    AtsCompletion out;
    out.status = status;
    return out;
}

}  // namespace

// A plan that allows ATS, or why there is none.
Expected<Plan, Translator::Refusal> Translator::resolve_for_ats(Requester& r,
                                                                Substream substream)
{
    const auto plan = resolve(r, substream);
    if (!plan) {
        auto why = plan.error();
        // The context entry comes before everything of PASIDs.
        if (why.reason >= FaultReason::SmPasidDisabled && !why.device_tlb) {
            why.reason = FaultReason::SmDeviceTlbDisabled;
        }
        return Unexpected{why};
    }
    const auto& head = plan->head;
    if (head.kind() != PlanKind::Disabled && !head.has(PlanHead::device_tlb)) {
        return Unexpected{Refusal{head.has(PlanHead::scalable)
                                      ? FaultReason::SmDeviceTlbDisabled
                                      : FaultReason::RequestTypeBlocked,
                                  head.has(PlanHead::muted)}};
    }
    return plan;
}

void Translator::record(const Requester& r, Transaction request, AddressType type,
                        const Refusal& why)
{
    if (why.muted) {
        return;
    }
    if (type == AddressType::TranslationRequest) {
        request.access = Access::Read;
    }
    faults_.record(Fault{why.reason, r.id, request, type});
}

AtsCompletion Translator::request_translation(Requester& r, const Transaction& request)
{
    auto t = sanitised(request);
    const bool executes = t.content == Content::Instruction;
    t.content = Content::Data;
    const auto refuse = [&](const Refusal& why) {
        record(r, t, AddressType::TranslationRequest, why);
        return failed(is_unsupported(why.reason) ? AtsStatus::UnsupportedRequest
                                                 : AtsStatus::CompleterAbort);
    };
    const auto plan = resolve_for_ats(r, t.substream);
    if (!plan) {
        return refuse(plan.error());
    }
    const auto& head = plan->head;
    if (head.kind() == PlanKind::Disabled) {
        return failed(AtsStatus::UnsupportedRequest);
    }
    const auto address = t.address.value;
    if (!t.substream.present && is_interrupt_address(address)) {
        // VT-d 3.15: writes there are interrupts, and must come untranslated.
        AtsCompletion out;
        out.translation = {Gpa{address}, page_mask, false, true};
        out.untranslated_only = true;
        return out;
    }
    if (!t.substream.present && head.has(PlanHead::privileged)) {
        t.privilege = Privilege::Privileged;
    }
    if (t.privilege == Privilege::Privileged && !head.has(PlanHead::supervisor)) {
        return refuse({FaultReason::SmSupervisorDisabled, head.has(PlanHead::muted)});
    }
    if (head.kind() == PlanKind::PassThrough) {
        if (address > widest()) {
            return nothing;
        }
        AtsCompletion out;
        out.translation = {Gpa{address},
                           reaches_interrupts(address, pass_through_mask)
                               ? page_mask
                               : pass_through_mask,
                           true, true};
        return out;
    }
    const auto mapped = map_for_ats(r, *plan, t);
    if (!mapped) {
        return is_error(mapped.error())
                   ? refuse({mapped.error(), head.has(PlanHead::muted)})
                   : nothing;
    }
    return complete(head, t, *mapped, executes);
}

// The IOTLB answers if it can, and keeps what the tables say; so software that forgets it
// finds a Device-TLB filled with what it had invalidated there (VT-d 6.5.2.5).
Expected<Tlb::Hit, FaultReason> Translator::map_for_ats(Requester& r, const Plan& plan,
                                                        Transaction t)
{
    const auto ticket = tlb_.begin();
    const auto& head = plan.head;
    Tlb::Hit hit;
    if (tlb_.lookup(head.tag(), t.address.value, r.guess, hit)) {
        const Rights allowed{static_cast<std::uint8_t>(hit.attributes & Rights::every)};
        const bool marks = t.access == Access::Write && allowed.allow(needed(t)) &&
                           head.has(PlanHead::tracks_dirty) &&
                           (hit.attributes & dirty) == 0;
        if (!marks) {
            return hit;
        }
    }
    auto mapped = walk_plan(plan, t);
    if (!mapped && t.access == Access::Write && !is_error(mapped.error().reason)) {
        t.access = Access::Read;
        mapped = walk_plan(plan, t);
    }
    if (!mapped) {
        return Unexpected{mapped.error().reason};
    }
    auto found = *mapped;
    return keep(ticket, head, found, t.access);
}

AtsCompletion Translator::complete(const PlanHead& plan, const Transaction& t,
                                   const Tlb::Hit& hit, bool executes)
{
    const auto address = t.address.value;
    auto mask = (std::uint64_t{1} << hit.log2size) - 1;
    if (is_interrupt_address(hit.output)) {
        return nothing;
    }
    if (reaches_interrupts(hit.output, mask) ||
        (!t.substream.present && reaches_interrupts(address, mask))) {
        mask = page_mask;
    }
    const auto allowed =
        Rights{static_cast<std::uint8_t>(hit.attributes & Rights::every)}.of(t.privilege);
    const bool marked = !plan.has(PlanHead::tracks_dirty) || (hit.attributes & dirty);
    AtsCompletion out;
    out.translation = {Gpa{hit.output}, mask, allowed.has(Rights::user_read),
                       allowed.has(Rights::user_write) && marked};
    out.execute =
        executes && plan.has(PlanHead::execute) && allowed.has(Rights::user_execute);
    out.untranslated_only = (hit.attributes & transient) != 0;
    return out.translation.read || out.translation.write ? out : nothing;
}

Stream::Result Translator::admit_translated(Requester& r, const Transaction& request)
{
    const auto t = sanitised(request);
    const auto plan = resolve_for_ats(r, t.substream);
    if (!plan && !plan.error().device_tlb) {
        record(r, t, AddressType::Translated, plan.error());
        return Stream::Result::Refused;
    }
    if (plan && plan->head.kind() == PlanKind::Disabled) {
        return Stream::Result::Refused;
    }
    if (is_interrupt_address(t.address.value)) {
        const bool scalable = !plan || plan->head.has(PlanHead::scalable);
        record(r, t, AddressType::Translated,
               {scalable ? FaultReason::SmOutputIsInterruptAddress
                         : FaultReason::OutputIsInterruptAddress,
                plan ? plan->head.has(PlanHead::muted) : plan.error().muted});
        return Stream::Result::Refused;
    }
    return Stream::Result::Ok;
}

}  // namespace iommu::vtd
