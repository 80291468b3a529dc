// SPDX-License-Identifier: GPL-2.0-or-later
// A scenario's page tables (DDI 0487 D8), and the CDs that stage 1 begins with
// (SMMU 5.4).
#include <algorithm>

#include "tests/oracle/smmuv3_oracle_bits.hpp"
#include "tests/oracle/smmuv3_scenario.hpp"

namespace oracle {
namespace {

constexpr unsigned granules[] = {12, 14, 16};

// DDI 0487 D8.6.1: how many descriptors share one Contiguous run.
unsigned run_length(unsigned granule, int level)
{
    return granule == 12 ? 16 : granule == 14 && level == 3 ? 128 : 32;
}

// The highest level (lowest number) that may hold a block.
int block_level(unsigned granule)
{
    return granule == 12 ? 1 : 2;
}

}  // namespace

std::uint64_t SmmuScenario::stage1_attributes()
{
    std::uint64_t a = 1ull << 11;                       // nG
    a |= chance(rng_, 94) ? 1ull << 10 : 0;             // AF
    a |= (chance(rng_, 60) ? 1ull : rng_() & 3) << 6;   // AP[2:1]
    a |= (chance(rng_, 60) ? 0ull : rng_() & 3) << 53;  // PXN, UXN
    a |= (rng_() & 7) << 2 | (rng_() & 3) << 8;         // AttrIndx, SH
    a |= (rng_() & 0xf) << 55 | (rng_() & 1) << 51 | (rng_() & 1) << 5;
    return a;
}

std::uint64_t SmmuScenario::stage2_attributes()
{
    std::uint64_t a = 0;
    a |= chance(rng_, 95) ? 1ull << 10 : 0;                // AF
    a |= (chance(rng_, 75) ? 3ull : rng_() & 3) << 6;      // S2AP
    a |= (chance(rng_, 65) ? 0ull : rng_() & 3) << 53;     // XN
    a |= (chance(rng_, 85) ? 0xfull : rng_() & 0xf) << 2;  // MemAttr
    a |= (rng_() & 3) << 8 | (rng_() & 0xf) << 55 | (rng_() & 1) << 51;
    return a;
}

// A whole Contiguous run around `input`, if the table has room for it.
bool SmmuScenario::map_run(const Tree& tree, std::uint64_t table, std::uint64_t input,
                           std::uint64_t output, int level, std::uint64_t attributes)
{
    const unsigned shift = tree.shift(level), run = run_length(tree.granule, level);
    const std::uint64_t entries = level == tree.start ? 1ull << (tree.input_bits - shift)
                                                      : 1ull << (tree.granule - 3);
    // 32 bits: the smallest output size; a run beyond it would be only partly valid.
    if (entries < run || (std::uint64_t{run} << shift) > 1ull << 32) {
        return false;
    }
    const std::uint64_t first =
        ((input & low(tree.input_bits)) >> shift & (entries - 1)) &
        ~std::uint64_t{run - 1};
    for (unsigned i = 0; i < run; ++i) {
        if (arena_.peek(table + (first + i) * 8) != 0) {
            return false;
        }
    }
    const std::uint64_t base = output & low(48) & ~((std::uint64_t{run} << shift) - 1);
    for (unsigned i = 0; i < run; ++i) {
        put((base + (std::uint64_t{i} << shift)) | attributes | 1ull << 52 |
                (level == 3 ? 3 : 1),
            {table + (first + i) * 8, tree.word, tree.context, input, level,
             tree.granule});
    }
    return true;
}

int SmmuScenario::map(const Tree& tree, std::uint64_t input, std::uint64_t output,
                      int level, std::uint64_t attributes)
{
    std::uint64_t table = tree.root;
    for (int l = tree.start; l <= 3; ++l) {
        const unsigned shift = tree.shift(l);
        const std::uint64_t index = (input & low(tree.input_bits)) >> shift &
                                    (l == tree.start ? ~0ull : low(tree.granule - 3));
        const std::uint64_t at = table + index * 8, old = arena_.peek(at);
        const bool leaf_here = l == 3 || (l >= level && l >= block_level(tree.granule));
        if ((old & 3) == 3 && l < 3) {
            // Follow our own pointer back to a PA.
            table = (old & low(48) & ~low(tree.granule)) - tree.to_pointer;
            if (!Arena::inside(table, low(tree.granule) + 1)) {
                return -1;
            }
            continue;
        }
        if (old & 1) {
            return -1;  // a block is in the way
        }
        if (leaf_here && contiguous_ && chance(rng_, 50) &&
            map_run(tree, table, input, output, l, attributes)) {
            return l;
        }
        if (leaf_here) {
            put((output & low(48) & ~low(shift)) | attributes | (l == 3 ? 3 : 1),
                {at, tree.word, tree.context, input, l, tree.granule});
            return l;
        }
        const std::uint64_t bytes = 1ull << tree.granule;
        const std::uint64_t next =
            arena_.allocate(bytes, slow_tables_ && chance(rng_, 20));
        if (next == 0) {
            return -1;
        }
        std::uint64_t pointer = (next + tree.to_pointer) | 3;
        if (tree.word == Word::Stage1 && chance(rng_, 15)) {
            pointer |= rng_() & (0x1full << 59);  // NSTable, APTable, UXNTable, PXNTable
        }
        put(pointer, {at, tree.word, tree.context, input, -1, tree.granule});
        if (tree.word == Word::Stage1) {
            make_reachable(next, bytes);
        }
        table = next;
    }
    return -1;
}

// --- Stage 2

void SmmuScenario::build_stage2()
{
    Tree& t = stage2_;
    t.word = Word::Stage2;
    for (;;) {
        t.granule = granules[rng_() % 3];
        s2sl0_ = static_cast<unsigned>(rng_() % 3);
        t.start = (t.granule == 12 ? 2 : 3) - static_cast<int>(s2sl0_);
        const unsigned stride = t.granule - 3;
        const unsigned least =
            static_cast<unsigned>(3 - t.start) * stride + t.granule + 1;
        const unsigned most = std::min(least + stride - 1 + 4, features_.oas);
        const unsigned floor = std::max(least, 31u);
        if (floor > most ||
            (s2sl0_ == 2 && features_.oas < (t.granule == 14 ? 42u : 44u))) {
            continue;
        }
        t.input_bits = static_cast<unsigned>(pick(rng_, floor, most));
        break;
    }
    s2t0sz_ = 64 - t.input_bits;
    s2ps_code_ = static_cast<unsigned>(chance(rng_, 70) ? 5 : rng_() % 8);
    t.root = arena_.allocate(t.root_bytes());
    // IPAs of tables: PA plus a multiple of 1 GiB that both stages can express.
    const unsigned room = std::min(t.input_bits, ips_);
    shift_ = room > 32 && chance(rng_, 60) ? rng_() % (1ull << (room - 31)) << 30 : 0;
    while (((Arena::base + Arena::size + shift_) & ~low(room)) != 0) {
        shift_ = shift_ >> 1 & ~low(30);
    }
    if (s1_ && chance(rng_, 50)) {
        // The whole arena at once, where a block covers it.
        for (std::uint64_t at = Arena::base; at < Arena::base + Arena::size;
             at += 2 << 20) {
            map(t, at + shift_, at, block_level(t.granule) + (chance(rng_, 50) ? 1 : 0),
                0x7fcull);
        }
    }
}

void SmmuScenario::make_reachable(std::uint64_t pa, std::uint64_t bytes)
{
    if (!s2_) {
        return;
    }
    const std::uint64_t step = 1ull << stage2_.granule;
    for (std::uint64_t at = pa & ~(step - 1); at < pa + bytes; at += step) {
        // Normal memory, readable; now and then something less suitable.
        map(stage2_, at + shift_, at, 3,
            chance(rng_, 97) ? 0x7fcull : stage2_attributes());
    }
}

void SmmuScenario::map_ipa(std::uint64_t ipa)
{
    const unsigned ps = std::min(size_bits(s2ps_code_), features_.oas);
    const std::uint64_t output = rng_() & low(chance(rng_, 96) ? ps : 48);
    const int level = map(stage2_, ipa, output,
                          static_cast<int>(chance(rng_, 50) ? 1 : pick(rng_, 1, 3)),
                          stage2_attributes());
    if (level >= 0 && !s1_) {
        targets_.push_back({ipa, 1ull << stage2_.shift(level), false, 0});
    }
}

// --- Stage 1

void SmmuScenario::build_contexts()
{
    cd_max_ =
        features_.ssid_bits != 0 && chance(rng_, 55)
            ? static_cast<unsigned>(pick(rng_, 1, std::min(features_.ssid_bits, 14u)))
            : 0;
    cd_format_ = static_cast<unsigned>(rng_() % 4);
    const unsigned count = cd_max_ == 0 ? 1 : static_cast<unsigned>(pick(rng_, 1, 3));
    const auto first_asid = static_cast<std::uint16_t>(rng_());
    const bool linear = cd_max_ == 0 || cd_format_ == 0 || cd_format_ == 3;
    const unsigned leaf = cd_format_ == 1 ? 6 : 10;
    const std::uint64_t bytes =
        cd_max_ == 0 ? 64
        : linear
            ? 64ull << cd_max_
            : std::max<std::uint64_t>(64, cd_max_ > leaf ? 8ull << (cd_max_ - leaf) : 8);
    const std::uint64_t table = arena_.allocate(bytes);
    make_reachable(table, bytes);
    cd_pointer_ = table + shift_;
    contexts_.resize(count);
    for (unsigned i = 0; i < count; ++i) {
        Context& c = contexts_[i];
        c.asid = static_cast<std::uint16_t>(first_asid ^ (i * 3));  // two bits apart
        c.has_substream = cd_max_ != 0 && (i != 0 || chance(rng_, 50));
        c.substream =
            c.has_substream ? static_cast<std::uint32_t>(rng_() & low(cd_max_)) : 0;
        if (linear) {
            c.cd = table + c.substream * 64ull;
        } else {
            const std::uint64_t l1 =
                table + (cd_max_ > leaf ? (c.substream >> leaf) * 8ull : 0);
            std::uint64_t l2 = arena_.peek(l1);
            if (l2 == 0) {
                l2 = arena_.allocate(64ull << leaf);
                make_reachable(l2, 64ull << leaf);
                put(l1, (l2 + shift_) | 1, Word::CdTable, i);
            } else {
                l2 = (l2 & ~low(12)) - shift_;
            }
            c.cd = l2 + (c.substream & low(leaf)) * 64;
        }
        build_cd(c, i);
    }
}

void SmmuScenario::build_cd(Context& c, unsigned index)
{
    std::uint64_t w0 = 1ull << 31 | 1ull << 41 | 1ull << 46 | std::uint64_t{c.asid} << 48;
    w0 |= std::uint64_t{ips_code_} << 32;
    w0 |= chance(rng_, 85) ? 1ull << 45 : 0;  // R
    w0 |= chance(rng_, 10) ? 1ull << 35 : 0;  // AFFD
    w0 |= chance(rng_, 15) ? 1ull << 36 : 0;  // WXN
    w0 |= chance(rng_, 15) ? 1ull << 40 : 0;  // PAN
    w0 |=
        (rng_() & 3) << 38 | (rng_() & 1) << 37 | (rng_() & 1) << 47;  // TBIx, UWXN, ASET
    w0 |= (rng_() & 0x3f) << 8 | (rng_() & 0x3f) << 24;                // cacheability
    std::uint64_t ttb[2];
    for (unsigned upper = 0; upper < 2; ++upper) {
        Tree& t = c.halves[upper];
        t.context = index;
        t.upper = upper;
        t.granule = granules[rng_() % 3];
        t.input_bits = static_cast<unsigned>(chance(rng_, 40) ? 48 : pick(rng_, 25, 48));
        t.start = 3 - static_cast<int>((t.input_bits - 1 - t.granule) / (t.granule - 3));
        t.to_pointer = shift_;
        t.root = arena_.allocate(std::max<std::uint64_t>(t.root_bytes(), 16));
        make_reachable(t.root, t.root_bytes());
        w0 |= std::uint64_t{64 - t.input_bits} << (upper ? 16 : 0);
        w0 |= (upper ? tg1_code(t.granule) : tg0_code(t.granule)) << (upper ? 22 : 6);
        w0 |= chance(rng_, 8) ? 1ull << (upper ? 30 : 14) : 0;        // EPDx
        ttb[upper] = (t.root + shift_) | (chance(rng_, 30) ? 2 : 0);  // HADx
    }
    put(c.cd, w0, Word::Cd, index);
    put(c.cd + 8, ttb[0], Word::Cd, index);
    put(c.cd + 16, ttb[1], Word::Cd, index);
    put(c.cd + 24, rng_(), Word::Cd, index);  // MAIR
}

void SmmuScenario::map_something(unsigned index)
{
    const Context& c = contexts_[index];
    const Tree& t = c.halves[chance(rng_, 30) ? 1 : 0];
    std::uint64_t va = rng_() & low(t.input_bits);
    if (t.upper) {
        va |= ~low(t.input_bits);
    }
    const std::uint64_t output = rng_() & low(chance(rng_, 96) ? ips_ : 48);
    const int level =
        map(t, va, output, static_cast<int>(pick(rng_, 1, 3)), stage1_attributes());
    if (level < 0) {
        return;
    }
    const std::uint64_t size = 1ull << t.shift(level);
    targets_.push_back({va, size, c.has_substream, c.substream});
    if (s2_) {
        const std::uint64_t block = output & ~(size - 1) & low(48);
        map_ipa(block | (va & (size - 1)));
        if (chance(rng_, 50)) {
            map_ipa(block | (rng_() & (size - 1)));
        }
    }
}

}  // namespace oracle
