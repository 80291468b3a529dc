// SPDX-License-Identifier: GPL-2.0-or-later
// One refused access, one record, although QEMU asks several times.
//
// QEMU's memory core moves what an IOMMU refuses in naturally aligned pieces of at most 8
// bytes and asks for each again:
//
//      a device's DMA      |------------ 64 bytes refused ------------|
//      what we are asked   |-4-|-4-|-4-|-4-|-4-|-4-| ... on one thread, upwards, at once
//
// The device issued one transaction, so software is to see one record.  Each piece is
// still translated and refused on its own; only the telling is left out, and only while
// nothing speaks against a piece: the same requester and attributes, the same thread, the
// same 4 KiB page (a transaction does not cross one, PCIe 2.2.7), at most 8 bytes
// further up, and no register write by software since.
//
// What this cannot tell apart: two transactions of a device that are both refused, the
// second beginning within 8 bytes above the last piece of the first.  An endpoint that
// knows where its transactions begin says so with begin(), and is recorded exactly.
//
// What refused an access is most often one entry of a table.  While that entry reads the
// same and software has had no say, the next piece is refused without a walk: the entries
// above are valid, and a cache may hold them (SMMU 3.17, VT-d 6.2.5).  What refuses is
// never cached, it is read for each piece.
#pragma once

#include <cstdint>

#include "iommu/memory.hpp"
#include "iommu/transaction.hpp"

namespace iommu {

// What a refusal rests on, besides entries that may be cached.
class Grounds {
public:
    // Unknown: the next piece is walked for.
    Grounds() = default;

    // The entry at `at`, of 8 bytes, that said `raw`.
    static Grounds entry(const RamMap& ram, Gpa at, std::uint64_t raw)
    {
        const auto generation = ram.generation();
        return {reinterpret_cast<const std::uint64_t*>(ram.find(at, 8)), raw, generation};
    }
    // Configuration that is cached, and nothing else.
    static Grounds configuration(const RamMap& ram)
    {
        static constexpr std::uint64_t unchanging = 0;
        return {&unchanging, unchanging, ram.generation()};
    }

    bool stand(const RamMap& ram) const
    {
        return entry_ != nullptr && ram_ == ram.generation() &&
               __atomic_load_n(entry_, __ATOMIC_ACQUIRE) == says_;
    }

private:
    Grounds(const std::uint64_t* entry, std::uint64_t says, std::uint32_t ram)
        : entry_(entry), says_(says), ram_(ram)
    {
    }

    const std::uint64_t* entry_ = nullptr;
    std::uint64_t says_ = 0;
    std::uint32_t ram_ = 0;  // RamMap::generation() when `entry_` was found
};

// What a thread was refused last.
struct RefusedAccess {
    const void* requester = nullptr;
    std::uint64_t address = 0;
    std::uint64_t kind = 0;  // everything else of it that tells accesses apart
    std::uint64_t epoch = 0;
    Grounds grounds{};
};

class RefusedPieces {
public:
    // The next access this thread asks for is a transaction of its own.
    static void begin() { last_ = {}; }

    // Whether a refused access is the next piece of the one this thread was refused last.
    // `epoch` changes whenever software has had a say, and is never that of another
    // device; it was read before the access was looked into, which ended on `grounds`.
    static bool continues(const void* requester, const Transaction& access,
                          std::uint64_t epoch, const Grounds& grounds = {})
    {
        if (access.delivery == Delivery::Whole) {
            return false;
        }
        const bool further = goes_on(requester, access, epoch);
        last_ = {requester, access.address.value, kind(access), epoch, grounds};
        return further;
    }

    // Whether that is so of an access that was not looked into yet, and what refused the
    // last piece refuses this one.
    static bool stand(const void* requester, const Transaction& access,
                      std::uint64_t epoch, const RamMap& ram)
    {
        if (!goes_on(requester, access, epoch) || access.delivery == Delivery::Whole ||
            !last_.grounds.stand(ram)) {
            return false;
        }
        last_.address = access.address.value;
        return true;
    }

    // What the device calls the access of which these are pieces.
    static std::uint64_t note() { return note_; }
    static void set_note(std::uint64_t note) { note_ = note; }

private:
    // Everything of an access but where and how it came, as one word.
    static std::uint64_t kind(const Transaction& t)
    {
        return static_cast<std::uint64_t>(t.access) |
               static_cast<std::uint64_t>(t.privilege) << 1 |
               static_cast<std::uint64_t>(t.content) << 2 |
               std::uint64_t{t.substream.present} << 3 |
               std::uint64_t{t.substream.value} << 32;
    }
    static bool goes_on(const void* requester, const Transaction& access,
                        std::uint64_t epoch)
    {
        const auto now = access.address.value;
        return now - last_.address - 1 < 8 && (now ^ last_.address) >> 12 == 0 &&
               last_.requester == requester && last_.epoch == epoch &&
               last_.kind == kind(access);
    }

    static inline thread_local RefusedAccess last_{};
    static inline thread_local std::uint64_t note_ = 0;
};

}  // namespace iommu
