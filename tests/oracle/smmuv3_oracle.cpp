// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3 and 7.3: the procedure, and what is recorded of its end.
#include "tests/oracle/smmuv3_oracle.hpp"

#include <cstdio>

#include "tests/oracle/smmuv3_oracle_bits.hpp"

namespace oracle {

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

// --- The procedure: SMMU 3.3, 7.3.22

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
    if (ste_reserved() && choose(ReservedSteBitsAreBad)) {
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
