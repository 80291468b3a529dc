// SPDX-License-Identifier: GPL-2.0-or-later
// What migrates: registers, pending faults and messages.  Caches do not; they refill.
#include "hw/iommu/common/saved_state.hpp"
#include "hw/iommu/vtd/device.hpp"

namespace iommu::vtd {

namespace {

constexpr std::size_t register_words = 14, event_words = 4, log_words = 2;

StateHead head(const Configuration& c)
{
    // CAP and ECAP say everything but the IOTLB, which the guest cannot see.
    const auto fingerprint =
        capability(c).dword[0] ^
        (extended_capability(c).dword[0] << 17 | extended_capability(c).dword[0] >> 47);
    return {0x3130'4454'5649'5749 /* "IWIVTD01" */, 1, fingerprint};
}

template <typename Event, typename Visit>
void visit_event(Event& e, Visit& visit)
{
    visit(e.control);
    visit(e.data);
    visit(e.address);
    visit(e.upper_address);
}

// One list for both directions: the order is the format.
template <typename Registers, typename Visit>
void visit_registers(Registers& r, Visit& visit)
{
    visit(r.gsts);
    visit(r.rtaddr);
    visit(r.ccmd);
    visit(r.iqh);
    visit(r.iqt);
    visit(r.iqa);
    visit(r.iqercd);
    visit(r.ics);
    visit(r.irta);
    visit(r.iva);
    visit(r.iotlb);
    visit(r.active_rtaddr);
    visit(r.active_irta);
    visit(r.active_iqa);
}

template <typename Log, typename Visit>
void visit_log(Log& log, Visit& visit)
{
    visit(log.status);
    visit(log.next);
    visit_event(log.event, visit);
    for (auto& record : log.records) {
        visit(record[0]);
        visit(record[1]);
    }
}

}  // namespace

// Could a guest have brought the registers there?
bool Vtd::holdable(const Registers& r) const
{
    const auto within = [](std::uint64_t value, std::uint64_t fields) {
        return (value & ~fields) == 0;
    };
    constexpr auto status = GlobalReg::TE.mask | GlobalReg::SRTP.mask |
                            GlobalReg::QIE.mask | GlobalReg::IRE.mask |
                            GlobalReg::SIRTP.mask | GlobalReg::CFI.mask;
    return within(r.gsts, status) && within(r.rtaddr, writable_rtaddr()) &&
           within(r.active_rtaddr, writable_rtaddr()) &&
           within(r.ccmd, ~CcmdReg::layout[0]) && within(r.iqh, QueueIndexReg::Q.mask) &&
           within(r.iqt, QueueIndexReg::Q.mask) && within(r.iqa, writable_iqa()) &&
           within(r.active_iqa, writable_iqa()) &&
           within(r.iqercd, ~IqercdReg::layout[0]) && within(r.ics, IcsReg::IWC.mask) &&
           within(r.irta, writable_irta()) && within(r.active_irta, writable_irta()) &&
           within(r.iva, ~IvaReg::layout[0]) && within(r.iotlb, ~IotlbReg::layout[0]);
}

std::vector<std::byte> Vtd::save() const
{
    StateWriter out(head(configuration_));
    visit_registers(r_, out);
    visit_event(invalidation_event_.registers(), out);
    const auto log = faults_.state();
    visit_log(log, out);
    return std::move(out).release();
}

const char* Vtd::load(std::span<const std::byte> state)
{
    StateReader in(state);
    const auto words =
        register_words + event_words + log_words + event_words + 2 * faults_.size();
    switch (in.open(head(configuration_), words)) {
    case StateProblem::None:
        break;
    case StateProblem::Foreign:
        return "VT-d: the saved state is not that of a winiommu VT-d unit";
    case StateProblem::OtherVersion:
        return "VT-d: the saved state is of another version; run the winiommu that saved "
               "it";
    case StateProblem::OtherProperties:
        return "VT-d: the saved state is of a device with other properties; give both "
               "sides the same";
    case StateProblem::BadLength:
        return "VT-d: the saved state is cut short or has bytes to spare";
    }
    Registers loaded;
    EventMessage::Registers event;
    FaultLog::State log;
    log.records.resize(faults_.size());
    visit_registers(loaded, in);
    visit_event(event, in);
    visit_log(log, in);
    if (!in.fits() || !holdable(loaded) || !faults_.restore(log)) {
        return "VT-d: the saved state has a register value that no register can hold";
    }
    r_ = loaded;
    invalidation_event_.restore(event);
    translator_.allow_copying();
    publish();
    translator_.finish_copying();
    publish_interrupts();
    return nullptr;
}

}  // namespace iommu::vtd
