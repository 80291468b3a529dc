// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5 "Invalidation of Translation Caches", and what the host wants to know of it.
#include "hw/iommu/vtd/requester.hpp"
#include "hw/iommu/vtd/tags.hpp"
#include "hw/iommu/vtd/translator.hpp"

#include <algorithm>

namespace iommu::vtd {

void Translator::end_plans(Counter& counter)
{
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    counter.fetch_add(1, std::memory_order_seq_cst);
}

// VT-d 11.4.4.1, SRTP with CAP.ESRTPS, and TE: all translation caches are invalidated.
void Translator::configure(const Settings& settings)
{
    // Only this caller publishes settings, so it cannot be refused.
    static_cast<void>(settings_.try_publish(settings));
    end_plans(all_);
    tlb_.invalidate_all();
    for (auto* r : listeners_) {
        memory_.host().unmapped(r->cookie(), Iova{0}, 0);
    }
    copy_all();
    announce_all();
}

void Translator::invalidate_contexts(const ContextSelector& which)
{
    switch (which.granularity) {
    case ContextGranularity::Device: {
        // VT-d 6.5.2.1, field FM: function bit 2, bits 2:1 or bits 2:0 do not count.
        constexpr unsigned ignored[] = {0b000, 0b100, 0b110, 0b111};
        const auto mask = ignored[which.function_mask & 3];
        const auto base = static_cast<unsigned>(which.source) & ~mask;
        for (unsigned f = 0; f < 8; ++f) {
            auto* r = (f & ~mask) == 0
                          ? find(SourceId{static_cast<std::uint16_t>(base | f)})
                          : nullptr;
            if (r != nullptr) {
                end_plans(r->changes);
                if (r->shadow) {
                    copy(*r, PageSpan{});
                }
                announce(*r);
            }
        }
        return;
    }
    case ContextGranularity::Domain:
        end_plans(domains_[static_cast<unsigned>(which.domain) % domain_slots]);
        break;
    default:
        end_plans(all_);
        break;
    }
    copy_all();
    announce_all();
}

void Translator::invalidate_pasid_cache(PasidCacheGranularity g, DomainId domain,
                                        Pasid pasid)
{
    switch (g) {
    case PasidCacheGranularity::Domain:
        end_plans(domains_[static_cast<unsigned>(domain) % domain_slots]);
        break;
    case PasidCacheGranularity::Pasid:
        end_plans(pasids_[static_cast<unsigned>(pasid) % pasid_slots]);
        break;
    default:
        end_plans(all_);
        break;
    }
    copy_all();
    announce_all();
}

void Translator::invalidate_all()
{
    tlb_.invalidate_all();
    for (auto* r : listeners_) {
        memory_.host().unmapped(r->cookie(), Iova{0}, 0);
    }
    copy_all();
}

void Translator::invalidate_domain(DomainId domain)
{
    tlb_.invalidate_domain(Tlb::domain_slot(static_cast<std::uint64_t>(domain)));
    notify(domain, Iova{0}, 0);
    copy_domain(domain, PageSpan{});
}

void Translator::invalidate_pages(DomainId domain, const PageRange& pages)
{
    tlb_.invalidate_pages(second_stage_tag(domain), pages.first(), pages.last());
    if (configuration_.scalable_mode) {
        tlb_.invalidate_inner(Tlb::domain_slot(static_cast<std::uint64_t>(domain)),
                              pages.first(), pages.last());
    }
    notify(domain, Iova{pages.first()}, pages.size());
    copy_domain(domain, {pages.first(), pages.last()});
}

void Translator::invalidate_pasid(DomainId domain, Pasid pasid)
{
    tlb_.invalidate_space(pasid_tag(domain, pasid).space);
    notify(domain, Iova{0}, 0);
}

void Translator::invalidate_pasid_pages(DomainId domain, Pasid pasid,
                                        const PageRange& pages)
{
    if (pages.everything()) {
        invalidate_pasid(domain, pasid);
        return;
    }
    const auto tag = pasid_tag(domain, pasid);
    tlb_.invalidate_pages(tag, pages.first(), pages.last());
    tlb_.invalidate_outer(tag.domain, pages.first(), pages.last());
    notify(domain, Iova{pages.first()}, pages.size());
}

// VT-d 6.5.2.5, 6.5.2.6: to the function itself; our own caches are another matter.
bool Translator::invalidate_device_tlb(SourceId source, Substream substream,
                                       const PageRange& pages)
{
    Settings settings;
    while (!settings_.try_read(settings)) {
    }
    // VT-d 4.3: with TES clear even an answer is not taken.
    const auto* r = settings.enabled ? find(source) : nullptr;
    return r != nullptr &&
           memory_.host().device_unmapped(r->cookie(), substream, Iova{pages.first()},
                                          pages.everything() ? 0 : pages.size());
}

// Every listener that may hold translations of `domain`.
void Translator::notify(DomainId domain, Iova base, std::uint64_t size)
{
    for (auto* r : listeners_) {
        const auto plan = resolve(*r, Substream{});
        if (!plan || plan->domain == static_cast<std::uint16_t>(domain)) {
            memory_.host().unmapped(r->cookie(), base, size);
        }
    }
}

Stream* Translator::stream(SourceId id, StreamCookie cookie)
{
    const auto number = static_cast<unsigned>(id);
    auto& bus = buses_[number >> 8];
    if (!bus) {
        bus = std::make_unique<Bus>();
    }
    auto& place = (*bus)[number & 0xff];
    if (!place) {
        place = std::make_unique<Requester>(*this, id, cookie);
        place->announced.store(bypassed(*place));
        requesters_.push_back(place.get());
    }
    return place.get();
}

Translator::Requester* Translator::find(SourceId id) const
{
    const auto number = static_cast<unsigned>(id);
    const auto& bus = buses_[number >> 8];
    return bus ? (*bus)[number & 0xff].get() : nullptr;
}

void Translator::want_unmaps(Requester& r, bool wanted)
{
    std::erase(listeners_, &r);
    if (wanted) {
        listeners_.push_back(&r);
    }
}

// Looks at the tables, but as nobody's request: no fault is recorded.
bool Translator::bypassed(const Requester& r)
{
    const auto plan = resolve(r, Substream{});
    return plan && plan->head.kind() <= PlanKind::PassThrough;
}

void Translator::announce(Requester& r)
{
    const bool now = bypassed(r);
    if (r.announced.exchange(now) != now) {
        memory_.host().bypass_changed(r.cookie());
    }
}

void Translator::announce_all()
{
    for (auto* r : requesters_) {
        announce(*r);
    }
}

}  // namespace iommu::vtd
