// SPDX-License-Identifier: GPL-2.0-or-later
// The fields of a spec/ structure by the manual's names: the names are those of the
// declarations themselves, so that nothing is spelled twice.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "hw/iommu/introspect/json.hpp"

namespace iommu::introspect {

// "V" of Ste::V, as the compiler spells the template's argument.
template <const auto& Field>
consteval std::string_view name_of()
{
    std::string_view text = __PRETTY_FUNCTION__;
    text = text.substr(text.find("Field = ") + 8);
    text = text.substr(0, text.find_first_of(";]"));
    return text.substr(text.rfind(':') + 1);
}

// The enumerator of E that has this value, or empty.
template <typename E, E Value>
consteval std::string_view enumerator()
{
    std::string_view text = __PRETTY_FUNCTION__;
    text = text.substr(text.find("Value = ") + 8);
    text = text.substr(0, text.find_first_of(";]"));
    // A value without a name is spelled as a cast.
    return text.find('(') == text.npos ? text.substr(text.rfind(':') + 1)
                                       : std::string_view{};
}
template <typename E, std::size_t... V>
consteval auto enumerators(std::index_sequence<V...>)
{
    return std::array<std::string_view, sizeof...(V)>{
        enumerator<E, static_cast<E>(V)>()...};
}
// Of an enumeration of 8 bits, by the manual's name.
template <typename E>
std::string_view name_of_value(E value)
{
    static_assert(sizeof(E) == 1);
    static constexpr auto names = enumerators<E>(std::make_index_sequence<256>());
    const auto name = names[static_cast<std::uint8_t>(value)];
    return name.empty() ? std::string_view("unknown") : name;
}

template <typename Value>
constexpr std::uint64_t plain(Value v)
{
    if constexpr (requires { v.value; }) {
        return v.value;
    } else {
        return static_cast<std::uint64_t>(v);
    }
}

// An address field that its structure keeps shifted: by how many bits.  What is shown is
// the address.
template <const auto& Field>
inline constexpr unsigned shift_of = 0;

// Fields of D, in the order they are to be shown.
template <typename D, const auto&... Field>
struct FieldList {
    static constexpr std::size_t words = sizeof(D) / 8;

    // Bits that are neither shown nor reserved: the structure's list of Ignored ones.
    static consteval std::array<std::uint64_t, words> unnamed()
    {
        auto left = D::layout;
        ((left[Field.lo / 64] |= Field.mask), ...);
        for (auto& word : left) {
            word = ~word;
        }
        return left;
    }
    static void write(Json& json, const D& descriptor)
    {
        json.open_object();
        (write_one<Field>(json, descriptor), ...);
        json.close_object();
    }

    // The same of doublewords as they stand in memory: at least as many as D has.
    static void write_words(Json& json, std::span<const std::uint64_t> raw)
    {
        D d;
        std::copy_n(raw.begin(), d.dword.size(), d.dword.begin());
        write(json, d);
    }
    static std::string describe(std::span<const std::uint64_t> raw)
    {
        Json json;
        write_words(json, raw);
        return json.str();
    }

private:
    template <const auto& F>
    static void write_one(Json& json, const D& descriptor)
    {
        const auto value = plain(descriptor[F]) << shift_of<F>;
        constexpr bool wide = F.hi - F.lo >= 32 || shift_of<F> != 0 || requires
        {
            std::remove_cvref_t<decltype(F)>::value_type::value;
        };
        if (wide) {
            json.hex(name_of<F>(), value);
        } else {
            json.number(name_of<F>(), value);
        }
    }
};

}  // namespace iommu::introspect
