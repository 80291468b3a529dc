// SPDX-License-Identifier: GPL-2.0-or-later
#include "iommu/fault_history.hpp"

#include <chrono>

namespace iommu {

void FaultHistory::set_action(Action action)
{
    const std::lock_guard guard(lock_);
    action_ = action;
}

FaultHistory::Action FaultHistory::action() const
{
    const std::lock_guard guard(lock_);
    return action_;
}

void FaultHistory::set_filter(const Filter& filter)
{
    const std::lock_guard guard(lock_);
    filter_ = filter;
}

std::string FaultHistory::filter() const
{
    const std::lock_guard guard(lock_);
    return filter_.text;
}

bool FaultHistory::matches(const RefusedNote& n) const
{
    const auto& f = filter_;
    const auto address = n.access.address.value;
    return (!f.requester || *f.requester == n.requester) &&
           (!f.pasid ||
            (n.access.substream.present && n.access.substream.value == *f.pasid)) &&
           f.first <= address && address <= f.last && (!f.event || *f.event == n.event) &&
           (!f.access || *f.access == n.access.access);
}

Iova FaultHistory::end(const RefusedNote& note) const
{
    const auto end = ends_[note.serial % kept].load(std::memory_order_relaxed);
    constexpr std::uint64_t inside = (1u << page_shift) - 1;
    return end >> page_shift == note.serial + 1
               ? Iova{(note.access.address.value & ~inside) | (end & inside)}
               : note.last;
}

std::uint64_t FaultHistory::note(RefusedNote n)
{
    bool stop = false;
    {
        const std::lock_guard guard(lock_);
        n.last = n.access.address;
        n.serial = total_;
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        n.wall_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
        n.virtual_ns = watch_.virtual_time ? watch_.virtual_time(watch_.opaque) : 0;
        if (notes_.size() < kept) {
            notes_.push_back(n);
        } else {
            notes_[total_ % kept] = n;
        }
        ++total_;
        ++by_event_[n.event];
        if (by_requester_.size() < sources || by_requester_.count(n.requester) != 0) {
            ++by_requester_[n.requester];
        } else {
            ++uncounted_;
        }
        stop = action_ == Action::Stop && watch_.stop && matches(n);
        stops_ += stop;
    }
    if (stop) {
        watch_.stop(watch_.opaque);
    }
    return n.serial;
}

FaultHistory::Look FaultHistory::look() const
{
    const std::lock_guard guard(lock_);
    Look out{total_, stops_, uncounted_, by_requester_, by_event_, {}};
    const auto count = notes_.size();
    for (std::size_t i = 0; i < count; ++i) {
        auto& note = out.notes.emplace_back(notes_[(total_ - count + i) % kept]);
        note.last = end(note);
    }
    return out;
}

}  // namespace iommu
