# SPDX-License-Identifier: GPL-2.0-or-later
# DetachDeviceEx of a device that is not attached: a status that is not the documented one.
/^NTSTATUS WDM_CALL IommuProviderStart/i\
static PIOMMU_DOMAIN_DETACH_DEVICE_EX detach;\
static NTSTATUS WDM_CALL Detach(PIOMMU_DMA_DEVICE Device)\
{\
    return NT_SUCCESS(detach(Device)) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;\
}
/slots = /a\
    detach = slots.v3.DetachDeviceEx;\
    slots.v3.DetachDeviceEx = Detach;
