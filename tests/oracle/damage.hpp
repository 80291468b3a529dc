// SPDX-License-Identifier: GPL-2.0-or-later
// The words a scenario has written, and their damage.
#pragma once

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/oracle/arena.hpp"

namespace oracle {

template <typename Place>
struct ChangeOf {
    Place place;
    std::uint64_t before = 0, after = 0;
};

// Place has the address `at`, a Word `word`, and the address `input` that it is for.
template <typename Place>
class Damaged {
public:
    // Damages `count` places; damage i is left out when bit i of `except` is set.
    void damage(unsigned count, std::uint64_t except)
    {
        for (unsigned i = 0; i < count; ++i) {
            const Place p = places_[rng_() % places_.size()];
            const std::uint64_t before = arena_.peek(p.at);
            change(p);
            if (except >> i & 1) {
                arena_.store(p.at, before);
            }
        }
    }
    // Changes one word at random; says which, so that it can be invalidated.
    ChangeOf<Place> mutate()
    {
        ChangeOf<Place> c{places_[rng_() % places_.size()]};
        c.before = arena_.peek(c.place.at);
        change(c.place);
        c.after = arena_.peek(c.place.at);
        return c;
    }

protected:
    Damaged(Arena& arena, std::uint64_t seed) : arena_(arena), rng_(seed) {}
    ~Damaged() = default;

    virtual void change(const Place& place) = 0;
    // Writes a word, which is then the only one known there.
    void put(std::uint64_t v, const Place& place)
    {
        arena_.store(place.at, v);
        const auto known = std::find_if(places_.begin(), places_.end(),
                                        [&](const Place& p) { return p.at == place.at; });
        if (known == places_.end()) {
            places_.push_back(place);
        } else {
            *known = place;
        }
    }
    // A line a word: its name, by Word, whose it is, and what it now says.
    std::string list(const char* const* names, unsigned Place::*whose) const
    {
        std::string text;
        for (const Place& p : places_) {
            char line[160];
            std::snprintf(line, sizeof line,
                          "  %-5s %u [%#" PRIx64 "] = %#018" PRIx64 " (for %#" PRIx64
                          ")\n",
                          names[static_cast<unsigned>(p.word)], p.*whose, p.at,
                          arena_.peek(p.at), p.input);
            text += line;
        }
        return text;
    }

    Arena& arena_;
    Rng rng_;
    std::vector<Place> places_;
};

}  // namespace oracle
