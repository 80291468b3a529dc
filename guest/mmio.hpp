// SPDX-License-Identifier: GPL-2.0-or-later
// Registers, in physical memory that is mapped where it is.
#pragma once

#include <cstdint>

namespace iommu::guest {

// Nothing the processor or the compiler wrote before is late for the device.
template <typename T>
void poke(std::uint64_t at, T value)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *reinterpret_cast<volatile T*>(at) = value;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

template <typename T>
T peek(std::uint64_t at)
{
    const T value = *reinterpret_cast<const volatile T*>(at);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return value;
}

}  // namespace iommu::guest
