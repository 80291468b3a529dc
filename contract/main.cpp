// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-contract: the rules, on a simulated machine or a QEMU, over the reference
// driver or over somebody else's.
#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>

#include "contract/qtest/machine.hpp"
#include "contract/reference.hpp"
#include "contract/report.hpp"
#include "contract/runner.hpp"
#include "contract/sim/machine.hpp"

namespace {

using namespace iommu::contract;

constexpr const char* usage =
    "usage: winiommu-contract [OPTION]...\n"
    "Runs the rules of the Windows DMA remapping contract against a driver.\n\n"
    "  --machine M          virt: SMMUv3 on arm64 (default); q35, q35-scalable: VT-d on "
    "x64\n"
    "  --layout L           of the simulated machine: usual (default); two-units, "
    "mixed,\n"
    "                       wide, bridges: docs/system/contract.rst\n"
    "  --home H             where that machine is: sim (default), in this process, or\n"
    "                       qemu, a QEMU process driven over qtest\n"
    "  --qemu PATH          the QEMU of --home qemu (from the environment variable\n"
    "                       WINIOMMU_QEMU_AARCH64 or WINIOMMU_QEMU_X86_64)\n"
    "  --provider PATH      a shared object that exports IoGetIommuInterface,\n"
    "                       IoGetIommuInterfaceEx, IommuProviderStart, "
    "IommuProviderStop;\n"
    "                       without it the reference driver is tested\n"
    "  --rule N             this rule only; may be given again\n"
    "  --strict             a failed proposal ([S], [I]) is a failure\n"
    "  --no-tlb             the IOMMU caches nothing\n"
    "  --time-limit S       seconds a rule may take (10)\n"
    "  --most-hangs N       after so many rules without an answer no more are tried (5)\n"
    "  --in-process         no process of its own for the rules (for debuggers)\n"
    "  --format F           summary (default), tap, junit, json\n"
    "  --output FILE        where the report goes (standard output)\n"
    "  --rules              print the table of rules as reStructuredText\n";

struct Arguments {
    sim::Options machine;
    RunOptions run;
    std::string provider, format = "summary", output, qemu;
    bool in_qemu = false, strict = false, rules = false;
};

[[noreturn]] void die(const std::string& text)
{
    std::cerr << "winiommu-contract: " << text << "\n";
    std::exit(2);
}

unsigned number(const char* option, const std::string& text)
{
    char* end = nullptr;
    const auto value = std::strtoul(text.c_str(), &end, 10);
    if (text.empty() || *end != 0 || value == 0 || value > 100000) {
        die(std::string(option) + " takes a number from 1, not '" + text + "'");
    }
    return static_cast<unsigned>(value);
}

void set(Arguments& a, const std::string& option, const std::string& value)
{
    if (option == "--machine") {
        if (!kind_of(value.c_str(), a.machine.kind)) {
            die("--machine is virt, q35 or q35-scalable, not '" + value + "'");
        }
    } else if (option == "--layout") {
        if (!sim::layout_of(value.c_str(), a.machine.layout)) {
            die("--layout is usual, two-units, mixed, wide or bridges, not '" + value +
                "'");
        }
    } else if (option == "--home") {
        if (value != "sim" && value != "qemu") {
            die("--home is sim or qemu, not '" + value + "'");
        }
        a.in_qemu = value == "qemu";
    } else if (option == "--qemu") {
        a.qemu = value;
        a.in_qemu = true;
    } else if (option == "--provider") {
        a.provider = value;
    } else if (option == "--rule") {
        a.run.only.push_back(number("--rule", value));
    } else if (option == "--time-limit") {
        a.run.seconds = number("--time-limit", value);
    } else if (option == "--most-hangs") {
        a.run.most_hangs = number("--most-hangs", value);
    } else if (option == "--format") {
        if (value != "summary" && value != "tap" && value != "junit" && value != "json") {
            die("--format is summary, tap, junit or json, not '" + value + "'");
        }
        a.format = value;
    } else if (option == "--output") {
        a.output = value;
    } else {
        die("unknown option '" + option + "'; --help lists them");
    }
}

Arguments parse(int argc, char** argv)
{
    Arguments a;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--help") {
            std::cout << usage;
            std::exit(0);
        } else if (option == "--strict") {
            a.strict = true;
        } else if (option == "--no-tlb") {
            a.machine.tlb = false;
        } else if (option == "--in-process") {
            a.run.own_process = false;
        } else if (option == "--rules") {
            a.rules = true;
        } else if (i + 1 == argc) {
            die(option.rfind("--", 0) == 0 ? option + " needs a value, or is no option"
                                           : "unexpected '" + option + "'");
        } else {
            set(a, option, argv[++i]);
        }
    }
    return a;
}

template <typename T>
bool find(void* object, const char* name, T& function, std::string& error)
{
    function = reinterpret_cast<T>(dlsym(object, name));
    if (function == nullptr) {
        error = std::string("the provider does not export ") + name;
    }
    return function != nullptr;
}

// Loaded in the process in which the rules run.
bool load(const std::string& path, Provider& provider, std::string& error)
{
    if (path.empty()) {
        provider = linked_provider();
        return true;
    }
    const auto full = path.find('/') == std::string::npos ? "./" + path : path;
    void* object = dlopen(full.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (object == nullptr) {
        error = std::string("the provider cannot be loaded: ") + dlerror();
        return false;
    }
    provider.display = reinterpret_cast<decltype(provider.display)>(
        dlsym(object, "IommuProviderDisplay"));
    return find(object, "IommuProviderStart", provider.start, error) &&
           find(object, "IommuProviderStop", provider.stop, error) &&
           find(object, "IoGetIommuInterface", provider.get_interface, error) &&
           find(object, "IoGetIommuInterfaceEx", provider.get_interface_ex, error);
}

void write(std::ostream& out, const Arguments& a, const std::string& title,
           const std::vector<Result>& results)
{
    if (a.format == "tap") {
        write_tap(out, results, a.strict);
    } else if (a.format == "junit") {
        write_junit(out, title, results, a.strict);
    } else if (a.format == "json") {
        write_json(out, title, results);
    } else {
        write_summary(out, title, results);
    }
}

std::string qemu_of(const Arguments& a)
{
    const char* set = std::getenv(a.machine.kind == Kind::Virt ? "WINIOMMU_QEMU_AARCH64"
                                                               : "WINIOMMU_QEMU_X86_64");
    return !a.qemu.empty() || set == nullptr ? a.qemu : set;
}

// Said once, not by each rule.
void need_qemu(const Arguments& a)
{
    const auto path = qemu_of(a);
    if (path.empty()) {
        die("which QEMU? --qemu PATH says it");
    }
    if (access(path.c_str(), X_OK) != 0) {
        die("cannot run the QEMU " + path + ": " + std::strerror(errno));
    }
}

void need_provider(const Arguments& a)
{
    if (!a.provider.empty() && access(a.provider.c_str(), R_OK) != 0) {
        die("cannot read the provider " + a.provider + ": " + std::strerror(errno));
    }
}

HomePointer home(const Arguments& a, std::string& error)
{
    HomePointer home(nullptr, [](Home* h) { delete static_cast<Kernel*>(h); });
    Provider provider;
    if (load(a.provider, provider, error)) {
        const auto& m = a.machine;
        if (a.in_qemu) {
            home.reset(new qemu::Machine(provider, {m.kind, m.tlb, qemu_of(a)}));
        } else {
            home.reset(new sim::Machine(provider, m));
        }
    }
    return home;
}

}  // namespace

int main(int argc, char** argv)
{
    const auto a = parse(argc, argv);
    if (a.rules) {
        write_rst(std::cout);
        return 0;
    }
    need_provider(a);
    if (a.in_qemu) {
        need_qemu(a);
        if (a.machine.layout != sim::Layout::Usual) {
            die("--layout is for the simulated machine only");
        }
    }
    const MakeHome make = [&](std::string& error) { return home(a, error); };
    const auto results = run_rules(make, a.run);
    if (results.empty()) {
        die("there is no such rule; --rules lists them");
    }
    const std::string title =
        std::string(name_of(a.machine.kind)) + (a.in_qemu ? " in QEMU" : "") +
        (a.machine.layout == sim::Layout::Usual
             ? ""
             : std::string(", ") + sim::name_of(a.machine.layout)) +
        (a.provider.empty() ? ": reference driver" : ": " + a.provider);
    if (a.output.empty()) {
        write(std::cout, a, title, results);
    } else {
        std::ofstream file(a.output);
        write(file, a, title, results);
        if (!file.flush()) {
            die("cannot write " + a.output);
        }
    }
    const auto totals = count(results);
    // A run in which nothing passed has shown nothing.
    const bool good = totals.failed == 0 && (!a.strict || totals.proposals_failed == 0) &&
                      (totals.passed != 0 || totals.proposals_failed != 0);
    return good ? 0 : 1;
}
