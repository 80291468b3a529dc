// SPDX-License-Identifier: GPL-2.0-or-later
// The messages of HPET and IOAPIC go through the interrupt remapper: VT-d 5.1 "Interrupt
// Remapping".
#include "tests/qtest/q35.hpp"

namespace {

using namespace qtest;
using q35::ram;
using q35::unit;

// VT-d 11.4.
enum : std::uint64_t {
    GCMD = unit + 0x18,
    FSTS = unit + 0x34,
    IRTA = unit + 0xb8,
    FRCD = unit + 0x220,
};
constexpr std::uint32_t IRE = 1u << 25, SIRTP = 1u << 24;
// IA-PC HPET 2.3 "Register Definitions": General Configuration, timer 0.
enum : std::uint64_t {
    hpet = 0xfed00000,
    general = hpet + 0x10,
    counter = hpet + 0xf0,
    configuration = hpet + 0x100,
    comparator = hpet + 0x108,
    route = hpet + 0x110,
};
constexpr std::uint32_t interrupt_enable = 1 << 2, fsb_enable = 1 << 14,
                        fsb_capable = 1 << 15;
constexpr std::uint64_t entries = ram + 0x8000;
constexpr std::uint64_t source = 0xff08;  // what the DMAR says: ff:01.0

class Vtd_Hpet : public q35::Test {
protected:
    void boot_hpet()
    {
        boot({"-global", "hpet.msi=on", "-device", "winiommu-vtd"});
        ASSERT_TRUE(machine);
        ASSERT_EQ(machine->read32(configuration) & fsb_capable, fsb_capable);
    }
    // Timer 0 sends `data` to `address`, once.
    void fire(std::uint32_t address, std::uint32_t data)
    {
        machine->write32(general, 0);
        machine->write32(counter, 0);
        machine->write32(counter + 4, 0);
        machine->write32(configuration, 0);
        machine->write32(route, data);
        machine->write32(route + 4, address);
        machine->write32(configuration, interrupt_enable | fsb_enable);
        machine->write32(comparator, 1000);
        machine->write32(comparator + 4, 0);
        machine->write32(general, 1);
        machine->step_clock(1'000'000);
        machine->write32(general, 0);
    }
    void remap()
    {
        machine->write64(IRTA, entries | 7);  // 256 entries
        machine->write32(GCMD, SIRTP);
        machine->write32(GCMD, IRE);
    }
    // VT-d 9.10 "Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts":
    // present, edge, fixed, to APIC 0; the source is compared whole.
    void entry(unsigned index, std::uint8_t vector, std::uint64_t sid)
    {
        machine->write64(entries + 16 * index, std::uint64_t{vector} << 16 | 1);
        machine->write64(entries + 16 * index + 8, 1ull << 18 | sid);
    }
    // Whether APIC 0 has the vector requested, as the monitor tells it.
    bool requested(unsigned vector)
    {
        const auto text = machine->hmp("info lapic");
        const auto line = text.find("IRR");
        const auto found = text.find(" " + std::to_string(vector), line);
        return line != text.npos && found != text.npos && found < text.find("PPR", line);
    }
};

TEST_F(Vtd_Hpet, WithoutRemappingItsMessageArrivesAsItIs)
{
    boot_hpet();
    EXPECT_FALSE(requested(0x51));
    fire(0xfee00000, 0x51);
    EXPECT_TRUE(requested(0x51)) << machine->hmp("info lapic");
}

TEST_F(Vtd_Hpet, ARemappableMessageTakesItsEntry)
{
    boot_hpet();
    entry(3, 0x62, source);
    remap();
    // VT-d 5.1.2.2 "Interrupt Requests in Remappable Format": handle at 19:5, format
    // at 4.
    fire(0xfee00000 | 3 << 5 | 1 << 4, 0);
    EXPECT_EQ(machine->read32(FSTS), 0u);
    EXPECT_TRUE(requested(0x62)) << machine->hmp("info lapic");
}

// QEMU's own unit never saw the HPET's messages: they reached the APIC whatever it said.
TEST_F(Vtd_Hpet, ACompatibilityMessageIsBlockedAndRecorded)
{
    boot_hpet();
    remap();
    fire(0xfee00000, 0x51);
    EXPECT_FALSE(requested(0x51));
    EXPECT_EQ(machine->read64(FRCD + 8), 0x8000'0025'0000'0000u | source);
}

// VT-d 7.1.4: reason 26h, the source is not the entry's.
TEST_F(Vtd_Hpet, AnEntryOfAnotherSourceIsRefused)
{
    boot_hpet();
    entry(3, 0x62, 0xff00);
    remap();
    fire(0xfee00000 | 3 << 5 | 1 << 4, 0);
    EXPECT_FALSE(requested(0x62));
    EXPECT_EQ(machine->read64(FRCD + 8), 0x8000'0026'0000'0000u | source);
    EXPECT_EQ(machine->read64(FRCD) >> 48, 3u) << "interrupt index";
}

// 82093AA 3.2.4 "I/O Redirection Table Registers": entry 20, which the HPET's timer 0 is
// routed to.
class Vtd_Ioapic : public Vtd_Hpet {
protected:
    static constexpr std::uint64_t selector = 0xfec00000, window = 0xfec00010;
    static constexpr unsigned pin = 20;
    static constexpr std::uint64_t source = 0xff00;  // what the DMAR says: ff:00.0

    // VT-d 5.1.5.1 "I/OxAPIC Programming": handle 14:0 at 63:49, format at 48, handle 15
    // at 11.
    static std::uint64_t remappable(unsigned handle, std::uint8_t vector)
    {
        return std::uint64_t{handle & 0x7fff} << 49 | 1ull << 48 | handle >> 15 << 11 |
               vector;
    }
    void program(std::uint64_t entry)
    {
        for (const unsigned half : {1u, 0u}) {
            machine->write32(selector, 0x10 + 2 * pin + half);
            machine->write32(window, static_cast<std::uint32_t>(entry >> 32 * half));
        }
    }
    // An edge at the pin.
    void pull()
    {
        machine->write32(general, 0);
        machine->write32(counter, 0);
        machine->write32(counter + 4, 0);
        machine->write32(configuration, interrupt_enable | pin << 9);
        machine->write32(comparator, 1000);
        machine->write32(comparator + 4, 0);
        machine->write32(general, 1);
        machine->step_clock(1'000'000);
        machine->write32(general, 0);
    }
};

TEST_F(Vtd_Ioapic, Vtd_5_1_5_1_AnEntryInRemappableFormatTakesItsIrte)
{
    boot({"-device", "winiommu-vtd"});
    machine->write64(IRTA, entries | 7);
    machine->write32(GCMD, SIRTP);
    entry(5, 0x63, source);
    machine->write32(GCMD, IRE);
    program(remappable(5, 0x41));
    pull();
    EXPECT_EQ(machine->read32(FSTS), 0u);
    EXPECT_TRUE(requested(0x63)) << machine->hmp("info lapic");
    EXPECT_FALSE(requested(0x41)) << "the IRTE's vector, not the entry's";
}

TEST_F(Vtd_Ioapic, Vtd_5_1_4_AnEntryInCompatibilityFormatIsBlocked)
{
    boot({"-device", "winiommu-vtd"});
    program(0x51);
    pull();
    EXPECT_TRUE(requested(0x51)) << "nothing is remapped yet";
    machine->write64(IRTA, entries | 7);
    machine->write32(GCMD, SIRTP);
    machine->write32(GCMD, IRE);
    program(0x52);
    pull();
    EXPECT_FALSE(requested(0x52));
    EXPECT_EQ(machine->read64(FRCD + 8), 0x8000'0025'0000'0000u | source);
}

}  // namespace
