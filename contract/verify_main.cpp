// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-verify: what verify mode says of the reference driver while the rules run, and
// of each of its mutants that forgets a flush.  With --record one rule over one mutant,
// as a record for ./winiommu report.
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <set>
#include <string>

#include "contract/reference.hpp"
#include "contract/runner.hpp"
#include "contract/sim/machine.hpp"
#include "driver/mutant.hpp"

namespace {

using namespace iommu::contract;

using Lines = std::map<std::string, std::set<std::string>>;  // by id, with the rules

Lines run(Kind kind, sim::Layout layout)
{
    std::vector<std::string> findings;
    Lines out;
    const sim::Options options{.kind = kind, .layout = layout, .findings = &findings};
    sim::Machine machine(linked_provider(), options);
    const MakeHome home = [&](std::string&) {
        return std::unique_ptr<Home, void (*)(Home*)>(&machine, [](Home*) {});
    };
    const auto all = all_rules();
    for (std::size_t i = 0; i < all.count; ++i) {
        if (all.rule[i].check == nullptr) {
            continue;
        }
        RunOptions one;
        one.only = {all.rule[i].number};
        one.own_process = false;
        run_rules(home, one);
        machine.stop();
        for (const auto& line : findings) {
            out[line.substr(0, line.find(':'))].insert(
                "rule-" + std::to_string(all.rule[i].number) + "  " + line);
        }
        findings.clear();
    }
    return out;
}

// What verify mode has to say of a mutant, for SMMUv3 and VT-d; nullptr: nothing, since
// the mistake cannot be seen there.
struct Expected {
    iommu::driver::Mutant mutant;
    const char* name;
    const char* smmu;
    const char* vtd;
    const char* vtd_scalable;
    sim::Layout layout = sim::Layout::Usual;
};

constexpr const char *tlb = "WI-SMMU-STALE-TLB", *config = "WI-SMMU-STALE-CONFIG",
                     *iotlb = "WI-VTD-STALE-IOTLB", *context = "WI-VTD-STALE-CONTEXT";
using M = iommu::driver::Mutant;
constexpr Expected expected[] = {
    {M::None, "the driver as it is", nullptr, nullptr, nullptr},
    {M::None, "the driver as it is", nullptr, nullptr, nullptr, sim::Layout::TwoUnits},
    {M::None, "the driver as it is", nullptr, nullptr, nullptr, sim::Layout::Mixed},
    {M::None, "the driver as it is", nullptr, nullptr, nullptr, sim::Layout::Wide},
    {M::None, "the driver as it is", nullptr, nullptr, nullptr, sim::Layout::Bridges},
    {M::FlushFirstUnitOnly, "FlushFirstUnitOnly", tlb, iotlb, iotlb,
     sim::Layout::TwoUnits},
    {M::NoFlushOnUnmap, "NoFlushOnUnmap", tlb, iotlb, iotlb},
    {M::NoFlushOnUnmapReserved, "NoFlushOnUnmapReserved", tlb, iotlb, iotlb},
    {M::FlushTooShort, "FlushTooShort", tlb, iotlb, iotlb},
    {M::FlushWrongTag, "FlushWrongTag", tlb, iotlb, iotlb},
    {M::FlushWrongTag, "FlushWrongTag", "WI-SMMU-SCOPE", "WI-VTD-SCOPE", "WI-VTD-SCOPE"},
    // Tables of the caller's own are stage 1 of an SMMUv3 alone.
    {M::FlushDoesNothing, "FlushDoesNothing", tlb, nullptr, nullptr},
    {M::FlushListShort, "FlushListShort", tlb, nullptr, nullptr},
    {M::NoSteInvalidation, "NoSteInvalidation", config, context, context},
    // Without PASIDs there are no CDs of PASIDs.
    {M::NoCdInvalidation, "NoCdInvalidation", config, nullptr, context},
    // Whoever leaves a domain takes its translations with it: the tag is clean again.
    {M::TagReusedDirty, "TagReusedDirty", tlb, nullptr, nullptr},
};

bool judge(const Expected& e, Kind kind, const Lines& lines)
{
    const char* wanted = kind == Kind::Virt  ? e.smmu
                         : kind == Kind::Q35 ? e.vtd
                                             : e.vtd_scalable;
    const bool good = wanted == nullptr ? lines.empty() : lines.contains(wanted);
    std::cout << (good ? "ok " : "NOT OK ") << name_of(kind) << " (" << name_of(e.layout)
              << "), " << e.name << ": " << (wanted == nullptr ? "nothing" : wanted)
              << "\n";
    if (!good) {
        for (const auto& [id, where] : lines) {
            std::cout << "  instead " << id << " at " << *where.begin() << "\n";
        }
    }
    return good;
}

int record(const char* path, const char* name, unsigned rule)
{
    const auto all = iommu::driver::all_mutants();
    for (std::size_t i = 0; i < all.count; ++i) {
        if (std::strcmp(name, all.first[i].name) == 0) {
            iommu::driver::active_mutant = all.first[i].mutant;
        }
    }
    std::vector<std::string> findings;
    const sim::Options options{.findings = &findings, .record = path};
    sim::Machine machine(linked_provider(), options);
    const MakeHome home = [&](std::string&) {
        return std::unique_ptr<Home, void (*)(Home*)>(&machine, [](Home*) {});
    };
    RunOptions one;
    one.only = {rule};
    one.own_process = false;
    run_rules(home, one);
    machine.stop();
    for (const auto& line : findings) {
        std::cout << line << "\n";
    }
    return iommu::driver::active_mutant != M::None && !findings.empty() ? 0 : 1;
}

int run_all()
{
    bool good = true;
    for (const auto& e : expected) {
        iommu::driver::active_mutant = e.mutant;
        for (const auto kind : {Kind::Virt, Kind::Q35, Kind::Q35Scalable}) {
            good = judge(e, kind, run(kind, e.layout)) && good;
        }
    }
    return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc == 5 && std::strcmp(argv[1], "--record") == 0) {
        return record(argv[2], argv[3], static_cast<unsigned>(std::atoi(argv[4])));
    }
    if (argc != 1) {
        std::cerr << "usage: winiommu-verify [--record FILE MUTANT RULE]\n";
        return 2;
    }
    return run_all();
}
