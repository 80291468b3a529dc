// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/verify/smmuv3_watch.hpp"

#include "hw/iommu/smmuv3/device.hpp"
#include "hw/iommu/smmuv3/spec/cd.hpp"
#include "hw/iommu/smmuv3/spec/registers.hpp"
#include "hw/iommu/smmuv3/spec/ste.hpp"

namespace iommu::verify {

using namespace smmu;

namespace {

constexpr auto translation = static_cast<std::uint8_t>(Cached::Translation);
constexpr auto configuration = static_cast<std::uint8_t>(Cached::Configuration);

Capabilities without_cache(Capabilities built)
{
    built.ssid_bits = built.stage1 ? built.ssid_bits : 0;
    built.tlb = false;
    return built;
}

template <typename Layout>
Layout as(const Command& command)
{
    Layout out{};
    out.dword = command.dword;
    return out;
}

template <typename Layout>
Layout structure(const std::uint64_t* words)
{
    Layout out{};
    std::copy_n(words, out.dword.size(), out.dword.begin());
    return out;
}

constexpr unsigned ste_words = 8;

bool has_stage1(const Ste& ste)
{
    return (static_cast<unsigned>(ste[Ste::Config]) & 5) == 5;
}
bool has_stage2(const Ste& ste)
{
    return (static_cast<unsigned>(ste[Ste::Config]) & 6) == 6;
}

bool about_structures(EventId id)
{
    switch (id) {
    case EventId::F_TRANSLATION:
    case EventId::F_ADDR_SIZE:
    case EventId::F_ACCESS:
    case EventId::F_PERMISSION:
    case EventId::F_WALK_EABT:
        return false;
    default:
        return true;
    }
}

}  // namespace

SmmuWatch::SmmuWatch(Smmuv3& device, const Capabilities& built, bool verifies,
                     Listener listener)
    : Watch(device, verifies, listener), smmu_(device), built_(without_cache(built)),
      memory_(peek_, GuestMemory::Updates::Pretended), engine_(built_, memory_)
{
    smmu_.observe(this);
}

SmmuWatch::~SmmuWatch()
{
    smmu_.observe(nullptr);
}

const Watch::Rules& SmmuWatch::rules() const
{
    static constexpr Rules rules{Rule::SmmuStaleTlb, Rule::SmmuStaleConfig,
                                 Rule::SmmuNoSync,   Rule::SmmuTagShared,
                                 Rule::SmmuScope,    true};
    return rules;
}

// --- what memory says

Fresh SmmuWatch::ask(std::uint32_t id, const Transaction& access)
{
    auto& entry = entries_[id];
    if (!entry) {
        entry = std::make_unique<StreamEntry>(StreamId{id});
    }
    engine_.invalidate_ste(StreamId{id}, true);
    const auto outcome = engine_.translate(*entry, access);

    Fresh fresh;
    fresh.known = true;
    fresh.granted = outcome.kind != Outcome::Kind::Aborted;
    fresh.output = outcome.translation.output.value;
    fresh.mask = outcome.translation.mask;
    fresh.read = outcome.translation.read;
    fresh.write = outcome.translation.write;
    fresh.subject.requester = id;
    fresh.subject.substream =
        access.substream.present ? access.substream.value : Subject::none;
    if (outcome.record) {
        fresh.reason = static_cast<std::uint64_t>(outcome.record->id);
    }
    read_structures(fresh);
    // A failure of the structures themselves is never cached (SMMU 5.2.1, 5.4.1).
    fresh.config_good =
        fresh.config_good && !(outcome.record && about_structures(outcome.record->id));
    fresh.translates = fresh.translates && fresh.config_good;
    return fresh;
}

// STE and CD are the only reads of eight doublewords; descriptors are of one.
void SmmuWatch::read_structures(Fresh& fresh) const
{
    unsigned structures = 0;
    for (const auto& note : peek_.notes()) {
        if (note.words == ste_words && structures < 2) {
            std::copy(note.word.begin(), note.word.end(),
                      fresh.config.begin() + structures * ste_words);
            ++structures;
        }
    }
    if (structures == 0) {
        return;
    }
    fresh.config_good = true;
    const auto ste = structure<Ste>(fresh.config.data());
    fresh.subject.domain =
        built_.stage2 ? static_cast<std::uint32_t>(ste[Ste::S2VMID]) : 0;
    if (has_stage2(ste)) {
        fresh.translates = true;
        fresh.subject.nested = structures == 2;
        fresh.roots = ste[Ste::S2TTB].value;
    }
    if (structures == 2 && has_stage1(ste)) {
        const auto cd = structure<Cd>(fresh.config.data() + ste_words);
        fresh.translates = true;
        fresh.subject.space = static_cast<std::uint32_t>(cd[Cd::ASID]);
        fresh.roots ^= cd[Cd::TTB0].value * 3 ^ cd[Cd::TTB1].value * 5;
    }
    const auto& last = peek_.notes().back();
    if (last.words == 1) {
        fresh.leaf_at = last.at.value;
        fresh.leaf = last.word[0];
    }
}

void SmmuWatch::judge(const Fresh& fresh, const Transaction&)
{
    const auto ste = structure<Ste>(fresh.config.data());
    const auto cd = structure<Cd>(fresh.config.data() + ste_words);
    const auto reason = static_cast<EventId>(fresh.reason);
    const auto facts = [&](const char* what, unsigned first) {
        return std::vector<Fact>{{"requester", fresh.subject.requester},
                                 {"substream", fresh.subject.substream},
                                 {what, fresh.config[first]},
                                 {"doubleword-1", fresh.config[first + 1]},
                                 {"doubleword-2", fresh.config[first + 2]},
                                 {"doubleword-3", fresh.config[first + 3]},
                                 {"event", fresh.reason}};
    };
    if (reason == EventId::C_BAD_STE && ste[Ste::V]) {
        found(Rule::SmmuInconsistent, fresh.subject.requester, facts("ste", 0));
    } else if (ste[Ste::V] && has_stage1(ste) && ste[Ste::STRW] != 0) {
        // IDR0.Hyp == 0: it is not refused but ignored (SMMU 5.2.2 IgnoreSTESTRW), and a
        // driver that means EL2's world is wrong about every TLBI it sends.
        found(Rule::SmmuInconsistent, std::uint64_t{1} << 62 | fresh.subject.requester,
              facts("ste", 0));
    } else if (reason == EventId::C_BAD_CD && cd[Cd::V]) {
        found(Rule::SmmuInconsistent,
              std::uint64_t{1} << 63 | fresh.subject.requester |
                  std::uint64_t{fresh.subject.substream} << 32,
              facts("cd", ste_words));
    }
    if (ste[Ste::V] && ste.res0_violated()) {
        found(Rule::SmmuReserved, fresh.subject.requester, facts("ste", 0));
    } else if (ste[Ste::V] && has_stage1(ste) && cd[Cd::V] && cd.res0_violated()) {
        found(Rule::SmmuReserved,
              std::uint64_t{1} << 63 | fresh.subject.requester |
                  std::uint64_t{fresh.subject.substream} << 32,
              facts("cd", ste_words));
    }
}

// --- what software does

void SmmuWatch::configured(const Settings& settings)
{
    const Guard guard(lock_);
    auto all = settings;
    all.record_bad_stream_id = true;
    engine_.configure(all);
    Watch::configured();
}

// Tags of what is announced, so that they are known although no access came yet.
void SmmuWatch::learn(std::uint32_t id, Substream substream)
{
    peek_.begin();
    const auto fresh = ask(id, {.substream = substream});
    if (fresh.config_good) {
        note_used(fresh.subject);
    }
}

void SmmuWatch::consumed(const Command& command)
{
    const Guard guard(lock_);
    note_command(command.dword);
    switch (command[Command::opcode]) {
    case Opcode::CMD_SYNC:
        completed();
        return;
    case Opcode::CMD_CFGI_STE:
    case Opcode::CMD_CFGI_STE_RANGE:
    case Opcode::CMD_CFGI_CD:
    case Opcode::CMD_CFGI_CD_ALL:
        consumed_configuration(command);
        return;
    default:
        consumed_translation(command);
        return;
    }
}

void SmmuWatch::consumed_configuration(const Command& command)
{
    Invalidation what;
    what.words = command.dword;
    what.what = configuration;
    const auto cd = as<CfgiCd>(command);
    const auto id = static_cast<std::uint32_t>(cd[CfgiCd::StreamID]);
    what.first_requester = what.last_requester = id;
    switch (command[Command::opcode]) {
    case Opcode::CMD_CFGI_STE:
        what.name = "CMD_CFGI_STE";
        break;
    case Opcode::CMD_CFGI_CD_ALL:
        what.name = "CMD_CFGI_CD_ALL";
        break;
    case Opcode::CMD_CFGI_CD:
        what.name = "CMD_CFGI_CD";
        what.substream = static_cast<std::uint32_t>(cd[CfgiCd::SubstreamID]);
        break;
    default: {
        what.name = "CMD_CFGI_STE_RANGE";
        const unsigned log2 = as<CfgiSteRange>(command)[CfgiSteRange::Range] + 1;
        what.first_requester = log2 > 31 ? 0 : id >> log2 << log2;
        what.last_requester =
            log2 > 31 ? Invalidation::any : what.first_requester + ((1u << log2) - 1);
    }
    }
    invalidated(what);
    if (verifies() && what.first_requester == what.last_requester) {
        const bool substream = what.substream != Invalidation::any && what.substream != 0;
        learn(id, {substream ? what.substream : 0, substream});
    }
}

// SMMU 4.4: what a TLBI names.
void SmmuWatch::consumed_translation(const Command& command)
{
    const auto tlbi = as<Tlbi>(command);
    Invalidation what;
    what.words = command.dword;
    what.what = translation;
    what.domain = built_.stage2 ? static_cast<std::uint32_t>(tlbi[Tlbi::VMID]) : 0;
    const auto range = [&](std::uint64_t mask) {
        const auto address = tlbi[Tlbi::Address] << 12 & mask;
        const auto tg = static_cast<unsigned>(tlbi[Tlbi::TG]);
        what.first = address;
        what.last = address | 0xfff;
        if (tg != 0) {
            const auto granule = std::uint64_t{1} << (10 + 2 * tg);
            const auto count = (std::uint64_t{tlbi[Tlbi::NUM]} + 1) << tlbi[Tlbi::SCALE];
            what.first = address & ~(granule - 1);
            const auto bytes = count * granule;
            what.last = what.first > ~bytes ? ~std::uint64_t{0} : what.first + bytes - 1;
        }
    };
    switch (command[Command::opcode]) {
    case Opcode::CMD_TLBI_NSNH_ALL:
        what.name = "CMD_TLBI_NSNH_ALL";
        what.domain = Invalidation::any;
        break;
    case Opcode::CMD_TLBI_NH_ALL:
        what.name = "CMD_TLBI_NH_ALL";
        break;
    case Opcode::CMD_TLBI_S12_VMALL:
        what.name = "CMD_TLBI_S12_VMALL";
        break;
    case Opcode::CMD_TLBI_NH_ASID:
        what.name = "CMD_TLBI_NH_ASID";
        what.space = static_cast<std::uint32_t>(tlbi[Tlbi::ASID]);
        break;
    case Opcode::CMD_TLBI_NH_VA:
        what.name = "CMD_TLBI_NH_VA";
        what.space = static_cast<std::uint32_t>(tlbi[Tlbi::ASID]);
        range(~0ull);
        break;
    case Opcode::CMD_TLBI_NH_VAA:
        what.name = "CMD_TLBI_NH_VAA";
        range(~0ull);
        break;
    case Opcode::CMD_TLBI_S2_IPA:
        what.name = "CMD_TLBI_S2_IPA";
        what.space = Subject::none;
        range((std::uint64_t{1} << 52) - 1);
        break;
    default:
        return;
    }
    invalidated(what);
}

// SMMU 6.3: which writes are ignored, by what is enabled; and the bits nobody may set.
void SmmuWatch::writes_register(std::uint32_t offset, std::uint32_t value,
                                const Enables& now)
{
    if (!verifies()) {
        return;
    }
    const auto cr0 = from_raw<Cr0>(now.cr0);
    const auto irqs = from_raw<IrqCtrl>(now.irq_ctrl);
    const auto within = [&](std::uint32_t first, std::uint32_t bytes) {
        return offset - first < bytes;
    };
    struct Reserved {
        std::uint32_t at;
        std::uint64_t bits;
    };
    constexpr Reserved reserved[] = {
        {Cr0::offset, Cr0::layout[0]},
        {Cr1::offset, Cr1::layout[0]},
        {Cr2::offset, Cr2::layout[0]},
        {Gbpa::offset, Gbpa::layout[0]},
        {IrqCtrl::offset, IrqCtrl::layout[0]},
        {Gerror::ack_offset, Gerror::layout[0]},
        {StrtabBase::offset, StrtabBase::layout[0]},
        {StrtabBase::offset + 4, StrtabBase::layout[0] >> 32},
        {StrtabBaseCfg::offset, StrtabBaseCfg::layout[0]},
        {QueueBase::cmdq_offset, QueueBase::layout[0]},
        {QueueBase::cmdq_offset + 4, QueueBase::layout[0] >> 32},
        {QueueBase::eventq_offset, QueueBase::layout[0]},
        {QueueBase::eventq_offset + 4, QueueBase::layout[0] >> 32},
    };
    const bool stream_table = within(StrtabBase::offset, 12) || offset == Cr2::offset;
    const bool command_queue =
        within(QueueBase::cmdq_offset, 8) || offset == CmdqCons::offset;
    const bool event_queue =
        within(QueueBase::eventq_offset, 8) || offset == EventqProd::offset;
    const bool ignored =
        (stream_table && cr0[Cr0::SMMUEN]) || (command_queue && cr0[Cr0::CMDQEN]) ||
        (event_queue && cr0[Cr0::EVENTQEN]) ||
        (within(IrqCfg0::gerror_offset, 16) && irqs[IrqCtrl::GERROR_IRQEN]) ||
        (within(IrqCfg0::eventq_offset, 16) && irqs[IrqCtrl::EVENTQ_IRQEN]) ||
        (offset == Gbpa::offset && !from_raw<Gbpa>(value)[Gbpa::Update]);
    const Guard guard(lock_);
    if (ignored) {
        found(Rule::SmmuRegisterState, offset,
              {{"register", offset},
               {"value", value},
               {"CR0", now.cr0},
               {"IRQ_CTRL", now.irq_ctrl}});
    }
    for (const auto& r : reserved) {
        if (offset == r.at && (value & static_cast<std::uint32_t>(r.bits)) != 0) {
            found(Rule::SmmuRegisterReserved, offset,
                  {{"register", offset},
                   {"value", value},
                   {"reserved", value & static_cast<std::uint32_t>(r.bits)}});
        }
    }
}

void SmmuWatch::refused(const Fault& fault, const std::array<std::uint64_t, 4>& words)
{
    note_fault(Of::Access, words, static_cast<std::uint32_t>(fault.id),
               static_cast<std::uint32_t>(fault.stream));
}

}  // namespace iommu::verify
