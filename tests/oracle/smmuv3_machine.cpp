// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/oracle/smmuv3_machine.hpp"

#include "tests/oracle/host.hpp"

namespace oracle {
namespace {

// SMMU 6.2.1, 6.2.2.
constexpr std::uint64_t CR0 = 0x20, CR2 = 0x2c, STRTAB_BASE = 0x80,
                        STRTAB_BASE_CFG = 0x88, CMDQ_BASE = 0x90, CMDQ_PROD = 0x98,
                        CMDQ_CONS = 0x9c, EVENTQ_BASE = 0xa0, EVENTQ_PROD = 0x100a8,
                        EVENTQ_CONS = 0x100ac;

}  // namespace

SmmuMachine::SmmuMachine(Arena& arena, const WiSmmuv3Config& config, unsigned slot)
    : arena_(arena), commands_(Arena::base + slot * 0x4000), events_(commands_ + 0x2000)
{
    const WiHost host = host_over(arena);
    smmu_ = wi_smmuv3_new(&config, &host, &error_);
    if (smmu_ == nullptr) {
        return;
    }
    const WiRamRegion ram{Arena::base, Arena::ram_size, arena.host(), false};
    wi_iommu_set_ram(smmu_, &ram, 1);
    wi_iommu_reset(smmu_);
    write64(CMDQ_BASE, commands_ | log2_queue);
    write64(EVENTQ_BASE, events_ | log2_queue);
    write32(CMDQ_PROD, 0);
    write32(CMDQ_CONS, 0);
    write32(EVENTQ_PROD, 0);
    write32(EVENTQ_CONS, 0);
    write32(CR2, 1u << 1);  // RECINVSID
}

void SmmuMachine::set_stream_table(std::uint64_t base, std::uint32_t cfg)
{
    write32(CR0,
            1u << 2 | 1u << 3);  // EVENTQEN, CMDQEN: the table changes while disabled
    write64(STRTAB_BASE, base);
    write32(STRTAB_BASE_CFG, cfg);
    command(0x04, 31);  // CMD_CFGI_ALL
    command(0x30, 0);   // CMD_TLBI_NSNH_ALL
    command(0x46, 0);   // CMD_SYNC
    write32(CR0, 1u << 0 | 1u << 2 | 1u << 3);
}

void SmmuMachine::command(std::uint64_t low, std::uint64_t high)
{
    const std::uint64_t at = commands_ + (prod_ & ((1u << log2_queue) - 1)) * 16;
    arena_.poke(at, low);
    arena_.poke(at + 8, high);
    prod_ = (prod_ + 1) & ((2u << log2_queue) - 1);
    write32(CMDQ_PROD, prod_);
}

unsigned SmmuMachine::queue_error() const
{
    const std::uint32_t cons = read32(CMDQ_CONS);
    const unsigned code = cons >> 24 & 0x7f;
    return (cons & ((2u << log2_queue) - 1)) == prod_ ? code : code == 0 ? 0xff : code;
}

std::optional<SmmuMachine::Record> SmmuMachine::next_record()
{
    const std::uint32_t prod = read32(EVENTQ_PROD) & ((2u << log2_queue) - 1);
    if (prod == cons_) {
        return {};
    }
    Record record;
    const std::uint64_t at = events_ + (cons_ & ((1u << log2_queue) - 1)) * 32;
    for (unsigned i = 0; i < 4; ++i) {
        record[i] = arena_.peek(at + 8 * i);
    }
    cons_ = (cons_ + 1) & ((2u << log2_queue) - 1);
    write32(EVENTQ_CONS, cons_);
    return record;
}

}  // namespace oracle
