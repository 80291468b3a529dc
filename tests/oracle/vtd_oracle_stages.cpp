// SPDX-License-Identifier: GPL-2.0-or-later
// The two stages: VT-d 3.6, 3.7, 9.7, 9.8.
#include "tests/oracle/vtd_oracle.hpp"

#include <algorithm>

#include "tests/oracle/vtd_oracle_bits.hpp"

namespace oracle::vtd {

// --- Second stage: VT-d 3.7, 9.8

bool Oracle::second_stage(const SecondStage& s, u64 input, bool write, Stage stage,
                          u64& out)
{
    const bool legacy = stage == Stage::Legacy;
    const auto refuse = [&](std::initializer_list<unsigned> old_reason,
                            std::initializer_list<unsigned> new_reason) {
        out_.any_reason |= stage == Stage::Nested;
        return fault_qualified(legacy ? old_reason : new_reason);
    };
    const auto denied = [&] {
        // An instruction fetch that may not read: which of the two reasons is left open.
        return write      ? refuse({0x05}, {0x85})
               : execute_ ? refuse({0x06}, {0x86, 0x82})
                          : refuse({0x06}, {0x86});
    };
    if (input & ~low(std::min(s.width, features_.aw))) {
        return refuse({0x04}, {0x83, 0x84});
    }
    bool readable = true, writable = true;
    u64 table = s.table;
    std::vector<Answer::Mark> marks;
    for (unsigned level = (s.width - 12) / 9;; --level) {
        const unsigned shift = 12 + 9 * (level - 1);
        const u64 at = table + (input >> shift & 0x1ff) * 8;
        u64 e = 0;
        if (!load(at, e)) {
            return refuse({0x07}, {0x78, 0x7b});
        }
        if ((e & 3) == 0) {
            const bool present = s.executes && bit(e, 2) && choose(ExecuteAloneIsPresent);
            if (!present) {
                return legacy ? denied() : refuse({}, {0x79});
            }
            out_.wild |= execute_;  // what else a fetch needs is not modelled
        }
        const bool leaf = level == 1 || (bit(e, 7) && level <= 3);
        const u64 field = e & address_field;
        bool reserved = bit(e, 7) && level > 3;
        bool soft = false;
        if (leaf) {
            reserved |= (field & low(shift)) != 0;
            soft |= (bit(e, 11) && !features_.snoop_control) || bit(e, 62);
        } else {
            soft |= bit(e, 11) || bit(e, 62) || get(e, 6, 3) != 0;
        }
        if (reserved || (soft && choose(SoftEntryBitsAreReserved)) || too_wide(field)) {
            return refuse({0x0c}, {0x7a});
        }
        readable &= bit(e, 0);
        writable &= bit(e, 1);
        if (!(write ? writable : readable) && (leaf || choose(PermissionIsChecked))) {
            return denied();
        }
        if (s.accessed_dirty) {
            marks.push_back({at, 1ull << 8 | (leaf && write ? 1ull << 9 : 0)});
        }
        if (leaf) {
            out = (field & ~low(shift)) | (input & low(shift));
            out_.marks.insert(out_.marks.end(), marks.begin(), marks.end());
            return true;
        }
        table = field;
    }
}

// --- First stage: VT-d 3.6, 9.7

bool Oracle::first_stage(const u64* entry, const SecondStage* outer, u64& out)
{
    const u64 w = entry[2];
    const bool wpe = bit(w, 4), nxe = bit(w, 5), smep = bit(w, 6), eafe = bit(w, 7);
    const unsigned levels = get(w, 3, 2) == 1 ? 5 : 4;
    const unsigned width = 12 + 9 * levels;
    const u64 upper = get(a_.address, 63, width - 1);
    if (upper != 0 && upper != low(64 - (width - 1))) {
        return fault_qualified({0x80});
    }
    u64 table = w & page;
    bool user = true, writable = true, execute = true;
    std::vector<Answer::Mark> marks;
    for (unsigned level = levels;; --level) {
        const unsigned shift = 12 + 9 * (level - 1);
        const u64 at = table + (a_.address >> shift & 0x1ff) * 8;
        u64 pa = at, e = 0;
        if (outer != nullptr && !second_stage(*outer, at, false, Stage::Nested, pa)) {
            return false;
        }
        if (!load(pa, e)) {
            return fault_qualified({0x70, 0x73});
        }
        if (!bit(e, 0)) {
            return fault_qualified({0x71});
        }
        const bool leaf = level == 1 || (bit(e, 7) && level <= 3);
        const u64 field = e & address_field;
        // Bit 12 of a large page is PAT.
        const u64 below = leaf && level > 1 ? field & low(shift) & ~(1ull << 12) : 0;
        if ((bit(e, 7) && level > 3) || below != 0 || (bit(e, 63) && !nxe) ||
            too_wide(field)) {
            return fault_qualified({0x72});
        }
        const u64 mark =
            1ull << 5 | (leaf && a_.write ? 1ull << 6 : 0) | (eafe ? 1ull << 10 : 0);
        if (outer != nullptr && (e & mark) != mark) {
            // The update is a write through the second stage; when it is refused, the
            // manual does not say how far the walk has come.
            auto kept = out_;
            const bool was_muted = fpd_;
            if (!second_stage(*outer, at, true, Stage::Nested, pa)) {
                kept.wild = true;
            }
            out_ = kept;
            fpd_ = was_muted;
        }
        writable &= bit(e, 1);
        user &= bit(e, 2);
        execute &= !bit(e, 63);
        marks.push_back({pa, mark});
        if (!leaf) {
            table = field;
            continue;
        }
        if (!privileged_ && !user) {
            return fault_qualified({0x81});
        }
        if (execute_ && !a_.write && (!execute || (privileged_ && smep && user))) {
            return fault_qualified({0x82});
        }
        if (a_.write && !writable && (!privileged_ || wpe)) {
            return fault_qualified({0x85});
        }
        out = (field & ~low(shift)) | (a_.address & low(shift));
        // In a nested walk every update is itself a write through the second stage.
        if (outer == nullptr) {
            out_.marks = marks;
        }
        return true;
    }
}

}  // namespace oracle::vtd
