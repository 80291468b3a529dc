// SPDX-License-Identifier: GPL-2.0-or-later
// What the rules about the display port driver begin with: an adapter that is started.
#pragma once

#include "contract/test.hpp"

namespace iommu::contract {

inline constexpr std::uint64_t sees_all = ~0ull >> 1;

struct Gpu {
    const WdmDisplay* display = nullptr;
    HANDLE adapter = nullptr;
    explicit operator bool() const { return adapter != nullptr; }
};

inline const WdmDisplay* need_display(Test& t)
{
    const auto* display = t.home.display();
    if (display == nullptr) {
        t.not_applicable("the provider has no display port driver");
        return nullptr;
    }
    return t.need_tables() ? display : nullptr;
}

inline NTSTATUS start_adapter(Test& t, const WdmDisplay* display,
                              std::initializer_list<Who> who, DXGK_IOMMU_CAPS caps,
                              std::uint64_t visible, HANDLE& adapter)
{
    PDEVICE_OBJECT objects[4] = {};
    ULONG count = 0;
    for (const auto w : who) {
        objects[count++] = t.home.device(w);
    }
    DXGK_PHYSICAL_MEMORY_CAPS memory{};
    memory.HighestVisibleAddress.QuadPart = static_cast<LONGLONG>(visible);
    return display->StartAdapter(objects, count, caps, memory, t.home.highest_address(),
                                 &adapter);
}

inline Gpu gpu(Test& t, DXGK_IOMMU_CAPS caps, std::uint64_t visible = sees_all)
{
    Gpu g{need_display(t), nullptr};
    if (g.display != nullptr) {
        t.ok(
            start_adapter(t, g.display, {Who::PciA, Who::PciB}, caps, visible, g.adapter),
            "StartAdapter");
    }
    return g;
}

}  // namespace iommu::contract
