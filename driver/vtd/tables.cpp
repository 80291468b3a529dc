// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 9 "Translation Structure Formats": the tables that lead to a source's entries, and
// these.
#include "driver/vtd/vtd.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

using namespace vtd;

namespace {

constexpr unsigned pasids_per_table = 64;

AddressWidth width(unsigned bits)
{
    return bits == 39 ? AddressWidth::W39 : AddressWidth::W48;
}

// What whoever is bound to the context, or to none, may reach.  A caller's own tables
// are not of a format that VT-d walks.
enum class Reach { Nothing, Memory, WhatIsMapped };

Reach reach_of(const Context* c, Unattached otherwise)
{
    if (c == nullptr) {
        return otherwise == Unattached::Identity ? Reach::Memory : Reach::Nothing;
    }
    if (c->kind == Context::Kind::CallerOwned) {
        return mutant(Mutant::UnconfiguredPasses) ? Reach::Memory : Reach::Nothing;
    }
    return c->kind == Context::Kind::PassThrough ? Reach::Memory : Reach::WhatIsMapped;
}

}  // namespace

// Legacy entries take one page of the two, scalable entries both.
void Vtd::point_root(unsigned bus, std::uint64_t physical)
{
    auto* entry = root_ + bus * 2;
    if (features_.scalable) {
        const auto value = ScalableRootEntry{}
                               .with(ScalableRootEntry::LP, true)
                               .with(ScalableRootEntry::LCTP, Gpa{physical})
                               .with(ScalableRootEntry::UP, true)
                               .with(ScalableRootEntry::UCTP, Gpa{physical + page_size});
        store(entry + 1, value.dword[1]);
        store(entry, value.dword[0]);
    } else {
        store(entry, RootEntry{}
                         .with(RootEntry::P, true)
                         .with(RootEntry::CTP, Gpa{physical})
                         .dword[0]);
    }
}

std::uint64_t Vtd::contexts_at(unsigned bus) const
{
    return root_[bus * 2] & ~0xfffull;
}

// A table of its own for a bus that so far had the one all share.
bool Vtd::own_contexts(unsigned bus)
{
    if (contexts_at(bus) != common_physical_) {
        return true;
    }
    std::uint64_t physical = 0;
    auto* table = platform_.pages(context_pages, physical);
    if (table == nullptr) {
        return false;
    }
    __builtin_memcpy(table, common_, context_pages * page_size);
    point_root(bus, physical);
    forget_everything();
    return true;
}

std::uint64_t* Vtd::context_entry(std::uint32_t id) const
{
    auto* table = platform_.at(contexts_at(id >> 8));
    return table + std::uint64_t{id & 0xff} * (features_.scalable ? 4 : 2);
}

bool Vtd::make_pasid_tables(PasidTables& t, unsigned bits)
{
    const auto count = std::uint64_t{1} << bits;
    const auto tables = (count + pasids_per_table - 1) / pasids_per_table;
    t.bits = bits;
    t.pages = 1 + tables;
    t.directory = platform_.pages(t.pages, t.physical);
    if (t.directory == nullptr) {
        return false;
    }
    for (std::uint64_t i = 0; i < tables; ++i) {
        t.directory[i] = PasidDirectoryEntry{}
                             .with(PasidDirectoryEntry::P, true)
                             .with(PasidDirectoryEntry::SMPTBLPTR,
                                   Gpa{t.physical + (1 + i) * page_size})
                             .dword[0];
    }
    return true;
}

// VT-d 9.4 "Scalable-Mode Context Entry".
ScalableContextEntry Vtd::scalable_entry(const PasidTables& tables) const
{
    return ScalableContextEntry{}
        .with(ScalableContextEntry::P, true)
        .with(ScalableContextEntry::PASIDE, tables.bits != 0)
        .with(ScalableContextEntry::PASIDDIRPTR, Gpa{tables.physical});
}

void Vtd::point_context(std::uint32_t id, const PasidTables& tables)
{
    const auto value = scalable_entry(tables);
    auto* entry = context_entry(id);
    const bool was_present = (entry[0] & 1) != 0;
    store(entry, 0);
    for (unsigned i = 3; i != 0; --i) {
        entry[i] = value.dword[i];
    }
    store(entry, value.dword[0]);
    if (was_present) {
        forget_contexts(id);
    }
}

// VT-d 6.5.3.3: what follows a change of the root table.
void Vtd::forget_everything()
{
    InvalidationQueue::Batch batch(queue_);
    batch.add(DescriptorType::ContextCache,
              ContextCacheDescriptor{}.with(ContextCacheDescriptor::G,
                                            ContextGranularity::Global));
    if (features_.scalable) {
        batch.add(DescriptorType::PasidCache,
                  PasidCacheDescriptor{}.with(PasidCacheDescriptor::G,
                                              PasidCacheGranularity::Global));
    }
    batch.add(DescriptorType::Iotlb,
              IotlbDescriptor{}.with(IotlbDescriptor::G, IotlbGranularity::Global));
}

void Vtd::forget_contexts(std::uint32_t id)
{
    InvalidationQueue::Batch batch(queue_);
    batch.add(
        DescriptorType::ContextCache,
        ContextCacheDescriptor{}
            .with(ContextCacheDescriptor::G, ContextGranularity::Device)
            .with(ContextCacheDescriptor::SID, SourceId{static_cast<std::uint16_t>(id)}));
    batch.add(DescriptorType::PasidCache,
              PasidCacheDescriptor{}.with(PasidCacheDescriptor::G,
                                          PasidCacheGranularity::Global));
}

// VT-d 9.3 "Context Entry".
ContextEntry Vtd::legacy_entry(const Context* c, Unattached otherwise) const
{
    const auto reach = reach_of(c, otherwise);
    const auto entry = ContextEntry{}
                           .with(ContextEntry::P, true)
                           .with(ContextEntry::AW, width(features_.input_bits()));
    if (reach == Reach::Memory) {
        return entry.with(ContextEntry::TT, TranslationType::PassThrough)
            .with(ContextEntry::DID, DomainId{pass_through_});
    }
    if (reach == Reach::Nothing) {
        return ContextEntry{};
    }
    return entry.with(ContextEntry::SSPTPTR, Gpa{c->table.root()})
        .with(ContextEntry::DID, DomainId{c->tag});
}

// VT-d 9.6 "Scalable-Mode PASID Table Entry".
PasidTableEntry Vtd::pasid_entry(const Context* c, Unattached otherwise,
                                 bool report_faults) const
{
    const auto reach = reach_of(c, otherwise);
    const auto entry = PasidTableEntry{}
                           .with(PasidTableEntry::P, true)
                           .with(PasidTableEntry::FPD, !report_faults)
                           .with(PasidTableEntry::AW, width(features_.input_bits()));
    if (reach == Reach::Memory) {
        return entry.with(PasidTableEntry::PGTT, Pgtt::PassThrough)
            .with(PasidTableEntry::DID, DomainId{pass_through_});
    }
    if (reach == Reach::Nothing) {
        return PasidTableEntry{};
    }
    if (c->stage1) {
        return entry.with(PasidTableEntry::PGTT, Pgtt::FirstStage)
            .with(PasidTableEntry::DID, DomainId{c->tag})
            .with(PasidTableEntry::WPE, true)
            .with(PasidTableEntry::FSPM, FirstStageMode::Level4)
            .with(PasidTableEntry::FSPTPTR, Gpa{c->table.root()});
    }
    return entry.with(PasidTableEntry::PGTT, Pgtt::SecondStage)
        .with(PasidTableEntry::DID, DomainId{c->tag})
        .with(PasidTableEntry::SSPTPTR, Gpa{c->table.root()});
}

// VT-d 6.5.3.3: the context-cache entry first, then what was cached through it.
void Vtd::write_legacy(std::uint32_t id, const ContextEntry& value)
{
    auto* entry = context_entry(id);
    ContextEntry before{};
    before.dword = {entry[0], entry[1]};
    store(entry, 0);
    entry[1] = value.dword[1];
    store(entry, value.dword[0]);
    if (!before[ContextEntry::P] || mutant(Mutant::NoSteInvalidation)) {
        return;
    }
    const auto did = before[ContextEntry::DID];
    InvalidationQueue::Batch batch(queue_);
    batch.add(
        DescriptorType::ContextCache,
        ContextCacheDescriptor{}
            .with(ContextCacheDescriptor::G, ContextGranularity::Device)
            .with(ContextCacheDescriptor::DID, did)
            .with(ContextCacheDescriptor::SID, SourceId{static_cast<std::uint16_t>(id)}));
    batch.add(DescriptorType::Iotlb,
              IotlbDescriptor{}
                  .with(IotlbDescriptor::G, IotlbGranularity::Domain)
                  .with(IotlbDescriptor::DID, did));
}

void Vtd::write_pasid(const PasidTables& tables, std::uint32_t pasid,
                      const PasidTableEntry& value)
{
    auto* entry = tables.directory + page_size / 8 + std::uint64_t{pasid} * 8;
    PasidTableEntry before{};
    __builtin_memcpy(before.dword.data(), entry, sizeof(before));
    store(entry, 0);
    for (unsigned i = 7; i != 0; --i) {
        entry[i] = value.dword[i];
    }
    store(entry, value.dword[0]);
    const bool missed =
        pasid == 0 ? mutant(Mutant::NoSteInvalidation) : mutant(Mutant::NoCdInvalidation);
    if (!before[PasidTableEntry::P] || missed) {
        return;
    }
    const auto did = before[PasidTableEntry::DID];
    InvalidationQueue::Batch batch(queue_);
    batch.add(DescriptorType::PasidCache,
              PasidCacheDescriptor{}
                  .with(PasidCacheDescriptor::G, PasidCacheGranularity::Pasid)
                  .with(PasidCacheDescriptor::DID, did)
                  .with(PasidCacheDescriptor::PASID, Pasid{pasid}));
    if (before[PasidTableEntry::PGTT] == Pgtt::FirstStage) {
        batch.add(DescriptorType::PasidIotlb,
                  PasidIotlbDescriptor{}
                      .with(PasidIotlbDescriptor::G, PasidIotlbGranularity::Pasid)
                      .with(PasidIotlbDescriptor::DID, did)
                      .with(PasidIotlbDescriptor::PASID, Pasid{pasid}));
    } else {
        batch.add(DescriptorType::Iotlb,
                  IotlbDescriptor{}
                      .with(IotlbDescriptor::G, IotlbGranularity::Domain)
                      .with(IotlbDescriptor::DID, did));
    }
}

}  // namespace iommu::driver
