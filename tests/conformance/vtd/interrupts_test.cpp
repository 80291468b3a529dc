// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 5 "Interrupt Remapping": bit for bit from the request and the entry to the
// message.
#include "tests/conformance/vtd/rig.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint64_t entries = 0x10'0000;

struct Remapper : Board {
    // 2^(S + 1) entries; EIME is bit 11.
    explicit Remapper(std::uint64_t size = 0xf, bool x2apic = false)
    {
        w64(IRTA, entries | size | (x2apic ? 1u << 11 : 0));
        w32(GCMD, SIRTP);
        w32(GCMD, IRE);
        queue();
    }
    void entry(unsigned index, std::uint64_t low, std::uint64_t high = 0)
    {
        put(entries + 16 * index, {low, high});
        submit(0x04, 0);
    }
    std::optional<vtd::Message> send(std::uint64_t address, std::uint32_t data = 0)
    {
        return unit.remap_interrupt(SourceId{0x10}, {Gpa{address}, data});
    }
    // VT-d 5.1.2.2: handle 14:0 at 19:5, format at 4, SHV at 3, handle 15 at 2.
    static std::uint64_t request(unsigned handle, bool subhandle = false)
    {
        return 0xfee0'0010 | (handle & 0x7fff) << 5 | (handle >> 15) << 2 |
               (subhandle ? 8 : 0);
    }
};

constexpr std::uint64_t P = 1, to_apic_1 = 1ull << 40;

}  // namespace

// VT-d 5.1.2.2 "Interrupt Requests in Remappable Format" and 5.1.3: each bit of the
// handle counts.
TEST(Vtd_5_1_3_Index, HasEveryBitOfTheHandle)
{
    Remapper b;
    for (unsigned bit = 0; bit < 16; ++bit) {
        b.entry(1u << bit, (0x20ull + bit) << 16 | to_apic_1 | P);
    }
    for (unsigned bit = 0; bit < 16; ++bit) {
        const auto m = b.send(b.request(1u << bit));
        ASSERT_TRUE(m) << bit;
        EXPECT_EQ(m->data & 0xff, 0x20u + bit);
    }
}

// VT-d 5.1.3: with SHV the low 16 bits of the data are added.
TEST(Vtd_5_1_3_Index, IsTheSumOfHandleAndSubhandle)
{
    Remapper b;
    b.entry(0x1234, 0x55ull << 16 | to_apic_1 | P);
    for (const unsigned sub : {0u, 1u, 0x234u, 0x1234u}) {
        const auto m = b.send(b.request(0x1234 - sub, true), sub);
        ASSERT_TRUE(m) << sub;
        EXPECT_EQ(m->data & 0xff, 0x55u);
    }
    EXPECT_FALSE(b.send(b.request(0xffff, true), 0xffff)) << "beyond any table";
    EXPECT_EQ(b.take_reason(), 0x21u);
}

// VT-d 11.4.10.1 "Interrupt Remapping Table Address Register": 2^(S + 1) entries.
TEST(Vtd_5_1_3_Index, IsBelowTheSizeOfTheTable)
{
    for (unsigned s = 0; s < 16; ++s) {
        Remapper b(s);
        const unsigned last = (2u << s) - 1;
        b.entry(last, 0x66ull << 16 | to_apic_1 | P);
        EXPECT_TRUE(b.send(b.request(last))) << s;
        if (last != 0xffff) {
            b.entry(last + 1, 0x67ull << 16 | to_apic_1 | P);
            EXPECT_FALSE(b.send(b.request(last + 1))) << s;
            EXPECT_EQ(b.r64(FRCD), std::uint64_t{last + 1} << 48);
            EXPECT_EQ(b.take_reason(), 0x21u) << s;
        }
    }
}

// VT-d 5.1.4 and 9.10: vector, delivery mode, trigger, destination mode, hint and
// destination go where an interrupt message has them.
TEST(Vtd_9_10_Irte, EachFieldIsThatOfTheMessage)
{
    Remapper b;
    const auto message = [&](std::uint64_t fields) {
        b.entry(1, fields | P);
        const auto m = b.send(b.request(1));
        return m ? std::pair(m->address.value, m->data)
                 : std::pair<std::uint64_t, std::uint32_t>{};
    };
    const auto expect = [](std::uint64_t address, std::uint32_t data) {
        return std::pair(address, data);
    };
    EXPECT_EQ(message(0), expect(0xfee0'0000, 0x4000));
    for (unsigned bit = 0; bit < 8; ++bit) {
        EXPECT_EQ(message(1ull << (16 + bit)), expect(0xfee0'0000, 0x4000 | 1u << bit));
        EXPECT_EQ(message(1ull << (40 + bit)),
                  expect(0xfee0'0000 | 0x1000ull << bit, 0x4000));
    }
    EXPECT_EQ(message(1 << 2), expect(0xfee0'0004, 0x4000)) << "DM";
    EXPECT_EQ(message(1 << 3), expect(0xfee0'0008, 0x4000)) << "RH";
    EXPECT_EQ(message(1 << 4), expect(0xfee0'0000, 0xc000)) << "TM";
    for (const unsigned mode : {0u, 1u, 2u, 4u, 5u, 7u}) {
        EXPECT_EQ(message(mode << 5), expect(0xfee0'0000, 0x4000 | mode << 8)) << mode;
    }
    EXPECT_EQ(message(0xf << 8), expect(0xfee0'0000, 0x4000)) << "software's";
    EXPECT_EQ(b.r32(FSTS), 0u);
}

// VT-d 5.1.4, extended mode: all 32 bits of the destination.
TEST(Vtd_9_10_Irte, InX2apicModeTheDestinationHas32Bits)
{
    Remapper b(0xf, true);
    for (unsigned bit = 0; bit < 32; ++bit) {
        b.entry(1, 1ull << (32 + bit) | P);
        const auto m = b.send(b.request(1));
        ASSERT_TRUE(m) << bit;
        const std::uint64_t id =
            (m->address.value >> 12 & 0xff) | (m->address.value >> 40) << 8;
        EXPECT_EQ(id, 1ull << bit);
    }
}

// VT-d 9.10: what has no meaning must be zero, in each of its bits; and nothing arrives.
TEST(Vtd_9_10_Irte, ReservedBitsAreReason24h)
{
    Remapper b;
    const auto refused = [&](std::uint64_t low, std::uint64_t high) {
        b.entry(1, low | P, high);
        return b.send(b.request(1)) ? 0u : b.take_reason();
    };
    for (unsigned bit = 0; bit < 64; ++bit) {
        const bool reserved = (bit >= 12 && bit <= 14) || (bit >= 24 && bit <= 31);
        if (bit != 0 && bit != 1 && bit != 15 && !(bit >= 5 && bit <= 7)) {
            EXPECT_EQ(refused(1ull << bit, 0), reserved ? 0x24u : 0u) << bit;
        }
        if (bit >= 20) {
            EXPECT_EQ(refused(0, 1ull << bit), 0x24u) << 64 + bit;
        }
    }
    EXPECT_EQ(refused(3 << 5, 0), 0x24u);
    EXPECT_EQ(refused(6 << 5, 0), 0x24u);
}

// VT-d 5.1.2: neither format goes through while its conditions do not hold; remapping off
// lets both pass as they are.
TEST(Vtd_5_1_2_Formats, AreJudgedByIreCfisAndEime)
{
    const std::uint64_t compatible = 0xfee0'1000;
    for (const bool ire : {false, true}) {
        for (const bool cfi : {false, true}) {
            for (const bool x2apic : {false, true}) {
                Remapper b(0xf, x2apic);
                b.w32(GCMD, QIE | (ire ? IRE : 0) | (cfi ? CFI : 0));
                b.entry(1, 0x31ull << 16 | to_apic_1 | P);
                const auto passes = !ire || (cfi && !x2apic);
                const auto m = b.send(compatible, 0x77);
                EXPECT_EQ(m.has_value(), passes) << ire << cfi << x2apic;
                if (m) {
                    EXPECT_EQ(m->data, 0x77u);
                    EXPECT_EQ(m->address, Gpa{compatible});
                }
                EXPECT_EQ(b.take_reason(), passes ? 0u : 0x25u);
                const auto r = b.send(b.request(1));
                ASSERT_TRUE(r);
                EXPECT_EQ(r->data & 0xff, ire ? 0x31u : 0u);
            }
        }
    }
}

// VT-d 6.5.2.7 "Interrupt Entry Cache Invalidate": G, IIDX, IM.
TEST(Vtd_6_5_2_7_InterruptEntryCache, EachGranularityEndsWhatItNames)
{
    const auto ended = [](std::uint64_t descriptor) {
        Remapper b;
        const auto vector = [&](unsigned i) { return b.send(b.request(i))->data & 0xff; };
        for (unsigned i = 0; i < 16; ++i) {
            b.put(entries + 16 * i, {(0x40ull + i) << 16 | P, 0});
            EXPECT_EQ(vector(i), 0x40u + i);
            b.put(entries + 16 * i, {(0x80ull + i) << 16 | P, 0});
            EXPECT_EQ(vector(i), 0x40u + i) << "cached";
        }
        b.submit(descriptor, 0);
        unsigned mask = 0;
        for (unsigned i = 0; i < 16; ++i) {
            mask |= (vector(i) == 0x80u + i) << i;
        }
        return mask;
    };
    EXPECT_EQ(ended(0x04), 0xffffu);
    EXPECT_EQ(ended(0x14 | 5ull << 32), 0x0020u);
    EXPECT_EQ(ended(0x14 | 1ull << 27 | 4ull << 32), 0x0030u);
    EXPECT_EQ(ended(0x14 | 2ull << 27 | 8ull << 32), 0x0f00u);
    EXPECT_EQ(ended(0x14 | 15ull << 27), 0xffffu);
    EXPECT_EQ(ended(0x14 | 100ull << 32), 0u);
}

// VT-d 6.7 "Set Interrupt Remapping Table Pointer Operation": entries of the old table
// are not used any more.
TEST(Vtd_6_7_SetInterruptTablePointer, EndsWhatWasCachedOfTheOldTable)
{
    Remapper b;
    b.entry(1, 0x41ull << 16 | P);
    EXPECT_EQ(b.send(b.request(1))->data & 0xff, 0x41u);
    b.put(0x30'0010, {0x42ull << 16 | P, 0});
    b.w64(IRTA, 0x30'0000 | 0xf);
    EXPECT_EQ(b.send(b.request(1))->data & 0xff, 0x41u) << "SIRTP has not been written";
    b.w32(GCMD, QIE | IRE | SIRTP);
    EXPECT_EQ(b.send(b.request(1))->data & 0xff, 0x42u);
}
