// SPDX-License-Identifier: GPL-2.0-or-later
// For rules about the ACPI device, which has several streams.
#pragma once

#include "contract/test.hpp"

namespace iommu::contract {

inline bool need_acpi(Test& t)
{
    if (t.home.device(Who::Acpi) != nullptr) {
        return t.need_tables();
    }
    t.not_applicable("only ARM64 has ACPI devices of several streams");
    return false;
}

inline Dma acpi_dma(unsigned id, std::uint64_t address)
{
    return {.who = Who::Acpi, .id = id, .address = address};
}

}  // namespace iommu::contract
