// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/misc/dma/ats.hpp"

#include <algorithm>

namespace iommu::dma {

namespace {

// Each further one was overtaken by an invalidation.
constexpr unsigned attempts = 1024;

BusAccess at(const BusAccess& access, const Transaction& translated)
{
    return {translated, access.size};
}

}  // namespace

void Atc::invalidate(Substream whose, bool any, Iova base, std::uint64_t bytes)
{
    const std::lock_guard guard(lock_);
    const auto first = bytes == 0 ? 0 : base.value & ~unit_mask_;
    const auto last =
        bytes == 0 ? ~std::uint64_t{0} : (base.value + (bytes - 1)) | unit_mask_;
    for (auto& e : entries_) {
        const bool meant = any ? e.substream.present : e.substream == whose;
        if (meant && e.input <= last && (e.input | e.mask) >= first) {
            e.valid = false;
        }
    }
    ++generation_;
    ++invalidations_;
}

void Atc::clear()
{
    const std::lock_guard guard(lock_);
    entries_ = {};
    ++generation_;
    requests_ = invalidations_ = 0;
}

Atc::Counts Atc::counts() const
{
    const std::lock_guard guard(lock_);
    const auto valid = std::count_if(entries_.begin(), entries_.end(),
                                     [](const Entry& e) { return e.valid; });
    return {static_cast<std::uint32_t>(valid), requests_, invalidations_};
}

void Atc::set_unit(unsigned log2_pages)
{
    const std::lock_guard guard(lock_);
    unit_mask_ = (std::uint64_t{page} << log2_pages) - 1;
}

Atc::Ticket Atc::ticket() const
{
    const std::lock_guard guard(lock_);
    return {generation_};
}

void Atc::count_request()
{
    const std::lock_guard guard(lock_);
    ++requests_;
}

std::optional<Gpa> Atc::find(const Transaction& t) const
{
    const std::lock_guard guard(lock_);
    for (const auto& e : entries_) {
        if (e.valid && e.input == (t.address.value & ~e.mask) &&
            e.substream == t.substream && e.privilege == t.privilege &&
            (t.access == Access::Write ? e.write : e.read)) {
            return Gpa{e.output | (t.address.value & e.mask)};
        }
    }
    return std::nullopt;
}

bool Atc::insert(Ticket ticket, const Transaction& t, const Translation& found)
{
    const std::lock_guard guard(lock_);
    if (found.mask < unit_mask_) {
        return false;
    }
    if (generation_ == ticket.invalidations) {
        // What is known of the page is replaced, not added to.
        auto place = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
            return e.valid && e.input == (t.address.value & ~e.mask) &&
                   e.substream == t.substream && e.privilege == t.privilege;
        });
        if (place == entries_.end()) {
            place = entries_.begin() + next_;
            next_ = (next_ + 1) % size;
        }
        *place = {true,
                  found.read,
                  found.write,
                  t.privilege,
                  t.substream,
                  t.address.value & ~found.mask,
                  found.output.value & ~found.mask,
                  found.mask};
    }
    return true;
}

AtsBus::Way AtsBus::translate(const Transaction& t, Atc::Ticket ticket,
                              Transaction& translated)
{
    translated = t;
    if (addressing_ == Addressing::Forged) {
        translated.address = t.address;
    } else if (const auto known = atc_.find(t)) {
        translated.address = Iova{known->value};
    } else {
        atc_.count_request();
        const auto answer = port_.request(t);
        const auto& found = answer.translation;
        const bool allowed = t.access == Access::Write ? found.write : found.read;
        if (answer.status != AtsStatus::Success || !allowed) {
            return Way::Abort;
        }
        if (answer.untranslated_only) {
            return Way::Plain;
        }
        if (!atc_.insert(ticket, t, found)) {
            return Way::Abort;
        }
        translated.address = Iova{found.output.value};
    }
    return port_.admit(translated) ? Way::Translated : Way::Abort;
}

MemoryResult AtsBus::transfer(const BusAccess& access, std::byte* data)
{
    if (addressing_ == Addressing::Plain) {
        return plain_.transfer(access, data);
    }
    for (unsigned left = attempts; left > 0; --left) {
        const auto ticket = atc_.ticket();
        Transaction translated;
        const auto way = translate(access.transaction, ticket, translated);
        if (way != Way::Translated) {
            return way == Way::Plain ? plain_.transfer(access, data)
                                     : MemoryResult::Abort;
        }
        // Memory is reached before an invalidation completes, or not at all.
        {
            const auto held = atc_.hold();
            if (atc_.overtaken(ticket)) {
                continue;
            }
            if (port_.move_ram(at(access, translated), data)) {
                return MemoryResult::Ok;
            }
        }
        // A device's register: to wait for its lock with ours held is not possible.
        return port_.move(at(access, translated), data);
    }
    return MemoryResult::Abort;
}

void* AtsBus::pin(const BusAccess& access)
{
    if (addressing_ == Addressing::Plain) {
        return plain_.pin(access);
    }
    auto reads = access.transaction;
    reads.access = Access::Read;
    for (unsigned left = attempts; left > 0; --left) {
        const auto ticket = atc_.ticket();
        Transaction translated;
        // An atomic reads and writes: both must be allowed.
        auto way = translate(access.transaction, ticket, translated);
        if (way == Way::Translated) {
            Transaction ignored;
            way = translate(reads, ticket, ignored);
        }
        if (way != Way::Translated) {
            return way == Way::Plain ? plain_.pin(access) : nullptr;
        }
        auto held = atc_.hold();
        if (atc_.overtaken(ticket)) {
            continue;
        }
        const auto there = at(access, translated);
        void* found = port_.pin_ram(there);
        if (found) {
            pinning_ = std::move(held);
            pinned_ = there;
        }
        return found;
    }
    return nullptr;
}

void AtsBus::unpin(const BusAccess& access, void* pinned)
{
    if (!pinned_) {
        plain_.unpin(access, pinned);
        return;
    }
    port_.unpin_ram(*pinned_, pinned);
    pinned_.reset();
    pinning_.unlock();
}

}  // namespace iommu::dma
