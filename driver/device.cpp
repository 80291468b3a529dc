// SPDX-License-Identifier: GPL-2.0-or-later
// Device tokens, attach and detach of both families, input mappings.
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

// --- attach and detach, V2 and V3

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
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    if (DmaDevice->binding == nullptr) {
        return mutant(Mutant::DetachUnattachedOk) ? STATUS_SUCCESS
                                                  : STATUS_INVALID_PARAMETER_1;
    }
    s.detach(DmaDevice->binding);
    return STATUS_SUCCESS;
}

// --- attach and detach, V1

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

NTSTATUS WDM_CALL DetachDevice(PIOMMU_DMA_DOMAIN Domain,
                               PDEVICE_OBJECT PhysicalDeviceObject, ULONG InputMappingId)
{
    auto& s = *system();
    require_irql(s, "DetachDevice", PASSIVE_LEVEL);
    if (Domain == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    auto* function = s.find_function(PhysicalDeviceObject);
    if (function == nullptr || function->bindings == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const bool multi = multi_stream(s, function);
    if (!multi && InputMappingId != 0 && !mutant(Mutant::V1BaseUnchecked)) {
        return STATUS_INVALID_PARAMETER_3;
    }
    const auto input = multi ? InputMappingId : function->ids.first;
    auto* binding = binding_of(function, input);
    if (binding == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (binding->domain != Domain) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (binding->first_input != input && !mutant(Mutant::V1DetachAnyId)) {
        return STATUS_INVALID_PARAMETER_3;
    }
    const bool v1 = binding->device == nullptr;
    s.detach(binding);
    if (v1) {
        s.release_function(function);
    }
    return STATUS_SUCCESS;
}

// --- input mappings

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

// --- state changes

NTSTATUS WDM_CALL RegisterInterfaceStateChangeCallback(
    PIOMMU_INTERFACE_STATE_CHANGE_CALLBACK StateChangeCallback, PVOID Context,
    PIOMMU_DMA_DEVICE DmaDevice, PIOMMU_INTERFACE_STATE_CHANGE_FIELDS StateFields)
{
    auto& s = *system();
    require_irql(s, "RegisterInterfaceStateChangeCallback", PASSIVE_LEVEL);
    if (StateChangeCallback == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (DmaDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_3;
    }
    // [S] Reserved bits alone are no interest either.
    if (StateFields == nullptr ||
        (!StateFields->AvailableDomainTypes && !mutant(Mutant::StateFieldsUnchecked))) {
        return STATUS_INVALID_PARAMETER_4;
    }
    IOMMU_INTERFACE_STATE_CHANGE change{};
    {
        const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
        if (DmaDevice->callback != nullptr && !mutant(Mutant::SecondCallbackReplaces)) {
            return mutant(Mutant::SecondCallbackStatus) ? STATUS_RESOURCE_IN_USE
                                                        : STATUS_UNSUCCESSFUL;
        }
        DmaDevice->callback = StateChangeCallback;
        DmaDevice->callback_context = Context;
        DmaDevice->last_reported = s.available_types(*DmaDevice->function);
        DmaDevice->calling = true;
        change.AvailableDomainTypes = DmaDevice->last_reported;
        if (!mutant(Mutant::CallbackKeepsNoReference)) {
            const auto& p = s.platform.raw();
            p.reference(p.context, DmaDevice->function->pdo);
        }
    }
    change.PresentFields.AvailableDomainTypes =
        mutant(Mutant::PresentFieldsEmpty) ? 0 : 1;
    if (mutant(Mutant::CallbackAtDispatch)) {
        s.platform.raise(DISPATCH_LEVEL);
    }
    if (!mutant(Mutant::NoImmediateCallback)) {
        StateChangeCallback(&change,
                            mutant(Mutant::CallbackContextLost) ? nullptr : Context);
    }
    if (mutant(Mutant::CallbackAtDispatch)) {
        s.platform.lower(PASSIVE_LEVEL);
    }
    __atomic_store_n(&DmaDevice->calling, false, __ATOMIC_RELEASE);
    // What changed meanwhile was not delivered.
    s.policy_changed();
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL UnregisterInterfaceStateChangeCallback(
    PIOMMU_INTERFACE_STATE_CHANGE_CALLBACK StateChangeCallback,
    PIOMMU_DMA_DEVICE DmaDevice)
{
    auto& s = *system();
    require_irql(s, "UnregisterInterfaceStateChangeCallback", PASSIVE_LEVEL);
    if (DmaDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    {
        const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
        const bool other = DmaDevice->callback != StateChangeCallback &&
                           !mutant(Mutant::UnregisterAnyRoutine);
        if (DmaDevice->callback == nullptr || other) {
            return STATUS_UNSUCCESSFUL;
        }
        if (!mutant(Mutant::UnregisterDoesNothing)) {
            DmaDevice->callback = nullptr;
        }
        if (!mutant(Mutant::CallbackKeepsNoReference)) {
            const auto& p = s.platform.raw();
            p.dereference(p.context, DmaDevice->function->pdo);
        }
    }
    // An invocation on another processor ends before we return.
    while (__atomic_load_n(&DmaDevice->calling, __ATOMIC_ACQUIRE)) {
        s.platform.pause();
    }
    return STATUS_SUCCESS;
}

}  // namespace iommu::driver
