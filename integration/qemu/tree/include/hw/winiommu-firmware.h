/*
 * A device that describes itself to the firmware: the one thing QEMU's machines know of winiommu.
 *
 * A sysbus device that implements this interface may be created with -device on `virt` and `q35`
 * and writes its own device tree nodes (from a machine-init-done notifier).  Where the machine
 * would build its IORT or DMAR it calls winiommu_firmware_build_acpi() instead.  And one that
 * remaps interrupts gets those of the HPET, which is no PCI function.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_WINIOMMU_FIRMWARE_H
#define HW_WINIOMMU_FIRMWARE_H

#include "hw/acpi/bios-linker-loader.h"
#include "qom/object.h"

#define TYPE_WINIOMMU_FIRMWARE "winiommu-firmware"

typedef struct WiniommuFirmwareClass WiniommuFirmwareClass;
DECLARE_CLASS_CHECKERS(WiniommuFirmwareClass, WINIOMMU_FIRMWARE, TYPE_WINIOMMU_FIRMWARE)

typedef void WiniommuFirmwareBuild(Object *device, GArray *table_data, BIOSLinker *linker,
                                   const char *oem_id, const char *oem_table_id);

struct WiniommuFirmwareClass {
    InterfaceClass parent_class;

    /*
     * Appends the machine's whole IORT or DMAR to @table_data.  It is called for one device
     * only, the first in the composition tree, and speaks for every instance.  A DMAR or an
     * IORT lists all units in one table.
     */
    WiniommuFirmwareBuild *build_acpi;
    /* NULL, or appends an SSDT: what the machine's DSDT does not say.  Nothing: no table. */
    WiniommuFirmwareBuild *build_ssdt;
};

/* True when some device of the machine implements the interface. */
bool winiommu_firmware_present(void);

/* Has the first such device build its tables; call only if one is present. */
void winiommu_firmware_build_acpi(GArray *table_offsets, GArray *table_data,
                                  BIOSLinker *linker, const char *oem_id,
                                  const char *oem_table_id);

/* From now on the HPET writes its interrupt messages (FSB route) into @space. */
void winiommu_take_interrupts_of_hpet(AddressSpace *space);

/* Where the HPET writes them: what was given, else @otherwise. */
AddressSpace *winiommu_interrupts_of_hpet(AddressSpace *otherwise);

#endif
