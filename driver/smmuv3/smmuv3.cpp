// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/smmuv3/smmuv3.hpp"

#include "driver/mutant.hpp"
#include "hw/iommu/smmuv3/spec/registers.hpp"

namespace iommu::driver {

using namespace smmu;

namespace {

constexpr unsigned log2_events = 7;
constexpr std::size_t event_bytes = 32;
// SMMU 6.1 "Memory map": EVENTQ_PROD and EVENTQ_CONS are in page 1.
constexpr std::uint64_t page1 = 0x10000;

constexpr unsigned max_linear_bits = 20;

// SMMU 6.3.6 SMMU_IDR5.OAS.
constexpr unsigned oas_bits_of(unsigned code)
{
    constexpr unsigned bits[] = {32, 36, 40, 42, 44, 48, 52};
    return code < 7 ? bits[code] : 48;
}

void service(void* argument)
{
    static_cast<Smmuv3*>(argument)->drain_events();
}

}  // namespace

// --- taking the unit over

bool Smmuv3::usable()
{
    const auto idr0 = from_raw<Idr0>(platform_.read32(smmu_.base + Idr0::offset));
    const auto idr1 = from_raw<Idr1>(platform_.read32(smmu_.base + Idr1::offset));
    const auto idr3 = from_raw<Idr3>(platform_.read32(smmu_.base + Idr3::offset));
    const auto idr5 = from_raw<Idr5>(platform_.read32(smmu_.base + Idr5::offset));
    stage1_ = idr0[Idr0::S1P];
    stage2_ = idr0[Idr0::S2P];
    asid_bits_ = idr0[Idr0::ASID16] ? 16 : 8;
    vmid_bits_ = idr0[Idr0::VMID16] ? 16 : 8;
    range_invalidation_ = idr3[Idr3::RIL];
    bbml_ = static_cast<unsigned>(idr3[Idr3::BBML]);
    oas_code_ = static_cast<unsigned>(idr5[Idr5::OAS]);
    oas_bits_ = oas_bits_of(oas_code_);
    if (oas_bits_ > 48) {  // 52 bits take 64 KiB granules or DS
        oas_bits_ = 48;
        oas_code_ = 5;
    }
    const auto ssid = static_cast<unsigned>(idr1[Idr1::SSIDSIZE]);
    ssid_bits_ = ssid > 10 ? 10 : ssid;
    sid_bits_ = static_cast<unsigned>(idr1[Idr1::SIDSIZE]);
    const bool aarch64 = (idr0[Idr0::TTF] & 0b10) != 0;
    return aarch64 && idr5[Idr5::GRAN4K] && (stage1_ || stage2_);
}

bool Smmuv3::allocate_queues()
{
    const auto wanted = iort_.stream_count(smmu_);
    while (log2_streams_ < sid_bits_ && (std::uint64_t{1} << log2_streams_) < wanted) {
        ++log2_streams_;
    }
    // Not implemented: two-level stream tables, so a machine of more StreamIDs than this.
    if (log2_streams_ > max_linear_bits) {
        return false;
    }
    const auto ste_pages = ((sizeof(Ste) << log2_streams_) + page_size - 1) / page_size;
    stes_ = platform_.pages(ste_pages, stes_physical_);
    events_ = platform_.pages((event_bytes << log2_events) / page_size, events_physical_);
    return stes_ != nullptr && events_ != nullptr && commands_.allocate(platform_) &&
           asids_.create(platform_, asid_bits_) && vmids_.create(platform_, vmid_bits_);
}

bool Smmuv3::start(const Platform& platform, FaultSink& sink)
{
    platform_ = platform;
    sink_ = &sink;
    std::size_t size = 0;
    const auto* table = platform_.table("IORT", size);
    if (!iort_.open(table, size) || !iort_.find_smmu(smmu_) || !usable()) {
        return false;
    }
    if (!allocate_queues()) {
        stop();
        return false;
    }
    const auto policy = platform_.policy();
    const auto config = policy.dma_guard ? SteConfig::Abort : SteConfig::Bypass;
    const auto ste =
        Ste{}.with(Ste::V, true).with(Ste::Config, config).with(Ste::SHCFG, 1);
    for (std::uint64_t i = 0; i < std::uint64_t{1} << log2_streams_; ++i) {
        stes_[i * 8] = ste.dword[0];
        stes_[i * 8 + 1] = ste.dword[1];
    }
    const auto& p = platform_.raw();
    p.connect_wired(p.context, smmu_.event_gsiv, service, this);
    program();
    return true;
}

// SMMU 6.3.9.6 "SMMUEN": CR0 takes effect when CR0ACK says so.
void Smmuv3::set_cr0(std::uint32_t value)
{
    platform_.write32(smmu_.base + Cr0::offset, value);
    while (platform_.read32(smmu_.base + Cr0::ack_offset) != value) {
        platform_.pause();
    }
}

// SMMU 3.11 "Reset, Enable and initialization".
void Smmuv3::program()
{
    const auto base = smmu_.base;
    set_cr0(0);
    const auto cr1 = Cr1{}
                         .with(Cr1::QUEUE_IC, 1)
                         .with(Cr1::QUEUE_OC, 1)
                         .with(Cr1::QUEUE_SH, 3)
                         .with(Cr1::TABLE_IC, 1)
                         .with(Cr1::TABLE_OC, 1)
                         .with(Cr1::TABLE_SH, 3);
    platform_.write32(base + Cr1::offset, static_cast<std::uint32_t>(cr1.dword[0]));
    const auto cr2 = Cr2{}.with(Cr2::RECINVSID, true).with(Cr2::PTM, true);
    platform_.write32(base + Cr2::offset, static_cast<std::uint32_t>(cr2.dword[0]));
    const auto strtab = StrtabBase{}
                            .with(StrtabBase::ADDR, Gpa{stes_physical_})
                            .with(StrtabBase::RA, true);
    platform_.write64(base + StrtabBase::offset, strtab.dword[0]);
    const auto cfg = StrtabBaseCfg{}.with(StrtabBaseCfg::LOG2SIZE, log2_streams_);
    platform_.write32(base + StrtabBaseCfg::offset,
                      static_cast<std::uint32_t>(cfg.dword[0]));
    commands_.program(base);
    const auto queue = QueueBase{}
                           .with(QueueBase::RA, true)
                           .with(QueueBase::ADDR, Gpa{events_physical_})
                           .with(QueueBase::LOG2SIZE, log2_events);
    platform_.write64(base + QueueBase::eventq_offset, queue.dword[0]);
    platform_.write32(base + page1 + EventqProd::offset, 0);
    platform_.write32(base + page1 + EventqCons::offset, 0);

    auto cr0 = Cr0{}.with(Cr0::CMDQEN, true);
    set_cr0(static_cast<std::uint32_t>(cr0.dword[0]));
    commands_.issue(CfgiSteRange{}
                        .with(CfgiSteRange::opcode, Opcode::CMD_CFGI_STE_RANGE)
                        .with(CfgiSteRange::Range, 31),
                    Tlbi{}.with(Tlbi::opcode, Opcode::CMD_TLBI_NSNH_ALL));
    cr0 = cr0.with(Cr0::EVENTQEN, true);
    set_cr0(static_cast<std::uint32_t>(cr0.dword[0]));
    const auto irqs =
        IrqCtrl{}.with(IrqCtrl::EVENTQ_IRQEN, true).with(IrqCtrl::GERROR_IRQEN, true);
    platform_.write32(base + IrqCtrl::offset, static_cast<std::uint32_t>(irqs.dword[0]));
    set_cr0(static_cast<std::uint32_t>(cr0.with(Cr0::SMMUEN, true).dword[0]));
}

void Smmuv3::stop()
{
    if (stes_ != nullptr && events_ != nullptr) {
        set_cr0(0);
        platform_.write32(smmu_.base + IrqCtrl::offset, 0);
    }
    while (streams_ != nullptr) {
        auto* s = streams_;
        streams_ = s->next;
        platform_.release_pages(s->cds, s->pages());
        platform_.destroy(s);
    }
    if (stes_ != nullptr) {
        platform_.release_pages(stes_, ((sizeof(Ste) << log2_streams_) + page_size - 1) /
                                           page_size);
        stes_ = nullptr;
    }
    if (events_ != nullptr) {
        platform_.release_pages(events_, (event_bytes << log2_events) / page_size);
        events_ = nullptr;
    }
    commands_.release();
    asids_.destroy();
    vmids_.destroy();
}

HardwareLimits Smmuv3::limits() const
{
    HardwareLimits l{};
    l.stage1 = stage1_;
    l.managed_stage1 = !stage2_;
    l.arm_tables = stage1_;
    l.write_only = stage2_;
    l.live_split = bbml_ == 2;  // SMMU 3.21.1.1: level 2 needs no break before make
    // SMMU 3.4.1: stage 2's input is no wider than the output.
    l.input_bits = stage2_ ? oas_bits_ : 48;
    l.stage1_input_bits = 48;
    l.output_bits = oas_bits_;
    l.pasid_bits = stage1_ ? ssid_bits_ : 0;
    return l;
}

bool Smmuv3::find(const WdmDeviceIdentity& device, InputIds& ids) const
{
    return iort_.find_device(smmu_, device, ids) &&
           std::uint64_t{ids.stream} + ids.count <= std::uint64_t{1} << log2_streams_;
}

// --- contexts

bool Smmuv3::create_context(Context& context)
{
    if (context.kind == Context::Kind::PassThrough) {
        return true;
    }
    context.stage1 = context.kind != Context::Kind::Managed || !stage2_;
    if (!(context.stage1 ? asids_ : vmids_).take(context.tag)) {
        return false;
    }
    if (context.kind == Context::Kind::CallerOwned) {
        return true;
    }
    const auto& format = context.stage1 ? arm_stage1 : arm_stage2;
    const auto l = limits();
    const auto bits = context.stage1 ? l.stage1_input_bits : l.input_bits;
    if (!context.table.create(platform_, format, bits)) {
        (context.stage1 ? asids_ : vmids_).give_back(context.tag);
        context.tag = 0;
        return false;
    }
    return true;
}

void Smmuv3::destroy_context(Context& context)
{
    if (context.tag == 0) {
        return;
    }
    // The tag's next owner must not inherit what is cached under it.
    if (!mutant(Mutant::TagReusedDirty)) {
        invalidate(context);
    }
    context.table.destroy();
    if (!mutant(Mutant::TagLeaked)) {
        (context.stage1 ? asids_ : vmids_).give_back(context.tag);
    }
    context.tag = 0;
}

// --- streams

Smmuv3::Stream* Smmuv3::stream(StreamRef ref) const
{
    auto* s = streams_;
    while (s != nullptr && s->id != ref.id) {
        s = s->next;
    }
    return s;
}

bool Smmuv3::prepare(StreamRef ref, unsigned pasid_bits)
{
    const Guard guard(platform_, stream_lock_);
    if (auto* known = stream(ref); known != nullptr) {
        return pasid_bits <= known->pasid_bits || grow(*known, pasid_bits);
    }
    auto* s = platform_.make<Stream>();
    if (s == nullptr) {
        return false;
    }
    s->id = ref.id;
    s->pasid_bits = pasid_bits;
    s->cds = platform_.pages(s->pages(), s->cds_physical);
    if (s->cds == nullptr) {
        platform_.destroy(s);
        return false;
    }
    s->next = streams_;
    streams_ = s;
    return true;
}

// A wider table takes the place of the narrow one.
bool Smmuv3::grow(Stream& s, unsigned pasid_bits)
{
    Stream wider = s;
    wider.pasid_bits = pasid_bits;
    wider.cds = platform_.pages(wider.pages(), wider.cds_physical);
    if (wider.cds == nullptr) {
        return false;
    }
    const auto old = s;
    __builtin_memcpy(wider.cds, s.cds, sizeof(Cd) << s.pasid_bits);
    s = wider;
    write_ste(s.id, compose(s));
    platform_.release_pages(old.cds, old.pages());
    return true;
}

void Smmuv3::forget(StreamRef ref, Unattached then)
{
    const Guard guard(platform_, stream_lock_);
    auto** at = &streams_;
    while (*at != nullptr && (*at)->id != ref.id) {
        at = &(*at)->next;
    }
    auto* s = *at;
    if (s == nullptr) {
        return;
    }
    *at = s->next;
    Stream plain{};
    plain.otherwise = then;
    write_ste(s->id, compose(plain));
    platform_.release_pages(s->cds, s->pages());
    platform_.destroy(s);
}

bool Smmuv3::translates(const Context* c)
{
    return c != nullptr && c->kind != Context::Kind::PassThrough &&
           (c->kind != Context::Kind::CallerOwned ||
            (c->caller.configured && c->caller.translate));
}

// SMMU 5.2 "Stream Table Entry".
Ste Smmuv3::compose(const Stream& s) const
{
    const auto* c = s.bound;
    const bool unconfigured =
        c != nullptr && c->kind == Context::Kind::CallerOwned && !c->caller.configured;
    const bool blocked = (c == nullptr && s.otherwise == Unattached::Blocked) ||
                         (unconfigured && !mutant(Mutant::UnconfiguredPasses));
    const bool through = !blocked && !translates(c);
    const auto ste = Ste{}.with(Ste::V, true).with(Ste::SHCFG, 1);
    if (s.pasid_bits == 0 && blocked) {
        return ste.with(Ste::Config, SteConfig::Abort);
    }
    if (s.pasid_bits == 0 && through) {
        return ste.with(Ste::Config, SteConfig::Bypass);
    }
    if (translates(c) && !c->stage1) {
        return stage2(*c);
    }
    const auto untagged = through   ? DefaultSubstream::BypassStage1
                          : blocked ? DefaultSubstream::Terminate
                                    : DefaultSubstream::Substream0;
    return ste.with(Ste::Config, SteConfig::Stage1)
        .with(Ste::S1ContextPtr, Ipa{s.cds_physical})
        .with(Ste::S1CDMax, s.pasid_bits)
        .with(Ste::S1DSS, untagged)
        .with(Ste::S1CIR, 1)
        .with(Ste::S1COR, 1)
        .with(Ste::S1CSH, 3);
}

Ste Smmuv3::stage2(const Context& c) const
{
    return Ste{}
        .with(Ste::V, true)
        .with(Ste::Config, SteConfig::Stage2)
        .with(Ste::SHCFG, 1)
        .with(Ste::S2VMID, Vmid{c.tag})
        .with(Ste::S2T0SZ, 64 - c.table.input_bits())
        .with(Ste::S2SL0, c.table.top() - 1)  // SL0 2 starts at level 0
        .with(Ste::S2IR0, 1)
        .with(Ste::S2OR0, 1)
        .with(Ste::S2SH0, 3)
        .with(Ste::S2PS, oas_code_)
        .with(Ste::S2AA64, true)
        .with(Ste::S2R, true)
        .with(Ste::S2TTB, Gpa{c.table.root()});
}

// SMMU 5.4 "Context Descriptor".
Cd Smmuv3::descriptor(const Context& c, bool report_faults) const
{
    const auto cd = Cd{}.with(Cd::V, true)
                        .with(Cd::AA64, true)
                        .with(Cd::IPS, oas_code_)
                        .with(Cd::R, report_faults)
                        .with(Cd::A, true)
                        .with(Cd::ASET, true)
                        .with(Cd::ASID, Asid{c.tag})
                        .with(Cd::TG1, 0b10);
    if (c.kind != Context::Kind::CallerOwned) {
        return cd.with(Cd::T0SZ, 64 - c.table.input_bits())
            .with(Cd::IR0, 1)
            .with(Cd::OR0, 1)
            .with(Cd::SH0, 3)
            .with(Cd::EPD1, true)
            .with(Cd::T1SZ, 16)
            .with(Cd::TTB0, Ipa{c.table.root()})
            .with(Cd::MAIR0, 0xff);
    }
    const auto& t = c.caller;
    const unsigned cacheable = t.coherent ? 1 : 0, shareable = t.coherent ? 3 : 2;
    const auto size = [&](unsigned i) {
        return t.input_size[i] == 0 ? 48u : t.input_size[i];
    };
    const auto base = [&](unsigned i) { return Ipa{t.ttb[i] & 0x0000'ffff'ffff'f000}; };
    return cd.with(Cd::T0SZ, 64 - size(0))
        .with(Cd::EPD0, t.input_size[0] == 0)
        .with(Cd::IR0, cacheable)
        .with(Cd::OR0, cacheable)
        .with(Cd::SH0, shareable)
        .with(Cd::TTB0, base(0))
        .with(Cd::T1SZ, 64 - size(1))
        .with(Cd::EPD1, t.input_size[1] == 0)
        .with(Cd::IR1, cacheable)
        .with(Cd::OR1, cacheable)
        .with(Cd::SH1, shareable)
        .with(Cd::TTB1, base(1))
        .with(Cd::MAIR0, t.mair & 0xffff'ffff)
        .with(Cd::MAIR1, t.mair >> 32);
}

// SMMU 3.21.3 "Configuration structures and configuration invalidation completion": one
// doubleword may change in place, more go through an invalid entry.
void Smmuv3::write_ste(std::uint32_t id, const Ste& value)
{
    auto* entry = stes_ + std::uint64_t{id} * 8;
    unsigned changed = 0;
    for (unsigned i = 0; i < 8; ++i) {
        changed += entry[i] != value.dword[i] ? 1 : 0;
    }
    const auto cfgi = CfgiSte{}
                          .with(CfgiSte::opcode, Opcode::CMD_CFGI_STE)
                          .with(CfgiSte::StreamID, StreamId{id})
                          .with(CfgiSte::Leaf, true);
    if (changed > 1) {
        __atomic_store_n(&entry[0], 0, __ATOMIC_RELEASE);
        if (!mutant(Mutant::NoSteInvalidation)) {
            commands_.issue(cfgi);
        }
    }
    for (unsigned i = 7; i != 0; --i) {
        __atomic_store_n(&entry[i], value.dword[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&entry[0], value.dword[0], __ATOMIC_RELEASE);
    if (!mutant(Mutant::NoSteInvalidation)) {
        commands_.issue(cfgi);
    }
}

void Smmuv3::write_cd(const Stream& s, std::uint32_t substream, const Cd& value)
{
    auto* entry = s.cds + std::uint64_t{substream} * 8;
    const auto cfgi = CfgiCd{}
                          .with(CfgiCd::opcode, Opcode::CMD_CFGI_CD)
                          .with(CfgiCd::StreamID, StreamId{s.id})
                          .with(CfgiCd::SubstreamID, SubstreamId{substream})
                          .with(CfgiCd::Leaf, true);
    if ((entry[0] & Cd::V.mask) != 0) {
        __atomic_store_n(&entry[0], 0, __ATOMIC_RELEASE);
        if (!mutant(Mutant::NoCdInvalidation)) {
            commands_.issue(cfgi);
        }
    }
    for (unsigned i = 7; i != 0; --i) {
        __atomic_store_n(&entry[i], value.dword[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&entry[0], value.dword[0], __ATOMIC_RELEASE);
    if (!mutant(Mutant::NoCdInvalidation)) {
        commands_.issue(cfgi);
    }
}

void Smmuv3::bind(StreamRef ref, const Context& context)
{
    const Guard guard(platform_, stream_lock_);
    auto* s = stream(ref);
    s->bound = &context;
    if (translates(&context) && context.stage1) {
        write_cd(*s, 0, descriptor(context, true));
    }
    write_ste(s->id, compose(*s));
}

void Smmuv3::unbind(StreamRef ref, Unattached then)
{
    const Guard guard(platform_, stream_lock_);
    auto* s = stream(ref);
    const bool had_cd = translates(s->bound) && s->bound->stage1;
    s->bound = nullptr;
    s->otherwise = then;
    write_ste(s->id, compose(*s));
    if (had_cd) {
        write_cd(*s, 0, Cd{});
    }
}

void Smmuv3::bind_pasid(StreamRef ref, std::uint32_t pasid, const Context& context,
                        bool report_faults)
{
    const Guard guard(platform_, stream_lock_);
    auto* s = stream(ref);
    if (pasid < 1u << s->pasid_bits) {
        write_cd(*s, pasid, descriptor(context, report_faults));
    }
}

void Smmuv3::unbind_pasid(StreamRef ref, std::uint32_t pasid)
{
    const Guard guard(platform_, stream_lock_);
    write_cd(*stream(ref), pasid, Cd{});
}

// --- invalidation

// SMMU 4.4.2: without stage 1 its commands are illegal.  A caller's domain, which would
// be one of that stage, cannot have been configured then.
bool Smmuv3::may_be_cached(const Context& context) const
{
    return context.tag != 0 && (!context.stage1 || stage1_);
}

// SMMU 4.4 "TLB invalidation".
void Smmuv3::invalidate(const Context& context)
{
    if (!may_be_cached(context)) {
        return;
    }
    const auto tlbi = Tlbi{};
    if (context.stage1) {
        commands_.issue(tlbi.with(Tlbi::opcode, Opcode::CMD_TLBI_NH_ASID)
                            .with(Tlbi::ASID, Asid{context.tag}));
    } else {
        commands_.issue(tlbi.with(Tlbi::opcode, Opcode::CMD_TLBI_S12_VMALL)
                            .with(Tlbi::VMID, Vmid{context.tag}));
    }
}

void Smmuv3::invalidate(const Context& context, std::uint64_t first_page,
                        std::uint64_t pages, Depth depth)
{
    constexpr std::uint64_t few = 8, many = 1u << 15;
    if (!may_be_cached(context)) {
        return;
    }
    if (pages > many || (pages > few * 16 && !range_invalidation_)) {
        invalidate(context);
        return;
    }
    auto tag = context.tag;
    if (mutant(Mutant::FlushWrongTag)) {
        ++tag;
    }
    auto tlbi = Tlbi{}.with(Tlbi::Leaf, depth == Depth::Leaf);
    tlbi =
        context.stage1
            ? tlbi.with(Tlbi::opcode, Opcode::CMD_TLBI_NH_VA).with(Tlbi::ASID, Asid{tag})
            : tlbi.with(Tlbi::opcode, Opcode::CMD_TLBI_S2_IPA)
                  .with(Tlbi::VMID, Vmid{tag});
    CommandQueue::Batch batch(commands_);
    if (pages <= few || !range_invalidation_) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            batch.add(tlbi.with(Tlbi::Address, first_page + i));
        }
        return;
    }
    // SMMU 4.4.1.1: (NUM + 1) << SCALE pages from Address.
    while (pages != 0) {
        const auto scale = static_cast<unsigned>(__builtin_ctzll(pages));
        const auto num = (pages >> scale) & 31;
        batch.add(tlbi.with(Tlbi::Address, first_page)
                      .with(Tlbi::TG, TranslationGranule::G4K)
                      .with(Tlbi::SCALE, scale)
                      .with(Tlbi::NUM, static_cast<unsigned>(num - 1)));
        first_page += num << scale;
        pages -= num << scale;
    }
}

}  // namespace iommu::driver
