// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 5: stream table entries and context descriptors.
#include "tests/oracle/smmuv3_oracle.hpp"

#include <algorithm>

#include "tests/oracle/smmuv3_oracle_bits.hpp"

namespace oracle {
namespace {

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

// --- Stream table: SMMU 3.3.1, 5.1, 6.3.24, 6.3.25

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

bool SmmuOracle::ste_reserved() const
{
    bool reserved = false;
    for (unsigned i = 0; i < 8; ++i) {
        reserved |= (ste_[i] & ~ste_defined[i]) != 0;
    }
    return reserved;
}

// --- Context descriptors: SMMU 5.3, 5.4

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

}  // namespace oracle
