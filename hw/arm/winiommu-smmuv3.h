/*
 * winiommu-smmuv3 as its two files share it: the device and its firmware side.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_ARM_WINIOMMU_SMMUV3_H
#define HW_ARM_WINIOMMU_SMMUV3_H

#include "../misc/winiommu-host.h"
#include "hw/acpi/bios-linker-loader.h"

#define TYPE_WINIOMMU_SMMUV3 "winiommu-smmuv3"
OBJECT_DECLARE_SIMPLE_TYPE(WinIommuSmmuv3, WINIOMMU_SMMUV3)

/* DeviceID of an SMMU's own MSIs: from the top of the 16 bits QEMU's ITS has, downwards.
 */
#define WI_SMMUV3_DEVICE_ID(index) (0xffffu - (index))

struct WinIommuSmmuv3 {
    SysBusDevice parent_obj;

    WinIommuHost host;
    qemu_irq irq[WI_SMMUV3_IRQS];

    WiSmmuv3Config config;
    char* stage;
    char* rmr;

    Notifier machine_done;
};
QEMU_BUILD_BUG_ON(WI_SMMUV3_IRQS != WI_LINES);

/* winiommu-smmuv3-firmware.c */

/* False when the machine is not `virt`, or already has an IOMMU; *errp says so. */
bool winiommu_smmuv3_check_machine(Error** errp);
void winiommu_smmuv3_write_device_tree(WinIommuSmmuv3* s);
void winiommu_smmuv3_build_acpi(Object* device, GArray* table_data, BIOSLinker* linker,
                                const char* oem_id, const char* oem_table_id);

#endif
