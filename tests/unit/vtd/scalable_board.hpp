// SPDX-License-Identifier: GPL-2.0-or-later
// A board in scalable mode: function 00:02.0 behind a PASID directory and table.
#pragma once

#include "tests/unit/vtd/board.hpp"

namespace iommu::test {

// Doubleword 0 of a PASID table entry, VT-d 9.6: P, AW, PGTT.
constexpr std::uint64_t FIRST = 0x41, SECOND = 0x89, NESTED = 0xc9, PASS = 0x101;

struct ScalableBoard : Board {
    explicit ScalableBoard(const vtd::Configuration& c = scalable()) : Board(c)
    {
        put(0x1000, {0x2001, 0});
        context(0x4009, 0);  // P, PASIDE, 8192 PASIDs, RID_PASID 0
        put(0x4000, {0x5001});
        w64(RTADDR, 0x1400);
        w32(GCMD, SRTP);
        queue(true);
        w32(GCMD, (r32(GSTS) & 0x96ff'ffff) | TE);
    }
    void context(std::uint64_t low, std::uint64_t rid_pasid, unsigned devfn = 0x10)
    {
        put(0x2000 + devfn * 32, {low, rid_pasid, 0, 0});
    }
    void pasid(unsigned number, std::uint64_t w0, std::uint64_t w1, std::uint64_t w2 = 0)
    {
        put(0x5000 + 64 * number, {w0, w1, w2, 0, 0, 0, 0, 0});
    }
    // First stage at 0x10000; the 4 KiB pages from 0x4000'0000 up at 0x13000.
    void first_tables()
    {
        put(0x10000, {0x11007});
        put(0x11008, {0x12007});
        put(0x12000, {0x13007});
        // Both, read-only, supervisor, supervisor read-only, not executable.
        put(0x13000,
            {0x50'0007, 0x50'1005, 0x50'2003, 0x50'3001, 1ull << 63 | 0x50'4007, 0});
    }
    // Second stage at 0x20000: 2 MiB pages; the first maps itself, so that tables below
    // 2 MiB are found; 0x40'0000 maps to 0x60'0000, and 0x60'0000, read only, to itself.
    void second_tables()
    {
        put(0x20000, {0x21003});
        put(0x21000, {0x22003});
        put(0x22000, {0x83, 0, 0x60'0083, 0x60'0081});
    }
    Result with_pasid(std::uint64_t at, Access access, std::uint32_t number,
                      Privilege p = Privilege::User, Content c = Content::Data)
    {
        return this->access({.address = Iova{at},
                             .access = access,
                             .privilege = p,
                             .content = c,
                             .substream = {number, true}});
    }
    // Everything but the tables themselves.
    void flush()
    {
        submit(0x11, 0);
        submit(0x37, 0);
        submit(0x12, 0);
    }
    // The reason of a refused access with everything flushed before; 0 when granted.
    unsigned refused(std::uint64_t at, Access access = Access::Read)
    {
        flush();
        return read_or_write(at, access).ok ? 0 : take_reason();
    }
    unsigned refused_pasid(std::uint64_t at, Access access, std::uint32_t number,
                           Privilege p = Privilege::User, Content c = Content::Data)
    {
        flush();
        return with_pasid(at, access, number, p, c).ok ? 0 : take_reason();
    }
    Result read_or_write(std::uint64_t at, Access access)
    {
        return access == Access::Read ? read(at) : write(at);
    }
};

}  // namespace iommu::test
