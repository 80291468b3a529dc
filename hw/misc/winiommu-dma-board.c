/*
 * winiommu-dma's board: how the accesses that a command makes reach memory, on which
 * thread, and how what became of them is announced.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "block/aio.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "winiommu-dma.h"

/* ---------------------------------------------------------------- memory */

static bool is_special(const WiDmaAccess* access)
{
    return (access->attributes & ~(unsigned)WI_WRITE) != 0;
}

static bool is_bus_master(WinIommuDma* d)
{
    return pci_get_word(d->parent_obj.config + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

/* The system address of a special access, or false: aborted. */
static bool translate_special(WinIommuDma* d, const WiDmaAccess* access, hwaddr* output)
{
    WiTranslation out;

    if (!is_bus_master(d) ||
        !d->translator->translate(d->function, access->address, access->attributes,
                                  access->substream, &out)) {
        return false;
    }
    *output = out.output;
    return true;
}

/* The RAM of all of @access, or NULL.  Inside an RCU read-side critical section. */
static MemoryRegion* find_ram(AddressSpace* as, hwaddr address, size_t size,
                              bool is_write, hwaddr* offset)
{
    hwaddr length = size;
    MemoryRegion* region = address_space_translate(as, address, offset, &length, is_write,
                                                   MEMTXATTRS_UNSPECIFIED);

    return length < size || !memory_region_is_ram(region) ||
                   (region->readonly && is_write) || memory_region_is_ram_device(region)
               ? NULL
               : region;
}

static int transfer_translated(const WiDmaAccess* access, void* data)
{
    const bool is_write = access->attributes & WI_WRITE;
    hwaddr offset;

    RCU_READ_LOCK_GUARD();
    if (access->attributes & WI_RAM_ONLY &&
        !find_ram(&address_space_memory, access->address, access->size, is_write,
                  &offset)) {
        return -1;
    }
    return address_space_rw(&address_space_memory, access->address,
                            MEMTXATTRS_UNSPECIFIED, data, access->size,
                            is_write) == MEMTX_OK
               ? 0
               : -1;
}

static int board_transfer(void* opaque, const WiDmaAccess* access, void* data)
{
    WinIommuDma* d = opaque;
    const bool is_write = access->attributes & WI_WRITE;
    MemTxResult result;
    hwaddr output;

    if (access->attributes & WI_TRANSLATED) {
        return transfer_translated(access, data);
    }
    wi_access_begins();
    if (!is_special(access)) {
        result =
            pci_dma_rw(&d->parent_obj, access->address, data, access->size,
                       is_write ? DMA_DIRECTION_FROM_DEVICE : DMA_DIRECTION_TO_DEVICE,
                       MEMTXATTRS_UNSPECIFIED);
        return result == MEMTX_OK ? 0 : -1;
    }
    RCU_READ_LOCK_GUARD();
    if (!translate_special(d, access, &output)) {
        return -1;
    }
    result = address_space_rw(&address_space_memory, output, MEMTXATTRS_UNSPECIFIED, data,
                              access->size, is_write);
    return result == MEMTX_OK ? 0 : -1;
}

/* An atomic reads and writes: both must be allowed.  The read is asked for first. */
static bool readable(WinIommuDma* d, const WiDmaAccess* access)
{
    WiDmaAccess read = *access;
    uint64_t data;

    read.attributes &= ~WI_WRITE;
    return board_transfer(d, &read, &data) == 0;
}

static void* board_pin(void* opaque, const WiDmaAccess* access)
{
    WinIommuDma* d = opaque;
    const bool translated = access->attributes & WI_TRANSLATED;
    AddressSpace* as = pci_get_address_space(&d->parent_obj);
    hwaddr address = access->address;

    if (!translated) {
        if (!readable(d, access)) {
            return NULL;
        }
        wi_access_begins();
    }
    rcu_read_lock();
    if (translated || is_special(access)) {
        as = &address_space_memory;
        if (!translated && !translate_special(d, access, &address)) {
            rcu_read_unlock();
            return NULL;
        }
    }
    d->pinned_region = find_ram(as, address, access->size, true, &d->pinned_offset);
    if (!d->pinned_region) {
        rcu_read_unlock();
        return NULL;
    }
    return (uint8_t*)memory_region_get_ram_ptr(d->pinned_region) + d->pinned_offset;
}

static void board_unpin(void* opaque, const WiDmaAccess* access, void* pinned)
{
    WinIommuDma* d = opaque;

    memory_region_set_dirty(d->pinned_region, d->pinned_offset, access->size);
    d->pinned_region = NULL;
    rcu_read_unlock();
}

/* ---------------------------------------------------------------- commands */

/* The iothread has done the work of the present command: publish it.  BQL held. */
static void finish_bh(void* opaque)
{
    WinIommuDma* d = opaque;

    if (qatomic_xchg(&d->worked, false)) {
        wi_dma_finish(d->dma);
    }
}

static void work_bh(void* opaque)
{
    WinIommuDma* d = opaque;

    wi_dma_work(d->dma);
    qatomic_set(&d->worked, true);
    qemu_bh_schedule(d->finish);
    qemu_event_set(&d->idle); /* last: whoever waits may free us */
}

static void board_start(void* opaque)
{
    WinIommuDma* d = opaque;

    if (d->iothread) {
        qemu_event_reset(&d->idle);
        aio_bh_schedule_oneshot(iothread_get_aio_context(d->iothread), work_bh, d);
        return;
    }
    wi_dma_work(d->dma);
    wi_dma_finish(d->dma);
}

void winiommu_dma_drain(WinIommuDma* d)
{
    while (wi_dma_busy(d->dma)) {
        bql_unlock();
        qemu_event_wait(&d->idle);
        bql_lock();
        finish_bh(d);
    }
}

/* ---------------------------------------------------------------- what it announces */

static void board_interrupt(void* opaque, unsigned vector)
{
    WinIommuDma* d = opaque;
    PCIDevice* pci = &d->parent_obj;

    if (vector >= WI_DMA_VECTORS) {
        return;
    }
    if (msix_enabled(pci)) {
        msix_notify(pci, vector);
    } else if (msi_enabled(pci) && vector < msi_nr_vectors_allocated(pci)) {
        msi_notify(pci, vector);
    }
}

static void board_log(void* opaque, uint8_t byte)
{
    WinIommuDma* d = opaque;

    qemu_chr_fe_write(&d->chardev, &byte, 1);
}

/* ---------------------------------------------------------------- the IOMMU above it */

static void invalidate_atc(void* opaque, uint32_t substream, uint64_t address,
                           uint64_t size)
{
    wi_dma_invalidate(((WinIommuDma*)opaque)->dma, substream, address, size);
}

static bool board_understands_attributes(void* opaque)
{
    WinIommuDma* d = opaque;

    if (!d->searched) {
        d->translator = winiommu_find_translator(
            pci_device_iommu_address_space(&d->parent_obj), &d->function);
        d->searched = true;
        if (d->translator && d->translator->watch_device_tlb) {
            d->translator->watch_device_tlb(d->function, invalidate_atc, d);
        }
    }
    return d->translator != NULL;
}

static bool board_has_ats(void* opaque)
{
    WinIommuDma* d = opaque;

    return d->ats && board_understands_attributes(d) && d->translator->has_ats &&
           d->translator->has_ats(d->function);
}

static bool board_ats_enabled(void* opaque)
{
    return winiommu_dma_ats_control(opaque) & PCI_ATS_CTRL_ENABLE;
}

static void board_request(void* opaque, const WiDmaAccess* access, WiAtsCompletion* out)
{
    WinIommuDma* d = opaque;

    *out = (WiAtsCompletion){.status = WI_ATS_UNSUPPORTED};
    if (is_bus_master(d)) {
        RCU_READ_LOCK_GUARD();
        d->translator->request(d->function, access->address, access->attributes,
                               access->substream, out);
    }
}

static bool board_admit(void* opaque, const WiDmaAccess* access)
{
    WinIommuDma* d = opaque;

    RCU_READ_LOCK_GUARD();
    return is_bus_master(d) &&
           d->translator->admit(d->function, access->address, access->attributes,
                                access->substream);
}

/* ---------------------------------------------------------------- both ends */

WiDmaBoard winiommu_dma_open_board(WinIommuDma* d)
{
    d->finish = qemu_bh_new(finish_bh, d);
    qemu_event_init(&d->idle, true);
    return (WiDmaBoard){
        .opaque = d,
        .transfer = board_transfer,
        .pin = board_pin,
        .unpin = board_unpin,
        .start = board_start,
        .interrupt = board_interrupt,
        .log = board_log,
        .understands_attributes = board_understands_attributes,
        .has_ats = board_has_ats,
        .ats_enabled = board_ats_enabled,
        .request = board_request,
        .admit = board_admit,
    };
}

void winiommu_dma_close_board(WinIommuDma* d)
{
    if (d->translator && d->translator->watch_device_tlb) {
        d->translator->watch_device_tlb(d->function, NULL, NULL);
    }
    qemu_bh_delete(d->finish);
    qemu_event_destroy(&d->idle);
}
