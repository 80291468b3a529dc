// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/hunt.hpp"

#include "contract/rule.hpp"
#include "contract/test.hpp"
#include "driver/mutant.hpp"
#include "guest/text.hpp"

namespace iommu::guest {

#ifdef WINIOMMU_MUTANTS

namespace {

bool passes(contract::Home& home, const contract::Rule& rule)
{
    static char message[1024];
    if (rule.check == nullptr) {
        return true;
    }
    if (home.start() != nullptr) {
        return false;
    }
    auto outcome = contract::Outcome::Failed;
    {
        contract::Test test(home, message, sizeof(message));
        rule.check(test);
        outcome = test.outcome(rule.tag);
    }
    home.stop();
    return outcome == contract::Outcome::Passed ||
           outcome == contract::Outcome::NotApplicable;
}

// The number of the first rule that does not pass; 0: all do.
unsigned found_by(contract::Home& home)
{
    const auto all = contract::all_rules();
    for (std::size_t i = 0; i < all.count; ++i) {
        if (!passes(home, all.rule[i])) {
            return all.rule[i].number;
        }
    }
    return 0;
}

}  // namespace

void hunt_mutants(contract::Home& home, unsigned first)
{
    const auto all = driver::all_mutants();
    line("# mutants ", std::uint64_t{all.count});
    for (std::size_t i = first - 1; i < all.count; ++i) {
        const auto& m = all.first[i];
        line("# begin mutant ", std::uint64_t{i + 1}, " ", m.name);
        driver::active_mutant = m.mutant;
        const auto rule = found_by(home);
        if (rule != 0) {
            line("# killed ", m.name, " by rule-", std::uint64_t{rule});
        } else {
            line("# survived ", m.name);
        }
    }
}

#else

void hunt_mutants(contract::Home&, unsigned)
{
    line("Bail out! this build of the driver makes no mistakes");
}

#endif

}  // namespace iommu::guest
