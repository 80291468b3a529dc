/*
 * winiommu-dma: a PCI function that does DMA on command, docs/specs/winiommu-dma.rst.
 *
 * What a command means is in the core (hw/misc/dma); this file is the PCI device around
 * it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "block/aio.h"
#include "chardev/char-fe.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "migration/vmstate.h"
#include "qemu/atomic.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "system/iothread.h"
#include "winiommu-compat.h"
#include "winiommu-translator.h"

#define TYPE_WINIOMMU_DMA "winiommu-dma"
OBJECT_DECLARE_SIMPLE_TYPE(WinIommuDma, WINIOMMU_DMA)

#define PASID_OFFSET PCI_CONFIG_SPACE_SIZE
#define ATS_OFFSET (PASID_OFFSET + PCI_EXT_CAP_PASID_SIZEOF)
#define ATS_UNIT 0x1f /* STU, of the control register */

struct WinIommuDma {
    PCIDevice parent_obj;

    MemoryRegion registers;
    MemoryRegion buffer;
    WI_CHARDEV chardev;
    IOThread* iothread;
    bool ats;

    WiDma* dma;

    /* Found at the first command: the IOMMU of this project above us. */
    bool searched;
    WiTranslatorClass* translator;
    WiFunction* function;

    /* RAM between pin and unpin. */
    MemoryRegion* pinned_region;
    hwaddr pinned_offset;

    /* Of a command in the iothread. */
    QEMUBH* finish;
    QemuEvent idle;
    bool worked;

    void* saved;
    uint32_t saved_size;
};

/* ---------------------------------------------------------------- the board */

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

/* ---------------------------------------------------------------- ATS */

static uint16_t ats_control(WinIommuDma* d)
{
    return d->ats ? pci_get_word(d->parent_obj.config + ATS_OFFSET + PCI_ATS_CTRL) : 0;
}

static bool board_has_ats(void* opaque)
{
    WinIommuDma* d = opaque;

    return d->ats && board_understands_attributes(d) && d->translator->has_ats &&
           d->translator->has_ats(d->function);
}

static bool board_ats_enabled(void* opaque)
{
    return ats_control(opaque) & PCI_ATS_CTRL_ENABLE;
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

/* ---------------------------------------------------------------- registers */

static uint64_t registers_read(void* opaque, hwaddr offset, unsigned size)
{
    WinIommuDma* d = opaque;

    return wi_dma_read(d->dma, offset, size);
}

static void registers_write(void* opaque, hwaddr offset, uint64_t value, unsigned size)
{
    WinIommuDma* d = opaque;

    wi_dma_write(d->dma, offset, size, value);
}

static const MemoryRegionOps registers_ops = {
    .read = registers_read,
    .write = registers_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 8},
    .impl = {.min_access_size = 1, .max_access_size = 8},
};

/* ---------------------------------------------------------------- the PCI function */

/*
 * Nothing of ours runs in the iothread afterwards.  BQL held, but not while waiting: the
 * command may need it itself, to reach a device.  Commands are bounded, so this ends.
 */
static void drain(WinIommuDma* d)
{
    while (wi_dma_busy(d->dma)) {
        bql_unlock();
        qemu_event_wait(&d->idle);
        bql_lock();
        finish_bh(d);
    }
}

static void add_pasid_capability(PCIDevice* pci)
{
    /* PCIe 7.8.9 "PASID Extended Capability Structure": 20 bits, execute, privileged. */
    pcie_add_capability(pci, PCI_EXT_CAP_ID_PASID, 1, PASID_OFFSET,
                        PCI_EXT_CAP_PASID_SIZEOF);
    pci_set_word(pci->config + PASID_OFFSET + PCI_PASID_CAP,
                 PCI_PASID_CAP_EXEC | PCI_PASID_CAP_PRIV | 20 << 8);
    pci_set_word(pci->wmask + PASID_OFFSET + PCI_PASID_CTRL,
                 PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC | PCI_PASID_CTRL_PRIV);
}

static void add_ats_capability(PCIDevice* pci)
{
    /* PCIe 10.5.1 "ATS Extended Capability": page aligned requests, global invalidates.
     */
    pcie_add_capability(pci, PCI_EXT_CAP_ID_ATS, 1, ATS_OFFSET, PCI_EXT_CAP_ATS_SIZEOF);
    pci_set_word(pci->config + ATS_OFFSET + PCI_ATS_CAP, 1 << 5 | 1 << 6);
    pci_set_word(pci->wmask + ATS_OFFSET + PCI_ATS_CTRL, PCI_ATS_CTRL_ENABLE | ATS_UNIT);
}

/* A machine whose interrupt controller takes no messages gets a function without them. */
static bool add_interrupts(PCIDevice* pci, Error** errp)
{
    if (!msi_nonbroken) {
        return true;
    }
    if (msi_init(pci, 0, WI_DMA_VECTORS, true, true, errp) < 0 ||
        msix_init_exclusive_bar(pci, WI_DMA_VECTORS, 1, errp) < 0) {
        return false;
    }
    for (unsigned vector = 0; vector < WI_DMA_VECTORS; vector++) {
        msix_vector_use(pci, vector);
    }
    return true;
}

static void winiommu_dma_realize(PCIDevice* pci, Error** errp)
{
    WinIommuDma* d = WINIOMMU_DMA(pci);
    const WiDmaBoard board = {
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

    if (pcie_endpoint_cap_init(pci, 0) < 0) {
        error_setg(errp, "winiommu-dma needs a PCI Express bus, such as pcie.0");
        return;
    }
    pcie_cap_flr_init(pci);
    add_pasid_capability(pci);
    if (d->ats) {
        add_ats_capability(pci);
    }
    if (!add_interrupts(pci, errp) ||
        !memory_region_init_ram(&d->buffer, OBJECT(d), "winiommu-dma-buffer",
                                WI_DMA_BUFFER_SIZE, errp)) {
        return;
    }
    d->dma =
        wi_dma_new(&board, memory_region_get_ram_ptr(&d->buffer), d->iothread != NULL);
    d->finish = qemu_bh_new(finish_bh, d);
    qemu_event_init(&d->idle, true);
    memory_region_init_io(&d->registers, OBJECT(d), &registers_ops, d,
                          "winiommu-dma-registers", WI_DMA_MMIO_SIZE);
    pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &d->registers);
    pci_register_bar(pci, 2, PCI_BASE_ADDRESS_SPACE_MEMORY, &d->buffer);
}

static void winiommu_dma_exit(PCIDevice* pci)
{
    WinIommuDma* d = WINIOMMU_DMA(pci);

    drain(d);
    if (d->translator && d->translator->watch_device_tlb) {
        d->translator->watch_device_tlb(d->function, NULL, NULL);
    }
    qemu_bh_delete(d->finish);
    qemu_event_destroy(&d->idle);
    wi_dma_free(d->dma);
    msix_uninit_exclusive_bar(pci);
    msi_uninit(pci);
    pcie_cap_exit(pci);
}

static void winiommu_dma_write_config(PCIDevice* pci, uint32_t address, uint32_t value,
                                      int size)
{
    WinIommuDma* d = WINIOMMU_DMA(pci);
    const uint16_t before = ats_control(d);

    pci_default_write_config(pci, address, value, size);
    pcie_cap_flr_write_config(pci, address, value, size);
    if (ats_control(d) != before) {
        wi_dma_ats_changed(d->dma, ats_control(d) & ATS_UNIT);
    }
}

static void winiommu_dma_reset_hold(Object* object, ResetType type)
{
    WinIommuDma* d = WINIOMMU_DMA(object);

    drain(d);
    if (d->ats) {
        pci_set_word(d->parent_obj.config + ATS_OFFSET + PCI_ATS_CTRL, 0);
        wi_dma_ats_changed(d->dma, 0);
    }
    wi_dma_reset(d->dma);
}

/* ---------------------------------------------------------------- migration */

static int winiommu_dma_pre_save(void* opaque)
{
    WinIommuDma* d = opaque;
    size_t size;

    drain(d);
    free(d->saved);
    d->saved = wi_dma_save(d->dma, &size);
    d->saved_size = size;
    return d->saved ? 0 : -1;
}

static int winiommu_dma_post_load(void* opaque, int version)
{
    WinIommuDma* d = opaque;
    const char* problem = wi_dma_load(d->dma, d->saved, d->saved_size);

    if (problem) {
        error_report("%s", problem);
        return -EINVAL;
    }
    wi_dma_ats_changed(d->dma, ats_control(d) & ATS_UNIT);
    return 0;
}

static const VMStateDescription winiommu_dma_vmstate = {
    .name = TYPE_WINIOMMU_DMA,
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = winiommu_dma_pre_save,
    .post_load = winiommu_dma_post_load,
    .fields =
        (const VMStateField[]){
            VMSTATE_PCI_DEVICE(parent_obj, WinIommuDma),
            VMSTATE_MSIX(parent_obj, WinIommuDma),
            VMSTATE_UINT32(saved_size, WinIommuDma),
            VMSTATE_VBUFFER_ALLOC_UINT32(saved, WinIommuDma, 0, NULL, saved_size),
            VMSTATE_END_OF_LIST(),
        },
};

static const Property winiommu_dma_properties[] = {
    DEFINE_PROP_LINK("iothread", WinIommuDma, iothread, TYPE_IOTHREAD, IOThread*),
    DEFINE_PROP_CHR("chardev", WinIommuDma, chardev),
    DEFINE_PROP_BOOL("ats", WinIommuDma, ats, true),
};

static void winiommu_dma_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    DeviceClass* dc = DEVICE_CLASS(klass);
    PCIDeviceClass* pc = PCI_DEVICE_CLASS(klass);

    pc->realize = winiommu_dma_realize;
    pc->exit = winiommu_dma_exit;
    pc->config_write = winiommu_dma_write_config;
    pc->vendor_id = PCI_VENDOR_ID_QEMU;
    pc->device_id = 0x10dd;
    pc->revision = 1;
    pc->class_id = PCI_CLASS_OTHERS;
    RESETTABLE_CLASS(klass)->phases.hold = winiommu_dma_reset_hold;
    dc->desc = "DMA test endpoint (winiommu)";
    dc->vmsd = &winiommu_dma_vmstate;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, winiommu_dma_properties);
}

static const TypeInfo winiommu_dma_info = {
    .name = TYPE_WINIOMMU_DMA,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(WinIommuDma),
    .class_init = winiommu_dma_class_init,
    .interfaces = (WI_INTERFACE[]){{INTERFACE_PCIE_DEVICE}, {}},
};

static void winiommu_dma_register(void)
{
    type_register_static(&winiommu_dma_info);
}

type_init(winiommu_dma_register)
