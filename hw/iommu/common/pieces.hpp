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
// same 4 KiB page (a transaction does not cross one, PCIe 2.2.7.1), at most 8 bytes
// further up, and no register write by software since.
//
// What this cannot tell apart: two transactions of a device that are both refused, the
// second beginning within 8 bytes above the last piece of the first.  An endpoint that
// knows where its transactions begin says so with begin(), and is recorded exactly.
#pragma once

#include <cstdint>

#include "iommu/transaction.hpp"

namespace iommu {

// What a thread was refused last.
struct RefusedAccess {
    const void* requester = nullptr;
    Transaction access{};
    std::uint64_t epoch = 0;
};

class RefusedPieces {
public:
    // The next access this thread asks for is a transaction of its own.
    static void begin() { last_ = {}; }

    // Whether a refused access is the next piece of the one this thread was refused last.
    // `epoch` changes whenever software has had a say.
    static bool continues(const void* requester, const Transaction& access,
                          std::uint64_t epoch)
    {
        if (access.delivery == Delivery::Whole) {
            return false;
        }
        const RefusedAccess last = last_;
        last_ = {requester, access, epoch};
        return last.requester == requester && last.epoch == epoch &&
               alike(last.access, access) && follows(last.access.address, access.address);
    }

    // What the device calls the access of which these are pieces.
    static std::uint64_t note() { return note_; }
    static void set_note(std::uint64_t note) { note_ = note; }

private:
    static bool alike(const Transaction& a, const Transaction& b)
    {
        return a.access == b.access && a.privilege == b.privilege &&
               a.content == b.content && a.substream == b.substream;
    }
    static bool follows(Iova before, Iova now)
    {
        const std::uint64_t step = now.value - before.value;
        return step != 0 && step <= 8 && now.value >> 12 == before.value >> 12;
    }

    static inline thread_local RefusedAccess last_{};
    static inline thread_local std::uint64_t note_ = 0;
};

}  // namespace iommu
