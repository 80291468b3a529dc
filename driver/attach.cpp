// SPDX-License-Identifier: GPL-2.0-or-later
// Attach and detach: of a device's token, and of a device object by V1.
#include "driver/slots.hpp"
#include "driver/system.hpp"

namespace iommu::driver {

// --- V2 and V3

NTSTATUS WDM_CALL AttachDeviceEx(PIOMMU_DMA_DOMAIN Domain, PIOMMU_DMA_DEVICE DmaDevice)
{
    auto& s = *system();
    require_irql(s, "AttachDeviceEx", PASSIVE_LEVEL);
    if (Domain == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (DmaDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    return s.attach(Domain, DmaDevice->function, DmaDevice, DmaDevice->first_input,
                    DmaDevice->inputs);
}

NTSTATUS WDM_CALL DetachDeviceEx(PIOMMU_DMA_DEVICE DmaDevice)
{
    auto& s = *system();
    require_irql(s, "DetachDeviceEx", PASSIVE_LEVEL);
    if (DmaDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    Binding* binding = nullptr;
    {
        const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
        binding = DmaDevice->binding;
        if (binding == nullptr) {
            return mutant(Mutant::DetachUnattachedOk) ? STATUS_SUCCESS
                                                      : STATUS_INVALID_PARAMETER_1;
        }
        s.detach(binding);
    }
    s.destroy(binding);
    return STATUS_SUCCESS;
}

// --- V1

// The id's binding in the function; nullptr: the stream is in no domain.
static Binding* binding_of(const Function* f, std::uint32_t input)
{
    for (auto* b = f->bindings; b != nullptr; b = b->next_in_function) {
        if (input >= b->first_input && input - b->first_input < b->inputs) {
            return b;
        }
    }
    return nullptr;
}

static bool multi_stream(const System& s, const Function* f)
{
    return s.platform.arm64() && f->identity.kind == WDM_DEVICE_ACPI;
}

static NTSTATUS attach_v1(System& s, IOMMU_DMA_DOMAIN* domain, Function* f, ULONG base,
                          ULONG count)
{
    auto first = f->ids.first;
    auto inputs = f->ids.count;
    if (multi_stream(s, f)) {
        if (count == 0) {
            return STATUS_INVALID_PARAMETER_4;
        }
        if (!f->ids.covers(base, 1)) {
            return STATUS_INVALID_PARAMETER_3;
        }
        if (!f->ids.covers(base, count)) {
            return STATUS_INVALID_PARAMETER_4;
        }
        first = base;
        inputs = count;
    } else if (!mutant(Mutant::V1BaseUnchecked)) {
        if (base != 0) {
            return STATUS_INVALID_PARAMETER_3;
        }
        if (count != 1) {
            return STATUS_INVALID_PARAMETER_4;
        }
    }
    return s.attach(domain, f, nullptr, first, inputs);
}

NTSTATUS WDM_CALL AttachDevice(PIOMMU_DMA_DOMAIN Domain,
                               PDEVICE_OBJECT PhysicalDeviceObject,
                               ULONG InputMappingIdBase, ULONG MappingCount)
{
    auto& s = *system();
    require_irql(s, "AttachDevice", PASSIVE_LEVEL);
    if (Domain == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (PhysicalDeviceObject == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    Function* function = nullptr;
    auto status = s.acquire_function(PhysicalDeviceObject, function);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = attach_v1(s, Domain, function, InputMappingIdBase, MappingCount);
    if (!NT_SUCCESS(status)) {
        s.release_function(function);
    }
    return status;
}

// The attachment of which DetachDevice speaks.
static NTSTATUS find_v1(const System& s, const IOMMU_DMA_DOMAIN* domain,
                        const Function* f, ULONG id, Binding*& binding)
{
    if (f == nullptr || f->bindings == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const bool multi = multi_stream(s, f);
    if (!multi && id != 0 && !mutant(Mutant::V1BaseUnchecked)) {
        return STATUS_INVALID_PARAMETER_3;
    }
    const auto input = multi ? id : f->ids.first;
    binding = binding_of(f, input);
    if (binding == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (binding->domain != domain) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (binding->first_input != input && !mutant(Mutant::V1DetachAnyId)) {
        return STATUS_INVALID_PARAMETER_3;
    }
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL DetachDevice(PIOMMU_DMA_DOMAIN Domain,
                               PDEVICE_OBJECT PhysicalDeviceObject, ULONG InputMappingId)
{
    auto& s = *system();
    require_irql(s, "DetachDevice", PASSIVE_LEVEL);
    if (Domain == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    Function* function = nullptr;
    Binding* binding = nullptr;
    {
        const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
        function = s.find_function(PhysicalDeviceObject);
        const auto status = find_v1(s, Domain, function, InputMappingId, binding);
        if (!NT_SUCCESS(status)) {
            return status;
        }
        s.detach(binding);
    }
    const bool v1 = binding->device == nullptr;
    s.destroy(binding);
    if (v1) {
        const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
        s.release_function(function);
    }
    return STATUS_SUCCESS;
}

}  // namespace iommu::driver
