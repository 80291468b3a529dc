// SPDX-License-Identifier: GPL-2.0-or-later
// From a request to the tables that translate it: VT-d 3.4, 9.1 to 9.6.
#include "tests/oracle/vtd_oracle.hpp"
#include "tests/oracle/vtd_oracle_bits.hpp"

namespace oracle::vtd {

// --- Legacy mode: VT-d 3.4.3, 9.1, 9.3

void Oracle::run_legacy()
{
    const u64 root_at = (root_ & page) + (a_.source >> 8) * 16;
    u64 lo = 0, hi = 0;
    if (!load(root_at, lo) || !load(root_at + 8, hi)) {
        fault({0x08});
        return;
    }
    if (!bit(lo, 0)) {
        fault({0x01});
        return;
    }
    if ((lo & 0xffe) != 0 || hi != 0 || too_wide(lo)) {
        fault({0x0a});
        return;
    }
    const u64 at = (lo & page) + (a_.source & 0xff) * 16;
    u64 c0 = 0, c1 = 0;
    if (!load(at, c0) || !load(at + 8, c1)) {
        fault({0x09});
        return;
    }
    fpd_ = bit(c0, 1);
    if (!bit(c0, 0)) {
        fault_qualified({0x02});
        return;
    }
    if ((c0 & 0xff0) != 0 || bit(c1, 7) || c1 >> 24 != 0) {
        fault_qualified({0x0b});
        return;
    }
    const u64 type = get(c0, 3, 2), aw = get(c1, 2, 0);
    const unsigned widest = (features_.aw - 30) / 9;
    if (type == 3 || (type == 2 && !features_.pass_through) ||
        (type == 1 && !features_.device_tlb) || aw == 0 || aw > widest) {
        if (too_wide(c0)) {
            fault_qualified({0x03, 0x0b});  // both are true of it
        } else {
            fault_qualified({0x03});
        }
        return;
    }
    const unsigned width = 30 + 9 * static_cast<unsigned>(aw);
    if (type == 2) {
        // AW must name the largest width; the pointer is ignored.
        out_.wild |= aw != widest || too_wide(c0);
        if (a_.address & ~low(features_.aw)) {
            fault_qualified({0x04});
            return;
        }
        out_.passes = true;
        out_.output = a_.address;
        return;
    }
    if (too_wide(c0)) {
        fault_qualified({0x0b, 0x03});
        return;
    }
    const SecondStage s{c0 & page, width, false, false};
    out_.passes = second_stage(s, a_.address, a_.write, Stage::Legacy, out_.output);
}

// --- Scalable mode: VT-d 3.4.4, 9.2, 9.4 to 9.6

bool Oracle::context(u64 at)
{
    for (unsigned i = 0; i < 4; ++i) {
        if (!load(at + 8 * i, context_[i])) {
            return fault({0x40});
        }
    }
    fpd_ = bit(context_[0], 1);
    if (!bit(context_[0], 0)) {
        return fault_qualified({0x41});
    }
    if ((context_[0] & 0x1e0) != 0 || context_[1] >> 21 != 0 || context_[2] != 0 ||
        context_[3] != 0 || too_wide(context_[0])) {
        return fault_qualified({0x42});
    }
    // DTE and PRE without a Device-TLB to go with them.
    out_.wild |= (context_[0] & 0x14) != 0 && !features_.device_tlb;
    return true;
}

bool Oracle::pasid_entry(std::uint32_t pasid)
{
    const u64 directory = context_[0] & page;
    if (pasid >> 6 >= 1u << (get(context_[0], 11, 9) + 7)) {
        return fault_qualified({a_.has_pasid ? 0x46u : 0x48u});
    }
    u64 d = 0;
    if (!load(directory + (pasid >> 6) * 8, d)) {
        return fault_qualified({0x50});
    }
    fpd_ |= bit(d, 1);
    if (!bit(d, 0)) {
        return fault_qualified({0x51});
    }
    if ((d & 0xffc) != 0 || too_wide(d)) {
        return fault_qualified({0x52});
    }
    for (unsigned i = 0; i < 8; ++i) {
        if (!load((d & page) + (pasid & 63) * 64 + 8 * i, entry_[i])) {
            return fault_qualified({0x58});
        }
    }
    fpd_ |= bit(entry_[0], 1);
    if (!bit(entry_[0], 0)) {
        return fault_qualified({0x59});
    }
    // Without memory-type support [127:89] is reserved as well; some fields depend on
    // capabilities not modelled here.
    const bool reserved =
        (entry_[0] & 0xc00) != 0 || (entry_[1] & 0x7f0000) != 0 ||
        (entry_[2] & 0xf00) != 0 ||
        (entry_[3] | entry_[4] | entry_[5] | entry_[6] | entry_[7]) != 0;
    const bool soft = entry_[1] >> 23 != 0 || bit(entry_[0], 5);
    if (reserved || (soft && choose(SoftBitsAreReserved))) {
        return fault_qualified({0x5a});
    }
    return true;
}

void Oracle::translate(const u64* e)
{
    const u64 type = get(e[0], 8, 6), aw = get(e[0], 4, 2);
    const unsigned widest = (features_.aw - 30) / 9;
    const bool first = type == 1 || type == 3, second = type == 2 || type == 3;
    if (type == 0 || type > 4 || (type == 4 && !features_.pass_through) ||
        (second && (aw == 0 || aw > widest)) || (first && get(e[2], 3, 2) > 1)) {
        if (too_wide(e[2]) || too_wide(e[0])) {
            fault_qualified({0x5a, 0x5b});
        } else {
            fault_qualified({0x5b});
        }
        return;
    }
    // In fields the type does not use, and pointers out of reach: 5A or the walk's abort.
    if (too_wide(e[2]) || too_wide(e[0])) {
        fault_qualified({0x5a, 0x5b});
        return;
    }
    if (first) {
        if (privileged_ && !bit(e[2], 0)) {
            // By RID_PRIV rather than by a PASID's PR bit: editions differ.
            out_.wild |= !a_.has_pasid;
            fault_qualified({0x5d});
            return;
        }
        if (execute_ && !a_.write && !bit(e[2], 1)) {
            fault_qualified({0x5c});
            return;
        }
    } else {
        out_.wild |= (privileged_ && !bit(e[2], 0)) || (execute_ && !bit(e[2], 1));
    }
    const SecondStage s{e[0] & page, 30 + 9 * static_cast<unsigned>(aw), bit(e[0], 9),
                        bit(e[0], 5)};
    u64 address = a_.address;
    if (first && !first_stage(e, second ? &s : nullptr, address)) {
        return;
    }
    if (second && !second_stage(s, address, a_.write,
                                type == 3 ? Stage::Nested : Stage::Second, address)) {
        return;
    }
    if (type == 4 && (a_.address & ~low(features_.aw)) != 0) {
        fault_qualified({0x83});
        return;
    }
    out_.passes = true;
    out_.output = address;
}

void Oracle::run_scalable()
{
    const unsigned bus = a_.source >> 8, devfn = a_.source & 0xff;
    const u64 root_at = (root_ & page) + bus * 16;
    u64 half[2] = {};
    if (!load(root_at, half[0]) || !load(root_at + 8, half[1])) {
        fault({0x38});
        return;
    }
    const u64 mine = half[devfn >> 7], other = half[1 - (devfn >> 7)];
    if (!bit(mine, 0)) {
        fault({0x39});
        return;
    }
    if ((mine & 0xffe) != 0 || too_wide(mine) ||
        ((other & 0xffe) != 0 && choose(SoftBitsAreReserved))) {
        fault({0x3a});
        return;
    }
    if (!context((mine & page) + (devfn & 127) * 32)) {
        return;
    }
    std::uint32_t pasid = a_.pasid;
    if (a_.has_pasid) {
        if (!bit(context_[0], 3)) {
            fault_qualified({0x45});
            return;
        }
        privileged_ = a_.privileged;
        execute_ = a_.execute;
    } else {
        pasid = static_cast<std::uint32_t>(get(context_[1], 19, 0));
        privileged_ = bit(context_[1], 20);
    }
    if (pasid >> features_.pasid_bits != 0) {
        out_.wild = true;
    }
    if (pasid_entry(pasid)) {
        translate(entry_);
    }
}

}  // namespace oracle::vtd
