// SPDX-License-Identifier: GPL-2.0-or-later
// What functions were told by ATS and may keep (PCIe 10.1, VT-d chapter 4): which of it a
// translated request, which names a system address alone, can have come from.
#pragma once

#include <cstdint>
#include <vector>

#include "hw/iommu/verify/subject.hpp"
#include "iommu/transaction.hpp"

namespace iommu::verify {

class DeviceTlbs {
public:
    struct Entry {
        Subject subject{};  // Cached::DeviceTranslation
        Privilege privilege = Privilege::User;
        std::uint64_t output = 0, mask = 0;
        bool read = false, write = false;
        std::uint64_t leaf_at = 0, leaf = 0;
        std::uint64_t since_ns = 0;

        std::uint64_t input_of(std::uint64_t system) const
        {
            return subject.first | (system & mask);
        }
    };

    // What is known of the same block is replaced, as in the function.
    void keep(const Entry& entry);
    // Entries that allow `used` and lead to its address.  False: some were not kept, so
    // it can have come from another.
    bool find(std::uint32_t requester, const Transaction& used,
              std::vector<Entry>& found) const;
    // Removes what `what` covers, and gives each to `visit`.
    template <typename Visit>
    void invalidate(const Invalidation& what, Visit&& visit)
    {
        std::erase_if(entries_, [&](const Entry& e) {
            const bool covered = what.covers(e.subject);
            if (covered) {
                visit(e);
            }
            return covered;
        });
        complete_ |= entries_.empty();
    }

private:
    static constexpr std::size_t most = 4096;
    std::vector<Entry> entries_;
    bool complete_ = true;
};

}  // namespace iommu::verify
