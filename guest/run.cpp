// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/run.hpp"

#include "contract/rule.hpp"
#include "contract/test.hpp"
#include "guest/text.hpp"

namespace iommu::guest {

namespace {

using contract::Outcome;
using contract::Rule;

struct Totals {
    unsigned passed = 0, failed = 0, proposals_failed = 0, not_applicable = 0;
};

void name(const Rule& rule)
{
    const char tag[] = {static_cast<char>(rule.tag), 0}, section[] = {rule.section, 0};
    print("rule-");
    print_number(rule.number);
    print(" [");
    print(tag);
    print("] ");
    print(section);
}

void report(unsigned n, const Rule& rule, Outcome outcome, const char* message, Totals& t)
{
    print(outcome == Outcome::Failed ? "not ok " : "ok ");
    print_number(n);
    print(" - ");
    name(rule);
    switch (outcome) {
    case Outcome::Passed:
        ++t.passed;
        line();
        break;
    case Outcome::Failed:
        ++t.failed;
        line();
        line("  ---\r\n  message: \"", message, "\"\r\n  ...");
        break;
    case Outcome::ProposalFailed:
        ++t.proposals_failed;
        line(" # SKIP proposal not met: ", message);
        break;
    case Outcome::NotApplicable:
        ++t.not_applicable;
        line(" # SKIP ", message);
        break;
    }
}

void break_on_purpose(const Request& request, unsigned number)
{
    if (number == request.crash) {
        __builtin_trap();
    }
    while (number == request.hang) {
        asm volatile("");
    }
}

void check(contract::Home& home, unsigned n, const Rule& rule, Totals& totals)
{
    static char message[1024];
    if (const char* error = home.start(); error != nullptr) {
        report(n, rule, Outcome::Failed, error, totals);
        return;
    }
    auto outcome = Outcome::Failed;
    {
        contract::Test test(home, message, sizeof(message));
        rule.check(test);
        outcome = test.outcome(rule.tag);
    }
    home.stop();
    report(n, rule, outcome, message, totals);
}

void name_sections(const contract::Rules& all)
{
    char section[] = {0, 0};
    for (std::size_t i = 0; i < all.count; ++i) {
        if (all.rule[i].section != section[0]) {
            section[0] = all.rule[i].section;
            line("# section ", section, " ", contract::section_title(section[0]));
        }
    }
}

}  // namespace

void run_rules(contract::Home& home, const Request& request)
{
    const auto all = contract::all_rules();
    Totals totals;
    line("TAP version 13");
    line("1..", std::uint64_t{all.count});
    name_sections(all);
    for (unsigned i = 0; i < all.count; ++i) {
        const auto& rule = all.rule[i];
        if (rule.number < request.first ||
            (request.only != 0 && rule.number != request.only)) {
            continue;
        }
        if (rule.check == nullptr) {
            report(i + 1, rule, Outcome::NotApplicable, rule.unobserved, totals);
        } else {
            print("# begin ");
            name(rule);
            line();
            break_on_purpose(request, rule.number);
            check(home, i + 1, rule, totals);
        }
    }
    line("# totals ", std::uint64_t{totals.passed}, " passed, ",
         std::uint64_t{totals.failed}, " failed, ",
         std::uint64_t{totals.proposals_failed}, " proposals failed, ",
         std::uint64_t{totals.not_applicable}, " not applicable");
}

}  // namespace iommu::guest
