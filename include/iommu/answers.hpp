// SPDX-License-Identifier: GPL-2.0-or-later
// A stream's last answers, kept where QEMU's side finds them without a call.
//
//   wi_stream_translate --> line of the page: epoch still current? --> answer
//                                     | no
//                                     +--> Stream::translate --> remember
//
// Nothing here knows what an invalidation reaches: the device's epoch moves on with each
// register write and before each command that lets software rely on the ones before it,
// and every answer older than that is dead.  What is kept longer is the TLB's business.
//
// An answer holds for the kind of access that earned it: that a page was read says
// nothing of the dirty flag a write would have to set (VT-d 3.6.2, SMMU 3.13).
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "iommu/capi.h"
#include "iommu/transaction.hpp"

namespace iommu {

class Epoch {
public:
    const std::uint64_t* address() const { return &value_; }
    std::uint64_t now() const { return __atomic_load_n(&value_, __ATOMIC_ACQUIRE); }

    // One caller at a time, after what it announces has been done.
    void advance() { __atomic_store_n(&value_, value_ + 1, __ATOMIC_RELEASE); }

private:
    alignas(64) std::uint64_t value_ =
        1;  // never 0, so that an empty line is never current
};

class Answers : public ::WiStream {
public:
    enum class Kept : std::uint8_t { No, Yes };

    Answers(const Epoch& clock, Kept kept)
        : ::WiStream{nullptr, clock.address()},
          lines_(std::make_unique<WiAnswer[]>(WI_ANSWERS)), kept_(kept)
    {
        answers = lines_.get();
    }

    // `begun`: the epoch before the translation was looked for.  One answer in four is
    // kept: a page that is used again is soon among them, and one that is not costs
    // little.
    void remember(std::uint64_t begun, const Transaction& access,
                  const Translation& found)
    {
        const auto turn = turn_.load(std::memory_order_relaxed);
        turn_.store(turn + 1, std::memory_order_relaxed);
        if (kept_ == Kept::No || turn % 4 != 0 || found.mask < page_mask) {
            return;
        }
        auto& line = lines_[access.address.value >> 12 & (WI_ANSWERS - 1)];
        auto version = __atomic_load_n(&line.version, __ATOMIC_RELAXED);
        if (version == WI_ANSWER_BUSY ||
            !__atomic_compare_exchange_n(&line.version, &version, WI_ANSWER_BUSY, false,
                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return;  // another thread is at it
        }
        std::atomic_thread_fence(std::memory_order_release);
        const auto input = access.address.value & ~page_mask;
        const auto size = static_cast<unsigned>(std::bit_width(found.mask));
        std::uint64_t output = (found.output.value & ~page_mask) | std::min(size, 63u);
        output |= found.read ? WI_ANSWER_READ : 0;
        output |= found.write ? WI_ANSWER_WRITE : 0;
        output |= access.access == Access::Write ? WI_ANSWER_WRITTEN : WI_ANSWER_WAS_READ;
        if (version >> 16 == begun && line.input == input) {
            output |= line.output & (WI_ANSWER_WRITTEN | WI_ANSWER_WAS_READ);
        }
        __atomic_store_n(&line.input, input, __ATOMIC_RELAXED);
        __atomic_store_n(&line.output, output, __ATOMIC_RELAXED);
        __atomic_store_n(&line.version, begun << 16 | ((version + 1) & 0xffff),
                         __ATOMIC_RELEASE);
    }

private:
    static constexpr std::uint64_t page_mask = 0xfff;

    std::unique_ptr<WiAnswer[]> lines_;
    std::atomic<std::uint32_t> turn_{0};
    const Kept kept_;
};

}  // namespace iommu
