// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/introspect/narrate.hpp"

namespace iommu::introspect {
namespace {

std::string letters(Rights of_user)
{
    std::string out;
    out += of_user.has(Rights::user_read) ? 'r' : '-';
    out += of_user.has(Rights::user_write) ? 'w' : '-';
    out += of_user.has(Rights::user_execute) ? 'x' : '-';
    return out;
}

const char* name_of(EntryKind kind)
{
    switch (kind) {
    case EntryKind::Bad:
        return "invalid";
    case EntryKind::Table:
        return "table";
    case EntryKind::Leaf:
        return "page or block";
    }
    return "";
}

void write(Json& json, const Step& step)
{
    json.open_object().text("structure", step.structure);
    if (step.level) {
        json.number("level", static_cast<std::uint64_t>(*step.level));
    }
    if (step.index) {
        json.number("index", *step.index);
    }
    json.number("depth", step.depth);
    if (step.asked_at) {
        json.hex("ipa", *step.asked_at);
    }
    if (step.at) {
        json.hex("at", step.at->value);
    }
    if (!step.raw.empty()) {
        json.key("raw").words(step.raw);
    }
    if (!step.fields.empty()) {
        json.key("fields").splice(step.fields);
    }
    if (step.kind) {
        json.text("kind", name_of(*step.kind));
    }
    if (step.output) {
        json.hex("output", *step.output);
    }
    if (step.log2size != 0) {
        json.hex("size", std::uint64_t{1} << step.log2size);
    }
    if (step.granted) {
        json.key("granted");
        write_rights(json, *step.granted);
    }
    if (!step.sets.empty()) {
        json.key("sets").splice(step.sets);
    }
    if (!step.source.empty()) {
        json.key("source").splice(step.source);
    }
    if (!step.cached.empty()) {
        json.key("cached").open_list();
        for (const auto& cached : step.cached) {
            json.splice(cached);
        }
        json.close_list();
    }
    if (!step.problem.empty()) {
        json.text("problem", step.problem);
    }
    json.close_object();
}

}  // namespace

const char* name_of(WalkFault why)
{
    switch (why) {
    case WalkFault::OutOfRange:
        return "no table covers the address";
    case WalkFault::Translation:
        return "not valid";
    case WalkFault::Reserved:
        return "a reserved bit is set";
    case WalkFault::AddressSize:
        return "points beyond the output address size";
    case WalkFault::AccessFlag:
        return "the access flag is clear";
    case WalkFault::Permission:
        return "the access is not permitted";
    case WalkFault::Unreadable:
        return "nobody answers at this address";
    }
    return "";
}

void write_rights(Json& json, Rights rights)
{
    json.open_object()
        .text("user", letters(rights.of(Privilege::User)))
        .text("privileged", letters(rights.of(Privilege::Privileged)))
        .close_object();
}

void write_access(Json& json, const Transaction& access, std::string_view substream)
{
    if (access.substream.present) {
        json.number(substream, access.substream.value);
    }
    json.hex("address", access.address.value)
        .text("access", access.access == Access::Write           ? "write"
                        : access.content == Content::Instruction ? "execute"
                                                                 : "read")
        .text("privilege",
              access.privilege == Privilege::Privileged ? "privileged" : "user");
}

Step& Story::add(Step step)
{
    if (steps_.size() >= most) {
        return ignored_ = std::move(step);
    }
    return steps_.emplace_back(std::move(step));
}

void Story::beside_last(std::string cached, bool differs)
{
    if (!steps_.empty()) {
        steps_.back().cached.push_back(std::move(cached));
        stale_ |= differs;
    }
}

void Story::write(Json& json) const
{
    json.open_list();
    for (const auto& step : steps_) {
        introspect::write(json, step);
    }
    json.close_list();
}

void tell_abort(Story& story, const char* structure, Gpa at, unsigned depth)
{
    Step step;
    step.structure = structure;
    step.at = at;
    step.depth = depth;
    step.problem = name_of(WalkFault::Unreadable);
    story.add(std::move(step));
}

void tell_range(Story& story, const Telling& telling, std::uint64_t input)
{
    Step step;
    step.structure = telling.input;
    step.asked_at = input;
    step.depth = telling.depth;
    step.problem = telling.out_of_range;
    story.add(std::move(step));
}

}  // namespace iommu::introspect
