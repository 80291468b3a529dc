// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 7.2 "Fault Recording" and 7.3 "Fault Event": FSTS, FECTL to FEUADDR, FRCD.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "hw/iommu/vtd/event_message.hpp"
#include "hw/iommu/vtd/fault.hpp"
#include "hw/iommu/vtd/observer.hpp"
#include "iommu/host.hpp"

namespace iommu::vtd {

// Faults come from any thread, software reads from another.  Interrupts are sent with no
// lock held: the host may come back to our registers.
class FaultLog {
public:
    using Words = std::array<std::uint64_t, 2>;

    FaultLog(Host& host, unsigned records) : host_(host), records_(records) {}

    // Before software runs; nullptr for nobody.
    void observe(Observer* observer) { observer_ = observer; }

    void record(const Fault& f) { append(encode(f).dword); }
    void record(const InterruptFault& f) { append(encode(f).dword); }

    // FSTS.IQE, ICE or ITE.
    void raise(std::uint32_t status);

    // Takes no lock: the queue looks before each descriptor.
    std::uint32_t status() const { return status_.load(std::memory_order_acquire); }
    void write_status(std::uint32_t value);

    // FECTL, FEDATA, FEADDR and FEUADDR, by their place in the register file.
    std::uint32_t read_event(std::uint64_t offset) const;
    void write_event(std::uint64_t offset, std::uint32_t value);

    // Doubleword `index` of the fault recording registers, two to each.
    std::uint64_t read_record(std::size_t index) const;
    void write_record(std::size_t index, std::uint64_t value, std::uint64_t mask);

    std::size_t size() const { return records_.size(); }
    void reset();

    // What migration carries.
    struct State {
        std::uint32_t status = 0, next = 0;
        EventMessage::Registers event{};
        std::vector<Words> records;
    };
    State state() const;
    bool restore(const State&);

private:
    void append(const Words& words);
    // True when the record that now stands asks for an interrupt.
    std::optional<Message> append_locked(const Words& words);
    bool pending(const Words& words) const;
    void settle();
    void send(const std::optional<Message>& message);

    Host& host_;
    Observer* observer_ = nullptr;
    mutable std::mutex lock_;
    std::vector<Words> records_;
    std::size_t next_ = 0;                  // the record the next fault goes to
    std::atomic<std::uint32_t> status_{0};  // FSTS: written under the lock
    EventMessage event_;
};

}  // namespace iommu::vtd
