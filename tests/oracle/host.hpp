// SPDX-License-Identifier: GPL-2.0-or-later
// The C interface's host, for a device alone over an arena: its memory is there, its
// interrupts and messages go nowhere.
#pragma once

#include "iommu/capi.h"
#include "tests/oracle/arena.hpp"

namespace oracle {

inline WiHost host_over(Arena& arena)
{
    WiHost h{};
    h.opaque = &arena;
    h.read = [](void* a, std::uint64_t at, void* to, std::size_t n) {
        return static_cast<Arena*>(a)->read(at, to, n) ? 0 : -1;
    };
    h.write = [](void* a, std::uint64_t at, const void* from, std::size_t n) {
        return static_cast<Arena*>(a)->write(at, from, n) ? 0 : -1;
    };
    h.mark_dirty = [](void*, std::uint64_t, std::size_t) {};
    h.pulse = [](void*, unsigned) {};
    h.send_msi = [](void*, std::uint64_t, std::uint32_t) { return 0; };
    h.unmapped = [](void*, void*, std::uint64_t, std::uint64_t) {};
    h.bypass_changed = [](void*, void*) {};
    h.guest_error = [](void*, const char*) {};
    return h;
}

}  // namespace oracle
