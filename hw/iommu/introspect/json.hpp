// SPDX-License-Identifier: GPL-2.0-or-later
// JSON text, written front to back.  Numbers of more than 32 bits are strings in
// hexadecimal: many readers of JSON have no 64-bit integers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace iommu::introspect {

class Json {
public:
    // A value: an element of a list, or what follows key().
    Json& text(std::string_view value);
    Json& number(std::uint64_t value);
    Json& hex(std::uint64_t value);
    Json& boolean(bool value);
    Json& null();
    Json& words(std::span<const std::uint64_t> values);
    // JSON that was written elsewhere.
    Json& splice(std::string_view json);

    Json& open_object() { return open('{'); }
    Json& close_object() { return close('}'); }
    Json& open_list() { return open('['); }
    Json& close_list() { return close(']'); }
    Json& key(std::string_view name);

    // key() and a value in one.
    Json& text(std::string_view name, std::string_view v) { return key(name).text(v); }
    Json& number(std::string_view name, std::uint64_t v) { return key(name).number(v); }
    Json& hex(std::string_view name, std::uint64_t v) { return key(name).hex(v); }
    Json& boolean(std::string_view name, bool v) { return key(name).boolean(v); }

    const std::string& str() const { return out_; }

private:
    Json& open(char bracket);
    Json& close(char bracket);
    void separate();
    void quote(std::string_view value);

    std::string out_;
    bool first_ = true;
};

}  // namespace iommu::introspect
