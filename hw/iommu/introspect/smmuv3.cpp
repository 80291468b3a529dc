// SPDX-License-Identifier: GPL-2.0-or-later
// An SMMUv3 asked about itself: docs/specs/introspection.rst.
#include "hw/iommu/introspect/arguments.hpp"
#include "hw/iommu/introspect/narrate.hpp"
#include "hw/iommu/introspect/smmuv3_walk.hpp"
#include "hw/iommu/smmuv3/requester.hpp"

namespace iommu::smmu {

using introspect::Arguments;
using introspect::Json;

namespace {

// Either name will do.
std::string_view substream_key(const Arguments& arguments)
{
    return arguments.has("pasid") ? "pasid" : "ssid";
}

}  // namespace

// The questions, each with the keys it knows.  False: the arguments say what is wrong.
class Smmuv3::Views {
public:
    explicit Views(Smmuv3& smmu) : smmu_(smmu) {}

    bool answer(std::string_view topic, std::string_view text, Json& json,
                std::string& error);

private:
    void walk(Arguments& arguments, Json& json);
    void stream(Arguments& arguments, Json& json);
    StreamId stream_id(Arguments& arguments) const
    {
        const auto bits = smmu_.configuration_.capabilities.sid_bits;
        return StreamId{static_cast<std::uint32_t>(
            arguments.required_requester("sid", (std::uint64_t{1} << bits) - 1))};
    }
    introspect::SmmuWorld world() const
    {
        return {smmu_.configuration_.capabilities, smmu_.settings(), smmu_.memory_};
    }

    Smmuv3& smmu_;
};

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
    introspect::walk(json, world(), sid, access);
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

bool Smmuv3::Views::answer(std::string_view topic, std::string_view text, Json& json,
                           std::string& error)
{
    Arguments arguments;
    if (topic == "walk") {
        error = arguments.parse(
            text, {"sid", "ssid", "pasid", "address", "access", "privilege"});
        if (error.empty()) {
            walk(arguments, json);
        }
    } else if (topic == "stream") {
        error = arguments.parse(text, {"sid", "ssid", "pasid"});
        if (error.empty()) {
            stream(arguments, json);
        }
    } else {
        error = "there is no such question";
    }
    if (error.empty()) {
        error = arguments.error();
    }
    return error.empty();
}

bool Smmuv3::ask(std::string_view topic, std::string_view arguments, std::string& answer)
{
    Json json;
    std::string error;
    const bool good = Views(*this).answer(topic, arguments, json, error);
    answer = good ? json.str() : std::string(topic) + ": " + error;
    return good;
}

}  // namespace iommu::smmu
