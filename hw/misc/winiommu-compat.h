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
#else
#include "exec/address-spaces.h"
#include "exec/memory.h"
#define WI_CLASS_DATA void*
#endif

#if __has_include("hw/core/sysbus.h")
#include "hw/core/boards.h"
#include "hw/core/irq.h"
#include "hw/core/qdev-properties.h"
#include "hw/core/sysbus.h"
#else
#include "hw/boards.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "hw/sysbus.h"
#endif

#endif
