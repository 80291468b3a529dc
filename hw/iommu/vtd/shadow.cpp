// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.1 "Caching Mode": copies of second stages, kept up to date by software's own
// invalidations.
#include "hw/iommu/vtd/shadow.hpp"

#include "hw/iommu/vtd/requester.hpp"

namespace iommu::vtd {

void Translator::want_mappings(Requester& r, bool wanted)
{
    std::erase(copiers_, &r);
    r.shadow.reset();
    if (wanted) {
        r.shadow = std::make_unique<Shadow>();
        copiers_.push_back(&r);
    }
}

// Whoever begins to listen asks for a replay: what is new to it and to the copy is told
// to all, once.
void Translator::replay_mappings(Requester& r, Stream::TakeBlock take, void* opaque)
{
    if (!r.shadow) {
        return;
    }
    for (const auto& [input, block] : r.shadow->blocks()) {
        take(opaque, block);
    }
    allow_copying();
    copy(r, PageSpan{});
    finish_copying();
}

void Translator::copy(Requester& r, const PageSpan& pages)
{
    auto& shadow = *r.shadow;
    auto& host = memory_.host();
    if (shadow.behind) {
        return;
    }
    std::vector<MappedBlock> now;
    auto span = shadow.widen(pages);
    const auto plan = resolve(r, Substream{});
    const bool copied = !plan || list_blocks(*plan, span, copy_budget_, now);
    if (!copied || shadow.blocks().size() + now.size() > 2 * Shadow::largest) {
        if (!shadow.blocks().empty()) {
            host.mapping_changed(r.cookie(), {Iova{0}, Gpa{0}, ~std::uint64_t{0}});
        }
        shadow.clear();
        shadow.behind = true;
        return;
    }
    if (!now.empty()) {
        span.first = std::min(span.first, now.front().input.value);
        span.last = std::max(span.last, now.back().input.value | now.back().mask);
    }
    shadow.become(span, now,
                  [&](const MappedBlock& b) { host.mapping_changed(r.cookie(), b); });
}

void Translator::copy_all()
{
    for (auto* r : copiers_) {
        copy(*r, PageSpan{});
    }
}

void Translator::copy_domain(DomainId domain, const PageSpan& pages)
{
    for (auto* r : copiers_) {
        const auto plan = resolve(*r, Substream{});
        if (!plan || plan->domain == static_cast<std::uint16_t>(domain)) {
            copy(*r, pages);
        }
    }
}

void Translator::allow_copying()
{
    copy_budget_ = {};
}

// Once more for those that fell behind; what is too much even alone stays out.
void Translator::finish_copying()
{
    for (auto* r : copiers_) {
        if (!r->shadow->behind) {
            continue;
        }
        allow_copying();
        r->shadow->behind = false;
        copy(*r, PageSpan{});
        if (r->shadow->behind && !r->shadow->complained) {
            memory_.host().guest_error(
                "vtd: more is mapped than a copy for vfio may hold: none of it is");
        }
        r->shadow->complained = r->shadow->behind;
        r->shadow->behind = false;
    }
}

}  // namespace iommu::vtd
