// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/introspect/smmuv3_cached.hpp"

namespace iommu::smmu {

using introspect::Json;
using introspect::Mapped;
using introspect::Story;

namespace {

const char* name_of(Context::Route route)
{
    switch (route) {
    case Context::Route::Abort:
        return "abort";
    case Context::Route::Bypass:
        return "bypass";
    case Context::Route::Translate:
        return "translate";
    }
    return "";
}

}  // namespace

Caches::Caches(const Translator& engine, const StreamEntry* entry, Substream substream)
    : engine_(engine)
{
    StreamEntry::Cached kept;
    if (entry != nullptr && entry->slot(substream).cached.try_read(kept) &&
        kept.hot.generation == engine.generation(entry->id) &&
        kept.hot.substream() == StreamEntry::key(substream)) {
        kept_ = kept;
    }
}

void Caches::tell_configuration(Story& story, const std::optional<Context>& now) const
{
    if (!kept_) {
        return;
    }
    const auto& context = kept_->context;
    const bool differs = context != now;
    Json json;
    json.open_object()
        .text("cache", "configuration cache")
        .boolean("differs", differs)
        .text("route", name_of(context.route));
    if (context.route == Context::Route::Translate) {
        json.number("VMID", static_cast<std::uint64_t>(context.vmid));
        if (context.stage1) {
            json.number("ASID", static_cast<std::uint64_t>(context.asid))
                .hex("TTB0", context.ttb[0].tables.base)
                .hex("TTB1", context.ttb[1].tables.base);
        }
        if (context.s2.enabled) {
            json.hex("S2TTB", context.s2.format.tables.base);
        }
    }
    json.close_object();
    story.beside_last(json.str(), differs);
}

void Caches::tell_translation(Story& story, const std::optional<Context>& context,
                              Iova input, const std::optional<Mapped>& now) const
{
    const auto used = kept_ ? std::optional(kept_->context) : context;
    if (!used || used->route != Context::Route::Translate) {
        return;
    }
    StreamEntry::Hot hot;
    engine_.complete(hot, *used);
    const auto address = Translator::cache_address(hot, input);
    std::atomic<std::uint8_t> guess{0};
    Tlb::Hit hit;
    if (engine_.tlb().lookup(hot.tag(), address, guess, hit)) {
        introspect::tell_hit(story, "TLB", address, hit, now);
    }
    if (!kept_) {
        return;
    }
    const auto key = engine_.walk_key(kept_->hot, engine_.tlb_.begin());
    if (used->stage1 && !used->s2.enabled) {
        introspect::tell_last_table<VmsaStage1>(story, key, input, now);
    } else if (!used->stage1) {
        introspect::tell_last_table<VmsaStage2>(story, key, Ipa{input.value}, now);
    }
}

}  // namespace iommu::smmu
