// SPDX-License-Identifier: GPL-2.0-or-later
// Devices, attachments, policy.
#include "driver/system.hpp"

namespace iommu::driver {

namespace {

constexpr ULONG bit(IOMMU_DMA_DOMAIN_TYPE type)
{
    return 1u << type;
}

void policy_changed_routine(void* argument)
{
    static_cast<System*>(argument)->policy_changed();
}

template <typename T>
void unlink(T*& head, T* item, T* T::*next)
{
    for (T** at = &head; *at != nullptr; at = &((*at)->*next)) {
        if (*at == item) {
            *at = item->*next;
            return;
        }
    }
}

}  // namespace

bool managed(const IOMMU_DMA_DOMAIN* domain)
{
    return domain->type == DomainTypeTranslate || domain->type == DomainTypeTranslateS1;
}

void require_irql(const System& s, const char* function, KIRQL maximum)
{
    if (s.platform.irql() > maximum) {
        s.platform.raw().irql_violation(s.platform.raw().context, function, maximum);
    }
}

bool System::start()
{
    present = hw.start(platform, *this);
    if (present) {
        limits = hw.limits();
    }
    pasid_count = limits.pasid_bits == 0 ? 0 : std::uint64_t{1} << limits.pasid_bits;
    if (pasid_count != 0) {
        pasids = static_cast<std::uint8_t*>(platform.allocate(pasid_count));
        if (pasids == nullptr) {
            hw.stop();
            return false;
        }
    }
    const auto& p = platform.raw();
    p.on_policy_change(p.context, policy_changed_routine, this);
    return true;
}

// The caller has disposed of its objects; what it forgot is not chased.
void System::stop()
{
    if (present) {
        hw.stop();
    }
    if (pasids != nullptr) {
        platform.release(pasids, pasid_count);
    }
    while (unused_tokens != nullptr) {
        auto* token = unused_tokens;
        unused_tokens = token->next;
        platform.destroy(token);
    }
}

// --- policy

bool System::type_possible(IOMMU_DMA_DOMAIN_TYPE type) const
{
    const auto policy = platform.policy();
    if (!present || !policy.remapping_available) {
        return false;
    }
    switch (type) {
    case DomainTypeTranslate:
    case DomainTypeUnmanaged:
        return true;
    case DomainTypePassThrough:
        return !policy.pass_through_off || mutant(Mutant::PassThroughAlwaysCreatable);
    case DomainTypeTranslateS1:
        return limits.stage1;
    case DomainTypeMax:
        break;
    }
    return false;
}

// [S] The documented part: no remapping unit, no remapping type; blocking, no
// PassThrough.
ULONG System::available_types(const Function& function) const
{
    const auto policy = platform.policy();
    const auto& device = function.identity;
    const bool wants = device.opted_in || mutant(Mutant::OptInIgnored);
    ULONG mask = 0;
    if (present && policy.remapping_available && wants) {
        mask |= bit(DomainTypeTranslate) | bit(DomainTypeUnmanaged);
        if (limits.stage1) {
            mask |= bit(DomainTypeTranslateS1);
        }
    }
    const bool locked =
        policy.enumeration == 0 || (policy.enumeration == 1 && !policy.unlocked_once);
    const bool isolated = device.opted_in || locked;
    const bool guarded = policy.dma_guard && device.external && isolated;
    if (!policy.pass_through_off && (!guarded || mutant(Mutant::GuardIgnored))) {
        mask |= bit(DomainTypePassThrough);
    }
    if (mutant(Mutant::MaskShifted)) {
        mask <<= 1;
    }
    if (mutant(Mutant::MaskExtraBit)) {
        mask |= 0x10;
    }
    return mask;
}

// [S] What becomes of a device's DMA when it is in no domain.
Unattached System::unattached(const Function& function) const
{
    const auto policy = platform.policy();
    return policy.dma_guard || function.identity.opted_in ? Unattached::Blocked
                                                          : Unattached::Identity;
}

// --- functions

Function* System::find_function(PDEVICE_OBJECT pdo) const
{
    for (auto* f = functions; f != nullptr; f = f->next) {
        if (f->pdo == pdo) {
            return f;
        }
    }
    return nullptr;
}

NTSTATUS System::acquire_function(PDEVICE_OBJECT pdo, Function*& function)
{
    function = find_function(pdo);
    if (function != nullptr) {
        ++function->users;
        return STATUS_SUCCESS;
    }
    WdmDeviceIdentity identity{};
    const auto& p = platform.raw();
    if (!p.identify(p.context, pdo, &identity)) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (!NT_SUCCESS(identity.bus_status) && !mutant(Mutant::BusStatusIgnored)) {
        return STATUS_UNSUCCESSFUL;
    }
    InputIds ids{};
    if (!present || !hw.find(identity, ids)) {
        return mutant(Mutant::NotFoundAsInvalid) ? STATUS_INVALID_PARAMETER_1
                                                 : STATUS_NOT_FOUND;
    }
    if (!NT_SUCCESS(identity.registration)) {
        return mutant(Mutant::RegistrationMasked) ? STATUS_UNSUCCESSFUL
                                                  : identity.registration;
    }
    function = platform.make<Function>();
    if (function == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    {
        const Guard guard(platform, faults, HIGH_LEVEL);
        *function = {pdo, identity, ids, 1, nullptr, nullptr, functions};
        functions = function;
    }
    if (!mutant(Mutant::NoPdoReference)) {
        p.reference(p.context, pdo);
    }
    return STATUS_SUCCESS;
}

void System::release_function(Function* function)
{
    if (--function->users != 0) {
        return;
    }
    for (std::uint32_t i = 0; i < function->ids.count; ++i) {
        hw.forget(function->ids.stream_of(function->ids.first + i),
                  unattached(*function));
    }
    {
        const Guard guard(platform, faults, HIGH_LEVEL);
        unlink(functions, function, &Function::next);
    }
    const auto& p = platform.raw();
    if (!mutant(Mutant::NoPdoReference)) {
        p.dereference(p.context, function->pdo);
    }
    platform.destroy(function);
}

// --- attachments

// Is any of these streams attached already?
static bool taken(const Function* function, std::uint32_t first, std::uint32_t count)
{
    for (auto* b = function->bindings; b != nullptr; b = b->next_in_function) {
        if (first < b->first_input + b->inputs && b->first_input < first + count) {
            return true;
        }
    }
    return false;
}

// A stage-2 table cannot serve a stream whose PASIDs select stage-1 tables.
static bool serves(const System& s, const IOMMU_DMA_DOMAIN* domain,
                   const IOMMU_DMA_DEVICE* device)
{
    return device == nullptr || !device->pasid || domain->context.stage1 ||
           domain->type == DomainTypePassThrough || domain->type == DomainTypeUnmanaged ||
           !s.platform.arm64();
}

// The streams are checked and not bound yet.
NTSTATUS System::attach(IOMMU_DMA_DOMAIN* domain, Function* function,
                        IOMMU_DMA_DEVICE* device, std::uint32_t first,
                        std::uint32_t count)
{
    if (taken(function, first, count) && !mutant(Mutant::DoubleAttach)) {
        return mutant(Mutant::DoubleAttachStatus) ? STATUS_INVALID_PARAMETER_2
                                                  : STATUS_INVALID_PARAMETER;
    }
    const bool allowed = (available_types(*function) & bit(domain->type)) != 0;
    if ((!allowed && !mutant(Mutant::PolicyIgnored)) || !serves(*this, domain, device)) {
        return STATUS_ACCESS_DENIED;
    }
    auto* binding = platform.make<Binding>();
    if (binding == nullptr) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    const unsigned pasid_bits =
        device != nullptr && device->pasid_tagged ? limits.pasid_bits : 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (!hw.prepare(function->ids.stream_of(first + i), pasid_bits)) {
            platform.destroy(binding);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    binding->function = function;
    binding->domain = domain;
    binding->device = device;
    binding->first_input = first;
    binding->inputs = count;
    {
        const Guard guard(platform, faults, HIGH_LEVEL);
        binding->next_in_function = function->bindings;
        function->bindings = binding;
    }
    binding->next_in_domain = domain->bindings;
    domain->bindings = binding;
    if (device != nullptr) {
        device->binding = binding;
    }
    const auto bound = mutant(Mutant::FirstStreamOnly) ? 1 : count;
    for (std::uint32_t i = 0; i < bound && !mutant(Mutant::AttachDoesNothing); ++i) {
        hw.bind(function->ids.stream_of(first + i), domain->context);
    }
    return STATUS_SUCCESS;
}

void System::detach(Binding* binding)
{
    auto* function = binding->function;
    const auto count = mutant(Mutant::DetachFirstStreamOnly) ? 1 : binding->inputs;
    for (std::uint32_t i = 0; i < count && !mutant(Mutant::DetachDoesNothing); ++i) {
        hw.unbind(function->ids.stream_of(binding->first_input + i),
                  unattached(*function));
    }
    {
        const Guard guard(platform, faults, HIGH_LEVEL);
        unlink(function->bindings, binding, &Binding::next_in_function);
    }
    unlink(binding->domain->bindings, binding, &Binding::next_in_domain);
    if (binding->device != nullptr) {
        binding->device->binding = nullptr;
    }
}

void System::destroy(Binding* binding)
{
    await_handler(binding);
    platform.destroy(binding);
}

void System::rebind(IOMMU_DMA_DOMAIN* domain)
{
    for (auto* b = domain->bindings; b != nullptr; b = b->next_in_domain) {
        for (std::uint32_t i = 0; i < b->inputs; ++i) {
            hw.bind(b->function->ids.stream_of(b->first_input + i), domain->context);
        }
    }
    hw.invalidate(domain->context);
}

// --- state changes

void System::policy_changed()
{
    for (bool again = true; again;) {
        again = false;
        IOMMU_DMA_DEVICE* device = nullptr;
        IOMMU_INTERFACE_STATE_CHANGE change{};
        {
            const Guard guard(platform, lifecycle, APC_LEVEL);
            for (auto* d = devices; d != nullptr; d = d->next) {
                const auto mask = available_types(*d->function);
                const bool changed = mask != d->last_reported;
                if (d->callback != nullptr && changed &&
                    !__atomic_load_n(&d->calling, __ATOMIC_ACQUIRE)) {
                    d->last_reported = mask;
                    __atomic_store_n(&d->calling, true, __ATOMIC_RELAXED);
                    change.AvailableDomainTypes = mask;
                    device = d;
                    break;
                }
            }
        }
        if (device != nullptr && !mutant(Mutant::NoLaterCallbacks)) {
            change.PresentFields.AvailableDomainTypes = 1;
            if (mutant(Mutant::DeltaInCallback)) {
                change.AvailableDomainTypes &= bit(DomainTypePassThrough);
            }
            device->callback(&change, device->callback_context);
            again = true;
        }
        if (device != nullptr) {
            __atomic_store_n(&device->calling, false, __ATOMIC_RELEASE);
        }
    }
}

}  // namespace iommu::driver
