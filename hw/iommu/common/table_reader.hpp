// SPDX-License-Identifier: GPL-2.0-or-later
// Reads table entries of one access: the RAM region found for the first entry serves the
// others as well, so a walk through RAM costs little more than its loads.
#pragma once

#include <cstdint>

#include "iommu/expected.hpp"
#include "iommu/memory.hpp"

namespace iommu {

// Lives no longer than one access: a host pointer is usable until that ends.
class TableReader {
public:
    // Where a read found nobody.
    struct Abort {
        Gpa at{};
    };

    explicit TableReader(GuestMemory& memory) : memory_(memory) {}

    // `at` is aligned to 8 bytes.
    Expected<std::uint64_t, Abort> operator()(Gpa at)
    {
        const auto offset = at.value - region_.base.value;
        if (offset < region_.size && region_.size - offset >= 8) [[likely]] {
            return __atomic_load_n(
                reinterpret_cast<const std::uint64_t*>(region_.host + offset),
                __ATOMIC_ACQUIRE);
        }
        return read_elsewhere(at);
    }

    // As GuestMemory::compare_exchange64.
    Expected<bool, Abort> update(Gpa at, std::uint64_t& expected, std::uint64_t desired)
    {
        const auto stored = memory_.compare_exchange64(at, expected, desired);
        if (!stored) {
            return Unexpected{Abort{at}};
        }
        return *stored;
    }

    GuestMemory& memory() { return memory_; }

private:
    Expected<std::uint64_t, Abort> read_elsewhere(Gpa at)
    {
        region_ = memory_.ram().region(at);
        const auto value = memory_.read64(at);
        if (!value) {
            return Unexpected{Abort{at}};
        }
        return *value;
    }

    GuestMemory& memory_;
    RamRegion region_{};
};

}  // namespace iommu
