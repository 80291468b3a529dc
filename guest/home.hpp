// SPDX-License-Identifier: GPL-2.0-or-later
// The third home of the suite: a machine that has nothing but this program in it.
#pragma once

#include "contract/platform.hpp"
#include "guest/endpoint.hpp"
#include "guest/memory.hpp"

namespace iommu::guest {

class Acpi;

class Guest final : public contract::Home {
public:
    // Null, or what the machine lacks.
    const char* open(Acpi& acpi, std::uint64_t memory, std::uint64_t size,
                     std::uint64_t highest);

    const char* start() override;
    void stop() override;
    bool arm64() const override;
    IoGetIommuInterfaceFunction* get_interface() const override;
    IoGetIommuInterfaceExFunction* get_interface_ex() const override;
    const WdmDisplay* display() const override;
    PDEVICE_OBJECT device(contract::Who who) override;
    WdmDeviceIdentity& identity(contract::Who who) override;
    unsigned references(contract::Who who) const override;
    bool dma(const contract::Dma& dma, std::uint64_t& value) override;
    std::uint64_t pages(std::uint64_t count) override { return memory_.pages(count); }
    volatile std::uint64_t* at(std::uint64_t physical) override;
    std::uint64_t highest_address() const override { return highest_; }
    WdmPolicy& policy() override { return policy_; }
    void policy_changed() override;
    void fail_allocations(std::uint64_t after) override { allowance_.fail_after = after; }
    std::uint64_t allocations() const override { return allowance_.asked; }
    std::uint64_t allocated() const override { return memory_.held(); }
    KIRQL irql() const override { return irql_; }
    void set_irql(KIRQL level) override { irql_ = level; }
    unsigned irql_violations() const override { return irql_violations_; }
    void run_pending() override;
    unsigned bug_checks() const override { return bug_check_count_; }
    contract::BugCheck last_bug_check() const override { return last_bug_check_; }
    void together(Routine a, Routine b, void* argument) override;

    // Interrupts that have come since the program began.
    unsigned interrupts() const { return interrupts_; }

private:
    static constexpr unsigned most_ids = 4, most_work = 16, most_wired = 4;
    struct Device {
        WdmDeviceIdentity identity{};
        unsigned references = 0;
        const Endpoint* functions[most_ids] = {};  // one for each requester id
        unsigned count = 0;
    };
    struct Service {
        WdmRoutine* routine = nullptr;
        void* argument = nullptr;
        std::uint32_t number = 0;  // GSIV or message data
    };
    struct Callbacks;  // the WdmPlatform functions

    bool has_unit(std::uint32_t requester) const;
    const char* sort_endpoints(unsigned found);
    const char* check_endpoints();
    void describe_devices();
    void make_platform();
    void deliver_interrupts();
    Device* known(PDEVICE_OBJECT object);

    Acpi* acpi_ = nullptr;
    Memory memory_;
    std::uint64_t highest_ = 0;
    WdmPlatform platform_{};
    Endpoint endpoints_[8];
    Device devices_[contract::devices];
    WdmPolicy policy_{};
    Service policy_listener_{}, services_[most_wired]{}, work_[most_work]{};
    unsigned service_count_ = 0, work_count_ = 0, interrupts_ = 0;
    contract::Allowance allowance_;
    KIRQL irql_ = PASSIVE_LEVEL;
    unsigned irql_violations_ = 0, bug_check_count_ = 0;
    contract::BugCheck last_bug_check_{};
    bool running_ = false;
};

}  // namespace iommu::guest
