// SPDX-License-Identifier: GPL-2.0-or-later
// Random but mostly sensible SMMUv3 configurations in memory, then damaged on purpose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/oracle/damage.hpp"
#include "tests/oracle/smmuv3_oracle.hpp"

namespace oracle {

// What a stored word is, which says how it may be damaged and what must be invalidated
// when it changes.
enum class Word { StreamTable, Ste, CdTable, Cd, Stage1, Stage2 };

struct Place {
    std::uint64_t at = 0;
    Word word{};
    unsigned context = 0;     // index of the CD, for Cd and Stage1
    std::uint64_t input = 0;  // a VA or IPA this descriptor is for
    int level = -1;           // of a descriptor written as Page or Block
    unsigned granule = 0;
};

using Change = ChangeOf<Place>;

// A page-table tree under construction.
struct Tree {
    unsigned granule = 12, input_bits = 48;
    int start = 0;
    std::uint64_t root = 0;  // PA
    std::uint64_t to_pointer =
        0;  // what is added to a PA to point at it (nested: an IPA)
    Word word = Word::Stage1;
    unsigned context = 0;
    bool upper = false;  // TTB1
    unsigned shift(int level) const
    {
        return granule + (granule - 3) * static_cast<unsigned>(3 - level);
    }
    std::uint64_t root_bytes() const { return 8ull << (input_bits - shift(start)); }
};

struct Target {
    std::uint64_t address;  // mapped (at least once) by the scenario
    std::uint64_t size;     // of the block it was mapped with
    bool has_substream;
    std::uint32_t substream;
};

class SmmuScenario final : public Damaged<Place> {
public:
    SmmuScenario(Arena& arena, const SmmuFeatures& features, std::uint64_t seed);

    Access random_access();

    const SmmuRegisters& registers() const { return registers_; }
    std::uint32_t stream() const { return stream_; }
    // As they stand in memory now.
    std::uint16_t vmid() const
    {
        return static_cast<std::uint16_t>(arena_.peek(ste_at_ + 16));
    }
    std::uint16_t asid(unsigned context) const
    {
        return static_cast<std::uint16_t>(arena_.peek(contexts_[context].cd) >> 48);
    }
    std::uint32_t substream(unsigned context) const
    {
        return contexts_[context].substream;
    }
    // Runs of descriptors have the Contiguous bit.  Nothing may be damaged or changed
    // then: an inconsistent run is CONSTRAINED UNPREDICTABLE.
    bool contiguous() const { return contiguous_; }
    bool nested() const { return s1_ && s2_; }
    // Two CDs with one ASID, or one word used as two: results with a TLB are UNKNOWN.
    bool ambiguous_tags() const;
    std::string describe() const;

private:
    struct Context {
        std::uint64_t cd = 0;
        std::uint32_t substream = 0;
        bool has_substream = false;
        std::uint16_t asid = 0;
        Tree halves[2];
    };

    using Damaged::put;
    void put(std::uint64_t at, std::uint64_t v, Word word, unsigned context = 0)
    {
        put(v, Place{at, word, context});
    }
    void make_reachable(std::uint64_t pa, std::uint64_t bytes);
    void build_stage2();
    void build_contexts();
    void build_cd(Context& context, unsigned index);
    void build_ste();
    void build_stream_table();
    void map_something(unsigned context);
    void map_ipa(std::uint64_t ipa);
    // Maps input -> output with a leaf as near `level` as the format and what is already
    // there allow; the level reached, or -1.
    int map(const Tree& tree, std::uint64_t input, std::uint64_t output, int level,
            std::uint64_t attributes);
    bool map_run(const Tree& tree, std::uint64_t table, std::uint64_t input,
                 std::uint64_t output, int level, std::uint64_t attributes);
    std::uint64_t stage1_attributes();
    std::uint64_t stage2_attributes();
    void change(const Place& place) override;

    SmmuFeatures features_;
    SmmuRegisters registers_;
    std::uint32_t stream_ = 0;
    std::uint64_t ste_at_ = 0;
    bool s1_ = false, s2_ = false;
    bool slow_tables_ = false, contiguous_ = false;
    unsigned ips_code_ = 5, ips_ = 48;
    Tree stage2_;
    unsigned s2t0sz_ = 16, s2sl0_ = 2, s2ps_code_ = 5;
    std::uint64_t shift_ = 0;  // IPA of a table minus its PA
    unsigned cd_max_ = 0, cd_format_ = 0;
    std::uint64_t cd_pointer_ = 0;
    std::vector<Context> contexts_;
    std::vector<Target> targets_;
};

}  // namespace oracle
