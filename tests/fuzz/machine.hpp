// SPDX-License-Identifier: GPL-2.0-or-later
// A machine for fuzzers: a little memory at address 0, every access to it by the device
// counted and checked.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "iommu/capi.h"

namespace fuzz {

// An invariant is broken: stop so that libFuzzer keeps the input.
[[noreturn]] inline void fail(const char* what, std::uint64_t a = 0, std::uint64_t b = 0)
{
    std::fprintf(stderr, "INVARIANT: %s (%#llx, %#llx)\n", what,
                 static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
    std::abort();
}

// The input, taken from the front; what is missing reads as zero.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    bool empty() const { return left_ == 0; }
    std::size_t left() const { return left_; }
    template <typename T>
    T take()
    {
        T v{};
        const std::size_t n = left_ < sizeof v ? left_ : sizeof v;
        std::memcpy(&v, data_, n);
        data_ += n;
        left_ -= n;
        return v;
    }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

class Memory {
public:
    static constexpr std::uint64_t size = 0x2'0000;

    explicit Memory(bool direct) : direct_(direct), ram_(size), shadow_(size) {}

    WiHost host()
    {
        WiHost h{};
        h.opaque = this;
        h.read = [](void* o, std::uint64_t at, void* to, std::size_t n) {
            return static_cast<Memory*>(o)->read(at, to, n);
        };
        h.write = [](void* o, std::uint64_t at, const void* from, std::size_t n) {
            return static_cast<Memory*>(o)->write(at, from, n);
        };
        h.mark_dirty = [](void* o, std::uint64_t at, std::size_t n) {
            if (at > size || n > size - at) {
                fail("dirty memory outside RAM", at, n);
            }
            static_cast<Memory*>(o)->note(at, n);
        };
        h.pulse = [](void*, unsigned) {};
        h.send_msi = [](void* o, std::uint64_t, std::uint32_t data) {
            ++static_cast<Memory*>(o)->reads_;
            return data % 7 == 0 ? -1 : 0;
        };
        h.unmapped = [](void*, void*, std::uint64_t, std::uint64_t) {};
        h.bypass_changed = [](void*, void*) {};
        h.guest_error = [](void* o, const char* text) {
            if (std::strchr(text, '\n') != nullptr) {
                fail("a guest error of several lines");
            }
            ++static_cast<Memory*>(o)->reads_;
        };
        return h;
    }
    // All of it is RAM, or only the upper half and the rest answers through callbacks.
    void give_to(WiIommu* device)
    {
        const std::uint64_t base = direct_ ? 0 : size / 2;
        const WiRamRegion region{base, size - base, ram_.data() + base, false};
        wi_iommu_set_ram(device, &region, 1);
    }
    void clear()
    {
        std::memset(ram_.data(), 0, size);
        std::memset(shadow_.data(), 0, size);
    }
    void store(std::uint64_t at, std::uint64_t v)
    {
        at = at % size & ~7ull;
        std::memcpy(ram_.data() + at, &v, 8);
        std::memcpy(shadow_.data() + at, &v, 8);
    }
    bool load(std::uint64_t at, std::uint64_t& v) const
    {
        if (at > size - 8) {
            return false;
        }
        std::memcpy(&v, ram_.data() + at, 8);
        return true;
    }

    std::uint64_t load_before(std::uint64_t at) const
    {
        std::uint64_t v = 0;
        std::memcpy(&v, shadow_.data() + at, 8);
        return v;
    }
    // Inside end()'s question: the byte before and after.
    std::uint8_t was(std::uint64_t at) const { return shadow_[at]; }
    std::uint8_t is(std::uint64_t at) const { return ram_[at]; }

    // Brackets what the device does on its own.
    void begin() { reads_ = 0; }
    // `limit`: callbacks; `allowed(at)`: whether a changed byte may be the device's
    // doing.
    template <typename Allowed>
    void end(std::uint64_t limit, Allowed allowed)
    {
        if (reads_ > limit) {
            fail("too many steps", reads_, limit);
        }
        for (std::uint64_t chunk = 0; chunk < size; chunk += 256) {
            std::uint8_t *now = ram_.data() + chunk, *before = shadow_.data() + chunk;
            if (std::memcmp(now, before, 256) == 0) {
                continue;
            }
            for (std::uint64_t i = 0; i < 256; ++i) {
                if (now[i] != before[i] && !allowed(chunk + i)) {
                    fail("memory written that is no queue", chunk + i, now[i]);
                }
            }
            std::memcpy(before, now, 256);
        }
    }

private:
    int read(std::uint64_t at, void* to, std::size_t n)
    {
        ++reads_;
        if (at > size || n > size - at) {
            return -1;
        }
        std::memcpy(to, ram_.data() + at, n);
        return 0;
    }
    int write(std::uint64_t at, const void* from, std::size_t n)
    {
        ++reads_;
        if (at > size || n > size - at) {
            return -1;
        }
        std::memcpy(ram_.data() + at, from, n);
        return 0;
    }
    void note(std::uint64_t, std::size_t) { ++reads_; }

    bool direct_;
    std::vector<std::uint8_t> ram_, shadow_;
    std::uint64_t reads_ = 0;
};

}  // namespace fuzz
