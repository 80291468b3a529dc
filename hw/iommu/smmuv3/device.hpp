// SPDX-License-Identifier: GPL-2.0-or-later
// The SMMUv3 around its translation: SMMU chapters 4 (commands), 6 (registers), 7 (events
// and errors) and 3.18 (interrupts).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "hw/iommu/smmuv3/fault.hpp"
#include "hw/iommu/smmuv3/observer.hpp"
#include "hw/iommu/smmuv3/spec/commands.hpp"
#include "hw/iommu/smmuv3/spec/registers.hpp"
#include "hw/iommu/smmuv3/translator.hpp"
#include "iommu/device.hpp"

namespace iommu::smmu {

struct Configuration {
    Capabilities capabilities{};
    bool gbpa_abort = false;  // reset value of GBPA.ABORT
    bool msi = true;          // IDR0.MSI
};

// Wired interrupt outputs, SMMU 3.18.2 "Interrupt sources"; the numbers are capi.h's.
enum class Line : unsigned {
    EventQueue = 0,
    PriQueue = 1,
    CommandSync = 2,
    GlobalError = 3
};

class Smmuv3 final : public Device {
public:
    static constexpr std::uint64_t mmio_size = 0x20000;  // SMMU 6.1, two 64 KiB pages
    static constexpr unsigned max_queue_log2 = 19;       // IDR1.CMDQS, IDR1.EVENTQS

    // nullptr, or one line saying which value the architecture does not have.
    static const char* refuse(const Configuration&);

    // `refuse` has been asked.
    Smmuv3(const Configuration&, Host&);
    ~Smmuv3() override;

    std::uint64_t mmio_read(std::uint64_t offset, unsigned size) override;
    void mmio_write(std::uint64_t offset, unsigned size, std::uint64_t value) override;
    void reset() override;
    Stream* stream(std::uint32_t id, StreamCookie cookie) override;
    std::vector<std::byte> save() const override;
    const char* load(std::span<const std::byte> state) override;
    const char* refuse_mappings() const override
    {
        return "winiommu-smmuv3 does not tell when the guest maps memory, which vfio "
               "needs: "
               "remove the vfio device, or put it on a root bus (pxb-pcie) without IOMMU";
    }
    const char* refuse_device_tlbs() const override
    {
        return "winiommu-smmuv3 has no ATS: remove ats=on from the device";
    }
    GuestMemory& memory() override { return memory_; }
    bool ask(std::string_view topic, std::string_view arguments,
             std::string& answer) override;
    std::string adjust(std::string_view option, std::string_view value) override;

    // Before software runs; nullptr for nobody.  Told at once what is configured.
    void observe(Observer* observer);

private:
    class Requester;
    class Views;  // introspect/smmuv3.cpp

    struct MsiTarget {
        std::uint64_t address = 0;    // IRQ_CFG0
        std::uint32_t data = 0;       // IRQ_CFG1
        std::uint32_t attribute = 0;  // IRQ_CFG2: stored, QEMU's bus has no attributes
    };

    // Everything software can read back.  Values UNKNOWN at reset are zero.
    struct Registers {
        std::uint32_t cr0 = 0, cr1 = 0, cr2 = 0, gbpa = 0, irq_ctrl = 0;
        std::uint32_t gerror = 0, gerrorn = 0;
        std::uint64_t strtab_base = 0;
        std::uint32_t strtab_base_cfg = 0;
        std::uint64_t cmdq_base = 0;
        std::uint32_t cmdq_prod = 0, cmdq_cons = 0;
        std::uint64_t eventq_base = 0;
        std::uint32_t eventq_prod = 0, eventq_cons = 0;
        MsiTarget gerror_msi, eventq_msi;
    };

    // SMMU 3.5.1 "SMMU circular queues": n bits of index, a wrap bit above them.
    struct Ring {
        unsigned log2 = 0;
        std::uint32_t size() const { return std::uint32_t{1} << log2; }
        std::uint32_t wrapped(std::uint32_t index) const
        {
            return index & (2 * size() - 1);
        }
        std::uint32_t slot(std::uint32_t index) const { return index & (size() - 1); }
        // More than size(): an inconsistent pair of indexes.
        std::uint32_t used(std::uint32_t prod, std::uint32_t cons) const
        {
            return wrapped(prod - cons);
        }
    };

    // capabilities.cpp: SMMU 6.3.1 to 6.3.8.
    std::uint32_t identification(std::uint32_t offset) const;

    // registers.cpp: SMMU chapter 6.
    void tell_write(std::uint32_t offset, unsigned size, std::uint64_t value);
    std::uint32_t read32(std::uint32_t offset) const;
    void write32(std::uint32_t offset, std::uint32_t value);
    void write64(std::uint32_t offset, std::uint64_t value);
    std::uint32_t read_reporting(std::uint32_t offset) const;
    void write_reporting(std::uint32_t offset, std::uint32_t value);
    void write_cr0(std::uint32_t value);
    void write_cr1(std::uint32_t value);
    void write_gbpa(std::uint32_t value);
    void write_gerrorn(std::uint32_t value);
    void write_stream_table(std::uint32_t offset, std::uint32_t value);
    void write_command_queue(std::uint32_t offset, std::uint32_t value);
    void write_event_queue(std::uint32_t offset, std::uint32_t value);
    static std::uint32_t read_msi(const MsiTarget&, std::uint32_t offset);
    void write_msi(MsiTarget&, std::uint32_t offset, std::uint32_t value) const;

    bool smmu_enabled() const { return from_raw<Cr0>(registers_.cr0)[Cr0::SMMUEN]; }
    bool command_queue_enabled() const
    {
        return from_raw<Cr0>(registers_.cr0)[Cr0::CMDQEN];
    }
    // SMMU 6.3.26, 6.3.29: a size above the maximum works as the maximum.
    static Ring ring_of(std::uint64_t queue_base)
    {
        const auto log2 = from_raw<QueueBase>(queue_base)[QueueBase::LOG2SIZE];
        return {static_cast<unsigned>(std::min<std::uint64_t>(log2, max_queue_log2))};
    }
    Ring command_ring() const { return ring_of(registers_.cmdq_base); }
    Ring event_ring() const { return ring_of(registers_.eventq_base); }
    std::uint64_t oas_mask() const
    {
        return (std::uint64_t{1} << configuration_.capabilities.oas_bits) - 1;
    }

    // device.cpp
    Registers reset_values() const;
    Settings settings() const;
    void configuration_changed();

    // state.cpp
    bool holdable(const Registers&) const;

    // commands.cpp: SMMU chapter 4.
    enum class Executed : std::uint8_t { Done, Signal, Illegal, Unreadable };
    struct Consumed {
        std::uint32_t commands = 0;
        Executed ended = Executed::Done;  // after them
    };
    void consume_commands();
    bool consume_batch(std::uint32_t& budget);
    template <Observed>
    Consumed execute_until_signal(Ring, std::uint32_t first, std::uint32_t most,
                                  Command& last);
    void commit_consumed(std::uint32_t cons);
    Gpa command_queue_address() const;
    Executed execute(Command);
    static Executed execute_sync(Command);
    Executed invalidate_stes(Command);
    Executed invalidate_cds(Command);
    Executed invalidate_stage1(Command);
    Executed invalidate_stage2(Command);
    const std::uint64_t* fetch_command(std::uint32_t slot, Command& to);
    void signal_completion(Command);
    void stop_commands(CommandError, Command);

    // events.cpp: SMMU 7.2 to 7.4.
    enum class Recorded : std::uint8_t { Discarded, Appended, FirstAppended, Aborted };
    void record(const Fault&);
    // introspect/smmuv3.cpp: for people; the note's serial.  `fault` may be nullptr.
    std::uint64_t note_refusal(StreamId stream, const Transaction& access,
                               const Fault* fault);
    Recorded append(const std::array<std::uint64_t, 4>& words);
    bool store_event(Ring, const std::array<std::uint64_t, 4>& words);

    // interrupts.cpp: SMMU 3.18, 7.5.
    void activate(std::uint32_t gerror_flag);
    void interrupt(Line, const MsiTarget* target, std::uint32_t abort_flag);
    MemoryResult send_msi(std::uint64_t address, std::uint32_t data);

    // streams.cpp: requesters, and what the host wants to know about them.
    Requester* find(std::uint32_t id) const;
    Requester* nth(const std::vector<Requester*>& list, std::size_t n) const;
    void notify_unmapped(Iova base, std::uint64_t size);
    void notify_range(const AddressRange&);
    void notify_configuration(std::uint32_t first, std::uint64_t count);

    const Configuration configuration_;
    Host& host_;
    Observer* observer_ = nullptr;
    GuestMemory memory_;
    Translator engine_;

    // Guards what recording an event touches, from any thread: GERROR, GERRORN, IRQ_CTRL,
    // the MSI targets, CR0.EVENTQEN and the event queue.  Nothing of the host but
    // mark_dirty is called with it held: an interrupt or a write to another device may
    // come back to our registers.
    mutable std::mutex reporting_;
    Registers registers_;
    bool consuming_ = false;
    // For people: all commands, and those that are no CMD_SYNC by opcode.  Every driver
    // sends as many of that one as of all others, so it is not counted each time.
    std::uint64_t seen_ = 0;
    std::array<std::uint64_t, 256> others_{};
    bool command_error_ = false;  // GERROR.CMDQ_ERR != GERRORN.CMDQ_ERR

    // How often software has written a register.
    std::uint64_t register_writes() const
    {
        return register_writes_.load(std::memory_order_relaxed);
    }
    std::atomic<std::uint64_t> register_writes_{0};
    // Another number whenever software has had a say: at each register write, and before
    // it is told that commands completed.
    std::uint64_t said_so_far() { return epoch().now() + register_writes(); }

    // Two levels by StreamID; entries are created by stream(), on any thread, and never
    // move.  Guards the lists; nothing of the host is called with it held.
    mutable std::mutex streams_;
    static constexpr unsigned leaf_bits = 8;
    using Leaf = std::vector<std::unique_ptr<Requester>>;
    std::vector<std::unique_ptr<Leaf>> requesters_;
    std::vector<Requester*> all_requesters_;
    std::vector<Requester*> unmap_listeners_;
    std::atomic<bool> anyone_listens_{false};
};

}  // namespace iommu::smmu
