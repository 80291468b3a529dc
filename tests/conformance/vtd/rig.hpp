// SPDX-License-Identifier: GPL-2.0-or-later
// A VT-d unit whose tables are raw words, laid out by hand from chapters 9 and 11 of the
// manual, with and without a TLB; each test changes what it is about.
#pragma once

#include <vector>

#include "tests/unit/vtd/board.hpp"

namespace iommu::test {

inline vtd::Configuration with_tlb(bool tlb, vtd::Configuration c)
{
    c.tlb = tlb;
    return c;
}

// Whatever it takes to let every function through a table of its own: VT-d 9.1, 9.3.
struct LegacyRig : Board {
    static constexpr std::uint64_t root = 0x1000, trees = 0x10'0000;

    explicit LegacyRig(bool tlb, const vtd::Configuration& c = plain())
        : Board(with_tlb(tlb, c))
    {
        w64(RTADDR, root);
        w32(GCMD, SRTP);
        queue();
        w32(GCMD, QIE | TE);
    }
    static std::uint64_t context_at(unsigned sid)
    {
        return 0x2'0000 + (sid >> 8 & 0xf) * 0x1000 + (sid & 0xff) * 16;
    }
    // AW: 1, 2, 3 for 3, 4, 5 levels.
    void attach(unsigned sid, std::uint64_t table, unsigned domain, unsigned aw = 2)
    {
        put(root + 16 * (sid >> 8), {(context_at(sid) & ~0xfffull) | 1, 0});
        put(context_at(sid), {table | 1, domain << 8 | aw});
    }
    // The path to `at` in the `levels` tables from `table` on, one page each; the entry
    // of the last is `leaf`.
    void map(std::uint64_t table, std::uint64_t at, std::uint64_t leaf,
             unsigned levels = 4)
    {
        for (unsigned level = levels; level > 1; --level) {
            put(table + (at >> (12 + 9 * (level - 1)) & 511) * 8, {(table + 0x1000) | 7});
            table += 0x1000;
        }
        put(table + (at >> 12 & 511) * 8, {leaf});
    }
    std::uint64_t output(std::uint64_t at, unsigned sid)
    {
        const auto r = read(at, sid);
        return r.ok ? r.t.output.value : ~0ull;
    }
};

// 00:02.0 in scalable mode: directory at 0x4000, PASIDs 0 to 63 at 0x5000.
struct ScalableRig : LegacyRig {
    static constexpr std::uint64_t directory = 0x4000, pasids = 0x5000;
    // Doubleword 0 of a PASID table entry, VT-d 9.6: P, AW, PGTT.
    static constexpr std::uint64_t FIRST = 0x41, SECOND = 0x89, NESTED = 0xc9;

    explicit ScalableRig(bool tlb, const vtd::Configuration& c = scalable())
        : LegacyRig(tlb, c)
    {
        w32(GCMD, 0);
        put(root, {0x2001, 0});
        put(0x2000 + 0x10 * 32, {directory | 9, 0, 0, 0});
        put(directory, {pasids | 1});
        w64(RTADDR, root | 1 << 10);
        w32(GCMD, SRTP);
        queue(true);
        w32(GCMD, QIE | TE);
    }
    void pasid(unsigned number, std::uint64_t w0, std::uint64_t domain,
               std::uint64_t w2 = 0)
    {
        put(pasids + 64 * number, {w0, domain, w2, 0, 0, 0, 0, 0});
    }
    Result ask(std::uint64_t at, unsigned number, Access access = Access::Read,
               Privilege p = Privilege::User, Content c = Content::Data)
    {
        return this->access({.address = Iova{at},
                             .access = access,
                             .privilege = p,
                             .content = c,
                             .substream = {number, true}});
    }
    std::uint64_t output_of(std::uint64_t at, unsigned number)
    {
        const auto r = ask(at, number);
        return r.ok ? r.t.output.value : ~0ull;
    }
    void flush()
    {
        submit(0x11, 0);  // context-cache, PASID-cache, IOTLB: all
        submit(0x37, 0);
        submit(0x12, 0);
    }
};

}  // namespace iommu::test
