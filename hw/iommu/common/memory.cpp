// SPDX-License-Identifier: GPL-2.0-or-later
#include "iommu/memory.hpp"

#include <algorithm>

namespace iommu {

void RamMap::assign(std::span<const RamRegion> regions)
{
    const auto n = std::min(regions.size(), capacity);
    const auto before = sequence_.load(std::memory_order_relaxed);
    sequence_.store(before + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    for (std::size_t i = 0; i < n; ++i) {
        slots_[i].base.store(regions[i].base.value, std::memory_order_relaxed);
        slots_[i].size.store(regions[i].size, std::memory_order_relaxed);
        slots_[i].host.store(regions[i].host, std::memory_order_relaxed);
        slots_[i].writable.store(regions[i].writable, std::memory_order_relaxed);
    }
    count_.store(static_cast<std::uint32_t>(n), std::memory_order_relaxed);
    sequence_.store(before + 2, std::memory_order_release);
}

RamRegion RamMap::region(Gpa at) const
{
    for (;;) {
        const auto before = sequence_.load(std::memory_order_acquire);
        RamRegion found{};
        const auto n = count_.load(std::memory_order_relaxed);
        for (std::uint32_t i = 0; i < n; ++i) {
            const auto base = slots_[i].base.load(std::memory_order_relaxed);
            const auto size = slots_[i].size.load(std::memory_order_relaxed);
            if (at.value - base < size) {
                found = {Gpa{base}, size, slots_[i].host.load(std::memory_order_relaxed),
                         slots_[i].writable.load(std::memory_order_relaxed)};
                break;
            }
        }
        std::atomic_thread_fence(std::memory_order_acquire);
        if ((before & 1) == 0 && sequence_.load(std::memory_order_relaxed) == before) {
            return found;
        }
    }
}

std::byte* RamMap::find(Gpa at, std::uint64_t size, bool for_write) const
{
    for (;;) {
        const auto before = sequence_.load(std::memory_order_acquire);
        std::byte* found = nullptr;
        const auto n = count_.load(std::memory_order_relaxed);
        for (std::uint32_t i = 0; i < n; ++i) {
            const auto offset = at.value - slots_[i].base.load(std::memory_order_relaxed);
            const auto length = slots_[i].size.load(std::memory_order_relaxed);
            if (offset < length && size <= length - offset) {
                const bool usable =
                    !for_write || slots_[i].writable.load(std::memory_order_relaxed);
                found = usable ? slots_[i].host.load(std::memory_order_relaxed) + offset
                               : nullptr;
                break;
            }
        }
        std::atomic_thread_fence(std::memory_order_acquire);
        if ((before & 1) == 0 && sequence_.load(std::memory_order_relaxed) == before) {
            return found;
        }
    }
}

Expected<std::uint64_t, MemoryAbort> GuestMemory::read64(Gpa at)
{
    if (const auto* p = ram_.find(at, 8); p && at.value % 8 == 0) {
        return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(p),
                               __ATOMIC_ACQUIRE);
    }
    std::uint64_t value = 0;
    if (host_.read(at, std::as_writable_bytes(std::span(&value, 1))) !=
        MemoryResult::Ok) {
        return Unexpected{MemoryAbort{}};
    }
    return value;
}

MemoryResult GuestMemory::write64(Gpa at, std::uint64_t value)
{
    if (auto* p = ram_.find_writable(at, 8); p && at.value % 8 == 0) {
        __atomic_store_n(reinterpret_cast<std::uint64_t*>(p), value, __ATOMIC_RELEASE);
        host_.mark_dirty(at, 8);
        return MemoryResult::Ok;
    }
    return host_.write(at, std::as_bytes(std::span(&value, 1)));
}

MemoryResult GuestMemory::read(Gpa at, std::span<std::byte> to)
{
    const auto* p = ram_.find(at, to.size());
    if (!p) {
        return host_.read(at, to);
    }
    if (at.value % 8 != 0 || to.size() % 8 != 0) {
        std::memcpy(to.data(), p, to.size());
        return MemoryResult::Ok;
    }
    for (std::size_t i = 0; i < to.size(); i += 8) {
        const auto word = __atomic_load_n(reinterpret_cast<const std::uint64_t*>(p + i),
                                          __ATOMIC_ACQUIRE);
        std::memcpy(to.data() + i, &word, 8);
    }
    return MemoryResult::Ok;
}

MemoryResult GuestMemory::write(Gpa at, std::span<const std::byte> from)
{
    auto* p = ram_.find_writable(at, from.size());
    if (!p) {
        return host_.write(at, from);
    }
    std::memcpy(p, from.data(), from.size());
    host_.mark_dirty(at, from.size());
    return MemoryResult::Ok;
}

Expected<bool, MemoryAbort>
GuestMemory::compare_exchange64(Gpa at, std::uint64_t& expected, std::uint64_t desired)
{
    if (updates_ == Updates::Pretended) {
        return true;
    }
    auto* p = ram_.find_writable(at, 8);
    if (!p || at.value % 8 != 0) {
        bool stored = false;
        if (host_.compare_exchange64(at, expected, desired, stored) != MemoryResult::Ok) {
            return Unexpected{MemoryAbort{}};
        }
        return stored;
    }
    const bool stored =
        __atomic_compare_exchange_n(reinterpret_cast<std::uint64_t*>(p), &expected,
                                    desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    if (stored) {
        host_.mark_dirty(at, 8);
    }
    return stored;
}

}  // namespace iommu
