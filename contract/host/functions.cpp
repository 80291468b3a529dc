// SPDX-License-Identifier: GPL-2.0-or-later
// The functions of WdmPlatform, by which a provider calls the kernel it runs in.
#include <cstdlib>
#include <cstring>
#include <thread>

#include "contract/host/kernel.hpp"

namespace iommu::contract {

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
        m.put_back(at);
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
    static KIRQL current_irql(void* context) { return of(context).irql(); }
    static KIRQL raise_irql(void* context, KIRQL to)
    {
        const auto before = of(context).irql();
        of(context).set_irql(to);
        return before;
    }
    static void lower_irql(void* context, KIRQL to) { of(context).set_irql(to); }
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

WdmPlatform Kernel::functions()
{
    return platform_of<Callbacks>(this, arm64() ? WDM_ARM64 : WDM_X64);
}

}  // namespace iommu::contract
