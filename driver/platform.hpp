// SPDX-License-Identifier: GPL-2.0-or-later
// WdmPlatform with C++ manners, and the lock the driver uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "wdm/platform.h"

namespace iommu::driver {

inline constexpr std::uint64_t page_size = 0x1000;

class Platform {
public:
    Platform() = default;
    explicit Platform(const WdmPlatform& p) : p_(p) {}

    bool arm64() const { return p_.architecture == WDM_ARM64; }
    const WdmPlatform& raw() const { return p_; }

    void* allocate(std::size_t size) const { return p_.allocate(p_.context, size); }
    void release(void* m, std::size_t size) const { p_.release(p_.context, m, size); }

    // An object in zeroed memory, or nullptr.
    template <typename T>
    T* make() const
    {
        void* memory = allocate(sizeof(T));
        return memory == nullptr ? nullptr : new (memory) T{};
    }
    template <typename T>
    void destroy(T* object) const
    {
        object->~T();
        release(object, sizeof(T));
    }

    std::uint64_t* pages(std::size_t count, std::uint64_t& physical) const
    {
        return static_cast<std::uint64_t*>(
            p_.allocate_pages(p_.context, count, &physical));
    }
    void release_pages(void* at, std::size_t count) const
    {
        p_.release_pages(p_.context, at, count);
    }
    std::uint64_t* at(std::uint64_t physical) const
    {
        return static_cast<std::uint64_t*>(p_.to_virtual(p_.context, physical));
    }

    std::uint32_t read32(std::uint64_t at) const
    {
        return static_cast<std::uint32_t>(p_.mmio_read(p_.context, at, 4));
    }
    std::uint64_t read64(std::uint64_t at) const
    {
        return p_.mmio_read(p_.context, at, 8);
    }
    void write32(std::uint64_t at, std::uint32_t v) const
    {
        p_.mmio_write(p_.context, at, 4, v);
    }
    void write64(std::uint64_t at, std::uint64_t v) const
    {
        p_.mmio_write(p_.context, at, 8, v);
    }
    const std::uint8_t* table(const char* signature, std::size_t& size) const
    {
        return static_cast<const std::uint8_t*>(
            p_.acpi_table(p_.context, signature, &size));
    }

    std::uint32_t pci_read(std::uint32_t segment, std::uint32_t requester,
                           std::uint32_t offset) const
    {
        return p_.pci_read(p_.context, segment, requester, offset);
    }

    KIRQL irql() const { return p_.current_irql(p_.context); }
    KIRQL raise(KIRQL to) const { return p_.raise_irql(p_.context, to); }
    void lower(KIRQL to) const { p_.lower_irql(p_.context, to); }
    void pause() const { p_.pause(p_.context); }

    WdmPolicy policy() const
    {
        WdmPolicy policy{};
        p_.policy(p_.context, &policy);
        return policy;
    }

private:
    WdmPlatform p_{};
};

class SpinLock {
public:
    void lock(const Platform& platform)
    {
        while (__atomic_exchange_n(&held_, true, __ATOMIC_ACQUIRE)) {
            platform.pause();
        }
    }
    void unlock() { __atomic_store_n(&held_, false, __ATOMIC_RELEASE); }

private:
    bool held_ = false;
};

// Holds a lock at `level`, the highest at which anybody takes it.
class Guard {
public:
    Guard(const Platform& platform, SpinLock& lock, KIRQL level = DISPATCH_LEVEL)
        : platform_(platform), lock_(lock), before_(platform.irql())
    {
        if (before_ < level) {
            platform_.raise(level);
        }
        raised_ = before_ < level;
        lock_.lock(platform_);
    }
    ~Guard()
    {
        lock_.unlock();
        if (raised_) {
            platform_.lower(before_);
        }
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

private:
    const Platform& platform_;
    SpinLock& lock_;
    KIRQL before_;
    bool raised_ = false;
};

}  // namespace iommu::driver
