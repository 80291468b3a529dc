// SPDX-License-Identifier: GPL-2.0-or-later
// Q. DXGK: isolation, where an adapter sees memory at its physical addresses.
#include "contract/rules/display.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

static DXGK_IOMMU_CAPS isolating()
{
    DXGK_IOMMU_CAPS caps{};
    caps.IommuIsolationSupported = 1;
    caps.IommuIsolationRequired = 1;
    return caps;
}

void rule_205(Test& t)
{
    const auto g = gpu(t, isolating());
    if (!g) {
        return;
    }
    const auto at = t.memory(4);
    const std::uint64_t pages[] = {at + 2 * page, at};
    MdlOf mdl(pages, 2);
    DXGKARGCB_MAPMDLTOIOMMU arg{mdl, nullptr};
    t.blocked(Who::PciA, at, "DMA before the map");
    t.ok(g.display->MapMdlToIommu(g.adapter, &arg), "MapMdlToIommu");
    t.that(arg.hMemoryHandle != nullptr, "a handle is returned");
    t.reaches(Who::PciA, at, at, "one page of the MDL");
    t.reaches(Who::PciA, at + 2 * page, at + 2 * page, "the other");
    t.blocked(Who::PciA, at + page, "a page between them");
    const DXGKARGCB_UNMAPMDLFROMIOMMU undo{arg.hMemoryHandle};
    g.display->UnmapMdlFromIommu(g.adapter, &undo);
    t.blocked(Who::PciA, at, "DMA after the unmap");
    t.blocked(Who::PciA, at + 2 * page, "and to the other page");
}

void rule_206(Test& t)
{
    const auto g = gpu(t, isolating());
    if (g) {
        const std::uint64_t pages[] = {t.memory()};
        MdlOf mdl(pages, 1);
        for (unsigned i = 0; i < 2; ++i) {
            DXGKARGCB_MAPMDLTOIOMMU arg{mdl, nullptr};
            t.ok(g.display->MapMdlToIommu(g.adapter, &arg),
                 "a map, and one after the unmap");
            t.reaches(Who::PciA, pages[0], pages[0], "DMA while it is mapped");
            const DXGKARGCB_UNMAPMDLFROMIOMMU undo{arg.hMemoryHandle};
            g.display->UnmapMdlFromIommu(g.adapter, &undo);
        }
    }
}

static NTSTATUS allocate(const Gpu& g, std::uint64_t bytes, std::uint64_t skip,
                         DXGKARGCB_ALLOCATEPAGESFORMDL& arg)
{
    arg = {};
    arg.HighAddress.QuadPart = static_cast<LONGLONG>(sees_all);
    arg.SkipBytes.QuadPart = static_cast<LONGLONG>(skip);
    arg.TotalBytes = bytes;
    return g.display->AllocatePagesForMdl(g.adapter, &arg);
}

void rule_207(Test& t)
{
    const auto g = gpu(t, isolating());
    DXGKARGCB_ALLOCATEPAGESFORMDL arg{};
    if (g && t.ok(allocate(g, 5 * page, 0, arg), "AllocatePagesForMdl")) {
        t.that(arg.pMdl->ByteCount == 5 * page && arg.pMdl->ByteOffset == 0,
               "the MDL describes all of the bytes");
        for (unsigned i = 0; i < 5; ++i) {
            const auto at = MmGetMdlPfnArray(arg.pMdl)[i] * page;
            t.reaches(Who::PciA, at, at, "each page is mapped");
        }
        t.fails(allocate(g, 1ull << 32, 0, arg), "more than 4 GiB - 4096");
        t.fails(allocate(g, page, 0x800, arg), "SkipBytes inside a page");
    }
}

// The callback of 11.2 that no rule of its own names: what is said of pages holds for it.
static void contiguous_memory(Test& t, const Gpu& g)
{
    DXGKARGCB_ALLOCATECONTIGUOUSMEMORY arg{};
    arg.NumberOfBytes = 3 * page;
    arg.HighestAcceptableAddress.QuadPart = static_cast<LONGLONG>(sees_all);
    if (g.display->AllocateContiguousMemory == nullptr ||
        !t.ok(g.display->AllocateContiguousMemory(g.adapter, &arg),
              "AllocateContiguousMemory")) {
        return;
    }
    // Memory is in the same order for the processor as for the bus.
    const auto known = t.memory();
    const auto* memory = static_cast<volatile char*>(arg.pMemory);
    const auto at =
        known + static_cast<std::uint64_t>(
                    memory - reinterpret_cast<volatile char*>(t.home.at(known)));
    for (unsigned i = 0; i < 3; ++i) {
        t.reaches(Who::PciA, at + i * page, at + i * page, "contiguous memory is mapped");
    }
    const DXGKARGCB_FREECONTIGUOUSMEMORY undo{arg.hMemoryHandle};
    t.ok(g.display->FreeContiguousMemory(g.adapter, &undo), "FreeContiguousMemory");
    t.proposed(!t.try_dma(Who::PciA, at, false), "its mapping is gone");
}

void rule_208(Test& t)
{
    const auto g = gpu(t, isolating());
    DXGKARGCB_ALLOCATEPAGESFORMDL arg{};
    if (g && t.ok(allocate(g, 2 * page, 0, arg), "AllocatePagesForMdl")) {
        const auto at = MmGetMdlPfnArray(arg.pMdl)[1] * page;
        t.reaches(Who::PciA, at, at, "DMA while it is allocated");
        const DXGKARGCB_FREEPAGESFROMMDL undo{arg.hMemoryHandle};
        t.ok(g.display->FreePagesFromMdl(g.adapter, &undo), "FreePagesFromMdl");
        t.proposed(!t.try_dma(Who::PciA, at, false), "the mapping is gone");
        contiguous_memory(t, g);
    }
}

void rule_209(Test& t)
{
    const auto g = gpu(t, isolating());
    if (g) {
        const std::uint64_t pages[] = {t.memory()};
        MdlOf mdl(pages, 1);
        DXGKARGCB_MAPMDLTOIOMMU arg{mdl, nullptr};
        t.ok(g.display->MapMdlToIommu(g.adapter, &arg), "MapMdlToIommu on the lead");
        t.reaches(Who::PciA, pages[0], pages[0], "the lead adapter");
        t.reaches(Who::PciB, pages[0], pages[0], "the linked adapter");
    }
}

namespace {

// What the miniport is told around a switch of domains.
struct Exclusive {
    unsigned begun = 0, ended = 0;
    bool paired = true, refuse = false;
};
Exclusive exclusive;

NTSTATUS WDM_CALL begin_exclusive(HANDLE, DXGKARG_BEGINEXCLUSIVEACCESS*)
{
    exclusive.paired = exclusive.paired && exclusive.begun == exclusive.ended;
    exclusive.begun += exclusive.refuse ? 0 : 1;
    return exclusive.refuse ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}
NTSTATUS WDM_CALL end_exclusive(HANDLE, DXGKARG_ENDEXCLUSIVEACCESS*)
{
    ++exclusive.ended;
    exclusive.paired = exclusive.paired && exclusive.begun == exclusive.ended;
    return STATUS_SUCCESS;
}

}  // namespace

void rule_210(Test& t)
{
    exclusive = {};
    const auto g = gpu(t, isolating());
    if (!g) {
        return;
    }
    const auto toggle = g.display->SwitchIsolation;
    if (toggle == nullptr) {
        t.not_applicable("the provider's display port driver switches no domains");
        return;
    }
    const auto other = t.memory();
    const std::uint64_t pages[] = {t.memory()};
    MdlOf mdl(pages, 1);
    DXGKARGCB_MAPMDLTOIOMMU arg{mdl, nullptr};
    t.ok(g.display->MapMdlToIommu(g.adapter, &arg), "MapMdlToIommu");
    t.ok(toggle(g.adapter, FALSE, begin_exclusive, end_exclusive), "to pass-through");
    t.that(exclusive.begun == 1 && exclusive.ended == 1, "one Begin and one End");
    t.reaches(Who::PciA, other, other, "the new domain, for the lead");
    t.reaches(Who::PciB, other, other, "and for the linked adapter");
    t.ok(toggle(g.adapter, TRUE, begin_exclusive, end_exclusive), "and back");
    t.that(exclusive.begun == 2 && exclusive.ended == 2, "a Begin and an End again");
    t.that(exclusive.paired, "End follows Begin");
    t.blocked(Who::PciA, other, "only the isolated domain, for the lead");
    t.blocked(Who::PciB, other, "and for the linked adapter");
    t.reaches(Who::PciA, pages[0], pages[0], "what was mapped in it");
    exclusive.refuse = true;
    t.fails(toggle(g.adapter, FALSE, begin_exclusive, end_exclusive), "Begin refused");
    t.proposed(exclusive.ended == 2, "then End is not called");
    t.proposed(!t.try_dma(Who::PciA, other, false), "and nothing is switched");
}

void rule_211(Test& t)
{
    const auto* display = need_display(t);
    HANDLE adapter = nullptr;
    if (display != nullptr) {
        t.fails(
            start_adapter(t, display, {Who::Unprotected}, isolating(), sees_all, adapter),
            "isolation required, and no IOMMU in front of the adapter");
        DXGK_IOMMU_CAPS supported{};
        supported.IommuIsolationSupported = 1;
        t.ok(start_adapter(t, display, {Who::Unprotected}, supported, sees_all, adapter),
             "isolation supported only");
    }
}

}  // namespace iommu::contract
