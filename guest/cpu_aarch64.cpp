// SPDX-License-Identifier: GPL-2.0-or-later
// Arm: PL011, GICv3 through its system registers, exception vectors.  UEFI leaves us at
// EL1.
#include "guest/acpi.hpp"
#include "guest/cpu.hpp"
#include "guest/mmio.hpp"

namespace iommu::guest::cpu {

namespace {

std::uint64_t serial = 0x0900'0000, distributor = 0;

// GIC 12.9 "The GIC Distributor register map".
constexpr std::uint64_t GICD_CTLR = 0, GICD_IGROUPR = 0x80, GICD_ISENABLER = 0x100,
                        GICD_ICPENDR = 0x280, GICD_IPRIORITYR = 0x400, GICD_ICFGR = 0xc00,
                        GICD_IROUTER = 0x6000;
constexpr std::uint32_t EnableGrp1 = 1u << 1, ARE = 1u << 4;
constexpr std::uint32_t first_shared = 32, no_interrupt = 1020;

void set_bit(std::uint64_t registers, std::uint32_t n)
{
    const auto at = distributor + registers + n / 32 * 4;
    poke<std::uint32_t>(at, peek<std::uint32_t>(at) | 1u << n % 32);
}

}  // namespace

// ACPI SPCR: interface type at 36 (3: PL011), base address at 44.
void open_serial(const Acpi& acpi)
{
    std::size_t size = 0;
    const auto* spcr = acpi.table("SPCR", size);
    if (spcr != nullptr && size >= 52 && spcr[36] == 3) {
        serial = load<std::uint64_t>(spcr + 44);
    }
}

// PL011 3.3.3 "Flag register": TXFF, bit 5.
void put(char c)
{
    while ((peek<std::uint32_t>(serial + 0x18) & 1u << 5) != 0) {
    }
    poke<std::uint32_t>(serial, static_cast<std::uint8_t>(c));
}

void halt()
{
    for (;;) {
        asm volatile("wfi");
    }
}

// One for each of the sixteen vectors: none of them returns.
extern "C" void guest_exception(std::uint64_t vector)
{
    std::uint64_t syndrome, at, address;
    asm volatile("mrs %0, esr_el1" : "=r"(syndrome));
    asm volatile("mrs %0, elr_el1" : "=r"(at));
    asm volatile("mrs %0, far_el1" : "=r"(address));
    stopped(vector % 4 == 0 ? "exception" : "unexpected interrupt", syndrome, at,
            address);
}

asm(R"(
    .text
    .balign 2048
guest_vectors:
    .set vector, 0
    .rept 16
    .balign 128
    mov x0, #vector
    b guest_exception
    .set vector, vector + 1
    .endr
)");
extern "C" char guest_vectors[];

void take_over()
{
    asm volatile("msr daifset, #15");
    std::uint64_t vectors;
    asm volatile("adrp %0, guest_vectors\n add %0, %0, :lo12:guest_vectors"
                 : "=r"(vectors));
    asm volatile("msr vbar_el1, %0\n isb" ::"r"(vectors));
}

// ACPI 5.2.12.15 "GIC Distributor (GICD) Structure": type 0x0c, base address at 8.
const char* start_interrupts(const Acpi& acpi)
{
    std::size_t size = 0;
    const auto* madt = acpi.table("APIC", size);
    for (std::size_t at = 44; madt != nullptr && at + 16 <= size && madt[at + 1] != 0;
         at += madt[at + 1]) {
        if (madt[at] == 0x0c) {
            distributor = load<std::uint64_t>(madt + at + 8);
        }
    }
    if (distributor == 0) {
        return "the MADT has no GIC distributor";
    }
    poke<std::uint32_t>(distributor + GICD_CTLR, ARE | EnableGrp1);
    std::uint64_t enabled;
    asm volatile("mrs %0, S3_0_C12_C12_5" : "=r"(enabled));                // ICC_SRE_EL1
    asm volatile("msr S3_0_C12_C12_5, %0\n isb" ::"r"(enabled | 1));       // SRE
    asm volatile("msr S3_0_C4_C6_0, %0" ::"r"(std::uint64_t{0xff}));       // ICC_PMR_EL1
    asm volatile("msr S3_0_C12_C12_7, %0\n isb" ::"r"(std::uint64_t{1}));  // ICC_IGRPEN1
    return nullptr;
}

// GIC 12.9.9 "GICD_ICFGR": two bits each, 0b10 for edges.
void enable_wired(std::uint32_t gsiv)
{
    if (gsiv < first_shared || gsiv >= no_interrupt || distributor == 0) {
        return;
    }
    const auto config = distributor + GICD_ICFGR + gsiv / 16 * 4;
    poke<std::uint32_t>(config, peek<std::uint32_t>(config) | 2u << gsiv % 16 * 2);
    poke<std::uint8_t>(distributor + GICD_IPRIORITYR + gsiv, 0x80);
    std::uint64_t self;
    asm volatile("mrs %0, mpidr_el1" : "=r"(self));
    poke<std::uint64_t>(distributor + GICD_IROUTER + gsiv * 8, self & 0xff'00ff'ffff);
    set_bit(GICD_IGROUPR, gsiv);
    poke<std::uint32_t>(distributor + GICD_ICPENDR + gsiv / 32 * 4, 1u << gsiv % 32);
    set_bit(GICD_ISENABLER, gsiv);
}

// The unit's events are wired here.
void message(std::uint64_t& address, std::uint32_t& data)
{
    address = 0;
    data = 0;
}

// Acknowledged by hand: the processor itself has interrupts masked.
std::uint32_t poll()
{
    std::uint64_t interrupt;
    asm volatile("isb\n mrs %0, S3_0_C12_C12_0\n dsb sy" : "=r"(interrupt));  // ICC_IAR1
    if (interrupt >= no_interrupt) {
        return 0;
    }
    asm volatile("msr S3_0_C12_C12_1, %0\n isb" ::"r"(interrupt));  // ICC_EOIR1_EL1
    return static_cast<std::uint32_t>(interrupt);
}

}  // namespace iommu::guest::cpu
