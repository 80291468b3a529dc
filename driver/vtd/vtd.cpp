// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/vtd/vtd.hpp"

#include "driver/mutant.hpp"
#include "hw/iommu/vtd/spec/registers.hpp"

namespace iommu::driver {

using namespace vtd;

namespace {

template <typename R>
R from_raw(std::uint64_t raw)
{
    R r{};
    r.dword[0] = raw;
    return r;
}

constexpr std::uint64_t interrupt_window = 0xfee0'0000;  // VT-d 3.15
constexpr unsigned pasids_per_table = 64;

void drain(void* argument)
{
    static_cast<Vtd*>(argument)->drain_faults();
}
void service(void* argument)
{
    static_cast<Vtd*>(argument)->interrupt();
}

void store(std::uint64_t* at, std::uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELEASE);
}

AddressWidth width(unsigned bits)
{
    return bits == 39 ? AddressWidth::W39 : AddressWidth::W48;
}

}  // namespace

// --- taking the unit over

bool Vtd::usable()
{
    const auto cap = from_raw<CapReg>(platform_.read64(unit_.base + offset::CAP_REG));
    const auto ecap = from_raw<EcapReg>(platform_.read64(unit_.base + offset::ECAP_REG));
    const bool w48 = (cap[CapReg::SAGAW] & 0b100) != 0,
               w39 = (cap[CapReg::SAGAW] & 0b10) != 0;
    input_bits_ = w48 ? 48 : 39;
    domain_bits_ = 4 + 2 * static_cast<unsigned>(cap[CapReg::ND]);
    largest_mask_ = cap[CapReg::PSI] ? static_cast<unsigned>(cap[CapReg::MAMV]) : 0;
    fault_records_ = static_cast<unsigned>(cap[CapReg::NFR]) + 1;
    fault_offset_ = cap[CapReg::FRO] * 16;
    scalable_ = ecap[EcapReg::SMTS] && ecap[EcapReg::SSTS] && ecap[EcapReg::FSTS] && w48;
    if (scalable_ && ecap[EcapReg::PASID]) {
        const auto bits = static_cast<unsigned>(ecap[EcapReg::PSS]) + 1;
        pasid_bits_ = bits > 10 ? 10 : bits;
    }
    // Not implemented: units without queued invalidation, or whose walks are not
    // coherent.
    return (w48 || w39) && ecap[EcapReg::QI] && ecap[EcapReg::C] && cap[CapReg::PSI] &&
           ecap[EcapReg::PT] && domain_bits_ <= 16;
}

bool Vtd::allocate_tables()
{
    root_ = platform_.pages(1, root_physical_);
    if (root_ == nullptr || !queue_.allocate(platform_) ||
        !domains_.create(platform_, domain_bits_) || !domains_.take(pass_through_)) {
        return false;
    }
    bool ok = !scalable_ || make_pasid_tables(identity_, 0);
    dmar_.buses(unit_, [&](unsigned bus) { ok = ok && context_table(bus); });
    return ok;
}

bool Vtd::start(const Platform& platform, FaultSink& sink)
{
    platform_ = platform;
    sink_ = &sink;
    std::size_t size = 0;
    const auto* table = platform_.table("DMAR", size);
    if (!dmar_.open(table, size) || !dmar_.find_unit(unit_) || !usable()) {
        return false;
    }
    if (!allocate_tables()) {
        stop();
        return false;
    }
    if (!platform_.policy().dma_guard) {
        fill_identity();
    }
    program();
    return true;
}

// [S] Without DMA Guard, what nobody has asked for goes on reaching memory directly.
void Vtd::fill_identity()
{
    if (scalable_) {
        const auto entry = pasid_entry(nullptr, Unattached::Identity, true);
        __builtin_memcpy(identity_.directory + page_size / 8, entry.dword.data(),
                         sizeof(entry));
    }
    dmar_.buses(unit_, [&](unsigned bus) {
        for (unsigned devfn = 0; devfn < 256; ++devfn) {
            const auto id = bus << 8 | devfn;
            auto* entry = context_entry(id);
            if ((entry[0] & 1) != 0) {
                continue;  // the bus was there before
            }
            if (scalable_) {
                point_context(id, identity_);
            } else {
                const auto value = legacy_entry(nullptr, Unattached::Identity);
                entry[1] = value.dword[1];
                store(entry, value.dword[0]);
            }
        }
    });
}

// VT-d 11.4.4: one command at a time, beside the state the others have left.
void Vtd::command(std::uint32_t bit, bool on)
{
    constexpr std::uint32_t persistent = 0x96ff'ffff;  // not SRTP, SFL, WBF, SIRTP
    const auto status = platform_.read32(unit_.base + offset::GSTS_REG) & persistent;
    platform_.write32(unit_.base + offset::GCMD_REG, on ? status | bit : status & ~bit);
    while (((platform_.read32(unit_.base + offset::GSTS_REG) & bit) != 0) != on) {
        platform_.pause();
    }
}

constexpr std::uint32_t bit_of(std::uint64_t mask)
{
    return static_cast<std::uint32_t>(mask);
}

void Vtd::program()
{
    const auto base = unit_.base;
    if ((platform_.read32(base + offset::GSTS_REG) & GlobalReg::TE.mask) != 0) {
        command(bit_of(GlobalReg::TE.mask), false);
    }
    queue_.program(base, scalable_);
    command(bit_of(GlobalReg::QIE.mask), true);
    const auto mode =
        scalable_ ? TranslationTableMode::Scalable : TranslationTableMode::Legacy;
    const auto root =
        RtaddrReg{}.with(RtaddrReg::TTM, mode).with(RtaddrReg::RTA, Gpa{root_physical_});
    platform_.write64(base + offset::RTADDR_REG, root.dword[0]);
    command(bit_of(GlobalReg::SRTP.mask), true);
    {
        InvalidationQueue::Batch batch(queue_);
        batch.add(DescriptorType::ContextCache,
                  ContextCacheDescriptor{}.with(ContextCacheDescriptor::G,
                                                ContextGranularity::Global));
        if (scalable_) {
            batch.add(DescriptorType::PasidCache,
                      PasidCacheDescriptor{}.with(PasidCacheDescriptor::G,
                                                  PasidCacheGranularity::Global));
        }
        batch.add(DescriptorType::Iotlb,
                  IotlbDescriptor{}.with(IotlbDescriptor::G, IotlbGranularity::Global));
    }
    clear_faults();
    const auto& p = platform_.raw();
    std::uint64_t address = 0;
    std::uint32_t data = 0;
    p.connect_message(p.context, service, this, &address, &data);
    platform_.write32(base + offset::FEDATA_REG, data);
    platform_.write32(base + offset::FEADDR_REG, static_cast<std::uint32_t>(address));
    platform_.write32(base + offset::FEUADDR_REG,
                      static_cast<std::uint32_t>(address >> 32));
    platform_.write32(base + offset::FECTL_REG, 0);
    command(bit_of(GlobalReg::TE.mask), true);
}

// Naming a fault takes locks that an interrupt may not: the records wait.
void Vtd::interrupt()
{
    const auto& p = platform_.raw();
    if (!__atomic_exchange_n(&drain_queued_, true, __ATOMIC_ACQ_REL)) {
        p.queue_work(p.context, drain, this);
    }
}

void Vtd::stop()
{
    if (root_ != nullptr) {
        command(bit_of(GlobalReg::TE.mask), false);
        platform_.write32(unit_.base + offset::FECTL_REG,
                          bit_of(EventControlReg::IM.mask));
        command(bit_of(GlobalReg::QIE.mask), false);
    }
    while (sources_ != nullptr) {
        auto* s = sources_;
        sources_ = s->next;
        if (s->pasids.directory != nullptr) {
            platform_.release_pages(s->pasids.directory, s->pasids.pages);
        }
        if (s->tagged != nullptr) {
            platform_.release(s->tagged, sizeof(void*) << s->pasids.bits);
        }
        platform_.destroy(s);
    }
    for (unsigned bus = 0; root_ != nullptr && bus < 256; ++bus) {
        if ((root_[bus * 2] & 1) != 0) {
            platform_.release_pages(platform_.at(root_[bus * 2] & ~0xfffull), 2);
        }
    }
    if (identity_.directory != nullptr) {
        platform_.release_pages(identity_.directory, identity_.pages);
        identity_ = {};
    }
    if (root_ != nullptr) {
        platform_.release_pages(root_, 1);
        root_ = nullptr;
    }
    queue_.release();
    domains_.destroy();
}

HardwareLimits Vtd::limits() const
{
    HardwareLimits l{};
    l.stage1 = scalable_;
    l.write_only = true;
    l.live_split = true;
    l.input_bits = input_bits_;
    l.stage1_input_bits = 47;  // VT-d 3.6: addresses are canonical; the lower half of 48
    l.output_bits = dmar_.address_bits();
    l.pasid_bits = pasid_bits_;
    l.hole_base = interrupt_window;
    l.hole_pages = 0x100;
    return l;
}

bool Vtd::find(const WdmDeviceIdentity& device, InputIds& ids) const
{
    ids = {0, 1, device.requester_id};
    return dmar_.covers(unit_, device);
}

// --- contexts

bool Vtd::create_context(Context& context)
{
    if (context.kind == Context::Kind::PassThrough) {
        return true;
    }
    context.stage1 = context.kind == Context::Kind::ManagedStage1;
    if (!domains_.take(context.tag)) {
        return false;
    }
    if (context.kind == Context::Kind::CallerOwned) {
        return true;
    }
    const auto& format = context.stage1 ? vtd_first_stage : vtd_second_stage;
    if (!context.table.create(platform_, format, context.stage1 ? 47 : input_bits_)) {
        domains_.give_back(context.tag);
        context.tag = 0;
        return false;
    }
    return true;
}

void Vtd::destroy_context(Context& context)
{
    if (context.tag == 0) {
        return;
    }
    if (!mutant(Mutant::TagReusedDirty)) {
        invalidate(context);
    }
    context.table.destroy();
    if (!mutant(Mutant::TagLeaked)) {
        domains_.give_back(context.tag);
    }
    context.tag = 0;
}

// --- tables

// Two pages a bus: legacy entries take one, scalable entries both.
bool Vtd::context_table(unsigned bus)
{
    auto* entry = root_ + bus * 2;
    if ((entry[0] & 1) != 0) {
        return true;
    }
    std::uint64_t physical = 0;
    if (platform_.pages(2, physical) == nullptr) {
        return false;
    }
    if (scalable_) {
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
    return true;
}

std::uint64_t* Vtd::context_entry(std::uint32_t id) const
{
    auto* table = platform_.at(root_[(id >> 8) * 2] & ~0xfffull);
    return table + std::uint64_t{id & 0xff} * (scalable_ ? 4 : 2);
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

void Vtd::point_context(std::uint32_t id, const PasidTables& tables)
{
    const auto value = ScalableContextEntry{}
                           .with(ScalableContextEntry::P, true)
                           .with(ScalableContextEntry::PASIDE, tables.bits != 0)
                           .with(ScalableContextEntry::PASIDDIRPTR, Gpa{tables.physical});
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

// --- sources

Vtd::Source* Vtd::source(StreamRef ref) const
{
    auto* s = sources_;
    while (s != nullptr && s->id != ref.id) {
        s = s->next;
    }
    return s;
}

bool Vtd::replace_pasid_tables(Source& s, unsigned bits)
{
    PasidTables wider{};
    if (!make_pasid_tables(wider, bits)) {
        return false;
    }
    auto* tagged =
        static_cast<const Context**>(platform_.allocate(sizeof(void*) << bits));
    if (tagged == nullptr) {
        platform_.release_pages(wider.directory, wider.pages);
        return false;
    }
    const auto old = s.pasids;
    if (old.directory != nullptr) {
        __builtin_memcpy(wider.directory + page_size / 8, old.directory + page_size / 8,
                         sizeof(PasidTableEntry) << old.bits);
    }
    s.pasids = wider;
    point_context(s.id, wider);
    if (old.directory != nullptr) {
        platform_.release_pages(old.directory, old.pages);
        platform_.release(s.tagged, sizeof(void*) << old.bits);
    }
    s.tagged = tagged;
    return true;
}

bool Vtd::prepare(StreamRef ref, unsigned pasid_bits)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(ref);
    if (s != nullptr) {
        return !scalable_ || pasid_bits <= s->pasids.bits ||
               replace_pasid_tables(*s, pasid_bits);
    }
    s = context_table(ref.id >> 8) ? platform_.make<Source>() : nullptr;
    if (s == nullptr) {
        return false;
    }
    s->id = ref.id;
    // Until it is bound it may do what it could before.
    if (scalable_ && !replace_pasid_tables(*s, pasid_bits)) {
        platform_.destroy(s);
        return false;
    }
    s->next = sources_;
    sources_ = s;
    return true;
}

void Vtd::forget(StreamRef ref, Unattached then)
{
    const Guard guard(platform_, source_lock_);
    auto** at = &sources_;
    while (*at != nullptr && (*at)->id != ref.id) {
        at = &(*at)->next;
    }
    auto* s = *at;
    if (s == nullptr) {
        return;
    }
    *at = s->next;
    if (scalable_) {
        if (then == Unattached::Identity) {
            point_context(s->id, identity_);
        } else {
            store(context_entry(s->id), 0);
            forget_contexts(s->id);
        }
        platform_.release_pages(s->pasids.directory, s->pasids.pages);
        platform_.release(s->tagged, sizeof(void*) << s->pasids.bits);
    } else {
        write_legacy(s->id, legacy_entry(nullptr, then));
    }
    platform_.destroy(s);
}

// VT-d 9.3 "Context Entry".
ContextEntry Vtd::legacy_entry(const Context* c, Unattached otherwise) const
{
    const bool through = c == nullptr ? otherwise == Unattached::Identity
                                      : c->kind == Context::Kind::PassThrough;
    const auto entry = ContextEntry{}
                           .with(ContextEntry::P, true)
                           .with(ContextEntry::AW, width(input_bits_));
    if (through || (mutant(Mutant::UnconfiguredPasses) && c != nullptr &&
                    c->kind == Context::Kind::CallerOwned)) {
        return entry.with(ContextEntry::TT, TranslationType::PassThrough)
            .with(ContextEntry::DID, DomainId{pass_through_});
    }
    if (c == nullptr || c->kind == Context::Kind::CallerOwned) {
        return ContextEntry{};
    }
    return entry.with(ContextEntry::SSPTPTR, Gpa{c->table.root()})
        .with(ContextEntry::DID, DomainId{c->tag});
}

// VT-d 9.6 "Scalable-Mode PASID Table Entry".
PasidTableEntry Vtd::pasid_entry(const Context* c, Unattached otherwise,
                                 bool report_faults) const
{
    const bool through = c == nullptr ? otherwise == Unattached::Identity
                                      : c->kind == Context::Kind::PassThrough;
    const auto entry = PasidTableEntry{}
                           .with(PasidTableEntry::P, true)
                           .with(PasidTableEntry::FPD, !report_faults)
                           .with(PasidTableEntry::AW, width(input_bits_));
    if (through || (mutant(Mutant::UnconfiguredPasses) && c != nullptr &&
                    c->kind == Context::Kind::CallerOwned)) {
        return entry.with(PasidTableEntry::PGTT, Pgtt::PassThrough)
            .with(PasidTableEntry::DID, DomainId{pass_through_});
    }
    if (c == nullptr || c->kind == Context::Kind::CallerOwned) {
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

void Vtd::write_pasid(std::uint32_t, const PasidTables& tables, std::uint32_t pasid,
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

void Vtd::set_untagged(Source& s, Unattached otherwise)
{
    if (scalable_) {
        write_pasid(s.id, s.pasids, 0, pasid_entry(s.bound, otherwise, true));
    } else {
        write_legacy(s.id, legacy_entry(s.bound, otherwise));
    }
}

void Vtd::bind(StreamRef ref, const Context& context)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(ref);
    s->bound = &context;
    set_untagged(*s, Unattached::Blocked);
}

void Vtd::unbind(StreamRef ref, Unattached then)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(ref);
    s->bound = nullptr;
    set_untagged(*s, then);
}

void Vtd::bind_pasid(StreamRef ref, std::uint32_t pasid, const Context& context,
                     bool report_faults)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(ref);
    if (pasid >= 1u << s->pasids.bits) {
        return;
    }
    s->tagged[pasid] = &context;
    s->highest = pasid > s->highest ? pasid : s->highest;
    write_pasid(s->id, s->pasids, pasid,
                pasid_entry(&context, Unattached::Blocked, report_faults));
}

void Vtd::unbind_pasid(StreamRef ref, std::uint32_t pasid)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(ref);
    s->tagged[pasid] = nullptr;
    write_pasid(s->id, s->pasids, pasid, PasidTableEntry{});
}

// --- invalidation

// The PASIDs under which first-stage entries of the context may be cached.
template <typename Visit>
void Vtd::pasids_of(const Context& context, Visit visit) const
{
    for (const auto* s = sources_; s != nullptr; s = s->next) {
        if (s->bound == &context) {
            visit(0u);
        }
        for (std::uint32_t i = 1; i <= s->highest; ++i) {
            if (s->tagged[i] == &context) {
                visit(i);
            }
        }
    }
}

void Vtd::invalidate(const Context& context)
{
    if (context.tag == 0) {
        return;
    }
    if (context.stage1) {
        invalidate_first_stage(context);
        return;
    }
    // FlushDomain comes here at HIGH_LEVEL: no lock but the queue's.
    InvalidationQueue::Batch batch(queue_);
    batch.add(DescriptorType::Iotlb,
              IotlbDescriptor{}
                  .with(IotlbDescriptor::G, IotlbGranularity::Domain)
                  .with(IotlbDescriptor::DID, DomainId{context.tag}));
}

void Vtd::invalidate_first_stage(const Context& context)
{
    const Guard guard(platform_, source_lock_);
    InvalidationQueue::Batch batch(queue_);
    pasids_of(context, [&](std::uint32_t pasid) {
        batch.add(DescriptorType::PasidIotlb,
                  PasidIotlbDescriptor{}
                      .with(PasidIotlbDescriptor::G, PasidIotlbGranularity::Pasid)
                      .with(PasidIotlbDescriptor::DID, DomainId{context.tag})
                      .with(PasidIotlbDescriptor::PASID, Pasid{pasid}));
    });
}

// VT-d 6.5.2.3, 6.5.2.4: 2^AM pages, aligned to themselves.
template <typename Visit>
void Vtd::in_blocks(std::uint64_t first_page, std::uint64_t pages, Visit visit) const
{
    while (pages != 0) {
        unsigned mask = 0;
        while (mask < largest_mask_ && (first_page & ((2ull << mask) - 1)) == 0 &&
               (2ull << mask) <= pages) {
            ++mask;
        }
        visit(Iova{first_page * page_size}, mask);
        first_page += 1ull << mask;
        pages -= 1ull << mask;
    }
}

void Vtd::invalidate(const Context& context, std::uint64_t first_page,
                     std::uint64_t pages, Depth depth)
{
    constexpr std::uint64_t many = 1u << 15;
    if (pages > many) {
        invalidate(context);
        return;
    }
    auto tag = context.tag;
    if (mutant(Mutant::FlushWrongTag)) {
        ++tag;
    }
    if (!context.stage1) {
        InvalidationQueue::Batch batch(queue_);
        in_blocks(first_page, pages, [&](Iova address, unsigned mask) {
            batch.add(DescriptorType::Iotlb,
                      IotlbDescriptor{}
                          .with(IotlbDescriptor::G, IotlbGranularity::Page)
                          .with(IotlbDescriptor::DID, DomainId{tag})
                          .with(IotlbDescriptor::IH, depth == Depth::Leaf)
                          .with(IotlbDescriptor::AM, mask)
                          .with(IotlbDescriptor::ADDR, address));
        });
        return;
    }
    const Guard guard(platform_, source_lock_);
    InvalidationQueue::Batch batch(queue_);
    in_blocks(first_page, pages, [&](Iova address, unsigned mask) {
        pasids_of(context, [&](std::uint32_t pasid) {
            batch.add(
                DescriptorType::PasidIotlb,
                PasidIotlbDescriptor{}
                    .with(PasidIotlbDescriptor::G, PasidIotlbGranularity::PageInPasid)
                    .with(PasidIotlbDescriptor::DID, DomainId{tag})
                    .with(PasidIotlbDescriptor::PASID, Pasid{pasid})
                    .with(PasidIotlbDescriptor::IH, depth == Depth::Leaf)
                    .with(PasidIotlbDescriptor::AM, mask)
                    .with(PasidIotlbDescriptor::ADDR, address));
        });
    });
}

}  // namespace iommu::driver
