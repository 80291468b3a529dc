// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/vtd/dmar.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

namespace {

constexpr std::uint32_t header_size = 48, drhd_size = 16, scope_size = 8;
constexpr std::uint32_t drhd = 0;

}  // namespace

std::uint32_t Dmar::number(std::uint32_t at, unsigned bytes) const
{
    std::uint32_t value = 0;
    if (at <= size_ && bytes <= size_ - at) {
        __builtin_memcpy(&value, table_ + at, bytes);
    }
    return value;
}

bool Dmar::open(const Platform& platform)
{
    std::size_t size = 0;
    const auto* table = platform.table(signature, size);
    platform_ = platform;
    table_ = table;
    size_ = static_cast<std::uint32_t>(size);
    return table != nullptr && size >= header_size && size <= 0x100000 &&
           __builtin_memcmp(table, "DMAR", 4) == 0 && number(4, 4) <= size;
}

// VT-d 8.1: the host address width, less one.
unsigned Dmar::address_bits() const
{
    return table_[36] + 1u;
}

// VT-d 8.3 "DMA Remapping Hardware Unit Definition Structure", after `unit`.
bool Dmar::next_unit(Unit& unit) const
{
    auto at = unit.at == 0 ? header_size : unit.at + unit.length;
    while (at <= size_ && size_ - at >= 4) {
        const auto type = number(at, 2), length = number(at + 2, 2);
        if (length < 4 || length > size_ - at) {
            return false;
        }
        if (type == drhd && length >= drhd_size) {
            unit = {at, length,
                    number(at + 8, 4) | std::uint64_t{number(at + 12, 4)} << 32,
                    number(at + 6, 2), (table_[at + 4] & 1) != 0};
            return true;
        }
        at += length;
    }
    return false;
}

Dmar::Scope Dmar::scope(const Unit& unit, std::uint32_t at) const
{
    const auto end = unit.at + unit.length;
    if (at > end || end - at < scope_size) {
        return {};
    }
    Scope s;
    s.at = at;
    s.type = table_[at];
    s.length = table_[at + 1];
    s.bus = table_[at + 5];
    // At least one hop of two bytes.
    const bool sound = s.length >= scope_size && s.length <= end - at;
    return sound ? s : Scope{};
}

// PCIe 7.5.1.1.9 "Header Type Register", 7.5.1.3.4 "Secondary Bus Number Register".
bool Dmar::bridge(std::uint32_t segment, Reach& reach) const
{
    const auto type = platform_.pci_read(segment, reach.requester, 0x0c) >> 16 & 0x7f;
    const auto buses = platform_.pci_read(segment, reach.requester, 0x18);
    reach.first_bus = buses >> 8 & 0xff;
    reach.last_bus = buses >> 16 & 0xff;
    return type == 1 && reach.first_bus != 0;
}

// VT-d 8.3.1 "Device Scope Structure": each hop of the path but the last is a bridge,
// whose secondary bus the next one is on.
Dmar::Reach Dmar::reach_of(const Unit& unit, const Scope& s) const
{
    if (s.type != endpoint && s.type != sub_hierarchy) {
        return {};
    }
    Reach reach;
    std::uint32_t bus = s.bus;
    for (std::uint32_t hop = scope_size - 2; hop + 2 <= s.length; hop += 2) {
        const bool last = hop + 4 > s.length || mutant(Mutant::FirstHopOnly);
        reach.requester =
            bus << 8 | (table_[s.at + hop] & 0x1fu) << 3 | (table_[s.at + hop + 1] & 7u);
        if (last && (s.type == endpoint || mutant(Mutant::SubHierarchyIgnored))) {
            break;
        }
        if (!bridge(unit.segment, reach)) {
            return {};
        }
        bus = reach.first_bus;
    }
    if (s.type == endpoint || mutant(Mutant::SubHierarchyIgnored)) {
        reach.first_bus = 1;
        reach.last_bus = 0;
    }
    reach.found = true;
    return reach;
}

bool Dmar::lists(const Unit& unit, std::uint32_t requester) const
{
    for (auto s = first_scope(unit); s.length != 0; s = next_scope(unit, s)) {
        if (reach_of(unit, s).has(requester)) {
            return true;
        }
    }
    return false;
}

bool Dmar::covers(const Unit& unit, const WdmDeviceIdentity& device) const
{
    if (device.kind != WDM_DEVICE_PCI || device.segment != unit.segment) {
        return false;
    }
    if (lists(unit, device.requester_id) || !unit.rest) {
        return lists(unit, device.requester_id);
    }
    // The catch-all unit has what no other lists.
    for (Unit other{}; next_unit(other);) {
        if (other.at != unit.at && other.segment == unit.segment &&
            lists(other, device.requester_id)) {
            return false;
        }
    }
    return true;
}

}  // namespace iommu::driver
