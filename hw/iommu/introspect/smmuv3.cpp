// SPDX-License-Identifier: GPL-2.0-or-later
// An SMMUv3 asked about itself: docs/specs/introspection.rst.
#include "hw/iommu/introspect/fields.hpp"
#include "hw/iommu/introspect/smmuv3_views.hpp"
#include "hw/iommu/smmuv3/requester.hpp"
#include "hw/iommu/smmuv3/spec/events.hpp"

namespace iommu::smmu {

using introspect::Arguments;
using introspect::Json;

namespace {

// Either name will do.
std::string_view substream_key(const Arguments& arguments)
{
    return arguments.has("pasid") ? "pasid" : "ssid";
}

std::string_view event_name(unsigned event)
{
    return introspect::name_of_value(static_cast<EventId>(event));
}
void write_noted_record(Json& json, const RefusedNote& note)
{
    introspect::write_record(json, static_cast<EventId>(note.event), note.raw);
}

// As Translator::tag puts it together.
introspect::TlbOwner owner_of(std::uint64_t context)
{
    introspect::TlbOwner owner;
    owner.domain = context & 0xffff;
    if ((context >> 32 & 1) == 0) {
        owner.space = context >> 16 & 0xffff;
    }
    owner.nested = context >> 40 == 3;
    return owner;
}

}  // namespace

StreamId Smmuv3::Views::stream_id(Arguments& arguments) const
{
    const auto bits = smmu_.configuration_.capabilities.sid_bits;
    return StreamId{static_cast<std::uint32_t>(
        arguments.required_requester("sid", (std::uint64_t{1} << bits) - 1))};
}

void Smmuv3::Views::walk(Arguments& arguments, Json& json)
{
    const auto sid = stream_id(arguments);
    const auto access = introspect::access_of(arguments, substream_key(arguments));
    if (!arguments.error().empty()) {
        return;
    }
    json.open_object().text("device", "smmuv3").key("request").open_object();
    json.hex("sid", static_cast<std::uint32_t>(sid));
    introspect::write_access(json, access, "ssid");
    json.close_object();
    const auto* requester = smmu_.find(static_cast<std::uint32_t>(sid));
    introspect::walk(
        json, world(),
        {sid, requester != nullptr ? &requester->entry() : nullptr, requester}, access);
    json.close_object();
}

void Smmuv3::Views::stream(Arguments& arguments, Json& json)
{
    const auto sid = stream_id(arguments);
    Substream substream;
    if (const auto ssid = arguments.number(substream_key(arguments), 0xfffff)) {
        substream = {static_cast<std::uint32_t>(*ssid), true};
    }
    if (!arguments.error().empty()) {
        return;
    }
    json.open_object().text("device", "smmuv3");
    json.hex("sid", static_cast<std::uint32_t>(sid));
    if (substream.present) {
        json.number("ssid", substream.value);
    }
    json.boolean("enabled", smmu_.smmu_enabled());
    introspect::configuration(json, world(), sid, substream);
    json.close_object();
}

void Smmuv3::Views::tlb(Arguments& arguments, Json& json)
{
    introspect::write_tlb(json, arguments, smmu_.engine_.tlb(), {"vmid", "asid"},
                          Translator::tag_of, owner_of);
}

bool Smmuv3::Views::answer(std::string_view topic, std::string_view text, std::string& to)
{
    constexpr auto stream = [](Views& v, Arguments& a, Json& j) { v.stream(a, j); };
    static constexpr introspect::Question<Views> questions[] = {
        {"walk", "sid, ssid, pasid, address, access, privilege",
         [](Views& v, Arguments& a, Json& j) { v.walk(a, j); }},
        {"walk-interrupt", "", nullptr,
         "an SMMUv3 remaps no interrupts: walk shows how an MSI's write goes"},
        {"stream", "sid, ssid, pasid", stream},
        {"context", "sid, ssid, pasid", stream},
        {"faults", "sid, limit",
         [](Views& v, Arguments& a, Json& j) {
             introspect::write_faults(j, a, v.smmu_.history(), write_noted_record);
         }},
        {"tlb-entries", "vmid, asid, address, limit",
         [](Views& v, Arguments& a, Json& j) { v.tlb(a, j); }},
        {"queues", "", [](Views& v, Arguments&, Json& j) { v.queues(j); }},
        {"stats", "", [](Views& v, Arguments&, Json& j) { v.stats(j, event_name); }},
    };
    return introspect::ask(*this, questions, topic, text, to);
}

bool Smmuv3::ask(std::string_view topic, std::string_view arguments, std::string& answer)
{
    return Views(*this).answer(topic, arguments, answer);
}

std::string Smmuv3::adjust(std::string_view option, std::string_view value)
{
    return introspect::set_fault_option(history(), option, value, event_name);
}

std::uint64_t Smmuv3::note_refusal(StreamId stream, const Transaction& access,
                                   const Fault* fault)
{
    if (history().off()) {
        return FaultHistory::no_note;
    }
    RefusedNote note;
    note.requester = static_cast<std::uint32_t>(stream);
    note.access = access;
    if (fault) {
        note.event = static_cast<unsigned>(fault->id);
        note.name = event_name(note.event);
        note.recorded = true;
        note.raw = encode(*fault, configuration_.capabilities.oas_bits);
        note.words = 4;
    }
    return history().note(note);
}

}  // namespace iommu::smmu
