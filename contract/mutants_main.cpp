// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-mutants: every deliberate mistake of the reference driver against the suite. A
// mistake that no rule finds is a hole in the suite, and fails.
#include <cstring>
#include <iostream>
#include <string>

#include "contract/reference.hpp"
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
        return std::unique_ptr<Home, void (*)(Home*)>(
            new sim::Machine(linked_provider(), options),
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

struct Place {
    Kind kind;
    sim::Layout layout;
};

std::string name_of(const Place& place)
{
    const bool usual = place.layout == sim::Layout::Usual;
    return std::string(iommu::contract::name_of(place.kind)) +
           (usual ? "" : std::string(", ") + sim::name_of(place.layout));
}

// A mistake in what one architecture has cannot show on the other: one machine is enough.
bool hunt(const std::vector<Place>& machines, const RunOptions& run, const char* name)
{
    for (const auto& place : machines) {
        const auto results =
            run_rules(home_of({.kind = place.kind, .layout = place.layout}), run);
        if (const auto* failure = first_failure(results); failure != nullptr) {
            std::cout << "killed " << name << " on " << name_of(place) << " by rule-"
                      << failure->rule->number << " ["
                      << static_cast<char>(failure->rule->tag) << "] " << failure->message
                      << "\n";
            return true;
        }
    }
    return false;
}

void list(const iommu::driver::MutantList& mutants)
{
    for (std::size_t i = 0; i < mutants.count; ++i) {
        const auto& m = mutants.first[i];
        std::cout << "``" << m.name << "``\n   " << m.mistake;
        if (m.layout != nullptr) {
            std::cout << "; layout " << m.layout;
        }
        std::cout << "\n\n";
    }
}

int list()
{
    const auto all = iommu::driver::all_mutants();
    const auto elsewhere = iommu::driver::layout_mutants();
    std::cout
        << ".. SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".. Written by: winiommu-mutants --list.  Edit driver/mutants.cpp.\n\n"
           "Mutants\n=======\n\n"
        << all.count + elsewhere.count
        << " deliberate mistakes of the reference driver, in a second build of it.  "
           "Each\n"
           "must be found by a rule on at least one machine; one that is not is a hole "
           "in\n"
           "the suite and fails the tests.  ``winiommu-mutants`` hunts them all, with\n"
           "``--mutant NAME`` one, and says which rule found it.\n\n";
    list(all);
    std::cout << "On other layouts\n----------------\n\n"
                 "What a machine with one IOMMU and its devices on one bus cannot show "
                 "(``--layout`` in\ndocs/system/contract.rst).\n\n";
    list(elsewhere);
    return 0;
}

struct Count {
    unsigned killed = 0, survived = 0;
};

void hunt_all(const iommu::driver::MutantList& mutants, const std::vector<Kind>& kinds,
              const RunOptions& run, const std::string& only, Count& count)
{
    for (std::size_t i = 0; i < mutants.count; ++i) {
        const auto& m = mutants.first[i];
        if (!only.empty() && only != m.name) {
            continue;
        }
        auto layout = sim::Layout::Usual;
        if (m.layout != nullptr) {
            sim::layout_of(m.layout, layout);
        }
        std::vector<Place> places;
        for (const auto kind : kinds) {
            places.push_back({kind, layout});
        }
        iommu::driver::active_mutant = m.mutant;
        if (hunt(places, run, m.name)) {
            ++count.killed;
        } else {
            ++count.survived;
            std::cout << "SURVIVED " << m.name << ": " << m.mistake << "\n";
        }
    }
}

// Without any mutant all is well; else nothing can be said.
bool sound(const std::vector<Kind>& kinds, const RunOptions& run)
{
    for (const auto kind : kinds) {
        for (const auto layout : sim::all_layouts) {
            const auto results =
                run_rules(home_of({.kind = kind, .layout = layout}), run);
            if (first_failure(results) != nullptr) {
                std::cout << "the driver fails on " << name_of(Place{kind, layout})
                          << " without any mutant: nothing can be said\n";
                return false;
            }
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv)
{
    std::vector<Kind> machines{Kind::Virt, Kind::Q35Scalable, Kind::Q35};
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
    if (!sound(machines, run)) {
        return 1;
    }
    Count count;
    hunt_all(iommu::driver::all_mutants(), machines, run, only, count);
    hunt_all(iommu::driver::layout_mutants(), machines, run, only, count);
    std::cout << count.killed << " mutants killed, " << count.survived << " survived\n";
    return count.survived == 0 && count.killed != 0 ? 0 : 1;
}
