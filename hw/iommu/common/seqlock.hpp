// SPDX-License-Identifier: GPL-2.0-or-later
// A plain value that one thread at a time replaces while others read it without a lock.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace iommu {

template <typename T>
class Published {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 8 == 0);
    static constexpr std::size_t words = sizeof(T) / 8;

public:
    // False: another thread is replacing it right now; nothing was changed.
    bool try_publish(const T& value)
    {
        auto before = sequence_.load(std::memory_order_relaxed);
        if ((before & 1) != 0 || !sequence_.compare_exchange_strong(
                                     before, before + 1, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
            return false;
        }
        std::atomic_thread_fence(std::memory_order_release);
        const auto raw = std::bit_cast<std::array<std::uint64_t, words>>(value);
        for (std::size_t i = 0; i < words; ++i) {
            words_[i].store(raw[i], std::memory_order_relaxed);
        }
        sequence_.store(before + 2, std::memory_order_release);
        return true;
    }

    // False: it was being replaced meanwhile; `out` is then unusable.
    bool try_read(T& out) const { return try_read_prefix(out); }

    // The first sizeof(Prefix) bytes only: T must begin with a Prefix.
    template <typename Prefix>
    bool try_read_prefix(Prefix& out) const
    {
        static_assert(std::is_trivially_copyable_v<Prefix> && sizeof(Prefix) % 8 == 0 &&
                      sizeof(Prefix) <= sizeof(T));
        const auto ticket = begin_read();
        auto* bytes = reinterpret_cast<unsigned char*>(&out);
        for (std::size_t i = 0; i < sizeof(Prefix) / 8; ++i) {
            const auto raw = word(i);
            std::memcpy(bytes + i * 8, &raw, 8);
        }
        return end_read(ticket);
    }

    // The same in steps, for who needs a few words only: what word() gave counts if
    // end_read() says so.
    std::uint64_t begin_read() const { return sequence_.load(std::memory_order_acquire); }
    std::uint64_t word(std::size_t i) const
    {
        return words_[i].load(std::memory_order_relaxed);
    }
    bool end_read(std::uint64_t ticket) const
    {
        std::atomic_thread_fence(std::memory_order_acquire);
        return sequence_.load(std::memory_order_relaxed) == ticket && (ticket & 1) == 0;
    }

private:
    std::atomic<std::uint64_t> sequence_{0};  // odd while being replaced
    std::array<std::atomic<std::uint64_t>, words> words_{};
};

}  // namespace iommu
