// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/oracle/smmuv3_oracle.hpp"

#include <algorithm>
#include <cstdio>

namespace oracle {
namespace {

using u64 = std::uint64_t;

// Bits [hi:lo] of one doubleword.
constexpr u64 get(u64 word, unsigned hi, unsigned lo)
{
    return (word >> lo) & (~0ull >> (63 - (hi - lo)));
}
constexpr bool bit(u64 word, unsigned n)
{
    return (word >> n) & 1;
}
constexpr u64 low(unsigned n)
{
    return n >= 64 ? ~0ull : (1ull << n) - 1;
}

// CD.IPS, STE.S2PS: SMMU 5.4, 5.2.  From 6 on: 52 bits, which no OAS here reaches.
constexpr unsigned size_bits(u64 code)
{
    constexpr unsigned bits[] = {32, 36, 40, 42, 44, 48, 52, 52};
    return bits[code];
}

// Page shift of TG0 and S2TG; 0 for the reserved value.  TG1 has another encoding.
constexpr unsigned tg0_shift(u64 tg)
{
    return tg == 0 ? 12 : tg == 1 ? 16 : tg == 2 ? 14 : 0;
}
constexpr unsigned tg1_shift(u64 tg)
{
    return tg == 2 ? 12 : tg == 3 ? 16 : tg == 1 ? 14 : 0;
}

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

constexpr unsigned F_STE_FETCH = 0x03, C_BAD_STREAMID = 0x02, C_BAD_STE = 0x04,
                   F_STREAM_DISABLED = 0x06, C_BAD_SUBSTREAMID = 0x08, F_CD_FETCH = 0x09,
                   C_BAD_CD = 0x0a, F_WALK_EABT = 0x0b, F_TRANSLATION = 0x10,
                   F_ADDR_SIZE = 0x11, F_ACCESS = 0x12, F_PERMISSION = 0x13;

// Fields an SMMUv3.2 defines: whatever else is set is reserved.  STE dwords 0..3 (5.2);
// dwords 4..7 hold PARTID, PMG, VMSPtr and Secure fields, reserved without MPAM.
constexpr u64 ste_defined[8] = {
    0xf8ff'ffff'ffff'ffff,  // [63:59] S1CDMax, [55:0]
    0xffff'f1ff'f80f'ffff,  // [43:41], [26:20] absent; [63:52] IMPLEMENTATION DEFINED
    0x07ff'ffff'ffff'ffff,  // up to S2R; above it needs features that are absent
    0x000f'ffff'ffff'fff0,  // S2TTB
    0xffff,
    0,
    0,
    0};  // IMPLEMENTATION DEFINED [271:256]
constexpr u64 cd_defined[8] = {~0ull,
                               0xf00f'ffff'ffff'fff3,  // HWU0, TTB0, HAD0, NSCFG0
                               0xf00f'ffff'ffff'fff3,
                               ~0ull,
                               ~0ull,
                               0x0000'00ff'ffff'ffff,
                               0,
                               0};

}  // namespace

bool SmmuOracle::choose(Choice c)
{
    touched_ |= c;
    return choices_ & c;
}

void SmmuOracle::note(const char* what, u64 a, u64 b)
{
    char text[120];
    std::snprintf(text, sizeof text, "%s %#llx = %#018llx", what,
                  static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
    note(std::string(text));
}

bool SmmuOracle::load(u64 pa, u64& value)
{
    const bool ok = read_(pa, value);
    note(ok ? "  load" : "  load ABORTS at", pa, ok ? value : 0);
    return ok;
}

// --- Events: SMMU 7.3
// ---------------------------------------------------------------------

SmmuEvent SmmuOracle::blank(unsigned number) const
{
    SmmuEvent e;
    e.bits[0] = number | u64{a_.stream} << 32;
    if (a_.has_substream) {
        e.bits[0] |= 1u << 11 | u64{a_.substream} << 12;
    } else {
        e.care[0] &= ~(low(20) << 12);  // SSV == 0: SubstreamID is UNKNOWN
    }
    return e;
}

bool SmmuOracle::refuse_silently()
{
    note("aborted, nothing recorded");
    return false;
}

bool SmmuOracle::refuse_config(unsigned number)
{
    auto e = blank(number);
    if (number == C_BAD_SUBSTREAMID) {
        // SubstreamID is always valid in this record; bit 11 is not part of it.
        e.bits[0] = number | u64{a_.stream} << 32 |
                    u64{a_.has_substream ? a_.substream : 0} << 12;
        e.care[0] = ~(1ull << 11);
    }
    if (number == F_STREAM_DISABLED) {
        e.care[0] &= ~(low(21) << 11);  // editions differ on SSV and SubstreamID
    }
    out_.event = e;
    return false;
}

bool SmmuOracle::refuse_fetch(unsigned number, u64 from)
{
    auto e = blank(number);
    e.care[1] &= ~low(16);  // Reason, IMPLEMENTATION DEFINED
    e.bits[3] = from & low(56) & ~7ull;
    out_.event = e;
    return false;
}

// InputAddr and how the transaction was marked; InD is 0 for writes.
static void put_input(SmmuEvent& e, const Access& a, bool stage2, unsigned why)
{
    e.care[1] &= ~low(16);  // STAG of a transaction that does not stall, or Reason
    e.bits[1] |= u64{a.privileged} << 33 | u64{a.instruction && !a.write} << 34 |
                 u64{!a.write} << 35 | u64{stage2} << 39 | u64{why} << 40;
    e.bits[2] = a.address;
}

bool SmmuOracle::refuse_walk(unsigned number, bool stage2, Class why, u64 ipa)
{
    // 5.5: CD.R and STE.S2R decide; a stage 1 that bypasses has no such bit.
    const bool recorded = stage2 ? bit(ste_[2], 58) : !s1_ || bit(cd_[0], 45);
    if (!recorded) {
        return refuse_silently();
    }
    auto e = blank(number);
    put_input(e, a_, stage2, why);
    if (stage2) {
        e.bits[3] = ipa & low(56) & ~low(12);
        // Of an IPA beyond the OAS, 7.3.13 calls the upper bits RES0 and 3.4.3 note 4
        // wants them reported.
        e.care[3] &= ~(low(56) & ~low(features_.oas));
    } else {
        e.care[3] &= ~(low(56) & ~low(12));
    }
    if (number == F_PERMISSION) {
        if (why == ClassTt) {
            e.bits[1] |= 1ull << 44;  // TTRnW: the walk was reading
        } else {
            e.care[1] &= ~(1ull << 44);
        }
    }
    out_.event = e;
    return false;
}

bool SmmuOracle::refuse_walk_abort(bool stage2, Class why, u64 from)
{
    auto e = blank(F_WALK_EABT);
    put_input(e, a_, stage2, why);
    e.bits[3] = from & low(56) & ~7ull;
    out_.event = e;
    return false;
}

// --- Stream table: SMMU 3.3.1, 5.1, 6.3.24, 6.3.25
// ----------------------------------------

bool SmmuOracle::fetch_ste()
{
    const unsigned log2size = std::min<unsigned>(get(registers_.strtab_cfg, 5, 0), 32);
    const bool two_level = get(registers_.strtab_cfg, 17, 16) == 1;
    const u64 split_code = get(registers_.strtab_cfg, 10, 6);
    const unsigned split =
        split_code == 8 || split_code == 10 ? static_cast<unsigned>(split_code) : 6;
    const auto bad_stream = [&] {
        return registers_.record_bad_stream ? refuse_config(C_BAD_STREAMID)
                                            : refuse_silently();
    };
    if (a_.stream >= (1ull << log2size)) {
        return bad_stream();
    }
    const u64 table = registers_.strtab_base & low(56) & ~low(6) & low(features_.oas);
    u64 at = 0;
    if (!two_level) {
        at = (table & ~low(log2size + 6)) + a_.stream * 64ull;
    } else {
        const unsigned l1_bits = log2size > split ? log2size - split : 0;
        const u64 l1 =
            (table & ~low(std::max(6u, l1_bits + 3))) + (a_.stream >> split) * 8ull;
        u64 l1std = 0;
        if (!load(l1, l1std)) {
            return refuse_fetch(F_STE_FETCH, l1);
        }
        const u64 span = get(l1std, 4, 0);
        if (span == 0 || span > 11 || span > split + 1 ||
            (a_.stream & low(split)) >= (1ull << (span - 1))) {
            return bad_stream();
        }
        const u64 l2 = l1std & low(56) & ~low(6);
        if (l2 & ~low(features_.oas)) {
            out_.wild = true;  // 3.4.3 note 5
        }
        at = (l2 & ~low(static_cast<unsigned>(span) + 5)) + (a_.stream & low(split)) * 64;
    }
    for (unsigned i = 0; i < 8; ++i) {
        if (!load(at + 8 * i, ste_[i])) {
            return refuse_fetch(F_STE_FETCH, at);
        }
    }
    return true;
}

// SMMU 5.2.2 "Validity of STE", for a Non-secure SMMUv3.2 without ATS, HTTU, stall, MPAM,
// DS, D128 or EL2, little-endian, with 16-bit VMIDs and VMSAv8-64 only.
bool SmmuOracle::ste_illegal()
{
    const u64 config = get(ste_[0], 3, 1);
    const bool s1 = config & 1, s2 = config & 2;
    if ((s1 && !features_.stage1) || (s2 && !features_.stage2)) {
        return true;
    }
    if (s1) {
        if (bit(ste_[1], 27)) {  // S1STALLD, and nothing stalls
            return true;
        }
        if (features_.ssid_bits != 0 && get(ste_[0], 63, 59) > features_.ssid_bits) {
            return true;
        }
        if ((ste_[0] & low(56) & ~low(6)) & ~low(features_.oas)) {
            if (!s2 || choose(FarIpaPointerIsBadSte)) {
                return true;
            }
        }
    }
    if (!s2) {
        return false;
    }
    const u64 w = ste_[2];
    if (bit(w, 57) || !bit(w, 51) || bit(w, 55) || bit(w, 56) || bit(w, 52)) {
        return true;  // S2S, VMSAv8-32, S2HD, S2HA, big-endian
    }
    const unsigned granule = tg0_shift(get(w, 47, 46));
    const unsigned t0sz = static_cast<unsigned>(get(w, 37, 32));
    if (granule == 0 || t0sz > 39 || t0sz < std::max(16u, 64 - features_.oas)) {
        return true;
    }
    const unsigned ps = std::min(size_bits(get(w, 50, 48)), features_.oas);
    if (get(ste_[3], 51, 4) << 4 & ~low(ps)) {
        return true;
    }
    // DDI 0487 J1.1: S2InvalidSL, S2InconsistentSL.
    const unsigned sl0 = static_cast<unsigned>(get(w, 39, 38));
    const unsigned start = (granule == 12 ? 2 : 3) - sl0;
    if (sl0 == 3 || (sl0 == 2 && features_.oas < (granule == 14 ? 42u : 44u))) {
        return true;
    }
    const unsigned stride = granule - 3, input = 64 - t0sz;
    const unsigned least = (3 - start) * stride + granule + 1;
    return input < least || input > least + stride - 1 + 4;
}

// --- Context descriptors: SMMU 5.3, 5.4
// ---------------------------------------------------

bool SmmuOracle::locate_cd(u64& address)
{
    const u64 pointer = ste_[0] & low(56) & ~low(6);
    const unsigned max = static_cast<unsigned>(get(ste_[0], 63, 59));
    const u64 format = get(ste_[0], 5, 4);
    const u64 ssid = a_.has_substream ? a_.substream : 0;
    if (max == 0 || features_.ssid_bits == 0) {
        address = pointer;
        return true;
    }
    if (format == 0 || format == 3) {
        out_.wild |= (pointer & low(max + 6)) != 0;
        address = (pointer & ~low(max + 6)) + ssid * 64;
        return true;
    }
    const unsigned leaf = format == 1 ? 6 : 10;  // log2 of the CDs in a leaf table
    const unsigned l1_bits = max > leaf ? max - leaf : 0;
    const unsigned alignment = std::max(6u, l1_bits + 3);
    out_.wild |= (pointer & low(alignment)) != 0;
    const u64 l1cd_at = (pointer & ~low(alignment)) + (l1_bits ? (ssid >> leaf) * 8 : 0);
    u64 pa = l1cd_at, l1cd = 0;
    if (s2_ && !translate_stage2(l1cd_at, {false, true, false}, ClassCd, pa)) {
        return false;
    }
    if (!load(pa, l1cd)) {
        return refuse_fetch(F_CD_FETCH, pa);
    }
    if (!bit(l1cd, 0)) {
        return refuse_config(C_BAD_SUBSTREAMID);
    }
    const u64 l2 = l1cd & low(56) & ~low(12);
    if (l2 & ~low(features_.oas)) {
        if (!s2_ || choose(FarIpaPointerIsBadSubstream)) {
            return refuse_config(C_BAD_SUBSTREAMID);
        }
    }
    out_.wild |= leaf == 10 && (l2 & low(16)) != 0;
    address = l2 + (ssid & low(leaf)) * 64;
    return true;
}

bool SmmuOracle::fetch_cd(u64 address)
{
    u64 pa = address;
    note("CD at", address, 0);
    if (s2_ && !translate_stage2(address, {false, true, false}, ClassCd, pa)) {
        return false;
    }
    for (unsigned i = 0; i < 8; ++i) {
        if (!load(pa + 8 * i, cd_[i])) {
            return refuse_fetch(F_CD_FETCH, pa);
        }
    }
    if (cd_illegal()) {
        return refuse_config(C_BAD_CD);
    }
    bool reserved = false;
    for (unsigned i = 0; i < 8; ++i) {
        reserved |= (cd_[i] & ~cd_defined[i]) != 0;
    }
    if (reserved && choose(ReservedCdBitsAreBad)) {
        return refuse_config(C_BAD_CD);
    }
    return true;
}

// SMMU 5.4.2 "Validity of CD", for the same SMMU as above; TERM_MODEL is 1.
bool SmmuOracle::cd_illegal() const
{
    const u64 w = cd_[0];
    const bool epd0 = bit(w, 14), epd1 = bit(w, 30);
    if (!bit(w, 31) || !bit(w, 46) || bit(w, 44) || !bit(w, 41) || bit(w, 42) ||
        bit(w, 43)) {
        return true;  // V, A, S, AA64, HD, HA
    }
    if (bit(w, 15) && !(epd0 && epd1)) {  // ENDI
        return true;
    }
    const unsigned ips = std::min(size_bits(get(w, 34, 32)), features_.oas);
    const auto bad_half = [&](unsigned tsz, unsigned granule, u64 ttb_word) {
        return tsz < 16 || tsz > 39 || granule == 0 ||
               ((get(ttb_word, 51, 4) << 4) & ~low(std::min(ips, 48u))) != 0;
    };
    return (!epd0 && bad_half(static_cast<unsigned>(get(w, 5, 0)),
                              tg0_shift(get(w, 7, 6)), cd_[1])) ||
           (!epd1 && bad_half(static_cast<unsigned>(get(w, 21, 16)),
                              tg1_shift(get(w, 23, 22)), cd_[2]));
}

// --- Stage 1: DDI 0487 D8, SMMU 3.4
// -------------------------------------------------------

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
// -----------------------------------------------------------------

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

// --- The procedure: SMMU 3.3, 7.3.22
// ------------------------------------------------------

void SmmuOracle::run()
{
    const bool too_wide = a_.address & ~low(features_.oas);
    if (!registers_.enabled) {
        if (registers_.gbpa_abort || too_wide) {
            refuse_silently();
            return;
        }
        out_.passes = true;
        out_.output = a_.address;
        return;
    }
    if (!fetch_ste()) {
        return;
    }
    if (!bit(ste_[0], 0)) {
        refuse_config(C_BAD_STE);
        return;
    }
    const u64 config = get(ste_[0], 3, 1);
    bool reserved = false;
    for (unsigned i = 0; i < 8; ++i) {
        reserved |= (ste_[i] & ~ste_defined[i]) != 0;
    }
    if (reserved && choose(ReservedSteBitsAreBad)) {
        refuse_config(C_BAD_STE);
        return;
    }
    if (!(config & 4)) {
        refuse_silently();
        return;
    }
    if (config != 4 && ste_illegal()) {
        refuse_config(C_BAD_STE);
        return;
    }
    s1_ = config & 1;
    s2_ = config & 2;
    const unsigned max =
        features_.ssid_bits ? static_cast<unsigned>(get(ste_[0], 63, 59)) : 0;
    if (a_.has_substream && (!s1_ || max == 0 || a_.substream >> max != 0)) {
        refuse_config(C_BAD_SUBSTREAMID);
        return;
    }
    if (s1_ && max != 0) {
        const u64 s1dss = get(ste_[1], 1, 0);
        if (a_.has_substream ? s1dss == 2 && a_.substream == 0
                             : s1dss == 0 || s1dss == 3) {
            refuse_config(F_STREAM_DISABLED);
            return;
        }
        if (!a_.has_substream && s1dss == 1) {
            s1_ = false;
        }
    }
    u64 address = a_.address;
    if (s1_) {
        u64 cd = 0;
        if (!locate_cd(cd) || !fetch_cd(cd) || !translate_stage1(address)) {
            return;
        }
    } else if (too_wide) {
        refuse_walk(F_ADDR_SIZE, false, ClassIn, 0);
        return;
    }
    if (s2_) {
        const Kind kind{a_.write, a_.privileged, a_.instruction && !a_.write};
        if (!translate_stage2(address, kind, ClassIn, address)) {
            return;
        }
    }
    out_.passes = true;
    out_.output = address;
}

SmmuAnswer SmmuOracle::answer(const Access& access, unsigned choices)
{
    a_ = access;
    choices_ = choices;
    touched_ = 0;
    out_ = {};
    ste_ = {};
    cd_ = {};
    s1_ = s2_ = false;
    run();
    return std::move(out_);
}

}  // namespace oracle
