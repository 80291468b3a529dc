// SPDX-License-Identifier: GPL-2.0-or-later
// The C side of iommu/acpi.hpp: copies a description over, decides nothing.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "iommu/acpi.hpp"
#include "iommu/capi.h"

using namespace iommu;

// `static`, not in an unnamed namespace: convert_all finds them by their argument's type.

static acpi::OemIds convert(const WiAcpiIds& c)
{
    acpi::OemIds ids;
    std::copy_n(c.oem_id, ids.oem_id.size(), ids.oem_id.begin());
    std::copy_n(c.oem_table_id, ids.oem_table_id.size(), ids.oem_table_id.begin());
    ids.oem_revision = c.oem_revision;
    return ids;
}

static std::optional<std::uint32_t> optional(std::uint32_t value)
{
    return value == WI_ACPI_NONE ? std::nullopt : std::optional(value);
}

static std::string text(const char* s)
{
    return s == nullptr ? std::string{} : std::string(s);
}

template <typename C>
static auto convert_all(const C* items, std::size_t count)
{
    std::vector<decltype(convert(*items))> out;
    for (const C& item : std::span(items, count)) {
        out.push_back(convert(item));
    }
    return out;
}

static acpi::Smmuv3 convert(const WiIortSmmuv3& c)
{
    return {.base = Gpa{c.base},
            .event_gsiv = c.event_gsiv,
            .pri_gsiv = c.pri_gsiv,
            .gerror_gsiv = c.gerror_gsiv,
            .sync_gsiv = c.sync_gsiv,
            .coherent = c.coherent,
            .msi_device_id = optional(c.msi_device_id),
            .proximity_domain = optional(c.proximity_domain),
            .stream_ids = c.stream_ids,
            .device_id_base = c.device_id_base};
}

static acpi::BusRange convert(const WiIortBuses& c)
{
    return {c.first, c.last, c.smmu};
}

static acpi::RootComplex convert(const WiIortRootComplex& c)
{
    return {.segment = c.segment,
            .ats = c.ats,
            .pri = c.pri,
            .pasid_bits = c.pasid_bits,
            .address_bits = c.address_bits,
            .device_id_base = c.device_id_base,
            .behind = convert_all(c.behind, c.behind_count)};
}

static acpi::IdRange convert(const WiIortIds& c)
{
    return {c.input, c.count, c.output, optional(c.smmu)};
}

static acpi::NamedComponent convert(const WiIortComponent& c)
{
    return {.path = text(c.path),
            .address_bits = c.address_bits,
            .pasid_bits = c.pasid_bits,
            .coherent = c.coherent,
            .ids = convert_all(c.ids, c.id_count)};
}

static acpi::MemoryRange convert(const WiMemoryRange& c)
{
    return {Gpa{c.base}, c.size};
}

static acpi::ReservedMemory convert(const WiIortReserved& c)
{
    return {.remap_permitted = c.remap_permitted,
            .privileged = c.privileged,
            .ranges = convert_all(c.ranges, c.range_count),
            .smmu = c.smmu,
            .first_stream = c.first_stream,
            .streams = c.streams};
}

static acpi::PciHop convert(const WiPciHop& c)
{
    return {c.device, c.function};
}

static acpi::Scope convert(const WiDmarScope& c)
{
    return {.type = static_cast<acpi::Scope::Type>(c.type),
            .enumeration_id = c.enumeration_id,
            .start_bus = c.start_bus,
            .path = convert_all(c.path, c.hops)};
}

static acpi::Drhd convert(const WiDmarUnit& c)
{
    return {.segment = c.segment,
            .base = Gpa{c.base},
            .log2_pages = c.log2_pages,
            .include_pci_all = c.include_pci_all,
            .scopes = convert_all(c.scopes, c.scope_count)};
}

static acpi::Rmrr convert(const WiDmarReserved& c)
{
    return {c.segment, convert(c.range), convert_all(c.scopes, c.scope_count)};
}

static acpi::Atsr convert(const WiDmarAtsr& c)
{
    return {c.segment, convert_all(c.ports, c.port_count)};
}

static acpi::Rhsa convert(const WiDmarRhsa& c)
{
    return {Gpa{c.base}, c.proximity_domain};
}

static acpi::Andd convert(const WiDmarAndd& c)
{
    return {c.number, text(c.path)};
}

static acpi::Satc convert(const WiDmarSatc& c)
{
    return {c.segment, c.atc_required, convert_all(c.scopes, c.scope_count)};
}

static acpi::RootPort convert(const WiRootPort& c)
{
    return {.host_bridge = text(c.host_bridge),
            .name = text(c.name),
            .declare = c.declare,
            .address = convert(c.address),
            .properties = {.hot_plug_in_d3 = c.hot_plug_in_d3,
                           .external_facing_uid = optional(c.external_facing_uid),
                           .dma_property_uid = optional(c.dma_property_uid)}};
}

static void* hand_over(const std::vector<std::byte>& bytes, std::size_t* size)
{
    *size = bytes.size();
    void* out = bytes.empty() ? nullptr : std::malloc(bytes.size());
    if (out != nullptr) {
        std::memcpy(out, bytes.data(), bytes.size());
    }
    return out;
}

static void* hand_over(acpi::Table table, std::size_t* size, const char** error)
{
    static thread_local std::string last_error;
    last_error = std::move(table.error);
    *error = last_error.empty() ? nullptr : last_error.c_str();
    return hand_over(table.bytes, size);
}

extern "C" {

void* wi_acpi_iort(const WiIort* c, size_t* size, const char** error)
{
    return hand_over(
        acpi::build_iort(
            {.ids = convert(c->ids),
             .its = {c->its, c->its + c->its_count},
             .smmus = convert_all(c->smmus, c->smmu_count),
             .root_complexes = convert_all(c->root_complexes, c->root_complex_count),
             .components = convert_all(c->components, c->component_count),
             .reserved = convert_all(c->reserved, c->reserved_count)}),
        size, error);
}

void* wi_acpi_dmar(const WiDmar* c, size_t* size, const char** error)
{
    return hand_over(
        acpi::build_dmar(
            {.ids = convert(c->ids),
             .host_address_bits = c->host_address_bits,
             .interrupt_remapping = c->interrupt_remapping,
             .x2apic_opt_out = c->x2apic_opt_out,
             .dma_control_opt_in = c->dma_control_opt_in,
             .units = convert_all(c->units, c->unit_count),
             .reserved = convert_all(c->reserved, c->reserved_count),
             .ats_ports = convert_all(c->ats_ports, c->ats_port_count),
             .affinities = convert_all(c->affinities, c->affinity_count),
             .named_devices = convert_all(c->named_devices, c->named_device_count),
             .integrated_caches =
                 convert_all(c->integrated_caches, c->integrated_cache_count)}),
        size, error);
}

void* wi_acpi_root_ports(const WiAcpiIds* ids, const WiRootPort* ports, size_t count,
                         size_t* size, const char** error)
{
    return hand_over(acpi::build_root_ports_ssdt(
                         {.ids = convert(*ids), .ports = convert_all(ports, count)}),
                     size, error);
}
}
