// SPDX-License-Identifier: GPL-2.0-or-later
// Q. DXGK.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

constexpr std::uint64_t sees_all = ~0ull >> 1;

struct Gpu {
    const WdmDisplay* display = nullptr;
    HANDLE adapter = nullptr;
    explicit operator bool() const { return adapter != nullptr; }
};

DXGK_IOMMU_CAPS isolating()
{
    DXGK_IOMMU_CAPS caps{};
    caps.IommuIsolationSupported = 1;
    caps.IommuIsolationRequired = 1;
    return caps;
}
DXGK_IOMMU_CAPS remapping()
{
    DXGK_IOMMU_CAPS caps{};
    caps.DmaRemappingSupported = 1;
    return caps;
}

const WdmDisplay* need_display(Test& t)
{
    const auto* display = t.home.display();
    if (display == nullptr) {
        t.not_applicable("the provider has no display port driver");
        return nullptr;
    }
    return t.need_tables() ? display : nullptr;
}

NTSTATUS start(Test& t, const WdmDisplay* display, std::initializer_list<Who> who,
               DXGK_IOMMU_CAPS caps, std::uint64_t visible, HANDLE& adapter)
{
    PDEVICE_OBJECT devices[4] = {};
    ULONG count = 0;
    for (const auto w : who) {
        devices[count++] = t.home.device(w);
    }
    DXGK_PHYSICAL_MEMORY_CAPS memory{};
    memory.HighestVisibleAddress.QuadPart = static_cast<LONGLONG>(visible);
    return display->StartAdapter(devices, count, caps, memory, t.home.highest_address(),
                                 &adapter);
}

Gpu gpu(Test& t, DXGK_IOMMU_CAPS caps, std::uint64_t visible = sees_all)
{
    Gpu g{need_display(t), nullptr};
    if (g.display != nullptr) {
        t.ok(start(t, g.display, {Who::PciA, Who::PciB}, caps, visible, g.adapter),
             "StartAdapter");
    }
    return g;
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
        t.fails(start(t, display, {Who::Unprotected}, isolating(), sees_all, adapter),
                "isolation required, and no IOMMU in front of the adapter");
        DXGK_IOMMU_CAPS supported{};
        supported.IommuIsolationSupported = 1;
        t.ok(start(t, display, {Who::Unprotected}, supported, sees_all, adapter),
             "isolation supported only");
    }
}

void rule_212(Test& t)
{
    const auto* display = need_display(t);
    if (display == nullptr) {
        return;
    }
    constexpr std::uint64_t visible = 0x9f'ffff;  // no power of two
    HANDLE adapter = nullptr;
    t.fails(start(t, display, {Who::PciA}, DXGK_IOMMU_CAPS{}, visible, adapter),
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
