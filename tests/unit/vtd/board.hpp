// SPDX-License-Identifier: GPL-2.0-or-later
// A VT-d unit on a machine of one RAM block, driven the way software drives it: raw
// registers, tables and descriptors as raw doublewords.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <thread>

#include "hw/iommu/vtd/device.hpp"
#include "tests/support/fake_host.hpp"

namespace iommu::test {

// VT-d 11.1, spelled out here so that a test shares no constant with the device.
enum : std::uint64_t {
    VER = 0x00,
    CAP = 0x08,
    ECAP = 0x10,
    GCMD = 0x18,
    GSTS = 0x1c,
    RTADDR = 0x20,
    CCMD = 0x28,
    FSTS = 0x34,
    FECTL = 0x38,
    FEDATA = 0x3c,
    FEADDR = 0x40,
    FEUADDR = 0x44,
    PMEN = 0x64,
    IQH = 0x80,
    IQT = 0x88,
    IQA = 0x90,
    ICS = 0x9c,
    IECTL = 0xa0,
    IEDATA = 0xa4,
    IEADDR = 0xa8,
    IEUADDR = 0xac,
    IQERCD = 0xb0,
    IRTA = 0xb8,
    IVA = 0xf0,
    IOTLB = 0xf8,
    FRCD = 0x220,
};
constexpr std::uint32_t TE = 1u << 31, SRTP = 1u << 30, QIE = 1u << 26, IRE = 1u << 25,
                        SIRTP = 1u << 24, CFI = 1u << 23;

inline vtd::Configuration plain()
{
    return {};
}
inline vtd::Configuration scalable()
{
    vtd::Configuration c;
    c.scalable_mode = true;
    return c;
}

struct Board {
    explicit Board(const vtd::Configuration& c = plain(), std::size_t ram = 8 << 20)
        : host(ram), unit(c, host)
    {
        host.map_into(unit.memory());
    }

    std::uint32_t r32(std::uint64_t at)
    {
        return static_cast<std::uint32_t>(unit.mmio_read(at, 4));
    }
    std::uint64_t r64(std::uint64_t at) { return unit.mmio_read(at, 8); }
    void w32(std::uint64_t at, std::uint64_t v) { unit.mmio_write(at, 4, v); }
    void w64(std::uint64_t at, std::uint64_t v) { unit.mmio_write(at, 8, v); }

    void put(std::uint64_t at, std::initializer_list<std::uint64_t> words)
    {
        for (const auto w : words) {
            host.store64(Gpa{at}, w);
            at += 8;
        }
    }
    std::uint64_t get(std::uint64_t at) { return host.load64(Gpa{at}); }

    // Legacy root table at 0x1000, the context table of bus 0 at 0x2000.
    void legacy_root()
    {
        put(0x1000, {0x2001, 0});
        w64(RTADDR, 0x1000);
        w32(GCMD, SRTP);
    }
    void context(unsigned devfn, std::uint64_t low, std::uint64_t high)
    {
        put(0x2000 + devfn * 16, {low, high});
    }
    // Domain 5, 4 levels, tables at 0x10000, 0x11000, 0x12000; the 4 KiB pages from
    // 0x4000'0000 up have their entries at 0x13000.
    void legacy_4k(unsigned devfn = 0x10)
    {
        legacy_root();
        context(devfn, 0x10001, 0x502);
        put(0x10000, {0x11003});
        put(0x11008, {0x12003});
        put(0x12000, {0x13003});
        put(0x13000, {0x50'0003, 0x50'1001, 0x50'2002, 0});
        w32(GCMD, TE);
    }

    Stream& stream(unsigned sid = 0x10)
    {
        return *unit.stream(sid, &cookies[sid & 0xff]);
    }
    struct Result {
        bool ok = false;
        Translation t{};
    };
    Result access(const Transaction& t, unsigned sid = 0x10)
    {
        Result r;
        r.ok = stream(sid).translate(t, r.t) == Stream::Result::Ok;
        return r;
    }
    Result read(std::uint64_t at, unsigned sid = 0x10)
    {
        return access({.address = Iova{at}, .access = Access::Read}, sid);
    }
    Result write(std::uint64_t at, unsigned sid = 0x10)
    {
        return access({.address = Iova{at}, .access = Access::Write}, sid);
    }

    // The reason in fault record `n`, 0 when the record is empty.
    unsigned reason(unsigned n = 0)
    {
        const auto high = r64(FRCD + 16 * n + 8);
        return high >> 63 ? (high >> 32) & 0xff : 0;
    }
    void clear_faults()
    {
        for (unsigned n = 0; n < ((r64(CAP) >> 40) & 0xff) + 1; ++n) {
            w32(FRCD + 16 * n + 12, 1u << 31);
        }
        w32(FSTS, 0x71);
    }
    // What software does after a refused access: read the reason, clear the record.
    unsigned take_reason()
    {
        const auto why = reason();
        clear_faults();
        return why;
    }

    // A queue of one page at 0x8000, 128-bit descriptors; 256-bit ones in scalable mode.
    bool wide = false;
    void queue(bool descriptors_of_256_bits = false)
    {
        wide = descriptors_of_256_bits;
        w64(IQT, 0);
        w64(IQA, 0x8000 | (wide ? 1u << 11 : 0));
        w32(GCMD, (r32(GSTS) & 0x96ff'ffff) | QIE);
    }
    void submit(std::uint64_t low, std::uint64_t high)
    {
        const auto tail = r64(IQT);
        if (wide) {
            put(0x8000 + tail, {low, high, 0, 0});
        } else {
            put(0x8000 + tail, {low, high});
        }
        w64(IQT, (tail + (wide ? 32 : 16)) & 0xfff);
    }

    test::FakeHost host;
    vtd::Vtd unit;
    char cookies[256] = {};
};

}  // namespace iommu::test
