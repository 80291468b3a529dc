// SPDX-License-Identifier: GPL-2.0-or-later
// The SMMUv3 back end.  Managed domains use stage 2 where there is one (it can say
// write-only), TranslateS1, PASID sub-devices and Unmanaged domains stage 1.
#pragma once

#include "driver/hw.hpp"
#include "driver/smmuv3/command_queue.hpp"
#include "driver/smmuv3/iort.hpp"
#include "driver/smmuv3/stream_table.hpp"
#include "driver/tags.hpp"
#include "hw/iommu/smmuv3/spec/cd.hpp"
#include "hw/iommu/smmuv3/spec/ste.hpp"

namespace iommu::driver {

// One SMMU.  What it does for contexts it does as the leader of all: driver/units.hpp.
class Smmuv3 {
public:
    using Table = Iort;
    using Node = Iort::Smmu;
    // What a context depends on.
    struct Features {
        bool stage1 = false, stage2 = false;
        unsigned oas_bits = 0, oas_code = 0, bbml = 0, ssid_bits = 0;
        unsigned asid_bits = 8, vmid_bits = 8;
        // Becomes what both can do; false, and unchanged: they have no stage in common.
        bool meet(const Features& other);
    };

    // False: not one for this driver.
    bool open(const Platform& platform, FaultSink& sink, const Iort& table,
              const Node& node, unsigned index);
    const Features& features() const { return features_; }
    // With the features all have.  False: no memory.
    bool allocate(const Features& common, const Smmuv3& lead);
    void take_over();
    void stop();

    HardwareLimits limits() const;
    std::uint64_t base_address() const { return smmu_.base; }
    bool find(const WdmDeviceIdentity& device, InputIds& ids) const;
    bool create_context(Context& context);
    void free_context(Context& context);
    bool prepare(std::uint32_t id, unsigned pasid_bits);
    void forget(std::uint32_t id, Unattached then);
    void bind(std::uint32_t id, const Context& context);
    void unbind(std::uint32_t id, Unattached then);
    void bind_pasid(std::uint32_t id, std::uint32_t pasid, const Context& context,
                    bool report_faults);
    void unbind_pasid(std::uint32_t id, std::uint32_t pasid);
    void invalidate(const Context& context);
    void invalidate(const Context& context, std::uint64_t first_page, std::uint64_t pages,
                    Hardware::Depth depth);

    void drain_events();

private:
    // A stream that has been in a domain: its context descriptors, and what its STE says.
    struct Stream {
        std::uint32_t id = 0;
        std::uint64_t* cds = nullptr;
        std::uint64_t cds_physical = 0;
        unsigned pasid_bits = 0;
        const Context* bound = nullptr;
        Unattached otherwise = Unattached::Blocked;
        Stream* next = nullptr;

        std::uint64_t pages() const
        {
            const auto bytes = sizeof(smmu::Cd) << pasid_bits;
            return (bytes + page_size - 1) / page_size;
        }
    };

    bool usable();
    void program();
    void set_cr0(std::uint32_t value);
    bool own_entry(std::uint32_t id);
    Stream* stream(std::uint32_t id) const;
    bool grow(Stream& s, unsigned pasid_bits);
    smmu::Ste compose(const Stream& s) const;
    smmu::Ste stage2(const Context& context) const;
    smmu::Cd descriptor(const Context& context, bool report_faults) const;
    static bool translates(const Context* context);
    bool may_be_cached(const Context& context) const;
    void write_ste(std::uint32_t id, const smmu::Ste& value);
    void write_cd(const Stream& s, std::uint32_t substream, const smmu::Cd& value);
    void refresh(const Stream& s);
    void report(const std::uint64_t* event);

    Platform platform_{};
    FaultSink* sink_ = nullptr;
    const Iort* iort_ = nullptr;
    Node smmu_{};
    unsigned index_ = 0;
    Features features_{};
    bool range_invalidation_ = false, two_levels_ = false;
    unsigned sid_bits_ = 0;
    CommandQueue commands_;
    Tags asids_, vmids_;  // the leader's
    StreamTable stream_table_;
    std::uint64_t* events_ = nullptr;
    std::uint64_t events_physical_ = 0;
    std::uint32_t event_read_ = 0;  // with its wrap bit
    SpinLock event_lock_;
    SpinLock stream_lock_;  // streams_ and what hangs off it
    Stream* streams_ = nullptr;
};

}  // namespace iommu::driver
