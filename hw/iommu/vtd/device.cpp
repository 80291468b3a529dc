// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 11 "Register Descriptions".
#include "hw/iommu/vtd/device.hpp"

#include <utility>

namespace iommu::vtd {

namespace {

constexpr std::uint32_t low(std::uint64_t v)
{
    return static_cast<std::uint32_t>(v);
}
constexpr std::uint32_t high(std::uint64_t v)
{
    return static_cast<std::uint32_t>(v >> 32);
}
constexpr std::uint64_t pair(std::uint32_t low_half, std::uint32_t high_half)
{
    return low_half | std::uint64_t{high_half} << 32;
}
constexpr std::uint64_t merge(std::uint64_t old, std::uint64_t value, std::uint64_t mask)
{
    return (old & ~mask) | (value & mask);
}
constexpr std::uint64_t ones(unsigned bits)
{
    return ~std::uint64_t{0} >> (64 - bits);
}

// VT-d 11.4.1: the version whose register set this is.  CAP and ECAP say what is there.
constexpr std::uint64_t version = VerReg{}.with(VerReg::MAX, 1).dword[0];

// VT-d 11.4.4.1: bits that stay as they were last written, and those that ask for one
// deed.
constexpr std::uint64_t lasting =
    GlobalReg::TE.mask | GlobalReg::QIE.mask | GlobalReg::IRE.mask | GlobalReg::CFI.mask;
constexpr std::uint64_t one_shot = GlobalReg::SRTP.mask | GlobalReg::SIRTP.mask;

constexpr std::uint64_t page_size = 0x1000;

}  // namespace

Vtd::Vtd(const Configuration& configuration, Host& host)
    : configuration_(configuration), host_(host), memory_(host),
      faults_(host, configuration.fault_records), interrupts_(memory_, faults_),
      translator_(configuration_, memory_, faults_, epoch())
{
    translator_.listen(refusals_);
    interrupts_.listen(refusals_);
    publish();
    publish_interrupts();
}

std::uint64_t Vtd::mmio_size() const
{
    const auto end = offset::FRCD_REG + 16 * faults_.size();
    return (end + page_size - 1) & ~(page_size - 1);
}

void Vtd::reset()
{
    r_ = {};
    invalidation_event_ = {};
    faults_.reset();
    translator_.allow_copying();
    publish();
    translator_.finish_copying();
    publish_interrupts();
}

Stream* Vtd::stream(std::uint32_t id, StreamCookie cookie)
{
    return id <= 0xffff
               ? translator_.stream(SourceId{static_cast<std::uint16_t>(id)}, cookie)
               : nullptr;
}

// VT-d 11.2 "Software Access to Registers": every register answers to aligned accesses of
// 32 bits, the 64-bit ones to 64 bits as well; so does each pair of neighbours here.
std::uint64_t Vtd::mmio_read(std::uint64_t offset, unsigned size)
{
    if (!answers_to(offset, size)) {
        return 0;
    }
    const auto whole = read_slot(offset & ~std::uint64_t{7});
    return size == 8 ? whole : offset % 8 == 0 ? low(whole) : high(whole);
}

void Vtd::mmio_write(std::uint64_t offset, unsigned size, std::uint64_t value)
{
    if (!answers_to(offset, size)) {
        return;
    }
    const unsigned shift = offset % 8 == 0 ? 0 : 32;
    const auto mask = size == 8 ? ones(64) : ones(32) << shift;
    const auto slot = offset & ~std::uint64_t{7};
    if (hooks && observer_ != nullptr) [[unlikely]] {
        observer_->writes_register(slot, value << shift, mask, r_.gsts);
    }
    // A status write of the queue may come back here.
    const bool outermost = !std::exchange(writing_, true);
    if (outermost) {
        translator_.allow_copying();
    }
    write_slot(slot, value << shift, mask);
    if (outermost) {
        translator_.finish_copying();
        writing_ = false;
    }
}

const char* Vtd::refuse_mappings() const
{
    return configuration_.caching_mode
               ? nullptr
               : "winiommu-vtd tells what the guest maps, which vfio needs, with "
                 "caching-mode=on only: set it, or remove the vfio device";
}

const char* Vtd::refuse_device_tlbs() const
{
    return configuration_.device_iotlb
               ? nullptr
               : "winiommu-vtd has no Device-TLBs: set device-iotlb=on, or remove ats=on "
                 "from the device";
}

std::uint64_t Vtd::read_slot(std::uint64_t slot) const
{
    if (slot >= offset::FRCD_REG) {
        return faults_.read_record((slot - offset::FRCD_REG) / 8);
    }
    const auto& e = invalidation_event_;
    switch (slot) {
    case offset::VER_REG:
        return version;
    case offset::CAP_REG:
        return capability(configuration_).dword[0];
    case offset::ECAP_REG:
        return extended_capability(configuration_).dword[0];
    case offset::GCMD_REG:  // and GSTS_REG above it; GCMD is write-only
        return pair(0, r_.gsts);
    case offset::RTADDR_REG:
        return r_.rtaddr;
    case offset::CCMD_REG:
        return r_.ccmd;
    case offset::FSTS_REG & ~7ull:
        return pair(0, faults_.status());
    case offset::FECTL_REG:   // and FEDATA_REG
    case offset::FEADDR_REG:  // and FEUADDR_REG
        return pair(faults_.read_event(slot), faults_.read_event(slot + 4));
    case offset::IQH_REG:
        return r_.iqh;
    case offset::IQT_REG:
        return r_.iqt;
    case offset::IQA_REG:
        return r_.iqa;
    case offset::ICS_REG & ~7ull:
        return pair(0, r_.ics);
    case offset::IECTL_REG:
        return pair(e.control(), e.data());
    case offset::IEADDR_REG:
        return pair(e.address(), e.upper_address());
    case offset::IQERCD_REG:
        return r_.iqercd;
    case offset::IRTA_REG:
        return r_.irta;
    case offset::IVA_REG:
        return r_.iva;
    case offset::IOTLB_REG:
        return r_.iotlb;
    default:  // PMEN and its kin as well: CAP.PLMR and CAP.PHMR are clear
        return 0;
    }
}

// VT-d 11.4.5 and others: address bits above HAW are not implemented.
std::uint64_t Vtd::address_mask() const
{
    return ones(configuration_.haw_bits()) & ~(page_size - 1);
}

std::uint64_t Vtd::writable_rtaddr() const
{
    return address_mask() | (configuration_.scalable_mode ? RtaddrReg::TTM.mask : 0);
}

std::uint64_t Vtd::writable_iqa() const
{
    return address_mask() | IqaReg::QS.mask |
           (configuration_.scalable_mode ? IqaReg::DW.mask : 0);
}

std::uint64_t Vtd::writable_irta() const
{
    if (!configuration_.intremap) {
        return 0;
    }
    return address_mask() | IrtaReg::S.mask |
           (configuration_.eim ? IrtaReg::EIME.mask : 0);
}

void Vtd::write_slot(std::uint64_t slot, std::uint64_t value, std::uint64_t mask)
{
    if (slot >= offset::FRCD_REG) {
        faults_.write_record((slot - offset::FRCD_REG) / 8, value, mask);
        return;
    }
    const auto store = [&](std::uint64_t& reg, std::uint64_t writable) {
        reg = merge(reg, value, mask & writable);
    };
    const bool high_half = (mask >> 32) != 0;
    switch (slot) {
    case offset::GCMD_REG:
        if (low(mask) != 0) {
            write_gcmd(low(value));
        }
        return;
    case offset::RTADDR_REG:
        store(r_.rtaddr, writable_rtaddr());
        return;
    case offset::CCMD_REG:
        store(r_.ccmd, ~(CcmdReg::layout[0] | CcmdReg::CAIG.mask));
        if (high_half) {
            write_ccmd();
        }
        return;
    case offset::IQT_REG:
        store(r_.iqt, QueueIndexReg::Q.mask);
        process_queue();
        return;
    case offset::IQA_REG:
        store(r_.iqa, writable_iqa());
        return;
    case offset::IRTA_REG:
        store(r_.irta, writable_irta());
        return;
    case offset::IVA_REG:
        store(r_.iva, ~IvaReg::layout[0]);
        return;
    case offset::IOTLB_REG:
        store(r_.iotlb, ~(IotlbReg::layout[0] | IotlbReg::IAIG.mask));
        if (high_half) {
            write_iotlb();
        }
        return;
    default:
        write_events(slot, value, mask);
        return;
    }
}

void Vtd::write_events(std::uint64_t slot, std::uint64_t value, std::uint64_t mask)
{
    switch (slot) {
    case offset::FSTS_REG & ~7ull:
        faults_.write_status(high(value & mask));
        process_queue();  // VT-d 6.5.2.10: clearing IQE or ITE lets the queue go on
        return;
    case offset::FECTL_REG:
    case offset::FEADDR_REG:
        // The upper half first: clearing IM sends what stands in the others.
        if (high(mask) != 0) {
            faults_.write_event(slot + 4, high(value));
        }
        if (low(mask) != 0) {
            faults_.write_event(slot, low(value));
        }
        return;
    default:
        write_invalidation_events(slot, value, mask);
        return;
    }
}

void Vtd::write_invalidation_events(std::uint64_t slot, std::uint64_t value,
                                    std::uint64_t mask)
{
    auto& e = invalidation_event_;
    const bool low_half = low(mask) != 0, high_half = high(mask) != 0;
    switch (slot) {
    case offset::ICS_REG & ~7ull:
        // VT-d 11.4.9.4: write-1-to-clear; then nothing is left to announce.
        r_.ics &= ~high(value & mask);
        if ((r_.ics & IcsReg::IWC.mask) == 0) {
            e.withdraw();
        }
        return;
    case offset::IECTL_REG:
        if (high_half) {
            e.write_data(high(value));
        }
        if (low_half) {
            send(e.write_control(low(value)));
        }
        return;
    case offset::IEADDR_REG:
        if (low_half) {
            e.write_address(low(value));
        }
        if (high_half) {
            e.write_upper_address(high(value));
        }
        return;
    default:
        return;
    }
}

// VT-d 11.4.4.1: software changes one bit at a time and waits for GSTS; each of ours is
// done when the write returns.  Several at once are done in the order that is safe for
// what they point to.
void Vtd::write_gcmd(std::uint32_t value)
{
    GlobalReg command;
    command.dword[0] = value;
    if (command[GlobalReg::SRTP]) {
        set_root_table();
    }
    if (command[GlobalReg::SIRTP] && configuration_.intremap) {
        set_interrupt_table();
    }
    const auto changed = (value ^ r_.gsts) & lasting;
    if ((changed & GlobalReg::QIE.mask) != 0) {
        enable_queue(command[GlobalReg::QIE]);
    }
    if ((changed & (GlobalReg::IRE.mask | GlobalReg::CFI.mask)) != 0 &&
        configuration_.intremap) {
        set_status(command, GlobalReg::IRE.mask | GlobalReg::CFI.mask);
        publish_interrupts();
    }
    if ((changed & GlobalReg::TE.mask) != 0) {
        set_status(command, GlobalReg::TE.mask);
        publish();
    }
}

void Vtd::set_status(GlobalReg command, std::uint64_t bit)
{
    r_.gsts = low(merge(r_.gsts, command.dword[0], bit));
}

// VT-d 11.4.4.1, field SRTP; CAP.ESRTPS: what was cached goes with the old table.
void Vtd::set_root_table()
{
    r_.active_rtaddr = r_.rtaddr;
    r_.gsts |= low(one_shot & GlobalReg::SRTP.mask);
    publish();
}

void Vtd::set_interrupt_table()
{
    r_.active_irta = r_.irta;
    r_.gsts |= low(one_shot & GlobalReg::SIRTP.mask);
    publish_interrupts();
}

// VT-d 6.5.2.  The queue's place is that of IQA at this moment; IQH starts at 0.
void Vtd::enable_queue(bool enable)
{
    GlobalReg command;
    command.dword[0] = enable ? GlobalReg::QIE.mask : 0;
    set_status(command, GlobalReg::QIE.mask);
    r_.iqh = 0;
    if (enable) {
        r_.active_iqa = r_.iqa;
        process_queue();
    }
}

bool Vtd::legacy() const
{
    RtaddrReg active;
    active.dword[0] = r_.active_rtaddr;
    return active[RtaddrReg::TTM] == TranslationTableMode::Legacy;
}

Settings Vtd::settings() const
{
    Settings settings;
    settings.root.dword[0] = r_.active_rtaddr;
    settings.enabled = (r_.gsts & GlobalReg::TE.mask) != 0;
    return settings;
}

void Vtd::publish()
{
    translator_.configure(settings());
    if (hooks && observer_ != nullptr) {
        observer_->configured(settings());
    }
}

void Vtd::publish_interrupts()
{
    InterruptSettings settings;
    settings.table.dword[0] = r_.active_irta;
    settings.enabled = (r_.gsts & GlobalReg::IRE.mask) != 0;
    settings.compatibility_allowed = (r_.gsts & GlobalReg::CFI.mask) != 0;
    interrupts_.configure(settings);
    if (hooks && observer_ != nullptr) {
        observer_->interrupts_configured(settings);
    }
}

void Vtd::observe(Observer* observer)
{
    observer_ = observer;
    faults_.observe(observer);
    if (hooks && observer_ != nullptr) {
        publish();
        publish_interrupts();
    }
}

void Vtd::send(const std::optional<Message>& message)
{
    if (message) {
        static_cast<void>(host_.send_msi(message->address, message->data));
    }
}

}  // namespace iommu::vtd
