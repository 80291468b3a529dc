// SPDX-License-Identifier: GPL-2.0-or-later
// Home 1: a machine in this process.  RAM is a block of memory, the IOMMU is the device
// core that QEMU runs, devices are requester ids that read and write on command.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "contract/host/kernel.hpp"
#include "iommu/acpi.hpp"
#include "iommu/capi.h"

namespace iommu::contract::sim {

// Where the IOMMUs and the devices are; the rules are the same.
enum class Layout : std::uint8_t {
    Usual,     // one IOMMU, PCI devices on bus 0
    TwoUnits,  // the second PCI device and the ACPI device are behind another IOMMU
    Mixed,     // so, and that one can do less
    Wide,      // StreamIDs of 20 bits, as large SMMUv3s have; on x64 as usual
    Bridges,   // PCI devices behind bridges
};
inline constexpr Layout all_layouts[] = {Layout::Usual, Layout::TwoUnits, Layout::Mixed,
                                         Layout::Wide, Layout::Bridges};
const char* name_of(Layout layout);
bool layout_of(const char* name, Layout& layout);

struct Options {
    Kind kind = Kind::Virt;
    Layout layout = Layout::Usual;
    bool tlb = true;
    std::uint64_t ram_size = 256ull << 20;
    // Verify mode on: one line for each finding, up to the end of stop().
    std::vector<std::string>* findings = nullptr;
    const char* record = nullptr;  // with it, of the last start()
};

class Machine : public Kernel {
public:
    Machine(const Provider& provider, const Options& options);
    ~Machine() override;

    void stop() override;
    bool dma(const Dma& dma, std::uint64_t& value) override;

    // For measurements: how long the device took over register accesses, since it was
    // turned on.
    struct RegisterTime {
        std::chrono::steady_clock::duration time{};
        std::uint64_t accesses = 0;
    };
    void time_registers(bool on)
    {
        timed_ = on;
        register_time_ = on ? RegisterTime{} : register_time_;
    }
    RegisterTime register_time() const { return register_time_; }

private:
    struct Callbacks;  // the WiHost functions

    const char* power_on() override;
    void power_off() override;
    std::uint64_t read_register(std::uint64_t physical, std::uint32_t size) override;
    void write_register(std::uint64_t physical, std::uint32_t size,
                        std::uint64_t value) override;
    unsigned line_of(std::uint32_t gsiv) const override;
    Message message(unsigned nth) const override;
    bool take_line(unsigned line) override;
    bool take_message(unsigned nth) override;
    std::uint32_t read_config(std::uint32_t segment, std::uint32_t requester,
                              std::uint32_t offset) override;

    // An IOMMU and where its registers are.
    struct Unit {
        Machine* machine = nullptr;
        unsigned index = 0;
        WiIommu* iommu = nullptr;
        std::uint64_t registers = 0, size = 0;
    };
    // Of a device: its requester id or its first StreamID, and the unit in front of it.
    struct Place {
        std::uint32_t id = 0;
        unsigned unit = 0;
        std::uint32_t segment = 0;
    };
    Place place(Who who) const;
    unsigned units() const
    {
        const auto layout = options_.layout;
        return layout == Layout::TwoUnits || layout == Layout::Mixed ? 2 : 1;
    }
    Unit* unit_at(std::uint64_t physical);
    WiStream* stream(const Place& place, unsigned nth = 0);
    const char* build_unit(Unit& unit);
    const char* build_iommus();
    const char* build_iort();
    const char* build_dmar();
    const char* keep(acpi::Table table);
    void describe_devices();

    Options options_;
    std::array<Unit, 2> units_{};
    std::string table_error_;
    // StreamIDs or source-ids of each device; empty: no IOMMU in front.
    std::array<std::vector<WiStream*>, devices> streams_;
    bool raised_[lines] = {};
    bool message_raised_[messages] = {};
    bool timed_ = false;
    RegisterTime register_time_;
};

}  // namespace iommu::contract::sim
