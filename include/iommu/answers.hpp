// SPDX-License-Identifier: GPL-2.0-or-later
// A thread's last answers, kept where QEMU's side finds them without a call.
//
//   wi_stream_translate --> the thread's line for the page: epoch current? --> answer
//                                     | no
//                                     +--> Stream::translate --> remember
//
// Nothing here knows what an invalidation reaches: the device's epoch moves on with each
// register write and before each command that lets software rely on the ones before it,
// and every answer older than that is dead.  What is kept longer is the TLB's business.
//
// A translation may come with its neighbours: an IOMMU may fetch and keep translations
// that nobody asked for yet (SMMU 3.17, VT-d 6.2.4), and the first use of a run of pages
// costs two walks instead of sixteen.
//
// An answer holds for the kind of access that earned it: that a page was read says
// nothing of the dirty flag a write would have to set (VT-d 3.6.2, SMMU 3.13).
#pragma once

#include <atomic>
#include <cstdint>

#include "iommu/capi.h"
#include "iommu/transaction.hpp"

namespace iommu {

class Epoch {
public:
    // No epoch is ever another device's, be it long gone.
    Epoch() : value_(first()) {}

    const std::uint64_t* address() const { return &value_; }
    std::uint64_t now() const { return __atomic_load_n(&value_, __ATOMIC_ACQUIRE); }

    // One caller at a time, after what it announces has been done.
    void advance() { __atomic_store_n(&value_, value_ + 1, __ATOMIC_RELEASE); }

private:
    static std::uint64_t first()
    {
        static std::atomic<std::uint64_t> devices{0};
        return (devices.fetch_add(1, std::memory_order_relaxed) << 40) + 1;
    }

    alignas(64) std::uint64_t value_;
};

class Answers : public ::WiStream {
public:
    static constexpr std::uint32_t keeps_nothing = UINT32_MAX;

    enum class Kept : std::uint8_t { No, Yes };

    // How many threads can keep answers at once; the others ask the device each time.
    static constexpr unsigned threads = 16;

    Answers(const Epoch& clock, Kept kept);

    // `begun`: the epoch before the translation was looked for.
    void remember(std::uint64_t begun, const Transaction& access,
                  const Translation& found);

private:
    static constexpr unsigned page_shift = 12, widest_shift = 39;
    unsigned fit_block_size(unsigned log2size);

    // How many answers in a row were of larger blocks than `shift` says.
    std::atomic<std::uint32_t> larger_{0};
};

}  // namespace iommu
