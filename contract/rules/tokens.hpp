// SPDX-License-Identifier: GPL-2.0-or-later
// What the rules about tokens do to begin with.
#pragma once

#include "contract/test.hpp"

namespace iommu::contract {

using Handle = PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN;
using Segment = IOMMU_DMA_LOGICAL_ADDRESS_TOKEN_MAPPED_SEGMENT;

inline NTSTATUS reserve(Test& t, PIOMMU_DMA_DOMAIN d, std::uint64_t size,
                        std::uint64_t at, Handle& token)
{
    IOMMU_DMA_LOGICAL_ADDRESS where = at;
    return t.io.ReserveLogicalAddressRange(d, size, &where, nullptr, nullptr, &token);
}

inline NTSTATUS map_in(Test& t, Handle token, std::uint64_t offset,
                       std::uint64_t physical, std::uint64_t pages, Segment& segment,
                       ULONG permissions = read_write)
{
    auto what = range(physical, pages * page);
    return t.io.MapReservedLogicalRange(token, offset, permissions, &what, &segment);
}

// An attached domain with a token of `pages` at `spot`.
struct Reserved {
    PIOMMU_DMA_DOMAIN domain = nullptr;
    Handle token = nullptr;
    explicit operator bool() const { return token != nullptr; }
};
inline Reserved reserved(Test& t, std::uint64_t pages)
{
    if (!t.need_tables()) {
        return {};
    }
    const auto s = t.attached();
    Reserved r{s.domain, nullptr};
    if (!s || !t.ok(reserve(t, s.domain, pages * page, spot, r.token),
                    "ReserveLogicalAddressRange")) {
        return {};
    }
    return r;
}

}  // namespace iommu::contract
