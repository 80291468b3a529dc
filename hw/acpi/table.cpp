// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/acpi/table.hpp"

#include <cstdio>

namespace iommu::acpi {

void finish_header(Block& table, std::string_view signature, std::uint8_t revision,
                   const OemIds& ids)
{
    table.text(0, signature);
    table.u32(4, static_cast<std::uint32_t>(table.size()));
    table.u8(8, revision);
    table.u8(9, 0);
    table.text(10, {ids.oem_id.data(), ids.oem_id.size()});
    table.text(16, {ids.oem_table_id.data(), ids.oem_table_id.size()});
    table.u32(24, ids.oem_revision);
    table.text(28, "WIMU");
    table.u32(32, 1);

    std::uint8_t sum = 0;
    for (const std::byte b : table.bytes()) {
        sum = static_cast<std::uint8_t>(sum + static_cast<std::uint8_t>(b));
    }
    table.u8(9, static_cast<std::uint8_t>(-sum));
}

std::string hex(std::uint64_t value)
{
    char text[19];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

}  // namespace iommu::acpi
