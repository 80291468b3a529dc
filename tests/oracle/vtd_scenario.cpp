// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/oracle/vtd_scenario.hpp"

#include <algorithm>
#include <cstdio>

#include "tests/oracle/words.hpp"

namespace oracle::vtd {
namespace {

constexpr std::uint64_t page = 0x1000;

}  // namespace

Scenario::Scenario(Arena& arena, const Features& features, std::uint64_t seed)
    : Damaged(arena, seed), features_(features)
{
    arena_.reset();
    source_ = static_cast<std::uint16_t>(rng_());
    root_ = arena_.allocate(page);
    features.scalable ? build_scalable() : build_legacy();
    const auto mappings = pick(rng_, 1, 6);
    for (std::uint64_t i = 0; i < mappings; ++i) {
        map_something(static_cast<unsigned>(rng_() % spaces_.size()));
    }
}

void Scenario::make_space(unsigned index)
{
    Space& s = spaces_[index];
    // Distinct domains: second-stage entries are tagged by nothing else.
    s.domain = static_cast<std::uint16_t>(rng_() << 2 | index);
    const unsigned widths = (features_.aw - 30) / 9;
    s.second_width = 30 + 9 * static_cast<unsigned>(pick(rng_, 1, widths));
    s.first_width = chance(rng_, 25) ? 57 : 48;
    if (s.type & 2) {
        s.second = arena_.allocate(page);
    }
    if (s.type == 3) {
        const unsigned room = std::min(s.second_width, features_.aw) - 31;
        s.shift = chance(rng_, 60) ? rng_() % (1ull << room) << 30 : 0;
        while ((Arena::base + Arena::size + s.shift) >> s.second_width != 0) {
            s.shift = s.shift >> 1 & ~low(30);
        }
    }
    if (s.type & 1) {
        s.first = arena_.allocate(page);
        reach(index, s.first, page);
    }
}

void Scenario::build_legacy()
{
    spaces_.resize(1);
    make_space(0);
    const Space& s = spaces_[0];
    const std::uint64_t contexts = arena_.allocate(page);
    put(contexts | 1, {root_ + (source_ >> 8) * 16, Word::Root});
    put(0, {root_ + (source_ >> 8) * 16 + 8, Word::Root});
    const std::uint64_t at = contexts + (source_ & 0xff) * 16;
    const auto dice = rng_() % 100;
    const std::uint64_t type = dice < 88 ? 0 : dice < 96 ? 2 : rng_() & 3;
    const unsigned width = type == 2 ? features_.aw : s.second_width;
    put(s.second | type << 2 | (chance(rng_, 10) ? 2 : 0) | 1, {at, Word::Context});
    put(std::uint64_t{s.domain} << 8 | (width - 30) / 9 | (rng_() & 0xf) << 3,
        {at + 8, Word::Context});
}

void Scenario::build_scalable()
{
    const auto count = static_cast<unsigned>(pick(rng_, 1, 3));
    spaces_.resize(count);
    const std::uint64_t contexts = arena_.allocate(page);
    const unsigned devfn = source_ & 0xff;
    put(contexts | 1, {root_ + (source_ >> 8) * 16 + (devfn >> 7) * 8, Word::Root});
    const std::uint64_t at = contexts + (devfn & 127) * 32;
    const unsigned pdts = static_cast<unsigned>(rng_() % 8);
    const std::uint64_t directory =
        arena_.allocate(std::max<std::uint64_t>(page, 1024ull << pdts));
    for (unsigned i = 0; i < count; ++i) {
        Space& s = spaces_[i];
        s.type = static_cast<unsigned>(chance(rng_, 5) ? 4 : pick(rng_, 1, 3));
        // The first one serves requests without PASID.
        s.has_pasid = i != 0;
        s.pasid = static_cast<std::uint32_t>(
            rng_() & low(std::min(pdts + 13, features_.pasid_bits)));
        make_space(i);
        const std::uint64_t entry = directory + (s.pasid >> 6) * 8;
        std::uint64_t table = arena_.peek(entry) & ~low(12);
        if (table == 0) {
            table = arena_.allocate(page);
            put(table | 1, {entry, Word::Directory, i});
        }
        const std::uint64_t p = table + (s.pasid & 63) * 64;
        put(s.second | std::uint64_t{s.type} << 6 | (s.second_width - 30) / 9 << 2 |
                (chance(rng_, 40) ? 1u << 9 : 0) | (chance(rng_, 8) ? 2 : 0) | 1,
            {p, Word::Pasid, i});
        put(s.domain, {p + 8, Word::Pasid, i});
        // SRE, ERE, FSPM, WPE, NXE, SMEP, EAFE.
        std::uint64_t w = s.first == 0 ? 0 : s.first + s.shift;
        w |= (chance(rng_, 85) ? 1 : 0) | (chance(rng_, 85) ? 2 : 0);
        w |= s.first_width == 57 ? 1u << 2 : 0;
        w |= (rng_() & 0x5) << 4 | (chance(rng_, 80) ? 1u << 5 : 0);
        w |= chance(rng_, 25) ? 1u << 7 : 0;
        put(w, {p + 16, Word::Pasid, i});
    }
    put(directory | std::uint64_t{pdts} << 9 | 1u << 3 | (chance(rng_, 8) ? 2 : 0) | 1,
        {at, Word::Context});
    put(spaces_[0].pasid | (chance(rng_, 20) ? 1u << 20 : 0), {at + 8, Word::Context});
}

std::uint64_t Scenario::attributes(Word word)
{
    if (word == Word::Second) {
        const std::uint64_t rw = chance(rng_, 75) ? 3 : rng_() & 3;
        return rw | (rng_() & 1) << 2 | (rng_() & 3) << 8 | (rng_() & 0x3ff) << 52 |
               (rng_() & 1) << 63;
    }
    std::uint64_t a = chance(rng_, 97) ? 1 : 0;
    a |= chance(rng_, 70) ? 2 : 0;               // R/W
    a |= chance(rng_, 75) ? 4 : 0;               // U/S
    a |= (rng_() & 3) << 3 | (rng_() & 3) << 5;  // PWT, PCD; A, D
    a |= chance(rng_, 20) ? 1ull << 63 : 0;      // XD
    return a | (rng_() & 0x7ff) << 52 | (rng_() & 1) << 9 | (rng_() & 1) << 11;
}

int Scenario::map(unsigned space, Word word, std::uint64_t input, std::uint64_t output,
                  int level, std::uint64_t attributes)
{
    const Space& s = spaces_[space];
    const unsigned width = word == Word::First ? s.first_width : s.second_width;
    const std::uint64_t shift = word == Word::First ? s.shift : 0;
    std::uint64_t table = word == Word::First ? s.first : s.second;
    for (int l = static_cast<int>(width - 12) / 9; l >= 1; --l) {
        const unsigned bits = 12 + 9 * static_cast<unsigned>(l - 1);
        const std::uint64_t at = table + (input >> bits & 0x1ff) * 8,
                            old = arena_.peek(at);
        const bool present = word == Word::First ? old & 1 : old & 3;
        if (present) {
            if (l == 1 || (old & 0x80) != 0) {
                return 0;
            }
            table = (old & low(52) & ~low(12)) - shift;
            if (!Arena::inside(table, page)) {
                return 0;
            }
            continue;
        }
        if (l == 1 || (l <= level && l <= 3)) {
            put((output & low(52) & ~low(bits)) | attributes | (l > 1 ? 0x80 : 0),
                {at, word, space, input, l});
            return l;
        }
        const std::uint64_t next = arena_.allocate(page);
        if (next == 0) {
            return 0;
        }
        std::uint64_t pointer = (next + shift) | (word == Word::First ? 7 : 3);
        if (chance(rng_, 10)) {
            pointer ^= word == Word::First ? 2ull << rng_() % 2 : 1ull << rng_() % 2;
        }
        put(pointer, {at, word, space, input, 0});
        if (word == Word::First) {
            reach(space, next, page);
        }
        table = next;
    }
    return 0;
}

void Scenario::reach(unsigned space, std::uint64_t pa, std::uint64_t bytes)
{
    const Space& s = spaces_[space];
    if (s.type != 3) {
        return;
    }
    for (std::uint64_t at = pa; at < pa + bytes; at += page) {
        map(space, Word::Second, at + s.shift, at, 1,
            chance(rng_, 97) ? 3 : attributes(Word::Second));
    }
}

void Scenario::map_something(unsigned index)
{
    const Space& s = spaces_[index];
    const int level = static_cast<int>(chance(rng_, 40) ? 1 : pick(rng_, 1, 3));
    const std::uint64_t output = rng_() & low(features_.aw);
    if (s.type == 4) {
        targets_.push_back({output, page, index});
        return;
    }
    if (!(s.type & 1)) {
        const std::uint64_t in = rng_() & low(std::min(s.second_width, features_.aw));
        if (const int l =
                map(index, Word::Second, in, output, level, attributes(Word::Second))) {
            targets_.push_back({in, page << 9 * (l - 1), index});
        }
        return;
    }
    std::uint64_t va = rng_() & low(s.first_width - 1);
    if (chance(rng_, 30)) {
        va |= ~low(s.first_width - 1);
    }
    const std::uint64_t ipa =
        s.type == 3 ? rng_() & low(s.second_width) & low(features_.aw) : output;
    const int l = map(index, Word::First, va, ipa, level, attributes(Word::First));
    if (l == 0) {
        return;
    }
    const std::uint64_t size = page << 9 * (l - 1);
    targets_.push_back({va, size, index});
    if (s.type == 3) {
        const std::uint64_t in = (ipa & ~(size - 1)) | (va & (size - 1));
        map(index, Word::Second, in, rng_() & low(features_.aw),
            static_cast<int>(pick(rng_, 1, 3)), attributes(Word::Second));
    }
}

// --- Accesses and damage
// ------------------------------------------------------------------

Access Scenario::random_access()
{
    Access a;
    a.source = chance(rng_, 97) ? source_ : static_cast<std::uint16_t>(rng_());
    a.write = chance(rng_, 40);
    if (!targets_.empty() && chance(rng_, 88)) {
        const Target& t = targets_[rng_() % targets_.size()];
        const Space& s = spaces_[t.space];
        a.has_pasid = s.has_pasid;
        a.pasid = s.has_pasid ? s.pasid : 0;
        const std::uint64_t block = t.address & ~(t.size - 1);
        const auto dice = rng_() % 100;
        a.address = dice < 60   ? (t.address & ~low(12)) | (rng_() & 0xfff)
                    : dice < 86 ? block | (rng_() & (t.size - 1))
                    : dice < 90 ? block
                    : dice < 94 ? block + t.size - 1
                    : dice < 97 ? block + t.size
                                : block - 1;
        if (chance(rng_, 4)) {
            a.address ^= 1ull << rng_() % 64;
        }
    } else {
        a.address = rng_() & low(static_cast<unsigned>(pick(rng_, 1, 64)));
    }
    if (chance(rng_, 5)) {
        a.has_pasid = !a.has_pasid;
        a.pasid = a.has_pasid
                      ? static_cast<std::uint32_t>(rng_() & low(features_.pasid_bits))
                      : 0;
    }
    // Without a PASID a request says nothing of privilege or execution.
    a.privileged = a.has_pasid && chance(rng_, 40);
    a.execute = a.has_pasid && chance(rng_, 20);
    return a;
}

void Scenario::change(const Place& p)
{
    std::uint64_t v = arena_.peek(p.at);
    const bool paging = p.word == Word::First || p.word == Word::Second;
    const auto dice = rng_() % 100;
    if (dice < 10) {
        v = 0;
    } else if (dice < 16 && paging) {
        v = rng_();
    } else if (dice < 32 && paging) {
        v = (v & ~(low(48) & ~low(12))) | (rng_() & low(features_.aw) & ~low(12));
    } else if (dice < 60 && paging) {
        v ^= rng_() & 0x80000000000000e7;
    } else {
        v ^= 1ull << rng_() % 64;
    }
    // Global first-stage pages and changed tags would need wider invalidations.
    if (p.word == Word::First) {
        v &= ~(1ull << 8);
    }
    arena_.store(p.at, v);
}

std::string Scenario::describe() const
{
    char line[160];
    std::snprintf(line, sizeof line, "source %#x, root %#llx\n", source_,
                  static_cast<unsigned long long>(root()));
    constexpr const char* names[] = {"root", "ctx", "dir", "pasid", "FS", "SS"};
    return line + list(names, &Place::space);
}

}  // namespace oracle::vtd
