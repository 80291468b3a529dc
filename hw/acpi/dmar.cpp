// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 8.1 "DMA Remapping Reporting Structure": table revision 1, structures in ascending
// order of type.
// Not implemented: VT-d 8.9 SIDP; the operating systems whose headers stop at type 5
// would have to skip it.
#include "hw/acpi/dmar.hpp"

#include <algorithm>

#include "hw/acpi/table.hpp"

namespace iommu::acpi {
namespace {

constexpr std::uint8_t table_revision = 1;
constexpr std::size_t first_structure = 48;

// VT-d 8.2 "Remapping Structure Types".
enum class Type : std::uint16_t {
    Drhd = 0,
    Rmrr = 1,
    Atsr = 2,
    Rhsa = 3,
    Andd = 4,
    Satc = 5
};

constexpr std::uint8_t flag(bool set, unsigned bit)
{
    return static_cast<std::uint8_t>(set ? 1u << bit : 0u);
}

// VT-d 8.3.1 "Device Scope Structure".
Block encode(const Scope& s)
{
    Block scope(6 + 2 * s.path.size());
    scope.u8(0, static_cast<std::uint8_t>(s.type));
    scope.u8(1, static_cast<std::uint8_t>(scope.size()));
    scope.u8(4, s.enumeration_id);
    scope.u8(5, s.start_bus);
    for (std::size_t i = 0; i < s.path.size(); ++i) {
        scope.u8(6 + 2 * i, s.path[i].device);
        scope.u8(7 + 2 * i, s.path[i].function);
    }
    return scope;
}

void add(Block& table, Type type, Block head, const std::vector<Scope>& scopes = {})
{
    Block body(0);
    for (const auto& s : scopes) {
        body.append(encode(s));
    }
    head.u16(0, static_cast<std::uint16_t>(type));
    head.u16(2, static_cast<std::uint16_t>(head.size() + body.size()));
    table.append(head);
    table.append(body);
}

// VT-d 8.3 "DMA Remapping Hardware Unit Definition Structure".
void add(Block& table, const Drhd& u)
{
    Block head(16);
    head.u8(4, flag(u.include_pci_all, 0));
    head.u8(5, u.log2_pages);
    head.u16(6, u.segment);
    head.u64(8, u.base.value);
    add(table, Type::Drhd, std::move(head), u.scopes);
}

// VT-d 8.4 "Reserved Memory Region Reporting Structure"; the limit is inclusive.
void add(Block& table, const Rmrr& r)
{
    Block head(24);
    head.u16(6, r.segment);
    head.u64(8, r.range.base.value);
    head.u64(16, r.range.base.value + r.range.size - 1);
    add(table, Type::Rmrr, std::move(head), r.scopes);
}

// VT-d 8.5 "Root Port ATS Capability Reporting Structure".
void add(Block& table, const Atsr& a)
{
    Block head(8);
    head.u8(4, flag(a.ports.empty(), 0));  // ALL_PORTS
    head.u16(6, a.segment);
    add(table, Type::Atsr, std::move(head), a.ports);
}

// VT-d 8.6 "Remapping Hardware Static Affinity Structure".
void add(Block& table, const Rhsa& r)
{
    Block head(20);
    head.u64(8, r.base.value);
    head.u32(16, r.proximity_domain);
    add(table, Type::Rhsa, std::move(head));
}

// VT-d 8.7 "ACPI Name-space Device Declaration Structure".
void add(Block& table, const Andd& a)
{
    Block head(8 + a.path.size() + 1);
    head.u8(7, a.number);
    head.text(8, a.path);
    add(table, Type::Andd, std::move(head));
}

// VT-d 8.8 "SoC Integrated Address Translation Cache Reporting Structure".
void add(Block& table, const Satc& s)
{
    Block head(8);
    head.u8(4, flag(s.atc_required, 0));
    head.u16(6, s.segment);
    add(table, Type::Satc, std::move(head), s.scopes);
}

}  // namespace

Table build_dmar(const Dmar& d)
{
    if (auto error = check_dmar(d); !error.empty()) {
        return {{}, std::move(error)};
    }
    Block table(first_structure);
    table.u8(36, static_cast<std::uint8_t>(d.host_address_bits - 1));
    table.u8(37, static_cast<std::uint8_t>(flag(d.interrupt_remapping, 0) |
                                           flag(d.x2apic_opt_out, 1) |
                                           flag(d.dma_control_opt_in, 2)));
    // VT-d 8.3: the unit that takes the rest of a segment comes after the others.
    auto units = d.units;
    std::stable_partition(units.begin(), units.end(),
                          [](const Drhd& u) { return !u.include_pci_all; });
    const auto add_all = [&](const auto& structures) {
        for (const auto& s : structures) {
            add(table, s);
        }
    };
    add_all(units);
    add_all(d.reserved);
    add_all(d.ats_ports);
    add_all(d.affinities);
    add_all(d.named_devices);
    add_all(d.integrated_caches);
    finish_header(table, "DMAR", table_revision, d.ids);
    return {std::move(table).release(), {}};
}

}  // namespace iommu::acpi
