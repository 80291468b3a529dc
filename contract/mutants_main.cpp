// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-mutants: every deliberate mistake of the reference driver against the suite. A
// mistake that no rule finds is a hole in the suite, and fails.
#include <cstring>
#include <iostream>
#include <string>

#include "contract/report.hpp"
#include "contract/runner.hpp"
#include "contract/sim/machine.hpp"
#include "driver/mutant.hpp"

namespace {

using namespace iommu::contract;
using iommu::driver::Mutant;

MakeHome home_of(const sim::Options& options)
{
    return [options](std::string&) {
        const Provider reference{IommuProviderStart, IommuProviderStop,
                                      IoGetIommuInterface, IoGetIommuInterfaceEx,
                                      IommuProviderDisplay};
        return std::unique_ptr<Home, void (*)(Home*)>(
            new sim::Machine(reference, options),
            [](Home* h) { delete static_cast<sim::Machine*>(h); });
    };
}

// The first rule that does not pass; nullptr: all do.
const Result* first_failure(const std::vector<Result>& results)
{
    for (const auto& r : results) {
        if (r.outcome == Outcome::Failed || r.outcome == Outcome::ProposalFailed) {
            return &r;
        }
    }
    return nullptr;
}

// A mistake in what one architecture has cannot show on the other: one machine is enough.
bool hunt(const std::vector<Kind>& machines, const RunOptions& run, const char* name)
{
    for (const auto kind : machines) {
        const auto results = run_rules(home_of({.kind = kind}), run);
        if (const auto* failure = first_failure(results); failure != nullptr) {
            std::cout << "killed " << name << " on " << name_of(kind) << " by rule-"
                      << failure->rule->number << " ["
                      << static_cast<char>(failure->rule->tag) << "] " << failure->message
                      << "\n";
            return true;
        }
    }
    return false;
}

int list()
{
    const auto all = iommu::driver::all_mutants();
    std::cout
        << ".. SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".. Written by: winiommu-mutants --list.  Edit driver/mutants.cpp.\n\n"
           "Mutants\n=======\n\n"
        << all.count
        << " deliberate mistakes of the reference driver, in a second build of it.  "
           "Each\n"
           "must be found by a rule on at least one machine; one that is not is a hole "
           "in\n"
           "the suite and fails the tests.  ``winiommu-mutants`` hunts them all, with\n"
           "``--mutant NAME`` one, and says which rule found it.\n\n";
    for (std::size_t i = 0; i < all.count; ++i) {
        std::cout << "``" << all.first[i].name << "``\n   " << all.first[i].mistake
                  << "\n\n";
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    std::vector<Kind> machines{Kind::Virt, Kind::Q35Scalable,
                                    Kind::Q35};
    std::string only;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        Kind kind{};
        if (option == "--list") {
            return list();
        }
        if (option == "--machine" && i + 1 < argc && kind_of(argv[i + 1], kind)) {
            machines = {kind};
            ++i;
        } else if (option == "--mutant" && i + 1 < argc) {
            only = argv[++i];
        } else {
            std::cerr << "usage: winiommu-mutants [--machine virt|q35|q35-scalable] "
                         "[--mutant NAME] [--list]\n";
            return 2;
        }
    }
    RunOptions run;
    run.seconds = 5;
    run.stop_at_failure = true;
    for (const auto kind : machines) {
        if (first_failure(run_rules(home_of({.kind = kind}), run)) != nullptr) {
            std::cout << "the driver fails on " << name_of(kind)
                      << " without any mutant: nothing can be said\n";
            return 1;
        }
    }
    unsigned killed = 0, survived = 0;
    const auto all = iommu::driver::all_mutants();
    for (std::size_t i = 0; i < all.count; ++i) {
        const auto& m = all.first[i];
        if (!only.empty() && only != m.name) {
            continue;
        }
        iommu::driver::active_mutant = m.mutant;
        if (hunt(machines, run, m.name)) {
            ++killed;
        } else {
            ++survived;
            std::cout << "SURVIVED " << m.name << ": " << m.mistake << "\n";
        }
    }
    std::cout << killed << " mutants killed, " << survived << " survived\n";
    return survived == 0 && killed != 0 ? 0 : 1;
}
