// SPDX-License-Identifier: GPL-2.0-or-later
// Home 1: a machine in this process.  RAM is a block of memory, the IOMMU is the device
// core that QEMU runs, devices are requester ids that read and write on command.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "contract/home.hpp"
#include "iommu/acpi.hpp"
#include "iommu/capi.h"

namespace iommu::contract::sim {

// Who is under test: the four functions a provider exports.
struct Provider {
    decltype(&IommuProviderStart) start = nullptr;
    decltype(&IommuProviderStop) stop = nullptr;
    IoGetIommuInterfaceFunction* get_interface = nullptr;
    IoGetIommuInterfaceExFunction* get_interface_ex = nullptr;
    decltype(&IommuProviderDisplay) display = nullptr;  // may be missing
};

// SMMUv3 on arm64; VT-d on x64, in legacy and in scalable mode.
enum class Kind : std::uint8_t { Virt, Q35, Q35Scalable };
const char* name_of(Kind kind);
bool kind_of(const char* name, Kind& kind);

struct Options {
    Kind kind = Kind::Virt;
    bool tlb = true;
    std::uint64_t ram_size = 256ull << 20;
};

class Machine final : public Home {
public:
    Machine(const Provider& provider, const Options& options);
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    const char* start() override;
    void stop() override;
    bool arm64() const override { return options_.kind == Kind::Virt; }
    IoGetIommuInterfaceFunction* get_interface() const override
    {
        return provider_.get_interface;
    }
    IoGetIommuInterfaceExFunction* get_interface_ex() const override
    {
        return provider_.get_interface_ex;
    }
    const WdmDisplay* display() const override
    {
        return provider_.display == nullptr ? nullptr : provider_.display();
    }
    PDEVICE_OBJECT device(Who who) override;
    WdmDeviceIdentity& identity(Who who) override;
    unsigned references(Who who) const override;
    bool dma(const Dma& dma, std::uint64_t& value) override;
    std::uint64_t pages(std::uint64_t count) override;
    volatile std::uint64_t* at(std::uint64_t physical) override;
    std::uint64_t highest_address() const override;
    WdmPolicy& policy() override { return policy_; }
    void policy_changed() override;
    void fail_allocations(std::uint64_t after) override;
    std::uint64_t allocations() const override { return asked_; }
    std::uint64_t allocated() const override { return held_; }
    KIRQL irql() const override;
    void set_irql(KIRQL level) override;
    unsigned irql_violations() const override { return irql_violations_; }
    void run_pending() override;
    unsigned bug_checks() const override { return bug_check_count_; }
    BugCheck last_bug_check() const override { return last_bug_check_; }
    void together(Routine a, Routine b, void* argument) override;

private:
    struct Device {
        WdmDeviceIdentity identity{};
        unsigned references = 0;
        std::vector<std::uint32_t> ids;  // StreamIDs or source-ids
        std::vector<WiStream*> streams;  // empty: no IOMMU in front
    };
    struct Service {
        WdmRoutine* routine = nullptr;
        void* argument = nullptr;
    };
    struct Callbacks;  // the WdmPlatform and WiHost functions

    const char* build_iommu();
    const char* build_iort();
    const char* build_dmar();
    const char* keep(acpi::Table table);
    void describe_devices();
    void deliver_interrupts();
    bool take_allocation();
    std::uint64_t carve(std::uint64_t pages);
    std::byte* ram(std::uint64_t physical, std::uint64_t size);

    Provider provider_;
    Options options_;
    WdmPlatform platform_{};
    WiIommu* iommu_ = nullptr;
    std::byte* ram_ = nullptr;
    std::uint64_t ram_base_ = 0, registers_ = 0, registers_size_ = 0;
    std::vector<std::byte> table_;
    std::string table_error_;
    std::array<Device, devices> devices_;
    WdmPolicy policy_{};
    Service policy_listener_{};
    std::array<Service, 8> wired_{};  // by line of the device
    Service message_{};
    bool raised_[8] = {};
    bool message_raised_ = false;
    std::deque<Service> work_;

    std::mutex device_lock_;   // one register access at a time
    mutable std::mutex lock_;  // the machine's own books
    std::uint64_t free_from_ = 0;
    std::map<std::uint64_t, std::vector<std::uint64_t>> free_pages_;  // by count
    std::unordered_map<void*, std::size_t> memory_;
    std::unordered_map<std::uint64_t, std::uint64_t> page_runs_;
    std::uint64_t asked_ = 0, held_ = 0, fail_after_ = never;
    unsigned irql_violations_ = 0, bug_check_count_ = 0;
    BugCheck last_bug_check_{};
    bool running_ = false;
};

}  // namespace iommu::contract::sim
