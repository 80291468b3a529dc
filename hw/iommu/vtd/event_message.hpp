// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 5.1.6 "Programming Considerations", 11.4.7.2 to 11.4.7.5 and 11.4.9.5 to 11.4.9.8:
// the four registers by which the unit itself interrupts.
#pragma once

#include <cstdint>
#include <optional>

#include "hw/iommu/vtd/spec/registers.hpp"
#include "iommu/address.hpp"

namespace iommu::vtd {

// An interrupt the unit sends itself: never remapped (VT-d 5.1.6.2).
struct Message {
    Gpa address{};
    std::uint32_t data = 0;
};

class EventMessage {
public:
    // VT-d 11.4.7.2, 11.4.9.5: masked at reset.
    struct Registers {
        std::uint32_t control = static_cast<std::uint32_t>(EventControlReg::IM.mask);
        std::uint32_t data = 0, address = 0, upper_address = 0;
    };

    std::uint32_t control() const { return r_.control; }
    std::uint32_t data() const { return r_.data; }
    std::uint32_t address() const { return r_.address; }
    std::uint32_t upper_address() const { return r_.upper_address; }

    void write_data(std::uint32_t v) { r_.data = v & 0xffff; }
    void write_address(std::uint32_t v) { r_.address = v & ~std::uint32_t{3}; }
    void write_upper_address(std::uint32_t v) { r_.upper_address = v; }

    // IM is software's, IP is ours; a message held back goes out when IM is cleared.
    [[nodiscard]] std::optional<Message> write_control(std::uint32_t v)
    {
        r_.control = (r_.control & ~im) | (v & im);
        if ((r_.control & im) != 0 || (r_.control & ip) == 0) {
            return std::nullopt;
        }
        return raise();
    }

    // The interrupt condition has occurred.
    [[nodiscard]] std::optional<Message> raise()
    {
        if ((r_.control & im) != 0) {
            r_.control |= ip;
            return std::nullopt;
        }
        r_.control &= ~ip;
        return Message{Gpa{std::uint64_t{r_.upper_address} << 32 | r_.address}, r_.data};
    }

    // Software has serviced every cause before the message was sent.
    void withdraw() { r_.control &= ~ip; }

    const Registers& registers() const { return r_; }
    void restore(const Registers& r) { r_ = r; }

private:
    static constexpr auto im = static_cast<std::uint32_t>(EventControlReg::IM.mask);
    static constexpr auto ip = static_cast<std::uint32_t>(EventControlReg::IP.mask);
    Registers r_;
};

}  // namespace iommu::vtd
