// SPDX-License-Identifier: GPL-2.0-or-later
// Which DMAR descriptions are refused, in words for whoever wrote the command line.
#include <algorithm>

#include "hw/acpi/dmar.hpp"
#include "hw/acpi/table.hpp"

namespace iommu::acpi {
namespace {

constexpr std::uint64_t page = 0x1000;

bool is_pci(Scope::Type t)
{
    return t == Scope::Type::Endpoint || t == Scope::Type::SubHierarchy;
}

bool is_interrupt_source(Scope::Type t)
{
    return t == Scope::Type::Ioapic || t == Scope::Type::Hpet;
}

// "0x0:00.1f.2", enough to find the device on a command line.
std::string name(const Scope& s)
{
    std::string text = "bus " + hex(s.start_bus);
    for (const auto& hop : s.path) {
        text += "/" + hex(hop.device) + "." + hex(hop.function);
    }
    return text;
}

std::string check_scope(const Scope& s)
{
    if (s.type < Scope::Type::Endpoint || s.type > Scope::Type::NamespaceDevice) {
        return "DMAR: scope at " + name(s) +
               " has a type VT-d does not define; use 1 to 5";
    }
    if (s.path.empty()) {
        return "DMAR: scope at " + name(s) + " has no device in its path; name one";
    }
    if (s.path.size() > 124) {  // its length field has 8 bits
        return "DMAR: scope at " + name(s).substr(0, 40) +
               "... passes more than 124 bridges; move the device up";
    }
    const bool fits = std::all_of(s.path.begin(), s.path.end(), [](PciHop hop) {
        return hop.device < 32 && hop.function < 8;
    });
    if (!fits) {
        return "DMAR: scope " + name(s) +
               " is no PCI address; devices go to 0x1f, functions to 7";
    }
    return {};
}

template <typename Accept>
std::string check_scopes(const std::vector<Scope>& scopes, Accept accept,
                         const std::string& owner, const std::string& accepted)
{
    std::size_t length = 0;
    for (const auto& s : scopes) {
        if (!accept(s.type)) {
            return "DMAR: " + owner + " lists " + name(s) + "; it takes " + accepted +
                   " only";
        }
        if (auto error = check_scope(s); !error.empty()) {
            return error;
        }
        length += 6 + 2 * s.path.size();
    }
    if (length > 0xff00) {  // a structure's length field has 16 bits
        return "DMAR: " + owner +
               " lists more devices than 64 KiB hold; describe it in parts";
    }
    return {};
}

std::string check_unit(const Dmar& d, std::size_t index)
{
    const auto& u = d.units[index];
    const std::string who = "unit at " + hex(u.base.value);
    if (u.log2_pages > 15) {
        return "DMAR: " + who + " has more than 2^15 register pages; use fewer";
    }
    const std::uint64_t size = page << u.log2_pages;
    if (u.base.value % page != 0 || size - 1 > ~u.base.value) {
        return "DMAR: " + who + " is not 4 KiB aligned, or wraps; move its registers";
    }
    for (std::size_t i = 0; i < index; ++i) {
        const auto& other = d.units[i];
        if (overlap(u.base.value, size, other.base.value, page << other.log2_pages)) {
            return "DMAR: " + who + " overlaps the unit at " + hex(other.base.value) +
                   "; give each its own register pages";
        }
        if (u.include_pci_all && other.include_pci_all && u.segment == other.segment) {
            return "DMAR: " + who + " is the second catch-all of segment " +
                   hex(u.segment) + "; only one unit may take all that is left";
        }
    }
    if (!u.include_pci_all && u.scopes.empty()) {
        return "DMAR: " + who + " covers nothing; list devices or let it include all";
    }
    if (u.include_pci_all) {
        return check_scopes(u.scopes, is_interrupt_source, "the catch-all " + who,
                            "IOAPICs and HPETs");
    }
    return check_scopes(
        u.scopes, [](Scope::Type) { return true; }, who, "any device");
}

// Each requester belongs to exactly one unit.
std::string check_unique(const Dmar& d)
{
    struct Seen {
        std::uint16_t segment;
        const Scope* scope;
        Gpa unit;
    };
    std::vector<Seen> seen;
    for (const auto& u : d.units) {
        for (const auto& s : u.scopes) {
            for (const auto& other : seen) {
                const auto& o = *other.scope;
                const bool same_address = other.segment == u.segment &&
                                          o.start_bus == s.start_bus && o.path == s.path;
                const bool same_source = !is_pci(s.type) && o.type == s.type &&
                                         o.enumeration_id == s.enumeration_id;
                if (same_source || (same_address && is_pci(s.type) == is_pci(o.type) &&
                                    (is_pci(s.type) || o.type == s.type))) {
                    return "DMAR: " + name(s) + " is listed twice (units at " +
                           hex(other.unit.value) + " and " + hex(u.base.value) +
                           "); each device belongs to one unit";
                }
            }
            seen.push_back({u.segment, &s, u.base});
        }
    }
    return {};
}

bool lists_ioapic(const Dmar& d)
{
    return std::any_of(d.units.begin(), d.units.end(), [](const Drhd& u) {
        return std::any_of(u.scopes.begin(), u.scopes.end(),
                           [](const Scope& s) { return s.type == Scope::Type::Ioapic; });
    });
}

std::string check_flags(const Dmar& d)
{
    if (d.host_address_bits < 32 || d.host_address_bits > 64) {
        return "DMAR: a host address width of " + hex(d.host_address_bits) +
               " bits; use 32 to 64";
    }
    if (d.units.empty()) {
        return "DMAR: no remapping unit; describe at least one";
    }
    if (d.x2apic_opt_out && !d.interrupt_remapping) {
        return "DMAR: x2APIC opt-out without interrupt remapping means nothing; turn "
               "interrupt remapping on or the opt-out off";
    }
    if (d.interrupt_remapping && !lists_ioapic(d)) {
        return "DMAR: interrupt remapping is on but no unit lists the IOAPIC; add its "
               "scope";
    }
    if (d.dma_control_opt_in && !d.named_devices.empty()) {
        return "DMAR: DMA protection forbids ANDD structures; drop the named devices or "
               "turn DMA protection off";
    }
    return {};
}

std::string check_reserved(const Dmar& d)
{
    for (std::size_t i = 0; i < d.reserved.size(); ++i) {
        const auto& r = d.reserved[i];
        const std::string who =
            "reserved memory " + hex(r.range.base.value) + "+" + hex(r.range.size);
        if (r.range.size == 0 || r.range.base.value % page != 0 ||
            r.range.size % page != 0 || r.range.size - 1 > ~r.range.base.value) {
            return "DMAR: " + who +
                   " is not 4 KiB aligned; base and size must be multiples of 0x1000";
        }
        if (r.scopes.empty()) {
            return "DMAR: " + who + " belongs to no device; name the device that uses it";
        }
        if (auto error = check_scopes(r.scopes, is_pci, who, "PCI devices");
            !error.empty()) {
            return error;
        }
        for (std::size_t j = 0; j < i; ++j) {
            const auto& o = d.reserved[j].range;
            if (overlap(r.range.base.value, r.range.size, o.base.value, o.size)) {
                return "DMAR: " + who + " overlaps " + hex(o.base.value) + "+" +
                       hex(o.size) + "; merge them, one structure may list many devices";
            }
        }
    }
    return {};
}

std::string check_ats(const Dmar& d)
{
    const auto bridge = [](Scope::Type t) { return t == Scope::Type::SubHierarchy; };
    for (std::size_t i = 0; i < d.ats_ports.size(); ++i) {
        const auto& a = d.ats_ports[i];
        if (auto error = check_scopes(a.ports, bridge, "ATSR", "root ports");
            !error.empty()) {
            return error;
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (d.ats_ports[j].segment == a.segment) {
                return "DMAR: segment " + hex(a.segment) +
                       " has two ATSR structures; list all its root ports in one";
            }
        }
    }
    const auto endpoint = [](Scope::Type t) { return t == Scope::Type::Endpoint; };
    for (const auto& s : d.integrated_caches) {
        if (s.scopes.empty()) {
            return "DMAR: SATC without a device; name the integrated endpoints";
        }
        if (auto error = check_scopes(s.scopes, endpoint, "SATC", "endpoints");
            !error.empty()) {
            return error;
        }
    }
    return {};
}

std::string check_affinities(const Dmar& d)
{
    for (std::size_t i = 0; i < d.affinities.size(); ++i) {
        const auto base = d.affinities[i].base;
        const bool known = std::any_of(d.units.begin(), d.units.end(),
                                       [&](const Drhd& u) { return u.base == base; });
        const bool again = std::any_of(d.affinities.begin(), d.affinities.begin() + i,
                                       [&](const Rhsa& r) { return r.base == base; });
        if (!known || again) {
            return "DMAR: RHSA for the unit at " + hex(base.value) +
                   (known ? " given twice; give one per unit"
                          : ", which is not described; use a unit's base address");
        }
    }
    return {};
}

std::string check_named(const Dmar& d)
{
    for (std::size_t i = 0; i < d.named_devices.size(); ++i) {
        const auto& a = d.named_devices[i];
        if (a.path.empty() || a.path.size() > 255 || a.path.find('\0') != a.path.npos) {
            return "DMAR: a named device needs an ACPI path of 1 to 255 characters";
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (d.named_devices[j].number == a.number) {
                return "DMAR: " + a.path + " has the number of " +
                       d.named_devices[j].path + "; number named devices apart";
            }
        }
    }
    for (const auto& u : d.units) {
        for (const auto& s : u.scopes) {
            const bool declared =
                std::any_of(d.named_devices.begin(), d.named_devices.end(),
                            [&](const Andd& a) { return a.number == s.enumeration_id; });
            if (s.type == Scope::Type::NamespaceDevice && !declared) {
                return "DMAR: unit at " + hex(u.base.value) + " lists named device " +
                       hex(s.enumeration_id) + ", which no ANDD declares; declare it";
            }
        }
    }
    return {};
}

}  // namespace

std::string check_dmar(const Dmar& d)
{
    if (auto error = check_flags(d); !error.empty()) {
        return error;
    }
    for (std::size_t i = 0; i < d.units.size(); ++i) {
        if (auto error = check_unit(d, i); !error.empty()) {
            return error;
        }
    }
    for (const auto check :
         {check_unique, check_reserved, check_ats, check_affinities, check_named}) {
        if (auto error = check(d); !error.empty()) {
            return error;
        }
    }
    return {};
}

}  // namespace iommu::acpi
