// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 6 "Memory map and registers".
#include "hw/iommu/smmuv3/device.hpp"

#include <algorithm>

#include "hw/iommu/smmuv3/fields.hpp"
#include "hw/iommu/smmuv3/requester.hpp"

namespace iommu::smmu {

namespace {

// SMMU 6.3.14: without ATTR_TYPES_OVR "use incoming" is what SHCFG amounts to.
constexpr auto gbpa_use_incoming =
    static_cast<std::uint32_t>(Gbpa{}.with(Gbpa::SHCFG, 0b01).dword[0]);

constexpr std::uint32_t low(std::uint64_t v)
{
    return static_cast<std::uint32_t>(v);
}
constexpr std::uint32_t high(std::uint64_t v)
{
    return static_cast<std::uint32_t>(v >> 32);
}

// SMMU 6.2: a 64-bit register is two separately writable halves.
constexpr std::uint64_t with_low(std::uint64_t whole, std::uint32_t half)
{
    return (whole & 0xffff'ffff'0000'0000) | half;
}
constexpr std::uint64_t with_high(std::uint64_t whole, std::uint32_t half)
{
    return low(whole) | static_cast<std::uint64_t>(half) << 32;
}

constexpr std::uint32_t merge(std::uint32_t old, std::uint32_t value, std::uint32_t mask)
{
    return (old & ~mask) | (value & mask);
}

// Page 1 and page 0 alias each other: SMMU 6.2 permits it, and software that looks for
// EVENTQ_PROD in page 0 finds it.
constexpr std::uint32_t page0_offset(std::uint64_t offset)
{
    return static_cast<std::uint32_t>(offset & 0xffff);
}

// Settings without stage 1 have no substreams.
Configuration normalised(Configuration c)
{
    if (!c.capabilities.stage1) {
        c.capabilities.ssid_bits = 0;
    }
    return c;
}

}  // namespace

Smmuv3::Smmuv3(const Configuration& configuration, Host& host)
    : configuration_(normalised(configuration)), host_(host), memory_(host),
      engine_(configuration_.capabilities, memory_), registers_(reset_values()),
      requesters_(std::size_t{1} << (configuration_.capabilities.sid_bits - leaf_bits))
{
    engine_.configure(settings());
}

Smmuv3::~Smmuv3() = default;

Smmuv3::Registers Smmuv3::reset_values() const
{
    Registers r{};
    r.gbpa = gbpa_use_incoming;
    if (configuration_.gbpa_abort) {
        r.gbpa |= static_cast<std::uint32_t>(Gbpa::ABORT.mask);
    }
    return r;
}

void Smmuv3::reset()
{
    {
        const std::lock_guard lock(reporting_);
        registers_ = reset_values();
        command_error_ = false;
    }
    engine_.invalidate_all_configuration();
    engine_.invalidate_all();
    configuration_changed();
}

bool Smmuv3::smmu_enabled() const
{
    return from_raw<Cr0>(registers_.cr0)[Cr0::SMMUEN];
}

bool Smmuv3::command_queue_enabled() const
{
    return from_raw<Cr0>(registers_.cr0)[Cr0::CMDQEN];
}

// SMMU 6.3.26, 6.3.29: a size above the maximum works as the maximum.
Smmuv3::Ring Smmuv3::command_ring() const
{
    const auto log2 = from_raw<QueueBase>(registers_.cmdq_base)[QueueBase::LOG2SIZE];
    return {static_cast<unsigned>(std::min<std::uint64_t>(log2, max_queue_log2))};
}

Smmuv3::Ring Smmuv3::event_ring() const
{
    const auto log2 = from_raw<QueueBase>(registers_.eventq_base)[QueueBase::LOG2SIZE];
    return {static_cast<unsigned>(std::min<std::uint64_t>(log2, max_queue_log2))};
}

std::uint64_t Smmuv3::oas_mask() const
{
    return (std::uint64_t{1} << configuration_.capabilities.oas_bits) - 1;
}

// SMMU 6.3.24, 6.3.25: reserved encodings and the alignment of the table.
Settings Smmuv3::settings() const
{
    const auto cfg = from_raw<StrtabBaseCfg>(registers_.strtab_base_cfg);
    const auto log2 = static_cast<unsigned>(cfg[StrtabBaseCfg::LOG2SIZE]);
    const auto split = static_cast<unsigned>(cfg[StrtabBaseCfg::SPLIT]);
    const bool two_level = cfg[StrtabBaseCfg::FMT] == 0b01;

    StreamTable table;
    table.format =
        two_level ? StreamTable::Format::TwoLevel : StreamTable::Format::Linear;
    table.split = split == 8 || split == 10 ? split : 6;
    table.log2size = std::min(log2, configuration_.capabilities.sid_bits);
    // Aligned by the literal LOG2SIZE, which SIDSIZE does not limit.
    const unsigned table_bits =
        two_level ? std::max(6u, log2 > table.split ? log2 - table.split + 3 : 3)
                  : log2 + 6;
    const auto base = from_raw<StrtabBase>(registers_.strtab_base)[StrtabBase::ADDR];
    table.base = Gpa{table_bits < 64 ? base.value & (~0ull << table_bits) : 0};

    Settings s;
    s.smmu_enabled = smmu_enabled();
    s.gbpa_abort = from_raw<Gbpa>(registers_.gbpa)[Gbpa::ABORT];
    s.record_bad_stream_id = from_raw<Cr2>(registers_.cr2)[Cr2::RECINVSID];
    s.stream_table = table;
    return s;
}

void Smmuv3::configuration_changed()
{
    engine_.configure(settings());
    notify_configuration(0, std::uint64_t{1} << configuration_.capabilities.sid_bits);
}

std::uint64_t Smmuv3::mmio_read(std::uint64_t offset, unsigned size)
{
    if (offset >= mmio_size || (size != 4 && size != 8) || offset % size != 0) {
        return 0;
    }
    const auto at = page0_offset(offset);
    if (size == 4) {
        return read32(at);
    }
    return with_high(read32(at), read32(at + 4));
}

void Smmuv3::mmio_write(std::uint64_t offset, unsigned size, std::uint64_t value)
{
    if (offset >= mmio_size || (size != 4 && size != 8) || offset % size != 0) {
        return;
    }
    const auto at = page0_offset(offset);
    write32(at, low(value));
    if (size == 8) {
        write32(at + 4, high(value));
    }
}

std::uint32_t Smmuv3::read32(std::uint32_t offset) const
{
    const auto& r = registers_;
    switch (offset) {
    case Idr0::offset:
    case Idr1::offset:
    case Idr3::offset:
    case Idr5::offset:
    case Aidr::offset:
        return identification(offset);
    case Cr0::offset:
    case Cr0::ack_offset:  // an Update completes before the write returns
        return r.cr0;
    case Cr1::offset:
        return r.cr1;
    case Cr2::offset:
        return r.cr2;
    case Gbpa::offset:
        return r.gbpa;
    case StrtabBase::offset:
        return low(r.strtab_base);
    case StrtabBase::offset + 4:
        return high(r.strtab_base);
    case StrtabBaseCfg::offset:
        return r.strtab_base_cfg;
    case QueueBase::cmdq_offset:
        return low(r.cmdq_base);
    case QueueBase::cmdq_offset + 4:
        return high(r.cmdq_base);
    case CmdqProd::offset:
        return command_ring().wrapped(r.cmdq_prod);
    case CmdqCons::offset:
        return command_ring().wrapped(r.cmdq_cons) |
               (r.cmdq_cons & low(CmdqCons::ERR.mask));
    default:
        return read_reporting(offset);
    }
}

std::uint32_t Smmuv3::read_reporting(std::uint32_t offset) const
{
    const std::lock_guard lock(reporting_);
    const auto& r = registers_;
    switch (offset) {
    case IrqCtrl::offset:
    case IrqCtrl::ack_offset:
        return r.irq_ctrl;
    case Gerror::offset:
        return r.gerror;
    case Gerror::ack_offset:
        return r.gerrorn;
    case IrqCfg0::gerror_offset:
        return low(r.gerror_msi.address);
    case IrqCfg0::gerror_offset + 4:
        return high(r.gerror_msi.address);
    case IrqCfg1::gerror_offset:
        return r.gerror_msi.data;
    case IrqCfg2::gerror_offset:
        return r.gerror_msi.attribute;
    case QueueBase::eventq_offset:
        return low(r.eventq_base);
    case QueueBase::eventq_offset + 4:
        return high(r.eventq_base);
    case EventqProd::offset:
        return event_ring().wrapped(r.eventq_prod) |
               (r.eventq_prod & low(EventqProd::OVFLG.mask));
    case EventqCons::offset:
        return event_ring().wrapped(r.eventq_cons) |
               (r.eventq_cons & low(EventqCons::OVACKFLG.mask));
    case IrqCfg0::eventq_offset:
        return low(r.eventq_msi.address);
    case IrqCfg0::eventq_offset + 4:
        return high(r.eventq_msi.address);
    case IrqCfg1::eventq_offset:
        return r.eventq_msi.data;
    case IrqCfg2::eventq_offset:
        return r.eventq_msi.attribute;
    default:
        return 0;  // RES0, or a feature that IDR0..IDR5 do not announce
    }
}

// SMMU 6.2, "Guarded": in SMMUv3.2 a write in the wrong state is ignored.
void Smmuv3::write32(std::uint32_t offset, std::uint32_t value)
{
    auto& r = registers_;
    const auto strtab_mask = fields::strtab_base(oas_mask());
    const auto queue_mask = fields::queue_base(oas_mask());
    switch (offset) {
    case CmdqProd::offset:
        r.cmdq_prod = value & low(CmdqProd::WR.mask);
        consume_commands();
        return;
    case Cr0::offset:
        return write_cr0(value);
    case Cr1::offset:
        return write_cr1(value);
    case Cr2::offset:
        if (!smmu_enabled()) {
            r.cr2 = value & fields::cr2;
        }
        return;
    case Gbpa::offset:
        return write_gbpa(value);
    case StrtabBase::offset:
        if (!smmu_enabled()) {
            r.strtab_base = with_low(r.strtab_base, value) & strtab_mask;
        }
        return;
    case StrtabBase::offset + 4:
        if (!smmu_enabled()) {
            r.strtab_base = with_high(r.strtab_base, value) & strtab_mask;
        }
        return;
    case StrtabBaseCfg::offset:
        if (!smmu_enabled()) {
            r.strtab_base_cfg = value & fields::all<StrtabBaseCfg>;
        }
        return;
    case QueueBase::cmdq_offset:
        if (!command_queue_enabled()) {
            r.cmdq_base = with_low(r.cmdq_base, value) & queue_mask;
        }
        return;
    case QueueBase::cmdq_offset + 4:
        if (!command_queue_enabled()) {
            r.cmdq_base = with_high(r.cmdq_base, value) & queue_mask;
        }
        return;
    case CmdqCons::offset:
        // ERR is permitted to ignore the written value, and does.
        if (!command_queue_enabled()) {
            r.cmdq_cons = merge(r.cmdq_cons, value, low(CmdqCons::RD.mask));
        }
        return;
    case Gerror::ack_offset:
        return write_gerrorn(value);
    default:
        return write_reporting(offset, value);
    }
}

void Smmuv3::write_reporting(std::uint32_t offset, std::uint32_t value)
{
    const std::lock_guard lock(reporting_);
    auto& r = registers_;
    const auto enabled = from_raw<IrqCtrl>(r.irq_ctrl);
    const bool eventq_enabled = from_raw<Cr0>(r.cr0)[Cr0::EVENTQEN];
    const auto queue_mask = fields::queue_base(oas_mask());
    // SMMU 6.3.21: the MSI registers are present only when IDR0.MSI == 1.
    const bool gerror_msi = configuration_.msi && !enabled[IrqCtrl::GERROR_IRQEN];
    const bool eventq_msi = configuration_.msi && !enabled[IrqCtrl::EVENTQ_IRQEN];
    const auto msi_mask = fields::msi_address(configuration_.msi, oas_mask());

    switch (offset) {
    case IrqCtrl::offset:
        r.irq_ctrl = value & fields::irq_ctrl;
        return;
    case IrqCfg0::gerror_offset:
        if (gerror_msi) {
            r.gerror_msi.address = with_low(r.gerror_msi.address, value) & msi_mask;
        }
        return;
    case IrqCfg0::gerror_offset + 4:
        if (gerror_msi) {
            r.gerror_msi.address = with_high(r.gerror_msi.address, value) & msi_mask;
        }
        return;
    case IrqCfg1::gerror_offset:
        if (gerror_msi) {
            r.gerror_msi.data = value;
        }
        return;
    case IrqCfg2::gerror_offset:
        if (gerror_msi) {
            r.gerror_msi.attribute = value & fields::all<IrqCfg2>;
        }
        return;
    case QueueBase::eventq_offset:
        if (!eventq_enabled) {
            r.eventq_base = with_low(r.eventq_base, value) & queue_mask;
        }
        return;
    case QueueBase::eventq_offset + 4:
        if (!eventq_enabled) {
            r.eventq_base = with_high(r.eventq_base, value) & queue_mask;
        }
        return;
    case EventqProd::offset:
        if (!eventq_enabled) {
            r.eventq_prod = value & fields::all<EventqProd>;
        }
        return;
    case EventqCons::offset:
        r.eventq_cons = value & fields::all<EventqCons>;
        return;
    case IrqCfg0::eventq_offset:
        if (eventq_msi) {
            r.eventq_msi.address = with_low(r.eventq_msi.address, value) & msi_mask;
        }
        return;
    case IrqCfg0::eventq_offset + 4:
        if (eventq_msi) {
            r.eventq_msi.address = with_high(r.eventq_msi.address, value) & msi_mask;
        }
        return;
    case IrqCfg1::eventq_offset:
        if (eventq_msi) {
            r.eventq_msi.data = value;
        }
        return;
    case IrqCfg2::eventq_offset:
        if (eventq_msi) {
            r.eventq_msi.attribute = value & fields::all<IrqCfg2>;
        }
        return;
    default:
        return;  // read-only, RES0, or not announced
    }
}

// SMMU 6.3.9: each Update completes before the write returns.
void Smmuv3::write_cr0(std::uint32_t value)
{
    const bool was_enabled = smmu_enabled();
    {
        const std::lock_guard lock(reporting_);
        registers_.cr0 = value & fields::cr0;
    }
    if (smmu_enabled() != was_enabled) {
        configuration_changed();
    }
    consume_commands();
}

// SMMU 6.3.11.1, 6.3.11.2.
void Smmuv3::write_cr1(std::uint32_t value)
{
    const auto queues = low(Cr0::EVENTQEN.mask | Cr0::CMDQEN.mask);
    if (!smmu_enabled()) {
        registers_.cr1 = merge(registers_.cr1, value, fields::cr1_table);
    }
    if ((registers_.cr0 & queues) == 0) {
        registers_.cr1 = merge(registers_.cr1, value, fields::cr1_queue);
    }
}

// SMMU 6.3.14.1: a write without Update is ignored; Update reads as 0 at once.
void Smmuv3::write_gbpa(std::uint32_t value)
{
    if (!from_raw<Gbpa>(value)[Gbpa::Update]) {
        return;
    }
    registers_.gbpa = value & fields::gbpa;
    configuration_changed();
}

// SMMU 7.1: acknowledging CMDQ_ERR restarts the command queue.
void Smmuv3::write_gerrorn(std::uint32_t value)
{
    {
        const std::lock_guard lock(reporting_);
        registers_.gerrorn = value & fields::gerror(configuration_.msi);
        command_error_ =
            ((registers_.gerror ^ registers_.gerrorn) & Gerror::CMDQ_ERR.mask) != 0;
    }
    consume_commands();
}

}  // namespace iommu::smmu
