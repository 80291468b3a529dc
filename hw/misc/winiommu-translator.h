/*
 * The way an endpoint hands an access with all its attributes to the IOMMU above it.
 *
 * QEMU's own path from a device to its IOMMU carries no PASID, privilege or instruction
 * attribute in most series.  Our IOMMUs implement this interface, our endpoint uses it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MISC_WINIOMMU_TRANSLATOR_H
#define HW_MISC_WINIOMMU_TRANSLATOR_H

#include "iommu/capi.h"
#include "qom/object.h"

#define TYPE_WINIOMMU_TRANSLATOR "winiommu-translator"

typedef struct WiTranslatorClass WiTranslatorClass;
typedef struct WiFunction WiFunction;
typedef void WiDeviceTlbTell(void* opaque, uint32_t substream, uint64_t address,
                             uint64_t size);
DECLARE_CLASS_CHECKERS(WiTranslatorClass, WINIOMMU_TRANSLATOR, TYPE_WINIOMMU_TRANSLATOR)

struct WiTranslatorClass {
    InterfaceClass parent_class;

    /* The function whose DMA address space is @as, or NULL when it is not behind @iommu.
     */
    WiFunction* (*function)(Object* iommu, AddressSpace* as);

    /*
     * As wi_stream_translate().  Any thread, inside an RCU read-side critical section.
     * @attributes is made of WI_*.
     */
    bool (*translate)(WiFunction* function, uint64_t address, unsigned attributes,
                      uint32_t substream, WiTranslation* out);

    /*
     * ATS.  @has_ats: the IOMMU serves it; then the others may be called, the first two
     * as wi_stream_request_translation() and wi_stream_admit_translated().  Invalidations
     * of the function's cache go to @tell from now on, BQL held; NULL ends that.
     */
    bool (*has_ats)(WiFunction* function);
    void (*request)(WiFunction* function, uint64_t address, unsigned attributes,
                    uint32_t substream, WiAtsCompletion* out);
    bool (*admit)(WiFunction* function, uint64_t address, unsigned attributes,
                  uint32_t substream);
    void (*watch_device_tlb)(WiFunction* function, WiDeviceTlbTell* tell, void* opaque);
};

/*
 * The IOMMU of this project that @as is translated by, and the function there; NULL when
 * there is none.  Searches the whole machine: keep the answer.  BQL held.
 */
WiTranslatorClass* winiommu_find_translator(AddressSpace* as, WiFunction** function);

#endif
