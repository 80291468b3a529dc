// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.2 "Address Translation Caches": the way of a request through plans and the
// IOTLB.
#include "hw/iommu/vtd/translator.hpp"

#include "hw/iommu/vtd/requester.hpp"

namespace iommu::vtd {

namespace {

// Attributes of a cached translation: its rights, and whether D is set already.
constexpr std::uint16_t dirty = 64;
constexpr unsigned log2_tlb_entries = 16;
constexpr std::uint64_t everything = ~std::uint64_t{0};

// VT-d 3.15 "Handling Requests to Interrupt Address Range": 0xFEEx_xxxx.
constexpr bool is_interrupt_address(std::uint64_t address)
{
    return address >> 20 == 0xfee;
}

// VT-d 3.4.1: without a PASID a request says nothing of privilege (9.4, field RID_PRIV,
// decides) and fetches no instructions.
Transaction sanitised(const Transaction& t)
{
    auto out = t;
    if (!t.substream.present) {
        out.privilege = Privilege::User;
        out.content = Content::Data;
    }
    // PCIe 6.20.2.4: Execute Requested means nothing in a write.
    if (t.access == Access::Write) {
        out.content = Content::Data;
    }
    return out;
}

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
                       FaultLog& faults)
    : configuration_(configuration), memory_(memory), faults_(faults),
      tlb_(configuration.tlb ? log2_tlb_entries : 0)
{
}

Translator::~Translator() = default;

Stream::Result Translator::translate(Requester& r, const Transaction& access,
                                     Translation& out)
{
    auto t = sanitised(access);
    PlanHead plan;
    if (!t.substream.present && r.plan.try_read_prefix(plan) && current(plan, r))
        [[likely]] {
        if (plan.kind == PlanKind::Disabled) {
            out = {Gpa{t.address.value}, everything, true, true};
            return Stream::Result::Ok;
        }
        if (plan.kind == PlanKind::PassThrough && t.address.value <= widest()) {
            out = {Gpa{t.address.value}, widest(), true, true};
            return Stream::Result::Ok;
        }
        if (plan.privileged) {
            t.privilege = Privilege::Privileged;
        }
        Tlb::Hit hit;
        if (plan.kind != PlanKind::PassThrough &&
            !is_interrupt_address(t.address.value) &&
            tlb_.lookup(plan.tag, t.address.value, r.guess, hit) &&
            !(t.access == Access::Write && plan.tracks_dirty &&
              (hit.attributes & dirty) == 0) &&
            rights(hit).allow(needed(t))) [[likely]] {
            return answer(plan, r, t, hit, out);
        }
    }
    return translate_slowly(r, t, out);
}

Stream::Result Translator::translate_slowly(Requester& r, Transaction t, Translation& out)
{
    // Before anything is read: what an invalidation overtakes is not cached.
    const auto ticket = tlb_.begin();
    const auto resolved = resolve(r, t.substream);
    if (!resolved) {
        return refuse(r, t, resolved.error().reason, resolved.error().muted);
    }
    const auto& plan = *resolved;
    const auto& head = plan.head;
    if (head.kind == PlanKind::Disabled) {
        out = {Gpa{t.address.value}, everything, true, true};
        announce(r);
        return Stream::Result::Ok;
    }
    if (!t.substream.present && is_interrupt_address(t.address.value)) {
        // A write is an interrupt, not DMA; nothing else is allowed there.
        out = {Gpa{t.address.value}, 0xfff, false, true};
        return t.access == Access::Write ? Stream::Result::Ok : Stream::Result::Refused;
    }
    if (!t.substream.present && head.privileged) {
        t.privilege = Privilege::Privileged;
    }
    // VT-d 9.6, fields SRE and ERE.
    if (t.privilege == Privilege::Privileged && !head.supervisor) {
        return refuse(r, t, FaultReason::SmSupervisorDisabled, head.muted);
    }
    if (t.content == Content::Instruction && !head.execute) {
        return refuse(r, t, FaultReason::SmExecuteDisabled, head.muted);
    }
    if (head.kind == PlanKind::PassThrough) {
        // VT-d 9.3, field AW: beyond the widest address even pass-through is blocked.
        if (t.address.value > widest()) {
            return refuse(r, t,
                          head.scalable ? FaultReason::SmAddressBeyondWidth
                                        : FaultReason::AddressBeyondWidth,
                          head.muted);
        }
        out = {Gpa{t.address.value}, widest(), true, true};
        if (!t.substream.present) {
            announce(r);
        }
        return Stream::Result::Ok;
    }
    Tlb::Hit hit;
    if (tlb_.lookup(head.tag, t.address.value, r.guess, hit) &&
        !(t.access == Access::Write && head.tracks_dirty &&
          (hit.attributes & dirty) == 0)) {
        if (!rights(hit).allow(needed(t))) {
            // What is cached says no; which reason it is only the tables know.
            const auto mapped = walk_plan(plan, t);
            return refuse(r, t,
                          mapped ? denied(head.scalable, t, rights(hit)) : mapped.error(),
                          head.muted);
        }
        return answer(head, r, t, hit, out);
    }
    const auto mapped = walk_plan(plan, t);
    if (!mapped) {
        return refuse(r, t, mapped.error(), head.muted);
    }
    auto mapping = mapped->mapping;
    mapping.attributes = mapped->allowed.bits;
    if (!head.tracks_dirty || t.access == Access::Write) {
        mapping.attributes |= dirty;
    }
    tlb_.insert(ticket, head.tag, mapping);
    return answer(head, r, t, {mapped->output, mapping.attributes, mapping.log2size},
                  out);
}

// The one place where a translation, cached or walked, is granted or refused.
Stream::Result Translator::answer(const PlanHead& plan, Requester& r,
                                  const Transaction& t, const Tlb::Hit& hit,
                                  Translation& out)
{
    const Rights allowed = rights(hit);
    if (!allowed.allow(needed(t))) [[unlikely]] {
        return refuse(r, t, denied(plan.scalable, t, allowed), plan.muted);
    }
    // VT-d 9.6, fields SRE and ERE: also when the translation is there.
    if (t.privilege == Privilege::Privileged && !plan.supervisor) {
        return refuse(r, t, FaultReason::SmSupervisorDisabled, plan.muted);
    }
    if (t.content == Content::Instruction && !plan.execute) {
        return refuse(r, t, FaultReason::SmExecuteDisabled, plan.muted);
    }
    auto mask = (std::uint64_t{1} << hit.log2size) - 1;
    // VT-d 3.15: nothing translates to an interrupt.
    if ((hit.output ^ 0xfee0'0000) >> 20 <= mask >> 20) [[unlikely]] {
        if (is_interrupt_address(hit.output)) {
            return refuse(r, t,
                          plan.scalable ? FaultReason::SmOutputIsInterruptAddress
                                        : FaultReason::OutputIsInterruptAddress,
                          plan.muted);
        }
        mask = 0xfff;  // the block holds such an output elsewhere
    }
    const bool privileged = t.privilege == Privilege::Privileged;
    out.output = Gpa{hit.output};
    out.mask = mask;
    out.read = allowed.has(privileged ? Rights::priv_read : Rights::user_read);
    // A caller that keeps the answer must come back before its first write: D.
    out.write = allowed.has(privileged ? Rights::priv_write : Rights::user_write) &&
                (!plan.tracks_dirty || (hit.attributes & dirty) != 0);
    return Stream::Result::Ok;
}

Stream::Result Translator::refuse(Requester& r, const Transaction& t, FaultReason reason,
                                  bool muted)
{
    if (!muted) {
        faults_.record(Fault{reason, r.id, t});
    }
    return Stream::Result::Refused;
}

std::uint32_t Translator::stamp(const PlanHead& plan, const Requester& r) const
{
    return all_.load(std::memory_order_relaxed) +
           r.changes.load(std::memory_order_relaxed) +
           domains_[plan.domain_slot].load(std::memory_order_relaxed) +
           pasids_[plan.pasid_slot].load(std::memory_order_relaxed);
}

bool Translator::current(const PlanHead& plan, const Requester& r) const
{
    return plan.valid && plan.stamp == stamp(plan, r);
}

Published<Plan>& Translator::slot_of(const Requester& r, Substream substream)
{
    if (!substream.present) {
        return r.plan;
    }
    const auto key = static_cast<std::uint32_t>(r.id) * 0x9e37u + substream.value;
    return pasid_plans_[key % pasid_plans_.size()];
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
    plan.requester = static_cast<std::uint32_t>(r.id);
    if (substream.present) {
        plan.pasid = substream.value;
    }
    plan.head.valid = true;
    plan.head.domain_slot = static_cast<std::uint16_t>(plan.domain % domain_slots);
    plan.head.pasid_slot = static_cast<std::uint16_t>(plan.pasid % pasid_slots);
    plan.head.stamp = stamp(plan.head, r);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (epoch_.load(std::memory_order_seq_cst) == epoch) {
        static_cast<void>(slot.try_publish(plan));
    }
    return plan;
}

}  // namespace iommu::vtd
