// SPDX-License-Identifier: GPL-2.0-or-later
// The SMMUv3's queues and commands by name: SMMU chapter 4, 7.2.
#include <functional>
#include <numeric>

#include "hw/iommu/introspect/smmuv3_fields.hpp"
#include "hw/iommu/introspect/smmuv3_views.hpp"
#include "hw/iommu/introspect/smmuv3_walk.hpp"

namespace iommu::smmu {

using namespace introspect;

namespace {

void write_command(Json& json, const std::vector<std::uint64_t>& words)
{
    const auto opcode = static_cast<Opcode>(words[0] & 0xff);
    json.text("name", name_of_value(opcode)).key("fields");
    switch (opcode) {
    case Opcode::CMD_PREFETCH_CONFIG:
    case Opcode::CMD_PREFETCH_ADDR:
        return PrefetchConfigFields::write_words(json, words);
    case Opcode::CMD_CFGI_STE:
        return CfgiSteFields::write_words(json, words);
    case Opcode::CMD_CFGI_STE_RANGE:
        return CfgiSteRangeFields::write_words(json, words);
    case Opcode::CMD_CFGI_CD:
    case Opcode::CMD_CFGI_CD_ALL:
        return CfgiCdFields::write_words(json, words);
    case Opcode::CMD_TLBI_NH_ALL:
    case Opcode::CMD_TLBI_NH_ASID:
    case Opcode::CMD_TLBI_NH_VA:
    case Opcode::CMD_TLBI_NH_VAA:
    case Opcode::CMD_TLBI_S12_VMALL:
    case Opcode::CMD_TLBI_S2_IPA:
    case Opcode::CMD_TLBI_NSNH_ALL:
        return TlbiFields::write_words(json, words);
    case Opcode::CMD_SYNC:
        return SyncFields::write_words(json, words);
    default:
        return CommandFields::write_words(json, words);
    }
}

void write_event_entry(Json& json, const std::vector<std::uint64_t>& words)
{
    const auto id = static_cast<EventId>(words[0] & 0xff);
    json.text("name", name_of_value(id)).key("fields");
    introspect::write_record(json, id, {words[0], words[1], words[2], words[3]});
}

constexpr std::uint64_t most_shown = 64, recent_shown = 16;

}  // namespace

void Smmuv3::Views::command_queue(Json& json)
{
    const auto& r = smmu_.registers_;
    const auto ring = smmu_.command_ring();
    const introspect::Ring slots{smmu_.command_queue_address(), ring.size(), 16};
    const std::uint64_t used = ring.used(r.cmdq_prod, r.cmdq_cons);
    const std::uint64_t cons = ring.slot(r.cmdq_cons);
    const auto recent = std::min<std::uint64_t>(
        recent_shown, ring.size() - std::min<std::uint64_t>(used, ring.size()));
    Snapshot memory(smmu_.memory_);
    json.open_object()
        .boolean("enabled", smmu_.command_queue_enabled())
        .hex("base", slots.base.value)
        .number("slots", ring.size())
        .hex("PROD", r.cmdq_prod)
        .hex("CONS", r.cmdq_cons)
        .text("error", name_of_value(static_cast<CommandError>(r.cmdq_cons >> 24 & 0x7f)))
        .number("waiting", used)
        .key("pending");
    write_entries(json, memory, slots, cons,
                  std::min({used, most_shown, std::uint64_t{ring.size()}}),
                  write_command);
    // As they stand in memory now: the ring has not come round.
    json.key("recent");
    write_entries(json, memory, slots, cons + ring.size() - recent, recent,
                  write_command);
    json.close_object();
}

void Smmuv3::Views::event_queue(Json& json)
{
    const auto ring = smmu_.event_ring();
    const auto& r = smmu_.registers_;
    const auto base = from_raw<QueueBase>(r.eventq_base)[QueueBase::ADDR];
    const introspect::Ring slots{Gpa{base.value & ~(std::uint64_t{ring.size()} * 32 - 1)},
                                 ring.size(), 32};
    const std::uint64_t used = ring.used(r.eventq_prod, r.eventq_cons);
    Snapshot memory(smmu_.memory_);
    json.open_object()
        .boolean("enabled", from_raw<Cr0>(r.cr0)[Cr0::EVENTQEN])
        .hex("base", slots.base.value)
        .number("slots", ring.size())
        .hex("PROD", r.eventq_prod)
        .hex("CONS", r.eventq_cons)
        .number("waiting", used)
        .key("pending");
    write_entries(json, memory, slots, ring.slot(r.eventq_cons),
                  std::min({used, most_shown, std::uint64_t{ring.size()}}),
                  write_event_entry);
    json.close_object();
}

void Smmuv3::Views::queues(Json& json)
{
    json.open_object().text("device", "smmuv3").key("commands");
    command_queue(json);
    json.key("events");
    event_queue(json);
    json.close_object();
}

void Smmuv3::Views::stats(Json& json, EventName name)
{
    const auto& r = smmu_.registers_;
    json.open_object()
        .text("device", "smmuv3")
        .boolean("enabled", smmu_.smmu_enabled())
        .hex("CR0", r.cr0)
        .hex("GERROR", r.gerror)
        .hex("GERRORN", r.gerrorn)
        .number("register_writes", smmu_.register_writes())
        .key("commands")
        .open_object();
    auto commands = smmu_.others_;
    commands[static_cast<std::uint8_t>(Opcode::CMD_SYNC)] =
        std::accumulate(commands.begin(), commands.end(), smmu_.seen_, std::minus<>());
    for (unsigned opcode = 0; opcode < commands.size(); ++opcode) {
        if (commands[opcode] != 0) {
            const auto known = name_of_value(static_cast<Opcode>(opcode));
            json.number(known == "unknown" ? std::to_string(opcode) : std::string(known),
                        commands[opcode]);
        }
    }
    json.close_object().key("faults").open_object();
    write_fault_counts(json, smmu_.history().look(), name);
    json.close_object().close_object();
}

}  // namespace iommu::smmu
