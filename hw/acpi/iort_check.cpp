// SPDX-License-Identifier: GPL-2.0-or-later
// Which IORT descriptions are refused, in words for whoever wrote the command line.
#include <algorithm>

#include "hw/acpi/iort.hpp"
#include "hw/acpi/table.hpp"

namespace iommu::acpi {
namespace {

constexpr std::uint64_t register_alignment = 0x10000;  // SMMU 6.1 "Memory map"
constexpr std::uint64_t range_alignment = 0x10000;  // DEN 0049 "Memory range descriptor"

std::string check_its(const Iort& d)
{
    for (std::size_t i = 0; i < d.its.size(); ++i) {
        if (std::count(d.its.begin(), d.its.end(), d.its[i]) != 1) {
            return "IORT: ITS id " + hex(d.its[i]) +
                   " is listed twice; list each ITS once";
        }
    }
    return {};
}

std::string check_smmu(const Iort& d, std::size_t index)
{
    const auto& s = d.smmus[index];
    const std::string who = "IORT: SMMUv3 at " + hex(s.base.value);
    if (s.base.value % register_alignment != 0) {
        return who +
               " is not 64 KiB aligned; move its registers to a multiple of 0x10000";
    }
    if (s.stream_ids == 0) {
        return who + " has no StreamIDs; give it at least 0x10000 for PCI";
    }
    if (s.msi_device_id && d.its.empty()) {
        return who + " has an MSI DeviceID but there is no ITS to send it to; add an ITS "
                     "or use wired interrupts only";
    }
    if (!s.msi_device_id && (s.event_gsiv == 0 || s.gerror_gsiv == 0)) {
        return who + " can report neither events nor errors; give it event and gerror "
                     "GSIVs or an MSI DeviceID";
    }
    for (std::size_t i = 0; i < index; ++i) {
        const auto& other = d.smmus[i];
        if (other.base == s.base) {
            return who + " is described twice; give each SMMU its own base address";
        }
        if (s.msi_device_id && other.msi_device_id == s.msi_device_id) {
            return who + " shares MSI DeviceID " + hex(*s.msi_device_id) +
                   " with another SMMU; give each its own";
        }
    }
    return {};
}

std::string check_bus_ranges(const Iort& d, const RootComplex& rc)
{
    const std::string who = "IORT: segment " + hex(rc.segment);
    for (std::size_t i = 0; i < rc.behind.size(); ++i) {
        const auto& r = rc.behind[i];
        const std::string range = who + ": buses " + hex(r.first) + ".." + hex(r.last);
        if (r.first > r.last) {
            return range + " run backwards; put the lower bus first";
        }
        if (r.smmu >= d.smmus.size()) {
            return range + " are behind an SMMU that is not described; describe it";
        }
        if (d.smmus[r.smmu].stream_ids <= r.last * 256u + 255u) {
            return range + " need StreamIDs up to " + hex(r.last * 256u + 255u) +
                   "; raise the SMMU's StreamID size to 16 bits";
        }
        for (std::size_t j = 0; j < i; ++j) {
            const auto& other = rc.behind[j];
            if (r.first <= other.last && other.first <= r.last) {
                return range + " overlap buses " + hex(other.first) + ".." +
                       hex(other.last) + "; each bus may sit behind one SMMU only";
            }
        }
    }
    return {};
}

bool share_an_smmu(const RootComplex& a, const RootComplex& b)
{
    return std::any_of(a.behind.begin(), a.behind.end(), [&](const BusRange& x) {
        return std::any_of(b.behind.begin(), b.behind.end(),
                           [&](const BusRange& y) { return x.smmu == y.smmu; });
    });
}

std::string check_root_complex(const Iort& d, std::size_t index)
{
    const auto& rc = d.root_complexes[index];
    const std::string who = "IORT: segment " + hex(rc.segment);
    if (rc.pasid_bits > 20) {
        return who + " asks for " + hex(rc.pasid_bits) + " PASID bits; 20 are the most";
    }
    if (rc.address_bits > 64) {
        return who + " has an address size above 64 bits; use 64 or less";
    }
    for (std::size_t i = 0; i < index; ++i) {
        const auto& other = d.root_complexes[i];
        if (other.segment == rc.segment) {
            return who + " has two root complex nodes; merge their bus ranges into one";
        }
        if (share_an_smmu(rc, other)) {
            return who + " shares an SMMU with segment " + hex(other.segment) +
                   ", where its StreamIDs would collide; give each segment its own SMMU";
        }
    }
    return check_bus_ranges(d, rc);
}

std::string check_id_range(const Iort& d, const NamedComponent& c, std::size_t index)
{
    const auto& r = c.ids[index];
    const std::string who = "IORT: " + c.path + ": id " + hex(r.input);
    if (r.count == 0 || r.count - 1 > 0xffffffffu - r.input ||
        r.count - 1 > 0xffffffffu - r.output) {
        return who + " is an empty range or one past 32 bits; correct its count";
    }
    if (!r.smmu && d.its.empty()) {
        return who + " maps to an ITS but there is none; map it to an SMMU or add an ITS";
    }
    if (r.smmu && *r.smmu >= d.smmus.size()) {
        return who + " is behind an SMMU that is not described; describe it";
    }
    if (r.smmu && std::uint64_t{r.output} + r.count > d.smmus[*r.smmu].stream_ids) {
        return who + " needs StreamID " + hex(std::uint64_t{r.output} + r.count - 1) +
               ", which its SMMU does not have; raise the StreamID size";
    }
    for (std::size_t i = 0; i < index; ++i) {
        if (overlap(r.input, r.count, c.ids[i].input, c.ids[i].count)) {
            return who + " is mapped twice; map each input id once";
        }
    }
    return {};
}

std::string check_component(const Iort& d, const NamedComponent& c)
{
    if (c.path.empty() || c.path.size() > 255 || c.path.find('\0') != c.path.npos) {
        return "IORT: a named component needs an ACPI path of 1 to 255 characters";
    }
    if (c.pasid_bits > 20 || c.address_bits > 64) {
        return "IORT: " + c.path + " has more than 20 PASID or 64 address bits";
    }
    for (std::size_t i = 0; i < c.ids.size(); ++i) {
        if (auto error = check_id_range(d, c, i); !error.empty()) {
            return error;
        }
    }
    return {};
}

std::string check_range(const MemoryRange& r)
{
    const std::string who =
        "IORT: reserved memory " + hex(r.base.value) + "+" + hex(r.size);
    if (r.size == 0 || r.base.value % range_alignment != 0 ||
        r.size % range_alignment != 0) {
        return who + " is not 64 KiB aligned; base and size must be multiples of 0x10000";
    }
    if (r.size - 1 > ~std::uint64_t{0} - r.base.value) {
        return who + " wraps around the end of memory; make it smaller";
    }
    return {};
}

// DEN 0049 "Reserved memory range node": regions of one stream must not overlap; nor may
// one region have two sets of attributes, so no two overlap at all.
std::string check_reserved(const Iort& d)
{
    std::vector<MemoryRange> seen;
    for (const auto& node : d.reserved) {
        if (node.smmu >= d.smmus.size()) {
            return "IORT: reserved memory belongs to an SMMU that is not described; "
                   "describe it";
        }
        if (node.streams == 0 || std::uint64_t{node.first_stream} + node.streams >
                                     d.smmus[node.smmu].stream_ids) {
            return "IORT: reserved memory names StreamID " + hex(node.first_stream) +
                   " and " + hex(node.streams) +
                   " in all, not all of which its SMMU has; name existing StreamIDs";
        }
        if (node.ranges.empty()) {
            return "IORT: a reserved memory node without a range; give base and size";
        }
        for (const auto& r : node.ranges) {
            if (auto error = check_range(r); !error.empty()) {
                return error;
            }
            for (const auto& other : seen) {
                if (overlap(r.base.value, r.size, other.base.value, other.size)) {
                    return "IORT: reserved memory " + hex(r.base.value) + "+" +
                           hex(r.size) + " overlaps " + hex(other.base.value) + "+" +
                           hex(other.size) + "; merge them or move one";
                }
            }
            seen.push_back(r);
        }
    }
    return {};
}

}  // namespace

std::string check_iort(const Iort& d)
{
    if (auto error = check_its(d); !error.empty()) {
        return error;
    }
    for (std::size_t i = 0; i < d.smmus.size(); ++i) {
        if (auto error = check_smmu(d, i); !error.empty()) {
            return error;
        }
    }
    for (std::size_t i = 0; i < d.root_complexes.size(); ++i) {
        if (auto error = check_root_complex(d, i); !error.empty()) {
            return error;
        }
    }
    for (const auto& c : d.components) {
        if (auto error = check_component(d, c); !error.empty()) {
            return error;
        }
    }
    return check_reserved(d);
}

}  // namespace iommu::acpi
