// SPDX-License-Identifier: GPL-2.0-or-later
// E. Attach and detach, Ex.  F. Attach and detach, V1.
#include "contract/rules/acpi.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

void rule_60(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    const auto at = t.memory();
    t.ok(t.map(d, spot, at), "MapLogicalRangeEx before the attach");
    auto* device = t.create_device(Who::PciA);
    t.blocked(Who::PciA, spot,
              "the address means nothing to a device that is not attached");
    t.ok(t.io.AttachDeviceEx(d, device), "AttachDeviceEx");
    t.reaches(Who::PciA, spot, at, "and translates once it is");
    t.reaches(Who::PciA, spot + 0xff8, at + 0xff8, "to the last bytes of the page");
    t.blocked(Who::PciB, spot, "it still means nothing to a device that is not");
}

void rule_61(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    auto* other = t.translate();
    const auto at = t.memory();
    t.ok(t.map(s.domain, spot, at), "MapLogicalRangeEx");
    t.ok(t.map(other, 2 * spot, t.memory()), "MapLogicalRangeEx in the other domain");
    t.status(t.io.AttachDeviceEx(other, s.device), STATUS_INVALID_PARAMETER,
             "a second attach");
    t.reaches(Who::PciA, spot, at, "the first attachment is intact");
    t.blocked(Who::PciA, 2 * spot, "the other domain's address");
}

void rule_62(Test& t)
{
    if (t.need_tables()) {
        const auto s = t.attached();
        t.status(t.io.AttachDeviceEx(s.domain, s.device), STATUS_INVALID_PARAMETER,
                 "a second attach to the same domain");
    }
}

void rule_63(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    t.home.identity(Who::PciB).opted_in = false;
    auto* device = t.create_device(Who::PciB);
    ULONG mask = 0;
    t.io.QueryAvailableDomainTypes(device, &mask);
    if (!t.proposed((mask & 1) == 0, "no Translate for a driver that has not opted in")) {
        return;
    }
    t.status(t.io.AttachDeviceEx(t.translate(), device), STATUS_ACCESS_DENIED,
             "a type that is not in the mask");
    t.status(t.io.DetachDeviceEx(device), STATUS_INVALID_PARAMETER_1,
             "the device is not attached");
}

void rule_64(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    auto* device = t.create_device(Who::PciA);
    const auto before = t.home.allocated();
    for (unsigned n = 0; n < 100; ++n) {
        t.home.fail_allocations(n);
        const auto status = t.io.AttachDeviceEx(d, device);
        t.home.fail_allocations(Home::never);
        if (NT_SUCCESS(status)) {
            if (n == 0) {
                t.not_applicable("attaching takes no memory");
            }
            return;
        }
        t.status(status, STATUS_INSUFFICIENT_RESOURCES, "AttachDeviceEx without memory");
        t.that(t.home.allocated() == before, "nothing leaked");
        t.status(t.io.DetachDeviceEx(device), STATUS_INVALID_PARAMETER_1,
                 "the device is not attached");
    }
}

void rule_65(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    t.status(t.io.DetachDeviceEx(device), STATUS_INVALID_PARAMETER_1, "never attached");
    t.ok(t.io.AttachDeviceEx(t.translate(), device), "AttachDeviceEx");
    t.ok(t.io.DetachDeviceEx(device), "DetachDeviceEx");
    t.status(t.io.DetachDeviceEx(device), STATUS_INVALID_PARAMETER_1, "twice");
}

void rule_66(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    auto* other = t.translate();
    const auto a = t.memory(), b = t.memory();
    t.ok(t.map(s.domain, spot, a), "MapLogicalRangeEx in the first");
    t.ok(t.map(s.domain, 2 * spot, a), "another in the first");
    t.ok(t.map(other, spot, b), "MapLogicalRangeEx in the second");
    t.reaches(Who::PciA, spot, a, "the first domain");
    t.ok(t.io.DetachDeviceEx(s.device), "DetachDeviceEx");
    t.ok(t.io.AttachDeviceEx(other, s.device), "AttachDeviceEx to the second");
    t.reaches(Who::PciA, spot, b, "the second domain");
    t.blocked(Who::PciA, 2 * spot, "an address of the first only");
    // A domain made after one that was deleted may get its tag in the hardware's caches.
    t.ok(t.io.DetachDeviceEx(s.device), "DetachDeviceEx");
    t.ok(t.io.AttachDeviceEx(s.domain, s.device), "AttachDeviceEx to the first");
    t.reaches(Who::PciA, spot, a, "the first domain again");
    t.ok(t.io.DetachDeviceEx(s.device), "DetachDeviceEx");
    t.ok(t.io.DeleteDomain(s.domain), "DeleteDomain of the first");
    t.ok(t.io.AttachDeviceEx(t.translate(), s.device), "AttachDeviceEx to a third");
    t.blocked(Who::PciA, spot, "what the deleted domain mapped");
}

void rule_67(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto again = t.attached_to(s.domain, Who::PciB);
    const auto at = t.memory();
    if (s && again && t.ok(t.map(s.domain, spot, at), "MapLogicalRangeEx")) {
        t.reaches(Who::PciA, spot, at, "the first device");
        t.reaches(Who::PciB, spot, at, "the second device");
        t.ok(t.io.UnmapLogicalRange(s.domain, spot, 1), "UnmapLogicalRange");
        t.blocked(Who::PciA, spot, "the first device afterwards");
        t.blocked(Who::PciB, spot, "the second device afterwards");
    }
}

void rule_68(Test& t)
{
    for (const auto who : {Who::PciA, Who::Acpi}) {
        if (t.home.device(who) == nullptr || !t.need_tables()) {
            continue;
        }
        const auto s = t.attached(who);
        const auto at = t.memory();
        t.ok(t.map(s.domain, spot, at), "MapLogicalRangeEx");
        const unsigned ids = who == Who::Acpi ? acpi_ids : 1;
        for (unsigned i = 0; i < ids; ++i) {
            t.reaches(Dma{.who = who, .id = i, .address = spot}, at,
                      "a warm translation");
        }
        t.ok(t.io.DetachDeviceEx(s.device), "DetachDeviceEx");
        for (unsigned i = 0; i < ids; ++i) {
            t.blocked(Dma{.who = who, .id = i, .address = spot},
                      "the address after the detach");
        }
    }
}

void rule_69(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.create(DomainTypeUnmanaged));
    const auto at = t.memory();
    if (s) {
        t.blocked(Who::PciA, at, "a physical address");
        t.blocked(Who::PciA, spot, "any other");
    }
}

void rule_70(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.create(DomainTypePassThrough));
    const auto at = t.memory();
    if (s) {
        t.reaches(Who::PciA, at, at, "a physical address reaches itself");
    }
}

void rule_71(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    const auto at = t.memory();
    if (s) {
        t.blocked(Who::PciA, at, "a physical address");
        t.blocked(Who::PciA, 0, "address 0");
        t.blocked(Who::PciA, spot, "any other");
    }
}

void rule_72(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    auto* pdo = t.home.device(Who::PciA);
    const auto at = t.memory();
    t.ok(t.map(d, spot, at), "a map");
    t.ok(t.v1.AttachDevice(d, pdo, 0, 1), "AttachDevice");
    t.reaches(Who::PciA, spot, at, "DMA while attached");
    t.ok(t.v1.DetachDevice(d, pdo, 0), "DetachDevice");
    t.blocked(Who::PciA, spot, "DMA afterwards");
}

void rule_73(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    auto* pdo = t.home.device(Who::PciA);
    auto status = t.v1.AttachDevice(d, pdo, 1, 1);
    t.fails(status, "base 1");
    t.proposed_status(status, STATUS_INVALID_PARAMETER_3, "base 1");
    status = t.v1.AttachDevice(d, pdo, 0, 2);
    t.fails(status, "count 2");
    t.proposed_status(status, STATUS_INVALID_PARAMETER_4, "count 2");
    t.ok(t.v1.AttachDevice(d, pdo, 0, 1), "AttachDevice");
    status = t.v1.DetachDevice(d, pdo, 1);
    t.fails(status, "detach id 1");
    t.proposed_status(status, STATUS_INVALID_PARAMETER_3, "detach id 1");
}

static PIOMMU_DMA_DOMAIN acpi_group(Test& t, std::uint64_t& at)
{
    auto* d = t.translate();
    at = t.memory();
    t.ok(t.map(d, spot, at), "a map");
    t.ok(t.v1.AttachDevice(d, t.home.device(Who::Acpi), acpi_first_id, acpi_ids),
         "AttachDevice of three ids");
    for (unsigned i = 0; i < acpi_ids; ++i) {
        t.reaches(acpi_dma(i, spot), at, "each of the streams is attached");
    }
    return d;
}

void rule_74(Test& t)
{
    if (!need_acpi(t)) {
        return;
    }
    std::uint64_t at = 0;
    auto* d = acpi_group(t, at);
    t.ok(t.v1.DetachDevice(d, t.home.device(Who::Acpi), acpi_first_id), "DetachDevice");
    for (unsigned i = 0; i < acpi_ids; ++i) {
        t.blocked(acpi_dma(i, spot), "each of the streams is detached");
    }
}

void rule_75(Test& t)
{
    if (!need_acpi(t)) {
        return;
    }
    std::uint64_t at = 0;
    auto* d = acpi_group(t, at);
    const auto status = t.v1.DetachDevice(d, t.home.device(Who::Acpi), acpi_first_id + 1);
    t.fails(status, "DetachDevice of an id inside the group");
    t.proposed_status(status, STATUS_INVALID_PARAMETER_3, "an id inside the group");
    for (unsigned i = 0; i < acpi_ids; ++i) {
        t.reaches(acpi_dma(i, spot), at, "each of the streams is still attached");
    }
}

void rule_76(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    auto* other = t.translate();
    auto* pdo = t.home.device(Who::PciA);
    t.status(t.v1.DetachDevice(d, pdo, 0), STATUS_INVALID_PARAMETER_2,
             "detach of what is not attached");
    t.ok(t.v1.AttachDevice(d, pdo, 0, 1), "AttachDevice");
    t.status(t.v1.AttachDevice(other, pdo, 0, 1), STATUS_INVALID_PARAMETER, "twice");
    t.status(t.v1.DetachDevice(other, pdo, 0), STATUS_INVALID_PARAMETER_1,
             "detach that names another domain");
}

}  // namespace iommu::contract
