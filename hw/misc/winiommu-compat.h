/*
 * QEMU moved headers and one signature between the series we build on (10.0, 10.2, 11.1);
 * what differs is here, so that no other file asks for a version.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MISC_WINIOMMU_COMPAT_H
#define HW_MISC_WINIOMMU_COMPAT_H

#include "qapi/error.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qemu/units.h"

#include "hw/pci/pci.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pci_host.h"

#if __has_include("system/memory.h")
#include "system/address-spaces.h"
#include "system/memory.h"
#define WI_CLASS_DATA const void*
#define WI_INTERFACE const InterfaceInfo
#else
#include "exec/address-spaces.h"
#include "exec/memory.h"
#define WI_CLASS_DATA void*
#define WI_INTERFACE InterfaceInfo
#endif

#if __has_include("hw/core/sysbus.h")
#include "hw/core/boards.h"
#include "hw/core/irq.h"
#include "hw/core/qdev-properties-system.h"
#include "hw/core/qdev-properties.h"
#include "hw/core/resettable.h"
#include "hw/core/sysbus.h"
#else
#include "hw/boards.h"
#include "hw/irq.h"
#include "hw/qdev-properties-system.h"
#include "hw/qdev-properties.h"
#include "hw/resettable.h"
#include "hw/sysbus.h"
#endif

/* Up to 10.2 the common class of x86 IOMMUs has the property `pt`. */
#if QEMU_VERSION_MAJOR <= 10
#define WI_X86_IOMMU_HAS_PT
#endif

/* PCIIOMMUOps has ATS. */
#if QEMU_VERSION_MAJOR > 10 || (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 2)
#define WI_PCI_ATS
#endif

/* A chardev as its user sees it. */
#if QEMU_VERSION_MAJOR > 10 || (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 2)
#define WI_CHARDEV CharFrontend
#else
#define WI_CHARDEV CharBackend
#endif

#endif
