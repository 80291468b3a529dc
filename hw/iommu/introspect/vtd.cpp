// SPDX-License-Identifier: GPL-2.0-or-later
// A VT-d unit asked about itself: docs/specs/introspection.rst.
#include "hw/iommu/introspect/arguments.hpp"
#include "hw/iommu/introspect/narrate.hpp"
#include "hw/iommu/introspect/vtd_walk.hpp"
#include "hw/iommu/vtd/device.hpp"

namespace iommu::vtd {

using introspect::Arguments;
using introspect::Json;

// The questions, each with the keys it knows.  False: the arguments say what is wrong.
class Vtd::Views {
public:
    explicit Views(Vtd& vtd) : vtd_(vtd) {}

    bool answer(std::string_view topic, std::string_view text, Json& json,
                std::string& error);

private:
    void walk(Arguments& arguments, Json& json);
    void context(Arguments& arguments, Json& json);
    static SourceId source_id(Arguments& arguments)
    {
        return SourceId{
            static_cast<std::uint16_t>(arguments.required_requester("sid", 0xffff))};
    }
    introspect::VtdWorld world() const
    {
        return {vtd_.configuration_, vtd_.settings(), vtd_.memory_};
    }

    Vtd& vtd_;
};

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

bool Vtd::Views::answer(std::string_view topic, std::string_view text, Json& json,
                        std::string& error)
{
    Arguments arguments;
    if (topic == "walk") {
        error = arguments.parse(text, {"sid", "pasid", "address", "access", "privilege"});
        if (error.empty()) {
            walk(arguments, json);
        }
    } else if (topic == "context") {
        error = arguments.parse(text, {"sid", "pasid"});
        if (error.empty()) {
            context(arguments, json);
        }
    } else {
        error = "there is no such question";
    }
    if (error.empty()) {
        error = arguments.error();
    }
    return error.empty();
}

bool Vtd::ask(std::string_view topic, std::string_view arguments, std::string& answer)
{
    Json json;
    std::string error;
    const bool good = Views(*this).answer(topic, arguments, json, error);
    answer = good ? json.str() : std::string(topic) + ": " + error;
    return good;
}

}  // namespace iommu::vtd
