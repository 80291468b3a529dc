// SPDX-License-Identifier: GPL-2.0-or-later
// O. Fault reporting.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

struct Log {
    Test* test = nullptr;
    unsigned calls = 0, depth = 0, deepest = 0;
    KIRQL irql = 0xff;
    FAULT_INFORMATION last{};
};

VOID WDM_CALL handler(PVOID context, PFAULT_INFORMATION information)
{
    auto* log = static_cast<Log*>(context);
    if (log != nullptr) {
        ++log->calls;
        ++log->depth;
        log->deepest = log->depth > log->deepest ? log->depth : log->deepest;
        log->irql = log->test->home.irql();
        log->last = *information;
        --log->depth;
    }
}

NTSTATUS enable(Test& t, Who who, Log& log, ULONG base = 0)
{
    log.test = &t;
    DEVICE_FAULT_CONFIGURATION config{handler, &log};
    return t.v1.SetDeviceFaultReporting(t.home.device(who), base, TRUE, &config);
}

// A fresh domain to which the device is attached through V1, with reporting on.
PIOMMU_DMA_DOMAIN reporting(Test& t, Who who, Log& log)
{
    if (!t.need_tables()) {
        return nullptr;
    }
    auto* d = t.translate();
    const bool acpi = who == Who::Acpi;
    const ULONG base = acpi ? acpi_first_id : 0, count = acpi ? acpi_ids : 1;
    const bool ok =
        t.ok(t.v1.AttachDevice(d, t.home.device(who), base, count), "AttachDevice") &&
        t.ok(enable(t, who, log, base), "SetDeviceFaultReporting");
    return ok ? d : nullptr;
}

unsigned faults_seen(Test& t, Log& log, std::uint64_t address, bool write)
{
    const auto before = log.calls;
    t.that(!t.try_dma(Who::PciA, address, write), "the access is refused");
    t.home.run_pending();
    return log.calls - before;
}

ULONG type_of(const Test& t, const FAULT_INFORMATION& f)
{
    return t.home.arm64() ? f.Arm64.Type : f.X64.Type;
}

}  // namespace

void rule_184(Test& t)
{
    Log log;
    auto* d = reporting(t, Who::PciA, log);
    if (d != nullptr) {
        t.that(faults_seen(t, log, spot, false) >= 1,
               "the handler is called with its context");
        t.that(log.irql == PASSIVE_LEVEL, "at PASSIVE_LEVEL");
        const auto* handle =
            t.home.arm64() ? log.last.Arm64.DomainHandle : log.last.X64.DomainHandle;
        t.proposed(handle == d, "DomainHandle is the domain");
    }
}

void rule_185(Test& t)
{
    Log log;
    if (!t.need_tables()) {
        return;
    }
    log.test = &t;
    const auto s = t.attached();
    DEVICE_FAULT_CONFIGURATION config{handler, &log};
    DMA_IOMMU_INTERFACE_EX two{};
    t.ok(t.home.get_interface_ex()(2, 0, &two), "IoGetIommuInterfaceEx(2)");
    for (auto* call :
         {t.io.SetDeviceFaultReportingEx, two.V2.SetDeviceFaultReportingEx}) {
        t.status(call(s.device, 0, TRUE, &config), STATUS_NOT_IMPLEMENTED, "enable");
        t.status(call(s.device, 0, FALSE, nullptr), STATUS_NOT_IMPLEMENTED, "disable");
        t.status(call(nullptr, 9, TRUE, nullptr), STATUS_NOT_IMPLEMENTED, "nonsense");
    }
    t.blocked(Who::PciA, spot, "an unmapped address");
    t.home.run_pending();
    t.that(log.calls == 0, "the handler is never called");
}

void rule_186(Test& t)
{
    Log log;
    if (reporting(t, Who::PciA, log) != nullptr) {
        t.ok(t.v1.SetDeviceFaultReporting(t.home.device(Who::PciA), 0, FALSE, nullptr),
             "disable without a configuration");
        t.that(faults_seen(t, log, spot, false) == 0, "no later call");
    }
}

void rule_187(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    Log log;
    auto* pdo = t.home.device(Who::PciA);
    t.status(enable(t, Who::PciA, log), STATUS_INVALID_PARAMETER_1, "not attached");
    t.ok(t.v1.AttachDevice(t.translate(), pdo, 0, 1), "AttachDevice");
    t.status(t.v1.SetDeviceFaultReporting(pdo, 0, TRUE, nullptr),
             STATUS_INVALID_PARAMETER_4, "no configuration");
    DEVICE_FAULT_CONFIGURATION none{nullptr, nullptr};
    t.status(t.v1.SetDeviceFaultReporting(pdo, 0, TRUE, &none),
             STATUS_INVALID_PARAMETER_4, "no handler");
}

void rule_188(Test& t)
{
    Log log;
    if (t.home.arm64()) {
        t.not_applicable("a rule of x64");
        return;
    }
    if (reporting(t, Who::PciA, log) != nullptr && faults_seen(t, log, spot, true) != 0) {
        ULONG flags = 0;
        __builtin_memcpy(&flags, &log.last.X64.Flags, sizeof(flags));
        t.that(log.last.Type == FaultInformationX64, "Type is 2");
        t.that(flags == 1, "FaultAddressValid is bit 0, and nothing else is said");
        t.that((reinterpret_cast<std::uintptr_t>(log.last.X64.FaultAddress) &
                ~0xfffull) == spot,
               "FaultAddress");
        t.that(log.last.X64.PciSegment == 0, "PciSegment");
        t.that(log.last.X64.IommuBaseAddress != 0, "IommuBaseAddress");
    }
}

void rule_189(Test& t)
{
    Log log;
    if (!t.home.arm64()) {
        t.not_applicable("a rule of ARM64");
        return;
    }
    // Another device is there that could be taken for it.
    if (reporting(t, Who::Acpi, log) == nullptr || !t.attached(Who::PciA)) {
        return;
    }
    for (const bool write : {false, true}) {
        log.calls = 0;
        t.that(!t.try_dma(Dma{.who = Who::Acpi, .id = 1, .address = spot + 0x18}, write),
               "the access of the second stream is refused");
        t.home.run_pending();
        if (!t.that(log.calls >= 1, "it is reported")) {
            return;
        }
        const auto& arm = log.last.Arm64;
        ULONG flags = 0;
        __builtin_memcpy(&flags, &arm.Flags, sizeof(flags));
        t.that(log.last.Type == FaultInformationArm64, "Type is 1");
        t.that((flags & 1) == (write ? 1u : 0u), "WriteNotRead is bit 0");
        t.that((flags & 8) != 0, "FaultAddressValid is bit 3");
        t.that(reinterpret_cast<std::uintptr_t>(arm.FaultAddress) == spot + 0x18,
               "FaultAddress");
        t.that(arm.InputMappingId == acpi_first_id + 1, "InputMappingId");
        t.that(arm.PhysicalDeviceObject == t.home.device(Who::Acpi),
               "PhysicalDeviceObject");
        t.that(arm.IommuBaseAddress != 0, "IommuBaseAddress");
    }
}

void rule_190(Test& t)
{
    Log log;
    auto* d = reporting(t, Who::PciA, log);
    if (d == nullptr) {
        return;
    }
    t.that(faults_seen(t, log, spot, false) != 0, "an unmapped address is reported");
    t.that(type_of(t, log.last) == TranslationFault, "as TranslationFault");
    t.ok(t.map(d, spot, t.memory(), 1, IOMMU_ACCESS_READ), "a read-only page");
    t.that(faults_seen(t, log, spot, true) != 0, "a write to it is reported");
    t.that(type_of(t, log.last) == PermissionFault, "as PermissionFault");
}

void rule_191(Test& t)
{
    Log log;
    if (reporting(t, Who::PciA, log) != nullptr) {
        for (unsigned i = 0; i < 300; ++i) {
            t.try_dma(Who::PciA, spot + i * page, false);
        }
        t.home.run_pending();
        t.that(log.calls >= 1, "at least one call");
        t.that(log.deepest == 1, "the handler is never re-entered");
        t.that(faults_seen(t, log, spot, false) >= 1,
               "and the next fault is reported too");
    }
}

void rule_192(Test& t)
{
    Log log;
    auto* d = reporting(t, Who::PciA, log);
    auto* pdo = t.home.device(Who::PciA);
    if (d != nullptr) {
        t.ok(t.v1.DetachDevice(d, pdo, 0), "DetachDevice");
        t.ok(t.v1.AttachDevice(d, pdo, 0, 1), "AttachDevice again");
        t.that(faults_seen(t, log, spot, false) == 0, "reporting is off");
        t.ok(enable(t, Who::PciA, log), "SetDeviceFaultReporting");
        t.that(faults_seen(t, log, spot, false) >= 1, "reporting is on");
    }
}

void rule_193(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto before = t.home.bug_checks();
    if (s) {
        t.blocked(Who::PciA, spot, "an unmapped address");
        t.home.run_pending();
        t.that(t.home.bug_checks() > before, "a fault nobody takes is fatal");
        const auto last = t.home.last_bug_check();
        t.that(last.code == 0xe6 && last.parameters[0] == 0x26, "bug check 0xE6, 0x26");
    }
}

}  // namespace iommu::contract
