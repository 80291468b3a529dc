// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 7.2.1 "Primary Fault Logging".
#include "hw/iommu/vtd/fault_log.hpp"

#include <algorithm>

namespace iommu::vtd {

namespace {

constexpr auto pfo = static_cast<std::uint32_t>(FstsReg::PFO.mask);
constexpr auto ppf = static_cast<std::uint32_t>(FstsReg::PPF.mask);
constexpr auto fri = static_cast<std::uint32_t>(FstsReg::FRI.mask);
constexpr auto queue_errors =
    static_cast<std::uint32_t>(FstsReg::IQE.mask | FstsReg::ICE.mask | FstsReg::ITE.mask);
// VT-d 7.3: any of these already set, and a further one is no new interrupt condition.
constexpr auto causes = ppf | queue_errors;

}  // namespace

bool FaultLog::pending(const Words& words) const
{
    return (words[1] & FaultRecord::F.mask) != 0;
}

void FaultLog::append(const Words& words)
{
    if (hooks && observer_ != nullptr) {
        observer_->refused(words);
    }
    std::optional<Message> message;
    {
        const std::lock_guard guard(lock_);
        message = append_locked(words);
    }
    send(message);
}

std::optional<Message> FaultLog::append_locked(const Words& words)
{
    // Nothing is recorded after an overflow until software clears PFO.
    if ((status_ & pfo) != 0) {
        return std::nullopt;
    }
    // A further fault of a source whose first one is still pending is collapsed into it.
    constexpr auto sid = FaultRecord::SID.mask;
    const bool collapsed = std::any_of(records_.begin(), records_.end(), [&](auto& r) {
        return pending(r) && ((r[1] ^ words[1]) & sid) == 0;
    });
    if (collapsed) {
        return std::nullopt;
    }
    if (pending(records_[next_])) {
        status_ |= pfo;
        return std::nullopt;
    }
    records_[next_] = words;
    const bool announced = (status_ & causes) != 0;
    if ((status_ & ppf) == 0) {
        status_ = (status_ & ~fri) | ppf |
                  static_cast<std::uint32_t>(FstsReg::FRI.encode(next_));
    }
    next_ = (next_ + 1) % records_.size();
    return announced ? std::nullopt : event_.raise();
}

void FaultLog::raise(std::uint32_t status)
{
    std::optional<Message> message;
    {
        const std::lock_guard guard(lock_);
        const bool announced = (status_ & causes) != 0;
        status_ |= status & queue_errors;
        message = announced ? std::nullopt : event_.raise();
    }
    send(message);
}

// VT-d 11.4.7.1: PFO, IQE, ICE and ITE are write-1-to-clear, PPF follows the F bits.
void FaultLog::write_status(std::uint32_t value)
{
    const std::lock_guard guard(lock_);
    status_ &= ~(value & (pfo | queue_errors));
    settle();
}

// VT-d 11.4.7.2, field IP: cleared when nothing is left that it announces.
void FaultLog::settle()
{
    if (std::none_of(records_.begin(), records_.end(),
                     [this](auto& r) { return pending(r); })) {
        status_ &= ~(ppf | fri);
    }
    if ((status_ & causes) == 0) {
        event_.withdraw();
    }
}

std::uint32_t FaultLog::read_event(std::uint64_t at) const
{
    const std::lock_guard guard(lock_);
    switch (at) {
    case offset::FECTL_REG:
        return event_.control();
    case offset::FEDATA_REG:
        return event_.data();
    case offset::FEADDR_REG:
        return event_.address();
    default:
        return event_.upper_address();
    }
}

void FaultLog::write_event(std::uint64_t at, std::uint32_t value)
{
    std::optional<Message> message;
    {
        const std::lock_guard guard(lock_);
        switch (at) {
        case offset::FECTL_REG:
            message = event_.write_control(value);
            break;
        case offset::FEDATA_REG:
            event_.write_data(value);
            break;
        case offset::FEADDR_REG:
            event_.write_address(value);
            break;
        default:
            event_.write_upper_address(value);
            break;
        }
    }
    send(message);
}

std::uint64_t FaultLog::read_record(std::size_t index) const
{
    const std::lock_guard guard(lock_);
    return index / 2 < records_.size() ? records_[index / 2][index % 2] : 0;
}

// VT-d 11.4.7.6: F is write-1-to-clear, everything else is read-only.
void FaultLog::write_record(std::size_t index, std::uint64_t value, std::uint64_t mask)
{
    const std::lock_guard guard(lock_);
    if (index / 2 >= records_.size() || index % 2 == 0) {
        return;
    }
    records_[index / 2][1] &= ~(value & mask & FaultRecord::F.mask);
    settle();
}

void FaultLog::reset()
{
    const std::lock_guard guard(lock_);
    std::fill(records_.begin(), records_.end(), Words{});
    next_ = 0;
    status_ = 0;
    event_ = {};
}

FaultLog::State FaultLog::state() const
{
    const std::lock_guard guard(lock_);
    return {status_, static_cast<std::uint32_t>(next_), event_.registers(), records_};
}

bool FaultLog::restore(const State& s)
{
    if (s.records.size() != records_.size() || s.next >= records_.size()) {
        return false;
    }
    const std::lock_guard guard(lock_);
    records_ = s.records;
    next_ = s.next;
    status_ = s.status & (pfo | ppf | queue_errors | fri);
    event_.restore(s.event);
    return true;
}

void FaultLog::send(const std::optional<Message>& message)
{
    if (message) {
        // Nobody to tell when it does not arrive: VT-d 7.3 has no such error.
        static_cast<void>(host_.send_msi(message->address, message->data));
    }
}

}  // namespace iommu::vtd
