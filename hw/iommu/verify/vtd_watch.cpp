// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/verify/vtd_watch.hpp"

#include <algorithm>

#include "hw/iommu/vtd/device.hpp"
#include "hw/iommu/vtd/spec/context.hpp"
#include "hw/iommu/vtd/spec/pasid.hpp"

namespace iommu::verify {

using namespace vtd;

namespace {

// Where structures stand in Fresh::config: the context entry, then the PASID-table entry.
constexpr unsigned pasid_entry = 8;

Configuration without_cache(Configuration built)
{
    built.tlb = false;
    built.fault_records = 1;
    return built;
}

template <typename Layout>
Layout structure(const std::uint64_t* words)
{
    Layout out{};
    std::copy_n(words, out.dword.size(), out.dword.begin());
    return out;
}

// VT-d 7.1.3: what the structures on the way to the tables say.
bool about_structures(FaultReason reason)
{
    const auto code = static_cast<unsigned>(reason);
    return (code >= 0x01 && code <= 0x03) || (code >= 0x08 && code <= 0x0b) ||
           (code >= 0x30 && code <= 0x5b);
}
bool reserved_bits(FaultReason reason)
{
    switch (reason) {
    case FaultReason::RootEntryReserved:
    case FaultReason::ContextEntryReserved:
    case FaultReason::PagingEntryReserved:
    case FaultReason::SmRootEntryReserved:
    case FaultReason::SmContextEntryReserved:
    case FaultReason::SmPasidDirReserved:
    case FaultReason::SmPasidEntryReserved:
    case FaultReason::FsPagingEntryReserved:
    case FaultReason::SsPagingEntryReserved:
        return true;
    default:
        return false;
    }
}
bool unsupported(FaultReason reason)
{
    return reason == FaultReason::ContextEntryInvalid ||
           reason == FaultReason::SmContextEntryInvalid ||
           reason == FaultReason::SmPasidEntryInvalid ||
           reason == FaultReason::SmRidPasidInvalid;
}

}  // namespace

VtdWatch::VtdWatch(Vtd& unit, const Configuration& built, bool verifies,
                   Listener listener)
    : Watch(unit, verifies, listener), unit_(unit), built_(without_cache(built)),
      memory_(peek_, GuestMemory::Updates::Pretended), faults_(peek_, 1),
      engine_(built_, memory_, faults_, epoch_), interrupts_(memory_, faults_)
{
    unit_.observe(this);
}

VtdWatch::~VtdWatch()
{
    unit_.observe(nullptr);
}

const Watch::Rules& VtdWatch::rules() const
{
    static constexpr Rules rules{Rule::VtdStaleIotlb, Rule::VtdStaleContext,
                                 Rule::VtdNoWait,     Rule::VtdDomainShared,
                                 Rule::VtdScope,      false};
    return rules;
}

// --- what memory says

Fresh VtdWatch::ask(std::uint32_t id, const Transaction& access)
{
    const auto source = SourceId{static_cast<std::uint16_t>(id)};
    auto* stream = engine_.stream(source, nullptr);
    engine_.invalidate_contexts({ContextGranularity::Device, DomainId{}, source, 0});
    faults_.reset();
    Translation out;
    Fresh fresh;
    fresh.known = true;
    // Asked on behalf of nobody: no part of what the thread is refused in pieces.
    auto whole = access;
    whole.delivery = Delivery::Whole;
    fresh.granted = stream->translate(whole, out) == Stream::Result::Ok;
    fresh.output = out.output.value;
    fresh.mask = out.mask;
    fresh.read = out.read;
    fresh.write = out.write;
    fresh.subject.requester = id;
    fresh.subject.substream =
        access.substream.present ? access.substream.value : Subject::none;
    const auto record = faults_.read_record(1);
    fresh.reason = record >> 63 != 0 ? record >> 32 & 0xff : 0;
    read_structures(fresh);
    // Refused without a word: FPD hides whether the structures were good.
    const bool muted = !fresh.granted && fresh.reason == 0;
    fresh.config_good = fresh.config_good && !muted &&
                        !about_structures(static_cast<FaultReason>(fresh.reason));
    fresh.translates = fresh.translates && (fresh.config_good || muted);
    return fresh;
}

// By their sizes: context entries are of 2 doublewords, or of 4 and then PASID-table
// entries of 8 follow; a paging entry is of one.
void VtdWatch::read_structures(Fresh& fresh) const
{
    const PeekHost::Note *small = nullptr, *context = nullptr, *pasid = nullptr;
    for (const auto& note : peek_.notes()) {
        small = note.words == 2 ? &note : small;
        context = note.words == 4 ? &note : context;
        pasid = note.words == 8 ? &note : pasid;
    }
    if (peek_.notes().empty() || small == nullptr) {
        return;
    }
    const auto& last = peek_.notes().back();
    if (last.words == 1) {
        fresh.leaf_at = last.at.value;
        fresh.leaf = last.word[0];
    }
    fresh.config_good = true;
    if (context != nullptr) {
        std::copy_n(context->word.begin(), 4, fresh.config.begin());
        if (pasid != nullptr) {
            std::copy_n(pasid->word.begin(), 8, fresh.config.begin() + pasid_entry);
            read_pasid_entry(fresh, fresh.config.data() + pasid_entry);
        }
        return;
    }
    // VT-d 9.3: bits 70:67 are software's own.
    fresh.config[0] = small->word[0];
    fresh.config[1] = small->word[1] & ~std::uint64_t{0x78};
    const auto entry = structure<ContextEntry>(fresh.config.data());
    fresh.subject.domain = static_cast<std::uint32_t>(entry[ContextEntry::DID]);
    fresh.translates = entry[ContextEntry::TT] != TranslationType::PassThrough;
    fresh.roots = entry[ContextEntry::SSPTPTR].value |
                  static_cast<std::uint64_t>(entry[ContextEntry::AW]);
}

void VtdWatch::read_pasid_entry(Fresh& fresh, const std::uint64_t* words) const
{
    using E = PasidTableEntry;
    const auto entry = structure<E>(words);
    const auto type = entry[E::PGTT];
    fresh.subject.domain = static_cast<std::uint32_t>(entry[E::DID]);
    fresh.translates = type != Pgtt::PassThrough;
    if (type == Pgtt::SecondStage || type == Pgtt::Nested) {
        fresh.roots = entry[E::SSPTPTR].value | static_cast<std::uint64_t>(entry[E::AW]);
    }
    if (type == Pgtt::FirstStage || type == Pgtt::Nested) {
        const auto context = structure<ScalableContextEntry>(fresh.config.data());
        fresh.subject.space =
            fresh.subject.substream != Subject::none
                ? fresh.subject.substream
                : static_cast<std::uint32_t>(context[ScalableContextEntry::RID_PASID]);
        fresh.subject.nested = type == Pgtt::Nested;
        fresh.roots ^= entry[E::FSPTPTR].value * 3;
    }
}

void VtdWatch::judge(const Fresh& fresh, const Transaction& access)
{
    const auto reason = static_cast<FaultReason>(fresh.reason);
    const bool reserved = reserved_bits(reason);
    if (!reserved && !unsupported(reason)) {
        return;
    }
    found(reserved ? Rule::VtdReserved : Rule::VtdInconsistent,
          fresh.subject.requester | std::uint64_t{fresh.subject.substream} << 32,
          {{"requester", fresh.subject.requester},
           {"substream", fresh.subject.substream},
           {"address", access.address.value},
           {"reason", fresh.reason},
           {"context", fresh.config[0]},
           {"context-high", fresh.config[1]},
           {"pasid-entry", fresh.config[pasid_entry]},
           {"paging-entry", fresh.leaf},
           {"paging-entry-at", fresh.leaf_at}},
          fresh.subject);
}

// --- interrupts

void VtdWatch::interrupt(std::optional<SourceId> source, const Message& request,
                         const std::optional<Message>& answer)
{
    if (!verifies()) {
        return;
    }
    const Guard guard(lock_);
    settle_due();
    peek_.begin();
    interrupts_.invalidate_all();
    faults_.reset();
    const auto fresh = interrupts_.remap(source, request);
    if (peek_.left_ram() || peek_.notes().empty()) {
        return;
    }
    const auto& note = peek_.notes().back();
    const auto index = static_cast<std::uint32_t>((note.at.value - table_) / 16);
    const std::array<std::uint64_t, 2> entry{note.word[0], note.word[1]};
    const bool same = fresh.has_value() == answer.has_value() &&
                      (!fresh || (fresh->address.value == answer->address.value &&
                                  fresh->data == answer->data));
    const auto kept = entries_.find(index);
    if (same) {
        if (fresh && kept == entries_.end()) {
            entries_[index] = {entry, now()};
        }
        return;
    }
    Subject subject;
    subject.what = Cached::Interrupt;
    subject.requester = static_cast<std::uint32_t>(source.value_or(SourceId{0}));
    subject.first = subject.last = index;
    const auto before = kept != entries_.end() ? kept->second : KeptEntry{};
    suspected(Rule::VtdStaleIrte, index,
              {{"requester", subject.requester},
               {"index", index, Fact::Kind::Decimal},
               {"old-entry", before.entry[0]},
               {"old-entry-high", before.entry[1]},
               {"new-entry", entry[0]},
               {"new-entry-high", entry[1]},
               {"cached-ns", before.since_ns, Fact::Kind::Decimal}},
              subject, before.since_ns);
}

void VtdWatch::interrupts_configured(const InterruptSettings& settings)
{
    const Guard guard(lock_);
    table_ = settings.table[IrtaReg::IRTA].value;
    interrupts_.configure(settings);
    entries_.clear();
    Invalidation all;
    all.name = "SIRTP";
    all.what = static_cast<std::uint8_t>(Cached::Interrupt);
    Watch::invalidated(all);
}

// VT-d 7.1.3: reasons 20h to 26h are of interrupts.
void VtdWatch::refused(const std::array<std::uint64_t, 2>& record)
{
    const auto reason = static_cast<std::uint32_t>(record[1] >> 32 & 0xff);
    const bool interrupts = reason >= 0x20 && reason <= 0x2f;
    note_fault(interrupts ? Of::Interrupt : Of::Access, {record[0], record[1], 0, 0},
               reason, static_cast<std::uint32_t>(record[1] & 0xffff));
}

}  // namespace iommu::verify
