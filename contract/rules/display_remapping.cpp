// SPDX-License-Identifier: GPL-2.0-or-later
// Q. DXGK: DMA remapping, where an adapter sees memory through address descriptor lists.
#include "contract/rules/display.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

DXGK_IOMMU_CAPS remapping()
{
    DXGK_IOMMU_CAPS caps{};
    caps.DmaRemappingSupported = 1;
    return caps;
}

struct Object {
    HANDLE physical = nullptr, opened = nullptr;
};
Object object(Test& t, const Gpu& g, DXGK_PHYSICAL_MEMORY_TYPE type, unsigned pages,
              bool open = true)
{
    DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT arg{};
    arg.hAdapter = open ? g.adapter : nullptr;
    arg.Size = pages * page;
    arg.Type = type;
    arg.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED;
    if (type == DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE) {
        arg.IOSpace.BaseAddress.QuadPart = static_cast<LONGLONG>(t.memory(pages));
    }
    t.ok(g.display->CreatePhysicalMemoryObject(&arg), "CreatePhysicalMemoryObject");
    return {arg.hPhysicalMemoryObject, arg.hAdapterMemoryObject};
}

NTSTATUS adl_of(const Gpu& g, HANDLE opened, std::uint64_t offset, std::uint64_t size,
                DXGK_ADL*& adl, bool require_contiguous = false)
{
    DXGKARGCB_ALLOCATE_ADL arg{};
    arg.hAdapterMemoryObject = opened;
    arg.Offset = offset;
    arg.Size = size;
    arg.Flags.RequireContiguous = require_contiguous ? 1 : 0;
    const auto status = g.display->AllocateAdl(&arg);
    adl = NT_SUCCESS(status) ? arg.pAdl : nullptr;
    return status;
}

std::uint64_t address(const DXGK_ADL& adl, unsigned i)
{
    return (adl.Flags.Contiguous ? adl.BasePageNumber + i : adl.Pages[i]) * page;
}

}  // namespace

void rule_212(Test& t)
{
    const auto* display = need_display(t);
    if (display == nullptr) {
        return;
    }
    constexpr std::uint64_t visible = 0x9f'ffff;  // no power of two
    HANDLE adapter = nullptr;
    t.fails(start_adapter(t, display, {Who::PciA}, DXGK_IOMMU_CAPS{}, visible, adapter),
            "an adapter that cannot see all memory, without remapping");
    const auto g = gpu(t, remapping(), visible);
    if (g) {
        t.blocked(Who::PciA, t.memory(), "it is attached before it starts");
        const auto o = object(t, g, DXGK_PHYSICAL_MEMORY_TYPE_MDL, 16);
        DXGK_ADL* adl = nullptr;
        // The space is small: what is given out must be inside, to the last page.
        for (unsigned n = 0; NT_SUCCESS(adl_of(g, o.opened, 0, 16 * page, adl)); ++n) {
            if (!t.that(n < 4096 && address(*adl, 15) + page - 1 <= visible,
                        "every address is visible")) {
                return;
            }
        }
    }
}

void rule_213(Test& t)
{
    const auto g = gpu(t, remapping());
    if (g) {
        const auto o = object(t, g, DXGK_PHYSICAL_MEMORY_TYPE_MDL, 8);
        DXGK_ADL* adl = nullptr;
        t.fails(adl_of(g, o.opened, 0x10, page, adl), "Offset misaligned");
        t.fails(adl_of(g, o.opened, 0, 0x1800, adl), "Size misaligned");
        if (t.ok(adl_of(g, o.opened, page, 3 * page, adl), "AllocateAdl")) {
            t.that(adl->PageCount == 3, "PageCount is Size / 4096");
            const auto last = address(*adl, 2);
            t.that(t.try_dma(Who::PciA, last, true), "its pages can be reached");
            const DXGKARGCB_FREE_ADL undo{o.opened, adl};
            g.display->FreeAdl(&undo);
            t.blocked(Who::PciA, last, "DMA after FreeAdl");
        }
    }
}

void rule_214(Test& t)
{
    const auto g = gpu(t, remapping());
    if (g) {
        DXGK_ADL* adl = nullptr;
        const auto list = object(t, g, DXGK_PHYSICAL_MEMORY_TYPE_MDL, 4);
        t.fails(adl_of(g, list.opened, 0, 4 * page, adl, true), "of an MDL object");
        const auto section = object(t, g, DXGK_PHYSICAL_MEMORY_TYPE_SECTION, 4);
        t.fails(adl_of(g, section.opened, 0, 4 * page, adl, true), "of a section");
        DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT uncached{};
        uncached.hAdapter = g.adapter;
        uncached.Size = page;
        uncached.Type = DXGK_PHYSICAL_MEMORY_TYPE_SECTION;
        t.fails(g.display->CreatePhysicalMemoryObject(&uncached), "an uncached section");
        for (const auto type : {DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY,
                                DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE}) {
            const auto o = object(t, g, type, 4);
            if (t.ok(adl_of(g, o.opened, 0, 4 * page, adl, true), "RequireContiguous")) {
                t.that(adl->Flags.Contiguous == 1, "Contiguous is 1");
            }
        }
    }
}

// MapPhysicalMemory: what a device writes to a page is there for the processor.
static void processor_sees(Test& t, const Gpu& g, HANDLE physical, const DXGK_ADL& adl)
{
    DXGKARGCB_MAP_PHYSICAL_MEMORY map{};
    map.hPhysicalMemoryObject = physical;
    map.Offset = 2 * page;
    map.Size = page;
    if (g.display->MapPhysicalMemory == nullptr ||
        !t.ok(g.display->MapPhysicalMemory(&map), "MapPhysicalMemory")) {
        return;
    }
    auto* word = static_cast<volatile std::uint64_t*>(map.pMappedAddress);
    std::uint64_t value = t.pattern();
    const auto sent = value;
    *word = 0;
    const Dma out{.who = Who::PciA, .address = address(adl, 2), .write = true};
    t.that(t.home.dma(out, value) && *word == sent, "the object's page 2, as mapped");
    const DXGKARGCB_UNMAP_PHYSICAL_MEMORY undo{physical, map.pMappedAddress, page};
    g.display->UnmapPhysicalMemory(&undo);
    map.Size = 3 * page;
    t.fails(g.display->MapPhysicalMemory(&map), "a mapping beyond the object's end");
}

void rule_215(Test& t)
{
    const auto g = gpu(t, remapping());
    if (!g) {
        return;
    }
    for (const auto type :
         {DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY, DXGK_PHYSICAL_MEMORY_TYPE_MDL,
          DXGK_PHYSICAL_MEMORY_TYPE_SECTION}) {
        const auto o = object(t, g, type, 4);
        DXGK_ADL* adl = nullptr;
        if (t.ok(adl_of(g, o.opened, 0, 4 * page, adl), "AllocateAdl")) {
            processor_sees(t, g, o.physical, *adl);
            for (unsigned i = 0; i < 4; ++i) {
                std::uint64_t value = t.pattern(), back = 0;
                const auto sent = value;
                const Dma out{
                    .who = Who::PciA, .address = address(*adl, i), .write = true};
                const Dma in{.who = Who::PciB, .address = address(*adl, i)};
                t.that(t.home.dma(out, value) && t.home.dma(in, back) && back == sent,
                       "page k is where the list says, for every linked adapter");
            }
        }
    }
}

void rule_216(Test& t)
{
    const auto g = gpu(t, remapping());
    if (!g) {
        return;
    }
    const auto mine = object(t, g, DXGK_PHYSICAL_MEMORY_TYPE_MDL, 2);
    DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT open{mine.physical, g.adapter, nullptr};
    t.that(mine.opened != nullptr, "created with an adapter: already open");
    t.fails(g.display->OpenPhysicalMemoryObject(&open), "and not to be opened again");
    const auto free = object(t, g, DXGK_PHYSICAL_MEMORY_TYPE_MDL, 2, false);
    t.that(free.opened == nullptr, "created without: not open");
    DXGK_ADL* adl = nullptr;
    t.fails(adl_of(g, free.opened, 0, page, adl), "AllocateAdl before Open");
    open = {free.physical, g.adapter, nullptr};
    t.ok(g.display->OpenPhysicalMemoryObject(&open), "OpenPhysicalMemoryObject");
    t.ok(adl_of(g, open.hAdapterMemoryObject, 0, page, adl), "AllocateAdl then");
    HANDLE second = nullptr;
    PDEVICE_OBJECT none[1] = {t.home.device(Who::Unprotected)};
    DXGK_PHYSICAL_MEMORY_CAPS sees{};
    sees.HighestVisibleAddress.QuadPart = static_cast<LONGLONG>(sees_all);
    t.ok(g.display->StartAdapter(none, 1, DXGK_IOMMU_CAPS{}, sees,
                                 t.home.highest_address(), &second),
         "another adapter");
    open = {free.physical, second, nullptr};
    t.fails(g.display->OpenPhysicalMemoryObject(&open), "Open on a second adapter");
}

}  // namespace iommu::contract
