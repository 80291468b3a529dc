// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-watch: a function that listens to its IOMMU as vhost and vfio do.
#pragma once

#include <ostream>
#include <vector>

#include "tests/qtest/pci.hpp"

namespace qtest {

class Watch {
public:
    // QEMU's IOMMU_NOTIFIER_*.
    static constexpr std::uint64_t unmap = 1, map = 2, device_unmap = 4;

    struct Event {
        std::uint64_t input = 0, mask = 0, output = 0, rights = 0;
        friend bool operator==(const Event&, const Event&) = default;
        friend std::ostream& operator<<(std::ostream& out, const Event& e)
        {
            return out << std::hex << "{" << e.input << ", " << e.mask << ", " << e.output
                       << ", " << e.rights << "}";
        }
    };
    static Event gone(std::uint64_t input, std::uint64_t mask)
    {
        return {input, mask, 0, 0};
    }

    Watch(Machine& machine, ConfigSpace& config, Function where, std::uint64_t window)
        : machine_(machine), window_(window)
    {
        config.write32(where.bus, where.devfn(), 0x10,
                       static_cast<std::uint32_t>(window));
        config.write32(where.bus, where.devfn(), 0x04, 6);
    }

    // False: the IOMMU refused, and QEMU said why.
    bool listen(std::uint64_t flags)
    {
        machine_.write64(window_, flags);
        return machine_.read64(window_) == flags;
    }
    void replay() { machine_.write64(window_ + 0x38, 1); }
    std::uint64_t count() { return machine_.read64(window_ + 0x08); }
    void forget() { machine_.write64(window_ + 0x08, 0); }
    // All events since the last time, in order.
    std::vector<Event> take()
    {
        std::vector<Event> events(count());
        for (std::size_t i = 0; i < events.size(); ++i) {
            machine_.write64(window_ + 0x10, i);
            events[i] = {machine_.read64(window_ + 0x18), machine_.read64(window_ + 0x20),
                         machine_.read64(window_ + 0x28),
                         machine_.read64(window_ + 0x30)};
        }
        forget();
        return events;
    }

private:
    Machine& machine_;
    std::uint64_t window_;
};

}  // namespace qtest
