// SPDX-License-Identifier: GPL-2.0-or-later
// ACPI 6.2.5 "_DSD (Device Specific Data)" in AML, ACPI 20.2 "AML Grammar Definition".
// The UUIDs and property names are Microsoft's: "DSD for PCIe Root Ports".
#include <string_view>

#include "iommu/acpi.hpp"

namespace iommu::acpi {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t ZeroOp = 0x00, OneOp = 0x01, NameOp = 0x08, BytePrefix = 0x0a,
                       WordPrefix = 0x0b, DWordPrefix = 0x0c, StringPrefix = 0x0d,
                       BufferOp = 0x11, PackageOp = 0x12;

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

}  // namespace

std::vector<std::byte> build_root_port_dsd(const RootPortProperties& p)
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
    std::vector<std::byte> out;
    for (const std::uint8_t b : aml) {
        out.push_back(static_cast<std::byte>(b));
    }
    return out;
}

}  // namespace iommu::acpi
