// SPDX-License-Identifier: GPL-2.0-or-later
// Guest memory as it was when first looked at, for a walk that changes nothing.
//
//   second copy of the translator --> GuestMemory without RAM --> Snapshot --> the
//   device's
//
// Each doubleword is read once and kept: software that changes its tables meanwhile
// cannot make one answer contradict itself.  Updates of flags stay in here.
#pragma once

#include <map>
#include <vector>

#include "hw/iommu/common/quiet_host.hpp"
#include "iommu/memory.hpp"

namespace iommu::introspect {

class Snapshot final : public QuietHost {
public:
    explicit Snapshot(GuestMemory& real) : real_(real), memory_(*this) {}

    // What the translator under observation reads.
    GuestMemory& memory() { return memory_; }

    struct Read {
        Gpa at{};
        std::size_t size = 0;
    };
    // Reads in order, a structure that was read again at once counted once.
    const std::vector<Read>& reads() const { return reads_; }
    void forget_reads() { reads_.clear(); }
    // Doublewords of [at, at + size) as they were; empty when nobody answers there.
    std::vector<std::uint64_t> words(Gpa at, std::size_t size);

    MemoryResult read(Gpa from, std::span<std::byte> to) override;
    MemoryResult compare_exchange64(Gpa at, std::uint64_t& expected,
                                    std::uint64_t desired, bool& stored) override;
    MemoryResult write(Gpa, std::span<const std::byte>) override
    {
        return MemoryResult::Abort;
    }

private:
    struct Word {
        std::uint64_t value = 0;
        bool answered = false;
    };
    Word& word(std::uint64_t at);

    GuestMemory& real_;
    GuestMemory memory_;
    std::map<std::uint64_t, Word> words_;
    std::vector<Read> reads_;
};

}  // namespace iommu::introspect
