/*
 * winiommu-dma: a PCI function that does DMA on command, docs/specs/winiommu-dma.rst.
 *
 * What a command means is in the core (hw/misc/dma), how it reaches the machine in
 * winiommu-dma-board.c; this file is the PCI device around both.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "migration/vmstate.h"
#include "qemu/error-report.h"
#include "winiommu-dma.h"

#define PASID_OFFSET PCI_CONFIG_SPACE_SIZE
#define ATS_OFFSET (PASID_OFFSET + PCI_EXT_CAP_PASID_SIZEOF)
#define ATS_UNIT 0x1f /* STU, of the control register */

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

uint16_t winiommu_dma_ats_control(WinIommuDma* d)
{
    return d->ats ? pci_get_word(d->parent_obj.config + ATS_OFFSET + PCI_ATS_CTRL) : 0;
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
    WiDmaBoard board;

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
    board = winiommu_dma_open_board(d);
    d->dma =
        wi_dma_new(&board, memory_region_get_ram_ptr(&d->buffer), d->iothread != NULL);
    memory_region_init_io(&d->registers, OBJECT(d), &registers_ops, d,
                          "winiommu-dma-registers", WI_DMA_MMIO_SIZE);
    pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &d->registers);
    pci_register_bar(pci, 2, PCI_BASE_ADDRESS_SPACE_MEMORY, &d->buffer);
}

static void winiommu_dma_exit(PCIDevice* pci)
{
    WinIommuDma* d = WINIOMMU_DMA(pci);

    winiommu_dma_drain(d);
    winiommu_dma_close_board(d);
    wi_dma_free(d->dma);
    msix_uninit_exclusive_bar(pci);
    msi_uninit(pci);
    pcie_cap_exit(pci);
}

static void winiommu_dma_write_config(PCIDevice* pci, uint32_t address, uint32_t value,
                                      int size)
{
    WinIommuDma* d = WINIOMMU_DMA(pci);
    const uint16_t before = winiommu_dma_ats_control(d);

    pci_default_write_config(pci, address, value, size);
    pcie_cap_flr_write_config(pci, address, value, size);
    if (winiommu_dma_ats_control(d) != before) {
        wi_dma_ats_changed(d->dma, winiommu_dma_ats_control(d) & ATS_UNIT);
    }
}

static void winiommu_dma_reset_hold(Object* object, ResetType type)
{
    WinIommuDma* d = WINIOMMU_DMA(object);

    winiommu_dma_drain(d);
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

    winiommu_dma_drain(d);
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
    wi_dma_ats_changed(d->dma, winiommu_dma_ats_control(d) & ATS_UNIT);
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
