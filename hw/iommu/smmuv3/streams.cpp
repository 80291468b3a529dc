// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.2 "Stream numbering": the requesters behind the SMMU, and telling the host what
// changed for them.
#include <algorithm>

#include "hw/iommu/smmuv3/requester.hpp"

namespace iommu::smmu {

void Smmuv3::Requester::want_unmaps(bool wanted)
{
    const std::lock_guard lock(smmu_.streams_);
    if (wanted == wants_unmaps_) {
        return;
    }
    wants_unmaps_ = wanted;
    auto& listeners = smmu_.unmap_listeners_;
    if (wanted) {
        listeners.push_back(this);
    } else {
        listeners.erase(std::find(listeners.begin(), listeners.end(), this));
    }
    smmu_.anyone_listens_ = !listeners.empty();
}

void Smmuv3::Requester::configuration_changed()
{
    if (wants_unmaps_) {
        smmu_.host_.unmapped(cookie(), Iova{0}, 0);
    }
    const auto now = look();
    if (last_seen_.exchange(now) != now) {
        smmu_.host_.bypass_changed(cookie());
    }
}

// Unless a change came first: it has looked, and told.
void Smmuv3::Requester::look_first()
{
    auto unknown = Seen::Unknown;
    last_seen_.compare_exchange_strong(unknown, look());
}

Stream* Smmuv3::stream(std::uint32_t id, StreamCookie cookie)
{
    if (id >> configuration_.capabilities.sid_bits != 0) {
        return nullptr;
    }
    Requester* created = nullptr;
    {
        const std::lock_guard lock(streams_);
        auto& leaf = requesters_[id >> leaf_bits];
        if (!leaf) {
            leaf = std::make_unique<Leaf>(std::size_t{1} << leaf_bits);
        }
        auto& requester = (*leaf)[id & ((1u << leaf_bits) - 1)];
        if (requester) {
            return requester.get();
        }
        requester = std::make_unique<Requester>(*this, StreamId{id}, cookie);
        created = requester.get();
        all_requesters_.push_back(created);
    }
    // Reads tables, perhaps through the host: not with the lock held.
    created->look_first();
    return created;
}

Smmuv3::Requester* Smmuv3::find(std::uint32_t id) const
{
    if (id >> configuration_.capabilities.sid_bits != 0) {
        return nullptr;
    }
    const std::lock_guard lock(streams_);
    const auto& leaf = requesters_[id >> leaf_bits];
    return leaf ? (*leaf)[id & ((1u << leaf_bits) - 1)].get() : nullptr;
}

// Requesters never go away, and a list may grow while the host is being told.
Smmuv3::Requester* Smmuv3::nth(const std::vector<Requester*>& list, std::size_t n) const
{
    const std::lock_guard lock(streams_);
    return n < list.size() ? list[n] : nullptr;
}

// Translations are tagged by VMID and ASID, not by stream: every listener is told, a
// superset of what is gone.
void Smmuv3::notify_unmapped(Iova base, std::uint64_t size)
{
    if (!anyone_listens_.load(std::memory_order_relaxed)) {
        return;
    }
    for (std::size_t n = 0; const auto* listener = nth(unmap_listeners_, n); ++n) {
        host_.unmapped(listener->cookie(), base, size);
    }
}

void Smmuv3::notify_configuration(std::uint32_t first, std::uint64_t count)
{
    if (count == 1) {
        if (auto* requester = find(first)) {
            requester->configuration_changed();
        }
        return;
    }
    for (std::size_t n = 0; auto* requester = nth(all_requesters_, n); ++n) {
        if (requester->id() >= first && requester->id() - first < count) {
            requester->configuration_changed();
        }
    }
}

}  // namespace iommu::smmu
