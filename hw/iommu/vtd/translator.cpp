// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.2 "Address Translation Caches": the way of a request through plans and the
// IOTLB.
#include "hw/iommu/vtd/translator.hpp"

#include "hw/iommu/vtd/requester.hpp"

namespace iommu::vtd {

namespace {

constexpr unsigned log2_tlb_entries = 16;
constexpr std::uint64_t everything = ~std::uint64_t{0};

Rights rights(const Tlb::Hit& hit)
{
    return Rights{static_cast<std::uint8_t>(hit.attributes & Rights::every)};
}

// The reason of a refusal by rights alone.
FaultReason denied(bool scalable, const Transaction& t, Rights allowed)
{
    if (!scalable) {
        return t.access == Access::Write ? FaultReason::WriteDenied
                                         : FaultReason::ReadDenied;
    }
    if (t.privilege == Privilege::User && !allowed.has(Rights::user_read) &&
        allowed.has(Rights::priv_read)) {
        return FaultReason::SmUserDenied;
    }
    if (t.access == Access::Write) {
        return FaultReason::SmWriteDenied;
    }
    return t.content == Content::Instruction ? FaultReason::SmExecuteDenied
                                             : FaultReason::SmReadDenied;
}

}  // namespace

Translator::Translator(const Configuration& configuration, GuestMemory& memory,
                       FaultLog& faults, const Epoch& answers)
    : configuration_(configuration), memory_(memory), faults_(faults),
      answers_epoch_(answers), tlb_(configuration.tlb ? log2_tlb_entries : 0)
{
}

Translator::~Translator() = default;

Stream::Result Translator::translate_slowly(Requester& r, const Transaction& access,
                                            Translation& out)
{
    const Asked asked{r, access, answers_epoch_.now()};
    if (RefusedPieces::stand(&r, access, asked.epoch, memory_.ram())) {
        if (hooks && listener_ != nullptr) {
            listener_->refused_further(access.address);
        }
        return Stream::Result::Refused;
    }
    auto t = sanitised(access);
    // Before anything is read: what an invalidation overtakes is not cached.
    const auto ticket = tlb_.begin();
    const auto resolved = resolve(r, t.substream);
    if (!resolved) {
        return refuse(asked, t, {resolved.error().reason}, resolved.error().muted);
    }
    const auto& plan = *resolved;
    const auto& head = plan.head;
    if (head.kind() == PlanKind::Disabled) {
        out = {Gpa{t.address.value}, everything, true, true};
        announce(r);
        return Stream::Result::Ok;
    }
    if (!t.substream.present && is_interrupt_address(t.address.value)) {
        // A write is an interrupt, not DMA; nothing else is allowed there.
        out = {Gpa{t.address.value}, 0xfff, false, true};
        return t.access == Access::Write ? Stream::Result::Ok : Stream::Result::Refused;
    }
    if (!t.substream.present && head.has(PlanHead::privileged)) {
        t.privilege = Privilege::Privileged;
    }
    // VT-d 9.6, fields SRE and ERE.
    if (t.privilege == Privilege::Privileged && !head.has(PlanHead::supervisor)) {
        return refuse(asked, t, {FaultReason::SmSupervisorDisabled},
                      head.has(PlanHead::muted));
    }
    if (t.content == Content::Instruction && !head.has(PlanHead::execute)) {
        return refuse(asked, t, {FaultReason::SmExecuteDisabled},
                      head.has(PlanHead::muted));
    }
    if (head.kind() == PlanKind::PassThrough) {
        // VT-d 9.3, field AW: beyond the widest address even pass-through is blocked.
        if (t.address.value > widest()) {
            return refuse(asked, t,
                          {head.has(PlanHead::scalable)
                               ? FaultReason::SmAddressBeyondWidth
                               : FaultReason::AddressBeyondWidth},
                          head.has(PlanHead::muted));
        }
        out = {Gpa{t.address.value}, widest(), true, true};
        if (!t.substream.present) {
            announce(r);
        }
        return Stream::Result::Ok;
    }
    Tlb::Hit hit;
    if (tlb_.lookup(head.tag(), t.address.value, r.guess, hit) &&
        !(t.access == Access::Write && head.has(PlanHead::tracks_dirty) &&
          (hit.attributes & dirty) == 0)) {
        if (!rights(hit).allow(needed(t))) {
            // What is cached says no; which reason it is only the tables know.
            const auto mapped = walk_plan(plan, t);
            return refuse(
                asked, t,
                mapped ? Unmapped{denied(head.has(PlanHead::scalable), t, rights(hit))}
                       : mapped.error(),
                head.has(PlanHead::muted));
        }
        return answer(head, asked, t, hit, out);
    }
    return walk_through(plan, ticket, asked, t, out);
}

// What no cache answers.
Stream::Result Translator::walk_through(const Plan& plan, Tlb::Ticket ticket,
                                        const Asked& asked, const Transaction& t,
                                        Translation& out)
{
    const auto key = walk_key(plan, ticket);
    Mapped mapped;
    if (!nearby(plan, t, key, mapped)) {
        const auto walked = walk_plan(plan, t, key);
        if (!walked) {
            return refuse(asked, t, walked.error(), plan.head.has(PlanHead::muted));
        }
        mapped = *walked;
    }
    out.neighbours = mapped.neighbours;
    // Where to look first, next time.
    auto& guess = asked.by.guess;
    const auto size = mapped.mapping.log2size;
    if (configuration_.tlb && guess.load(std::memory_order_relaxed) != size) {
        guess.store(size, std::memory_order_relaxed);
    }
    return answer(plan.head, asked, t, keep(ticket, plan.head, mapped, t.access), out);
}

Tlb::Hit Translator::keep(Tlb::Ticket ticket, const PlanHead& plan, Mapped& mapped,
                          Access access)
{
    auto& mapping = mapped.mapping;
    mapping.attributes = mapped.allowed.bits;
    if (!plan.has(PlanHead::tracks_dirty) || access == Access::Write) {
        mapping.attributes |= dirty;
    }
    if (mapped.transient) {
        mapping.attributes |= transient;
    }
    tlb_.insert(ticket, plan.tag(), mapping);
    return {mapped.output, mapping.attributes, mapping.log2size};
}

// The one place where a translation, cached or walked, is granted or refused.
Stream::Result Translator::answer(const PlanHead& plan, const Asked& asked,
                                  const Transaction& t, const Tlb::Hit& hit,
                                  Translation& out)
{
    const Rights allowed = rights(hit);
    if (!allowed.allow(needed(t))) [[unlikely]] {
        return refuse(asked, t, {denied(plan.has(PlanHead::scalable), t, allowed)},
                      plan.has(PlanHead::muted));
    }
    auto mask = (std::uint64_t{1} << hit.log2size) - 1;
    // VT-d 3.15: nothing translates to an interrupt.
    if (reaches_interrupts(hit.output, mask)) [[unlikely]] {
        if (is_interrupt_address(hit.output)) {
            return refuse(asked, t,
                          {plan.has(PlanHead::scalable)
                               ? FaultReason::SmOutputIsInterruptAddress
                               : FaultReason::OutputIsInterruptAddress},
                          plan.has(PlanHead::muted));
        }
        mask = 0xfff;  // the block holds such an output elsewhere
    }
    const bool privileged = t.privilege == Privilege::Privileged;
    out.output = Gpa{hit.output};
    out.mask = mask;
    out.read = allowed.has(privileged ? Rights::priv_read : Rights::user_read);
    // A caller that keeps the answer must come back before its first write: D.
    out.write = allowed.has(privileged ? Rights::priv_write : Rights::user_write) &&
                (!plan.has(PlanHead::tracks_dirty) || (hit.attributes & dirty) != 0);
    return Stream::Result::Ok;
}

Stream::Result Translator::refuse(const Asked& asked, const Transaction& t,
                                  const Unmapped& why, bool muted)
{
    // VT-d 7.2.1: while its first fault is pending, a source's next ones are collapsed
    // into it; the pieces of one DMA need not even try.
    if (RefusedPieces::continues(&asked.by, asked.access, asked.epoch, why.grounds)) {
        if (hooks && listener_ != nullptr) {
            listener_->refused_further(t.address);
        }
        return Stream::Result::Refused;
    }
    const Fault fault{why.reason, asked.by.id, t};
    if (hooks && listener_ != nullptr) {
        listener_->refused(fault, muted);
    }
    if (!muted) {
        faults_.record(fault);
    }
    return Stream::Result::Refused;
}

Expected<Plan, Translator::Refusal> Translator::resolve(const Requester& r,
                                                        Substream substream)
{
    auto& slot = slot_of(r, substream);
    Plan plan;
    if (slot.try_read(plan) && current(plan.head, r) &&
        plan.requester == static_cast<std::uint32_t>(r.id) &&
        (!substream.present || plan.pasid == substream.value)) {
        return plan;
    }
    const auto epoch = epoch_.load(std::memory_order_seq_cst);
    const auto fetched = fetch_plan(r.id, substream);
    // Only good entries are cached, whatever CAP.CM allows (VT-d 6.1 "Caching Mode").
    if (!fetched) {
        return fetched;
    }
    plan = *fetched;
    plan.serial = WalkKey::new_context();
    plan.requester = static_cast<std::uint32_t>(r.id);
    if (substream.present) {
        plan.pasid = substream.value;
    }
    const auto domain_slot = plan.domain % domain_slots;
    const auto pasid_slot = plan.pasid % pasid_slots;
    plan.head.set(PlanHead::valid, true);
    plan.head.set_ends(stamp(r, domain_slot, pasid_slot), domain_slot, pasid_slot);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (epoch_.load(std::memory_order_seq_cst) == epoch) {
        static_cast<void>(slot.try_publish(plan));
    }
    return plan;
}

}  // namespace iommu::vtd
