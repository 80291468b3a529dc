// SPDX-License-Identifier: GPL-2.0-or-later
// How C makes a VT-d unit, and what only a VT-d unit does.
#include "hw/iommu/capi.hpp"
#include "hw/iommu/verify/vtd_watch.hpp"
#include "hw/iommu/vtd/device.hpp"

using namespace iommu;

namespace {

// Only handles that wi_vtd_new made come here.
vtd::Vtd& unit(WiIommu* iommu)
{
    return static_cast<vtd::Vtd&>(*iommu->device);
}
const vtd::Vtd& unit(const WiIommu* iommu)
{
    return static_cast<const vtd::Vtd&>(*iommu->device);
}

}  // namespace

extern "C" {

void wi_vtd_config_init(WiVtdConfig* config)
{
    const vtd::Configuration defaults{};
    *config = {
        .aw_bits = static_cast<uint8_t>(defaults.aw_bits),
        .pasid_bits = static_cast<uint8_t>(defaults.pasid_bits),
        .fault_records = static_cast<uint16_t>(defaults.fault_records),
        .caching_mode = defaults.caching_mode,
        .snoop_control = defaults.snoop_control,
        .intremap = defaults.intremap,
        .eim = defaults.eim,
        .pt = defaults.pt,
        .scalable_mode = defaults.scalable_mode,
        .device_iotlb = defaults.device_iotlb,
        .tlb = defaults.tlb,
    };
}

WiIommu* wi_vtd_new(const WiVtdConfig* config, const WiHost* host, const char** error)
{
    const vtd::Configuration wanted{
        .aw_bits = config->aw_bits,
        .pasid_bits = config->pasid_bits,
        .fault_records = config->fault_records,
        .caching_mode = config->caching_mode,
        .snoop_control = config->snoop_control,
        .intremap = config->intremap,
        .eim = config->eim,
        .pt = config->pt,
        .scalable_mode = config->scalable_mode,
        .device_iotlb = config->device_iotlb,
        .tlb = config->tlb,
    };
    return make_handle<vtd::Vtd>(
        wanted, vtd::refuse(wanted), host, error, [&wanted](auto& unit) {
            return [&unit, wanted](bool verifies, verify::Watch::Listener listener) {
                return std::make_unique<verify::VtdWatch>(unit, wanted, verifies,
                                                          listener);
            };
        });
}

bool wi_vtd_remap_interrupt(WiIommu* iommu, uint32_t source_id, uint64_t address,
                            uint32_t data, uint64_t* out_address, uint32_t* out_data)
{
    std::optional<SourceId> source;
    if (source_id <= 0xffff) {
        source = SourceId{static_cast<uint16_t>(source_id)};
    }
    const vtd::Message request{Gpa{address}, data};
    const auto message = unit(iommu).remap_interrupt(source, request);
    if (iommu->watch) [[unlikely]] {
        static_cast<verify::VtdWatch&>(*iommu->watch).interrupt(source, request, message);
    }
    if (!message) {
        return false;
    }
    *out_address = message->address.value;
    *out_data = message->data;
    return true;
}

uint32_t wi_vtd_interrupt_changes(const WiIommu* iommu)
{
    return unit(iommu).interrupt_changes();
}

size_t wi_vtd_mmio_size(const WiIommu* iommu)
{
    return unit(iommu).mmio_size();
}

unsigned wi_vtd_host_address_bits(const WiIommu* iommu)
{
    return unit(iommu).host_address_bits();
}

}  // extern "C"
