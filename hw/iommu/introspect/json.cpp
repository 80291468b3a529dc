// SPDX-License-Identifier: GPL-2.0-or-later
// RFC 8259 "The JavaScript Object Notation (JSON) Data Interchange Format".
#include "hw/iommu/introspect/json.hpp"

#include <cinttypes>
#include <cstdio>

namespace iommu::introspect {

void Json::separate()
{
    if (!first_) {
        out_ += ',';
    }
    first_ = false;
}

Json& Json::open(char bracket)
{
    separate();
    out_ += bracket;
    first_ = true;
    return *this;
}

Json& Json::close(char bracket)
{
    out_ += bracket;
    first_ = false;
    return *this;
}

// RFC 8259 7 "Strings".  What is not ASCII cannot come from our own names and is shown as
// a question mark.
void Json::quote(std::string_view value)
{
    out_ += '"';
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            out_ += '\\';
            out_ += c;
        } else {
            out_ += c < 0x20 || c > 0x7e ? '?' : c;
        }
    }
    out_ += '"';
}

Json& Json::key(std::string_view name)
{
    separate();
    quote(name);
    out_ += ':';
    first_ = true;
    return *this;
}

Json& Json::text(std::string_view value)
{
    separate();
    quote(value);
    return *this;
}

Json& Json::number(std::uint64_t value)
{
    separate();
    out_ += std::to_string(value);
    return *this;
}

Json& Json::hex(std::uint64_t value)
{
    char digits[24];
    std::snprintf(digits, sizeof digits, "0x%" PRIx64, value);
    return text(digits);
}

Json& Json::boolean(bool value)
{
    separate();
    out_ += value ? "true" : "false";
    return *this;
}

Json& Json::null()
{
    separate();
    out_ += "null";
    return *this;
}

Json& Json::splice(std::string_view json)
{
    separate();
    out_ += json;
    return *this;
}

Json& Json::words(std::span<const std::uint64_t> values)
{
    open_list();
    for (const auto value : values) {
        char digits[24];
        std::snprintf(digits, sizeof digits, "0x%016" PRIx64, value);
        text(digits);
    }
    return close_list();
}

}  // namespace iommu::introspect
