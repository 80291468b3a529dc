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
    bool open(const Platform& platform);
    unsigned address_bits() const;

    // The unit after this one, from the first if it is none yet; false: there is none.
    bool next_unit(Unit& unit) const;
    bool covers(const Unit& unit, const WdmDeviceIdentity& device) const;

private:
    // VT-d 8.3.1 "Device Scope Structure".
    static constexpr std::uint8_t endpoint = 1, sub_hierarchy = 2;
    struct Scope {
        std::uint32_t at = 0;
        std::uint8_t type = 0, length = 0, bus = 0;
    };
    // What a scope names: a function, and where that is a bridge it stands for, the buses
    // below.
    struct Reach {
        bool found = false;
        std::uint32_t requester = 0, first_bus = 1, last_bus = 0;
        bool has(std::uint32_t id) const
        {
            return found &&
                   (id == requester || (id >> 8 >= first_bus && id >> 8 <= last_bus));
        }
    };
    Reach reach_of(const Unit& unit, const Scope& scope) const;
    bool bridge(std::uint32_t segment, Reach& reach) const;
    std::uint32_t number(std::uint32_t at, unsigned bytes) const;
    Scope first_scope(const Unit& unit) const { return scope(unit, unit.at + 16); }
    Scope next_scope(const Unit& unit, const Scope& s) const
    {
        return scope(unit, s.at + s.length);
    }
    Scope scope(const Unit& unit, std::uint32_t at) const;
    bool lists(const Unit& unit, std::uint32_t requester) const;

    Platform platform_{};
    const std::uint8_t* table_ = nullptr;
    std::uint32_t size_ = 0;
};

}  // namespace iommu::driver
