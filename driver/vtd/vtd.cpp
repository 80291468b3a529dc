// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/vtd/vtd.hpp"

#include "driver/mutant.hpp"
#include "hw/iommu/vtd/spec/registers.hpp"

namespace iommu::driver {

using namespace vtd;

namespace {

template <typename R>
R from_raw(std::uint64_t raw)
{
    R r{};
    r.dword[0] = raw;
    return r;
}

constexpr std::uint64_t interrupt_window = 0xfee0'0000;  // VT-d 3.15

void drain(void* argument)
{
    static_cast<Vtd*>(argument)->drain_faults();
}
void service(void* argument)
{
    static_cast<Vtd*>(argument)->interrupt();
}

}  // namespace

// --- taking the unit over

bool VtdKind::Features::meet(const Features& other)
{
    if ((widths & other.widths) == 0) {
        return false;
    }
    widths &= other.widths;
    scalable = scalable && other.scalable && input_bits() == 48;
    domain_bits = domain_bits < other.domain_bits ? domain_bits : other.domain_bits;
    pasid_bits = pasid_bits < other.pasid_bits ? pasid_bits : other.pasid_bits;
    pasid_bits = scalable ? pasid_bits : 0;
    return true;
}

bool Vtd::usable()
{
    const auto cap = from_raw<CapReg>(platform_.read64(node_.base + offset::CAP_REG));
    const auto ecap = from_raw<EcapReg>(platform_.read64(node_.base + offset::ECAP_REG));
    auto& f = features_;
    f.widths = static_cast<unsigned>(cap[CapReg::SAGAW]) & (VtdKind::w39 | VtdKind::w48);
    f.domain_bits = 4 + 2 * static_cast<unsigned>(cap[CapReg::ND]);
    f.scalable = ecap[EcapReg::SMTS] && ecap[EcapReg::SSTS] && ecap[EcapReg::FSTS] &&
                 (f.widths & VtdKind::w48) != 0;
    if (f.scalable && ecap[EcapReg::PASID]) {
        const auto bits = static_cast<unsigned>(ecap[EcapReg::PSS]) + 1;
        f.pasid_bits = bits > 10 ? 10 : bits;
    }
    largest_mask_ = cap[CapReg::PSI] ? static_cast<unsigned>(cap[CapReg::MAMV]) : 0;
    fault_records_ = static_cast<unsigned>(cap[CapReg::NFR]) + 1;
    fault_offset_ = cap[CapReg::FRO] * 16;
    // Not implemented: units without queued invalidation, or whose walks are not
    // coherent.
    return f.widths != 0 && ecap[EcapReg::QI] && ecap[EcapReg::C] && cap[CapReg::PSI] &&
           ecap[EcapReg::PT] && f.domain_bits <= 16;
}

bool Vtd::allocate(const Features& common, const Vtd& lead)
{
    features_ = common;
    root_ = platform_.pages(1, root_physical_);
    const bool leads = this == &lead;
    if (root_ == nullptr || !queue_.allocate(platform_) ||
        (leads && !(domains_.create(platform_, common.domain_bits) &&
                    domains_.take(pass_through_)))) {
        return false;
    }
    pass_through_ = lead.pass_through_;
    common_ = platform_.pages(context_pages, common_physical_);
    for (unsigned bus = 0; common_ != nullptr && bus < 256; ++bus) {
        point_root(bus, common_physical_);
    }
    return common_ != nullptr && (!common.scalable || make_pasid_tables(identity_, 0));
}

void Vtd::take_over()
{
    if (!platform_.policy().dma_guard) {
        fill_identity();
    }
    program();
}

// [S] Without DMA Guard, what nobody has asked for goes on reaching memory directly.
void Vtd::fill_identity()
{
    if (features_.scalable) {
        const auto entry = pasid_entry(nullptr, Unattached::Identity, true);
        __builtin_memcpy(identity_.directory + page_size / 8, entry.dword.data(),
                         sizeof(entry));
    }
    const auto legacy = legacy_entry(nullptr, Unattached::Identity);
    const auto scalable = scalable_entry(identity_);
    const auto size = features_.scalable ? sizeof(scalable) : sizeof(legacy);
    const void* value = features_.scalable
                            ? static_cast<const void*>(scalable.dword.data())
                            : legacy.dword.data();
    for (unsigned devfn = 0; devfn < 256; ++devfn) {
        __builtin_memcpy(common_ + devfn * size / 8, value, size);
    }
}

// VT-d 11.4.4: one command at a time, beside the state the others have left.
void Vtd::command(std::uint32_t bit, bool on)
{
    constexpr std::uint32_t persistent = 0x96ff'ffff;  // not SRTP, SFL, WBF, SIRTP
    const auto status = platform_.read32(node_.base + offset::GSTS_REG) & persistent;
    platform_.write32(node_.base + offset::GCMD_REG, on ? status | bit : status & ~bit);
    while (((platform_.read32(node_.base + offset::GSTS_REG) & bit) != 0) != on) {
        platform_.pause();
    }
}

constexpr std::uint32_t bit_of(std::uint64_t mask)
{
    return static_cast<std::uint32_t>(mask);
}

void Vtd::program()
{
    const auto base = node_.base;
    if ((platform_.read32(base + offset::GSTS_REG) & GlobalReg::TE.mask) != 0) {
        command(bit_of(GlobalReg::TE.mask), false);
    }
    queue_.program(base, features_.scalable);
    command(bit_of(GlobalReg::QIE.mask), true);
    const auto mode = features_.scalable ? TranslationTableMode::Scalable
                                         : TranslationTableMode::Legacy;
    const auto root =
        RtaddrReg{}.with(RtaddrReg::TTM, mode).with(RtaddrReg::RTA, Gpa{root_physical_});
    platform_.write64(base + offset::RTADDR_REG, root.dword[0]);
    command(bit_of(GlobalReg::SRTP.mask), true);
    forget_everything();
    clear_faults();
    const auto& p = platform_.raw();
    std::uint64_t address = 0;
    std::uint32_t data = 0;
    p.connect_message(p.context, service, this, &address, &data);
    platform_.write32(base + offset::FEDATA_REG, data);
    platform_.write32(base + offset::FEADDR_REG, static_cast<std::uint32_t>(address));
    platform_.write32(base + offset::FEUADDR_REG,
                      static_cast<std::uint32_t>(address >> 32));
    platform_.write32(base + offset::FECTL_REG, 0);
    command(bit_of(GlobalReg::TE.mask), true);
}

// Naming a fault takes locks that an interrupt may not: the records wait.
void Vtd::interrupt()
{
    const auto& p = platform_.raw();
    if (!__atomic_exchange_n(&drain_queued_, true, __ATOMIC_ACQ_REL)) {
        p.queue_work(p.context, drain, this);
    }
}

void Vtd::stop()
{
    if (root_ != nullptr) {
        command(bit_of(GlobalReg::TE.mask), false);
        platform_.write32(node_.base + offset::FECTL_REG,
                          bit_of(EventControlReg::IM.mask));
        command(bit_of(GlobalReg::QIE.mask), false);
    }
    drop_all();
    for (unsigned bus = 0; common_ != nullptr && bus < 256; ++bus) {
        if (contexts_at(bus) != common_physical_) {
            platform_.release_pages(platform_.at(contexts_at(bus)), context_pages);
        }
    }
    if (common_ != nullptr) {
        platform_.release_pages(common_, context_pages);
        common_ = nullptr;
    }
    if (identity_.directory != nullptr) {
        platform_.release_pages(identity_.directory, identity_.pages);
        identity_ = {};
    }
    if (root_ != nullptr) {
        platform_.release_pages(root_, 1);
        root_ = nullptr;
    }
    queue_.release();
    domains_.destroy();
}

HardwareLimits Vtd::limits() const
{
    HardwareLimits l{};
    l.stage1 = features_.scalable;
    l.write_only = true;
    l.live_split = true;
    l.input_bits = features_.input_bits();
    l.stage1_input_bits = 47;  // VT-d 3.6: addresses are canonical; the lower half of 48
    l.output_bits = table_->address_bits();
    l.pasid_bits = features_.pasid_bits;
    l.hole_base = interrupt_window;
    l.hole_pages = 0x100;
    return l;
}

bool Vtd::find(const WdmDeviceIdentity& device, InputIds& ids) const
{
    ids = {0, 1, device.requester_id};
    return table_->covers(node_, device);
}

}  // namespace iommu::driver
