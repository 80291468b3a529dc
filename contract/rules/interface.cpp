// SPDX-License-Identifier: GPL-2.0-or-later
// A. Interface retrieval and ABI.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

constexpr unsigned char filler = 0xa5;

struct Buffer {
    alignas(8) unsigned char bytes[0x140];
    Buffer() { __builtin_memset(bytes, filler, sizeof(bytes)); }
    DMA_IOMMU_INTERFACE* legacy()
    {
        return reinterpret_cast<DMA_IOMMU_INTERFACE*>(bytes);
    }
    DMA_IOMMU_INTERFACE_EX* ex()
    {
        return reinterpret_cast<DMA_IOMMU_INTERFACE_EX*>(bytes);
    }
    bool untouched(std::size_t from) const
    {
        for (auto i = from; i < sizeof(bytes); ++i) {
            if (bytes[i] != filler) {
                return false;
            }
        }
        return true;
    }
    // Slot n of a table that starts at `base`.
    void* slot(std::size_t base, unsigned n) const
    {
        void* value = nullptr;
        __builtin_memcpy(&value, bytes + base + n * sizeof(void*), sizeof(value));
        return value;
    }
    bool callable(std::size_t base, unsigned count) const
    {
        void* pattern = nullptr;
        __builtin_memset(&pattern, filler, sizeof(pattern));
        for (unsigned i = 0; i < count; ++i) {
            if (slot(base, i) == nullptr || slot(base, i) == pattern) {
                return false;
            }
        }
        return true;
    }
};

constexpr std::size_t ex_slots = 0x10;

}  // namespace

void rule_1(Test& t)
{
    Buffer b;
    t.ok(t.home.get_interface()(1, b.legacy()), "IoGetIommuInterface(1)");
    t.that(b.callable(8, 13), "13 slots from offset 8 are filled in");
    t.that(b.untouched(0x70), "nothing is written beyond the 0x70 bytes of the table");
    Buffer e;
    t.ok(t.home.get_interface_ex()(3, 0, e.ex()), "IoGetIommuInterfaceEx(3)");
    t.that(e.callable(ex_slots, 27), "27 slots from offset 0x10 are filled in");
    t.that(e.untouched(0xe8), "nothing is written beyond the 0xE8 bytes of the table");
}

// What sits in the slot behaves like it: no other member refuses a Translate domain so.
void rule_2(Test& t)
{
    Buffer b, e;
    if (!t.ok(t.home.get_interface()(1, b.legacy()), "IoGetIommuInterface(1)") ||
        !t.ok(t.home.get_interface_ex()(1, 0, e.ex()), "IoGetIommuInterfaceEx(1)") ||
        !t.need_tables()) {
        return;
    }
    PIOMMU_DMA_DOMAIN managed = nullptr, unmanaged = nullptr;
    t.ok(t.v1.CreateDomain(TRUE, &managed), "CreateDomain(TRUE)");
    t.ok(t.v1.CreateDomain(FALSE, &unmanaged), "CreateDomain(FALSE)");
    DOMAIN_CONFIGURATION x64{};
    x64.Type = DomainConfigurationX64;
    for (const auto base : {std::size_t{8}, ex_slots}) {
        const auto& from = base == 8 ? b : e;
        const auto configure =
            reinterpret_cast<PIOMMU_DOMAIN_CONFIGURE>(from.slot(base, 12));
        t.status(configure(managed, &x64), STATUS_INVALID_PARAMETER_1,
                 "slot 13 refuses an OS-managed domain, as ConfigureDomain does");
        t.status(configure(unmanaged, &x64), STATUS_NOT_SUPPORTED,
                 "slot 13 refuses an X64 configuration, as ConfigureDomain does");
        const auto flush = reinterpret_cast<PIOMMU_FLUSH_DOMAIN>(from.slot(base, 4));
        t.ok(flush(unmanaged), "slot 5 flushes a domain");
    }
}

void rule_3(Test& t)
{
    Buffer e;
    if (!t.ok(t.home.get_interface_ex()(2, 0, e.ex()), "IoGetIommuInterfaceEx(2)")) {
        return;
    }
    const auto create = reinterpret_cast<PIOMMU_DEVICE_CREATE>(e.slot(ex_slots, 20));
    const auto remove = reinterpret_cast<PIOMMU_DEVICE_DELETE>(e.slot(ex_slots, 21));
    const auto query =
        reinterpret_cast<PIOMMU_DEVICE_QUERY_DOMAIN_TYPES>(e.slot(ex_slots, 13));
    PIOMMU_DMA_DEVICE device = nullptr;
    if (!t.ok(create(t.home.device(Who::PciA), nullptr, &device),
              "+0xA0 creates a device")) {
        return;
    }
    ULONG mask = 0;
    query(device, &mask);
    t.that((mask & 1) != 0, "+0x68 tells the available domain types");
    t.ok(remove(device), "+0xA8 deletes the device");
}

void rule_4(Test& t)
{
    Buffer two, three;
    t.ok(t.home.get_interface_ex()(2, 0, two.ex()), "IoGetIommuInterfaceEx(2)");
    t.ok(t.home.get_interface_ex()(3, 0, three.ex()), "IoGetIommuInterfaceEx(3)");
    for (unsigned i = 0; i < 22; ++i) {
        if (!t.that(two.slot(ex_slots, i) == three.slot(ex_slots, i),
                    "V3's first 22 slots are V2's")) {
            return;
        }
    }
    const auto query =
        reinterpret_cast<PIOMMU_DEVICE_QUERY_INFORMATION>(three.slot(ex_slots, 26));
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    ULONG written = 77;
    IOMMU_DMA_DEVICE_INFORMATION info{};
    t.status(query(device, 2, &written, &info), STATUS_BUFFER_TOO_SMALL,
             "+0xD0 is QueryDeviceInfo");
}

void rule_6(Test& t)
{
    Buffer b;
    t.ok(t.home.get_interface()(1, b.legacy()), "IoGetIommuInterface(1)");
    t.that(b.legacy()->Version == 1, "Version is 1");
    t.that(b.callable(8, 13), "13 callable slots");
}

void rule_7(Test& t)
{
    Buffer b, e;
    t.ok(t.home.get_interface()(1, b.legacy()), "IoGetIommuInterface(1)");
    t.ok(t.home.get_interface_ex()(1, 0, e.ex()), "IoGetIommuInterfaceEx(1)");
    t.that(e.ex()->Version == 1, "Version is 1");
    for (unsigned i = 0; i < 13; ++i) {
        if (!t.that(b.slot(8, i) == e.slot(ex_slots, i),
                    "both tables hold the same function")) {
            return;
        }
    }
}

static void version_n(Test& t, ULONG version, unsigned slots)
{
    Buffer e;
    t.ok(t.home.get_interface_ex()(version, 0, e.ex()), "IoGetIommuInterfaceEx");
    t.that(e.ex()->Version == version, "Version is the one that was asked for");
    t.that(e.callable(ex_slots, slots), "every slot of the version is callable");
}
void rule_8(Test& t)
{
    version_n(t, 2, 22);
}
void rule_9(Test& t)
{
    version_n(t, 3, 27);
}

void rule_10(Test& t)
{
    const SIZE_T sizes[] = {0x78, 0xc0, 0xe8};
    for (ULONG version = 1; version <= 3; ++version) {
        Buffer e;
        t.ok(t.home.get_interface_ex()(version, 0, e.ex()), "IoGetIommuInterfaceEx");
        t.that(e.ex()->Size == sizes[version - 1], "Size is 0x10 and the table's size");
    }
}

void rule_11(Test& t)
{
    const std::size_t ends[] = {0x78, 0xc0};
    for (ULONG version = 1; version <= 2; ++version) {
        Buffer e;
        t.ok(t.home.get_interface_ex()(version, 0, e.ex()), "IoGetIommuInterfaceEx");
        t.that(e.untouched(ends[version - 1]),
               "nothing is written beyond the version's own table");
    }
}

void rule_12(Test& t)
{
    for (const ULONG version : {0u, 4u, 0xffff'ffffu}) {
        Buffer e;
        t.status(t.home.get_interface_ex()(version, 0, e.ex()),
                 STATUS_INVALID_PARAMETER_1,
                 "IoGetIommuInterfaceEx of a version that is not");
        t.that(e.untouched(0), "the output is unchanged");
    }
    for (const ULONG version : {0u, 2u}) {
        Buffer b;
        t.status(t.home.get_interface()(version, b.legacy()), STATUS_INVALID_PARAMETER_1,
                 "IoGetIommuInterface of a version that is not");
        t.that(b.untouched(0), "the output is unchanged");
    }
}

void rule_13(Test& t)
{
    Buffer e;
    t.status(t.home.get_interface_ex()(2, 1, e.ex()), STATUS_INVALID_PARAMETER_2,
             "Flags = 1");
    t.that(e.untouched(0), "the output is unchanged");
}

void rule_14(Test& t)
{
    DMA_IOMMU_INTERFACE legacy{};
    if (!t.need_tables() ||
        !t.ok(t.home.get_interface()(1, &legacy), "IoGetIommuInterface")) {
        return;
    }
    PIOMMU_DMA_DOMAIN domain = nullptr;
    t.ok(legacy.CreateDomain(TRUE, &domain), "the legacy table creates a domain");
    t.ok(t.v1.DeleteDomain(domain), "the V1 table deletes it");
    t.ok(t.v1.CreateDomain(TRUE, &domain), "the V1 table creates a domain");
    t.ok(legacy.DeleteDomain(domain), "the legacy table deletes it");
}

}  // namespace iommu::contract
