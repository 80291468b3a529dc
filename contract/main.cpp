// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-contract: the rules, on a simulated machine, over the reference driver or over
// somebody else's.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>

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
    "  --provider PATH      a shared object that exports IoGetIommuInterface,\n"
    "                       IoGetIommuInterfaceEx, IommuProviderStart, "
    "IommuProviderStop;\n"
    "                       without it the reference driver is tested\n"
    "  --rule N             this rule only; may be given again\n"
    "  --strict             a failed proposal ([S], [I]) is a failure\n"
    "  --no-tlb             the IOMMU caches nothing\n"
    "  --time-limit S       seconds a rule may take (10)\n"
    "  --in-process         no process of its own for the rules (for debuggers)\n"
    "  --format F           summary (default), tap, junit, json\n"
    "  --output FILE        where the report goes (standard output)\n"
    "  --rules              print the table of rules as reStructuredText\n";

struct Arguments {
    sim::Options machine;
    RunOptions run;
    std::string provider, format = "summary", output;
    bool strict = false, rules = false;
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
    } else if (option == "--provider") {
        a.provider = value;
    } else if (option == "--rule") {
        a.run.only.push_back(number("--rule", value));
    } else if (option == "--time-limit") {
        a.run.seconds = number("--time-limit", value);
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
        provider = {IommuProviderStart, IommuProviderStop, IoGetIommuInterface,
                    IoGetIommuInterfaceEx, IommuProviderDisplay};
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

}  // namespace

int main(int argc, char** argv)
{
    const auto a = parse(argc, argv);
    if (a.rules) {
        write_rst(std::cout);
        return 0;
    }
    const MakeHome make = [&](std::string& error) {
        std::unique_ptr<Home, void (*)(Home*)> home(
            nullptr, [](Home* h) { delete static_cast<sim::Machine*>(h); });
        Provider provider;
        if (load(a.provider, provider, error)) {
            home.reset(new sim::Machine(provider, a.machine));
        }
        return home;
    };
    const auto results = run_rules(make, a.run);
    if (results.empty()) {
        die("there is no such rule; --rules lists them");
    }
    const std::string title =
        std::string(name_of(a.machine.kind)) +
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
