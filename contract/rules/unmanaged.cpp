// SPDX-License-Identifier: GPL-2.0-or-later
// M. Unmanaged: configure and flush.  N. Input mappings.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

// Caller-owned VMSAv8-64 stage-1 tables, 4 KiB granule, 39 bits: three tables in a row.
// VMSA D8.3: table and page descriptors end in 0b11; AF is bit 10, SH 9:8, AP[1] bit 6.
struct OwnTables {
    std::uint64_t root = 0;
    volatile std::uint64_t* leaf = nullptr;  // entry for address 0

    static constexpr std::uint64_t attributes = 1ull << 10 | 3ull << 8 | 1ull << 6 | 0b11;

    bool build(Test& t)
    {
        root = t.memory(4);
        if (root == 0) {
            return false;
        }
        for (unsigned i = 0; i < 3; ++i) {
            auto* table = t.home.at(root + i * page);
            for (unsigned k = 0; k < 512; ++k) {
                table[k] = 0;
            }
        }
        t.home.at(root)[0] = (root + page) | 0b11;
        t.home.at(root + page)[0] = (root + 2 * page) | 0b11;
        leaf = t.home.at(root + 2 * page);
        return true;
    }
    void point(unsigned index, std::uint64_t physical) const
    {
        leaf[index] = physical | attributes;
    }
    DOMAIN_CONFIGURATION configuration() const
    {
        DOMAIN_CONFIGURATION c{};
        c.Type = DomainConfigurationArm64;
        c.Arm64.Ttbr0.QuadPart = static_cast<LONGLONG>(root);
        c.Arm64.Mair0 = 0xff;
        c.Arm64.InputSize0 = 39;
        c.Arm64.CoherentTableWalks = TRUE;
        c.Arm64.TranslationEnabled = TRUE;
        return c;
    }
};

bool need_arm64(Test& t)
{
    if (!t.home.arm64()) {
        t.not_applicable("on x64 no configuration a third party may pass exists");
        return false;
    }
    if (!t.need_tables()) {
        return false;
    }
    const bool walks = t.has_first_stage();
    if (!walks) {
        t.not_applicable(
            "the hardware has no first stage, which walks a caller's tables");
    }
    return walks;
}

// An attached Unmanaged domain that walks `tables`.
PIOMMU_DMA_DOMAIN configured(Test& t, OwnTables& tables)
{
    const auto s = t.attached_to(t.create(DomainTypeUnmanaged));
    if (!s || !tables.build(t)) {
        return nullptr;
    }
    auto c = tables.configuration();
    return t.ok(t.io.ConfigureDomain(s.domain, &c), "ConfigureDomain") ? s.domain
                                                                       : nullptr;
}

}  // namespace

void rule_169(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    DOMAIN_CONFIGURATION c{};
    c.Type = DomainConfigurationArm64;
    for (const auto type : {DomainTypeTranslate, DomainTypePassThrough}) {
        t.status(t.io.ConfigureDomain(t.create(type), &c), STATUS_INVALID_PARAMETER_1,
                 "a domain that is not Unmanaged");
    }
    PIOMMU_DMA_DOMAIN d = nullptr;
    t.ok(t.v1.CreateDomain(TRUE, &d), "CreateDomain(TRUE)");
    t.status(t.v1.ConfigureDomain(d, &c), STATUS_INVALID_PARAMETER_1,
             "an OS-managed domain");
}

void rule_170(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.create(DomainTypeUnmanaged));
    DOMAIN_CONFIGURATION c{};
    c.Type = DomainConfigurationX64;
    c.X64.FirstLevelPageTableRoot.QuadPart = static_cast<LONGLONG>(t.memory());
    c.X64.TranslationEnabled = TRUE;
    t.status(t.io.ConfigureDomain(s.domain, &c), STATUS_NOT_SUPPORTED, "X64 is reserved");
    t.blocked(Who::PciA, t.memory(), "the domain stays blocked");
}

void rule_171(Test& t)
{
    OwnTables tables;
    if (!need_arm64(t)) {
        return;
    }
    auto* d = configured(t, tables);
    const auto at = t.memory(2);
    if (d != nullptr) {
        t.blocked(Who::PciA, 3 * page, "an address the caller's tables do not map");
        tables.point(5, at);
        t.reaches(Who::PciA, 5 * page, at, "one they do");
        t.blocked(Who::PciA, at, "no identity besides");
        // The second table: addresses whose upper bits are ones.
        auto c = tables.configuration();
        c.Arm64.Ttbr1 = c.Arm64.Ttbr0;
        c.Arm64.InputSize1 = 39;
        t.ok(t.io.ConfigureDomain(d, &c), "ConfigureDomain with Ttbr1");
        t.reaches(Who::PciA, (~0ull << 39) + 5 * page, at, "an address under Ttbr1");
        t.reaches(Who::PciA, 5 * page, at, "and the one under Ttbr0");
    }
}

void rule_172(Test& t)
{
    if (!need_arm64(t)) {
        return;
    }
    const auto s = t.attached_to(t.create(DomainTypeUnmanaged));
    DOMAIN_CONFIGURATION c{};
    c.Type = DomainConfigurationArm64;
    t.ok(t.io.ConfigureDomain(s.domain, &c), "ConfigureDomain");
    const auto at = t.memory();
    t.reaches(Who::PciA, at, at, "stage 1 is bypassed");
}

void rule_173(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    DOMAIN_CONFIGURATION c{};
    c.Type = DomainConfigurationInvalid;
    t.status(t.io.ConfigureDomain(t.create(DomainTypeUnmanaged), &c),
             STATUS_INVALID_PARAMETER_2, "Type Invalid");
    c.Type = DomainConfigurationX64;
    t.status(t.io.ConfigureDomain(t.translate(), &c), STATUS_INVALID_PARAMETER_1,
             "two errors: the first parameter's is reported");
}

void rule_174(Test& t)
{
    OwnTables first, second;
    if (!need_arm64(t)) {
        return;
    }
    auto* d = configured(t, first);
    const auto a = t.memory(), b = t.memory();
    if (d != nullptr && second.build(t)) {
        first.point(5, a);
        second.point(5, b);
        t.reaches(Who::PciA, 5 * page, a, "the first tables");
        auto c = second.configuration();
        t.ok(t.io.ConfigureDomain(d, &c), "ConfigureDomain while attached");
        t.reaches(Who::PciA, 5 * page, b, "the second tables");
    }
}

void rule_175(Test& t)
{
    OwnTables tables;
    if (!need_arm64(t)) {
        return;
    }
    auto* d = configured(t, tables);
    const auto a = t.memory(), b = t.memory();
    if (d != nullptr) {
        tables.point(5, a);
        t.reaches(Who::PciA, 5 * page, a, "before the edit");
        tables.leaf[5] = 0;
        t.ok(t.io.FlushDomain(d), "FlushDomain");
        t.blocked(Who::PciA, 5 * page, "the entry that was taken out");
        tables.point(5, b);
        t.reaches(Who::PciA, 5 * page, b, "the new entry");
    }
}

void rule_176(Test& t)
{
    OwnTables tables;
    if (!need_arm64(t)) {
        return;
    }
    auto* d = configured(t, tables);
    const auto at = t.memory(4);
    if (d == nullptr) {
        return;
    }
    for (const BOOLEAN last_level : {TRUE, FALSE}) {
        ULONGLONG list[3];
        for (unsigned i = 0; i < 3; ++i) {
            tables.point(8 + i, at + i * page);
            t.reaches(Who::PciA, (8 + i) * page, at + i * page, "before the edit");
            tables.leaf[8 + i] = 0;
            list[i] = (8 + i) * page;
        }
        t.ok(t.io.FlushDomainByVaList(d, last_level, 3, list), "FlushDomainByVaList");
        for (unsigned i = 0; i < 3; ++i) {
            t.blocked(Who::PciA, (8 + i) * page, "an address of the list");
        }
    }
}

void rule_177(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* d = t.translate();
    auto* own = t.create(DomainTypeUnmanaged);
    ULONGLONG list[1] = {spot};
    t.status(t.io.FlushDomain(d), STATUS_INVALID_PARAMETER_1,
             "FlushDomain of a managed one");
    t.status(t.io.FlushDomainByVaList(d, TRUE, 1, list), STATUS_INVALID_PARAMETER_1,
             "FlushDomainByVaList of a managed one");
    t.ok(t.io.FlushDomainByVaList(own, TRUE, 0, nullptr), "a list of nothing");
    t.status(t.io.FlushDomainByVaList(own, TRUE, 1, nullptr), STATUS_INVALID_PARAMETER_4,
             "no list");
}

void rule_178(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    const auto s = t.attached_to(t.create(DomainTypeUnmanaged));
    t.home.set_irql(HIGH_LEVEL);
    t.ok(t.io.FlushDomain(s.domain), "FlushDomain at HIGH_LEVEL");
    t.that(t.home.irql() == HIGH_LEVEL, "the level is as it was");
    t.home.set_irql(PASSIVE_LEVEL);
    t.that(t.home.irql_violations() == 0, "the call was not above its level");
}

// --- N

static bool need_ids(Test& t)
{
    if (t.home.device(Who::Acpi) != nullptr) {
        return t.need_tables();
    }
    t.not_applicable("only ARM64 has devices of several ids");
    return false;
}

void rule_179(Test& t)
{
    if (need_ids(t)) {
        INPUT_MAPPING_ELEMENT ids[5] = {{77}, {77}, {77}, {77}, {77}};
        ULONG length = 0;
        t.ok(t.io.QueryInputMappings(t.home.device(Who::Acpi), ids, 12, &length),
             "QueryInputMappings");
        t.that(length == 12, "ReturnLength counts bytes");
        for (unsigned i = 0; i < acpi_ids; ++i) {
            t.that(ids[i].InputMappingId == acpi_first_id + i, "the ids");
        }
        t.that(ids[3].InputMappingId == 77, "nothing beyond them is written");
    }
}

void rule_180(Test& t)
{
    if (need_ids(t)) {
        INPUT_MAPPING_ELEMENT ids[3] = {{77}, {77}, {77}};
        ULONG length = 0;
        t.status(t.io.QueryInputMappings(t.home.device(Who::Acpi), ids, 8, &length),
                 STATUS_BUFFER_TOO_SMALL, "room for two of three");
        t.that(length == 12, "ReturnLength is what it takes");
        t.that(ids[0].InputMappingId == 77 && ids[1].InputMappingId == 77,
               "the buffer is untouched");
    }
}

void rule_181(Test& t)
{
    if (need_ids(t)) {
        INPUT_MAPPING_ELEMENT ids[3] = {};
        auto* pdo = t.home.device(Who::Acpi);
        t.ok(t.io.QueryInputMappings(pdo, ids, 12, nullptr), "enough room");
        t.status(t.io.QueryInputMappings(pdo, ids, 8, nullptr), STATUS_BUFFER_TOO_SMALL,
                 "not enough");
    }
}

void rule_182(Test& t)
{
    if (t.need_tables()) {
        INPUT_MAPPING_ELEMENT ids[3] = {};
        ULONG length = 0;
        t.status(
            t.io.QueryInputMappings(t.home.device(Who::Unprotected), ids, 12, &length),
            STATUS_UNSUCCESSFUL, "a device without input mappings");
    }
}

void rule_183(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    INPUT_MAPPING_ELEMENT ids[3] = {};
    ULONG length = 55;
    if (!t.home.arm64()) {
        t.status(t.io.QueryInputMappings(t.home.device(Who::PciA), ids, 12, &length),
                 STATUS_UNSUCCESSFUL, "on x64");
        return;
    }
    t.status(t.io.QueryInputMappings(t.home.device(Who::Acpi), nullptr, 0, &length),
             STATUS_BUFFER_TOO_SMALL, "a probe for the size");
    t.that(length == 12, "ReturnLength is what it takes");
}

}  // namespace iommu::contract
