// SPDX-License-Identifier: GPL-2.0-or-later
// Guest memory for property tests: what was written is remembered, so that a scenario can
// be undone quickly, damaged in chosen places, and printed.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace oracle {

using Rng = std::mt19937_64;

inline bool chance(Rng& rng, unsigned percent)
{
    return rng() % 100 < percent;
}
// In [least, most].
inline std::uint64_t pick(Rng& rng, std::uint64_t least, std::uint64_t most)
{
    return least + (most - least == ~0ull ? rng() : rng() % (most - least + 1));
}

class Arena {
public:
    static constexpr std::uint64_t base = 0x4000'0000;
    static constexpr std::uint64_t ram_size = 32 << 20;
    // Behind the RAM: memory that answers reads but has no host pointer.
    static constexpr std::uint64_t size = ram_size + (4 << 20);
    static constexpr std::uint64_t queues = 0x10'0000;  // kept apart, never undone

    Arena() : bytes_(size) {}

    std::uint8_t* host() { return bytes_.data(); }
    static bool inside(std::uint64_t at, std::uint64_t n)
    {
        return at >= base && at - base <= size && n <= size - (at - base);
    }
    bool read(std::uint64_t at, void* to, std::uint64_t n) const
    {
        if (!inside(at, n)) {
            return false;
        }
        std::memcpy(to, bytes_.data() + (at - base), n);
        return true;
    }
    bool write(std::uint64_t at, const void* from, std::uint64_t n)
    {
        if (!inside(at, n)) {
            return false;
        }
        std::memcpy(bytes_.data() + (at - base), from, n);
        return true;
    }
    std::uint64_t peek(std::uint64_t at) const
    {
        std::uint64_t v = 0;
        read(at, &v, 8);
        return v;
    }
    void poke(std::uint64_t at, std::uint64_t v) { write(at, &v, 8); }

    // A word of the scenario: undone by reset().
    void store(std::uint64_t at, std::uint64_t v)
    {
        poke(at, v);
        written_.push_back(at);
    }
    // `n` bytes (a power of two), aligned to themselves; 0 when the arena is full.
    std::uint64_t allocate(std::uint64_t n, bool slow = false)
    {
        auto& next = slow ? next_slow_ : next_;
        const std::uint64_t at = (next + n - 1) & ~(n - 1);
        if (at + n > (slow ? base + size : base + ram_size)) {
            return 0;
        }
        next = at + n;
        return at;
    }
    void reset()
    {
        for (const auto at : written_) {
            poke(at, 0);
        }
        written_.clear();
        next_ = base + queues;
        next_slow_ = base + ram_size;
    }

private:
    std::vector<std::uint8_t> bytes_;
    std::vector<std::uint64_t> written_;
    std::uint64_t next_ = base + queues, next_slow_ = base + ram_size;
};

}  // namespace oracle
