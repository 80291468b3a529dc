// SPDX-License-Identifier: GPL-2.0-or-later
// Guest memory as the devices read it: RAM through host pointers, the rest through the
// Host.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "iommu/address.hpp"
#include "iommu/expected.hpp"
#include "iommu/host.hpp"

namespace iommu {

static_assert(std::endian::native == std::endian::little,
              "guest structures are little-endian");

struct RamRegion {
    Gpa base{};
    std::uint64_t size = 0;
    std::byte* host = nullptr;
    bool writable = true;
};

// The machine's RAM as a few contiguous regions.  One writer; readers on any thread take
// no lock: a sequence number tells them when to look again.  A host pointer that was
// found stays usable until the caller's current access ends: the host frees RAM only
// after a grace period.
class RamMap {
public:
    static constexpr std::size_t capacity = 32;

    // Regions beyond `capacity` are left out: they are then reached through Host::read.
    void assign(std::span<const RamRegion> regions);

    // Host pointer for [at, at + size), or nullptr when it is not all in one region.
    std::byte* find(Gpa at, std::uint64_t size) const { return find(at, size, false); }
    std::byte* find_writable(Gpa at, std::uint64_t size) const
    {
        return find(at, size, true);
    }

    // The region `at` lies in, or an empty one.
    RamRegion region(Gpa at) const;

    // Changes whenever the map does; a pointer kept across calls is checked against it.
    std::uint32_t generation() const { return sequence_.load(std::memory_order_acquire); }

private:
    struct Slot {
        std::atomic<std::uint64_t> base{0};
        std::atomic<std::uint64_t> size{0};
        std::atomic<std::byte*> host{nullptr};
        std::atomic<bool> writable{false};
    };
    std::byte* find(Gpa at, std::uint64_t size, bool for_write) const;

    std::atomic<std::uint32_t> sequence_{0};  // odd while a writer is at work
    std::atomic<std::uint32_t> count_{0};
    std::array<Slot, capacity> slots_{};
};

struct MemoryAbort {};  // the read or write found nobody, or an error: an external abort

class GuestMemory {
public:
    // Pretended: an update in place succeeds and changes nothing, for who only looks.
    enum class Updates : std::uint8_t { Made, Pretended };

    explicit GuestMemory(Host& host, Updates updates = Updates::Made)
        : host_(host), updates_(updates)
    {
    }

    RamMap& ram() { return ram_; }
    const RamMap& ram() const { return ram_; }
    Host& host() { return host_; }

    // Single-copy atomic, as the manuals require of descriptor fetches (SMMU 3.21.3).
    Expected<std::uint64_t, MemoryAbort> read64(Gpa at);
    MemoryResult write64(Gpa at, std::uint64_t value);

    // Any size; not atomic as a whole, each aligned doubleword is.
    MemoryResult read(Gpa at, std::span<std::byte> to);
    MemoryResult write(Gpa at, std::span<const std::byte> from);

    // Atomic against the vCPUs.  True: `desired` is in memory.  False: `expected` was not
    // what stood there, and now holds what did.  Not RAM: the host's, which as a rule
    // is an abort, since nobody can update it atomically.
    Expected<bool, MemoryAbort> compare_exchange64(Gpa at, std::uint64_t& expected,
                                                   std::uint64_t desired);

    // A structure of N doublewords, such as a Descriptor's.
    template <typename T>
    Expected<T, MemoryAbort> fetch(Gpa at)
    {
        T out{};
        auto bytes = std::as_writable_bytes(std::span(out.dword));
        if (read(at, bytes) != MemoryResult::Ok) {
            return Unexpected{MemoryAbort{}};
        }
        return out;
    }

private:
    Host& host_;
    RamMap ram_;
    const Updates updates_;
};

}  // namespace iommu
