// SPDX-License-Identifier: GPL-2.0-or-later
// Questions as they are typed: "sid=00:02.0,address=0x1000,access=write".
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "iommu/transaction.hpp"

namespace iommu::introspect {

class Arguments {
public:
    // Empty, or one line saying what is wrong.  `known`: the keys of this question, as
    // "sid, address", or empty.
    std::string parse(std::string_view text, std::string_view known);

    // The first value that is wrong, or that must be given and is not, is kept as
    // error().
    std::optional<std::uint64_t> number(std::string_view key, std::uint64_t most);
    std::uint64_t required(std::string_view key, std::uint64_t most);
    // A requester: a number, or bus:device.function.
    std::optional<std::uint64_t> requester(std::string_view key, std::uint64_t most);
    std::uint64_t required_requester(std::string_view key, std::uint64_t most);
    // One of `values`, as its index; the first one when it is not given.
    unsigned choice(std::string_view key, std::initializer_list<std::string_view> values);
    std::string text(std::string_view key) const;
    bool has(std::string_view key) const { return values_.count(std::string(key)) != 0; }

    const std::string& error() const { return error_; }
    void refuse(std::string line);

private:
    std::map<std::string, std::string> values_;
    std::string error_;
};

// address, access, privilege and `substream` of an access; `arguments` holds what is
// wrong.
Transaction access_of(Arguments& arguments, std::string_view substream);

}  // namespace iommu::introspect
