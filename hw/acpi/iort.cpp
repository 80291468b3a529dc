// SPDX-License-Identifier: GPL-2.0-or-later
// Arm DEN 0049 E.e "IO Remapping Table", table revision 6.
//
//    root complex, named component, reserved memory   (in any number)
//        |  ID mappings: id -> StreamID          |  id -> DeviceID, no SMMU in between
//        v                                       |
//    SMMUv3  -- StreamID -> DeviceID -->         v
//        `-- its own MSIs' DeviceID -->      ITS group
//
// References are offsets from the table's start, so what is referred to comes first.
#include "hw/acpi/iort.hpp"

#include <algorithm>

#include "hw/acpi/table.hpp"

namespace iommu::acpi {
namespace {

constexpr std::uint8_t table_revision = 6;
constexpr std::size_t first_node = 48;
constexpr std::size_t mapping_size = 20;

// DEN 0049 "Node types".
enum class NodeType : std::uint8_t {
    ItsGroup = 0,
    NamedComponent = 1,
    RootComplex = 2,
    Smmuv3 = 4,
    ReservedMemory = 6
};

// DEN 0049 "ID mapping format".
struct IdMapping {
    std::uint32_t input = 0, count = 1, output = 0;
    std::size_t reference = 0;  // of the node it leads to
    bool single = false;        // only the output matters
};

constexpr std::uint32_t flag(bool set, unsigned bit)
{
    return set ? 1u << bit : 0u;
}

constexpr std::size_t aligned4(std::size_t n)
{
    return (n + 3) / 4 * 4;
}

class Builder {
public:
    explicit Builder(const Iort& description) : d_(description) {}
    Table build();

private:
    void its_group();
    void smmuv3(const Smmuv3& s);
    void root_complex(const RootComplex& rc);
    void named_component(const NamedComponent& c);
    void reserved_memory(const ReservedMemory& r);

    std::vector<IdMapping> bus_mappings(const RootComplex& rc) const;
    void add(NodeType type, std::uint8_t revision, Block node,
             const std::vector<IdMapping>& mappings);

    const Iort& d_;
    Block table_{first_node};
    std::uint32_t nodes_ = 0;
    std::size_t its_ = 0;             // where the ITS group stands; 0: there is none
    std::vector<std::size_t> smmus_;  // where each SMMU stands
};

// DEN 0049 "Node format": the head, the node's own fields, the mappings.  The
// identifier is the node's number, hence unique over the table.
void Builder::add(NodeType type, std::uint8_t revision, Block node,
                  const std::vector<IdMapping>& mappings)
{
    const std::size_t length = node.size() + mappings.size() * mapping_size;
    node.u8(0, static_cast<std::uint8_t>(type));
    node.u16(1, static_cast<std::uint16_t>(length));
    node.u8(3, revision);
    node.u32(4, nodes_++);
    node.u32(8, static_cast<std::uint32_t>(mappings.size()));
    node.u32(12, mappings.empty() ? 0u : static_cast<std::uint32_t>(node.size()));
    table_.append(node);
    for (const auto& m : mappings) {
        Block entry(mapping_size);
        entry.u32(0, m.input);
        entry.u32(4, m.count - 1);
        entry.u32(8, m.output);
        entry.u32(12, static_cast<std::uint32_t>(m.reference));
        entry.u32(16, flag(m.single, 0));
        table_.append(entry);
    }
}

// DEN 0049 "ITS group node", revision 1.
void Builder::its_group()
{
    its_ = table_.size();
    Block node(20 + 4 * d_.its.size());
    node.u32(16, static_cast<std::uint32_t>(d_.its.size()));
    for (std::size_t i = 0; i < d_.its.size(); ++i) {
        node.u32(20 + 4 * i, d_.its[i]);
    }
    add(NodeType::ItsGroup, 1, std::move(node), {});
}

// DEN 0049 "SMMUv3 node", revision 5.
void Builder::smmuv3(const Smmuv3& s)
{
    smmus_.push_back(table_.size());
    std::vector<IdMapping> mappings;
    if (!d_.its.empty()) {
        mappings.push_back({0, s.stream_ids, s.device_id_base, its_});
    }
    std::size_t msi_mapping = 0;
    if (s.msi_device_id) {
        msi_mapping = mappings.size();
        mappings.push_back({0, 1, *s.msi_device_id, its_, true});
    }
    Block node(68);
    node.u64(16, s.base.value);
    node.u32(24, flag(s.coherent, 0) | flag(s.proximity_domain.has_value(), 3) |
                     flag(s.msi_device_id.has_value(), 4));
    node.u32(44, s.event_gsiv);
    node.u32(48, s.pri_gsiv);
    node.u32(52, s.gerror_gsiv);
    node.u32(56, s.sync_gsiv);
    node.u32(60, s.proximity_domain.value_or(0));
    node.u32(64, static_cast<std::uint32_t>(msi_mapping));
    add(NodeType::Smmuv3, 5, std::move(node), mappings);
}

// Buses in ascending order: the claimed ones to their SMMU, the gaps between them to the
// ITS.
std::vector<IdMapping> Builder::bus_mappings(const RootComplex& rc) const
{
    auto ranges = rc.behind;
    std::sort(ranges.begin(), ranges.end(),
              [](const BusRange& a, const BusRange& b) { return a.first < b.first; });
    std::vector<IdMapping> mappings;
    std::uint32_t next = 0;  // first requester id not yet mapped
    const auto straight_to_its = [&](std::uint32_t end) {
        if (next < end && !d_.its.empty()) {
            mappings.push_back({next, end - next, rc.device_id_base + next, its_});
        }
    };
    for (const auto& r : ranges) {
        const std::uint32_t begin = r.first * 256u, end = r.last * 256u + 256u;
        straight_to_its(begin);
        mappings.push_back({begin, end - begin, begin, smmus_[r.smmu]});
        next = end;
    }
    straight_to_its(0x10000);
    return mappings;
}

// DEN 0049 "Root complex node", revision 4.  Memory access flags: CPM, coherent
// path to memory, and DACS, device attributes cacheable and inner-shareable.
void Builder::root_complex(const RootComplex& rc)
{
    Block node(40);
    node.u32(16, 1);     // CCA: fully coherent
    node.u8(23, 0b011);  // DACS, CPM
    node.u32(24, flag(rc.ats, 0) | flag(rc.pri, 1));
    node.u32(28, rc.segment);
    node.u8(32, rc.address_bits);
    node.u16(33, rc.pasid_bits);
    node.u32(36, flag(rc.pasid_bits != 0, 0));
    add(NodeType::RootComplex, 4, std::move(node), bus_mappings(rc));
}

// DEN 0049 "Named component node", revision 4.
void Builder::named_component(const NamedComponent& c)
{
    std::vector<IdMapping> mappings;
    for (const auto& r : c.ids) {
        mappings.push_back({r.input, r.count, r.output, r.smmu ? smmus_[*r.smmu] : its_});
    }
    Block node(aligned4(29 + c.path.size() + 1));
    node.u32(16, c.pasid_bits * 2u);  // [5:1]; [0] stall supported
    node.u32(20, c.coherent ? 1 : 0);
    node.u8(27, c.coherent ? 0b011 : 0);
    node.u8(28, c.address_bits);
    node.text(29, c.path);
    add(NodeType::NamedComponent, 4, std::move(node), mappings);
}

// DEN 0049 "Reserved memory range node", revision 3.
void Builder::reserved_memory(const ReservedMemory& r)
{
    constexpr std::uint32_t normal_write_back = 5;
    const bool single = r.streams == 1;
    Block node(28 + 20 * r.ranges.size());
    node.u32(16,
             flag(r.remap_permitted, 0) | flag(r.privileged, 1) | normal_write_back << 2);
    node.u32(20, static_cast<std::uint32_t>(r.ranges.size()));
    node.u32(24, 28);
    for (std::size_t i = 0; i < r.ranges.size(); ++i) {
        node.u64(28 + 20 * i, r.ranges[i].base.value);
        node.u64(36 + 20 * i, r.ranges[i].size);
    }
    add(NodeType::ReservedMemory, 3, std::move(node),
        {{single ? 0 : r.first_stream, r.streams, r.first_stream, smmus_[r.smmu],
          single}});
}

Table Builder::build()
{
    if (!d_.its.empty()) {
        its_group();
    }
    for (const auto& s : d_.smmus) {
        smmuv3(s);
    }
    for (const auto& rc : d_.root_complexes) {
        root_complex(rc);
    }
    for (const auto& c : d_.components) {
        named_component(c);
    }
    for (const auto& r : d_.reserved) {
        reserved_memory(r);
    }
    table_.u32(36, nodes_);
    table_.u32(40, first_node);
    finish_header(table_, "IORT", table_revision, d_.ids);
    return {std::move(table_).release(), {}};
}

// A node's length is 16 bits wide.
std::string check_lengths(const Iort& d)
{
    const auto too_long = [](std::size_t head, std::size_t items, std::size_t each) {
        return head + items * each > 0xffff;
    };
    bool bad = too_long(20, d.its.size(), 4);
    for (const auto& c : d.components) {
        bad |= too_long(29 + 256, c.ids.size(), mapping_size);
    }
    for (const auto& r : d.reserved) {
        bad |= too_long(28 + mapping_size, r.ranges.size(), 20);
    }
    return bad ? "IORT: a node with more entries than 64 KiB hold; describe it in parts"
               : std::string{};
}

}  // namespace

Table build_iort(const Iort& description)
{
    if (auto error = check_iort(description); !error.empty()) {
        return {{}, std::move(error)};
    }
    if (auto error = check_lengths(description); !error.empty()) {
        return {{}, std::move(error)};
    }
    return Builder(description).build();
}

}  // namespace iommu::acpi
