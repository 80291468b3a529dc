// SPDX-License-Identifier: GPL-2.0-or-later
// Streams: which may be in a domain, and the writing of their entries.
#include "driver/smmuv3/smmuv3.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

using namespace smmu;

Smmuv3::Stream* Smmuv3::stream(std::uint32_t id) const
{
    auto* s = streams_;
    while (s != nullptr && s->id != id) {
        s = s->next;
    }
    return s;
}

// SMMU 4.3.2: Range says how many bits of the StreamID do not matter, less one.
bool Smmuv3::own_entry(std::uint32_t id)
{
    const auto own = stream_table_.own(id);
    if (own == StreamTable::Own::Moved) {
        commands_.issue(CfgiSteRange{}
                            .with(CfgiSteRange::opcode, Opcode::CMD_CFGI_STE_RANGE)
                            .with(CfgiSteRange::StreamID, StreamId{id})
                            .with(CfgiSteRange::Range, StreamTable::split - 1));
    }
    return own != StreamTable::Own::NoMemory;
}

bool Smmuv3::prepare(std::uint32_t id, unsigned pasid_bits)
{
    const Guard guard(platform_, stream_lock_);
    if (auto* known = stream(id); known != nullptr) {
        return pasid_bits <= known->pasid_bits || grow(*known, pasid_bits);
    }
    auto* s = platform_.make<Stream>();
    if (s == nullptr) {
        return false;
    }
    s->id = id;
    s->pasid_bits = pasid_bits;
    s->cds = platform_.pages(s->pages(), s->cds_physical);
    if (s->cds == nullptr || !own_entry(id)) {
        if (s->cds != nullptr) {
            platform_.release_pages(s->cds, s->pages());
        }
        platform_.destroy(s);
        return false;
    }
    s->next = streams_;
    streams_ = s;
    return true;
}

// A wider table takes the place of the narrow one.
bool Smmuv3::grow(Stream& s, unsigned pasid_bits)
{
    Stream wider = s;
    wider.pasid_bits = pasid_bits;
    wider.cds = platform_.pages(wider.pages(), wider.cds_physical);
    if (wider.cds == nullptr) {
        return false;
    }
    const auto old = s;
    __builtin_memcpy(wider.cds, s.cds, sizeof(Cd) << s.pasid_bits);
    s = wider;
    write_ste(s.id, compose(s));
    platform_.release_pages(old.cds, old.pages());
    return true;
}

void Smmuv3::forget(std::uint32_t id, Unattached then)
{
    const Guard guard(platform_, stream_lock_);
    auto** at = &streams_;
    while (*at != nullptr && (*at)->id != id) {
        at = &(*at)->next;
    }
    auto* s = *at;
    if (s == nullptr) {
        return;
    }
    *at = s->next;
    Stream plain{};
    plain.otherwise = then;
    write_ste(s->id, compose(plain));
    platform_.release_pages(s->cds, s->pages());
    platform_.destroy(s);
}

// SMMU 3.21.3 "Configuration structures and configuration invalidation completion": one
// doubleword may change in place, more go through an invalid entry.
void Smmuv3::write_ste(std::uint32_t id, const Ste& value)
{
    auto* entry = stream_table_.entry(id);
    unsigned changed = 0;
    for (unsigned i = 0; i < 8; ++i) {
        changed += entry[i] != value.dword[i] ? 1 : 0;
    }
    const auto cfgi = CfgiSte{}
                          .with(CfgiSte::opcode, Opcode::CMD_CFGI_STE)
                          .with(CfgiSte::StreamID, StreamId{id})
                          .with(CfgiSte::Leaf, true);
    if (changed > 1) {
        __atomic_store_n(&entry[0], 0, __ATOMIC_RELEASE);
        if (!mutant(Mutant::NoSteInvalidation)) {
            commands_.issue(cfgi);
        }
    }
    for (unsigned i = 7; i != 0; --i) {
        __atomic_store_n(&entry[i], value.dword[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&entry[0], value.dword[0], __ATOMIC_RELEASE);
    if (!mutant(Mutant::NoSteInvalidation)) {
        commands_.issue(cfgi);
    }
}

void Smmuv3::write_cd(const Stream& s, std::uint32_t substream, const Cd& value)
{
    auto* entry = s.cds + std::uint64_t{substream} * 8;
    const auto cfgi = CfgiCd{}
                          .with(CfgiCd::opcode, Opcode::CMD_CFGI_CD)
                          .with(CfgiCd::StreamID, StreamId{s.id})
                          .with(CfgiCd::SubstreamID, SubstreamId{substream})
                          .with(CfgiCd::Leaf, true);
    if ((entry[0] & Cd::V.mask) != 0) {
        __atomic_store_n(&entry[0], 0, __ATOMIC_RELEASE);
        if (!mutant(Mutant::NoCdInvalidation)) {
            commands_.issue(cfgi);
        }
    }
    for (unsigned i = 7; i != 0; --i) {
        __atomic_store_n(&entry[i], value.dword[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&entry[0], value.dword[0], __ATOMIC_RELEASE);
    if (!mutant(Mutant::NoCdInvalidation)) {
        commands_.issue(cfgi);
    }
}

void Smmuv3::bind(std::uint32_t id, const Context& context)
{
    const Guard guard(platform_, stream_lock_);
    auto* s = stream(id);
    s->bound = &context;
    if (translates(&context) && context.stage1) {
        write_cd(*s, 0, descriptor(context, true));
    }
    write_ste(s->id, compose(*s));
}

void Smmuv3::unbind(std::uint32_t id, Unattached then)
{
    const Guard guard(platform_, stream_lock_);
    auto* s = stream(id);
    const bool had_cd = translates(s->bound) && s->bound->stage1;
    s->bound = nullptr;
    s->otherwise = then;
    write_ste(s->id, compose(*s));
    if (had_cd) {
        write_cd(*s, 0, Cd{});
    }
}

void Smmuv3::bind_pasid(std::uint32_t id, std::uint32_t pasid, const Context& context,
                        bool report_faults)
{
    const Guard guard(platform_, stream_lock_);
    auto* s = stream(id);
    if (pasid < 1u << s->pasid_bits) {
        write_cd(*s, pasid, descriptor(context, report_faults));
    }
}

void Smmuv3::unbind_pasid(std::uint32_t id, std::uint32_t pasid)
{
    const Guard guard(platform_, stream_lock_);
    write_cd(*stream(id), pasid, Cd{});
}

}  // namespace iommu::driver
