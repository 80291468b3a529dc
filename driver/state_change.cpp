// SPDX-License-Identifier: GPL-2.0-or-later
// State-change callbacks: who asked to hear what types of domain a device may be in.
#include "driver/slots.hpp"
#include "driver/system.hpp"

namespace iommu::driver {

namespace {

// STATUS_SUCCESS: the callback is the device's, and `change` is what it is to hear first.
NTSTATUS add(System& s, IOMMU_DMA_DEVICE* device,
             PIOMMU_INTERFACE_STATE_CHANGE_CALLBACK callback, void* context,
             IOMMU_INTERFACE_STATE_CHANGE& change)
{
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    if (device->callback != nullptr && !mutant(Mutant::SecondCallbackReplaces)) {
        return mutant(Mutant::SecondCallbackStatus) ? STATUS_RESOURCE_IN_USE
                                                    : STATUS_UNSUCCESSFUL;
    }
    device->callback = callback;
    device->callback_context = context;
    device->last_reported = s.available_types(*device->function);
    __atomic_store_n(&device->calling, true, __ATOMIC_RELAXED);
    change.AvailableDomainTypes = device->last_reported;
    change.PresentFields.AvailableDomainTypes =
        mutant(Mutant::PresentFieldsEmpty) ? 0 : 1;
    if (!mutant(Mutant::CallbackKeepsNoReference)) {
        const auto& p = s.platform.raw();
        p.reference(p.context, device->function->pdo);
    }
    return STATUS_SUCCESS;
}

}  // namespace

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
    const auto status = add(s, DmaDevice, StateChangeCallback, Context, change);
    if (!NT_SUCCESS(status)) {
        return status;
    }
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
    // An invocation on another processor ends first: till then the callback is the
    // device's, for policy_changed() to call and for nobody to replace.
    for (;; s.platform.pause()) {
        const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
        const bool other = DmaDevice->callback != StateChangeCallback &&
                           !mutant(Mutant::UnregisterAnyRoutine);
        if (DmaDevice->callback == nullptr || other) {
            return STATUS_UNSUCCESSFUL;
        }
        if (__atomic_load_n(&DmaDevice->calling, __ATOMIC_ACQUIRE)) {
            continue;
        }
        if (!mutant(Mutant::UnregisterDoesNothing)) {
            DmaDevice->callback = nullptr;
        }
        if (!mutant(Mutant::CallbackKeepsNoReference)) {
            const auto& p = s.platform.raw();
            p.dereference(p.context, DmaDevice->function->pdo);
        }
        return STATUS_SUCCESS;
    }
}

}  // namespace iommu::driver
