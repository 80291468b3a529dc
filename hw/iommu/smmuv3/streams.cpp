// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.2 "Stream numbering": the requesters behind the SMMU, and telling the host what
// changed for them.
#include <algorithm>

#include "hw/iommu/smmuv3/requester.hpp"

namespace iommu::smmu {

void Smmuv3::Requester::want_unmaps(bool wanted)
{
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
}

void Smmuv3::Requester::configuration_changed()
{
    if (wants_unmaps_) {
        smmu_.host_.unmapped(cookie(), Iova{0}, 0);
    }
    if (const bool now = bypassed(); now != last_bypassed_) {
        last_bypassed_ = now;
        smmu_.host_.bypass_changed(cookie());
    }
}

Stream* Smmuv3::stream(std::uint32_t id, StreamCookie cookie)
{
    if (id >> configuration_.capabilities.sid_bits != 0) {
        return nullptr;
    }
    auto& leaf = requesters_[id >> leaf_bits];
    if (!leaf) {
        leaf = std::make_unique<Leaf>(std::size_t{1} << leaf_bits);
    }
    auto& requester = (*leaf)[id & ((1u << leaf_bits) - 1)];
    if (!requester) {
        requester = std::make_unique<Requester>(*this, StreamId{id}, cookie);
        all_requesters_.push_back(requester.get());
    }
    return requester.get();
}

Smmuv3::Requester* Smmuv3::find(std::uint32_t id) const
{
    if (id >> configuration_.capabilities.sid_bits != 0) {
        return nullptr;
    }
    const auto& leaf = requesters_[id >> leaf_bits];
    return leaf ? (*leaf)[id & ((1u << leaf_bits) - 1)].get() : nullptr;
}

// Translations are tagged by VMID and ASID, not by stream: every listener is told, a
// superset of what is gone.
void Smmuv3::notify_unmapped(Iova base, std::uint64_t size)
{
    for (const auto* requester : unmap_listeners_) {
        host_.unmapped(requester->cookie(), base, size);
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
    for (auto* requester : all_requesters_) {
        if (requester->id() - first < count && requester->id() >= first) {
            requester->configuration_changed();
        }
    }
}

}  // namespace iommu::smmu
