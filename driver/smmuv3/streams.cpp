// SPDX-License-Identifier: GPL-2.0-or-later
// Streams: which may be in a domain, and the writing of their entries.
#include "driver/smmuv3/smmuv3.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

using namespace smmu;

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

// A wider table takes the place of the narrow one, if there was one.
bool Smmuv3::make_room(Stream& s, unsigned pasid_bits)
{
    Stream wider = s;
    wider.cd_bits = pasid_bits;
    wider.cds = platform_.pages(wider.pages(), wider.cds_physical);
    if (wider.cds == nullptr || !own_entry(s.id)) {
        release(wider);
        return false;
    }
    auto old = s;
    s = wider;
    if (old.cds != nullptr) {
        __builtin_memcpy(s.cds, old.cds, sizeof(Cd) << old.cd_bits);
        write_ste(s.id, compose(s));
        release(old);
    }
    return true;
}

void Smmuv3::retire(Stream& s, Unattached then)
{
    Stream plain{};
    plain.otherwise = then;
    write_ste(s.id, compose(plain));
}

void Smmuv3::release(Stream& s)
{
    if (s.cds != nullptr) {
        platform_.release_pages(s.cds, s.pages());
    }
}

// SMMU 3.21.3 "Configuration structures and configuration invalidation completion": the
// first doubleword, which has V, last.
template <typename Value, typename Cfgi>
void Smmuv3::replace(std::uint64_t* entry, const Value& value, const Replacement& how,
                     const Cfgi& cfgi)
{
    if (how.through_invalid) {
        __atomic_store_n(&entry[0], 0, __ATOMIC_RELEASE);
        if (!mutant(how.forgotten_by)) {
            commands_.issue(cfgi);
        }
    }
    for (unsigned i = 7; i != 0; --i) {
        __atomic_store_n(&entry[i], value.dword[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&entry[0], value.dword[0], __ATOMIC_RELEASE);
    if (!mutant(how.forgotten_by)) {
        commands_.issue(cfgi);
    }
}

// One doubleword may change in place, more go through an invalid entry.
void Smmuv3::write_ste(std::uint32_t id, const Ste& value)
{
    auto* entry = stream_table_.entry(id);
    unsigned changed = 0;
    for (unsigned i = 0; i < 8; ++i) {
        changed += entry[i] != value.dword[i] ? 1 : 0;
    }
    replace(entry, value, {changed > 1, Mutant::NoSteInvalidation},
            CfgiSte{}
                .with(CfgiSte::opcode, Opcode::CMD_CFGI_STE)
                .with(CfgiSte::StreamID, StreamId{id})
                .with(CfgiSte::Leaf, true));
}

void Smmuv3::write_cd(const Stream& s, std::uint32_t substream, const Cd& value)
{
    auto* entry = s.cds + std::uint64_t{substream} * 8;
    const bool valid = (entry[0] & Cd::V.mask) != 0;
    replace(entry, value, {valid, Mutant::NoCdInvalidation},
            CfgiCd{}
                .with(CfgiCd::opcode, Opcode::CMD_CFGI_CD)
                .with(CfgiCd::StreamID, StreamId{s.id})
                .with(CfgiCd::SubstreamID, SubstreamId{substream})
                .with(CfgiCd::Leaf, true));
}

// The descriptor is there before the STE that leads to it, and until after.
void Smmuv3::set_bound(Stream& s, const Context* context)
{
    const auto has_cd = [](const Context* c) { return translates(c) && c->stage1; };
    const bool had_cd = has_cd(s.bound);
    s.bound = context;
    if (has_cd(context)) {
        write_cd(s, 0, descriptor(*context, true));
    }
    write_ste(s.id, compose(s));
    if (context == nullptr && had_cd) {
        write_cd(s, 0, Cd{});
    }
}

void Smmuv3::set_tagged(Stream& s, std::uint32_t pasid, const Context* context,
                        bool report_faults)
{
    write_cd(s, pasid, context == nullptr ? Cd{} : descriptor(*context, report_faults));
}

}  // namespace iommu::driver
