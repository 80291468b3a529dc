// SPDX-License-Identifier: GPL-2.0-or-later
// A rule of the contract, and what became of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace iommu::contract {

class Test;

// Where a rule comes from.  S and I are this project's proposals, not Windows' word.
enum class Tag : char {
    Documented = 'D',
    Header = 'H',
    Layout = 'L',
    Guide = 'G',
    Silent = 'S',
    Inferred = 'I',
};
constexpr bool proposal(Tag tag)
{
    return tag == Tag::Silent || tag == Tag::Inferred;
}

enum class Outcome : std::uint8_t {
    Passed,
    Failed,          // a documented rule, or a documented part of one
    ProposalFailed,  // only what is a proposal
    NotApplicable,
};

struct Rule {
    unsigned number;
    Tag tag;
    char section;
    const char* title;
    void (*check)(Test&);    // nullptr: see below
    const char* unobserved;  // why software cannot see it, or why it is not checked yet
};

struct Rules {
    const Rule* rule;
    std::size_t count;
};
Rules all_rules();
const char* section_title(char section);

}  // namespace iommu::contract
