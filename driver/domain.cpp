// SPDX-License-Identifier: GPL-2.0-or-later
// Domains: creation, deletion, configuration, flushing.
#include "driver/slots.hpp"
#include "driver/system.hpp"

namespace iommu::driver {

namespace {

struct Plan {
    IOMMU_DMA_DOMAIN_TYPE type;
    bool allocates = false;
    unsigned width = 0;  // of the allocator
    const IOMMU_DMA_RESERVED_REGION* regions = nullptr;
};

unsigned input_bits(const System& s, const Plan& plan)
{
    const bool stage1 = plan.type == DomainTypeTranslateS1 || s.limits.managed_stage1;
    const auto hardware = stage1 ? s.limits.stage1_input_bits : s.limits.input_bits;
    return plan.allocates && plan.width < hardware ? plan.width : hardware;
}

// Granular, not empty, below `bits`.
bool region_fits(const IOMMU_DMA_RESERVED_REGION& r, unsigned bits)
{
    const auto limit = std::uint64_t{1} << (bits - PAGE_SHIFT);
    const auto first = r.Base >> PAGE_SHIFT;
    return (r.Base & (page_size - 1)) == 0 && r.NumberOfPages != 0 && first < limit &&
           r.NumberOfPages <= limit - first;
}

bool regions_fit(const IOMMU_DMA_RESERVED_REGION* first, unsigned bits)
{
    for (const auto* r = first; r != nullptr; r = r->RegionNext) {
        if (!region_fits(*r, bits) && !mutant(Mutant::RegionsUnchecked)) {
            return false;
        }
        for (const auto* o = first; o != r; o = o->RegionNext) {
            const auto size = r->NumberOfPages * page_size;
            if (r->Base < o->Base + o->NumberOfPages * page_size &&
                o->Base < r->Base + size && !mutant(Mutant::RegionsUnchecked)) {
                return false;
            }
        }
    }
    return true;
}

bool add_region(System& s, IOMMU_DMA_DOMAIN* d, const IOMMU_DMA_RESERVED_REGION& r)
{
    auto* region = s.platform.make<Region>();
    if (region == nullptr) {
        return false;
    }
    *region = {r.Base >> PAGE_SHIFT, r.NumberOfPages, r.ShouldMap != FALSE, d->regions};
    d->regions = region;
    if (d->allocates && !mutant(Mutant::RegionNotWithheld) &&
        !d->buddy.withhold(r.Base, r.NumberOfPages)) {
        return false;
    }
    // [S] ShouldMap grants read and write: these model firmware buffers.
    const bool map = mutant(Mutant::RegionAlwaysMapped) ||
                     (region->mapped && !mutant(Mutant::RegionNeverMapped));
    const Access access{true, !mutant(Mutant::RegionReadOnly)};
    return !map || d->context.table.map(
                       region->first, PhysicalPages::contiguous(r.Base, r.NumberOfPages),
                       access, PageTable::Blocks::Allowed);
}

void destroy(System& s, IOMMU_DMA_DOMAIN* d)
{
    s.hw.destroy_context(d->context);
    d->buddy.destroy();
    while (d->regions != nullptr) {
        auto* region = d->regions;
        d->regions = region->next;
        s.platform.destroy(region);
    }
    s.platform.destroy(d);
}

Context::Kind kind_of(IOMMU_DMA_DOMAIN_TYPE type)
{
    switch (type) {
    case DomainTypeTranslate:
        return Context::Kind::Managed;
    case DomainTypePassThrough:
        return Context::Kind::PassThrough;
    case DomainTypeUnmanaged:
        return Context::Kind::CallerOwned;
    case DomainTypeTranslateS1:
    case DomainTypeMax:
        break;
    }
    return Context::Kind::ManagedStage1;
}

bool furnish(System& s, IOMMU_DMA_DOMAIN* d, const Plan& plan)
{
    d->context.kind = kind_of(plan.type);
    if (!s.hw.create_context(d->context)) {
        return false;
    }
    if (!managed(d)) {
        return true;
    }
    d->input_bits = input_bits(s, plan);
    if (d->allocates) {
        if (!d->buddy.create(s.platform, plan.width)) {
            return false;
        }
        // What the tables cannot reach, and what never reaches the tables.
        const auto reach = std::uint64_t{1} << d->input_bits;
        const bool cut = plan.width > d->input_bits;
        if (cut && !d->buddy.withhold(reach, ~0ull / page_size - reach / page_size)) {
            return false;
        }
        if (!d->buddy.withhold(s.limits.hole_base, s.limits.hole_pages)) {
            return false;
        }
    }
    int seen = 0;
    for (const auto* r = plan.regions; r != nullptr; r = r->RegionNext) {
        if (mutant(Mutant::FirstRegionOnly) && seen++ != 0) {
            break;
        }
        if (!add_region(s, d, *r)) {
            return false;
        }
    }
    return true;
}

NTSTATUS create(System& s, const Plan& plan, PIOMMU_DMA_DOMAIN* out)
{
    auto* d = s.platform.make<IOMMU_DMA_DOMAIN>();
    if (d == nullptr) {
        if (mutant(Mutant::CreateWritesOnFailure)) {
            *out = nullptr;
        }
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    d->type = plan.type;
    d->allocates = plan.allocates;
    if (!furnish(s, d, plan)) {
        if (!mutant(Mutant::LeakOnCreateFailure)) {
            destroy(s, d);
        }
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *out = d;
    return STATUS_SUCCESS;
}

// The allocator's configuration.  False: it is not one.
bool plan_allocator(const IOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG* config, Plan& plan)
{
    if (config == nullptr ||
        config->LogicalAllocatorType == IommuDmaLogicalAllocatorNone) {
        return true;
    }
    const auto width = config->BuddyAllocatorConfig.AddressWidth;
    plan.allocates = true;
    plan.width = width;
    const bool remapping =
        plan.type == DomainTypeTranslate || plan.type == DomainTypeTranslateS1;
    if (mutant(Mutant::AllocatorUnchecked)) {
        plan.width = width > 63 ? 63 : width;
        plan.allocates = remapping;
        return true;
    }
    const unsigned widest = mutant(Mutant::Width62) ? 62 : 63;
    return config->LogicalAllocatorType == IommuDmaLogicalAllocatorBuddy && remapping &&
           width > PAGE_SHIFT && width <= widest;
}

}  // namespace

NTSTATUS WDM_CALL
CreateDomainEx(IOMMU_DMA_DOMAIN_TYPE DomainType, IOMMU_DMA_DOMAIN_CREATION_FLAGS Flags,
               PIOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG LogicalAllocatorConfig,
               PIOMMU_DMA_RESERVED_REGION ReservedRegions, PIOMMU_DMA_DOMAIN* DomainOut)
{
    auto& s = *system();
    require_irql(s, "CreateDomainEx", PASSIVE_LEVEL);
    if (DomainType < 0 || DomainType >= DomainTypeMax) {
        return mutant(Mutant::BadTypeStatus) ? STATUS_INVALID_PARAMETER
                                             : STATUS_INVALID_PARAMETER_1;
    }
    if (Flags.AsUlonglong != 0 && !mutant(Mutant::FlagsUnchecked)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    Plan plan{DomainType, false, 0, ReservedRegions};
    if (!plan_allocator(LogicalAllocatorConfig, plan)) {
        return STATUS_INVALID_PARAMETER_3;
    }
    // [S] The tables of an Unmanaged domain are not ours to put a region in.
    const bool pass = DomainType == DomainTypePassThrough;
    const unsigned bits = pass ? 52 : input_bits(s, plan);
    if (ReservedRegions != nullptr &&
        (DomainType == DomainTypeUnmanaged || !regions_fit(ReservedRegions, bits))) {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (DomainOut == nullptr) {
        return STATUS_INVALID_PARAMETER_5;
    }
    if (!s.type_possible(DomainType)) {
        return mutant(Mutant::NotSupportedAsDenied) ? STATUS_ACCESS_DENIED
                                                    : STATUS_NOT_SUPPORTED;
    }
    return create(s, plan, DomainOut);
}

NTSTATUS WDM_CALL CreateDomain(BOOLEAN OsManagedPageTable, PIOMMU_DMA_DOMAIN* DomainOut)
{
    auto& s = *system();
    require_irql(s, "CreateDomain", PASSIVE_LEVEL);
    if (DomainOut == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const bool os = (OsManagedPageTable != FALSE) != mutant(Mutant::V1CreateInverted);
    const auto type = os ? DomainTypeTranslate : DomainTypeUnmanaged;
    if (!s.type_possible(type)) {
        return STATUS_NOT_SUPPORTED;
    }
    return create(s, {type, false, 0, nullptr}, DomainOut);
}

NTSTATUS WDM_CALL DeleteDomain(PIOMMU_DMA_DOMAIN Domain)
{
    auto& s = *system();
    require_irql(s, "DeleteDomain", PASSIVE_LEVEL);
    if (Domain == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    if (Domain->bindings != nullptr && !mutant(Mutant::DeleteAttachedAllowed)) {
        return STATUS_RESOURCE_IN_USE;
    }
    const bool tokens = Domain->tokens != nullptr && !mutant(Mutant::DeleteIgnoresTokens);
    if (tokens || Domain->pasid_devices != 0) {
        return STATUS_RESOURCE_IN_USE;
    }
    if (mutant(Mutant::DeleteLeaksDomain)) {
        return STATUS_SUCCESS;
    }
    if (mutant(Mutant::DeleteAttachedAllowed) && Domain->bindings != nullptr) {
        return STATUS_SUCCESS;  // the mutant leaves a device in a domain that is gone
    }
    destroy(s, Domain);
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL ConfigureDomain(PIOMMU_DMA_DOMAIN Domain,
                                  PDOMAIN_CONFIGURATION Configuration)
{
    auto& s = *system();
    require_irql(s, "ConfigureDomain", PASSIVE_LEVEL);
    const bool unmanaged = Domain != nullptr && Domain->type == DomainTypeUnmanaged;
    if (!unmanaged) {
        return Domain != nullptr && mutant(Mutant::ConfigureManagedAllowed)
                   ? STATUS_SUCCESS
                   : STATUS_INVALID_PARAMETER_1;
    }
    if (Configuration == nullptr || Configuration->Type < 0 ||
        Configuration->Type >= DomainConfigurationInvalid) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (Configuration->Type == DomainConfigurationX64 &&
        mutant(Mutant::X64ConfigAccepted)) {
        return STATUS_SUCCESS;
    }
    if (Configuration->Type == DomainConfigurationX64 || !s.limits.arm_tables) {
        return STATUS_NOT_SUPPORTED;
    }
    const auto& arm = Configuration->Arm64;
    const unsigned widest = s.limits.stage1_input_bits;
    if (arm.TranslationEnabled && (arm.InputSize0 > widest || arm.InputSize1 > widest)) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    auto& caller = Domain->context.caller;
    caller.configured = true;
    caller.translate =
        arm.TranslationEnabled != FALSE || mutant(Mutant::TranslationDisabledIgnored);
    caller.coherent = arm.CoherentTableWalks != FALSE;
    caller.ttb[0] = static_cast<std::uint64_t>(arm.Ttbr0.QuadPart);
    caller.ttb[1] = static_cast<std::uint64_t>(arm.Ttbr1.QuadPart);
    caller.input_size[0] = arm.InputSize0;
    caller.input_size[1] = mutant(Mutant::SecondTableIgnored) ? 0 : arm.InputSize1;
    caller.mair = arm.Mair0 | std::uint64_t{arm.Mair1} << 32;
    if (!mutant(Mutant::ConfigureNotApplied)) {
        s.rebind(Domain);
    }
    return STATUS_SUCCESS;
}

// At HIGH_LEVEL: no lock of ours below that level, no wait for anybody but the unit.
NTSTATUS WDM_CALL FlushDomain(PIOMMU_DMA_DOMAIN Domain)
{
    auto& s = *system();
    require_irql(s, "FlushDomain",
                 mutant(Mutant::FlushAtPassive) ? PASSIVE_LEVEL : HIGH_LEVEL);
    if (Domain == nullptr || Domain->type != DomainTypeUnmanaged) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (!mutant(Mutant::FlushDoesNothing)) {
        s.hw.invalidate(Domain->context);
    }
    return STATUS_SUCCESS;
}

// [S] An element is a page-aligned address; its low 12 bits are not looked at.
NTSTATUS WDM_CALL FlushDomainByVaList(PIOMMU_DMA_DOMAIN Domain, BOOLEAN LastLevel,
                                      ULONG Number, PVOID VaList)
{
    auto& s = *system();
    require_irql(s, "FlushDomainByVaList", DISPATCH_LEVEL);
    if (Domain == nullptr || Domain->type != DomainTypeUnmanaged) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (Number != 0 && VaList == nullptr) {
        return STATUS_INVALID_PARAMETER_4;
    }
    const auto* addresses = static_cast<const ULONGLONG*>(VaList);
    const auto depth =
        LastLevel != FALSE ? Hardware::Depth::Leaf : Hardware::Depth::Tables;
    const ULONG count =
        mutant(Mutant::FlushListShort) && Number > 0 ? Number - 1 : Number;
    for (ULONG i = 0; i < count; ++i) {
        s.hw.invalidate(Domain->context, addresses[i] >> PAGE_SHIFT, 1, depth);
    }
    return STATUS_SUCCESS;
}

}  // namespace iommu::driver
