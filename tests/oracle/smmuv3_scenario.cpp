// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/oracle/smmuv3_scenario.hpp"

#include <algorithm>
#include <cstdio>

#include "tests/oracle/smmuv3_oracle_bits.hpp"

namespace oracle {

SmmuScenario::SmmuScenario(Arena& arena, const SmmuFeatures& features, std::uint64_t seed)
    : Damaged(arena, seed), features_(features)
{
    arena_.reset();
    const auto dice = rng_() % 100;
    s1_ = features.stage1 && dice < 75;
    s2_ = features.stage2 && (dice >= 35 || !features.stage1);
    slow_tables_ = chance(rng_, 10);
    contiguous_ = chance(rng_, 12);
    // Wide enough for the arena's addresses, seldom reserved.
    ips_code_ = static_cast<unsigned>(chance(rng_, 60) ? 5 : rng_() % 8);
    ips_ = std::min(size_bits(ips_code_), features.oas);
    if (s2_) {
        build_stage2();
    }
    if (s1_) {
        build_contexts();
    }
    build_ste();
    build_stream_table();
    const unsigned mappings = static_cast<unsigned>(pick(rng_, 1, 6));
    for (unsigned i = 0; i < mappings; ++i) {
        if (s1_) {
            map_something(static_cast<unsigned>(rng_() % contexts_.size()));
        } else if (s2_) {
            map_ipa(rng_() & low(stage2_.input_bits));
        } else {
            targets_.push_back({rng_() & low(features.oas), 0x1000, false, 0});
        }
    }
}

// --- Stream table

void SmmuScenario::build_ste()
{
    ste_at_ = 0;
    const unsigned span =
        static_cast<unsigned>(pick(rng_, 0, 6));  // log2 of STEs around ours
    const bool two_level = chance(rng_, 50);
    constexpr unsigned splits[] = {6, 8, 10};
    const unsigned split = splits[rng_() % 3];
    if (!two_level) {
        const std::uint64_t table = arena_.allocate(64ull << span);
        registers_.strtab_base = table;
        registers_.strtab_cfg = span | (chance(rng_, 50) ? split << 6 : 0);
        stream_ = static_cast<std::uint32_t>(rng_() & low(span));
        ste_at_ = table + stream_ * 64ull;
    } else {
        const unsigned log2size = static_cast<unsigned>(pick(rng_, split, 16));
        const std::uint64_t l1_bytes =
            std::max<std::uint64_t>(64, 8ull << (log2size - split));
        const std::uint64_t l1 = arena_.allocate(l1_bytes);
        const std::uint64_t l2 = arena_.allocate(64ull << span);
        const std::uint64_t index = rng_() & low(log2size - split);
        stream_ = static_cast<std::uint32_t>(index << split | (rng_() & low(span)));
        registers_.strtab_base = l1;
        registers_.strtab_cfg = log2size | split << 6 | 1u << 16;
        put(l1 + index * 8, l2 | (span + 1), Word::StreamTable);
        ste_at_ = l2 + (stream_ & low(split)) * 64;
    }
}

void SmmuScenario::build_stream_table()
{
    const std::uint64_t config =
        chance(rng_, 2) ? rng_() & 7 : 4 | (s1_ ? 1 : 0) | (s2_ ? 2 : 0);
    std::uint64_t w0 = 1 | config << 1;
    std::uint64_t w1 = rng_() & 0xff;  // S1CIR, S1COR, S1CSH, and S1DSS
    w1 |= (rng_() & 3) << 44;          // SHCFG
    if (chance(rng_, 60)) {
        w1 = (w1 & ~3ull) | 2;  // S1DSS: CD 0 without a substream
    }
    if (s1_) {
        w0 |= cd_pointer_ | std::uint64_t{cd_format_} << 4 | std::uint64_t{cd_max_} << 59;
    } else {
        w0 |= rng_() & (0x1full << 59 | 3 << 4);  // IGNORED
    }
    put(ste_at_, w0, Word::Ste);
    put(ste_at_ + 8, w1, Word::Ste);
    std::uint64_t w2 = rng_() & 0xffff;  // S2VMID
    if (s2_) {
        w2 |= std::uint64_t{s2t0sz_} << 32 | std::uint64_t{s2sl0_} << 38;
        w2 |= tg0_code(stage2_.granule) << 46 | std::uint64_t{s2ps_code_} << 48 |
              1ull << 51;
        w2 |= chance(rng_, 10) ? 1ull << 53 : 0;  // S2AFFD
        w2 |= chance(rng_, 20) ? 1ull << 54 : 0;  // S2PTW
        w2 |= chance(rng_, 85) ? 1ull << 58 : 0;  // S2R
        w2 |= (rng_() & 0x3f) << 40;
        put(ste_at_ + 24, stage2_.root, Word::Ste);
    }
    put(ste_at_ + 16, w2, Word::Ste);
}

// --- Accesses and damage

Access SmmuScenario::random_access()
{
    Access a;
    a.stream = chance(rng_, 97) ? stream_ : static_cast<std::uint32_t>(rng_() & 0xffff);
    a.write = chance(rng_, 40);
    a.privileged = chance(rng_, 50);
    a.instruction = chance(rng_, 20);
    if (!targets_.empty() && chance(rng_, 85)) {
        const Target& t = targets_[rng_() % targets_.size()];
        a.has_substream = t.has_substream;
        a.substream = t.substream;
        const std::uint64_t block = t.address & ~(t.size - 1);
        const auto dice = rng_() % 100;
        a.address = dice < 60   ? t.address + (rng_() & 0xfff) - (t.address & 0xfff)
                    : dice < 85 ? block | (rng_() & (t.size - 1))
                    : dice < 88 ? block
                    : dice < 91 ? block + t.size - 1
                    : dice < 95 ? block + t.size
                                : block - 1;
        if (chance(rng_, 10)) {
            a.address ^= rng_() << 56;  // a tag in the top byte
        }
        if (chance(rng_, 3)) {
            a.address ^= 1ull << (rng_() % 64);
        }
    } else {
        a.address = rng_() & low(static_cast<unsigned>(pick(rng_, 1, 64)));
        if (chance(rng_, 25)) {
            a.address = ~a.address;
        }
    }
    if (chance(rng_, 8)) {
        a.has_substream = !a.has_substream;
        a.substream = static_cast<std::uint32_t>(
            rng_() & low(static_cast<unsigned>(pick(rng_, 0, 20))));
    }
    if (!a.has_substream) {
        a.substream = 0;
    }
    return a;
}

void SmmuScenario::change(const Place& p)
{
    std::uint64_t v = arena_.peek(p.at);
    const bool descriptor = p.word == Word::Stage1 || p.word == Word::Stage2;
    // Contiguous must be set consistently, and nG must be when there are several
    // contexts: those two are left alone.
    const std::uint64_t fixed = descriptor ? 1ull << 52 | 1ull << 11 : 0;
    const std::uint64_t before = v;
    const auto dice = rng_() % 100;
    if (dice < 10) {
        v = 0;
    } else if (dice < 20 && p.word != Word::Cd && p.word != Word::Ste) {
        v = rng_();
    } else if (dice < 35 && descriptor) {
        v = (v & ~(low(48) & ~low(12))) | (rng_() & low(48) & ~low(12));
    } else if (dice < 60 && descriptor) {
        v ^= rng_() & (3ull << 6 | 3ull << 53 | 1ull << 10 | 0x1full << 59 | 3);
    } else {
        const auto flips = pick(rng_, 1, 2);
        for (std::uint64_t i = 0; i < flips; ++i) {
            v ^= 1ull << (rng_() % 64);
        }
    }
    arena_.store(p.at, (v & ~fixed) | (before & fixed));
}

bool SmmuScenario::ambiguous_tags() const
{
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (contexts_[i].cd != contexts_[j].cd &&
                arena_.peek(contexts_[i].cd) >> 48 ==
                    arena_.peek(contexts_[j].cd) >> 48) {
                return true;
            }
        }
    }
    return false;
}

std::string SmmuScenario::describe() const
{
    char line[160];
    std::snprintf(line, sizeof line, "stream %#x, STE at %#llx, strtab %#llx cfg %#x\n",
                  stream_, static_cast<unsigned long long>(ste_at_),
                  static_cast<unsigned long long>(registers_.strtab_base),
                  registers_.strtab_cfg);
    constexpr const char* names[] = {"L1STD", "STE", "L1CD", "CD", "S1", "S2"};
    return line + list(names, &Place::context);
}

}  // namespace oracle
