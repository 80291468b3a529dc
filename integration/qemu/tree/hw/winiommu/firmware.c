/*
 * The interface of winiommu-firmware.h: its QOM type, and the search for who implements it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "hw/winiommu-firmware.h"
#include "qemu/module.h"

static int stop_at_first(Object *object, void *opaque)
{
    Object **found = opaque;

    if (!object_dynamic_cast(object, TYPE_WINIOMMU_FIRMWARE)) {
        return 0;
    }
    *found = object;
    return 1;
}

static Object *first_device(void)
{
    Object *found = NULL;

    object_child_foreach_recursive(object_get_root(), stop_at_first, &found);
    return found;
}

bool winiommu_firmware_present(void)
{
    return first_device() != NULL;
}

static void build(WiniommuFirmwareBuild *builder, GArray *table_offsets, GArray *table_data,
                  BIOSLinker *linker, const char *oem_id, const char *oem_table_id)
{
    uint32_t offset = table_data->len;

    builder(first_device(), table_data, linker, oem_id, oem_table_id);
    if (table_data->len != offset) {
        g_array_append_val(table_offsets, offset);
    }
}

void winiommu_firmware_build_acpi(GArray *table_offsets, GArray *table_data,
                                  BIOSLinker *linker, const char *oem_id,
                                  const char *oem_table_id)
{
    WiniommuFirmwareClass *klass = WINIOMMU_FIRMWARE_CLASS(object_get_class(first_device()));

    build(klass->build_acpi, table_offsets, table_data, linker, oem_id, oem_table_id);
    if (klass->build_ssdt) {
        build(klass->build_ssdt, table_offsets, table_data, linker, oem_id, oem_table_id);
    }
}

static AddressSpace *hpet_space;

void winiommu_take_interrupts_of_hpet(AddressSpace *space)
{
    hpet_space = space;
}

AddressSpace *winiommu_interrupts_of_hpet(AddressSpace *otherwise)
{
    return hpet_space ?: otherwise;
}

static const TypeInfo winiommu_firmware_info = {
    .name = TYPE_WINIOMMU_FIRMWARE,
    .parent = TYPE_INTERFACE,
    .class_size = sizeof(WiniommuFirmwareClass),
};

static void winiommu_firmware_register(void)
{
    type_register_static(&winiommu_firmware_info);
}

type_init(winiommu_firmware_register)
