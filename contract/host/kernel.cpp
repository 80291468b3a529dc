// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/host/kernel.hpp"

#include <cstdlib>
#include <cstring>
#include <thread>

namespace iommu::contract {

namespace {

constexpr KIRQL device_irql = 5;

thread_local KIRQL irql_now = PASSIVE_LEVEL;

std::uint64_t power_of_two(std::uint64_t n)
{
    std::uint64_t p = 1;
    while (p < n) {
        p *= 2;
    }
    return p;
}

constexpr struct {
    Kind kind;
    const char* name;
} kinds[] = {
    {Kind::Virt, "virt"}, {Kind::Q35, "q35"}, {Kind::Q35Scalable, "q35-scalable"}};

}  // namespace

const char* name_of(Kind kind)
{
    for (const auto& k : kinds) {
        if (k.kind == kind) {
            return k.name;
        }
    }
    return "?";
}

bool kind_of(const char* name, Kind& kind)
{
    for (const auto& k : kinds) {
        if (std::strcmp(k.name, name) == 0) {
            kind = k.kind;
            return true;
        }
    }
    return false;
}

Kernel::Kernel(const Provider& provider, Kind kind) : provider_(provider), kind_(kind)
{
    platform_ = functions();
}

const char* Kernel::start()
{
    stop();
    policy_ = usual_policy;
    irql_now = PASSIVE_LEVEL;
    irql_violations_ = bug_check_count_ = 0;
    held_ = 0;
    allowance_ = {};
    if (const char* error = power_on(); error != nullptr) {
        return error;
    }
    running_ = NT_SUCCESS(provider_.start(&platform_));
    return running_ ? nullptr : "IommuProviderStart failed";
}

void Kernel::stop()
{
    if (running_) {
        running_ = false;
        provider_.stop();
    }
    for (const auto& [memory, size] : memory_) {
        std::free(memory);
    }
    memory_.clear();
    page_runs_.clear();
    free_pages_.clear();
    work_.clear();
    policy_listener_ = {};
    wired_ = {};
    message_ = {};
    connected_ = 0;
    devices_ = {};
    power_off();
}

// --- memory

std::byte* Kernel::ram(std::uint64_t physical, std::uint64_t size)
{
    const auto offset = physical - ram_.base;
    const bool inside =
        physical >= ram_.base && offset <= ram_.size && size <= ram_.size - offset;
    return inside ? ram_.at + offset : nullptr;
}

// Aligned to the count rounded up to a power of two.
std::uint64_t Kernel::carve(std::uint64_t count)
{
    const auto run = power_of_two(count);
    auto& known = free_pages_[run];
    if (!known.empty()) {
        const auto at = known.back();
        known.pop_back();
        return at;
    }
    const auto size = run * PAGE_SIZE;
    const auto at = (ram_.free_from + size - 1) & ~(size - 1);
    if (ram(at, size) == nullptr) {
        return 0;
    }
    ram_.free_from = at + size;
    return at;
}

void Kernel::put_back(std::uint64_t at)
{
    const auto run = page_runs_.find(at);
    if (run != page_runs_.end()) {
        held_ -= run->second * PAGE_SIZE;
        free_pages_[power_of_two(run->second)].push_back(at);
        page_runs_.erase(run);
    }
}

std::uint64_t Kernel::pages(std::uint64_t count)
{
    const std::lock_guard guard(lock_);
    return carve(count);
}

volatile std::uint64_t* Kernel::at(std::uint64_t physical)
{
    return reinterpret_cast<volatile std::uint64_t*>(ram(physical, 8));
}

void Kernel::fail_allocations(std::uint64_t after)
{
    const std::lock_guard guard(lock_);
    allowance_.fail_after = after;
}

// --- devices

Kernel::Device& Kernel::add_pci(Who who, std::uint32_t requester, unsigned pasid_bits)
{
    auto& d = at(who);
    d.identity.kind = WDM_DEVICE_PCI;
    d.identity.requester_id = requester;
    d.identity.pasid_bits = pasid_bits;
    d.identity.opted_in = true;
    d.present = true;
    return d;
}

Kernel::Device& Kernel::add_acpi(const char* path)
{
    auto& d = at(Who::Acpi);
    d.identity.kind = WDM_DEVICE_ACPI;
    d.identity.path = path;
    d.identity.opted_in = true;
    d.present = true;
    return d;
}

PDEVICE_OBJECT Kernel::device(Who who)
{
    auto& d = at(who);
    return d.present ? reinterpret_cast<PDEVICE_OBJECT>(&d) : nullptr;
}

unsigned Kernel::references(Who who) const
{
    return devices_[static_cast<unsigned>(who)].references;
}

// --- interrupts, work, policy

void Kernel::deliver_interrupts()
{
    const auto before = irql_now;
    irql_now = device_irql > before ? device_irql : before;
    for (unsigned line = 0; line < wired_.size(); ++line) {
        if (take_line(line) && wired_[line].routine != nullptr) {
            wired_[line].routine(wired_[line].argument);
        }
    }
    for (unsigned nth = 0; nth < messages; ++nth) {
        if (take_message(nth) && message_[nth].routine != nullptr) {
            message_[nth].routine(message_[nth].argument);
        }
    }
    irql_now = before;
}

void Kernel::run_pending()
{
    deliver_interrupts();
    for (;;) {
        Service work;
        {
            const std::lock_guard guard(lock_);
            if (work_.empty()) {
                return;
            }
            work = work_.front();
            work_.pop_front();
        }
        const auto before = irql_now;
        irql_now = PASSIVE_LEVEL;
        work.routine(work.argument);
        irql_now = before;
    }
}

void Kernel::policy_changed()
{
    if (policy_listener_.routine != nullptr) {
        policy_listener_.routine(policy_listener_.argument);
    }
}

KIRQL Kernel::irql() const
{
    return irql_now;
}

void Kernel::set_irql(KIRQL level)
{
    irql_now = level;
}

void Kernel::together(Routine a, Routine b, void* argument)
{
    std::thread other(b, argument);
    a(argument);
    other.join();
}

}  // namespace iommu::contract
