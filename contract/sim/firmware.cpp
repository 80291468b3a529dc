// SPDX-License-Identifier: GPL-2.0-or-later
// The layouts: which device has which ids behind which unit, and what IORT or DMAR and
// the bridges' configuration space say about it.
#include "contract/sim/firmware.hpp"

#include <cstring>

#include "contract/sim/machine.hpp"
#include "iommu/acpi.hpp"

namespace iommu::contract::sim {

namespace {

using namespace firmware;

constexpr struct {
    Layout layout;
    const char* name;
} layouts[] = {{Layout::Usual, "usual"},
               {Layout::TwoUnits, "two-units"},
               {Layout::Mixed, "mixed"},
               {Layout::Wide, "wide"},
               {Layout::Bridges, "bridges"}};

constexpr std::uint32_t id_of(unsigned bus, unsigned device)
{
    return bus << 8 | device << 3;
}

// Layout::Bridges: two of them on bus 0.  Below the first is A; below the second, behind
// another one that the tables need not name, B.
struct Bridge {
    std::uint8_t device, first_bus, last_bus;
};
constexpr Bridge bridges[] = {{1, 5, 5}, {3, 6, 7}};

}  // namespace

const char* name_of(Layout layout)
{
    for (const auto& l : layouts) {
        if (l.layout == layout) {
            return l.name;
        }
    }
    return "?";
}

bool layout_of(const char* name, Layout& layout)
{
    for (const auto& l : layouts) {
        if (std::strcmp(l.name, name) == 0) {
            layout = l.layout;
            return true;
        }
    }
    return false;
}

// Wide: A and B are at the same place in their second-level tables, the ACPI device is in
// the upper half of its.  With two units ids repeat: those of the ACPI device are A's
// too, behind the other SMMU; on x64 the function without an IOMMU has A's id in another
// segment.
Machine::Place Machine::place(Who who) const
{
    const auto layout = options_.layout;
    const bool two = units() == 2, wide = layout == Layout::Wide && arm64();
    const bool below = layout == Layout::Bridges;
    switch (who) {
    case Who::PciA:
        return {below ? id_of(bridges[0].first_bus, 2) : id_of(0, 2)};
    case Who::PciB:
        if (below) {
            return {id_of(bridges[1].last_bus, 3)};
        }
        return {two ? id_of(2, 2) : wide ? id_of(0x80, 2) : id_of(0, 3), two ? 1u : 0u};
    case Who::Acpi:
        return {two ? id_of(0, 2) - 1 : wide ? 0x9'01f0u : 0x140u, two ? 1u : 0u};
    case Who::Unprotected:
        break;
    }
    return two && !arm64() ? Place{id_of(0, 2), 0, 1} : Place{id_of(1, 0)};
}

const char* Machine::build_iort()
{
    acpi::Iort iort;
    iort.its = {0};
    acpi::RootComplex root;
    root.pasid_bits = 8;
    root.device_id_base = 0x10'0000 * units();
    for (unsigned i = 0; i < units(); ++i) {
        acpi::Smmuv3 smmu;
        smmu.base = Gpa{registers_of(Kind::Virt, i)};
        smmu.event_gsiv = first_gsiv(i) + WI_SMMUV3_IRQ_EVTQ;
        smmu.pri_gsiv = first_gsiv(i) + WI_SMMUV3_IRQ_PRIQ;
        smmu.sync_gsiv = first_gsiv(i) + WI_SMMUV3_IRQ_CMD_SYNC;
        smmu.gerror_gsiv = first_gsiv(i) + WI_SMMUV3_IRQ_GERROR;
        smmu.stream_ids = options_.layout == Layout::Wide ? 0x10'0000 : 0x1000;
        smmu.device_id_base = i * 0x10'0000;
        iort.smmus.push_back(smmu);
    }
    for (const auto who : {Who::PciA, Who::PciB}) {
        const auto at = place(who);
        const auto bus = static_cast<std::uint8_t>(at.id >> 8);
        if (root.behind.empty() || root.behind.back().first != bus) {
            root.behind.push_back({bus, bus, at.unit});
        }
    }
    iort.root_complexes.push_back(root);
    const auto at = place(Who::Acpi);
    acpi::NamedComponent component;
    component.path = acpi_path;
    component.ids.push_back({acpi_first_id, acpi_ids, at.id, at.unit});
    iort.components.push_back(component);
    return keep(acpi::build_iort(iort));
}

const char* Machine::build_dmar()
{
    const auto scope = [](std::initializer_list<acpi::PciHop> path) {
        acpi::Scope s;
        s.path = path;
        return s;
    };
    acpi::Dmar dmar;
    dmar.host_address_bits = 46;
    acpi::Drhd unit;
    unit.base = Gpa{registers_of(options_.kind, 0)};
    if (options_.layout == Layout::Bridges) {
        unit.scopes = {scope({{bridges[0].device, 0}, {2, 0}}),
                       scope({{bridges[1].device, 0}})};
        unit.scopes[1].type = acpi::Scope::Type::SubHierarchy;
    } else {
        unit.scopes = {scope({{2, 0}})};
        if (units() == 1) {
            unit.scopes.push_back(scope({{3, 0}}));
        }
    }
    acpi::Scope ioapic = scope({{0, 0}});
    ioapic.type = acpi::Scope::Type::Ioapic;
    ioapic.start_bus = 0xff;
    unit.scopes.push_back(ioapic);
    dmar.units.push_back(unit);
    if (units() == 2) {
        acpi::Drhd rest;
        rest.base = Gpa{registers_of(options_.kind, 1)};
        rest.include_pci_all = true;
        dmar.units.push_back(rest);
    }
    return keep(acpi::build_dmar(dmar));
}

const char* Machine::keep(acpi::Table table)
{
    table_error_ = table.error;
    table_ = std::move(table.bytes);
    return table_error_.empty() ? nullptr : table_error_.c_str();
}

// PCI 7.5.1.1.9 "Header Type", 7.5.1.3 "Type 1 Configuration Space Header".
std::uint32_t Machine::read_config(std::uint32_t segment, std::uint32_t requester,
                                   std::uint32_t offset)
{
    for (const auto& bridge : bridges) {
        const bool here = options_.layout == Layout::Bridges && segment == 0 &&
                          requester == id_of(0, bridge.device);
        if (here && offset == 0x0c) {
            return 1u << 16;
        }
        if (here && offset == 0x18) {
            return std::uint32_t{bridge.last_bus} << 16 | std::uint32_t{bridge.first_bus}
                                                              << 8;
        }
    }
    return ~0u;
}

}  // namespace iommu::contract::sim
