// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel a provider is given, from a home's own functions: those of a class C, named
// as the members of WdmPlatform are, each with `context` before its other arguments.
#pragma once

#include <cstdint>

#include "contract/home.hpp"
#include "wdm/platform.h"

namespace iommu::contract {

// What a machine's policy is until a rule changes it.
inline constexpr WdmPolicy usual_policy = {.dma_guard = false,
                                           .enumeration = 1,
                                           .unlocked_once = true,
                                           .pass_through_off = false,
                                           .remapping_available = true};

// Home::fail_allocations: which of the provider's allocations are granted.
struct Allowance {
    bool take()
    {
        ++asked;
        if (fail_after == Home::never) {
            return true;
        }
        if (fail_after == 0) {
            return false;
        }
        --fail_after;
        return true;
    }
    std::uint64_t asked = 0, fail_after = Home::never;
};

template <typename C>
WdmPlatform platform_of(void* context, std::uint32_t architecture)
{
    return {.context = context,
            .architecture = architecture,
            .allocate = C::allocate,
            .release = C::release,
            .allocate_pages = C::allocate_pages,
            .release_pages = C::release_pages,
            .to_virtual = C::to_virtual,
            .mmio_read = C::mmio_read,
            .mmio_write = C::mmio_write,
            .acpi_table = C::acpi_table,
            .pci_read = C::pci_read,
            .current_irql = C::current_irql,
            .raise_irql = C::raise_irql,
            .lower_irql = C::lower_irql,
            .irql_violation = C::irql_violation,
            .pause = C::pause,
            .identify = C::identify,
            .reference = C::reference,
            .dereference = C::dereference,
            .policy = C::policy,
            .on_policy_change = C::on_policy_change,
            .connect_wired = C::connect_wired,
            .connect_message = C::connect_message,
            .queue_work = C::queue_work,
            .bug_check = C::bug_check};
}

}  // namespace iommu::contract
