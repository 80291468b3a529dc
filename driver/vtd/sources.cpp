// SPDX-License-Identifier: GPL-2.0-or-later
// Sources: which may be in a domain, and what each is bound to.
#include "driver/vtd/vtd.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

using namespace vtd;

bool Vtd::replace_pasid_tables(Stream& s, unsigned bits)
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

// Until it is bound it may do what it could before.
bool Vtd::make_room(Stream& s, unsigned pasid_bits)
{
    return features_.scalable ? replace_pasid_tables(s, pasid_bits)
                              : own_contexts(s.id >> 8);
}

void Vtd::retire(Stream& s, Unattached then)
{
    if (!features_.scalable) {
        write_legacy(s.id, legacy_entry(nullptr, then));
    } else if (then == Unattached::Identity) {
        point_context(s.id, identity_);
    } else {
        store(context_entry(s.id), 0);
        forget_contexts(s.id);
    }
}

void Vtd::release(Stream& s)
{
    if (s.pasids.directory != nullptr) {
        platform_.release_pages(s.pasids.directory, s.pasids.pages);
    }
    if (s.tagged != nullptr) {
        platform_.release(s.tagged, sizeof(void*) << s.pasids.bits);
    }
}

void Vtd::set_bound(Stream& s, const Context* context)
{
    s.bound = context;
    if (features_.scalable) {
        write_pasid(s.pasids, 0, pasid_entry(context, s.otherwise, true));
    } else {
        write_legacy(s.id, legacy_entry(context, s.otherwise));
    }
}

void Vtd::set_tagged(Stream& s, std::uint32_t pasid, const Context* context,
                     bool report_faults)
{
    s.tagged[pasid] = context;
    if (context == nullptr) {
        write_pasid(s.pasids, pasid, PasidTableEntry{});
        return;
    }
    s.highest = pasid > s.highest ? pasid : s.highest;
    write_pasid(s.pasids, pasid,
                pasid_entry(context, Unattached::Blocked, report_faults));
}

}  // namespace iommu::driver
