// SPDX-License-Identifier: GPL-2.0-or-later
// One source-id (VT-d 3.4.1) and what is remembered about it.
#pragma once

#include "hw/iommu/vtd/translator.hpp"

namespace iommu::vtd {

class Translator::Requester final : public Stream {
public:
    Requester(Translator& translator, SourceId source, StreamCookie cookie)
        : Stream(cookie, translator.answers_epoch_,
                 translator.configuration_.tlb ? Kept::Yes : Kept::No),
          owner(translator), id(source)
    {
    }

    Result translate(const Transaction& access, Translation& out) override
    {
        if (owner.hit(*this, access, out)) [[likely]] {
            return Result::Ok;
        }
        return owner.translate_slowly(*this, access, out);
    }
    AtsCompletion request_translation(const Transaction& request) override
    {
        return owner.request_translation(*this, request);
    }
    Result admit_translated(const Transaction& request) override
    {
        return owner.admit_translated(*this, request);
    }
    bool bypassed() const override { return owner.bypassed(*this); }
    void want_unmaps(bool wanted) override { owner.want_unmaps(*this, wanted); }

    void want_mappings(bool wanted) override { owner.want_mappings(*this, wanted); }
    void replay_mappings(TakeBlock take, void* opaque) override
    {
        owner.replay_mappings(*this, take, opaque);
    }

    Translator& owner;
    const SourceId id;
    mutable Published<Plan> plan;                // for requests without PASID
    std::atomic<std::uint32_t> changes{0};       // device-selective invalidations
    mutable std::atomic<std::uint8_t> guess{0};  // the block size to look for first
    // What the host was told last; it is told of every change.
    mutable std::atomic<bool> announced{false};
    std::unique_ptr<Shadow> shadow;  // while mappings are wanted
};

inline std::uint32_t Translator::stamp(const Requester& r, unsigned domain_slot,
                                       unsigned pasid_slot) const
{
    return all_.load(std::memory_order_relaxed) +
           r.changes.load(std::memory_order_relaxed) +
           domains_[domain_slot].load(std::memory_order_relaxed) +
           pasids_[pasid_slot].load(std::memory_order_relaxed);
}

// VT-d 3.4.1: without a PASID a request says nothing of privilege (9.4, field RID_PRIV,
// decides) and fetches no instructions.
inline Transaction sanitised(const Transaction& t)
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

// VT-d 3.15 "Handling Requests to Interrupt Address Range": 0xFEEx_xxxx.
constexpr bool is_interrupt_address(std::uint64_t address)
{
    return address >> 20 == 0xfee;
}
// Does the block of that mask around `address` reach into it?
constexpr bool reaches_interrupts(std::uint64_t address, std::uint64_t mask)
{
    return (address ^ 0xfee0'0000) >> 20 <= mask >> 20;
}

// Only what both caches hold and grant; for anything else the long way round is taken.
[[gnu::always_inline]] inline bool
Translator::hit(const Requester& r, const Transaction& access, Translation& out) const
{
    const auto ticket = r.plan.begin_read();
    const PlanHead plan{r.plan.word(0), r.plan.word(1), r.plan.word(2), r.plan.word(3)};
    if (!r.plan.end_read(ticket) || access.substream.present || !current(plan, r))
        [[unlikely]] {
        return false;
    }
    const auto address = access.address.value;
    if (plan.kind() <= PlanKind::PassThrough) {
        const auto mask =
            plan.kind() == PlanKind::Disabled ? ~std::uint64_t{0} : widest();
        out = {Gpa{address}, mask, true, true};
        return address <= mask && !is_interrupt_address(address);
    }
    Tlb::Hit found;
    if (is_interrupt_address(address) ||
        !tlb_.lookup(plan.tag(), address, r.guess, found)) [[unlikely]] {
        return false;
    }
    const auto mask = (std::uint64_t{1} << found.log2size) - 1;
    if (reaches_interrupts(found.output, mask)) [[unlikely]] {
        return false;
    }
    const bool marked = !plan.has(PlanHead::tracks_dirty) || (found.attributes & dirty);
    out.output = Gpa{found.output};
    out.mask = mask;
    const auto privilege =
        plan.has(PlanHead::privileged) ? Privilege::Privileged : Privilege::User;
    if (privilege == Privilege::Privileged && !plan.has(PlanHead::supervisor)) {
        return false;
    }
    const auto granted =
        Rights{static_cast<std::uint8_t>(found.attributes & Rights::every)}.of(privilege);
    out.read = granted.has(Rights::user_read);
    out.write = granted.has(Rights::user_write) && marked;
    return access.access == Access::Write ? out.write : out.read;
}

// Where what is known of the requester, or of one of its address spaces, is kept.
inline Published<Plan>& Translator::slot_of(const Requester& r, Substream substream)
{
    if (!substream.present) {
        return r.plan;
    }
    const auto key = static_cast<std::uint32_t>(r.id) * 0x9e37u + substream.value;
    return pasid_plans_[key % pasid_plans_.size()];
}

}  // namespace iommu::vtd
