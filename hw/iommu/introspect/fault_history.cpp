// SPDX-License-Identifier: GPL-2.0-or-later
#include "iommu/fault_history.hpp"

#include <time.h>

namespace iommu {

namespace {

// To the host's tick: a refusal should not have to wait for the clock.
std::int64_t time_of_day()
{
#ifdef CLOCK_REALTIME_COARSE
    constexpr auto clock = CLOCK_REALTIME_COARSE;
#else
    constexpr auto clock = CLOCK_REALTIME;
#endif
    timespec now{};
    clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void FaultHistory::set_action(Action action)
{
    const std::lock_guard guard(lock_);
    action_ = action;
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

void FaultHistory::count(const RefusedNote& n)
{
    ++by_event_[n.event % by_event_.size()];
    if (count_ == nullptr || counted_ != n.requester) {
        const auto known = by_requester_.find(n.requester);
        if (known == by_requester_.end() && by_requester_.size() >= sources) {
            ++uncounted_;
            return;
        }
        counted_ = n.requester;
        count_ = &by_requester_[n.requester];
    }
    ++*count_;
}

std::uint64_t FaultHistory::note(const RefusedNote& n)
{
    if (off()) {
        return no_note;
    }
    bool stop = false;
    std::uint64_t serial = 0;
    {
        const std::lock_guard guard(lock_);
        if (notes_.size() < kept) {
            notes_.push_back(n);
        } else {
            notes_[total_ % kept] = n;
        }
        auto& slot = notes_[total_ % kept];
        slot.last = n.access.address;
        slot.serial = serial = total_;
        slot.wall_ns = time_of_day();
        slot.virtual_ns = watch_.virtual_time ? watch_.virtual_time(watch_.opaque) : 0;
        ++total_;
        count(n);
        stop = action_ == Action::Stop && watch_.stop && matches(n);
        stops_ += stop;
    }
    if (stop) {
        watch_.stop(watch_.opaque);
    }
    return serial;
}

FaultHistory::Look FaultHistory::look() const
{
    const std::lock_guard guard(lock_);
    Look out{total_, stops_, uncounted_, by_requester_, {}, {}};
    for (unsigned event = 0; event < by_event_.size(); ++event) {
        if (by_event_[event] != 0) {
            out.by_event[event] = by_event_[event];
        }
    }
    const auto count = notes_.size();
    for (std::size_t i = 0; i < count; ++i) {
        auto& note = out.notes.emplace_back(notes_[(total_ - count + i) % kept]);
        note.last = end(note);
    }
    return out;
}

}  // namespace iommu
