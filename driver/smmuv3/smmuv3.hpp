// SPDX-License-Identifier: GPL-2.0-or-later
// The SMMUv3 back end.  Managed domains use stage 2 where there is one (it can say
// write-only), TranslateS1, PASID sub-devices and Unmanaged domains stage 1.
#pragma once

#include "driver/smmuv3/command_queue.hpp"
#include "driver/smmuv3/iort.hpp"
#include "driver/smmuv3/stream_table.hpp"
#include "driver/unit.hpp"
#include "hw/iommu/smmuv3/spec/cd.hpp"
#include "hw/iommu/smmuv3/spec/ste.hpp"

namespace iommu::driver {

struct Smmuv3Kind {
    using Table = Iort;
    using Node = Iort::Smmu;
    struct Features {
        bool stage1 = false, stage2 = false;
        unsigned oas_bits = 0, oas_code = 0, bbml = 0, ssid_bits = 0;
        unsigned asid_bits = 8, vmid_bits = 8;
        bool meet(const Features& other);
    };
    // Its context descriptors.
    struct Stream : Requester<Stream> {
        std::uint64_t* cds = nullptr;
        std::uint64_t cds_physical = 0;
        unsigned cd_bits = 0;

        unsigned pasid_bits() const { return cd_bits; }
        std::uint64_t pages() const
        {
            const auto bytes = sizeof(smmu::Cd) << cd_bits;
            return (bytes + page_size - 1) / page_size;
        }
    };
    static const Format& format(bool stage1) { return stage1 ? arm_stage1 : arm_stage2; }
};

// One SMMU.  What it does for contexts it does as the leader of all: driver/units.hpp.
class Smmuv3 final : public CommonUnit<Smmuv3Kind> {
public:
    // With the features all have.  False: no memory.
    bool allocate(const Features& common, const Smmuv3& lead);
    void take_over() override;
    void stop() override;
    HardwareLimits limits() const override;
    bool find(const WdmDeviceIdentity& device, InputIds& ids) const override;
    void invalidate(const Context& context) override;
    void invalidate(const Context& context, std::uint64_t first_page, std::uint64_t pages,
                    Hardware::Depth depth) override;

    void drain_events();

private:
    bool usable() override;
    bool takes_stage1(Context::Kind kind) const override;
    Tags& tags(const Context& context) override
    {
        return context.stage1 ? asids_ : vmids_;
    }
    bool make_room(Stream& s, unsigned pasid_bits) override;
    void retire(Stream& s, Unattached then) override;
    void release(Stream& s) override;
    void set_bound(Stream& s, const Context* context) override;
    void set_tagged(Stream& s, std::uint32_t pasid, const Context* context,
                    bool report_faults) override;

    static constexpr unsigned log2_events = 7;
    static constexpr std::size_t event_bytes = 32;
    // SMMU 6.1 "Memory map": EVENTQ_PROD and EVENTQ_CONS are in page 1.
    static constexpr std::uint64_t page1 = 0x10000;

    void program();
    void set_cr0(std::uint32_t value);
    bool own_entry(std::uint32_t id);
    smmu::Ste compose(const Stream& s) const;
    smmu::Ste stage2(const Context& context) const;
    smmu::Cd descriptor(const Context& context, bool report_faults) const;
    static bool translates(const Context* context);
    bool may_be_cached(const Context& context) const;
    struct Replacement {
        bool through_invalid = false;
        Mutant forgotten_by{};  // the deliberate mistake that leaves out the invalidation
    };
    template <typename Value, typename Cfgi>
    void replace(std::uint64_t* entry, const Value& value, const Replacement& how,
                 const Cfgi& cfgi);
    void write_ste(std::uint32_t id, const smmu::Ste& value);
    void write_cd(const Stream& s, std::uint32_t substream, const smmu::Cd& value);
    void report(const std::uint64_t* event);

    bool range_invalidation_ = false, two_levels_ = false;
    unsigned sid_bits_ = 0;
    CommandQueue commands_;
    Tags asids_, vmids_;  // the leader's
    StreamTable stream_table_;
    std::uint64_t* events_ = nullptr;
    std::uint64_t events_physical_ = 0;
    std::uint32_t event_read_ = 0;  // with its wrap bit
    SpinLock event_lock_;
};

}  // namespace iommu::driver
