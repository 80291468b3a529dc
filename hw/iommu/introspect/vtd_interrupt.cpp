// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 5.1.4 "Interrupt-Remapping Hardware Operation", told.
//
// The verdict is a second InterruptRemapper's, which has seen nothing yet and whose
// memory is a Snapshot; what it read is the entry that is shown.
#include "hw/iommu/introspect/vtd_interrupt.hpp"

#include <memory>

#include "hw/iommu/introspect/narrate.hpp"
#include "hw/iommu/introspect/snapshot.hpp"
#include "hw/iommu/introspect/vtd_fields.hpp"
#include "hw/iommu/introspect/vtd_walk.hpp"

namespace iommu::introspect {
namespace {

using namespace vtd;

using RequestFields = FieldList<InterruptRequest, InterruptRequest::InterruptFormat,
                                InterruptRequest::Handle14_0, InterruptRequest::Handle15,
                                InterruptRequest::SHV, InterruptRequest::Subhandle,
                                InterruptRequest::DataReserved>;
using MsiAddressFields =
    FieldList<MsiAddress, MsiAddress::DestinationMode, MsiAddress::RedirectionHint,
              MsiAddress::DestinationId, MsiAddress::DestinationIdUpper>;
using MsiDataFields = FieldList<MsiData, MsiData::Vector, MsiData::DeliveryMode,
                                MsiData::Level, MsiData::TriggerMode>;

struct Heard final : RefusalListener {
    std::optional<InterruptFault> fault{};
    bool muted = false;
    void refused(const Fault&, bool) override {}
    void refused(const InterruptFault& f, bool m) override
    {
        fault = f;
        muted = m;
    }
};

// VT-d 9.9: SVT says what is compared, SQ which bits of it count.
std::string check_source(const Irte& entry, SourceId source)
{
    const auto sid = static_cast<unsigned>(entry[Irte::SID]);
    Json json;
    json.open_object();
    switch (entry[Irte::SVT]) {
    case SourceValidation::None:
        json.text("checked", "nothing");
        break;
    case SourceValidation::SourceId: {
        constexpr unsigned ignored[] = {0b000, 0b100, 0b110, 0b111};
        json.text("checked", "source-id")
            .hex("wanted", sid)
            .hex("ignored-bits", ignored[entry[Irte::SQ]]);
        break;
    }
    case SourceValidation::Bus:
        json.text("checked", "bus")
            .hex("first-bus", sid >> 8)
            .hex("last-bus", sid & 0xff);
        break;
    case SourceValidation::Reserved:
        json.text("checked", "reserved encoding");
        break;
    }
    json.hex("source", static_cast<std::uint64_t>(source))
        .boolean("valid", entry[Irte::SVT] != SourceValidation::Reserved &&
                              InterruptRemapper::valid_source(entry, source))
        .close_object();
    return json.str();
}

Irte entry_of(std::span<const std::uint64_t> words)
{
    Irte entry;
    std::copy_n(words.begin(), entry.dword.size(), entry.dword.begin());
    return entry;
}

void tell_request(Story& story, const Message& request)
{
    Step step;
    step.structure = "interrupt request";
    step.raw = {request.address.value, request.data};
    step.fields = RequestFields::describe(step.raw);
    story.add(std::move(step));
}

void tell_entry(Story& story, Snapshot& snapshot, Gpa table,
                const InterruptRemapper& engine, SourceId source)
{
    const auto at = snapshot.reads().front().at;
    Step step;
    step.structure = "IRTE";
    step.index = (at.value - table.value) / sizeof(Irte);
    step.at = at;
    step.raw = snapshot.words(at, sizeof(Irte));
    if (step.raw.empty()) {
        step.problem = name_of(WalkFault::Unreadable);
    } else {
        step.fields = IrteFields::describe(step.raw);
        step.source = check_source(entry_of(step.raw), source);
    }
    const auto now = step.raw;
    const auto kept = engine.cached(static_cast<std::uint32_t>(*step.index));
    story.add(std::move(step));
    if (kept) {
        const bool differs =
            now.empty() || !std::equal(now.begin(), now.end(), kept->dword.begin());
        Json json;
        json.open_object()
            .text("cache", "interrupt entry cache")
            .boolean("differs", differs)
            .key("raw")
            .words(kept->dword);
        json.close_object();
        story.beside_last(json.str(), differs);
    }
}

void write_message(Json& json, const Message& message)
{
    MsiAddress address;
    address.dword = {message.address.value};
    MsiData data;
    data.dword = {message.data};
    json.hex("address", message.address.value)
        .hex("data", message.data)
        .key("address-fields");
    MsiAddressFields::write(json, address);
    json.key("data-fields");
    MsiDataFields::write(json, data);
}

void write_refusal(Json& json, const InterruptFault& fault, bool muted)
{
    json.text("result", "refused").key("event");
    if (muted) {
        json.null().text("muted", name_of_value(fault.reason));
        return;
    }
    write_fault(json, fault);
}

}  // namespace

void walk_interrupt(Json& json, GuestMemory& memory, const InterruptRemapper& engine,
                    SourceId source, const Message& request)
{
    Snapshot snapshot(memory);
    FaultLog log(snapshot, 1);
    const auto judge = std::make_unique<InterruptRemapper>(snapshot.memory(), log);
    Heard heard;
    judge->listen(heard);
    const auto settings = engine.settings();
    judge->configure(settings);
    const auto message = judge->remap(source, request);

    Story story;
    const bool looked = !snapshot.reads().empty();
    tell_request(story, request);
    if (looked) {
        tell_entry(story, snapshot, settings.table[IrtaReg::IRTA], engine, source);
    }
    if (!message && heard.fault && story.last().problem.empty()) {
        story.last().problem = name_of_value(heard.fault->reason);
    }
    json.boolean("enabled", settings.enabled).key("steps");
    story.write(json);
    json.boolean("stale", story.stale()).key("verdict").open_object();
    if (message) {
        json.text("result", looked ? "remapped" : "passed");
        write_message(json, *message);
    } else if (heard.fault) {
        write_refusal(json, *heard.fault, heard.muted);
    }
    json.close_object();
}

}  // namespace iommu::introspect
