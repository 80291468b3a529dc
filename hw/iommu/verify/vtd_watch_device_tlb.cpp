// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5.2.5 "Device-TLB Invalidate Descriptor": a function that goes on with what it
// was told is stopped by nobody but its driver.
#include "hw/iommu/verify/vtd_watch.hpp"
#include "hw/iommu/vtd/device.hpp"

namespace iommu::verify {

void VtdWatch::translation_told(std::uint32_t id, const Transaction& request,
                                const Translation& told)
{
    if (!verifies()) {
        return;
    }
    const Guard guard(lock_);
    // VT-d 4.1.2: what may be executed is not asked for here; a function that asked to
    // write may have been told that it can only read.
    auto access = request;
    access.content = Content::Data;
    access.access =
        told.write && request.access == Access::Write ? Access::Write : Access::Read;
    seen(id, access, access.access == Access::Write || told.read, told);

    peek_.begin();
    const auto fresh = ask(id, access);
    DeviceTlbs::Entry entry;
    entry.subject = fresh.subject;
    entry.subject.what = Cached::DeviceTranslation;
    entry.subject.first = request.address.value & ~told.mask;
    entry.subject.last = request.address.value | told.mask;
    entry.privilege = request.privilege;
    entry.output = told.output.value & ~told.mask;
    entry.mask = told.mask;
    entry.read = told.read;
    entry.write = told.write;
    entry.leaf_at = fresh.leaf_at;
    entry.leaf = fresh.leaf;
    entry.since_ns = now();
    device_tlbs_.keep(entry);
}

void VtdWatch::translation_used(std::uint32_t id, const Transaction& used)
{
    if (!verifies()) {
        return;
    }
    const Guard guard(lock_);
    settle_due();
    std::vector<DeviceTlbs::Entry> told;
    const bool all = device_tlbs_.find(id, used, told);
    const auto system = used.address.value;
    Fresh fresh;
    Transaction access = used;
    for (const auto& entry : told) {
        access.address = Iova{entry.input_of(system)};
        peek_.begin();
        fresh = ask(id, access);
        if (!fresh.known || peek_.left_ram() ||
            (fresh.granted && fresh.output == system)) {
            return;
        }
    }
    // What was forged, or told before anybody watched, proves nothing.
    if (!all || told.empty()) {
        return;
    }
    const auto& entry = told.back();
    const auto& s = entry.subject;
    suspected(Rule::VtdStaleDeviceTlb,
              std::uint64_t{s.requester} << 48 ^ std::uint64_t{s.substream} << 24 ^
                  entry.leaf_at,
              {{"requester", id},
               {"substream", s.substream},
               {"domain", s.domain},
               {"space", s.space},
               {"address", access.address.value},
               {"write", used.access == Access::Write, Fact::Kind::Decimal},
               {"used", system},
               {"memory-says", fresh.granted ? fresh.output : 0},
               {"memory-grants", fresh.granted, Fact::Kind::Decimal},
               {"old-descriptor", entry.leaf},
               {"old-descriptor-at", entry.leaf_at},
               {"new-descriptor", fresh.leaf},
               {"new-descriptor-at", fresh.leaf_at},
               {"cached-ns", entry.since_ns, Fact::Kind::Decimal}},
              s, entry.since_ns);
}

}  // namespace iommu::verify
