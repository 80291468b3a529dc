// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/oracle/vtd_machine.hpp"

#include "tests/oracle/host.hpp"

namespace oracle::vtd {
namespace {

// VT-d 11.4.
constexpr std::uint64_t CAP = 0x08, GCMD = 0x18, GSTS = 0x1c, RTADDR = 0x20, FSTS = 0x34,
                        IQT = 0x88, IQA = 0x90;
constexpr std::uint32_t TE = 1u << 31, SRTP = 1u << 30, QIE = 1u << 26;
constexpr std::uint32_t queue_bytes = 0x1000;

}  // namespace

Machine::Machine(Arena& arena, const WiVtdConfig& config, unsigned slot)
    : arena_(arena), scalable_(config.scalable_mode), queue_(Arena::base + slot * 0x4000)
{
    const WiHost host = host_over(arena);
    unit_ = wi_vtd_new(&config, &host, &error_);
    if (unit_ == nullptr) {
        return;
    }
    const WiRamRegion ram{Arena::base, Arena::ram_size, arena.host(), false};
    wi_iommu_set_ram(unit_, &ram, 1);
    wi_iommu_reset(unit_);
    records_ = (read64(CAP) >> 24 & 0x3ff) * 16;
    write64(IQA, queue_ | (scalable_ ? 1u << 11 : 0));  // 4 KiB; DW: 256-bit descriptors
    write64(IQT, 0);
    global_command(QIE, true);
}

void Machine::global_command(std::uint32_t bit, bool on)
{
    const std::uint32_t now = read32(GSTS) & (TE | QIE);
    write32(GCMD, on ? now | bit : now & ~bit);
}

void Machine::set_root_table(std::uint64_t address)
{
    global_command(TE, false);
    write64(RTADDR, address);
    global_command(SRTP, true);
    invalidate_everything();
    global_command(TE, true);
}

void Machine::put(std::uint64_t low, std::uint64_t high)
{
    const std::uint64_t at = queue_ + tail_;
    arena_.poke(at, low);
    arena_.poke(at + 8, high);
    if (scalable_) {
        arena_.poke(at + 16, 0);
        arena_.poke(at + 24, 0);
    }
    tail_ = (tail_ + (scalable_ ? 32 : 16)) % queue_bytes;
    write64(IQT, tail_);
}

void Machine::invalidate(std::uint64_t low, std::uint64_t high)
{
    put(low, high);
    put(0x5 | 1u << 6, 0);  // wait, fence
}

void Machine::invalidate_everything()
{
    put(0x1 | 1u << 4, 0);  // context cache, global
    if (scalable_) {
        put(0x7 | 3u << 4, 0);  // PASID cache, global
    }
    invalidate(0x2 | 1u << 4, 0);  // IOTLB, global
}

std::optional<Machine::Record> Machine::next_record()
{
    const Record r{read64(records_), read64(records_ + 8)};
    if (!(r[1] >> 63)) {
        return {};
    }
    write32(records_ + 12, 1u << 31);  // F is write-1-to-clear
    write32(FSTS, 1);                  // so is PFO
    return r;
}

}  // namespace oracle::vtd
