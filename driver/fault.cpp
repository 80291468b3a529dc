// SPDX-License-Identifier: GPL-2.0-or-later
// Fault reporting: hardware event, at the interrupt's level -> the device's one pending
// report -> work item -> the driver's handler at PASSIVE_LEVEL.
#include "driver/slots.hpp"
#include "driver/system.hpp"

namespace iommu::driver {

namespace {

void deliver_routine(void* argument)
{
    static_cast<System*>(argument)->deliver_faults();
}

FAULT_INFORMATION arm64_report(const System& s, const Fault& f, const Function* function,
                               IOMMU_DMA_DOMAIN* domain)
{
    FAULT_INFORMATION report{};
    report.Type = FaultInformationArm64;
    report.IsStage1 = f.stage1 ? TRUE : FALSE;
    auto& arm = report.Arm64;
    arm.DomainHandle = domain;
    arm.FaultAddress = reinterpret_cast<void*>(static_cast<std::uintptr_t>(f.address));
    arm.PhysicalDeviceObject = function->pdo;
    arm.InputMappingId = function->ids.first + (f.stream.id - function->ids.stream);
    arm.Flags.WriteNotRead = f.write != mutant(Mutant::FaultDirection) ? 1 : 0;
    arm.Flags.InstructionNotData = f.instruction ? 1 : 0;
    arm.Flags.Privileged = f.privileged ? 1 : 0;
    arm.Flags.FaultAddressValid =
        f.address_valid && !mutant(Mutant::FaultNoAddress) ? 1 : 0;
    arm.Type = mutant(Mutant::FaultTypeFixed) ? TranslationFault : f.type;
    arm.IommuBaseAddress = s.hw.base_address(f.stream.unit);
    return report;
}

FAULT_INFORMATION x64_report(const System& s, const Fault& f, const Function* function,
                             IOMMU_DMA_DOMAIN* domain)
{
    FAULT_INFORMATION report{};
    report.Type = FaultInformationX64;
    report.IsStage1 = f.stage1 ? TRUE : FALSE;
    auto& x64 = report.X64;
    x64.DomainHandle = domain;
    x64.FaultAddress = reinterpret_cast<void*>(static_cast<std::uintptr_t>(f.address));
    x64.Flags.FaultAddressValid =
        f.address_valid && !mutant(Mutant::FaultNoAddress) ? 1 : 0;
    x64.Type = mutant(Mutant::FaultTypeFixed) ? TranslationFault : f.type;
    x64.IommuBaseAddress = s.hw.base_address(f.stream.unit);
    x64.PciSegment = function->identity.segment;
    return report;
}

Function* by_stream(const System& s, StreamRef stream)
{
    for (auto* f = s.functions; f != nullptr; f = f->next) {
        auto ids = f->ids;
        ids.unit = mutant(Mutant::FaultUnitIgnored) ? stream.unit : ids.unit;
        if (ids.has(stream)) {
            return f;
        }
    }
    return nullptr;
}

Binding* binding_for(const Function* f, StreamRef stream)
{
    const auto input = f->ids.first + (stream.id - f->ids.stream);
    for (auto* b = f->bindings; b != nullptr; b = b->next_in_function) {
        if (input >= b->first_input && input - b->first_input < b->inputs) {
            return b;
        }
    }
    return nullptr;
}

}  // namespace

void System::fault(const Fault& f)
{
    const Guard guard(platform, faults, HIGH_LEVEL);
    const auto* function = by_stream(*this, f.stream);
    if (function == nullptr) {
        return;  // nobody's device: the event alone is the record
    }
    const bool suppressed = f.tagged && function->pasid_parent != nullptr &&
                            function->pasid_parent->suppress_pasid_faults;
    if (suppressed && !mutant(Mutant::SuppressionIgnored)) {
        return;
    }
    auto* binding = binding_for(function, f.stream);
    auto* domain = binding == nullptr || f.tagged ? nullptr : binding->domain;
    const auto report = platform.arm64() ? arm64_report(*this, f, function, domain)
                                         : x64_report(*this, f, function, domain);
    const auto& p = platform.raw();
    if (binding != nullptr && binding->reporting && !f.tagged) {
        if (!binding->pending) {
            binding->pending = true;
            binding->information = report;
            if (!work_queued) {
                work_queued = true;
                p.queue_work(p.context, deliver_routine, this);
            }
        }
        return;
    }
    if (mutant(Mutant::UnhandledFaultSilent)) {
        return;
    }
    const std::uint64_t parameters[4] = {
        WDM_DMA_VIOLATION_IOMMU, reinterpret_cast<std::uintptr_t>(function->pdo),
        reinterpret_cast<std::uintptr_t>(&report), f.hardware_code};
    p.bug_check(p.context, WDM_BUG_CHECK_DMA_VIOLATION, parameters);
}

static Binding* next_pending(const System& s)
{
    for (auto* f = s.functions; f != nullptr; f = f->next) {
        for (auto* b = f->bindings; b != nullptr; b = b->next_in_function) {
            if (b->pending && b->reporting) {
                return b;
            }
        }
    }
    return nullptr;
}

void System::deliver_faults()
{
    for (;;) {
        Binding* ready = nullptr;
        FAULT_INFORMATION information{};
        DEVICE_FAULT_CONFIGURATION handler{};
        {
            const Guard guard(platform, faults, HIGH_LEVEL);
            work_queued = false;
            // Whoever is delivering looks again when the handler has returned.
            ready = delivering == nullptr ? next_pending(*this) : nullptr;
            if (ready == nullptr) {
                return;
            }
            information = ready->information;
            handler = ready->handler;
            __atomic_store_n(&delivering, ready, __ATOMIC_RELEASE);
        }
        if (mutant(Mutant::HandlerAtDispatch)) {
            platform.raise(DISPATCH_LEVEL);
        }
        handler.FaultHandler(mutant(Mutant::HandlerContextLost) ? nullptr
                                                                : handler.FaultContext,
                             &information);
        if (mutant(Mutant::HandlerAtDispatch)) {
            platform.lower(PASSIVE_LEVEL);
        }
        const Guard guard(platform, faults, HIGH_LEVEL);
        ready->pending = false;
        __atomic_store_n(&delivering, static_cast<Binding*>(nullptr), __ATOMIC_RELEASE);
    }
}

void System::await_handler(const Binding* binding) const
{
    while (__atomic_load_n(&delivering, __ATOMIC_ACQUIRE) == binding) {
        platform.pause();
    }
}

// The attachment that begins with this id.  For anything but a multi-stream ACPI device
// the base is 0.
static NTSTATUS find_binding(const System& s, PDEVICE_OBJECT pdo, ULONG base,
                             Binding*& binding)
{
    const auto* function = s.find_function(pdo);
    if (function == nullptr || function->bindings == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    const bool multi = s.platform.arm64() && function->identity.kind == WDM_DEVICE_ACPI;
    if (!multi && base != 0) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const auto first = multi ? base : function->ids.first;
    for (auto* b = function->bindings; b != nullptr; b = b->next_in_function) {
        if (b->first_input == first) {
            binding = b;
        }
    }
    return binding == nullptr ? STATUS_INVALID_PARAMETER_2 : STATUS_SUCCESS;
}

// V1.
NTSTATUS WDM_CALL SetDeviceFaultReporting(PDEVICE_OBJECT PhysicalDeviceObject,
                                          ULONG InputMappingIdBase, BOOLEAN Enable,
                                          PDEVICE_FAULT_CONFIGURATION FaultConfig)
{
    auto& s = *system();
    require_irql(s, "SetDeviceFaultReporting", PASSIVE_LEVEL);
    const bool enable = Enable != FALSE;
    Binding* binding = nullptr;
    {
        const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
        const auto status =
            find_binding(s, PhysicalDeviceObject, InputMappingIdBase, binding);
        if (!NT_SUCCESS(status)) {
            return status;
        }
        if (enable && (FaultConfig == nullptr || FaultConfig->FaultHandler == nullptr)) {
            return STATUS_INVALID_PARAMETER_4;
        }
        const Guard at_interrupt(s.platform, s.faults, HIGH_LEVEL);
        binding->reporting = enable || mutant(Mutant::DisableIgnored);
        if (mutant(Mutant::EnableIgnored)) {
            binding->reporting = false;
        }
        if (enable) {
            binding->handler = *FaultConfig;
        } else if (!mutant(Mutant::DisableIgnored)) {
            binding->pending = false;
        }
    }
    if (!enable) {
        s.await_handler(binding);
    }
    return STATUS_SUCCESS;
}

// The reference page: reserved, and always this answer.
NTSTATUS WDM_CALL SetDeviceFaultReportingEx(PIOMMU_DMA_DEVICE, ULONG, BOOLEAN,
                                            PDEVICE_FAULT_CONFIGURATION)
{
    return mutant(Mutant::FaultExSucceeds) ? STATUS_SUCCESS : STATUS_NOT_IMPLEMENTED;
}

}  // namespace iommu::driver
