// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/smmuv3/smmuv3.hpp"

#include "driver/mutant.hpp"
#include "hw/iommu/smmuv3/spec/registers.hpp"

namespace iommu::driver {

using namespace smmu;

namespace {

// StreamIDs of a first level of 512 KiB.
constexpr unsigned most_stream_bits = 24, most_linear_bits = 20;

// SMMU 6.3.6 SMMU_IDR5.OAS.
constexpr unsigned oas_bits_of(unsigned code)
{
    constexpr unsigned bits[] = {32, 36, 40, 42, 44, 48, 52};
    return code < 7 ? bits[code] : 48;
}

void service(void* argument)
{
    static_cast<Smmuv3*>(argument)->drain_events();
}

}  // namespace

// --- taking the unit over

bool Smmuv3Kind::Features::meet(const Features& other)
{
    const auto least = [](unsigned a, unsigned b) { return a < b ? a : b; };
    if (!(stage1 && other.stage1) && !(stage2 && other.stage2)) {
        return false;
    }
    stage1 = stage1 && other.stage1;
    stage2 = stage2 && other.stage2;
    oas_bits = least(oas_bits, other.oas_bits);
    oas_code = least(oas_code, other.oas_code);
    bbml = least(bbml, other.bbml);
    ssid_bits = least(ssid_bits, other.ssid_bits);
    asid_bits = least(asid_bits, other.asid_bits);
    vmid_bits = least(vmid_bits, other.vmid_bits);
    return true;
}

bool Smmuv3::usable()
{
    const auto idr0 = from_raw<Idr0>(platform_.read32(node_.base + Idr0::offset));
    const auto idr1 = from_raw<Idr1>(platform_.read32(node_.base + Idr1::offset));
    const auto idr3 = from_raw<Idr3>(platform_.read32(node_.base + Idr3::offset));
    const auto idr5 = from_raw<Idr5>(platform_.read32(node_.base + Idr5::offset));
    auto& f = features_;
    f.stage1 = idr0[Idr0::S1P];
    f.stage2 = idr0[Idr0::S2P];
    f.asid_bits = idr0[Idr0::ASID16] ? 16 : 8;
    f.vmid_bits = idr0[Idr0::VMID16] ? 16 : 8;
    range_invalidation_ = idr3[Idr3::RIL];
    f.bbml = static_cast<unsigned>(idr3[Idr3::BBML]);
    f.oas_code = static_cast<unsigned>(idr5[Idr5::OAS]);
    f.oas_bits = oas_bits_of(f.oas_code);
    if (f.oas_bits > 48) {  // 52 bits take 64 KiB granules or DS
        f.oas_bits = 48;
        f.oas_code = 5;
    }
    const auto ssid = static_cast<unsigned>(idr1[Idr1::SSIDSIZE]);
    f.ssid_bits = ssid > 10 ? 10 : ssid;
    sid_bits_ = static_cast<unsigned>(idr1[Idr1::SIDSIZE]);
    two_levels_ = idr0[Idr0::ST_LEVEL] == 1;
    const bool aarch64 = (idr0[Idr0::TTF] & 0b10) != 0;
    return aarch64 && idr5[Idr5::GRAN4K] && (f.stage1 || f.stage2);
}

bool Smmuv3::allocate(const Features& common, const Smmuv3& lead)
{
    features_ = common;
    const auto wanted = table_->stream_count(node_);
    unsigned log2_streams = 0;
    while (log2_streams < sid_bits_ && (std::uint64_t{1} << log2_streams) < wanted) {
        ++log2_streams;
    }
    // Not implemented: more StreamIDs than this.
    const auto most = two_levels_ ? most_stream_bits : most_linear_bits;
    log2_streams = log2_streams > most ? most : log2_streams;
    events_ = platform_.pages((event_bytes << log2_events) / page_size, events_physical_);
    return events_ != nullptr &&
           stream_table_.allocate(platform_, log2_streams, two_levels_) &&
           commands_.allocate(platform_) &&
           (this != &lead || (asids_.create(platform_, common.asid_bits) &&
                              vmids_.create(platform_, common.vmid_bits)));
}

void Smmuv3::take_over()
{
    const auto policy = platform_.policy();
    const auto config = policy.dma_guard ? SteConfig::Abort : SteConfig::Bypass;
    stream_table_.fill(
        Ste{}.with(Ste::V, true).with(Ste::Config, config).with(Ste::SHCFG, 1));
    const auto& p = platform_.raw();
    p.connect_wired(p.context, node_.event_gsiv, service, this);
    program();
}

// SMMU 6.3.9.6 "SMMUEN": CR0 takes effect when CR0ACK says so.
void Smmuv3::set_cr0(std::uint32_t value)
{
    platform_.write32(node_.base + Cr0::offset, value);
    while (platform_.read32(node_.base + Cr0::ack_offset) != value) {
        platform_.pause();
    }
}

// SMMU 3.11 "Reset, Enable and initialization".
void Smmuv3::program()
{
    const auto base = node_.base;
    set_cr0(0);
    const auto cr1 = Cr1{}
                         .with(Cr1::QUEUE_IC, 1)
                         .with(Cr1::QUEUE_OC, 1)
                         .with(Cr1::QUEUE_SH, 3)
                         .with(Cr1::TABLE_IC, 1)
                         .with(Cr1::TABLE_OC, 1)
                         .with(Cr1::TABLE_SH, 3);
    platform_.write32(base + Cr1::offset, static_cast<std::uint32_t>(cr1.dword[0]));
    const auto cr2 = Cr2{}.with(Cr2::RECINVSID, true).with(Cr2::PTM, true);
    platform_.write32(base + Cr2::offset, static_cast<std::uint32_t>(cr2.dword[0]));
    stream_table_.program(base);
    commands_.program(base);
    const auto queue = QueueBase{}
                           .with(QueueBase::RA, true)
                           .with(QueueBase::ADDR, Gpa{events_physical_})
                           .with(QueueBase::LOG2SIZE, log2_events);
    platform_.write64(base + QueueBase::eventq_offset, queue.dword[0]);
    platform_.write32(base + page1 + EventqProd::offset, 0);
    platform_.write32(base + page1 + EventqCons::offset, 0);

    auto cr0 = Cr0{}.with(Cr0::CMDQEN, true);
    set_cr0(static_cast<std::uint32_t>(cr0.dword[0]));
    commands_.issue(CfgiSteRange{}
                        .with(CfgiSteRange::opcode, Opcode::CMD_CFGI_STE_RANGE)
                        .with(CfgiSteRange::Range, 31),
                    Tlbi{}.with(Tlbi::opcode, Opcode::CMD_TLBI_NSNH_ALL));
    cr0 = cr0.with(Cr0::EVENTQEN, true);
    set_cr0(static_cast<std::uint32_t>(cr0.dword[0]));
    const auto irqs =
        IrqCtrl{}.with(IrqCtrl::EVENTQ_IRQEN, true).with(IrqCtrl::GERROR_IRQEN, true);
    platform_.write32(base + IrqCtrl::offset, static_cast<std::uint32_t>(irqs.dword[0]));
    set_cr0(static_cast<std::uint32_t>(cr0.with(Cr0::SMMUEN, true).dword[0]));
}

void Smmuv3::stop()
{
    if (stream_table_.allocated()) {
        set_cr0(0);
        platform_.write32(node_.base + IrqCtrl::offset, 0);
    }
    drop_all();
    stream_table_.release();
    if (events_ != nullptr) {
        platform_.release_pages(events_, (event_bytes << log2_events) / page_size);
        events_ = nullptr;
    }
    commands_.release();
    asids_.destroy();
    vmids_.destroy();
}

// SMMU 3.4.1: stage 2's input is no wider than the output.  VMSA D8.2.2: a walk of it
// starts at level 0 only if that has 44 bits or more.  Not implemented: concatenated
// tables at level 1, with which 40 and 42 bits would be reached.
constexpr unsigned stage2_bits(unsigned output_bits)
{
    return output_bits > 39 && output_bits < 44 ? 39 : output_bits;
}

HardwareLimits Smmuv3::limits() const
{
    const auto& f = features_;
    HardwareLimits l{};
    l.stage1 = f.stage1;
    l.managed_stage1 = !f.stage2;
    l.arm_tables = f.stage1;
    l.write_only = f.stage2;
    l.live_split = f.bbml == 2;  // SMMU 3.21.1.1: level 2 needs no break before make
    l.input_bits = f.stage2 ? stage2_bits(f.oas_bits) : 48;
    l.stage1_input_bits = 48;
    l.output_bits = f.oas_bits;
    l.pasid_bits = f.stage1 ? f.ssid_bits : 0;
    return l;
}

bool Smmuv3::find(const WdmDeviceIdentity& device, InputIds& ids) const
{
    return table_->find_device(node_, device, ids) &&
           stream_table_.holds(std::uint64_t{ids.stream} + ids.count);
}

}  // namespace iommu::driver
