// SPDX-License-Identifier: GPL-2.0-or-later
// Sources: which may be in a domain, and what each is bound to.
#include "driver/vtd/vtd.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

using namespace vtd;

Vtd::Source* Vtd::source(std::uint32_t id) const
{
    auto* s = sources_;
    while (s != nullptr && s->id != id) {
        s = s->next;
    }
    return s;
}

bool Vtd::replace_pasid_tables(Source& s, unsigned bits)
{
    PasidTables wider{};
    if (!make_pasid_tables(wider, bits)) {
        return false;
    }
    auto* tagged =
        static_cast<const Context**>(platform_.allocate(sizeof(void*) << bits));
    if (tagged == nullptr || !own_contexts(s.id >> 8)) {
        if (tagged != nullptr) {
            platform_.release(tagged, sizeof(void*) << bits);
        }
        platform_.release_pages(wider.directory, wider.pages);
        return false;
    }
    const auto old = s.pasids;
    if (old.directory != nullptr) {
        __builtin_memcpy(wider.directory + page_size / 8, old.directory + page_size / 8,
                         sizeof(PasidTableEntry) << old.bits);
    }
    s.pasids = wider;
    point_context(s.id, wider);
    if (old.directory != nullptr) {
        platform_.release_pages(old.directory, old.pages);
        platform_.release(s.tagged, sizeof(void*) << old.bits);
    }
    s.tagged = tagged;
    return true;
}

bool Vtd::prepare(std::uint32_t id, unsigned pasid_bits)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(id);
    if (s != nullptr) {
        return !features_.scalable || pasid_bits <= s->pasids.bits ||
               replace_pasid_tables(*s, pasid_bits);
    }
    s = platform_.make<Source>();
    if (s == nullptr) {
        return false;
    }
    s->id = id;
    // Until it is bound it may do what it could before.
    if (features_.scalable ? !replace_pasid_tables(*s, pasid_bits)
                           : !own_contexts(id >> 8)) {
        platform_.destroy(s);
        return false;
    }
    s->next = sources_;
    sources_ = s;
    return true;
}

void Vtd::forget(std::uint32_t id, Unattached then)
{
    const Guard guard(platform_, source_lock_);
    auto** at = &sources_;
    while (*at != nullptr && (*at)->id != id) {
        at = &(*at)->next;
    }
    auto* s = *at;
    if (s == nullptr) {
        return;
    }
    *at = s->next;
    if (features_.scalable) {
        if (then == Unattached::Identity) {
            point_context(s->id, identity_);
        } else {
            store(context_entry(s->id), 0);
            forget_contexts(s->id);
        }
        platform_.release_pages(s->pasids.directory, s->pasids.pages);
        platform_.release(s->tagged, sizeof(void*) << s->pasids.bits);
    } else {
        write_legacy(s->id, legacy_entry(nullptr, then));
    }
    platform_.destroy(s);
}

void Vtd::set_untagged(Source& s, Unattached otherwise)
{
    if (features_.scalable) {
        write_pasid(s.id, s.pasids, 0, pasid_entry(s.bound, otherwise, true));
    } else {
        write_legacy(s.id, legacy_entry(s.bound, otherwise));
    }
}

void Vtd::bind(std::uint32_t id, const Context& context)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(id);
    s->bound = &context;
    set_untagged(*s, Unattached::Blocked);
}

void Vtd::unbind(std::uint32_t id, Unattached then)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(id);
    s->bound = nullptr;
    set_untagged(*s, then);
}

void Vtd::bind_pasid(std::uint32_t id, std::uint32_t pasid, const Context& context,
                     bool report_faults)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(id);
    if (pasid >= 1u << s->pasids.bits) {
        return;
    }
    s->tagged[pasid] = &context;
    s->highest = pasid > s->highest ? pasid : s->highest;
    write_pasid(s->id, s->pasids, pasid,
                pasid_entry(&context, Unattached::Blocked, report_faults));
}

void Vtd::unbind_pasid(std::uint32_t id, std::uint32_t pasid)
{
    const Guard guard(platform_, source_lock_);
    auto* s = source(id);
    s->tagged[pasid] = nullptr;
    write_pasid(s->id, s->pasids, pasid, PasidTableEntry{});
}

}  // namespace iommu::driver
