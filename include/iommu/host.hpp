// SPDX-License-Identifier: GPL-2.0-or-later
// The world as an IOMMU sees it.  QEMU's glue, the unit tests and the fuzzers each supply
// one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "iommu/address.hpp"
#include "iommu/transaction.hpp"

namespace iommu {

enum class MemoryResult : std::uint8_t { Ok, Abort };

// Chosen by whoever creates a stream; handed back with every notification about it.
using StreamCookie = void*;

class Host {
public:
    // Guest memory that is not directly addressable RAM (see RamMap), and every write the
    // host must know of.  Abort: nothing answers there, or it answered with an error.
    virtual MemoryResult read(Gpa from, std::span<std::byte> to) = 0;
    virtual MemoryResult write(Gpa to, std::span<const std::byte> from) = 0;

    // GuestMemory::compare_exchange64 outside RAM.  Nobody there can do it but a host
    // that stands for RAM itself.
    virtual MemoryResult compare_exchange64(Gpa, std::uint64_t& /*expected*/,
                                            std::uint64_t /*desired*/, bool& /*stored*/)
    {
        return MemoryResult::Abort;
    }

    // [at, at + size) of RAM was changed through a host pointer (migration's dirty log).
    virtual void mark_dirty(Gpa at, std::size_t size) = 0;

    // One edge on wired interrupt `line`; the device says which lines it has.
    virtual void pulse(unsigned line) = 0;

    // A memory write of 32 bits that is an interrupt message.  Never remapped by the
    // IOMMU.
    virtual MemoryResult send_msi(Gpa address, std::uint32_t data) = 0;

    // Mappings of [base, base + size - 1] are gone; size 0 means all of the address
    // space.
    virtual void unmapped(StreamCookie stream, Iova base, std::uint64_t size) = 0;

    // Only for streams whose mappings are wanted: the next change to a copy of what the
    // page tables map.  A block is told as gone before another takes its place.
    virtual void mapping_changed(StreamCookie, const MappedBlock&) {}

    // Software invalidated the function's own cache (ATS); `substream` absent: what it
    // holds for requests without PASID; any_substream: whatever it holds.  Size as for
    // unmapped().  False: no function answers, or one without ATS enabled.
    static constexpr std::uint32_t any_substream = 0xffff'fffe;
    virtual bool device_unmapped(StreamCookie, Substream, Iova, std::uint64_t)
    {
        return true;
    }

    // The stream may have started or ceased to pass everything through untranslated.
    virtual void bypass_changed(StreamCookie stream) = 0;

    // Guest did something the manual calls illegal; one line, no newline.
    virtual void guest_error(const char* text) = 0;

protected:
    ~Host() = default;
};

}  // namespace iommu
