// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 4 "Commands" and 7.1 "Command queue errors".
#include <algorithm>
#include <cstdio>
#include <optional>

#include "hw/iommu/smmuv3/requester.hpp"

namespace iommu::smmu {

namespace {

template <typename Layout>
Layout as(Command command)
{
    Layout out{};
    out.dword = command.dword;
    return out;
}

// Address bits above those of SMMUv3.2's IPAs are RES0: SMMU 4.1.6.
constexpr std::uint64_t ipa_mask = (std::uint64_t{1} << 52) - 1;

constexpr unsigned granule_shift(TranslationGranule tg)
{
    switch (tg) {
    case TranslationGranule::Any:
        return 0;
    case TranslationGranule::G4K:
        return 12;
    case TranslationGranule::G16K:
        return 14;
    case TranslationGranule::G64K:
        return 16;
    }
    return 0;
}

// SMMU 4.4.1.1 "Range-based invalidation and level hint".  Nothing: the reserved
// combination that names a granule and then neither a level nor a range.
std::optional<AddressRange> range_of(Tlbi tlbi, std::uint64_t address_mask)
{
    AddressRange range;
    range.address = tlbi[Tlbi::Address] << 12 & address_mask;
    range.leaf_only = tlbi[Tlbi::Leaf];
    const auto tg = tlbi[Tlbi::TG];
    if (tg == TranslationGranule::Any) {
        return range;  // NUM, SCALE and TTL are RES0 and ignored
    }
    const auto num = tlbi[Tlbi::NUM];
    const auto scale = tlbi[Tlbi::SCALE];
    auto ttl = tlbi[Tlbi::TTL];
    if (tg == TranslationGranule::G16K && ttl == 0b01) {
        ttl = 0b00;  // reserved while IDR5.DS == 0, treated as 0b00
    }
    if (num == 0 && scale == 0 && ttl == 0b00) {
        return std::nullopt;
    }
    range.count = (std::uint64_t{num} + 1) << scale;
    range.granule_shift = granule_shift(tg);
    range.level_hint = ttl;
    return range;
}

struct Span {
    Iova base{};
    std::uint64_t size = 0;  // 0: the whole address space
};

// What may have lost its mapping.  A leaf is aligned to its size and the address may lie
// anywhere in it; without a level hint nobody says how large it was.
Span span_of(const AddressRange& range)
{
    if (range.granule_shift == 0 || range.level_hint == 0) {
        return {};
    }
    // VMSA D8.2: 9, 11 or 13 bits a level.
    const unsigned leaf_shift =
        range.granule_shift + (3 - range.level_hint) * (range.granule_shift - 3);
    const auto leaf = std::uint64_t{1} << leaf_shift;
    const auto first = range.address & ~(leaf - 1);
    const auto bytes = (range.address - first) + (range.count << range.granule_shift);
    const auto size = (bytes + leaf - 1) & ~(leaf - 1);
    // SMMU 4.4.1.1: a range does not wrap.
    return {Iova{first}, first == 0 || size <= 0 - first ? size : 0 - first};
}

// Two single-copy atomic reads: SMMU 3.21.3.
Command read_in_place(const std::uint64_t* at)
{
    Command command;
    command.dword = {__atomic_load_n(at, __ATOMIC_ACQUIRE),
                     __atomic_load_n(at + 1, __ATOMIC_ACQUIRE)};
    return command;
}

}  // namespace

// SMMU 6.3.26: aligned to the larger of the queue's size and 32 bytes.
Gpa Smmuv3::command_queue_address() const
{
    const auto base = from_raw<QueueBase>(registers_.cmdq_base)[QueueBase::ADDR];
    const auto bytes = std::uint64_t{command_ring().size()} * sizeof(Command);
    return Gpa{base.value & ~(bytes - 1)};
}

// One doorbell consumes at most one queue's worth.  A command whose signal comes back to
// our own registers does not start a second consumer: the one at work looks again.
void Smmuv3::consume_commands()
{
    if (consuming_) {
        return;
    }
    consuming_ = true;
    engine_.begin_commands();
    auto budget = command_ring().size();
    while (consume_batch(budget)) {
    }
    engine_.end_commands();
    consuming_ = false;
}

// SMMU 4.7.3 "CMD_SYNC".  Everything before it completed when it was consumed.
[[gnu::always_inline]] inline Smmuv3::Executed Smmuv3::execute_sync(Command command)
{
    switch (as<Sync>(command)[Sync::CS]) {
    case CompletionSignal::SIG_NONE:
    case CompletionSignal::SIG_SEV:  // IDR0.SEV == 0: as SIG_NONE
        return Executed::Done;
    case CompletionSignal::SIG_IRQ:
        return Executed::Signal;
    case CompletionSignal::Reserved:
        break;
    }
    return Executed::Illegal;
}

// `last` is the one that ended it.
template <Observed observed>
Smmuv3::Consumed Smmuv3::execute_until_signal(Ring ring, std::uint32_t first,
                                              std::uint32_t most, Command& last)
{
    constexpr auto words = sizeof(Command) / 8;
    const auto* queue = reinterpret_cast<const std::uint64_t*>(memory_.ram().find(
        command_queue_address(), std::uint64_t{ring.size()} * sizeof(Command)));
    Consumed done;
    while (done.commands < most && done.ended == Executed::Done) {
        const auto slot = ring.slot(first + done.commands);
        const auto* at =
            queue ? queue + std::size_t{slot} * words : fetch_command(slot, last);
        if (at == nullptr) {
            done.ended = Executed::Unreadable;
            break;
        }
        const auto command = read_in_place(at);
        done.ended = command[Command::opcode] == Opcode::CMD_SYNC ? execute_sync(command)
                                                                  : execute(command);
        ++done.commands;
        if (done.ended != Executed::Done) {
            last = command;
        }
        if constexpr (observed == Observed::Yes) {
            if (done.ended != Executed::Illegal) {
                observer_->consumed(command);
            }
        }
    }
    seen_ += hooks ? done.commands : 0;
    done.commands -= done.ended == Executed::Illegal;  // seen, not consumed
    return done;
}

// Up to the first command that is signalled or refused.  True: look again, the registers
// may have changed.
bool Smmuv3::consume_batch(std::uint32_t& budget)
{
    const auto ring = command_ring();
    const auto first = registers_.cmdq_cons;
    const auto pending = ring.used(registers_.cmdq_prod, first);
    // SMMU 3.5.1: with inconsistent indexes nothing is consumed.
    if (budget == 0 || pending == 0 || pending > ring.size() ||
        !command_queue_enabled() || command_error_) {
        return false;
    }
    Command last;
    const auto most = std::min(pending, budget);
    Consumed done;
    if (hooks && observer_ != nullptr) [[unlikely]] {
        done = execute_until_signal<Observed::Yes>(ring, first, most, last);
    } else {
        done = execute_until_signal<Observed::No>(ring, first, most, last);
    }
    const auto [consumed, ended] = done;
    budget -= consumed;
    // SMMU 4.7.3: consumption is observable before the signal is.
    commit_consumed(ring.wrapped(first + consumed));
    switch (ended) {
    case Executed::Done:
        return false;
    case Executed::Signal:
        signal_completion(last);
        break;
    case Executed::Illegal:
        stop_commands(CommandError::CERROR_ILL, last);
        break;
    case Executed::Unreadable:
        stop_commands(CommandError::CERROR_ABT, last);
        break;
    }
    return true;
}

// Of a queue that is not RAM as a whole: where its words are then, or nullptr.
const std::uint64_t* Smmuv3::fetch_command(std::uint32_t slot, Command& to)
{
    const auto fetched = memory_.fetch<Command>(command_queue_address() +
                                                std::uint64_t{slot} * sizeof(Command));
    if (!fetched) {
        return nullptr;
    }
    to = *fetched;
    return to.dword.data();
}

void Smmuv3::commit_consumed(std::uint32_t cons)
{
    registers_.cmdq_cons =
        (registers_.cmdq_cons & ~static_cast<std::uint32_t>(CmdqCons::RD.mask)) | cons;
}

// SMMU 7.1: the reason is readable before the error is active.
void Smmuv3::stop_commands(CommandError error, Command command)
{
    auto cons = from_raw<CmdqCons>(registers_.cmdq_cons).with(CmdqCons::ERR, error);
    registers_.cmdq_cons = static_cast<std::uint32_t>(cons.dword[0]);
    command_error_ = true;

    char text[80] = "SMMUv3: CERROR_ABT: no memory at CMDQ_BASE";
    if (error == CommandError::CERROR_ILL) {
        std::snprintf(text, sizeof text, "SMMUv3: CERROR_ILL: command %016llx %016llx",
                      static_cast<unsigned long long>(command.dword[0]),
                      static_cast<unsigned long long>(command.dword[1]));
    }
    host_.guest_error(text);
    activate(static_cast<std::uint32_t>(Gerror::CMDQ_ERR.mask));
}

// All but CMD_SYNC.
Smmuv3::Executed Smmuv3::execute(Command command)
{
    others_[static_cast<std::uint8_t>(command[Command::opcode])] += hooks;
    switch (command[Command::opcode]) {
    case Opcode::CMD_TLBI_NH_ALL:
    case Opcode::CMD_TLBI_NH_ASID:
    case Opcode::CMD_TLBI_NH_VA:
    case Opcode::CMD_TLBI_NH_VAA:
        return invalidate_stage1(command);
    case Opcode::CMD_TLBI_S12_VMALL:
    case Opcode::CMD_TLBI_S2_IPA:
        return invalidate_stage2(command);
    case Opcode::CMD_TLBI_NSNH_ALL:
        engine_.invalidate_all();
        notify_unmapped(Iova{0}, 0);
        return Executed::Done;
    case Opcode::CMD_CFGI_STE:
    case Opcode::CMD_CFGI_STE_RANGE:
        return invalidate_stes(command);
    case Opcode::CMD_CFGI_CD:
    case Opcode::CMD_CFGI_CD_ALL:
        return invalidate_cds(command);
    case Opcode::CMD_PREFETCH_CONFIG:
    case Opcode::CMD_PREFETCH_ADDR:
        // SMMU 4.2: nothing need be prefetched, but SSec is checked.
        return command[Command::SSec] ? Executed::Illegal : Executed::Done;
    // Not implemented, and not announced in IDR0 and IDR3: EL2 and EL3 (4.4.2.5 to
    // 4.4.2.10), ATS (4.5), PRI (4.6), stall (4.7.1, 4.7.2), MPAM (4.3.5), DPT, Secure.
    default:
        return Executed::Illegal;
    }
}

void Smmuv3::signal_completion(Command command)
{
    const auto sync = as<Sync>(command);
    MsiTarget target;
    target.address = sync[Sync::MSIAddress] << 2 & oas_mask();
    target.data = sync[Sync::MSIData];
    epoch().advance();  // whoever waits for this interrupt relies on what came before
    // The check for zero is on the whole field, before truncation to the OAS.
    interrupt(Line::CommandSync, sync[Sync::MSIAddress] != 0 ? &target : nullptr,
              static_cast<std::uint32_t>(Gerror::MSI_CMDQ_ABT_ERR.mask));
}

// SMMU 4.3.1, 4.3.2, 4.3.6.
Smmuv3::Executed Smmuv3::invalidate_stes(Command command)
{
    if (command[Command::SSec]) {
        return Executed::Illegal;
    }
    const auto sid_bits = configuration_.capabilities.sid_bits;
    if (command[Command::opcode] == Opcode::CMD_CFGI_STE) {
        const auto ste = as<CfgiSte>(command);
        const auto id = static_cast<std::uint32_t>(ste[CfgiSte::StreamID]);
        if (id >> sid_bits == 0) {  // SMMU 4.1.7: out of range has no effect
            engine_.invalidate_ste(ste[CfgiSte::StreamID], ste[CfgiSte::Leaf]);
            notify_configuration(id, 1);
        }
        return Executed::Done;
    }
    const auto ste = as<CfgiSteRange>(command);
    const unsigned log2 = ste[CfgiSteRange::Range] + 1;
    if (log2 >= sid_bits) {
        engine_.invalidate_all_configuration();
        notify_configuration(0, std::uint64_t{1} << sid_bits);
        return Executed::Done;
    }
    const auto first =
        static_cast<std::uint32_t>(ste[CfgiSteRange::StreamID]) >> log2 << log2;
    if (first >> sid_bits == 0) {
        engine_.invalidate_ste_range(StreamId{first}, log2);
        notify_configuration(first, std::uint64_t{1} << log2);
    }
    return Executed::Done;
}

// SMMU 4.3.3, 4.3.4.
Smmuv3::Executed Smmuv3::invalidate_cds(Command command)
{
    if (command[Command::SSec] || !configuration_.capabilities.stage1) {
        return Executed::Illegal;
    }
    const auto cd = as<CfgiCd>(command);
    const auto id = static_cast<std::uint32_t>(cd[CfgiCd::StreamID]);
    if (id >> configuration_.capabilities.sid_bits != 0) {
        return Executed::Done;
    }
    if (command[Command::opcode] == Opcode::CMD_CFGI_CD_ALL) {
        engine_.invalidate_all_cds(cd[CfgiCd::StreamID]);
    } else {
        engine_.invalidate_cd(cd[CfgiCd::StreamID], cd[CfgiCd::SubstreamID],
                              cd[CfgiCd::Leaf]);
    }
    // A CD does not decide whether its stream bypasses.
    if (const auto* requester = anyone_listens_ ? find(id) : nullptr;
        requester && requester->wants_unmaps()) {
        host_.unmapped(requester->cookie(), Iova{0}, 0);
    }
    return Executed::Done;
}

// SMMU 4.4.2 "TLB invalidation of stage 1".
Smmuv3::Executed Smmuv3::invalidate_stage1(Command command)
{
    if (!configuration_.capabilities.stage1) {
        return Executed::Illegal;
    }
    const auto tlbi = as<Tlbi>(command);
    // VMID is RES0, and matches nothing, without stage 2.
    const auto vmid = configuration_.capabilities.stage2 ? tlbi[Tlbi::VMID] : Vmid{0};
    switch (command[Command::opcode]) {
    case Opcode::CMD_TLBI_NH_ALL:
        engine_.invalidate_nh_all(vmid);
        notify_unmapped(Iova{0}, 0);
        return Executed::Done;
    case Opcode::CMD_TLBI_NH_ASID:
        engine_.invalidate_asid(vmid, tlbi[Tlbi::ASID]);
        notify_unmapped(Iova{0}, 0);
        return Executed::Done;
    default:
        break;
    }
    const auto range = range_of(tlbi, ~0ull);
    if (!range) {
        return Executed::Illegal;
    }
    const bool any_asid = command[Command::opcode] == Opcode::CMD_TLBI_NH_VAA;
    engine_.invalidate_va(vmid, any_asid ? std::nullopt : std::optional(tlbi[Tlbi::ASID]),
                          *range);
    notify_range(*range);
    return Executed::Done;
}

// SMMU 4.4.3 "TLB invalidation of stage 2".
Smmuv3::Executed Smmuv3::invalidate_stage2(Command command)
{
    if (!configuration_.capabilities.stage2) {
        return Executed::Illegal;
    }
    const auto tlbi = as<Tlbi>(command);
    if (command[Command::opcode] == Opcode::CMD_TLBI_S12_VMALL) {
        engine_.invalidate_vmid(tlbi[Tlbi::VMID]);
    } else {
        const auto range = range_of(tlbi, ipa_mask);
        if (!range) {
            return Executed::Illegal;
        }
        engine_.invalidate_ipa(tlbi[Tlbi::VMID], *range);
    }
    // Which VAs a stage-1 table maps to this IPA is not known.
    notify_unmapped(Iova{0}, 0);
    return Executed::Done;
}

void Smmuv3::notify_range(const AddressRange& range)
{
    if (anyone_listens_.load(std::memory_order_relaxed)) {
        const auto span = span_of(range);
        notify_unmapped(span.base, span.size);
    }
}

}  // namespace iommu::smmu
