// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/qtest/smmuv3.hpp"

namespace qtest::smmuv3 {

namespace {

constexpr std::uint64_t bits(std::uint64_t value, unsigned low)
{
    return value << low;
}

Command tlbi(std::uint64_t op, std::uint16_t vmid, std::uint16_t asid,
             std::uint64_t address)
{
    return {op | bits(vmid, 32) | bits(asid, 48), address & ~std::uint64_t{0xfff}};
}

// SMMU 5.4 CD.TG0 and 5.2 STE.S2TG: 0 4K, 1 64K, 2 16K.
std::uint64_t tg(Granule granule)
{
    return granule == Granule::K4 ? 0 : granule == Granule::K64 ? 1 : 2;
}

}  // namespace

Command cfgi_ste(std::uint32_t sid)
{
    return {0x03 | bits(sid, 32), 1};
}
Command cfgi_all()
{
    return {0x04, 31};
}
Command cfgi_cd(std::uint32_t sid, std::uint32_t ssid)
{
    return {0x05 | bits(ssid, 12) | bits(sid, 32), 1};
}
Command cfgi_cd_all(std::uint32_t sid)
{
    return {0x06 | bits(sid, 32), 0};
}
Command tlbi_nh_all(std::uint16_t vmid)
{
    return tlbi(0x10, vmid, 0, 0);
}
Command tlbi_nh_asid(std::uint16_t vmid, std::uint16_t asid)
{
    return tlbi(0x11, vmid, asid, 0);
}
Command tlbi_nh_va(std::uint16_t vmid, std::uint16_t asid, std::uint64_t address)
{
    return tlbi(0x12, vmid, asid, address);
}
Command tlbi_nh_vaa(std::uint16_t vmid, std::uint64_t address)
{
    return tlbi(0x13, vmid, 0, address);
}
Command tlbi_s12_vmall(std::uint16_t vmid)
{
    return tlbi(0x28, vmid, 0, 0);
}
Command tlbi_s2_ipa(std::uint16_t vmid, std::uint64_t ipa)
{
    return tlbi(0x2a, vmid, 0, ipa);
}
Command tlbi_nsnh_all()
{
    return {0x30, 0};
}
Command sync_none()
{
    return {0x46, 0};
}
Command sync_irq()
{
    return {0x46 | bits(1, 12), 0};
}
Command sync_msi(std::uint64_t address, std::uint32_t data)
{
    return {0x46 | bits(1, 12) | bits(data, 32), address};
}

Driver::Driver(Machine& machine, std::uint64_t base, std::uint64_t memory)
    : machine_(machine), base_(base), memory_(memory), free_(memory)
{
}

Driver::Driver(const Driver& before, Machine& machine)
    : machine_(machine), base_(before.base_), memory_(before.memory_),
      free_(before.free_), strtab_(before.strtab_), cmdq_(before.cmdq_),
      eventq_(before.eventq_), sizes_(before.sizes_), prod_(before.prod_)
{
}

std::uint64_t Driver::allocate(std::uint64_t size, std::uint64_t alignment)
{
    free_ = (free_ + alignment - 1) & ~(alignment - 1);
    const std::uint64_t at = free_;
    free_ += size;
    machine_.fill(at, size, 0);
    return at;
}

void Driver::put(std::uint64_t at, const Words& words)
{
    std::array<std::uint8_t, 64> bytes;
    for (unsigned i = 0; i < 64; ++i) {
        bytes[i] = static_cast<std::uint8_t>(words[i / 8] >> (8 * (i % 8)));
    }
    machine_.write(at, bytes);
}

void Driver::enable(const Sizes& sizes)
{
    sizes_ = sizes;
    cmdq_ = allocate(16ull << sizes.cmdq_log2, 16ull << sizes.cmdq_log2);
    eventq_ = allocate(32ull << sizes.eventq_log2, 32ull << sizes.eventq_log2);
    strtab_ = allocate(64ull << sizes.sid_log2, 64ull << sizes.sid_log2);
    w64(STRTAB_BASE, strtab_ | bits(1, 62));
    w32(STRTAB_BASE_CFG, sizes.sid_log2);
    w64(CMDQ_BASE, cmdq_ | sizes.cmdq_log2 | bits(1, 62));
    w32(CMDQ_PROD, 0);
    w32(CMDQ_CONS, 0);
    w64(EVENTQ_BASE, eventq_ | sizes.eventq_log2 | bits(1, 62));
    w32(EVENTQ_PROD, 0);
    w32(EVENTQ_CONS, 0);
    prod_ = 0;
    w32(CR2, 2);        // RECINVSID
    w32(CR0, 1u << 3);  // CMDQEN
    submit_and_sync({cfgi_all(), tlbi_nsnh_all()});
    w32(IRQ_CTRL, 0b101);  // GERROR, EVENTQ
    w32(CR0, 0b1101);      // CMDQEN, EVENTQEN, SMMUEN
}

void Driver::two_level_table(unsigned log2size, unsigned split)
{
    const std::uint64_t l1_size = 8ull << (log2size - split);
    const std::uint64_t l1 = allocate(l1_size, l1_size < 4096 ? 4096 : l1_size);
    w32(CR0, 0b1100);
    w64(STRTAB_BASE, l1 | bits(1, 62));
    w32(STRTAB_BASE_CFG, log2size | split << 6 | 1u << 16);
    w32(CR0, 0b1101);
    submit_and_sync({cfgi_all()});
    strtab_ = l1;
}

void Driver::set_ste(std::uint32_t sid, const Words& ste)
{
    put(ste_address(sid), ste);
    submit_and_sync({cfgi_ste(sid)});
}

bool Driver::submit(std::initializer_list<Command> commands)
{
    const std::uint32_t size = 1u << sizes_.cmdq_log2;
    for (const Command& c : commands) {
        machine_.write64(cmdq_ + 16ull * (prod_ & (size - 1)), c[0]);
        machine_.write64(cmdq_ + 16ull * (prod_ & (size - 1)) + 8, c[1]);
        prod_ = (prod_ + 1) & (2 * size - 1);
    }
    w32(CMDQ_PROD, prod_);
    return (r32(CMDQ_CONS) & 0x7f0fffff) == prod_;
}

bool Driver::submit_and_sync(std::initializer_list<Command> commands)
{
    return submit(commands) && submit({sync_none()});
}

std::uint32_t Driver::events_waiting()
{
    const std::uint32_t mask = (2u << sizes_.eventq_log2) - 1;
    return ((r32(EVENTQ_PROD) & mask) - (r32(EVENTQ_CONS) & mask)) & mask;
}

bool Driver::next_event(Record& record)
{
    record = {};
    if (events_waiting() == 0) {
        return false;
    }
    const std::uint32_t mask = (2u << sizes_.eventq_log2) - 1;
    const std::uint32_t cons = r32(EVENTQ_CONS);
    for (unsigned i = 0; i < 4; ++i) {
        record[i] = machine_.read64(eventq_ + 32ull * (cons & (mask >> 1)) + 8 * i);
    }
    w32(EVENTQ_CONS, (cons & ~mask) | ((cons + 1) & mask));
    return true;
}

// SMMU 5.2: V, Config, S1ContextPtr, S1CDMax; S1DSS substream 0 (0b10), WB tables.
Words Driver::ste_stage1(std::uint64_t cd, unsigned s1cdmax) const
{
    return {1 | bits(unsigned(Config::S1), 1) | cd | bits(s1cdmax, 59),
            2 | bits(1, 2) | bits(1, 4) | bits(3, 6), 0, 0};
}

// S2VMID, S2T0SZ = 24 (40 bits), S2SL0 = 1 (level 1), WB inner shareable, S2PS = 44 bits,
// S2AA64, S2AFFD = 0, S2PTW = 0, S2R.
Words Driver::ste_stage2(std::uint64_t table, Granule granule, std::uint16_t vmid) const
{
    return {1 | bits(unsigned(Config::S2), 1), 0,
            vmid | bits(24, 32) | bits(1, 38) | bits(1, 40) | bits(1, 42) | bits(3, 44) |
                bits(tg(granule), 46) | bits(4, 48) | bits(1, 51) | bits(1, 58),
            table};
}

Words Driver::ste_nested(std::uint64_t cd, std::uint64_t table, std::uint16_t vmid) const
{
    Words ste = ste_stage1(cd);
    const Words second = ste_stage2(table, Granule::K4, vmid);
    ste[0] |= bits(unsigned(Config::Nested), 1);
    ste[2] = second[2];
    ste[3] = second[3];
    return ste;
}

// SMMU 5.4: T0SZ = 16, TG0, WB inner shareable, EPD1, V, IPS = 48 bits, AA64, R, A, ASET.
Words Driver::cd(std::uint64_t table, Granule granule, std::uint16_t asid) const
{
    return {16 | bits(tg(granule), 6) | bits(1, 8) | bits(1, 10) | bits(3, 12) |
                bits(1, 30) | bits(1, 31) | bits(5, 32) | bits(1, 41) | bits(1, 45) |
                bits(1, 46) | bits(1, 47) | bits(asid, 48),
            table, 0, 0xff};
}

std::uint64_t Driver::new_table(Granule granule)
{
    const std::uint64_t size = 1ull << unsigned(granule);
    return allocate(size, size);
}

std::uint64_t Driver::new_stage2_table()
{
    return allocate(8192, 8192);
}

std::uint64_t Driver::descriptor(std::uint64_t table, Shape shape, std::uint64_t input,
                                 unsigned level)
{
    const unsigned stride = shape.granule_log2 - 3;
    const std::uint64_t size = 1ull << shape.granule_log2;
    for (unsigned l = shape.start_level;; ++l) {
        const unsigned shift = shape.granule_log2 + (3 - l) * stride;
        const unsigned width = l == shape.start_level ? shape.root_bits : stride;
        const std::uint64_t at = table + 8 * (input >> shift & ((1ull << width) - 1));
        if (l == level) {
            return at;
        }
        std::uint64_t next = machine_.read64(at);
        if ((next & 3) != 3) {
            next = allocate(size, size) | 3;
            machine_.write64(at, next);
        }
        table = next & 0x0000fffffffff000;
    }
}

std::uint64_t Driver::leaf(std::uint64_t table, Granule granule, std::uint64_t input)
{
    // 48 bits of input: 4K starts at level 0 (9 bits), 16K at 0 (1 bit), 64K at 1 (6
    // bits).
    const Shape shape = granule == Granule::K4    ? Shape{12, 0, 9}
                        : granule == Granule::K16 ? Shape{14, 0, 1}
                                                  : Shape{16, 1, 6};
    return descriptor(table, shape, input, 3);
}

std::uint64_t Driver::leaf_stage2(std::uint64_t table, std::uint64_t input)
{
    return descriptor(table, {12, 1, 10}, input, 3);
}

void Driver::map(std::uint64_t table, Granule granule, const Mapping& m)
{
    const std::uint64_t step = 1ull << unsigned(granule);
    for (std::uint64_t at = 0; at < m.size; at += step) {
        machine_.write64(leaf(table, granule, m.input + at),
                         (m.output + at) | m.attributes | page);
    }
}

void Driver::map_stage2(std::uint64_t table, const Mapping& m)
{
    for (std::uint64_t at = 0; at < m.size; at += 4096) {
        machine_.write64(leaf_stage2(table, m.input + at),
                         (m.output + at) | m.attributes | page);
    }
}

void Driver::map_block_2m(std::uint64_t table, const Mapping& m)
{
    machine_.write64(descriptor(table, {12, 0, 9}, m.input, 2),
                     m.output | m.attributes | block);
}

}  // namespace qtest::smmuv3
