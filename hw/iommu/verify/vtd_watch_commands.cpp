// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5 "Invalidation of Translation Caches": what software tells the unit.
#include "hw/iommu/verify/vtd_watch.hpp"

#include <algorithm>
#include <bit>

#include "hw/iommu/vtd/device.hpp"
#include "hw/iommu/vtd/spec/descriptors.hpp"

namespace iommu::verify {

using namespace vtd;

namespace {

constexpr auto translation = static_cast<std::uint8_t>(Cached::Translation);
constexpr auto configuration = static_cast<std::uint8_t>(Cached::Configuration);
constexpr auto interrupt_entry = static_cast<std::uint8_t>(Cached::Interrupt);
constexpr auto device_tlb = static_cast<std::uint8_t>(Cached::DeviceTranslation);

template <typename D>
D as(const std::array<std::uint64_t, 2>& words)
{
    D d;
    d.dword = words;
    return d;
}

}  // namespace

void VtdWatch::configured(const Settings& settings)
{
    const Guard guard(lock_);
    engine_.configure(settings);
    Invalidation all;
    all.name = "SRTP or TE";
    all.what = translation | configuration;
    Watch::invalidated(all);
    completed();
}

// VT-d 6.5.2: what a descriptor names.
std::optional<Invalidation>
VtdWatch::decode(const std::array<std::uint64_t, 2>& words) const
{
    Invalidation what;
    what.words = words;
    const auto pages = [&](Iova address, std::uint64_t mask) {
        const auto size = mask >= 52 ? 0 : std::uint64_t{0x1000} << mask;
        what.first = address.value & ~(size - 1);
        what.last = size == 0 ? ~std::uint64_t{0} : what.first + size - 1;
        what.first = size == 0 ? 0 : what.first;
    };
    switch (as<AnyDescriptor>(words).type()) {
    case DescriptorType::ContextCache: {
        const auto d = as<ContextCacheDescriptor>(words);
        what.name = "context-cache invalidation";
        what.what = configuration;
        if (d[ContextCacheDescriptor::G] == ContextGranularity::Domain) {
            what.domain = static_cast<std::uint32_t>(d[ContextCacheDescriptor::DID]);
        } else if (d[ContextCacheDescriptor::G] == ContextGranularity::Device) {
            constexpr unsigned ignored[] = {0b000, 0b100, 0b110, 0b111};
            what.requester_mask = ignored[d[ContextCacheDescriptor::FM] & 3];
            what.first_requester = what.last_requester =
                static_cast<std::uint32_t>(d[ContextCacheDescriptor::SID]);
        }
        return what;
    }
    case DescriptorType::PasidCache: {
        const auto d = as<PasidCacheDescriptor>(words);
        what.name = "PASID-cache invalidation";
        what.what = configuration;
        if (d[PasidCacheDescriptor::G] != PasidCacheGranularity::Global) {
            what.domain = static_cast<std::uint32_t>(d[PasidCacheDescriptor::DID]);
        }
        if (d[PasidCacheDescriptor::G] == PasidCacheGranularity::Pasid) {
            what.substream = static_cast<std::uint32_t>(d[PasidCacheDescriptor::PASID]);
        }
        return what;
    }
    case DescriptorType::Iotlb: {
        const auto d = as<IotlbDescriptor>(words);
        what.name = "IOTLB invalidation";
        what.what = translation;
        if (d[IotlbDescriptor::G] != IotlbGranularity::Global) {
            what.domain = static_cast<std::uint32_t>(d[IotlbDescriptor::DID]);
        }
        if (d[IotlbDescriptor::G] == IotlbGranularity::Page) {
            what.space = Subject::none;
            pages(d[IotlbDescriptor::ADDR], d[IotlbDescriptor::AM]);
        }
        return what;
    }
    case DescriptorType::PasidIotlb: {
        const auto d = as<PasidIotlbDescriptor>(words);
        what.name = "PASID-based IOTLB invalidation";
        what.what = translation;
        what.domain = static_cast<std::uint32_t>(d[PasidIotlbDescriptor::DID]);
        what.space = static_cast<std::uint32_t>(d[PasidIotlbDescriptor::PASID]);
        if (d[PasidIotlbDescriptor::G] == PasidIotlbGranularity::PageInPasid) {
            pages(d[PasidIotlbDescriptor::ADDR], d[PasidIotlbDescriptor::AM]);
        }
        return what;
    }
    case DescriptorType::InterruptEntryCache: {
        const auto d = as<InterruptEntryCacheDescriptor>(words);
        what.name = "interrupt entry cache invalidation";
        what.what = interrupt_entry;
        if (d[InterruptEntryCacheDescriptor::G]) {
            const auto count = std::uint64_t{1} << d[InterruptEntryCacheDescriptor::IM];
            what.first = d[InterruptEntryCacheDescriptor::IIDX] & ~(count - 1);
            what.last = what.first + count - 1;
        }
        return what;
    }
    case DescriptorType::DeviceTlb: {
        using D = DeviceTlbDescriptor;
        const auto d = as<D>(words);
        what.name = "Device-TLB invalidation";
        what.what = device_tlb;
        what.first_requester = what.last_requester =
            static_cast<std::uint32_t>(d[D::SID]);
        what.substream = Subject::none;
        pages(d[D::ADDR], d[D::S] ? std::countr_one(d[D::ADDR].value >> 12) + 1u : 0);
        return what;
    }
    case DescriptorType::PasidDeviceTlb: {
        using D = PasidDeviceTlbDescriptor;
        const auto d = as<D>(words);
        what.name = "PASID-based Device-TLB invalidation";
        what.what = device_tlb;
        what.first_requester = what.last_requester =
            static_cast<std::uint32_t>(d[D::SID]);
        what.substream = d[D::G] ? Invalidation::any_substream
                                 : static_cast<std::uint32_t>(d[D::PASID]);
        pages(d[D::ADDR], d[D::S] ? std::countr_one(d[D::ADDR].value >> 12) + 1u : 0);
        return what;
    }
    default:
        return std::nullopt;
    }
}

// An entry that becomes present need not be announced (CAP.CM clear): what a requester's
// structures name at this moment counts as used.
void VtdWatch::learn(const Invalidation& what)
{
    if (what.what != translation || what.domain == Invalidation::any ||
        used(what.domain, what.space)) {
        return;
    }
    const bool pasid = what.space != Invalidation::any && what.space != Subject::none;
    for (const auto id : requesters()) {
        peek_.begin();
        auto fresh = ask(id, {});
        note_used(fresh.subject);
        if (pasid) {
            peek_.begin();
            fresh = ask(id, {.substream = {what.space, true}});
            note_used(fresh.subject);
        }
    }
}

void VtdWatch::consumed(const std::array<std::uint64_t, 2>& descriptor)
{
    const Guard guard(lock_);
    note_command(descriptor);
    if (as<AnyDescriptor>(descriptor).type() == DescriptorType::Wait) {
        completed();
        return;
    }
    const auto what = decode(descriptor);
    if (!what) {
        return;
    }
    if (what->what == interrupt_entry) {
        entries_.erase(entries_.lower_bound(static_cast<std::uint32_t>(what->first)),
                       entries_.upper_bound(static_cast<std::uint32_t>(
                           std::min<std::uint64_t>(what->last, 0xffff))));
    }
    if (what->what == device_tlb) {
        device_tlbs_.invalidate(*what, [&](const DeviceTlbs::Entry& e) {
            gone(e.subject, e.output, e.mask);
        });
    }
    if (verifies()) {
        learn(*what);
    }
    Watch::invalidated(*what);
}

void VtdWatch::invalidated(const std::array<std::uint64_t, 2>& descriptor)
{
    const Guard guard(lock_);
    consumed(descriptor);
    completed();
}

}  // namespace iommu::verify
