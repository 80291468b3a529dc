// SPDX-License-Identifier: GPL-2.0-or-later
// B. Domain creation and deletion.
#include "contract/rules/domains.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

DOMAIN_CONFIGURATION bypass()
{
    DOMAIN_CONFIGURATION c{};
    c.Type = DomainConfigurationArm64;
    return c;
}

}  // namespace

void rule_15(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    if (!t.need_tables() || !t.ok(t.v1.CreateDomain(TRUE, &d), "CreateDomain(TRUE)")) {
        return;
    }
    const std::uint64_t at[] = {t.memory()};
    MdlOf mdl(at, 1);
    t.ok(t.v1.MapLogicalRange(d, read_write, mdl, spot), "MapLogicalRange");
    if (t.attached_to(d)) {
        t.reaches(Who::PciA, spot, at[0], "DMA arrives at the mapped page");
    }
    t.ok(t.v1.UnmapLogicalRange(d, spot, 1), "UnmapLogicalRange");
    t.blocked(Who::PciA, spot, "DMA is refused after the unmap");
    auto c = bypass();
    t.status(t.v1.ConfigureDomain(d, &c), STATUS_INVALID_PARAMETER_1, "ConfigureDomain");
}

void rule_16(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    if (!t.need_tables() || !t.ok(t.v1.CreateDomain(FALSE, &d), "CreateDomain(FALSE)")) {
        return;
    }
    const std::uint64_t at[] = {t.memory()};
    MdlOf mdl(at, 1);
    const auto status = t.v1.MapLogicalRange(d, read_write, mdl, spot);
    t.fails(status, "MapLogicalRange fails");
    t.proposed_status(status, STATUS_INVALID_PARAMETER_1, "MapLogicalRange");
    if (t.home.arm64() && t.has_first_stage()) {
        auto c = bypass();
        t.ok(t.v1.ConfigureDomain(d, &c), "ConfigureDomain");
    }
}

void rule_17(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    if (t.need_tables()) {
        t.ok(t.try_create(DomainTypeTranslate, &d), "CreateDomainEx(Translate)");
        t.that(d != nullptr, "a handle is returned");
    }
}

void rule_18(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    if (t.need_tables()) {
        t.ok(t.try_create(DomainTypePassThrough, &d), "CreateDomainEx(PassThrough)");
        t.that(d != nullptr, "a handle is returned");
    }
}

void rule_19(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    if (t.need_tables()) {
        t.ok(t.try_create(DomainTypeUnmanaged, &d), "CreateDomainEx(Unmanaged)");
        t.that(d != nullptr, "a handle is returned");
    }
}

void rule_20(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    PIOMMU_DMA_DOMAIN d = nullptr, last = nullptr;
    NTSTATUS status = STATUS_SUCCESS;
    for (unsigned i = 0; i < 1u << 17 && NT_SUCCESS(status); ++i) {
        last = d;
        status = t.try_create(DomainTypeUnmanaged, &d);
    }
    if (NT_SUCCESS(status)) {
        t.not_applicable("131072 Unmanaged domains exist and there are ASIDs left");
        return;
    }
    t.status(status, STATUS_INSUFFICIENT_RESOURCES, "the create after the last ASID");
    t.ok(t.io.DeleteDomain(last), "DeleteDomain of one");
    t.ok(t.try_create(DomainTypeUnmanaged, &d), "the next create");
}

void rule_21(Test& t)
{
    IOMMU_DMA_RESERVED_REGION region{nullptr, spot, 600, TRUE};
    auto config = allocator(IommuDmaLogicalAllocatorBuddy, 40);
    if (!t.need_tables()) {
        return;
    }
    PIOMMU_DMA_DOMAIN d = nullptr;
    t.ok(t.try_create(DomainTypeTranslate, &d, 0, &config, &region), "a first create");
    t.io.DeleteDomain(d);
    const auto before = t.home.allocated();
    for (unsigned n = 0; n < 100; ++n) {
        d = nowhere();
        t.home.fail_allocations(n);
        const auto status = t.try_create(DomainTypeTranslate, &d, 0, &config, &region);
        t.home.fail_allocations(Home::never);
        if (NT_SUCCESS(status)) {
            t.that(n > 0, "creating a domain takes memory");
            return;
        }
        t.status(status, STATUS_INSUFFICIENT_RESOURCES, "CreateDomainEx without memory");
        t.that(t.home.allocated() == before, "nothing leaked");
        t.proposed(d == nowhere(), "*DomainOut is unchanged");
    }
    t.that(false, "CreateDomainEx ends needing memory");
}

void rule_22(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    t.home.policy().pass_through_off = true;
    PIOMMU_DMA_DOMAIN d = nullptr;
    t.status(t.try_create(DomainTypePassThrough, &d), STATUS_NOT_SUPPORTED,
             "PassThrough while it is off machine-wide");
}

void rule_23(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    t.home.policy().remapping_available = false;
    PIOMMU_DMA_DOMAIN d = nullptr;
    t.status(t.try_create(DomainTypeTranslate, &d), STATUS_NOT_SUPPORTED,
             "CreateDomainEx without a remapping back end");
}

void rule_24(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    PIOMMU_DMA_DOMAIN d = nullptr;
    for (const int type : {4, 5, 77, 0x7fff'ffff}) {
        t.status(t.try_create(static_cast<IOMMU_DMA_DOMAIN_TYPE>(type), &d),
                 STATUS_INVALID_PARAMETER_1, "a type that is not");
    }
}

void rule_25(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    if (t.need_tables()) {
        t.status(t.try_create(DomainTypeTranslate, &d, 1), STATUS_INVALID_PARAMETER_2,
                 "Flags = 1");
    }
}

void rule_26(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    auto config = allocator(IommuDmaLogicalAllocatorMax, 40);
    if (t.need_tables()) {
        t.status(t.try_create(DomainTypeTranslate, &d, 0, &config),
                 STATUS_INVALID_PARAMETER_3, "allocator type Max");
    }
}

void rule_27(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    auto config = allocator(IommuDmaLogicalAllocatorBuddy, 64);
    if (!t.need_tables()) {
        return;
    }
    t.status(t.try_create(DomainTypeTranslate, &d, 0, &config),
             STATUS_INVALID_PARAMETER_3, "64 bits");
    config.BuddyAllocatorConfig.AddressWidth = 63;
    t.ok(t.try_create(DomainTypeTranslate, &d, 0, &config), "63 bits");
    std::uint64_t at = 0;
    t.ok(t.allocate(d, t.memory(), 1, at), "and a map in it");
}

void rule_28(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    auto config = allocator(IommuDmaLogicalAllocatorNone, 0);
    if (!t.need_tables() ||
        !t.ok(t.try_create(DomainTypeTranslate, &d, 0, &config), "allocator type None")) {
        return;
    }
    std::uint64_t at = 0;
    t.status(t.allocate(d, t.memory(), 1, at), STATUS_NOT_SUPPORTED,
             "a map without address");
    t.ok(t.map(d, spot, t.memory()), "a map with an explicit address");
}

void rule_29(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    auto config = allocator(IommuDmaLogicalAllocatorBuddy, 40);
    if (!t.need_tables()) {
        return;
    }
    for (const auto type : {DomainTypePassThrough, DomainTypeUnmanaged}) {
        t.status(t.try_create(type, &d, 0, &config), STATUS_INVALID_PARAMETER_3,
                 "a Buddy allocator for a domain without one");
    }
}

void rule_30(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    ULONG mask = 0;
    t.io.QueryAvailableDomainTypes(device, &mask);
    PIOMMU_DMA_DOMAIN d = nullptr;
    if ((mask & 8) != 0) {
        t.not_applicable("the hardware has a usable first stage");
        return;
    }
    t.status(t.try_create(DomainTypeTranslateS1, &d), STATUS_NOT_SUPPORTED,
             "TranslateS1");
}

void rule_31(Test& t)
{
    PIOMMU_DMA_DOMAIN d = nullptr;
    if (!t.need_tables()) {
        return;
    }
    t.ok(t.v1.CreateDomain(TRUE, &d), "CreateDomain");
    t.ok(t.io.DeleteDomain(d), "DeleteDomain of V1's");
    const auto before = t.home.allocated();
    t.ok(t.try_create(DomainTypeTranslate, &d), "CreateDomainEx");
    t.ok(t.io.DeleteDomain(d), "DeleteDomain of Ex's");
    t.that(t.home.allocated() == before, "its memory is released");
}

void rule_32(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached();
    if (!s) {
        return;
    }
    const auto status = t.io.DeleteDomain(s.domain);
    if (!t.fails(status, "DeleteDomain with a device attached")) {
        return;
    }
    t.proposed_status(status, STATUS_RESOURCE_IN_USE,
                      "DeleteDomain with a device attached");
    const auto at = t.memory();
    t.ok(t.map(s.domain, spot, at), "the domain is still usable");
    t.reaches(Who::PciA, spot, at, "DMA through it works");
    t.ok(t.io.DetachDeviceEx(s.device), "DetachDeviceEx");
    t.ok(t.io.DeleteDomain(s.domain), "DeleteDomain after the detach");
    t.blocked(Who::PciA, spot, "what was mapped in it is gone");
}

void rule_33(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN token = nullptr;
    IOMMU_DMA_LOGICAL_ADDRESS at = spot;
    if (!t.ok(t.io.ReserveLogicalAddressRange(d, page, &at, nullptr, nullptr, &token),
              "ReserveLogicalAddressRange")) {
        return;
    }
    const auto status = t.io.DeleteDomain(d);
    if (!t.fails(status, "DeleteDomain with a live token")) {
        return;
    }
    t.proposed_status(status, STATUS_RESOURCE_IN_USE, "DeleteDomain with a live token");
    t.ok(t.io.FreeReservedLogicalAddressRange(token), "FreeReservedLogicalAddressRange");
    t.ok(t.io.DeleteDomain(d), "DeleteDomain after the free");
}

void rule_34(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    t.io.DeleteDomain(t.translate());
    const auto before = t.home.allocated();
    auto* d = t.translate();
    t.ok(t.map(d, spot, t.memory(4), 4), "four pages");
    t.ok(t.map(d, 2 * spot, t.memory(512), 512), "two mebibytes");
    t.ok(t.io.DeleteDomain(d), "DeleteDomain with mappings");
    t.that(t.home.allocated() == before, "every table is released");
}

}  // namespace iommu::contract
