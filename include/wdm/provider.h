/*
 * What IoGetIommuInterface and IoGetIommuInterfaceEx do for a driver that has its
 * functions in one place: which versions there are, what is written, and no byte more.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WDM_PROVIDER_H
#define WDM_PROVIDER_H

#include "wdm/dma_iommu.h"
#include "wdm/ntstatus.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every function a provider has.  The slots of V2 are the first 22 of V3. */
typedef struct WdmSlots {
    DMA_IOMMU_INTERFACE_V1 v1;
    DMA_IOMMU_INTERFACE_V3 v3;
} WdmSlots;

static inline NTSTATUS wdm_get_interface(const WdmSlots* slots, ULONG Version,
                                         PDMA_IOMMU_INTERFACE InterfaceOut)
{
    if (Version != DMA_IOMMU_INTERFACE_VERSION_1) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (InterfaceOut == NULL) {
        return STATUS_INVALID_PARAMETER_2;
    }
    InterfaceOut->Version = Version;
    __builtin_memcpy(&InterfaceOut->CreateDomain, &slots->v1, sizeof(slots->v1));
    return STATUS_SUCCESS;
}

/*
 * [S] Size is written, not read, and nothing beyond the requested version's table: a
 * caller built before V3 owns only 0xC0 bytes, and cannot say so.
 */
static inline NTSTATUS wdm_get_interface_ex(const WdmSlots* slots, ULONG Version,
                                            ULONGLONG Flags,
                                            PDMA_IOMMU_INTERFACE_EX InterfaceOut)
{
    static const SIZE_T sizes[] = {0, DMA_IOMMU_INTERFACE_EX_SIZE_V1,
                                   DMA_IOMMU_INTERFACE_EX_SIZE_V2,
                                   DMA_IOMMU_INTERFACE_EX_SIZE_V3};
    const SIZE_T header = offsetof(DMA_IOMMU_INTERFACE_EX, V1);
    if (Version < DMA_IOMMU_INTERFACE_EX_VERSION_MIN ||
        Version > DMA_IOMMU_INTERFACE_EX_VERSION_MAX) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (Flags != 0) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (InterfaceOut == NULL) {
        return STATUS_INVALID_PARAMETER_3;
    }
    InterfaceOut->Size = sizes[Version];
    InterfaceOut->Version = Version;
    __builtin_memcpy((char*)InterfaceOut + header,
                     Version == 1 ? (const void*)&slots->v1 : (const void*)&slots->v3,
                     sizes[Version] - header);
    return STATUS_SUCCESS;
}

#ifdef __cplusplus
}
#endif
#endif
