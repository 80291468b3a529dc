// SPDX-License-Identifier: GPL-2.0-or-later
// DDI 0487 D8: the two stages.
#include "tests/oracle/smmuv3_oracle.hpp"

#include <algorithm>

#include "tests/oracle/smmuv3_oracle_bits.hpp"

namespace oracle {
namespace {

// Where a Block may stand: 4K levels 1 and 2, 16K and 64K level 2 (48-bit addresses).
constexpr bool block_allowed(unsigned granule, int level)
{
    return level == 2 || (level == 1 && granule == 12);
}

enum class Form { Invalid, Table, Leaf };

// DDI 0487 D8.3: descriptor types by bits [1:0] and level.
constexpr Form form_of(u64 d, unsigned granule, int level)
{
    if (!bit(d, 0)) {
        return Form::Invalid;
    }
    if (level == 3) {
        return bit(d, 1) ? Form::Leaf : Form::Invalid;
    }
    if (bit(d, 1)) {
        return Form::Table;
    }
    return block_allowed(granule, level) ? Form::Leaf : Form::Invalid;
}

}  // namespace

// --- Stage 1: DDI 0487 D8, SMMU 3.4

bool SmmuOracle::translate_stage1(u64& ipa)
{
    const u64 va = a_.address, w = cd_[0];
    const bool upper = bit(va, 55);
    const bool tbi = bit(w, upper ? 39 : 38), disabled = bit(w, upper ? 30 : 14);
    const unsigned tsz = static_cast<unsigned>(upper ? get(w, 21, 16) : get(w, 5, 0));
    const unsigned granule = upper ? tg1_shift(get(w, 23, 22)) : tg0_shift(get(w, 7, 6));
    const u64 ttb_word = cd_[upper ? 2 : 1];
    if (disabled) {
        return refuse_walk(F_TRANSLATION, false, ClassIn, 0);
    }
    const unsigned input = 64 - tsz, top = tbi ? 55 : 63;
    // Bits [top:input] all equal bit 55.
    const u64 above = get(va, top, input);
    if (above != (upper ? low(top - input + 1) : 0)) {
        return refuse_walk(F_TRANSLATION, false, ClassIn, 0);
    }
    const unsigned stride = granule - 3;
    const unsigned ips = std::min(size_bits(get(w, 34, 32)), features_.oas);
    const bool hierarchical = !bit(ttb_word, 1);  // HADx
    int level = 3 - static_cast<int>((input - 1 - granule) / stride);
    unsigned shift = granule + stride * static_cast<unsigned>(3 - level);
    u64 table = (get(ttb_word, 51, 4) << 4) & ~low(input - shift + 3);
    bool no_user = false, no_write = false, uxn_table = false, pxn_table = false;
    for (bool first = true;; first = false, ++level, shift -= stride) {
        const u64 index = (va & low(input)) >> shift & (first ? ~0ull : low(stride));
        const u64 at = table + index * 8;
        u64 pa = at, d = 0;
        note("stage 1 level", static_cast<u64>(level), at);
        if (s2_ && !translate_stage2(at, {false, true, false}, ClassTt, pa)) {
            return false;
        }
        if (!load(pa, d)) {
            return refuse_walk_abort(false, ClassTt, pa);
        }
        const Form form = form_of(d, granule, level);
        if (form == Form::Invalid) {
            return refuse_walk(F_TRANSLATION, false, ClassIn, 0);
        }
        if (form == Form::Table) {
            table = d & low(48) & ~low(granule);
            if (table & ~low(ips)) {
                return refuse_walk(F_ADDR_SIZE, false, ClassIn, 0);
            }
            if (hierarchical) {
                no_user |= bit(d, 61);
                no_write |= bit(d, 62);
                uxn_table |= bit(d, 60);
                pxn_table |= bit(d, 59);
            }
            continue;
        }
        if (level != 3 && bit(d, 16) && granule != 16 && choose(NtBlockFaults)) {
            return refuse_walk(F_TRANSLATION, false, ClassIn, 0);
        }
        const u64 base = d & low(48) & ~low(shift);
        if (base & ~low(ips)) {
            return refuse_walk(F_ADDR_SIZE, false, ClassIn, 0);
        }
        if (!bit(d, 10) && !bit(w, 35)) {  // AF, AFFD
            return refuse_walk(F_ACCESS, false, ClassIn, 0);
        }
        // J1.1 AArch64.S1DirectBasePermissions: AP[2] bit 7 read-only, AP[1] bit 6 EL0.
        const bool read_only = bit(d, 7) || no_write, user = bit(d, 6) && !no_user;
        bool pr = true, pw = !read_only, ur = user, uw = user && !read_only;
        const bool px = !bit(d, 53) && !pxn_table && !uw;
        const bool ux = !bit(d, 54) && !uxn_table;
        const bool fetch = a_.instruction && !a_.write;
        if (bit(w, 40) && !fetch && (ur || uw)) {  // PAN
            pr = pw = false;
        }
        const bool r = a_.privileged ? pr : ur, wr = a_.privileged ? pw : uw;
        bool x = a_.privileged ? px : ux;
        if (bit(w, 36) && wr) {  // WXN
            x = false;
        }
        if (!(a_.write ? wr : fetch ? x : r)) {
            return refuse_walk(F_PERMISSION, false, ClassIn, 0);
        }
        ipa = base | (va & low(shift));
        return true;
    }
}

// --- Stage 2: DDI 0487 D8

bool SmmuOracle::translate_stage2(u64 ipa, Kind kind, Class why, u64& pa)
{
    const u64 w = ste_[2];
    const unsigned granule = tg0_shift(get(w, 47, 46)), stride = granule - 3;
    const unsigned input = 64 - static_cast<unsigned>(get(w, 37, 32));
    const unsigned ps = std::min(size_bits(get(w, 50, 48)), features_.oas);
    int level = (granule == 12 ? 2 : 3) - static_cast<int>(get(w, 39, 38));
    if (ipa & ~low(input)) {
        return refuse_walk(F_TRANSLATION, true, why, ipa);
    }
    unsigned shift = granule + stride * static_cast<unsigned>(3 - level);
    const unsigned table_bits = input - shift + 3;
    u64 table = (get(ste_[3], 51, 4) << 4) & ~low(table_bits);
    for (bool first = true;; first = false, ++level, shift -= stride) {
        const u64 index = ipa >> shift & (first ? ~0ull : low(stride));
        u64 d = 0;
        note(" stage 2 level", static_cast<u64>(level), ipa);
        if (!load(table + index * 8, d)) {
            return refuse_walk_abort(true, why, table + index * 8);
        }
        const Form form = form_of(d, granule, level);
        if (form == Form::Invalid) {
            return refuse_walk(F_TRANSLATION, true, why, ipa);
        }
        if (form == Form::Table) {
            table = d & low(48) & ~low(granule);
            if (table & ~low(ps)) {
                return refuse_walk(F_ADDR_SIZE, true, why, ipa);
            }
            continue;
        }
        if (level != 3 && bit(d, 16) && granule != 16 && choose(NtBlockFaults)) {
            return refuse_walk(F_TRANSLATION, true, why, ipa);
        }
        const u64 base = d & low(48) & ~low(shift);
        if (base & ~low(ps)) {
            return refuse_walk(F_ADDR_SIZE, true, why, ipa);
        }
        if (!bit(d, 10) && !bit(w, 53)) {  // AF, S2AFFD
            return refuse_walk(F_ACCESS, true, why, ipa);
        }
        // J1.1 AArch64.S2DirectBasePermissions; XN[1:0] are bits [54:53].
        const u64 xn = get(d, 54, 53);
        const bool x = kind.privileged ? xn == 0 || xn == 3 : xn == 0 || xn == 1;
        const bool device = get(d, 5, 4) == 0;  // MemAttr[3:2]
        bool allowed = kind.write ? bit(d, 7) : kind.instruction ? x : bit(d, 6);
        if (why != ClassIn && s1_ && device && bit(w, 54)) {  // S2PTW
            allowed = false;
        }
        if (!allowed) {
            return refuse_walk(F_PERMISSION, true, why, ipa);
        }
        pa = base | (ipa & low(shift));
        return true;
    }
}

}  // namespace oracle
