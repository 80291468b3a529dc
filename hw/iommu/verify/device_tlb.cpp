// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/verify/device_tlb.hpp"

#include <algorithm>

namespace iommu::verify {

void DeviceTlbs::keep(const Entry& entry)
{
    const auto same = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
        return e.subject.requester == entry.subject.requester &&
               e.subject.substream == entry.subject.substream &&
               e.subject.first == entry.subject.first && e.mask == entry.mask &&
               e.privilege == entry.privilege;
    });
    if (same != entries_.end()) {
        *same = entry;
    } else if (entries_.size() < most) {
        entries_.push_back(entry);
    } else {
        complete_ = false;
    }
}

bool DeviceTlbs::find(std::uint32_t requester, const Transaction& used,
                      std::vector<Entry>& found) const
{
    const auto substream = used.substream.present ? used.substream.value : Subject::none;
    for (const auto& e : entries_) {
        if (e.subject.requester == requester && e.subject.substream == substream &&
            e.privilege == used.privilege && e.output == (used.address.value & ~e.mask) &&
            (used.access == Access::Write ? e.write : e.read)) {
            found.push_back(e);
        }
    }
    return complete_;
}

}  // namespace iommu::verify
