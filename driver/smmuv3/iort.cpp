// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/smmuv3/iort.hpp"

namespace iommu::driver {

namespace {

// DEN 0049 3.1 "Nodes".
constexpr std::uint8_t named_component = 1, root_complex = 2, smmuv3 = 4;
constexpr std::uint32_t header_size = 48, node_header_size = 16, mapping_size = 20;

}  // namespace

std::uint32_t Iort::u32(std::uint32_t at) const
{
    std::uint32_t value = 0;
    if (at <= size_ - 4) {
        __builtin_memcpy(&value, table_ + at, 4);
    }
    return value;
}

bool Iort::open(const Platform& platform)
{
    std::size_t size = 0;
    const auto* table = platform.table(signature, size);
    return open(table, size);
}

bool Iort::open(const std::uint8_t* table, std::size_t size)
{
    table_ = table;
    size_ = static_cast<std::uint32_t>(size);
    return table != nullptr && size >= header_size && size <= 0x100000 &&
           __builtin_memcmp(table, "IORT", 4) == 0 && u32(4) <= size;
}

// DEN 0049 3.1: type at 0, length at 1 (two bytes), mapping count at 8, offset at 12.
bool Iort::next(Node& node) const
{
    const auto at = node.at == 0 ? u32(40) : node.at + node.length;
    if (at > size_ || size_ - at < node_header_size) {
        return false;
    }
    node.at = at;
    node.type = table_[at];
    node.length = table_[at + 1] | std::uint32_t{table_[at + 2]} << 8;
    node.mappings = u32(at + 8);
    node.first_mapping = u32(at + 12);
    const bool inside = node.length >= node_header_size && node.length <= size_ - at;
    const bool room =
        node.mappings == 0 ||
        (node.first_mapping <= node.length &&
         node.mappings <= (node.length - node.first_mapping) / mapping_size);
    return inside && room;
}

// DEN 0049 3.1.1 "ID mapping"; the number of ids is written as one less than it is.
Iort::Mapping Iort::mapping(const Node& node, std::uint32_t i) const
{
    const auto at = node.at + node.first_mapping + i * mapping_size;
    const bool single = (u32(at + 16) & 1) != 0;
    return {u32(at), single ? 1 : u32(at + 4) + 1, u32(at + 8), u32(at + 12), single};
}

// DEN 0049 3.1.1.2 "SMMUv3 node".
bool Iort::next_unit(Smmu& smmu) const
{
    for (Node node; next(node);) {
        if (node.at > smmu.node && node.type == smmuv3 && node.length >= 60) {
            smmu.node = node.at;
            smmu.base = u32(node.at + 16) | std::uint64_t{u32(node.at + 20)} << 32;
            smmu.coherent = (u32(node.at + 24) & 1) != 0;
            smmu.event_gsiv = u32(node.at + 44);
            smmu.gerror_gsiv = u32(node.at + 52);
            return true;
        }
    }
    return false;
}

std::uint32_t Iort::stream_count(const Smmu& smmu) const
{
    std::uint64_t most = 1;
    for (Node node; next(node);) {
        for (std::uint32_t i = 0; i < node.mappings; ++i) {
            const auto m = mapping(node, i);
            const auto end = std::uint64_t{m.output} + m.count;
            if (m.reference == smmu.node && end > most) {
                most = end;
            }
        }
    }
    return most > 0xffff'ffff ? 0xffff'ffff : static_cast<std::uint32_t>(most);
}

bool Iort::names(const Node& node, const WdmDeviceIdentity& device) const
{
    if (device.kind == WDM_DEVICE_PCI) {
        return node.type == root_complex && u32(node.at + 28) == device.segment;
    }
    // The object's name starts at 29 and ends with a zero.
    if (node.type != named_component || device.path == nullptr) {
        return false;
    }
    for (std::uint32_t i = 0; i < node.length - 29; ++i) {
        const char c = static_cast<char>(table_[node.at + 29 + i]);
        if (c != device.path[i]) {
            return false;
        }
        if (c == 0) {
            return true;
        }
    }
    return false;
}

bool Iort::find_device(const Smmu& smmu, const WdmDeviceIdentity& device,
                       InputIds& ids) const
{
    for (Node node; next(node);) {
        if (!names(node, device)) {
            continue;
        }
        for (std::uint32_t i = 0; i < node.mappings; ++i) {
            const auto m = mapping(node, i);
            if (m.reference != smmu.node) {
                continue;
            }
            if (device.kind == WDM_DEVICE_ACPI) {
                ids = {m.input, m.count, m.output};
                return true;
            }
            const auto rid = device.requester_id;
            if (m.single || (rid >= m.input && rid - m.input < m.count)) {
                ids = {rid, 1, m.single ? m.output : m.output + (rid - m.input)};
                return true;
            }
        }
    }
    return false;
}

}  // namespace iommu::driver
