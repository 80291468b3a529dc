// SPDX-License-Identifier: GPL-2.0-or-later
// ACPI 6.2.5 "_DSD (Device Specific Data)" in AML, ACPI 20.2 "AML Grammar Definition".
// The UUIDs and property names are Microsoft's: "DSD for PCIe Root Ports".
#include <algorithm>
#include <string_view>

#include "hw/acpi/table.hpp"
#include "iommu/acpi.hpp"

namespace iommu::acpi {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t ZeroOp = 0x00, OneOp = 0x01, NameOp = 0x08, BytePrefix = 0x0a,
                       WordPrefix = 0x0b, DWordPrefix = 0x0c, StringPrefix = 0x0d,
                       ScopeOp = 0x10, BufferOp = 0x11, PackageOp = 0x12,
                       DualNamePrefix = 0x2e, MultiNamePrefix = 0x2f, ExtOpPrefix = 0x5b,
                       DeviceOp = 0x82;
constexpr std::uint8_t ssdt_revision = 2;

void append(Bytes& to, const Bytes& from)
{
    to.insert(to.end(), from.begin(), from.end());
}

// ACPI 20.2.4 "Package Length Encoding", which counts itself.
Bytes with_length(const Bytes& content)
{
    const std::size_t n = content.size();
    Bytes out;
    if (n + 1 < 0x40) {
        out = {static_cast<std::uint8_t>(n + 1)};
    } else {
        out = {static_cast<std::uint8_t>(0x40 | ((n + 2) & 0xf)),
               static_cast<std::uint8_t>((n + 2) >> 4)};
    }
    append(out, content);
    return out;
}

Bytes package(const std::vector<Bytes>& elements)
{
    Bytes content{static_cast<std::uint8_t>(elements.size())};
    for (const auto& e : elements) {
        append(content, e);
    }
    Bytes out{PackageOp};
    append(out, with_length(content));
    return out;
}

Bytes string(std::string_view s)
{
    Bytes out{StringPrefix};
    out.insert(out.end(), s.begin(), s.end());
    out.push_back(0);
    return out;
}

Bytes integer(std::uint32_t v)
{
    if (v <= 1) {
        return {v == 0 ? ZeroOp : OneOp};
    }
    const unsigned width = v <= 0xff ? 1 : v <= 0xffff ? 2 : 4;
    Bytes out{width == 1 ? BytePrefix : width == 2 ? WordPrefix : DWordPrefix};
    for (unsigned i = 0; i < width; ++i) {
        out.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
    }
    return out;
}

// ACPI 19.6 "ToUUID": the first three groups are little-endian.
Bytes uuid(std::uint32_t a, std::uint16_t b, std::uint16_t c, std::uint64_t rest)
{
    Bytes content{BytePrefix, 16};
    const auto little = [&](std::uint64_t v, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i) {
            content.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
        }
    };
    little(a, 4);
    little(b, 2);
    little(c, 2);
    for (unsigned i = 8; i-- > 0;) {
        content.push_back(static_cast<std::uint8_t>(rest >> (8 * i)));
    }
    Bytes out{BufferOp};
    append(out, with_length(content));
    return out;
}

Bytes property(std::string_view name, std::uint32_t value)
{
    return package({string(name), integer(value)});
}

Bytes dsd(const RootPortProperties& p)
{
    std::vector<Bytes> elements;
    if (p.hot_plug_in_d3) {
        elements.push_back(uuid(0x6211e2c0, 0x58a3, 0x4af3, 0x90e1927a4e0c55a4));
        elements.push_back(package({property("HotPlugSupportInD3", 1)}));
    }
    if (p.external_facing_uid) {
        elements.push_back(uuid(0xefcc06cc, 0x73ac, 0x4bc3, 0xbff076143807c389));
        elements.push_back(package({property("ExternalFacingPort", 1),
                                    property("UID", *p.external_facing_uid)}));
    }
    if (p.dma_property_uid) {
        elements.push_back(uuid(0x70d24161, 0x6dd5, 0x4c9e, 0x8070705531292865));
        elements.push_back(
            package({property("DmaProperty", 1), property("UID", *p.dma_property_uid)}));
    }
    if (elements.empty()) {
        return {};
    }
    Bytes aml{NameOp, '_', 'D', 'S', 'D'};
    append(aml, package(elements));
    return aml;
}

// "S10" is S10_: a name segment has four characters (ACPI 20.2.2 "Name Objects
// Encoding").
bool is_segment(std::string_view s)
{
    const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return !s.empty() && s.size() <= 4 && letter(s[0]) &&
           std::all_of(s.begin(), s.end(), [&](char c) { return letter(c) || digit(c); });
}

Bytes segment(std::string_view s)
{
    Bytes out(s.begin(), s.end());
    out.resize(4, '_');
    return out;
}

// "\_SB.PCI0" in segments; empty when it is no absolute path.
std::vector<std::string_view> segments(std::string_view path)
{
    std::vector<std::string_view> out;
    if (!path.starts_with('\\')) {
        return out;
    }
    path.remove_prefix(1);
    while (true) {
        const auto dot = path.find('.');
        out.push_back(path.substr(0, dot));
        if (!is_segment(out.back())) {
            return {};
        }
        if (dot == path.npos) {
            return out;
        }
        path.remove_prefix(dot + 1);
    }
}

Bytes name_path(const std::vector<std::string_view>& names)
{
    Bytes out{'\\'};
    if (names.size() == 2) {
        out.push_back(DualNamePrefix);
    } else if (names.size() > 2) {
        append(out, {MultiNamePrefix, static_cast<std::uint8_t>(names.size())});
    }
    for (const auto name : names) {
        append(out, segment(name));
    }
    return out;
}

// Scope (\_SB.PCI0.S10) { _DSD }, or, for a port nothing has described yet,
// Scope (\_SB.PC10) { Device (S10) { _ADR, _DSD } }.
Bytes root_port(const RootPort& port)
{
    auto names = segments(port.host_bridge);
    Bytes content = dsd(port.properties);
    if (port.declare) {
        Bytes device = segment(port.name);
        append(device, {NameOp, '_', 'A', 'D', 'R'});
        append(device, integer(static_cast<std::uint32_t>(port.address.device) << 16 |
                               port.address.function));
        append(device, content);
        content = {ExtOpPrefix, DeviceOp};
        append(content, with_length(device));
    } else {
        names.push_back(port.name);
    }
    Bytes body = name_path(names);
    append(body, content);
    Bytes out{ScopeOp};
    append(out, with_length(body));
    return out;
}

std::string check(const RootPort& port)
{
    if (segments(port.host_bridge).empty() || segments(port.host_bridge).size() > 8) {
        return "SSDT: '" + port.host_bridge +
               "' is no path of a host bridge; write it like \\_SB.PCI0";
    }
    if (!is_segment(port.name)) {
        return "SSDT: '" + port.name +
               "' is no name of a device; use up to four of A-Z, 0-9";
    }
    if (dsd(port.properties).empty()) {
        return "SSDT: root port " + port.name +
               " has no property; give it one or leave it out";
    }
    return {};
}

}  // namespace

std::vector<std::byte> build_root_port_dsd(const RootPortProperties& p)
{
    const Bytes aml = dsd(p);
    std::vector<std::byte> out(aml.size());
    std::transform(aml.begin(), aml.end(), out.begin(),
                   [](auto b) { return std::byte{b}; });
    return out;
}

Table build_root_ports_ssdt(const RootPorts& d)
{
    Bytes aml;
    for (const auto& port : d.ports) {
        if (auto error = check(port); !error.empty()) {
            return {{}, std::move(error)};
        }
        append(aml, root_port(port));
    }
    if (aml.empty()) {
        return {{}, "SSDT: there is no root port to describe; name one"};
    }
    constexpr std::size_t header = 36;
    Block table(header + aml.size());
    for (std::size_t i = 0; i < aml.size(); ++i) {
        table.u8(header + i, aml[i]);
    }
    finish_header(table, "SSDT", ssdt_revision, d.ids);
    return {std::move(table).release(), {}};
}

}  // namespace iommu::acpi
