// SPDX-License-Identifier: GPL-2.0-or-later
// D. Device tokens.
#include "contract/rules/acpi.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

using Config = IOMMU_DEVICE_CREATION_CONFIGURATION;

Config config(IOMMU_DEVICE_CREATION_CONFIGURATION_TYPE type)
{
    Config c{};
    c.ConfigType = type;
    if (type == IommuDeviceCreationConfigTypeAcpi) {
        c.Acpi = {acpi_first_id, acpi_ids};
    }
    return c;
}

void link(Config& a, Config& b)
{
    a.NextConfiguration = {&b.NextConfiguration, &b.NextConfiguration};
    b.NextConfiguration = {&a.NextConfiguration, &a.NextConfiguration};
}

NTSTATUS try_device(Test& t, Who who, Config* c)
{
    PIOMMU_DMA_DEVICE device = nullptr;
    return t.io.CreateDevice(t.home.device(who), c, &device);
}

}  // namespace

void rule_45(Test& t)
{
    PIOMMU_DMA_DEVICE device = nullptr;
    if (t.need_tables()) {
        t.ok(t.io.CreateDevice(t.home.device(Who::PciA), nullptr, &device),
             "CreateDevice");
        t.that(device != nullptr, "a token is returned");
    }
}

void rule_46(Test& t)
{
    if (t.need_tables()) {
        t.status(try_device(t, Who::Unprotected, nullptr), STATUS_NOT_FOUND,
                 "CreateDevice of a device with no IOMMU in front of it");
    }
}

void rule_47(Test& t)
{
    if (t.home.arm64()) {
        t.not_applicable("a rule of x64");
        return;
    }
    auto c = config(IommuDeviceCreationConfigTypeAcpi);
    if (t.need_tables()) {
        t.status(try_device(t, Who::PciA, &c), STATUS_INVALID_PARAMETER_2,
                 "an Acpi config");
    }
}

void rule_48(Test& t)
{
    if (!t.home.arm64()) {
        t.not_applicable("a rule of ARM64");
        return;
    }
    auto c = config(IommuDeviceCreationConfigTypeAcpi);
    if (t.need_tables()) {
        t.status(try_device(t, Who::PciA, &c), STATUS_INVALID_PARAMETER_2,
                 "an Acpi config for a PCI device");
    }
}

namespace {
struct Range {
    UINT32 first, count;
};
}  // namespace

void rule_49(Test& t)
{
    if (!need_acpi(t)) {
        return;
    }
    const auto s = t.attached(Who::Acpi);
    const auto at = t.memory();
    if (s && t.ok(t.map(s.domain, spot, at), "MapLogicalRangeEx")) {
        for (unsigned i = 0; i < acpi_ids; ++i) {
            t.reaches(acpi_dma(i, spot), at,
                      "every stream of the configuration is attached");
        }
        t.blocked(Who::PciB, spot, "another device's stream is not");
    }
    for (const auto& [first, count] : {Range{acpi_first_id, acpi_ids + 1},
                                       Range{acpi_first_id + acpi_ids, 1}, Range{0, 1}}) {
        auto c = config(IommuDeviceCreationConfigTypeAcpi);
        c.Acpi = {first, count};
        t.status(try_device(t, Who::Acpi, &c), STATUS_INVALID_PARAMETER_2,
                 "ids that the firmware does not give the device");
    }
}

void rule_50(Test& t)
{
    if (need_acpi(t)) {
        t.status(try_device(t, Who::Acpi, nullptr), STATUS_INVALID_PARAMETER_2,
                 "an ACPI device without its config");
    }
}

void rule_51(Test& t)
{
    if (t.need_tables()) {
        t.home.identity(Who::PciB).bus_status = STATUS_NOT_SUPPORTED;
        t.status(try_device(t, Who::PciB, nullptr), STATUS_UNSUCCESSFUL,
                 "CreateDevice while GetDeviceId fails");
    }
}

void rule_52(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto before = t.home.allocated();
    for (unsigned n = 0; n < 100; ++n) {
        t.home.fail_allocations(n);
        const auto status = try_device(t, Who::PciA, nullptr);
        t.home.fail_allocations(Home::never);
        if (NT_SUCCESS(status)) {
            t.that(n > 0, "creating a device token takes memory");
            return;
        }
        t.status(status, STATUS_INSUFFICIENT_RESOURCES, "CreateDevice without memory");
        t.that(t.home.allocated() == before, "nothing leaked");
        t.that(t.home.references(Who::PciA) == 0, "no reference to the PDO is kept");
    }
}

void rule_53(Test& t)
{
    if (t.need_tables()) {
        t.home.identity(Who::PciB).registration = STATUS_HV_INVALID_DEVICE_ID;
        const auto status = static_cast<ULONG>(try_device(t, Who::PciB, nullptr));
        t.that(status >> 16 == 0xc035, "the hypervisor's status, of facility 0x35");
    }
}

void rule_54(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    for (const int type : {0, 2, 4, 99}) {
        auto c = config(static_cast<IOMMU_DEVICE_CREATION_CONFIGURATION_TYPE>(type));
        t.status(try_device(t, Who::PciA, &c), STATUS_INVALID_PARAMETER_2,
                 "a configuration type no driver may pass");
    }
    auto a = config(IommuDeviceCreationConfigTypePasid);
    auto b = config(IommuDeviceCreationConfigTypePasid);
    link(a, b);
    t.status(try_device(t, Who::PciA, &a), STATUS_INVALID_PARAMETER_2, "one type twice");
    auto wide = config(IommuDeviceCreationConfigTypePasid);
    wide.Pasid.ConfigType = PasidConfigTypeMax;
    t.status(try_device(t, Who::PciA, &wide), STATUS_INVALID_PARAMETER_2,
             "a Pasid type that is not");
}

void rule_55(Test& t)
{
    if (!need_acpi(t)) {
        return;
    }
    auto lone = config(IommuDeviceCreationConfigTypeAcpi);
    t.ok(try_device(t, Who::Acpi, &lone), "Flink is NULL");
    lone.NextConfiguration = {&lone.NextConfiguration, &lone.NextConfiguration};
    t.ok(try_device(t, Who::Acpi, &lone), "Flink points at itself");
    auto a = config(IommuDeviceCreationConfigTypeAcpi),
         b = config(static_cast<IOMMU_DEVICE_CREATION_CONFIGURATION_TYPE>(
             IommuDeviceCreationConfigTypeNone));
    link(a, b);
    t.status(try_device(t, Who::Acpi, &a), STATUS_INVALID_PARAMETER_2,
             "the second of a circular list is looked at");
}

void rule_56(Test& t)
{
    if (t.need_tables()) {
        const auto before = t.home.allocated();
        auto* device = t.create_device(Who::PciA);
        t.proposed(t.home.references(Who::PciA) == 1, "the token holds the PDO");
        t.ok(t.io.DeleteDevice(device), "DeleteDevice");
        t.that(t.home.allocated() == before, "its memory is released");
        t.proposed(t.home.references(Who::PciA) == 0, "the PDO is let go");
    }
}

void rule_57(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    if (s && t.status(t.io.DeleteDevice(s.device), STATUS_RESOURCE_IN_USE,
                      "DeleteDevice while attached")) {
        t.ok(t.io.DetachDeviceEx(s.device), "the token still works");
        t.ok(t.io.DeleteDevice(s.device), "DeleteDevice after the detach");
    }
    t.blocked(Who::PciA, spot, "the domain it was in is not reached");
}

static VOID WDM_CALL no_news(PIOMMU_INTERFACE_STATE_CHANGE, PVOID) {}

void rule_58(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    IOMMU_INTERFACE_STATE_CHANGE_FIELDS fields{};
    fields.AvailableDomainTypes = 1;
    t.ok(t.io.RegisterInterfaceStateChangeCallback(no_news, nullptr, device, &fields),
         "RegisterInterfaceStateChangeCallback");
    if (t.status(t.io.DeleteDevice(device), STATUS_RESOURCE_IN_USE,
                 "DeleteDevice with a callback registered")) {
        t.ok(t.io.UnregisterInterfaceStateChangeCallback(no_news, device), "Unregister");
        t.ok(t.io.DeleteDevice(device), "DeleteDevice after it");
    }
}

void rule_59(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    auto* second = t.create_device(Who::PciA);
    if (s && second != nullptr) {
        t.status(t.io.AttachDeviceEx(t.translate(), second), STATUS_INVALID_PARAMETER,
                 "the second token while the first is attached");
        t.ok(t.io.DetachDeviceEx(s.device), "DetachDeviceEx of the first");
        t.ok(t.io.AttachDeviceEx(s.domain, second), "the second token then");
    }
}

}  // namespace iommu::contract
