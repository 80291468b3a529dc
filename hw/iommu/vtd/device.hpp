// SPDX-License-Identifier: GPL-2.0-or-later
// The VT-d unit around its translation: VT-d chapters 6 (invalidation), 10 and 11
// (registers).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hw/iommu/vtd/capabilities.hpp"
#include "hw/iommu/vtd/event_message.hpp"
#include "hw/iommu/vtd/fault_log.hpp"
#include "hw/iommu/vtd/interrupt_remapper.hpp"
#include "hw/iommu/vtd/observer.hpp"
#include "hw/iommu/vtd/spec/descriptors.hpp"
#include "hw/iommu/vtd/spec/registers.hpp"
#include "hw/iommu/vtd/translator.hpp"
#include "iommu/device.hpp"

namespace iommu::vtd {

class Vtd final : public Device {
public:
    // `refuse(configuration)` has been asked.
    Vtd(const Configuration& configuration, Host& host);

    std::uint64_t mmio_read(std::uint64_t offset, unsigned size) override;
    void mmio_write(std::uint64_t offset, unsigned size, std::uint64_t value) override;
    void reset() override;
    Stream* stream(std::uint32_t id, StreamCookie cookie) override;
    std::vector<std::byte> save() const override;
    const char* load(std::span<const std::byte> state) override;
    const char* refuse_mappings() const override;
    const char* refuse_device_tlbs() const override;
    GuestMemory& memory() override { return memory_; }
    bool ask(std::string_view topic, std::string_view arguments,
             std::string& answer) override;
    std::string adjust(std::string_view option, std::string_view value) override;

    // Before software runs; nullptr for nobody.  Told at once what is configured.
    void observe(Observer* observer);

    // Any thread.
    std::optional<Message> remap_interrupt(std::optional<SourceId> source,
                                           const Message& request)
    {
        return interrupts_.remap(source, request);
    }
    std::uint32_t interrupt_changes() const { return interrupts_.changes(); }
    // Whole pages: the fault records may reach into a second one.
    std::uint64_t mmio_size() const;
    unsigned host_address_bits() const { return configuration_.haw_bits(); }

private:
    // introspect/vtd.cpp
    class Views;
    struct Refusals final : RefusalListener {
        explicit Refusals(FaultHistory& to) : history(to) {}
        void refused(const Fault& fault, bool muted) override;
        void refused(const InterruptFault& fault, bool muted) override;
        void refused_further(Iova last) override;
        FaultHistory& history;
    };

    // Everything software can read back but what FaultLog holds, and the two pointers
    // that GCMD latched.
    struct Registers {
        std::uint32_t gsts = 0;
        std::uint64_t rtaddr = 0, ccmd = 0;
        std::uint64_t iqh = 0, iqt = 0, iqa = 0, iqercd = 0;
        std::uint32_t ics = 0;
        std::uint64_t irta = 0, iva = 0, iotlb = 0;
        std::uint64_t active_rtaddr = 0, active_irta = 0, active_iqa = 0;
    };

    // device.cpp: an access is a doubleword slot and the bits of it that are written.
    std::uint64_t read_slot(std::uint64_t slot) const;
    void write_slot(std::uint64_t slot, std::uint64_t value, std::uint64_t mask);
    void write_events(std::uint64_t slot, std::uint64_t value, std::uint64_t mask);
    void write_invalidation_events(std::uint64_t slot, std::uint64_t value,
                                   std::uint64_t mask);
    void write_gcmd(std::uint32_t value);
    void set_status(GlobalReg command, std::uint64_t bit);
    void set_root_table();
    void set_interrupt_table();
    void enable_queue(bool enable);
    Settings settings() const;
    void publish();
    void publish_interrupts();
    std::uint64_t address_mask() const;
    std::uint64_t writable_rtaddr() const;
    std::uint64_t writable_iqa() const;
    std::uint64_t writable_irta() const;
    bool legacy() const;

    // state.cpp
    bool holdable(const Registers&) const;

    // invalidation.cpp: VT-d 6.5.1 "Register-based Invalidation Interface".
    void write_ccmd();
    void write_iotlb();

    // queue.cpp: VT-d 6.5.2 "Queued Invalidation Interface".
    void process_queue();
    bool queue_runs() const;
    template <Observed>
    void run_queue();
    template <Observed>
    std::optional<QueueError> step();
    bool fetch_descriptor(Gpa queue, std::uint64_t size, std::span<std::byte> to);
    std::optional<QueueError> execute(const std::array<std::uint64_t, 2>& words);
    std::optional<QueueError> execute_scalable(DescriptorType type,
                                               const std::array<std::uint64_t, 2>& words);
    std::optional<QueueError> invalidate(const ContextCacheDescriptor&);
    std::optional<QueueError> invalidate(const IotlbDescriptor&);
    std::optional<QueueError> invalidate(const DeviceTlbDescriptor&);
    std::optional<QueueError> invalidate(const InterruptEntryCacheDescriptor&);
    std::optional<QueueError> invalidate(const PasidCacheDescriptor&);
    std::optional<QueueError> invalidate(const PasidIotlbDescriptor&);
    std::optional<QueueError> invalidate(const PasidDeviceTlbDescriptor&);
    std::optional<QueueError> wait(const WaitDescriptor&);
    void complete_wait();
    void fail_queue(QueueError);
    void time_out(SourceId silent);
    void invalidate_device_tlb(SourceId source, Substream substream,
                               const PageRange& pages);
    void send(const std::optional<Message>& message);

    const Configuration configuration_;
    Host& host_;
    Observer* observer_ = nullptr;
    GuestMemory memory_;
    FaultLog faults_;
    Refusals refusals_{history()};
    InterruptRemapper interrupts_;
    Translator translator_;
    Registers r_;
    EventMessage invalidation_event_;
    std::optional<SourceId> unanswered_;  // while the queue is processed
    bool processing_ = false;
    struct QueuePlace {
        Gpa queue{};
        std::uint64_t size = 0;  // 0: not looked for
        const std::byte* host = nullptr;
        std::uint32_t ram = 0;  // RamMap::generation()
    };
    QueuePlace place_;
    std::array<std::uint64_t, 128> executed_{};  // descriptors by type, for people
    bool writing_ = false;
};

}  // namespace iommu::vtd
