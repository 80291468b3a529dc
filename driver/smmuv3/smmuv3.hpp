// SPDX-License-Identifier: GPL-2.0-or-later
// The SMMUv3 back end.  Managed domains use stage 2 where there is one (it can say
// write-only), TranslateS1, PASID sub-devices and Unmanaged domains stage 1.
#pragma once

#include "driver/hw.hpp"
#include "driver/smmuv3/command_queue.hpp"
#include "driver/smmuv3/iort.hpp"
#include "driver/tags.hpp"
#include "hw/iommu/smmuv3/spec/cd.hpp"
#include "hw/iommu/smmuv3/spec/ste.hpp"

namespace iommu::driver {

class Smmuv3 final : public Hardware {
public:
    bool start(const Platform& platform, FaultSink& sink) override;
    void stop() override;
    HardwareLimits limits() const override;
    std::uint64_t base_address() const override { return smmu_.base; }
    bool find(const WdmDeviceIdentity& device, InputIds& ids) const override;
    bool create_context(Context& context) override;
    void destroy_context(Context& context) override;
    bool prepare(StreamRef stream, unsigned pasid_bits) override;
    void forget(StreamRef stream, Unattached then) override;
    void bind(StreamRef stream, const Context& context) override;
    void unbind(StreamRef stream, Unattached then) override;
    void bind_pasid(StreamRef stream, std::uint32_t pasid, const Context& context,
                    bool report_faults) override;
    void unbind_pasid(StreamRef stream, std::uint32_t pasid) override;
    void invalidate(const Context& context) override;
    void invalidate(const Context& context, std::uint64_t first_page, std::uint64_t pages,
                    Depth depth) override;

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
    bool allocate_queues();
    void program();
    void set_cr0(std::uint32_t value);
    Stream* stream(StreamRef ref) const;
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
    Iort iort_{};
    Iort::Smmu smmu_{};
    bool stage1_ = false, stage2_ = false, range_invalidation_ = false;
    unsigned oas_bits_ = 0, oas_code_ = 0, bbml_ = 0, ssid_bits_ = 0, sid_bits_ = 0;
    unsigned asid_bits_ = 8, vmid_bits_ = 8;
    CommandQueue commands_;
    Tags asids_, vmids_;
    std::uint64_t* stes_ = nullptr;
    std::uint64_t stes_physical_ = 0;
    unsigned log2_streams_ = 0;
    std::uint64_t* events_ = nullptr;
    std::uint64_t events_physical_ = 0;
    std::uint32_t event_read_ = 0;  // with its wrap bit
    SpinLock event_lock_;
    SpinLock stream_lock_;  // streams_ and what hangs off it
    Stream* streams_ = nullptr;
};

}  // namespace iommu::driver
