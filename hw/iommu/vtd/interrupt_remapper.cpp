// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 5.1.4 "Interrupt-Remapping Hardware Operation".
#include "hw/iommu/vtd/interrupt_remapper.hpp"

#include "hw/iommu/vtd/entry_reader.hpp"

namespace iommu::vtd {

namespace {

InterruptRequest decode(const Message& m)
{
    InterruptRequest r;
    r.dword = {m.address.value, m.data};
    return r;
}

// VT-d 5.1.4, the message an interrupt becomes: Intel SDM 3, 11.11.  An id above 255
// needs the upper address, as the unit's own events do (VT-d 5.1.6.2).
Message deliver(const Irte& e, bool extended)
{
    const auto destination = extended ? e[Irte::DST] : (e[Irte::DST] >> 8) & 0xff;
    const auto address = MsiAddress{}
                             .with(MsiAddress::FEEh, 0xfee)
                             .with(MsiAddress::DestinationMode, e[Irte::DM])
                             .with(MsiAddress::RedirectionHint, e[Irte::RH])
                             .with(MsiAddress::DestinationId, destination & 0xff)
                             .with(MsiAddress::DestinationIdUpper, destination >> 8);
    const auto data = MsiData{}
                          .with(MsiData::Vector, e[Irte::V])
                          .with(MsiData::DeliveryMode, e[Irte::DLM])
                          .with(MsiData::Level, true)
                          .with(MsiData::TriggerMode, e[Irte::TM]);
    return {Gpa{address.dword[0]}, static_cast<std::uint32_t>(data.dword[0])};
}

}  // namespace

void InterruptRemapper::configure(const InterruptSettings& settings)
{
    // Only this caller publishes settings, so it cannot be refused.
    static_cast<void>(settings_.try_publish(settings));
    invalidate_all();
}

void InterruptRemapper::invalidate_all()
{
    generation_.fetch_add(1, std::memory_order_acq_rel);
    changes_.fetch_add(1, std::memory_order_relaxed);
}

void InterruptRemapper::invalidate(unsigned first, unsigned mask)
{
    // Beyond the cache's size every slot is concerned.
    const unsigned count = mask >= 10 ? slots : 1u << mask;
    for (unsigned i = 0; i < count; ++i) {
        slot_generation_[((first & ~(count - 1)) + i) % slots].fetch_add(
            1, std::memory_order_acq_rel);
    }
    changes_.fetch_add(1, std::memory_order_relaxed);
}

InterruptSettings InterruptRemapper::settings() const
{
    InterruptSettings settings;
    while (!settings_.try_read(settings)) {
    }
    return settings;
}

std::optional<Irte> InterruptRemapper::cached(std::uint32_t index) const
{
    Cached found;
    if (cache_[index % slots].try_read(found) && found.index == index &&
        found.generation == generation_.load(std::memory_order_acquire) &&
        found.slot_generation ==
            slot_generation_[index % slots].load(std::memory_order_acquire)) {
        return found.entry;
    }
    return std::nullopt;
}

std::optional<Message> InterruptRemapper::remap(std::optional<SourceId> source,
                                                const Message& request)
{
    const auto settings = this->settings();
    if (!settings.enabled) {
        return request;
    }
    const auto message = resolve(settings, source, request);
    if (message) {
        return *message;
    }
    const auto& refusal = message.error();
    const InterruptFault fault{refusal.reason, source.value_or(SourceId{0}),
                               refusal.index};
    if (hooks && listener_ != nullptr) {
        listener_->refused(fault, refusal.muted);
    }
    if (!refusal.muted) {
        faults_.record(fault);
    }
    return std::nullopt;
}

Expected<Message, InterruptRemapper::Refusal>
InterruptRemapper::resolve(const InterruptSettings& settings,
                           std::optional<SourceId> source, const Message& message)
{
    const auto refused = [](FaultReason reason, std::uint32_t index, bool muted) {
        return Unexpected{Refusal{reason, static_cast<std::uint16_t>(index), muted}};
    };
    const auto request = decode(message);
    const bool extended = settings.table[IrtaReg::EIME];
    // VT-d 5.1.2.1: with x2APIC, or with CFIS clear, compatibility format is blocked.
    if (!request[InterruptRequest::InterruptFormat]) {
        if (extended || !settings.compatibility_allowed) {
            return refused(FaultReason::CompatibilityBlocked, 0, false);
        }
        return message;
    }
    // VT-d 5.1.3 "Interrupt-Remapping Table": handle plus, when valid, subhandle.
    auto index = static_cast<std::uint32_t>(
        request[InterruptRequest::Handle14_0] |
        std::uint32_t{request[InterruptRequest::Handle15]} << 15);
    if (request[InterruptRequest::SHV]) {
        if (request[InterruptRequest::DataReserved] != 0) {
            return refused(FaultReason::InterruptRequestReserved, index, false);
        }
        index += static_cast<std::uint32_t>(request[InterruptRequest::Subhandle]);
    }
    if (index >= std::uint32_t{2} << settings.table[IrtaReg::S]) {
        return refused(FaultReason::InterruptIndexTooLarge, index, false);
    }
    const auto entry = fetch(settings, index);
    if (!entry) {
        return Unexpected{entry.error()};
    }
    if (source && !valid_source(*entry, *source)) {
        return refused(FaultReason::SourceNotValid, index, (*entry)[Irte::FPD]);
    }
    return deliver(*entry, extended);
}

Expected<Irte, InterruptRemapper::Refusal>
InterruptRemapper::fetch(const InterruptSettings& settings, std::uint32_t index)
{
    auto& slot = cache_[index % slots];
    Cached cached;
    cached.generation = generation_.load(std::memory_order_acquire);
    cached.slot_generation =
        slot_generation_[index % slots].load(std::memory_order_acquire);
    Cached found;
    if (slot.try_read(found) && found.generation == cached.generation &&
        found.slot_generation == cached.slot_generation && found.index == index) {
        return found.entry;
    }
    const auto entry =
        fetch_entry<Irte>(memory_, settings.table[IrtaReg::IRTA] + index * 16);
    if (!entry) {
        return Unexpected{
            Refusal{FaultReason::IrteAccess, static_cast<std::uint16_t>(index), false}};
    }
    if (const auto reason = refuse_entry(*entry)) {
        return Unexpected{
            Refusal{*reason, static_cast<std::uint16_t>(index), (*entry)[Irte::FPD]}};
    }
    // Only good entries are cached, whatever CAP.CM allows (VT-d 6.1 "Caching Mode").
    cached.entry = *entry;
    cached.index = index;
    static_cast<void>(slot.try_publish(cached));
    return *entry;
}

std::optional<FaultReason> InterruptRemapper::refuse_entry(const Irte& e)
{
    if (!e[Irte::P]) {
        return FaultReason::IrteNotPresent;
    }
    // CAP.PI is clear, so the posted format is one more reserved encoding, as are two of
    // the delivery modes (VT-d 9.9, field DLM).
    const auto mode = e[Irte::DLM];
    if (e.res0_violated() || e[Irte::IM] || mode == 0b011 || mode == 0b110 ||
        e[Irte::SVT] == SourceValidation::Reserved) {
        return FaultReason::IrteReserved;
    }
    return std::nullopt;
}

bool InterruptRemapper::valid_source(const Irte& e, SourceId source)
{
    const auto id = static_cast<unsigned>(source);
    const auto sid = static_cast<unsigned>(e[Irte::SID]);
    switch (e[Irte::SVT]) {
    case SourceValidation::SourceId: {
        // SQ ignores function bit 2, bits 2:1 or bits 2:0.
        constexpr unsigned ignored[] = {0b000, 0b100, 0b110, 0b111};
        return ((id ^ sid) & ~ignored[e[Irte::SQ]]) == 0;
    }
    case SourceValidation::Bus:
        return id >> 8 >= sid >> 8 && id >> 8 <= (sid & 0xff);
    default:
        return true;
    }
}

}  // namespace iommu::vtd
