// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/introspect/faults.hpp"

#include <cstdio>
#include <ctime>
#include <vector>

#include "hw/iommu/introspect/narrate.hpp"

namespace iommu::introspect {
namespace {

// ISO 8601, with microseconds.
std::string wall_time(std::int64_t ns)
{
    const auto seconds = static_cast<std::time_t>(ns / 1'000'000'000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char date[24], all[40];
    std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(all, sizeof all, "%s.%06dZ", date,
                  static_cast<int>(ns % 1'000'000'000 / 1000));
    return all;
}

void write(Json& json, const RefusedNote& note, WriteRecord write_record)
{
    json.open_object()
        .number("serial", note.serial)
        .text("wall", wall_time(note.wall_ns))
        .number("virtual_ns", static_cast<std::uint64_t>(note.virtual_ns))
        .hex("sid", note.requester);
    write_access(json, note.access, "pasid");
    if (note.last != note.access.address) {
        json.hex("last", note.last.value);
    }
    json.boolean("recorded", note.recorded).key("event");
    if (note.words == 0) {
        json.null();
    } else {
        json.open_object()
            .text("name", note.name)
            .number("number", note.event)
            .key("raw")
            .words({note.raw.data(), note.words})
            .key("fields");
        write_record(json, note);
        json.close_object();
    }
    json.close_object();
}

}  // namespace

void write_fault_counts(Json& json, const FaultHistory::Look& look, EventName name)
{
    json.number("total", look.total)
        .number("stops", look.stops)
        .key("events")
        .open_object();
    for (const auto& [event, count] : look.by_event) {
        json.number(event == 0 ? "without event" : name(event), count);
    }
    json.close_object().key("sources").open_list();
    for (const auto& [requester, count] : look.by_requester) {
        json.open_object().hex("sid", requester).number("count", count).close_object();
    }
    json.close_list().number("other_sources", look.uncounted);
}

void write_faults(Json& json, Arguments& arguments, const FaultHistory& history,
                  WriteRecord write_record)
{
    const auto sid = arguments.requester("sid", 0xffffff);
    const auto limit = arguments.number("limit", FaultHistory::kept);
    if (!arguments.error().empty()) {
        return;
    }
    const auto look = history.look();
    json.open_object().number("total", look.total).key("sources").open_list();
    for (const auto& [requester, count] : look.by_requester) {
        if (!sid || *sid == requester) {
            json.open_object()
                .hex("sid", requester)
                .number("count", count)
                .close_object();
        }
    }
    json.close_list().number("other_sources", look.uncounted).key("faults").open_list();
    std::vector<const RefusedNote*> asked;
    for (const auto& note : look.notes) {
        if (!sid || note.requester == *sid) {
            asked.push_back(&note);
        }
    }
    const auto most = limit.value_or(FaultHistory::kept);
    for (auto i = asked.size() > most ? asked.size() - most : 0; i < asked.size(); ++i) {
        write(json, *asked[i], write_record);
    }
    json.close_list().close_object();
}

namespace {

// By the manual's name or by number.
std::optional<unsigned> event_number(const std::string& text, EventName name)
{
    for (unsigned event = 1; event < 256; ++event) {
        if (name(event) == text && text != "unknown") {
            return event;
        }
    }
    Arguments number;
    if (!number.parse("event=" + text, "event").empty()) {
        return std::nullopt;
    }
    const auto value = number.number("event", 0xff);
    return value ? std::optional(static_cast<unsigned>(*value)) : std::nullopt;
}

std::string set_filter(FaultHistory& history, std::string_view value, EventName name)
{
    Arguments a;
    auto error = a.parse(value, "sid, pasid, first, last, event, access");
    if (!error.empty()) {
        return error;
    }
    FaultHistory::Filter f;
    f.text = value;
    if (const auto sid = a.requester("sid", 0xffffff)) {
        f.requester = static_cast<std::uint32_t>(*sid);
    }
    if (const auto pasid = a.number("pasid", 0xfffff)) {
        f.pasid = static_cast<std::uint32_t>(*pasid);
    }
    f.first = a.number("first", ~std::uint64_t{0}).value_or(f.first);
    f.last = a.number("last", ~std::uint64_t{0}).value_or(f.last);
    if (f.first > f.last) {
        a.refuse("first= is above last=");
    }
    if (a.has("event")) {
        f.event = event_number(a.text("event"), name);
        if (!f.event) {
            a.refuse("event=" + a.text("event") + " is no event of this device");
        }
    }
    if (a.has("access")) {
        f.access =
            a.choice("access", {"read", "write"}) == 1 ? Access::Write : Access::Read;
    }
    if (a.error().empty()) {
        history.set_filter(f);
    }
    return a.error();
}

std::string set_action(FaultHistory& history, std::string_view value)
{
    using Action = FaultHistory::Action;
    constexpr std::pair<std::string_view, Action> known[] = {
        {"record", Action::Record}, {"stop", Action::Stop}, {"off", Action::Off}};
    for (const auto& [name, action] : known) {
        if (name == value) {
            history.set_action(action);
            return {};
        }
    }
    return std::string(value) + " is none of record, stop, off";
}

}  // namespace

std::string set_fault_option(FaultHistory& history, std::string_view option,
                             std::string_view value, EventName name)
{
    const auto error = option == "fault-filter"   ? set_filter(history, value, name)
                       : option == "fault-action" ? set_action(history, value)
                                                  : "there is no such option";
    return error.empty() ? error : std::string(option) + ": " + error;
}

}  // namespace iommu::introspect
