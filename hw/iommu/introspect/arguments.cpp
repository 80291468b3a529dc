// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/introspect/arguments.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace iommu::introspect {
namespace {

std::string quoted(std::string_view text)
{
    return "'" + std::string(text) + "'";
}

std::optional<std::uint64_t> parse_number(const std::string& text, int base)
{
    const bool digits =
        !text.empty() && text[0] != '-' && text[0] != '+' && text[0] != ' ';
    char* end = nullptr;
    errno = 0;
    const auto value = std::strtoull(text.c_str(), &end, base);
    if (!digits || *end != '\0' || errno != 0) {
        return std::nullopt;
    }
    return value;
}

// PCI: bb:dd.f, all in hexadecimal.
std::optional<std::uint64_t> parse_bdf(const std::string& text)
{
    const auto colon = text.find(':'), dot = text.find('.');
    if (colon == std::string::npos || dot == std::string::npos || dot < colon) {
        return std::nullopt;
    }
    const auto bus = parse_number(text.substr(0, colon), 16);
    const auto device = parse_number(text.substr(colon + 1, dot - colon - 1), 16);
    const auto function = parse_number(text.substr(dot + 1), 16);
    if (!bus || !device || !function || *bus > 0xff || *device > 0x1f || *function > 7) {
        return std::nullopt;
    }
    return *bus << 8 | *device << 3 | *function;
}

}  // namespace

void Arguments::refuse(std::string line)
{
    if (error_.empty()) {
        error_ = std::move(line);
    }
}

std::string Arguments::parse(std::string_view text, std::string_view known)
{
    const auto take = [](std::string_view& from, std::string_view separator) {
        const auto end = std::min(from.find(separator), from.size());
        const auto item = from.substr(0, end);
        from.remove_prefix(std::min(end + separator.size(), from.size()));
        return item;
    };
    while (!text.empty()) {
        const auto item = take(text, ",");
        const auto equals = item.find('=');
        const auto key = item.substr(0, equals);
        bool is_known = false;
        for (auto names = known; !names.empty();) {
            is_known |= take(names, ", ") == key;
        }
        if (equals == std::string_view::npos || !is_known) {
            return quoted(item) + " is no key=value with one of the keys " +
                   (known.empty() ? "(none)" : std::string(known));
        }
        if (!values_.emplace(key, item.substr(equals + 1)).second) {
            return quoted(key) + " is given twice";
        }
    }
    return {};
}

std::string Arguments::text(std::string_view key) const
{
    const auto found = values_.find(std::string(key));
    return found == values_.end() ? std::string() : found->second;
}

std::optional<std::uint64_t> Arguments::number(std::string_view key, std::uint64_t most)
{
    if (!has(key)) {
        return std::nullopt;
    }
    const auto value = parse_number(text(key), 0);
    if (!value || *value > most) {
        char limit[24];
        std::snprintf(limit, sizeof limit, "0x%" PRIx64, most);
        refuse(std::string(key) + "=" + text(key) + " is no number from 0 to " + limit);
        return std::nullopt;
    }
    return value;
}

std::uint64_t Arguments::required(std::string_view key, std::uint64_t most)
{
    if (!has(key)) {
        refuse(std::string(key) + "= is missing");
    }
    return number(key, most).value_or(0);
}

std::optional<std::uint64_t> Arguments::requester(std::string_view key,
                                                  std::uint64_t most)
{
    if (text(key).find(':') == std::string::npos) {
        return number(key, most);
    }
    const auto bdf = parse_bdf(text(key));
    if (!bdf || *bdf > most) {
        refuse(std::string(key) + "=" + text(key) +
               " is no bus:device.function, such as 00:02.0");
        return std::nullopt;
    }
    return bdf;
}

std::uint64_t Arguments::required_requester(std::string_view key, std::uint64_t most)
{
    if (!has(key)) {
        refuse(std::string(key) + "= is missing");
    }
    return requester(key, most).value_or(0);
}

unsigned Arguments::choice(std::string_view key,
                           std::initializer_list<std::string_view> values)
{
    if (!has(key)) {
        return 0;
    }
    const auto given = text(key);
    std::string names;
    unsigned index = 0;
    for (const auto value : values) {
        if (value == given) {
            return index;
        }
        ++index;
        names += (names.empty() ? "" : ", ") + std::string(value);
    }
    refuse(std::string(key) + "=" + given + " is none of " + names);
    return 0;
}

Transaction access_of(Arguments& arguments, std::string_view substream)
{
    Transaction access;
    access.address = Iova{arguments.required("address", ~std::uint64_t{0})};
    const auto kind = arguments.choice("access", {"read", "write", "execute"});
    access.access = kind == 1 ? Access::Write : Access::Read;
    access.content = kind == 2 ? Content::Instruction : Content::Data;
    access.privilege = arguments.choice("privilege", {"user", "privileged"}) == 1
                           ? Privilege::Privileged
                           : Privilege::User;
    if (const auto value = arguments.number(substream, 0xfffff)) {
        access.substream = {static_cast<std::uint32_t>(*value), true};
    }
    return access;
}

}  // namespace iommu::introspect
