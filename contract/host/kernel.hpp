// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel a provider runs in where the suite has an operating system below it: memory
// books, interrupt level, device objects, policy, queued work.  RAM, registers and
// devices are the machine's, which is a class derived from it.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "contract/platform.hpp"

namespace iommu::contract {

// Who is under test: the functions a provider exports.
struct Provider {
    decltype(&IommuProviderStart) start = nullptr;
    decltype(&IommuProviderStop) stop = nullptr;
    IoGetIommuInterfaceFunction* get_interface = nullptr;
    IoGetIommuInterfaceExFunction* get_interface_ex = nullptr;
    decltype(&IommuProviderDisplay) display = nullptr;  // may be missing
};

// SMMUv3 on arm64; VT-d on x64, in legacy and in scalable mode.
enum class Kind : std::uint8_t { Virt, Q35, Q35Scalable };
inline constexpr Kind all_kinds[] = {Kind::Virt, Kind::Q35, Kind::Q35Scalable};
const char* name_of(Kind kind);
bool kind_of(const char* name, Kind& kind);

class Kernel : public Home {
public:
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;
    virtual ~Kernel() = default;

    const char* start() override;
    void stop() override;
    bool arm64() const override { return kind_ == Kind::Virt; }
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
    WdmDeviceIdentity& identity(Who who) override { return at(who).identity; }
    unsigned references(Who who) const override;
    std::uint64_t pages(std::uint64_t count) override;
    volatile std::uint64_t* at(std::uint64_t physical) override;
    std::uint64_t highest_address() const override { return ram_.base + ram_.size - 1; }
    WdmPolicy& policy() override { return policy_; }
    void policy_changed() override;
    void fail_allocations(std::uint64_t after) override;
    std::uint64_t allocations() const override { return allowance_.asked; }
    std::uint64_t allocated() const override { return held_; }
    KIRQL irql() const override;
    void set_irql(KIRQL level) override;
    unsigned irql_violations() const override { return irql_violations_; }
    void run_pending() override;
    unsigned bug_checks() const override { return bug_check_count_; }
    BugCheck last_bug_check() const override { return last_bug_check_; }
    void together(Routine a, Routine b, void* argument) override;

protected:
    Kernel(const Provider& provider, Kind kind);

    // --- the machine; its destructor calls stop()

    // A fresh one: ram_, table_ and the devices are there.  Null, or why not.
    virtual const char* power_on() = 0;
    virtual void power_off() = 0;
    // At most one of these at a time; ~0 where nothing answers.
    virtual std::uint64_t read_register(std::uint64_t physical, std::uint32_t size) = 0;
    virtual void write_register(std::uint64_t physical, std::uint32_t size,
                                std::uint64_t value) = 0;
    // Which interrupt line of the units a GSIV is; lines: none.
    static constexpr unsigned lines = 8;
    virtual unsigned line_of(std::uint32_t gsiv) const = 0;
    struct Message {
        std::uint64_t address = 0;
        std::uint32_t data = 0;
    };
    // One for each unit that sends them.
    static constexpr unsigned messages = 2;
    virtual Message message(unsigned nth) const = 0;
    // Whether it came since this was last asked.
    virtual bool take_line(unsigned line) = 0;
    virtual bool take_message(unsigned nth) = 0;
    // All ones where no function answers.
    virtual std::uint32_t read_config(std::uint32_t segment, std::uint32_t requester,
                                      std::uint32_t offset) = 0;

    struct Device {
        WdmDeviceIdentity identity{};
        unsigned references = 0;
        bool present = false;
    };
    Device& at(Who who) { return devices_[static_cast<unsigned>(who)]; }
    Device& add_pci(Who who, std::uint32_t requester, unsigned pasid_bits);
    Device& add_acpi(const char* path);

    void deliver_interrupts();
    // Null where there is no RAM.
    std::byte* ram(std::uint64_t physical, std::uint64_t size);

    struct Ram {
        std::byte* at = nullptr;
        std::uint64_t base = 0, size = 0;
        std::uint64_t free_from = 0;  // pages below belong to the firmware
    };
    Ram ram_;
    std::vector<std::byte> table_;  // the IORT or the DMAR
    std::mutex registers_lock_;

private:
    struct Service {
        WdmRoutine* routine = nullptr;
        void* argument = nullptr;
    };
    struct Callbacks;
    WdmPlatform functions();  // for the provider, of this kernel

    // With lock_ held.
    std::uint64_t carve(std::uint64_t pages);
    void put_back(std::uint64_t at);  // a run of pages that carve() gave the provider

    Provider provider_;
    Kind kind_;
    WdmPlatform platform_{};
    std::array<Device, devices> devices_{};
    WdmPolicy policy_{};
    Service policy_listener_{};
    std::array<Service, messages> message_{};
    unsigned connected_ = 0;  // of the messages
    std::array<Service, lines> wired_{};
    std::deque<Service> work_;

    mutable std::mutex lock_;                                         // of what follows
    std::map<std::uint64_t, std::vector<std::uint64_t>> free_pages_;  // by count
    std::unordered_map<void*, std::size_t> memory_;
    std::unordered_map<std::uint64_t, std::uint64_t> page_runs_;
    Allowance allowance_;
    std::uint64_t held_ = 0;
    unsigned irql_violations_ = 0, bug_check_count_ = 0;
    BugCheck last_bug_check_{};
    bool running_ = false;
};

}  // namespace iommu::contract
