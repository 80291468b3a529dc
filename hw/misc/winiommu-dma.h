/*
 * winiommu-dma, between its two halves: the PCI function (winiommu-dma.c), and the board
 * it gives the core (winiommu-dma-board.c).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WINIOMMU_DMA_H
#define WINIOMMU_DMA_H

#include "chardev/char-fe.h"
#include "hw/pci/pcie.h"
#include "qemu/thread.h"
#include "system/iothread.h"
#include "winiommu-compat.h"
#include "winiommu-translator.h"

#define TYPE_WINIOMMU_DMA "winiommu-dma"
OBJECT_DECLARE_SIMPLE_TYPE(WinIommuDma, WINIOMMU_DMA)

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

/* ATS Control, PCIe 10.5.1.3; 0 without the capability. */
uint16_t winiommu_dma_ats_control(WinIommuDma* d);

/* What the core does through @d; makes what that needs. */
WiDmaBoard winiommu_dma_open_board(WinIommuDma* d);
void winiommu_dma_close_board(WinIommuDma* d);

/*
 * Nothing of ours runs in the iothread afterwards.  BQL held, but not while waiting: the
 * command may need it itself, to reach a device.  Commands are bounded, so this ends.
 */
void winiommu_dma_drain(WinIommuDma* d);

#endif
