// SPDX-License-Identifier: GPL-2.0-or-later
// What the two processors do differently.  One processor runs; interrupts are taken at
// poll() and nowhere else.
#pragma once

#include <cstdint>

namespace iommu::guest {

class Acpi;

namespace cpu {

#ifdef __aarch64__
inline constexpr bool arm64 = true;
#else
inline constexpr bool arm64 = false;
#endif

// Everything masked; exceptions end the run with a line that says where.
void take_over();

// Finds the interrupt controller and its own place in it.  Null, or why not.
const char* start_interrupts(const Acpi& acpi);
// A GSIV that a device pulses.
void enable_wired(std::uint32_t gsiv);
// Where a device has to write what, for a message to arrive here.
void message(std::uint64_t& address, std::uint32_t& data);

// An interrupt that has arrived since the last call: a GSIV or message data; 0: none.
std::uint32_t poll();

// Of the serial port the firmware names, or the customary one.
void open_serial(const Acpi& acpi);
void put(char c);

void halt [[noreturn]] ();

}  // namespace cpu

// Called by exceptions; says what happened and powers off.
void stopped [[noreturn]] (const char* what, std::uint64_t code, std::uint64_t at,
                           std::uint64_t address);

}  // namespace iommu::guest
