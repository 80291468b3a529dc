// SPDX-License-Identifier: GPL-2.0-or-later
// Random but mostly sensible VT-d structures in memory, then damaged on purpose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/oracle/damage.hpp"
#include "tests/oracle/vtd_oracle.hpp"

namespace oracle::vtd {

enum class Word { Root, Context, Directory, Pasid, First, Second };

struct Place {
    std::uint64_t at = 0;
    Word word{};
    unsigned space = 0;       // index of the address space
    std::uint64_t input = 0;  // what address the entry is for
    int level = 0;            // 1 to 3 of a leaf, 0 of anything else
};

using Change = ChangeOf<Place>;

class Scenario final : public Damaged<Place> {
public:
    Scenario(Arena& arena, const Features& features, std::uint64_t seed);

    Access random_access();

    std::uint64_t root() const { return root_ | (features_.scalable ? 1u << 10 : 0); }
    std::uint16_t source() const { return source_; }
    // Of the address space a place belongs to.
    std::uint16_t domain(unsigned space) const { return spaces_[space].domain; }
    std::uint32_t pasid(unsigned space) const { return spaces_[space].pasid; }
    bool nested(unsigned space) const { return spaces_[space].type == 3; }
    std::string describe() const;

private:
    struct Space {
        unsigned type = 2;  // PGTT: 1 first, 2 second, 3 nested, 4 pass-through
        std::uint16_t domain = 0;
        std::uint32_t pasid = 0;
        bool has_pasid = false;
        unsigned second_width = 48, first_width = 48;
        std::uint64_t first = 0, second = 0, shift = 0;
    };
    struct Target {
        std::uint64_t address, size;
        unsigned space;
    };

    void build_legacy();
    void build_scalable();
    void make_space(unsigned index);
    void reach(unsigned space, std::uint64_t pa, std::uint64_t bytes);
    int map(unsigned space, Word word, std::uint64_t input, std::uint64_t output,
            int level, std::uint64_t attributes);
    void map_something(unsigned space);
    std::uint64_t attributes(Word word);
    void change(const Place& place) override;

    Features features_;
    std::uint64_t root_ = 0;
    std::uint16_t source_ = 0;
    std::vector<Space> spaces_;
    std::vector<Target> targets_;
};

}  // namespace oracle::vtd
