// SPDX-License-Identifier: GPL-2.0-or-later
// x86: 16550, local APIC, interrupt descriptors.
#include "guest/acpi.hpp"
#include "guest/cpu.hpp"
#include "guest/mmio.hpp"

namespace iommu::guest::cpu {

namespace {

constexpr std::uint16_t serial = 0x3f8, line_status = 5;

void out8(std::uint16_t port, std::uint8_t value)
{
    asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

std::uint8_t in8(std::uint16_t port)
{
    std::uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

std::uint64_t read_msr(std::uint32_t n)
{
    std::uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(n));
    return low | std::uint64_t{high} << 32;
}

void write_msr(std::uint32_t n, std::uint64_t value)
{
    asm volatile("wrmsr" ::"c"(n), "a"(static_cast<std::uint32_t>(value)),
                 "d"(static_cast<std::uint32_t>(value >> 32))
                 : "memory");
}

// SDM 3A 11.4.1 "The Local APIC Block Diagram", 11.12 "Extended XAPIC (X2APIC)".
constexpr std::uint32_t apic_base_msr = 0x1b, x2apic_msrs = 0x800;
constexpr std::uint64_t x2apic_on = 1u << 10, apic_on = 1u << 11;
enum Local : std::uint32_t {
    Id = 0x20,
    Tpr = 0x80,
    Eoi = 0xb0,
    Svr = 0xf0,
    Timer = 0x320
};
constexpr std::uint32_t masked = 1u << 16, spurious_vector = 0xff;
constexpr std::uint8_t message_vector = 0x41;

std::uint64_t local_base = 0;
bool x2apic = false;

std::uint32_t read_local(Local r)
{
    return x2apic ? static_cast<std::uint32_t>(read_msr(x2apic_msrs + r / 16))
                  : peek<std::uint32_t>(local_base + r);
}

void write_local(Local r, std::uint32_t value)
{
    if (x2apic) {
        write_msr(x2apic_msrs + r / 16, value);
    } else {
        poke<std::uint32_t>(local_base + r, value);
    }
}

// SDM 3A 6.14.1 "64-Bit Mode IDT".
struct Gate {
    std::uint16_t offset_low, selector;
    std::uint8_t ist, type;
    std::uint16_t offset_middle;
    std::uint32_t offset_high, reserved;
};
static_assert(sizeof(Gate) == 16);
constexpr std::uint8_t interrupt_gate = 0x8e;
alignas(16) Gate gates[256];

void set_gate(unsigned vector, const char* at)
{
    std::uint16_t selector;
    asm volatile("movw %%cs, %0" : "=r"(selector));
    const auto offset = reinterpret_cast<std::uint64_t>(at);
    gates[vector] = {static_cast<std::uint16_t>(offset),
                     selector,
                     0,
                     interrupt_gate,
                     static_cast<std::uint16_t>(offset >> 16),
                     static_cast<std::uint32_t>(offset >> 32),
                     0};
}

}  // namespace

extern "C" {
extern char guest_exceptions[], guest_message[], guest_other[], guest_spurious[];
volatile std::uint32_t guest_messages = 0, guest_others = 0;
}

// Exceptions come with the error code on the stack, or without; none returns.
asm(R"(
    .text
    .p2align 4
guest_exceptions:
    .set vector, 0
    .rept 32
    .p2align 4
    movl $vector, %ecx
    jmp guest_exception_common
    .set vector, vector + 1
    .endr
guest_exception_common:
    cld
    movq (%rsp), %rdx
    movq 8(%rsp), %r8
    movq %cr2, %r9
    andq $-16, %rsp
    subq $32, %rsp
    call guest_exception
    .p2align 4
guest_message:
    lock incl guest_messages(%rip)
    iretq
    .p2align 4
guest_other:
    lock incl guest_others(%rip)
guest_spurious:
    iretq
)");

extern "C" void guest_exception(std::uint32_t vector, std::uint64_t first,
                                std::uint64_t second, std::uint64_t address)
{
    // SDM 3A 6.15: 8, 10 to 14, 17 and 21 push an error code.
    const bool has_code = ((1u << 8 | 0x7c00u | 1u << 17 | 1u << 21) >> vector & 1) != 0;
    stopped("exception", vector, has_code ? second : first, address);
}

void open_serial(const Acpi&) {}

// 16550: transmitter holding register empty, bit 5 of the line status.
void put(char c)
{
    while ((in8(serial + line_status) & 1u << 5) == 0) {
    }
    out8(serial, static_cast<std::uint8_t>(c));
}

void halt()
{
    for (;;) {
        asm volatile("cli\n hlt");
    }
}

void take_over()
{
    asm volatile("cli");
    for (unsigned vector = 0; vector < 256; ++vector) {
        set_gate(vector, vector < 32 ? guest_exceptions + 16 * vector : guest_other);
    }
    set_gate(message_vector, guest_message);
    set_gate(spurious_vector, guest_spurious);
    struct [[gnu::packed]] {
        std::uint16_t limit;
        std::uint64_t base;
    } idtr = {sizeof(gates) - 1, reinterpret_cast<std::uint64_t>(gates)};
    asm volatile("lidt %0" ::"m"(idtr) : "memory");
}

const char* start_interrupts(const Acpi&)
{
    constexpr std::uint8_t all = 0xff;
    out8(0x21, all);  // the two 8259s
    out8(0xa1, all);
    const auto base = read_msr(apic_base_msr);
    if ((base & apic_on) == 0) {
        return "the local APIC is off";
    }
    x2apic = (base & x2apic_on) != 0;
    local_base = base & ~0xfffull;
    write_local(Local::Timer, masked | spurious_vector);
    write_local(Local::Tpr, 0);
    write_local(Local::Svr, 1u << 8 | spurious_vector);
    return nullptr;
}

// The unit sends messages here.
void enable_wired(std::uint32_t) {}

// SDM 3A 11.11 "Message Signalled Interrupts": fixed, edge, to this processor.
void message(std::uint64_t& address, std::uint32_t& data)
{
    const auto id = x2apic ? read_local(Local::Id) : read_local(Local::Id) >> 24;
    address = 0xfee0'0000 | std::uint64_t{id} << 12;
    data = message_vector;
}

// SDM 3A 11.8.5 "Signaling Interrupt Servicing Completion": one EOI for each that was
// taken, also for what the firmware left behind.
std::uint32_t poll()
{
    const auto messages = guest_messages, others = guest_others;
    asm volatile("sti\n nop\n nop\n cli" ::: "memory");
    const auto taken = guest_messages - messages;
    for (auto n = taken + guest_others - others; n != 0; --n) {
        write_local(Local::Eoi, 0);
    }
    return taken != 0 ? message_vector : 0;
}

}  // namespace iommu::guest::cpu
