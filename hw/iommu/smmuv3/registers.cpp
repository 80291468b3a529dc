// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU chapter 6 "Memory map and registers": reads, and in which state a write has
// effect.
#include "hw/iommu/smmuv3/device.hpp"
#include "hw/iommu/smmuv3/fields.hpp"

namespace iommu::smmu {

namespace {

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

// The three IRQ_CFG registers of a source, from the first of their four words.
constexpr std::uint32_t irq_cfg_bytes = 16;
constexpr bool is_irq_cfg(std::uint32_t offset, std::uint32_t first)
{
    return offset - first < irq_cfg_bytes;
}
static_assert(IrqCfg1::gerror_offset == IrqCfg0::gerror_offset + 8 &&
              IrqCfg2::gerror_offset == IrqCfg0::gerror_offset + 12 &&
              IrqCfg1::eventq_offset == IrqCfg0::eventq_offset + 8 &&
              IrqCfg2::eventq_offset == IrqCfg0::eventq_offset + 12);

}  // namespace

std::uint64_t Smmuv3::mmio_read(std::uint64_t offset, unsigned size)
{
    if (offset >= mmio_size || !answers_to(offset, size)) {
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
    if (offset >= mmio_size || !answers_to(offset, size)) {
        return;
    }
    // One writer at a time, under the device lock.
    register_writes_.store(register_writes() + 1, std::memory_order_relaxed);
    const auto at = page0_offset(offset);
    if (hooks && observer_ != nullptr) [[unlikely]] {
        tell_write(at, size, value);
    }
    if (size == 8) {
        return write64(at, value);
    }
    write32(at, low(value));
}

// Apart, so that a doorbell nobody watches saves no registers for it.
[[gnu::noinline]] void Smmuv3::tell_write(std::uint32_t offset, unsigned size,
                                          std::uint64_t value)
{
    const Observer::Enables now{registers_.cr0, registers_.irq_ctrl};
    observer_->writes_register(offset, low(value), now);
    if (size == 8) {
        observer_->writes_register(offset + 4, high(value), now);
    }
}

std::uint32_t Smmuv3::read32(std::uint32_t offset) const
{
    const auto& r = registers_;
    switch (offset) {
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
        return offset < Cr0::offset ? identification(offset) : read_reporting(offset);
    }
}

std::uint32_t Smmuv3::read_reporting(std::uint32_t offset) const
{
    const std::lock_guard lock(reporting_);
    const auto& r = registers_;
    if (is_irq_cfg(offset, IrqCfg0::gerror_offset)) {
        return read_msi(r.gerror_msi, offset - IrqCfg0::gerror_offset);
    }
    if (is_irq_cfg(offset, IrqCfg0::eventq_offset)) {
        return read_msi(r.eventq_msi, offset - IrqCfg0::eventq_offset);
    }
    switch (offset) {
    case IrqCtrl::offset:
    case IrqCtrl::ack_offset:
        return r.irq_ctrl;
    case Gerror::offset:
        return r.gerror;
    case Gerror::ack_offset:
        return r.gerrorn;
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
    default:
        return 0;  // RES0, or a feature that IDR0..IDR5 do not announce
    }
}

std::uint32_t Smmuv3::read_msi(const MsiTarget& msi, std::uint32_t offset)
{
    switch (offset) {
    case 0:
        return low(msi.address);
    case 4:
        return high(msi.address);
    case 8:
        return msi.data;
    default:
        return msi.attribute;
    }
}

// A doorbell is a write of 32 bits: it need not remember that there is more to come.
[[gnu::noinline]] void Smmuv3::write64(std::uint32_t offset, std::uint64_t value)
{
    write32(offset, low(value));
    write32(offset + 4, high(value));
}

// SMMU 6.2, "Guarded": in SMMUv3.2 a write in the wrong state is ignored.
void Smmuv3::write32(std::uint32_t offset, std::uint32_t value)
{
    switch (offset) {
    case CmdqProd::offset:
        registers_.cmdq_prod = value & fields::all<CmdqProd>;
        return consume_commands();
    case Cr0::offset:
        return write_cr0(value);
    case Cr1::offset:
        return write_cr1(value);
    case Cr2::offset:
        if (!smmu_enabled()) {
            registers_.cr2 = value & fields::cr2;
        }
        return;
    case Gbpa::offset:
        return write_gbpa(value);
    case StrtabBase::offset:
    case StrtabBase::offset + 4:
    case StrtabBaseCfg::offset:
        return write_stream_table(offset, value);
    case QueueBase::cmdq_offset:
    case QueueBase::cmdq_offset + 4:
    case CmdqCons::offset:
        return write_command_queue(offset, value);
    case Gerror::ack_offset:
        return write_gerrorn(value);
    default:
        return write_reporting(offset, value);
    }
}

// SMMU 6.3.24, 6.3.25: guarded by SMMUEN.  Nothing looks at them until it is set.
void Smmuv3::write_stream_table(std::uint32_t offset, std::uint32_t value)
{
    if (smmu_enabled()) {
        return;
    }
    auto& r = registers_;
    const auto mask = fields::strtab_base(oas_mask());
    switch (offset) {
    case StrtabBase::offset:
        r.strtab_base = with_low(r.strtab_base, value) & mask;
        break;
    case StrtabBase::offset + 4:
        r.strtab_base = with_high(r.strtab_base, value) & mask;
        break;
    default:
        r.strtab_base_cfg = value & fields::all<StrtabBaseCfg>;
    }
}

// SMMU 6.3.26, 6.3.28: guarded by CMDQEN.
void Smmuv3::write_command_queue(std::uint32_t offset, std::uint32_t value)
{
    if (command_queue_enabled()) {
        return;
    }
    auto& r = registers_;
    const auto mask = fields::queue_base(oas_mask());
    switch (offset) {
    case QueueBase::cmdq_offset:
        r.cmdq_base = with_low(r.cmdq_base, value) & mask;
        break;
    case QueueBase::cmdq_offset + 4:
        r.cmdq_base = with_high(r.cmdq_base, value) & mask;
        break;
    default:
        // ERR is permitted to ignore the written value, and does.
        r.cmdq_cons = merge(r.cmdq_cons, value, low(CmdqCons::RD.mask));
    }
}

void Smmuv3::write_reporting(std::uint32_t offset, std::uint32_t value)
{
    const std::lock_guard lock(reporting_);
    auto& r = registers_;
    const auto enabled = from_raw<IrqCtrl>(r.irq_ctrl);
    if (is_irq_cfg(offset, IrqCfg0::gerror_offset)) {
        if (!enabled[IrqCtrl::GERROR_IRQEN]) {
            write_msi(r.gerror_msi, offset - IrqCfg0::gerror_offset, value);
        }
    } else if (is_irq_cfg(offset, IrqCfg0::eventq_offset)) {
        if (!enabled[IrqCtrl::EVENTQ_IRQEN]) {
            write_msi(r.eventq_msi, offset - IrqCfg0::eventq_offset, value);
        }
    } else if (offset == IrqCtrl::offset) {
        r.irq_ctrl = value & fields::irq_ctrl;
    } else {
        write_event_queue(offset, value);
    }
}

// SMMU 6.3.21 to 6.3.23: present only when IDR0.MSI == 1.
void Smmuv3::write_msi(MsiTarget& msi, std::uint32_t offset, std::uint32_t value) const
{
    if (!configuration_.msi) {
        return;
    }
    const auto mask = fields::msi_address(configuration_.msi, oas_mask());
    switch (offset) {
    case 0:
        msi.address = with_low(msi.address, value) & mask;
        break;
    case 4:
        msi.address = with_high(msi.address, value) & mask;
        break;
    case 8:
        msi.data = value;
        break;
    default:
        msi.attribute = value & fields::all<IrqCfg2>;
    }
}

// SMMU 6.3.29, 6.3.95: guarded by EVENTQEN; 6.3.96 CONS is the consumer's at all times.
void Smmuv3::write_event_queue(std::uint32_t offset, std::uint32_t value)
{
    auto& r = registers_;
    if (offset == EventqCons::offset) {
        r.eventq_cons = value & fields::all<EventqCons>;
        return;
    }
    if (from_raw<Cr0>(r.cr0)[Cr0::EVENTQEN]) {
        return;
    }
    const auto mask = fields::queue_base(oas_mask());
    switch (offset) {
    case QueueBase::eventq_offset:
        r.eventq_base = with_low(r.eventq_base, value) & mask;
        break;
    case QueueBase::eventq_offset + 4:
        r.eventq_base = with_high(r.eventq_base, value) & mask;
        break;
    case EventqProd::offset:
        r.eventq_prod = value & fields::all<EventqProd>;
        break;
    default:
        break;  // read-only, RES0, or not announced
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
