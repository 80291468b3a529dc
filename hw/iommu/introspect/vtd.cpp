// SPDX-License-Identifier: GPL-2.0-or-later
// A VT-d unit asked about itself: docs/specs/introspection.rst.
#include "hw/iommu/common/pieces.hpp"
#include "hw/iommu/introspect/fields.hpp"
#include "hw/iommu/introspect/vtd_interrupt.hpp"
#include "hw/iommu/introspect/vtd_views.hpp"
#include "hw/iommu/vtd/device.hpp"

namespace iommu::vtd {

using introspect::Arguments;
using introspect::Json;

namespace {

std::string_view reason_name(unsigned reason)
{
    return introspect::name_of_value(static_cast<FaultReason>(reason));
}
void write_noted_record(Json& json, const RefusedNote& note)
{
    introspect::write_record(json, static_cast<FaultReason>(note.event),
                             {note.raw[0], note.raw[1]});
}
template <typename AnyFault>
RefusedNote note_of(const AnyFault& fault, bool muted)
{
    RefusedNote note;
    note.requester = static_cast<std::uint32_t>(fault.source);
    note.event = static_cast<unsigned>(fault.reason);
    note.name = reason_name(note.event);
    note.recorded = !muted;
    const auto record = encode(fault);
    note.raw = {record.dword[0], record.dword[1]};
    note.words = 2;
    return note;
}

SourceId source_id(Arguments& arguments)
{
    return SourceId{
        static_cast<std::uint16_t>(arguments.required_requester("sid", 0xffff))};
}

// As tags.hpp puts it together.
introspect::TlbOwner owner_of(std::uint64_t context)
{
    introspect::TlbOwner owner;
    owner.domain = context & 0xffff;
    if (const auto space = context >> 16; space >> 20 == 0) {
        owner.space = space;
    }
    return owner;
}

}  // namespace

void Vtd::Views::walk(Arguments& arguments, Json& json)
{
    const auto sid = source_id(arguments);
    const auto access = introspect::access_of(arguments, "pasid");
    if (!arguments.error().empty()) {
        return;
    }
    json.open_object().text("device", "vtd").key("request").open_object();
    json.hex("sid", static_cast<std::uint64_t>(sid));
    introspect::write_access(json, access, "pasid");
    json.close_object();
    introspect::walk(json, world(), sid, access);
    json.close_object();
}

void Vtd::Views::walk_interrupt(Arguments& arguments, Json& json)
{
    const auto sid = source_id(arguments);
    const auto address = arguments.required("address", ~std::uint64_t{0});
    const auto data = arguments.required("data", 0xffff'ffff);
    if (address >> 20 != 0xfee) {
        arguments.refuse("address=" + arguments.text("address") +
                         " is no interrupt's, which are 0xfee00000 to 0xfeefffff");
    }
    if (!arguments.error().empty()) {
        return;
    }
    json.open_object().text("device", "vtd").key("request").open_object();
    json.hex("sid", static_cast<std::uint64_t>(sid))
        .hex("address", address)
        .hex("data", data)
        .close_object();
    introspect::walk_interrupt(json, vtd_.memory_, vtd_.interrupts_, sid,
                               {Gpa{address}, static_cast<std::uint32_t>(data)});
    json.close_object();
}

void Vtd::Views::context(Arguments& arguments, Json& json)
{
    const auto sid = source_id(arguments);
    Substream substream;
    if (const auto pasid = arguments.number("pasid", 0xfffff)) {
        substream = {static_cast<std::uint32_t>(*pasid), true};
    }
    if (!arguments.error().empty()) {
        return;
    }
    json.open_object().text("device", "vtd");
    json.hex("sid", static_cast<std::uint64_t>(sid));
    if (substream.present) {
        json.number("pasid", substream.value);
    }
    json.boolean("enabled", vtd_.settings().enabled);
    introspect::configuration(json, world(), sid, substream);
    json.close_object();
}

void Vtd::Views::tlb(Arguments& arguments, Json& json)
{
    introspect::write_tlb(
        json, arguments, vtd_.translator_.tlb(), {"domain", "pasid"},
        [](std::uint64_t context) {
            return Tlb::tag(context, context & 0xffff, context >> 16);
        },
        owner_of);
}

bool Vtd::Views::answer(std::string_view topic, std::string_view text, std::string& to)
{
    constexpr auto context = [](Views& v, Arguments& a, Json& j) { v.context(a, j); };
    static constexpr introspect::Question<Views> questions[] = {
        {"walk", "sid, pasid, address, access, privilege",
         [](Views& v, Arguments& a, Json& j) { v.walk(a, j); }},
        {"walk-interrupt", "sid, address, data",
         [](Views& v, Arguments& a, Json& j) { v.walk_interrupt(a, j); }},
        {"stream", "sid, pasid", context},
        {"context", "sid, pasid", context},
        {"faults", "sid, limit",
         [](Views& v, Arguments& a, Json& j) {
             introspect::write_faults(j, a, v.vtd_.history(), write_noted_record);
         }},
        {"tlb-entries", "domain, pasid, address, limit",
         [](Views& v, Arguments& a, Json& j) { v.tlb(a, j); }},
        {"queues", "", [](Views& v, Arguments&, Json& j) { v.queues(j); }},
        {"stats", "", [](Views& v, Arguments&, Json& j) { v.stats(j, reason_name); }},
    };
    return introspect::ask(*this, questions, topic, text, to);
}

bool Vtd::ask(std::string_view topic, std::string_view arguments, std::string& answer)
{
    return Views(*this).answer(topic, arguments, answer);
}

std::string Vtd::adjust(std::string_view option, std::string_view value)
{
    return introspect::set_fault_option(history(), option, value, reason_name);
}

void Vtd::Refusals::refused(const Fault& fault, bool muted)
{
    if (history.off()) {
        RefusedPieces::set_note(FaultHistory::no_note);
        return;
    }
    auto note = note_of(fault, muted);
    note.access = fault.request;
    RefusedPieces::set_note(history.note(note));
}

void Vtd::Refusals::refused_further(Iova last)
{
    history.extend(RefusedPieces::note(), last);
}

// VT-d 11.4.7.6, field FI: the interrupt index stands where an address does.
void Vtd::Refusals::refused(const InterruptFault& fault, bool muted)
{
    auto note = note_of(fault, muted);
    note.access.address = Iova{note.raw[0]};
    note.access.access = Access::Write;
    history.note(note);
}

}  // namespace iommu::vtd
