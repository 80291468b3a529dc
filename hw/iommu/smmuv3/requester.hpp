// SPDX-License-Identifier: GPL-2.0-or-later
// One StreamID as its device sees it.
#pragma once

#include <atomic>

#include "hw/iommu/common/pieces.hpp"
#include "hw/iommu/smmuv3/device.hpp"

namespace iommu::smmu {

class Smmuv3::Requester final : public Stream {
public:
    Requester(Smmuv3& smmu, StreamId id, StreamCookie cookie)
        : Stream(cookie, smmu.epoch(),
                 smmu.configuration_.capabilities.tlb ? Kept::Yes : Kept::No),
          smmu_(smmu), entry_(id), id_(id)
    {
    }

    Result translate(const Transaction& access, Translation& out) override
    {
        Translator::Refusal refusal;
        std::uint64_t said = 0;
        bool further = false;
        const auto kind = smmu_.engine_.translate(entry_, access, out, refusal, [&] {
            said = smmu_.said_so_far();
            further = RefusedPieces::stand(this, access, said, smmu_.memory_.ram());
            return further;
        });
        if (kind != Outcome::Kind::Aborted) [[likely]] {
            return Result::Ok;
        }
        return refuse(access, said, refusal, further);
    }
    bool bypassed() const override { return smmu_.engine_.bypassed(entry_); }
    void want_unmaps(bool wanted) override;

    std::uint32_t id() const { return static_cast<std::uint32_t>(id_); }
    const StreamEntry& entry() const { return entry_; }
    bool wants_unmaps() const { return wants_unmaps_; }

    // What passes now may differ from what passed when the host was last told.
    void configuration_changed();
    // Just created: there is nothing to tell the host yet.
    void look_first();

private:
    enum class Seen : std::uint8_t { Unknown, Bypassed, NotBypassed };
    // One transaction is refused once, however many pieces it comes in: `further`, or
    // told by the ones before.  Apart, so that a hit is the same code whatever hangs on
    // to this.
    [[gnu::noinline]] Result refuse(const Transaction& access, std::uint64_t said,
                                    const Translator::Refusal& refusal, bool further)
    {
        if (further || RefusedPieces::continues(this, access, said, refusal.grounds)) {
            if (hooks) {
                smmu_.history().extend(RefusedPieces::note(), access.address);
            }
            return Result::Refused;
        }
        tell(access, refusal.record);
        return Result::Refused;
    }
    // Of an access that was refused.
    [[gnu::noinline]] void tell(const Transaction& access,
                                const std::optional<Fault>& fault)
    {
        if (fault) {
            smmu_.record(*fault);
        }
        if (hooks) {
            RefusedPieces::set_note(
                smmu_.note_refusal(id_, access, fault ? &*fault : nullptr));
        }
    }
    Seen look() const { return bypassed() ? Seen::Bypassed : Seen::NotBypassed; }

    Smmuv3& smmu_;
    StreamEntry entry_;
    const StreamId id_;
    std::atomic<bool> wants_unmaps_{false};
    std::atomic<Seen> last_seen_{Seen::Unknown};
};

}  // namespace iommu::smmu
