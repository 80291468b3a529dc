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

    // `at` is aligned to 8 bytes.  False: nobody is there.
    [[gnu::always_inline]] bool fetch(Gpa at, std::uint64_t& raw)
    {
        const auto offset = at.value - base_;
        if (offset < size_) [[likely]] {
            raw = __atomic_load_n(reinterpret_cast<const std::uint64_t*>(host_ + offset),
                                  __ATOMIC_ACQUIRE);
            return true;
        }
        return fetch_elsewhere(at, raw);
    }
    Expected<std::uint64_t, Abort> operator()(Gpa at)
    {
        std::uint64_t raw = 0;
        if (!fetch(at, raw)) {
            return Unexpected{Abort{at}};
        }
        return raw;
    }
    // Why `fetch` failed.
    static Abort failure(Gpa at) { return {at}; }

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
    [[gnu::noinline]] bool fetch_elsewhere(Gpa at, std::uint64_t& raw)
    {
        const auto found = memory_.ram().region(at);
        base_ = found.base.value;
        // Whole doublewords only, so that one comparison tells.
        size_ = found.size & ~std::uint64_t{7};
        host_ = found.host;
        const auto value = memory_.read64(at);
        if (!value) {
            return false;
        }
        raw = *value;
        return true;
    }

    GuestMemory& memory_;
    std::uint64_t base_ = 0, size_ = 0;
    const std::byte* host_ = nullptr;
};

}  // namespace iommu
