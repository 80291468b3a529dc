// SPDX-License-Identifier: GPL-2.0-or-later
// What winiommu-dma does when its doorbell rings: one command, cut into accesses, each
// moved or aborted.  docs/specs/winiommu-dma.rst is the manual.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "iommu/host.hpp"
#include "iommu/transaction.hpp"

namespace iommu::dma {

enum class Command : std::uint8_t {
    Nop = 0x00,
    Read = 0x01,
    Write = 0x02,
    Copy = 0x03,
    Fill = 0x04,
    Compare = 0x05,
    Checksum = 0x06,
    FetchAdd = 0x08,
    Swap = 0x09,
    CompareSwap = 0x0a,
    Translate = 0x0c,
};

enum class Status : std::uint8_t { Idle, Busy, Done, Aborted, Mismatch, Rejected };

enum class Reason : std::uint8_t {
    None,
    UnknownCommand,
    Length,
    Repeat,
    TooMuchWork,
    AccessSize,
    OutsideBuffer,
    Atomic,
    Substream,
    Attributes,
    Ats,
};

enum class FailKind : std::uint8_t { None, Read, Write, Atomic };

inline constexpr std::uint32_t max_length = 1u << 24;
inline constexpr std::uint32_t max_repeat = 1u << 16;
inline constexpr std::uint64_t max_bytes = 1u << 26;
inline constexpr std::uint64_t max_accesses = 1u << 18;
inline constexpr std::uint32_t page = 4096;  // PCIe 2.2.7: no request crosses it

// What the function asks of its bus: one access of `size` bytes within one 4 KiB page.
struct BusAccess {
    Transaction transaction{};
    std::size_t size = 0;
};

class Bus {
public:
    virtual MemoryResult transfer(const BusAccess& access, std::byte* data) = 0;
    // Host memory behind the access, readable and writable, or nullptr: abort.
    virtual void* pin(const BusAccess& access) = 0;
    virtual void unpin(const BusAccess& access, void* pinned) = 0;

protected:
    ~Bus() = default;
};

// How the addresses of a job are meant, and sent.
enum class Addressing : std::uint8_t {
    Plain,   // untranslated requests
    Cached,  // through the function's own cache: ATS is enabled
    Forged   // they are system addresses, sent as if translated
};

// The descriptor registers at the moment the doorbell rang.
struct Job {
    std::uint32_t command = 0;  // as written: may be no Command at all
    std::uint64_t source = 0;
    std::uint64_t destination = 0;
    std::uint32_t length = 0;
    std::uint32_t repeat = 0;
    std::uint64_t source_stride = 0;
    std::uint64_t destination_stride = 0;
    std::uint32_t pasid = 0;  // bit 31: valid
    bool privileged = false;
    bool execute = false;
    bool keep_going = false;
    std::uint64_t pattern = 0;
    std::uint64_t pattern_step = 0;
    std::uint64_t operand = 0;
    std::uint64_t expected = 0;
    std::uint32_t buffer_offset = 0;
    std::uint32_t access_size = 0;
    Addressing addressing = Addressing::Plain;
    bool no_write = false;  // Translate
};

struct Result {
    Status status = Status::Done;
    Reason reason = Reason::None;
    std::uint64_t bytes = 0;
    std::uint64_t fail_address = 0;
    std::uint32_t fail_count = 0;
    FailKind fail_kind = FailKind::None;
    std::uint32_t accesses = 0;
    std::uint32_t crc32 = 0;
    std::uint64_t old_value = 0;
    std::uint64_t mismatch_offset = 0;
    std::uint8_t found = 0;
    std::uint8_t wanted = 0;
};

// Reason::None when the job may run.  `attributes_reach`: somebody above the function
// understands PASID, privilege and execute.
enum class AttributePath : bool { None, Present };
enum class AtsPath : std::uint8_t { None, Disabled, Enabled };
Reason check(const Job& job, std::size_t buffer_size, AttributePath path,
             AtsPath ats = AtsPath::None);

// Bounded by check(); touches nothing but the bus and the buffer, so any thread may run
// it.
Result run(const Job& job, Bus& bus, std::span<std::byte> buffer);

std::uint32_t crc32_update(std::uint32_t crc, std::span<const std::byte> bytes);

}  // namespace iommu::dma
