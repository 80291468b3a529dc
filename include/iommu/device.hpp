// SPDX-License-Identifier: GPL-2.0-or-later
// What SMMUv3 and VT-d have in common as seen from the outside: registers, streams,
// state.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "iommu/answers.hpp"
#include "iommu/fault_history.hpp"
#include "iommu/host.hpp"
#include "iommu/memory.hpp"
#include "iommu/transaction.hpp"

namespace iommu {

// One requester (an SMMU StreamID, a VT-d source-id).  Created once, lives as long as its
// device; the caller keeps the pointer, so a translation starts without a lookup.
class Stream : public Answers {
public:
    enum class Result : std::uint8_t { Ok, Refused };

    // Any thread, no lock on a hit, no allocation.  Refused: whatever had to be recorded
    // has been recorded, once.
    virtual Result translate(const Transaction& access, Translation& out) = 0;

    // PCIe 10.1, ATS.  A translation request (AT 01b): a write asks for the right to
    // write as well, as a request with No Write clear does.  A device without ATS
    // supports none.
    virtual AtsCompletion request_translation(const Transaction&)
    {
        return {.status = AtsStatus::UnsupportedRequest};
    }
    // A translated request (AT 10b): may it go to the system address it names?
    virtual Result admit_translated(const Transaction&) { return Result::Refused; }

    // True while every access of this stream, whatever its attributes, passes through
    // unchanged.
    virtual bool bypassed() const = 0;

    // From now on invalidations that reach this stream are passed to Host::unmapped
    // (vhost).
    virtual void want_unmaps(bool wanted) = 0;

    // From now on Host::mapping_changed keeps a copy of what this stream's tables map up
    // to date (vfio).  Asked for only where Device::refuse_mappings() has no objection.
    virtual void want_mappings(bool) {}
    // Gives every block of the copy to `take`, then brings the copy up to date.
    using TakeBlock = void (*)(void* opaque, const MappedBlock& block);
    virtual void replay_mappings(TakeBlock, void*) {}

    StreamCookie cookie() const { return cookie_; }

protected:
    Stream(StreamCookie cookie, const Epoch& clock, Kept kept)
        : Answers(clock, kept), cookie_(cookie)
    {
    }
    ~Stream() = default;

private:
    StreamCookie cookie_;
};

class Device {
public:
    virtual ~Device() = default;

    // One caller at a time (the host's device lock).  `size` is 4 or 8, `offset`
    // naturally aligned; anything else reads 0 and is ignored.  Writes may send
    // interrupts and notifications.
    virtual std::uint64_t mmio_read(std::uint64_t offset, unsigned size) = 0;
    virtual void mmio_write(std::uint64_t offset, unsigned size, std::uint64_t value) = 0;
    virtual void reset() = 0;

    // Any thread.  The stream of requester `id`; the same id gives the same stream.
    // nullptr when the id has more bits than the device was built for.
    virtual Stream* stream(std::uint32_t id, StreamCookie cookie) = 0;

    // Architectural state (registers, pending errors), versioned.  Caches are not state.
    virtual std::vector<std::byte> save() const = 0;
    // nullptr on success, else one line saying what is wrong; then nothing has changed.
    virtual const char* load(std::span<const std::byte> state) = 0;

    virtual GuestMemory& memory() = 0;

    // nullptr, or one line: why the device cannot say what its guest maps, or has no use
    // for a function's own translation cache, and what to do about it.
    virtual const char* refuse_mappings() const = 0;
    virtual const char* refuse_device_tlbs() const = 0;

    // A question about the device, docs/specs/introspection.rst, which changes nothing.
    // Under the device lock.  True: `answer` is JSON; false: one line that says what is
    // wrong.
    virtual bool ask(std::string_view topic, std::string_view arguments,
                     std::string& answer) = 0;
    // What introspection does on its own: fault-action, fault-filter.  Empty, or one line
    // that says what is wrong; then nothing has changed.
    virtual std::string adjust(std::string_view option, std::string_view value) = 0;
    FaultHistory& history() { return history_; }

    // Moves on when an answer given before may no longer hold: after each register write
    // (the C interface sees to that), and before software is told that commands
    // completed.
    Epoch& epoch() { return epoch_; }

protected:
    // Does a register answer?  Masked: a division takes longer than the rest of a
    // doorbell's way to its queue.
    static constexpr bool answers_to(std::uint64_t offset, unsigned size)
    {
        return (size == 4 || size == 8) && (offset & (size - 1)) == 0;
    }

private:
    FaultHistory history_;
    Epoch epoch_;
};

}  // namespace iommu
