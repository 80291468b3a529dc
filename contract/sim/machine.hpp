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

struct Options {
    Kind kind = Kind::Virt;
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
    Message message() const override;
    bool take_line(unsigned line) override;
    bool take_message() override;

    const char* build_iommu();
    const char* build_iort();
    const char* build_dmar();
    const char* keep(acpi::Table table);
    void describe_devices();

    Options options_;
    WiIommu* iommu_ = nullptr;
    std::uint64_t registers_ = 0, registers_size_ = 0;
    std::string table_error_;
    // StreamIDs or source-ids of each device; empty: no IOMMU in front.
    std::array<std::vector<WiStream*>, devices> streams_;
    bool raised_[lines] = {};
    bool message_raised_ = false;
    bool timed_ = false;
    RegisterTime register_time_;
};

}  // namespace iommu::contract::sim
