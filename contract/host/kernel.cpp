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

// What the provider calls.
struct Kernel::Callbacks {
    static Kernel& of(void* context) { return *static_cast<Kernel*>(context); }

    static void* allocate(void* context, size_t size)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        if (!m.allowance_.take()) {
            return nullptr;
        }
        void* memory = std::calloc(1, size == 0 ? 1 : size);
        m.memory_[memory] = size;
        m.held_ += size;
        return memory;
    }
    static void release(void* context, void* memory, size_t)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        const auto at = m.memory_.find(memory);
        if (at != m.memory_.end()) {
            m.held_ -= at->second;
            m.memory_.erase(at);
            std::free(memory);
        }
    }
    static void* allocate_pages(void* context, size_t count, uint64_t* physical)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        const auto at = m.allowance_.take() ? m.carve(count) : 0;
        if (at == 0) {
            return nullptr;
        }
        m.held_ += count * PAGE_SIZE;
        m.page_runs_[at] = count;
        auto* pages = m.ram(at, count * PAGE_SIZE);
        std::memset(pages, 0, count * PAGE_SIZE);
        *physical = at;
        return pages;
    }
    static void release_pages(void* context, void* pages, size_t)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        const auto at =
            static_cast<std::uint64_t>(static_cast<std::byte*>(pages) - m.ram_.at) +
            m.ram_.base;
        const auto run = m.page_runs_.find(at);
        if (run != m.page_runs_.end()) {
            m.held_ -= run->second * PAGE_SIZE;
            m.free_pages_[power_of_two(run->second)].push_back(at);
            m.page_runs_.erase(run);
        }
    }
    static void* to_virtual(void* context, uint64_t physical)
    {
        return of(context).ram(physical, PAGE_SIZE);
    }
    static uint64_t mmio_read(void* context, uint64_t physical, uint32_t size)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.registers_lock_);
        return m.read_register(physical, size);
    }
    static void mmio_write(void* context, uint64_t physical, uint32_t size,
                           uint64_t value)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.registers_lock_);
        m.write_register(physical, size, value);
    }
    static const void* acpi_table(void* context, const char* signature, size_t* size)
    {
        auto& m = of(context);
        const bool found =
            m.table_.size() >= 4 && std::memcmp(m.table_.data(), signature, 4) == 0;
        *size = found ? m.table_.size() : 0;
        return found ? m.table_.data() : nullptr;
    }
    static uint32_t pci_read(void* context, uint32_t segment, uint32_t requester,
                             uint32_t offset)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.registers_lock_);
        return m.read_config(segment, requester, offset);
    }
    static KIRQL current_irql(void*) { return irql_now; }
    static KIRQL raise_irql(void*, KIRQL to)
    {
        const auto before = irql_now;
        irql_now = to;
        return before;
    }
    static void lower_irql(void*, KIRQL to) { irql_now = to; }
    static void irql_violation(void* context, const char*, KIRQL)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        ++m.irql_violations_;
    }
    static void pause(void*) { std::this_thread::yield(); }

    static Device* known(Kernel& m, PDEVICE_OBJECT object)
    {
        for (auto& d : m.devices_) {
            if (reinterpret_cast<PDEVICE_OBJECT>(&d) == object) {
                return &d;
            }
        }
        return nullptr;
    }
    static bool identify(void* context, PDEVICE_OBJECT object,
                         WdmDeviceIdentity* identity)
    {
        const auto* d = known(of(context), object);
        if (d != nullptr) {
            *identity = d->identity;
        }
        return d != nullptr;
    }
    static void reference(void* context, PDEVICE_OBJECT object)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        ++known(m, object)->references;
    }
    static void dereference(void* context, PDEVICE_OBJECT object)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        --known(m, object)->references;
    }
    static void policy(void* context, WdmPolicy* policy)
    {
        *policy = of(context).policy_;
    }
    static void on_policy_change(void* context, WdmRoutine* changed, void* argument)
    {
        of(context).policy_listener_ = {changed, argument};
    }
    static void connect_wired(void* context, uint32_t gsiv, WdmRoutine* service,
                              void* argument)
    {
        auto& m = of(context);
        const auto line = m.line_of(gsiv);
        if (line < lines) {
            m.wired_[line] = {service, argument};
        }
    }
    static void connect_message(void* context, WdmRoutine* service, void* argument,
                                uint64_t* address, uint32_t* data)
    {
        auto& m = of(context);
        const auto nth = m.connected_ < messages ? m.connected_++ : messages - 1;
        m.message_[nth] = {service, argument};
        *address = m.message(nth).address;
        *data = m.message(nth).data;
    }
    static void queue_work(void* context, WdmRoutine* work, void* argument)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        m.work_.push_back({work, argument});
    }
    static void bug_check(void* context, uint32_t code, const uint64_t parameters[4])
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        ++m.bug_check_count_;
        m.last_bug_check_.code = code;
        std::memcpy(m.last_bug_check_.parameters, parameters, 4 * sizeof(uint64_t));
    }
};

Kernel::Kernel(const Provider& provider, Kind kind) : provider_(provider), kind_(kind)
{
    platform_ = platform_of<Callbacks>(this, arm64() ? WDM_ARM64 : WDM_X64);
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
