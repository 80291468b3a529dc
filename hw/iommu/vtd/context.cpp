// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 3.4 "Mapping Requests to Translation Structures".
//
//   legacy:    root[bus] --> context[devfn] --> second stage
//   scalable:  root[bus].LCTP/UCTP --> context[devfn] --> PASID directory[19:6]
//                 --> PASID table[5:0] --> first stage, second stage, both, or neither
//
// A fault is muted by the FPD bit of any entry read on the way to it (VT-d 7.1.3,
// "qualified" faults).
#include "hw/iommu/vtd/entry_reader.hpp"
#include "hw/iommu/vtd/tags.hpp"
#include "hw/iommu/vtd/translator.hpp"

namespace iommu::vtd {

namespace {

unsigned bus_of(SourceId id)
{
    return static_cast<unsigned>(id) >> 8;
}
unsigned devfn_of(SourceId id)
{
    return static_cast<unsigned>(id) & 0xff;
}

}  // namespace

bool Translator::in_reach(Gpa table) const
{
    return table.value >> configuration_.haw_bits() == 0;
}

Expected<Plan, Translator::Refusal> Translator::fetch_plan(SourceId source,
                                                           Substream substream)
{
    Settings settings;
    while (!settings_.try_read(settings)) {
    }
    if (!settings.enabled) {
        return Plan{};
    }
    switch (settings.root[RtaddrReg::TTM]) {
    case TranslationTableMode::Legacy:
        if (substream.present) {
            return Unexpected{Refusal{FaultReason::PasidInLegacyMode, false}};
        }
        return fetch_legacy(settings.root, source);
    case TranslationTableMode::Scalable:
        return fetch_scalable(settings.root, source, substream);
    default:
        return Unexpected{Refusal{FaultReason::TableModeInvalid, false}};
    }
}

Expected<Plan, Translator::Refusal> Translator::fetch_legacy(RtaddrReg root_register,
                                                             SourceId source)
{
    const auto refused = [](FaultReason reason, bool muted) {
        return Unexpected{Refusal{reason, muted}};
    };
    const auto root = fetch_entry<RootEntry>(
        memory_, root_register[RtaddrReg::RTA] + bus_of(source) * sizeof(RootEntry));
    if (!root) {
        return refused(FaultReason::RootEntryAccess, false);
    }
    if (!(*root)[RootEntry::P]) {
        return refused(FaultReason::RootEntryNotPresent, false);
    }
    if (root->res0_violated() || !in_reach((*root)[RootEntry::CTP])) {
        return refused(FaultReason::RootEntryReserved, false);
    }
    const auto fetched = fetch_entry<ContextEntry>(
        memory_, (*root)[RootEntry::CTP] + devfn_of(source) * sizeof(ContextEntry));
    if (!fetched) {
        return refused(FaultReason::ContextEntryAccess, false);
    }
    const auto& entry = *fetched;
    const bool muted = entry[ContextEntry::FPD];
    if (!entry[ContextEntry::P]) {
        return refused(FaultReason::ContextEntryNotPresent, muted);
    }
    if (entry.res0_violated() || !in_reach(entry[ContextEntry::SSPTPTR])) {
        return refused(FaultReason::ContextEntryReserved, muted);
    }
    Plan plan;
    plan.head.set(PlanHead::muted, muted);
    plan.domain = static_cast<std::uint16_t>(entry[ContextEntry::DID]);
    plan.head.set_tag(second_stage_tag(entry[ContextEntry::DID]));
    const auto type = entry[ContextEntry::TT];
    // VT-d 9.3, field TT: 01b needs ECAP.DT, 10b ECAP.PT and the widest AW there is.
    const bool passes = type == TranslationType::PassThrough && configuration_.pt;
    const bool walks = type == TranslationType::Untranslated ||
                       (type == TranslationType::All && configuration_.device_iotlb);
    if (!(passes || walks) || !decode_second_stage(plan, entry[ContextEntry::AW],
                                                   entry[ContextEntry::SSPTPTR])) {
        return refused(FaultReason::ContextEntryInvalid, muted);
    }
    plan.head.set(passes ? PlanKind::PassThrough : PlanKind::SecondStage, 0);
    plan.head.set(PlanHead::device_tlb, type == TranslationType::All);
    return plan;
}

// VT-d 9.3 and 9.6, field AW: one of those CAP.SAGAW lists.
bool Translator::decode_second_stage(Plan& plan, AddressWidth width, Gpa root) const
{
    const auto encoded = static_cast<unsigned>(width);
    if (encoded < 1 || 30 + 9 * encoded > configuration_.aw_bits) {
        return false;
    }
    plan.second_levels = static_cast<std::uint8_t>(encoded + 2);
    plan.second_root = root;
    return true;
}

Expected<Plan, Translator::Refusal>
Translator::fetch_scalable(RtaddrReg root_register, SourceId source, Substream substream)
{
    using E = ScalableContextEntry;
    const auto refused = [](FaultReason reason, bool muted) {
        return Unexpected{Refusal{reason, muted}};
    };
    const auto root = fetch_entry<ScalableRootEntry>(
        memory_,
        root_register[RtaddrReg::RTA] + bus_of(source) * sizeof(ScalableRootEntry));
    if (!root) {
        return refused(FaultReason::SmRootEntryAccess, false);
    }
    const bool upper = devfn_of(source) >= 0x80;
    if (!(upper ? (*root)[ScalableRootEntry::UP] : (*root)[ScalableRootEntry::LP])) {
        return refused(FaultReason::SmRootEntryNotPresent, false);
    }
    const auto table =
        upper ? (*root)[ScalableRootEntry::UCTP] : (*root)[ScalableRootEntry::LCTP];
    if (root->res0_violated() || !in_reach(table)) {
        return refused(FaultReason::SmRootEntryReserved, false);
    }
    const auto entry =
        fetch_entry<E>(memory_, table + (devfn_of(source) & 0x7f) * sizeof(E));
    if (!entry) {
        return refused(FaultReason::SmContextEntryAccess, false);
    }
    const bool muted = (*entry)[E::FPD];
    if (!(*entry)[E::P]) {
        return refused(FaultReason::SmContextEntryNotPresent, muted);
    }
    // DTE and PRE are reserved without ECAP.DT and ECAP.PRS.
    if (entry->res0_violated() || (*entry)[E::PRE] ||
        ((*entry)[E::DTE] && !configuration_.device_iotlb) ||
        !in_reach((*entry)[E::PASIDDIRPTR])) {
        return refused(FaultReason::SmContextEntryReserved, muted);
    }
    const bool device_tlb = (*entry)[E::DTE];
    if (substream.present && !(*entry)[E::PASIDE]) {
        return Unexpected{Refusal{FaultReason::SmPasidDisabled, muted, device_tlb}};
    }
    const auto pasid =
        substream.present ? Pasid{substream.value} : (*entry)[E::RID_PASID];
    // VT-d 9.4, field PDTS; ECAP.PSS.
    const auto directory_bits = static_cast<unsigned>((*entry)[E::PDTS]) + 7;
    const auto number = static_cast<std::uint32_t>(pasid);
    if (number >> 6 >> directory_bits != 0 ||
        (substream.present && number >> configuration_.pasid_bits != 0)) {
        return Unexpected{Refusal{substream.present ? FaultReason::SmPasidTooLarge
                                                    : FaultReason::SmRidPasidInvalid,
                                  muted, device_tlb}};
    }
    const auto plan = fetch_pasid((*entry)[E::PASIDDIRPTR], pasid, muted);
    if (!plan) {
        auto why = plan.error();
        why.device_tlb = device_tlb;
        return Unexpected{why};
    }
    auto out = *plan;
    out.head.set(PlanHead::device_tlb, device_tlb);
    out.head.set(PlanHead::privileged, !substream.present && (*entry)[E::RID_PRIV]);
    return out;
}

Expected<Plan, Translator::Refusal> Translator::fetch_pasid(Gpa directory, Pasid pasid,
                                                            bool muted)
{
    const auto refused = [&](FaultReason reason) {
        return Unexpected{Refusal{reason, muted}};
    };
    const auto number = static_cast<std::uint32_t>(pasid);
    const auto outer = fetch_entry<PasidDirectoryEntry>(
        memory_, directory + (number >> 6) * sizeof(PasidDirectoryEntry));
    if (!outer) {
        return refused(FaultReason::SmPasidDirAccess);
    }
    muted |= (*outer)[PasidDirectoryEntry::FPD];
    if (!(*outer)[PasidDirectoryEntry::P]) {
        return refused(FaultReason::SmPasidDirNotPresent);
    }
    const auto table = (*outer)[PasidDirectoryEntry::SMPTBLPTR];
    if (outer->res0_violated() || !in_reach(table)) {
        return refused(FaultReason::SmPasidDirReserved);
    }
    const auto entry = fetch_entry<PasidTableEntry>(
        memory_, table + (number & 63) * sizeof(PasidTableEntry));
    if (!entry) {
        return refused(FaultReason::SmPasidEntryAccess);
    }
    muted |= (*entry)[PasidTableEntry::FPD];
    if (!(*entry)[PasidTableEntry::P]) {
        return refused(FaultReason::SmPasidEntryNotPresent);
    }
    auto plan = decode_pasid(*entry, muted);
    if (!plan) {
        return plan;
    }
    auto out = *plan;
    out.pasid = number;
    if (out.head.kind() == PlanKind::FirstStage || out.head.kind() == PlanKind::Nested) {
        out.head.set_tag(pasid_tag(DomainId{out.domain}, pasid));
    }
    return out;
}

Expected<Plan, Translator::Refusal> Translator::decode_pasid(const PasidTableEntry& e,
                                                             bool muted) const
{
    using E = PasidTableEntry;
    // VT-d 9.6, field PGSNP: reserved without ECAP.SC.
    if (e.res0_violated() || (e[E::PGSNP] && !configuration_.snoop_control) ||
        !in_reach(e[E::SSPTPTR]) || !in_reach(e[E::FSPTPTR])) {
        return Unexpected{Refusal{FaultReason::SmPasidEntryReserved, muted}};
    }
    Plan plan;
    plan.head.set(PlanHead::muted, muted);
    plan.head.set(PlanHead::scalable, true);
    plan.head.set(PlanHead::supervisor, e[E::SRE]);
    plan.head.set(PlanHead::execute, e[E::ERE]);
    plan.domain = static_cast<std::uint16_t>(e[E::DID]);
    plan.head.set_tag(second_stage_tag(e[E::DID]));
    const auto type = e[E::PGTT];
    const bool first = type == Pgtt::FirstStage || type == Pgtt::Nested;
    const bool second = type == Pgtt::SecondStage || type == Pgtt::Nested;
    bool good = first || second || (type == Pgtt::PassThrough && configuration_.pt);
    if (first) {
        // The width of the first stage is FSPM's alone; AW is the second stage's.
        good = good && (e[E::FSPM] == FirstStageMode::Level4 ||
                        e[E::FSPM] == FirstStageMode::Level5);
        plan.first_levels = e[E::FSPM] == FirstStageMode::Level5 ? 5 : 4;
        plan.first_root = e[E::FSPTPTR];
        plan.write_protect = e[E::WPE];
        plan.no_execute = e[E::NXE];
        plan.smep = e[E::SMEP];
        plan.extended_accessed = e[E::EAFE];
    }
    if (second) {
        good = good && decode_second_stage(plan, e[E::AW], e[E::SSPTPTR]);
        plan.second_accessed_dirty = e[E::SSADE];
        plan.second_executes = e[E::SSEE];
    }
    if (!good) {
        return Unexpected{Refusal{FaultReason::SmPasidEntryInvalid, muted}};
    }
    plan.head.set(type == Pgtt::PassThrough ? PlanKind::PassThrough
                  : !second                 ? PlanKind::FirstStage
                  : !first                  ? PlanKind::SecondStage
                                            : PlanKind::Nested,
                  0);
    plan.head.set(PlanHead::tracks_dirty, first || (second && e[E::SSADE]));
    return plan;
}

}  // namespace iommu::vtd
