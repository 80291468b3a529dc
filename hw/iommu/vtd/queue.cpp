// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5.2 "Queued Invalidation Interface".
//
//   IQH --> [descriptor] [descriptor] ... <-- IQT     a ring of 2^QS pages at IQA
//
// A descriptor that cannot be executed stays at IQH, FSTS.IQE is set, and nothing moves
// until software has cleared IQE.  A Device-TLB that does not answer is a time-out: the
// wait descriptors that wait for it are given up, FSTS.ITE is set, and nothing more is
// fetched until software has cleared ITE (VT-d 6.5.2.10).
#include <algorithm>
#include <atomic>
#include <cstring>

#include "hw/iommu/vtd/device.hpp"

namespace iommu::vtd {

namespace {

template <typename D>
D as(const std::array<std::uint64_t, 2>& words)
{
    D d;
    d.dword = words;
    return d;
}

// More than a doorbell can ask for; a wait descriptor whose status is written to our own
// IQT_REG must not keep us here for ever.
constexpr unsigned steps_per_doorbell = 2 * 128 * 256;

}  // namespace

bool Vtd::queue_runs() const
{
    return (r_.gsts & GlobalReg::QIE.mask) != 0 &&
           (faults_.status() & (FstsReg::IQE.mask | FstsReg::ITE.mask)) == 0 &&
           r_.iqh != r_.iqt;
}

void Vtd::process_queue()
{
    if (processing_) {
        return;  // the loop further up the stack sees the new tail
    }
    processing_ = true;
    if (hooks && observer_ != nullptr) [[unlikely]] {
        run_queue<Observed::Yes>();
    } else {
        run_queue<Observed::No>();
    }
    if (unanswered_) {
        time_out(*unanswered_);
    }
    processing_ = false;
}

template <Observed observed>
void Vtd::run_queue()
{
    for (unsigned left = steps_per_doorbell; left > 0 && queue_runs(); --left) {
        if (const auto error = step<observed>()) {
            fail_queue(*error);
        }
    }
}

// One descriptor; on success IQH has moved past it.
template <Observed observed>
std::optional<QueueError> Vtd::step()
{
    IqaReg iqa;
    iqa.dword[0] = r_.active_iqa;
    RtaddrReg root;
    root.dword[0] = r_.active_rtaddr;
    const bool wide = iqa[IqaReg::DW];
    const std::uint64_t size = std::uint64_t{0x1000} << iqa[IqaReg::QS];

    // VT-d 11.4.9.9, in the order of field IQEI's remarks.
    const auto mode = root[RtaddrReg::TTM];
    if (mode != TranslationTableMode::Legacy && mode != TranslationTableMode::Scalable) {
        return QueueError::InvalidTableMode;
    }
    if (mode == TranslationTableMode::Scalable && !wide) {
        return QueueError::InvalidWidth;
    }
    if (r_.iqt >= size) {
        return QueueError::InvalidTail;
    }
    if (wide && r_.iqt % 32 != 0) {
        return QueueError::MisalignedTail;
    }
    std::array<std::uint64_t, 4> words{};
    const auto bytes = std::as_writable_bytes(std::span(words)).first(wide ? 32 : 16);
    if (!fetch_descriptor(iqa[IqaReg::IQA], size, bytes)) {
        return QueueError::FetchFailed;
    }
    if (words[2] != 0 || words[3] != 0) {
        return QueueError::ReservedField;
    }
    const auto head = r_.iqh;
    const std::array descriptor{words[0], words[1]};
    if (const auto error = execute(descriptor)) {
        return error;
    }
    if constexpr (observed == Observed::Yes) {
        observer_->consumed(descriptor);
    }
    // A completion may have reached our registers and restarted the queue.
    if (r_.iqh == head && (r_.gsts & GlobalReg::QIE.mask) != 0) {
        r_.iqh = (head + bytes.size()) % size;
    }
    return std::nullopt;
}

// The one at IQH.  A queue that is RAM as a whole is found once, until the RAM changes.
bool Vtd::fetch_descriptor(Gpa queue, std::uint64_t size, std::span<std::byte> to)
{
    auto& ram = memory_.ram();
    if (const auto now = ram.generation();
        place_.queue != queue || place_.size != size || place_.ram != now) {
        place_ = {queue, size, ram.find(queue, size), now};
    }
    if (place_.host == nullptr || r_.iqh > size - to.size() || r_.iqh % 8 != 0) {
        return memory_.read(queue + r_.iqh, to) == MemoryResult::Ok;
    }
    for (std::size_t i = 0; i < to.size(); i += 8) {
        const auto word = __atomic_load_n(
            reinterpret_cast<const std::uint64_t*>(place_.host + r_.iqh + i),
            __ATOMIC_ACQUIRE);
        std::memcpy(to.data() + i, &word, 8);
    }
    return true;
}

void Vtd::fail_queue(QueueError error)
{
    r_.iqercd = IqercdReg{}.with(IqercdReg::IQEI, error).dword[0];
    faults_.raise(static_cast<std::uint32_t>(FstsReg::IQE.mask));
}

void Vtd::time_out(SourceId silent)
{
    unanswered_.reset();
    r_.iqercd = IqercdReg{}.with(IqercdReg::ITESID, silent).dword[0];
    faults_.raise(static_cast<std::uint32_t>(FstsReg::ITE.mask));
}

// The first that is silent is the one that software is told of.
void Vtd::invalidate_device_tlb(SourceId source, Substream substream,
                                const PageRange& pages)
{
    if (!translator_.invalidate_device_tlb(source, substream, pages) && !unanswered_) {
        unanswered_ = source;
    }
}

// A type that belongs to a capability we do not have is no type (VT-d 6.5.2).
std::optional<QueueError> Vtd::execute(const std::array<std::uint64_t, 2>& words)
{
    const auto type = as<AnyDescriptor>(words).type();
    executed_[static_cast<std::uint8_t>(type) % executed_.size()] += hooks;
    switch (type) {
    case DescriptorType::ContextCache:
        return invalidate(as<ContextCacheDescriptor>(words));
    case DescriptorType::Iotlb:
        return invalidate(as<IotlbDescriptor>(words));
    case DescriptorType::Wait:
        return wait(as<WaitDescriptor>(words));
    case DescriptorType::DeviceTlb:
        return configuration_.device_iotlb ? invalidate(as<DeviceTlbDescriptor>(words))
                                           : std::optional(QueueError::InvalidType);
    case DescriptorType::InterruptEntryCache:
        return configuration_.intremap
                   ? invalidate(as<InterruptEntryCacheDescriptor>(words))
                   : std::optional(QueueError::InvalidType);
    default:
        return configuration_.scalable_mode ? execute_scalable(type, words)
                                            : std::optional(QueueError::InvalidType);
    }
}

std::optional<QueueError> Vtd::execute_scalable(DescriptorType type,
                                                const std::array<std::uint64_t, 2>& words)
{
    switch (type) {
    case DescriptorType::PasidCache:
        return invalidate(as<PasidCacheDescriptor>(words));
    case DescriptorType::PasidIotlb:
        return invalidate(as<PasidIotlbDescriptor>(words));
    case DescriptorType::PasidDeviceTlb:
        return configuration_.device_iotlb
                   ? invalidate(as<PasidDeviceTlbDescriptor>(words))
                   : std::optional(QueueError::InvalidType);
    default:
        // Not implemented: VT-d 7.7.1 "Page Group Response Descriptor"; ECAP.PRS is
        // clear.
        return QueueError::InvalidType;
    }
}

std::optional<QueueError> Vtd::invalidate(const ContextCacheDescriptor& d)
{
    const auto g = d[ContextCacheDescriptor::G];
    if (d.res0_violated() || g == ContextGranularity::Reserved) {
        return QueueError::ReservedField;
    }
    translator_.invalidate_contexts(
        {g, d[ContextCacheDescriptor::DID], d[ContextCacheDescriptor::SID],
         static_cast<unsigned>(d[ContextCacheDescriptor::FM])});
    return std::nullopt;
}

std::optional<QueueError> Vtd::invalidate(const IotlbDescriptor& d)
{
    const auto mask = static_cast<unsigned>(d[IotlbDescriptor::AM]);
    if (d.res0_violated()) {
        return QueueError::ReservedField;
    }
    switch (d[IotlbDescriptor::G]) {
    case IotlbGranularity::Global:
        translator_.invalidate_all();
        return std::nullopt;
    case IotlbGranularity::Domain:
        translator_.invalidate_domain(d[IotlbDescriptor::DID]);
        return std::nullopt;
    case IotlbGranularity::Page:
        if (mask > configuration_.largest_address_mask()) {
            return QueueError::ReservedField;
        }
        translator_.invalidate_pages(d[IotlbDescriptor::DID],
                                     {d[IotlbDescriptor::ADDR], mask});
        return std::nullopt;
    case IotlbGranularity::Reserved:
        break;
    }
    return QueueError::ReservedField;
}

// VT-d 6.5.2.5, field S: the lowest clear bit of ADDR tells the size.
static PageRange device_tlb_range(Iova address, bool sized)
{
    const auto page = address.value >> 12;
    const unsigned mask = sized ? static_cast<unsigned>(std::countr_one(page)) + 1 : 0;
    return {Iova{mask >= 52 ? 0 : page >> mask << mask << 12}, std::min(mask, 52u)};
}

std::optional<QueueError> Vtd::invalidate(const DeviceTlbDescriptor& d)
{
    using D = DeviceTlbDescriptor;
    if (d.res0_violated()) {
        return QueueError::ReservedField;
    }
    invalidate_device_tlb(d[D::SID], Substream{}, device_tlb_range(d[D::ADDR], d[D::S]));
    return std::nullopt;
}

std::optional<QueueError> Vtd::invalidate(const PasidDeviceTlbDescriptor& d)
{
    using D = PasidDeviceTlbDescriptor;
    if (d.res0_violated()) {
        return QueueError::ReservedField;
    }
    const auto pasid =
        d[D::G] ? Host::any_substream : static_cast<std::uint32_t>(d[D::PASID]);
    invalidate_device_tlb(d[D::SID], Substream{pasid, true},
                          device_tlb_range(d[D::ADDR], d[D::S]));
    return std::nullopt;
}

std::optional<QueueError> Vtd::invalidate(const InterruptEntryCacheDescriptor& d)
{
    const auto mask = static_cast<unsigned>(d[InterruptEntryCacheDescriptor::IM]);
    // ECAP.MHMV is 15.
    if (d.res0_violated() || mask > 15) {
        return QueueError::ReservedField;
    }
    if (d[InterruptEntryCacheDescriptor::G]) {
        interrupts_.invalidate(
            static_cast<unsigned>(d[InterruptEntryCacheDescriptor::IIDX]), mask);
    } else {
        interrupts_.invalidate_all();
    }
    return std::nullopt;
}

std::optional<QueueError> Vtd::invalidate(const PasidCacheDescriptor& d)
{
    const auto g = d[PasidCacheDescriptor::G];
    if (d.res0_violated() || g == PasidCacheGranularity::Reserved) {
        return QueueError::ReservedField;
    }
    translator_.invalidate_pasid_cache(g, d[PasidCacheDescriptor::DID],
                                       d[PasidCacheDescriptor::PASID]);
    return std::nullopt;
}

std::optional<QueueError> Vtd::invalidate(const PasidIotlbDescriptor& d)
{
    if (d.res0_violated()) {
        return QueueError::ReservedField;
    }
    const auto did = d[PasidIotlbDescriptor::DID];
    const auto pasid = d[PasidIotlbDescriptor::PASID];
    switch (d[PasidIotlbDescriptor::G]) {
    case PasidIotlbGranularity::Pasid:
        translator_.invalidate_pasid(did, pasid);
        return std::nullopt;
    case PasidIotlbGranularity::PageInPasid:
        translator_.invalidate_pasid_pages(
            did, pasid,
            {d[PasidIotlbDescriptor::ADDR],
             static_cast<unsigned>(d[PasidIotlbDescriptor::AM])});
        return std::nullopt;
    }
    return QueueError::ReservedField;
}

// VT-d 6.5.2.8.  Everything before it is done: each descriptor is when it is executed, so
// FN, the fence, asks for nothing more.
std::optional<QueueError> Vtd::wait(const WaitDescriptor& d)
{
    if (d.res0_violated() || d[WaitDescriptor::PD]) {
        return QueueError::ReservedField;
    }
    if (unanswered_) {
        time_out(*unanswered_);  // and this one is never completed
        return std::nullopt;
    }
    epoch().advance();  // whoever waits relies on what came before
    if (d[WaitDescriptor::SW]) {
        const auto status = static_cast<std::uint32_t>(d[WaitDescriptor::StatusData]);
        std::atomic_thread_fence(std::memory_order_release);
        if (memory_.write(d[WaitDescriptor::StatusAddress],
                          std::as_bytes(std::span(&status, 1))) != MemoryResult::Ok) {
            host_.guest_error("vtd: invalidation wait status address is not writable");
        }
    }
    if (d[WaitDescriptor::IF]) {
        complete_wait();
    }
    return std::nullopt;
}

// VT-d 6.5.2.9 "Queued Invalidation Interface: invalidation event"; 11.4.9.4, field IWC.
void Vtd::complete_wait()
{
    if ((r_.ics & IcsReg::IWC.mask) != 0) {
        return;
    }
    r_.ics |= static_cast<std::uint32_t>(IcsReg::IWC.mask);
    send(invalidation_event_.raise());
}

}  // namespace iommu::vtd
