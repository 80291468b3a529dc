// SPDX-License-Identifier: GPL-2.0-or-later
// A walk told step by step.  Narrated<Format> is a page-table format for the one walker
// (common/walk.hpp) that passes everything on to the translator's own format and notes
// what that made of each entry.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hw/iommu/common/table_reader.hpp"
#include "hw/iommu/common/walk.hpp"
#include "hw/iommu/introspect/json.hpp"
#include "hw/iommu/introspect/snapshot.hpp"

namespace iommu::introspect {

const char* name_of(WalkFault why);
void write_rights(Json& json, Rights rights);
void write_access(Json& json, const Transaction& access, std::string_view substream);

// A structure or an entry that was looked at.
struct Step {
    const char* structure = "";
    std::optional<int> level{};
    std::optional<std::uint64_t> index{};     // in its table, where software gives it
    std::optional<std::uint64_t> asked_at{};  // its address before stage 2
    std::optional<Gpa> at{};
    std::vector<std::uint64_t> raw{};  // empty: nobody answered there
    std::string fields{};              // JSON
    std::optional<EntryKind> kind{};
    std::optional<std::uint64_t> output{};  // the next table, or the block's
    unsigned log2size = 0;
    std::optional<Rights> granted{};  // by the path so far
    std::string sets{};               // flags the walk would set
    std::string problem{};
    std::string source{};               // JSON: of an interrupt, who may use the entry
    std::vector<std::string> cached{};  // JSON: what caches hold instead of it
    unsigned depth = 0;                 // of nesting: 1 inside the other stage's walk
};

class Story {
public:
    Step& add(Step step);
    // What happens to the one added last.
    Step& last() { return steps_.back(); }
    bool empty() const { return steps_.empty(); }
    // What a cache holds, shown beside the step added last.  `differs`: from memory.
    void beside_last(std::string cached, bool differs);
    // Something cached differs from memory.
    bool stale() const { return stale_; }
    void write(Json& json) const;

private:
    // A nested walk of five levels by five takes 30 and its configuration a few.
    static constexpr std::size_t most = 100;
    std::vector<Step> steps_;
    Step ignored_{};
    bool stale_ = false;
};

// `Describe`: std::string(uint64_t raw, int level, EntryKind) as JSON of the entry's
// fields.
template <typename Format, typename Describe>
struct Narrated {
    using Input = typename Format::Input;
    using Output = typename Format::Output;
    static constexpr unsigned max_levels = Format::max_levels;

    const Format& format;
    Story& story;
    const char* structure;
    unsigned depth;
    Rights wanted;
    Describe describe;
    // Set by the reader, which knows where the entry really lies.
    Gpa& place;

    struct State {
        Rights granted = Rights::all();
        std::optional<std::uint64_t> asked_at{};
    };
    State& state;

    auto start(Input input) const
    {
        state = {};
        return format.start(input);
    }
    Output entry_address(Output table, int level, Input input) const
    {
        const auto at = format.entry_address(table, level, input);
        state.asked_at = at.value;
        return at;
    }
    int below(int level) const { return format.below(level); }

    Entry<Output> decode(std::uint64_t raw, int level, Input input) const
    {
        const auto entry = format.decode(raw, level, input);
        Step step;
        step.structure = structure;
        step.level = level;
        if (state.asked_at != place.value) {
            step.asked_at = state.asked_at;
        }
        step.at = place;
        step.raw = {raw};
        step.fields = describe(raw, level, entry.kind);
        step.kind = entry.kind;
        step.depth = depth;
        if (entry.kind == EntryKind::Bad) {
            step.problem = name_of(entry.why);
        } else {
            state.granted = state.granted & entry.rights;
            step.granted = state.granted;
            step.output = entry.address.value;
            step.log2size = entry.log2size;
            if (entry.kind == EntryKind::Leaf && !entry.accessed) {
                step.problem = name_of(WalkFault::AccessFlag);
            }
            if constexpr (UpdatingFormat<Format>) {
                const auto desired = format.update(raw, level, entry.kind, wanted);
                step.sets =
                    desired == raw ? "" : describe(desired & ~raw, level, entry.kind);
            }
        }
        story.add(std::move(step));
        return entry;
    }
    Rights finish(Rights rights) const
    {
        const auto all = format.finish(rights);
        story.last().granted = all;
        if (!all.allow(wanted)) {
            story.last().problem = name_of(WalkFault::Permission);
        }
        return all;
    }
};

// How the walk of a stage is told: of its entries, of its input, and how deep it is.
struct Telling {
    const char* entry;
    const char* input;
    unsigned depth = 0;
    const char* out_of_range = name_of(WalkFault::OutOfRange);
};

// Nobody answers where the structure is.
void tell_abort(Story& story, const char* structure, Gpa at, unsigned depth);
void tell_range(Story& story, const Telling& telling, std::uint64_t input);

// The output of `format`, or nothing and the story says why.  `place_of`: where in memory
// the entry is that the walk looks for at an address of its own; nothing when that has
// been told already.
template <typename Format, typename Describe, typename PlaceOf>
std::optional<typename Format::Output>
tell_stage(Story& story, TableReader& reader, const Format& format,
           const Telling& telling, typename Format::Input input, Rights wanted,
           Describe describe, PlaceOf&& place_of)
{
    struct Stop {};
    Gpa place{};
    const auto read = [&](typename Format::Output at) -> Expected<std::uint64_t, Stop> {
        const std::optional<Gpa> physical = place_of(at);
        if (!physical) {
            return Unexpected{Stop{}};
        }
        place = *physical;
        const auto raw = reader(place);
        if (!raw) {
            tell_abort(story, telling.entry, place, telling.depth);
            return Unexpected{Stop{}};
        }
        return *raw;
    };
    using Told = Narrated<Format, Describe>;
    typename Told::State state;
    const Told told{format, story,    telling.entry, telling.depth,
                    wanted, describe, place,         state};
    Leaf<typename Format::Output> leaf;
    WalkError<Stop> error;
    if (walk_into(told, read, input, wanted, leaf, error)) {
        return leaf.output;
    }
    if (error.why == WalkFault::OutOfRange) {
        tell_range(story, telling, input.value);
    }
    return std::nullopt;
}

}  // namespace iommu::introspect
