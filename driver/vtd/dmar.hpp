// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 8 "BIOS Considerations": the DMAR table, as an operating system reads it.
#pragma once

#include <cstdint>

#include "driver/hw.hpp"

namespace iommu::driver {

class Dmar {
public:
    struct Unit {
        std::uint32_t at = 0, length = 0;  // of its structure
        std::uint64_t base = 0;
        std::uint32_t segment = 0;
        bool rest = false;  // INCLUDE_PCI_ALL
    };

    static constexpr const char* signature = "DMAR";
    // False: not a DMAR, or its lengths do not add up.
    bool open(const std::uint8_t* table, std::size_t size);
    unsigned address_bits() const;

    // The unit after this one, from the first if it is none yet; false: there is none.
    bool next_unit(Unit& unit) const;
    // Not implemented: devices behind bridges, whose bus numbers take config space reads.
    bool covers(const Unit& unit, const WdmDeviceIdentity& device) const;
    // Calls `visit` for each bus on which the unit has devices.
    template <typename Visit>
    void buses(const Unit& unit, Visit visit) const
    {
        if (unit.rest) {
            visit(0u);
        }
        for (Scope s = first_scope(unit); s.length != 0; s = next_scope(unit, s)) {
            if (s.type == endpoint || s.type == sub_hierarchy) {
                visit(unsigned{s.bus});
            }
        }
    }

private:
    // VT-d 8.3.1 "Device Scope Structure".
    static constexpr std::uint8_t endpoint = 1, sub_hierarchy = 2;
    struct Scope {
        std::uint32_t at = 0;
        std::uint8_t type = 0, length = 0, bus = 0, device = 0, function = 0;
        bool behind_bridge = false;
    };
    std::uint32_t number(std::uint32_t at, unsigned bytes) const;
    Scope first_scope(const Unit& unit) const { return scope(unit, unit.at + 16); }
    Scope next_scope(const Unit& unit, const Scope& s) const
    {
        return scope(unit, s.at + s.length);
    }
    Scope scope(const Unit& unit, std::uint32_t at) const;
    bool lists(const Unit& unit, std::uint32_t requester) const;

    const std::uint8_t* table_ = nullptr;
    std::uint32_t size_ = 0;
};

}  // namespace iommu::driver
