// SPDX-License-Identifier: GPL-2.0-or-later
// What a transaction meets before a Stream table entry is looked up: SMMU 6.3.14
// "SMMU_GBPA" while SMMUEN == 0, and the range check of 6.3.25 while SMMUEN == 1.  Beyond
// that everything aborts.
#pragma once

#include <atomic>
#include <optional>

#include "hw/iommu/smmuv3/translator.hpp"

namespace iommu::smmu {

struct DisabledStreamEntry {
    explicit DisabledStreamEntry(StreamId stream) : id(stream) {}
    const StreamId id;
};

class DisabledTranslator {
public:
    DisabledTranslator(const Capabilities&, GuestMemory&) {}

    void configure(const Settings& settings)
    {
        passes_ = !settings.smmu_enabled && !settings.gbpa_abort;
        records_ = settings.smmu_enabled && settings.record_bad_stream_id;
        log2size_ = settings.stream_table.log2size;
    }
    Outcome translate(DisabledStreamEntry& entry, const Transaction& access) noexcept
    {
        if (passes_) {
            return {Outcome::Kind::Bypassed,
                    {Gpa{access.address.value}, ~0ull, true, true},
                    std::nullopt};
        }
        Outcome outcome;
        if (records_ && static_cast<std::uint32_t>(entry.id) >> log2size_ != 0) {
            outcome.record = Fault{.id = EventId::C_BAD_STREAMID,
                                   .stream = entry.id,
                                   .substream = access.substream};
        }
        return outcome;
    }
    bool bypassed(const DisabledStreamEntry&) const { return passes_; }

    // Nothing is cached.
    void invalidate_ste(StreamId, bool) {}
    void invalidate_ste_range(StreamId, unsigned) {}
    void invalidate_all_configuration() {}
    void invalidate_cd(StreamId, SubstreamId, bool) {}
    void invalidate_all_cds(StreamId) {}
    void invalidate_all() {}
    void invalidate_vmid(Vmid) {}
    void invalidate_asid(Vmid, Asid) {}
    void invalidate_va(Vmid, std::optional<Asid>, const AddressRange&) {}
    void invalidate_ipa(Vmid, const AddressRange&) {}
    void invalidate_nh_all(Vmid) {}

private:
    std::atomic<bool> passes_{true};
    std::atomic<bool> records_{false};
    std::atomic<unsigned> log2size_{0};
};

}  // namespace iommu::smmu
