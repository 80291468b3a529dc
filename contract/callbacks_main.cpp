// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-callbacks: which rule shows, by DMA, what a callback did.  Every rule runs on
// every simulated machine with the provider's functions tapped; a DMA that was moved or
// blocked is put to the account of the callback that last succeeded before it.  Prints
// docs/conformance/callbacks.rst; fails when a callback has neither a rule nor a reason.
#include <iostream>

#include "contract/callbacks/page.hpp"
#include "contract/callbacks/taps.hpp"
#include "contract/sim/machine.hpp"
#include "contract/test.hpp"

namespace {

using namespace iommu::contract;
using namespace iommu::contract::callbacks;

bool all_tapped = true;

// --- the provider, tapped; V2 is left as it is: its slots are V3's

NTSTATUS WDM_CALL tapped_interface(ULONG Version, PDMA_IOMMU_INTERFACE Out)
{
    return IoGetIommuInterface(Version, Out);
}

NTSTATUS WDM_CALL tapped_interface_ex(ULONG Version, ULONGLONG Flags,
                                      PDMA_IOMMU_INTERFACE_EX Out)
{
    const auto status = IoGetIommuInterfaceEx(Version, Flags, Out);
    if (NT_SUCCESS(status) && Version == DMA_IOMMU_INTERFACE_EX_VERSION_1) {
        all_tapped = tap_all(Out->V1) && all_tapped;
    } else if (NT_SUCCESS(status) && Version == DMA_IOMMU_INTERFACE_EX_VERSION_3) {
        all_tapped = tap_all(Out->V3) && all_tapped;
    }
    return status;
}

const WdmDisplay* WDM_CALL tapped_display()
{
    static WdmDisplay display;
    display = *IommuProviderDisplay();
    all_tapped = tap_all(display) && all_tapped;
    return &display;
}

class Watched final : public sim::Machine {
public:
    explicit Watched(Kind kind)
        : sim::Machine({IommuProviderStart, IommuProviderStop, tapped_interface,
                        tapped_interface_ex, tapped_display},
                       {.kind = kind})
    {
    }
    bool dma(const Dma& what, std::uint64_t& value) override
    {
        const bool moved = sim::Machine::dma(what, value);
        watch.accessed(moved);
        return moved;
    }
    void together(Routine a, Routine b, void* argument) override
    {
        watch.raced();
        sim::Machine::together(a, b, argument);
    }
};

void run_all(Kind kind)
{
    const auto all = all_rules();
    for (std::size_t i = 0; i < all.count; ++i) {
        const auto& rule = all.rule[i];
        Watched machine(kind);
        if (rule.check == nullptr || machine.start() != nullptr) {
            continue;
        }
        char message[1024];
        watch.rule(rule.number);
        Test test(machine, message, sizeof(message));
        rule.check(test);
        if (test.outcome(rule.tag) == Outcome::Passed) {
            watch.keep();
        }
        machine.stop();
    }
}

}  // namespace

int main()
{
    for (const auto kind : all_kinds) {
        run_all(kind);
    }
    const bool complete = write_page(std::cout, watch, tapped);
    return complete && all_tapped ? 0 : 1;
}
