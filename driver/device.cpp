// SPDX-License-Identifier: GPL-2.0-or-later
// Device tokens, and the input ids of a device object.
#include "driver/slots.hpp"
#include "driver/system.hpp"

namespace iommu::driver {

namespace {

struct Wanted {
    const IOMMU_DEVICE_CREATION_CONFIGURATION_ACPI* acpi = nullptr;
    const IOMMU_DEVICE_CREATION_CONFIGURATION_PASID* pasid = nullptr;
};

// [S] The list ends at NULL, at itself, or where it began.  False: an element is not one
// a third party may pass, or is there twice.
bool parse(const IOMMU_DEVICE_CREATION_CONFIGURATION* first, Wanted& wanted)
{
    for (const auto* c = first; c != nullptr;) {
        switch (c->ConfigType) {
        case IommuDeviceCreationConfigTypeAcpi:
            if (wanted.acpi != nullptr) {
                return false;
            }
            wanted.acpi = &c->Acpi;
            break;
        case IommuDeviceCreationConfigTypePasid:
            if (wanted.pasid != nullptr) {
                return false;
            }
            wanted.pasid = &c->Pasid;
            break;
        case IommuDeviceCreationConfigTypeNone:
        case IommuDeviceCreationConfigTypeDeviceId:
        case IommuDeviceCreationConfigTypeMax:
        default:
            return mutant(Mutant::ConfigTypeUnchecked);
        }
        // NextConfiguration is the element's first member.
        const auto* next = reinterpret_cast<const IOMMU_DEVICE_CREATION_CONFIGURATION*>(
            c->NextConfiguration.Flink);
        if (next == c || next == first || mutant(Mutant::FirstConfigOnly)) {
            break;
        }
        c = next;
    }
    return true;
}

// Does what was asked for fit the device and the system?
bool fits(const System& s, const Function& f, const Wanted& wanted)
{
    const bool multi = s.platform.arm64() && f.identity.kind == WDM_DEVICE_ACPI;
    if ((wanted.acpi != nullptr) != multi) {
        return (wanted.acpi == nullptr && mutant(Mutant::AcpiConfigOptional)) ||
               (wanted.acpi != nullptr && mutant(Mutant::AcpiConfigAnywhere));
    }
    if (multi && !mutant(Mutant::AcpiRangeUnchecked) &&
        (wanted.acpi->MappingsCount == 0 ||
         !f.ids.covers(wanted.acpi->InputMappingBase, wanted.acpi->MappingsCount))) {
        return false;
    }
    if (wanted.pasid != nullptr) {
        const auto type = wanted.pasid->ConfigType;
        return type >= 0 && type < PasidConfigTypeMax && s.limits.pasid_bits != 0 &&
               f.identity.pasid_bits != 0;
    }
    return true;
}

void fill(IOMMU_DMA_DEVICE* d, Function* f, const Wanted& wanted)
{
    d->function = f;
    d->first_input = f->ids.first;
    d->inputs = f->ids.count;
    if (wanted.acpi != nullptr && f->identity.kind == WDM_DEVICE_ACPI) {
        d->first_input = wanted.acpi->InputMappingBase;
        d->inputs = wanted.acpi->MappingsCount;
    }
    if (wanted.pasid != nullptr) {
        d->pasid = true;
        d->pasid_tagged = wanted.pasid->ConfigType == PasidConfigTypePasidTaggedDma;
        d->suppress_pasid_faults = wanted.pasid->SuppressPasidFaults != FALSE;
        if (d->pasid_tagged) {
            f->pasid_parent = d;
        }
    }
}

}  // namespace

NTSTATUS WDM_CALL CreateDevice(PDEVICE_OBJECT DeviceObject,
                               PIOMMU_DEVICE_CREATION_CONFIGURATION DeviceConfig,
                               PIOMMU_DMA_DEVICE* DmaDeviceOut)
{
    auto& s = *system();
    require_irql(s, "CreateDevice", PASSIVE_LEVEL);
    if (DeviceObject == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    Wanted wanted{};
    if (!parse(DeviceConfig, wanted)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (DmaDeviceOut == nullptr) {
        return STATUS_INVALID_PARAMETER_3;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    Function* function = nullptr;
    const auto status = s.acquire_function(DeviceObject, function);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (!fits(s, *function, wanted)) {
        s.release_function(function);
        return mutant(Mutant::ConfigStatus) ? STATUS_INVALID_PARAMETER
                                            : STATUS_INVALID_PARAMETER_2;
    }
    auto* device = s.platform.make<IOMMU_DMA_DEVICE>();
    if (device == nullptr) {
        if (!mutant(Mutant::LeakFunctionOnFailure)) {
            s.release_function(function);
        }
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    fill(device, function, wanted);
    device->next = s.devices;
    s.devices = device;
    *DmaDeviceOut = device;
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL DeleteDevice(PIOMMU_DMA_DEVICE DmaDevice)
{
    auto& s = *system();
    require_irql(s, "DeleteDevice", PASSIVE_LEVEL);
    if (DmaDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    const bool attached = DmaDevice->binding != nullptr;
    if (attached && mutant(Mutant::DeleteAttachedDevice)) {
        return STATUS_SUCCESS;
    }
    const bool called =
        DmaDevice->callback != nullptr && !mutant(Mutant::DeleteIgnoresCallback);
    const bool parent =
        DmaDevice->pasid_devices != nullptr && !mutant(Mutant::DeleteIgnoresPasids);
    if (attached || called || parent) {
        return STATUS_RESOURCE_IN_USE;
    }
    for (auto** at = &s.devices; *at != nullptr; at = &(*at)->next) {
        if (*at == DmaDevice) {
            *at = DmaDevice->next;
            break;
        }
    }
    if (DmaDevice->function->pasid_parent == DmaDevice) {
        const Guard at_interrupt(s.platform, s.faults, HIGH_LEVEL);
        DmaDevice->function->pasid_parent = nullptr;
    }
    s.release_function(DmaDevice->function);
    s.platform.destroy(DmaDevice);
    return STATUS_SUCCESS;
}

VOID WDM_CALL QueryAvailableDomainTypes(PIOMMU_DMA_DEVICE DmaDevice,
                                        PULONG AvailableDomains)
{
    auto& s = *system();
    require_irql(s, "QueryAvailableDomainTypes", PASSIVE_LEVEL);
    if (DmaDevice != nullptr && AvailableDomains != nullptr) {
        *AvailableDomains = s.available_types(*DmaDevice->function);
    }
}

NTSTATUS WDM_CALL QueryInputMappings(PDEVICE_OBJECT PhysicalDeviceObject,
                                     PINPUT_MAPPING_ELEMENT Buffer, ULONG BufferLength,
                                     PULONG ReturnLength)
{
    auto& s = *system();
    require_irql(s, "QueryInputMappings", PASSIVE_LEVEL);
    WdmDeviceIdentity identity{};
    InputIds ids{};
    const auto& p = s.platform.raw();
    if (!s.platform.arm64() || !s.present ||
        !p.identify(p.context, PhysicalDeviceObject, &identity) ||
        !s.hw.find(identity, ids)) {
        return STATUS_UNSUCCESSFUL;
    }
    const ULONG unit =
        mutant(Mutant::QueryCountsElements) ? 1 : sizeof(INPUT_MAPPING_ELEMENT);
    const ULONG needed = ids.count * unit;
    if (ReturnLength != nullptr) {
        *ReturnLength = needed;
    }
    const bool small = BufferLength < needed || Buffer == nullptr;
    const auto room = BufferLength / sizeof(INPUT_MAPPING_ELEMENT);
    const bool write = !small || mutant(Mutant::QueryPartialWrite);
    for (std::uint32_t i = 0; i < ids.count && i < room && write && Buffer != nullptr;
         ++i) {
        Buffer[i].InputMappingId = ids.first + i;
    }
    return small ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

}  // namespace iommu::driver
