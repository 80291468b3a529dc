/*
 * The one door between QEMU's C and the C++ core.  Everything architectural is behind it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef IOMMU_CAPI_H
#define IOMMU_CAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iommu/capi_acpi.h"
#include "iommu/capi_answers.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct WiIommu WiIommu; /* a device: SMMUv3 or VT-d */

/* See iommu/host.hpp for what each means.  int results: 0 done, -1 external abort. */
struct WiBlock;

typedef struct WiHost {
    void* opaque;
    int (*read)(void* opaque, uint64_t gpa, void* buf, size_t len);
    int (*write)(void* opaque, uint64_t gpa, const void* buf, size_t len);
    void (*mark_dirty)(void* opaque, uint64_t gpa, size_t len);
    void (*pulse)(void* opaque, unsigned line);
    int (*send_msi)(void* opaque, uint64_t address, uint32_t data);
    void (*unmapped)(void* opaque, void* cookie, uint64_t iova, uint64_t size);
    void (*bypass_changed)(void* opaque, void* cookie);
    void (*guest_error)(void* opaque, const char* text);
    /* NULL where nobody keeps a copy of page tables, or has a cache of its own. */
    void (*mapping_changed)(void* opaque, void* cookie, const struct WiBlock* block);
    bool (*device_unmapped)(void* opaque, void* cookie, uint32_t substream, uint64_t iova,
                            uint64_t size);
} WiHost;

/* See MappedBlock in iommu/transaction.hpp. */
typedef struct WiBlock {
    uint64_t input, output, mask;
    bool read, write;
} WiBlock;

#define WI_NO_SUBSTREAM UINT32_MAX
#define WI_ANY_SUBSTREAM (UINT32_MAX - 1)

typedef struct WiRamRegion {
    uint64_t gpa, size;
    void* host;
    bool readonly;
} WiRamRegion;

/* Interrupt lines of the SMMUv3, in the order of QEMU's sysbus IRQs: SMMU 3.18. */
enum {
    WI_SMMUV3_IRQ_EVTQ = 0,
    WI_SMMUV3_IRQ_PRIQ = 1,
    WI_SMMUV3_IRQ_CMD_SYNC = 2,
    WI_SMMUV3_IRQ_GERROR = 3,
    WI_SMMUV3_IRQS = 4,
};

#define WI_SMMUV3_MMIO_SIZE 0x20000
#define WI_VTD_MMIO_SIZE                                                                 \
    0x1000 /* grows with the number of fault records, see wi_vtd_mmio_size */

typedef struct WiSmmuv3Config {
    uint8_t sid_bits;    /* IDR1.SIDSIZE: 8..24, default 16 */
    uint8_t ssid_bits;   /* IDR1.SSIDSIZE: 0..20, default 8 */
    uint8_t oas_bits;    /* IDR5.OAS: 32, 36, 40, 42, 44 or 48 (default) */
    bool stage1, stage2; /* IDR0.S1P, S2P; both by default */
    bool tlb;            /* false: every access walks */
    bool gbpa_abort;     /* reset value of GBPA.ABORT */
    bool msi;            /* IDR0.MSI */
} WiSmmuv3Config;

typedef struct WiVtdConfig {
    uint8_t aw_bits;        /* 39, 48 (default) or 57 */
    uint8_t pasid_bits;     /* 0 or 20 wide at most; scalable mode only */
    uint16_t fault_records; /* 1..256 */
    bool caching_mode, snoop_control, intremap, eim, pt;
    bool scalable_mode, device_iotlb, tlb;
} WiVtdConfig;

/* Each fills in the defaults; the caller then sets what its user asked for. */
void wi_smmuv3_config_init(WiSmmuv3Config* config);
void wi_vtd_config_init(WiVtdConfig* config);

/*
 * NULL when the configuration is not one the architecture has; *error is then one line
 * (static storage) that says what and how to mend it.  `host` is copied.
 */
WiIommu* wi_smmuv3_new(const WiSmmuv3Config* config, const WiHost* host,
                       const char** error);
WiIommu* wi_vtd_new(const WiVtdConfig* config, const WiHost* host, const char** error);
void wi_iommu_free(WiIommu* iommu);

void wi_iommu_reset(WiIommu* iommu);
uint64_t wi_iommu_mmio_read(WiIommu* iommu, uint64_t offset, unsigned size);
void wi_iommu_mmio_write(WiIommu* iommu, uint64_t offset, unsigned size, uint64_t value);
void wi_iommu_set_ram(WiIommu* iommu, const WiRamRegion* regions, size_t count);

/* save: *size bytes in malloc'ed memory the caller frees.  load: NULL, or what is wrong.
 */
void* wi_iommu_save(const WiIommu* iommu, size_t* size);
const char* wi_iommu_load(WiIommu* iommu, const void* state, size_t size);

/*
 * A question about the device, docs/specs/introspection.rst, which changes nothing. Under
 * the device lock.  Returns malloc'ed text the caller frees, or NULL without memory: JSON
 * if *good, else one line that says what is wrong.  `arguments` may be NULL.
 */
char* wi_iommu_ask(WiIommu* iommu, const char* topic, const char* arguments, bool* good);
/*
 * Sets "fault-action" to "record", "stop" or "off", or "fault-filter".  NULL, or a line
 * as above: then nothing has changed.
 */
char* wi_iommu_adjust(WiIommu* iommu, const char* option, const char* value);

/* Whom introspection asks and tells; each may be NULL.  Called on any thread. */
typedef struct WiFaultWatch {
    void* opaque;
    int64_t (*virtual_time)(void* opaque); /* nanoseconds */
    void (*stop)(void* opaque);            /* the machine is to stop at once */
} WiFaultWatch;

/* Before the first access.  Copied. */
void wi_iommu_watch_faults(WiIommu* iommu, const WiFaultWatch* watch);

/* Attributes of an access, or-ed. */
enum {
    WI_WRITE = 1u << 0,
    WI_PRIVILEGED = 1u << 1,
    WI_INSTRUCTION = 1u << 2,
    WI_SUBSTREAM = 1u << 3, /* `substream` below is valid */
    WI_PIECES = 1u << 4,    /* asked by QEMU's memory core, which cuts what is refused */
    /* Of WiDmaBoard's accesses only: */
    WI_TRANSLATED = 1u << 5, /* to a system address, past the IOMMU */
    WI_RAM_ONLY = 1u << 6,   /* wait for nobody; -1 when no RAM is there */
};

WiStream* wi_iommu_stream(WiIommu* iommu, uint32_t id, void* cookie);

/*
 * Verify mode, docs/specs/verify.rst: before the first wi_iommu_stream, which then gives
 * streams that are watched.  The callbacks may be called on any thread, for each finding
 * once, with one line for a log and the finding as JSON; they call nothing of ours.
 */
typedef struct WiWatch {
    void* opaque;
    void (*found)(void* opaque, const char* line, const char* json); /* or NULL */
    bool verify; /* false: nothing is found */
    /* Each command or descriptor, and each translation when it is first seen; or NULL. */
    void (*command)(void* opaque, uint64_t low, uint64_t high);
    void (*mapped)(void* opaque, uint32_t requester, uint64_t address, uint64_t output,
                   unsigned log2size, unsigned rights);
} WiWatch;

void wi_iommu_watch(WiIommu* iommu, const WiWatch* watch);
/*
 * After wi_iommu_watch: a record of what is seen, docs/specs/record.rst, which
 * wi_iommu_tick brings up to date.  false: *error is one line in malloc'ed memory.
 */
bool wi_iommu_record(WiIommu* iommu, const char* path, char** error);
/* At least once a second, any thread: what is due becomes a finding. */
void wi_iommu_tick(WiIommu* iommu);
/* As JSON, in malloc'ed memory the caller frees; without a watch an empty list. */
char* wi_iommu_findings(WiIommu* iommu);
/* Software will do nothing more: what is still suspected is found. */
void wi_iommu_settle(WiIommu* iommu);
/* The same, and the end of the record. */
void wi_iommu_finish(WiIommu* iommu);

/* wi_stream_translate without looking at the last answers. */
bool wi_stream_resolve(WiStream* stream, uint64_t address, unsigned attributes,
                       uint32_t substream, WiTranslation* out);

/* true: *out is valid.  false: refused, and recorded if the architecture says so. */
static inline bool wi_stream_translate(WiStream* stream, uint64_t address,
                                       unsigned attributes, uint32_t substream,
                                       WiTranslation* out)
{
    return (!(attributes & (WI_PRIVILEGED | WI_INSTRUCTION | WI_SUBSTREAM)) &&
            wi_stream_recall(stream, address, attributes & WI_WRITE, out)) ||
           wi_stream_resolve(stream, address, attributes, substream, out);
}
/* See AtsCompletion in iommu/transaction.hpp. */
enum { WI_ATS_SUCCESS = 0, WI_ATS_UNSUPPORTED = 1, WI_ATS_ABORT = 2 };
typedef struct WiAtsCompletion {
    WiTranslation translation;
    unsigned status; /* WI_ATS_* */
    bool execute, untranslated_only;
} WiAtsCompletion;

/* Stream::request_translation and Stream::admit_translated in iommu/device.hpp. */
void wi_stream_request_translation(WiStream* stream, uint64_t address,
                                   unsigned attributes, uint32_t substream,
                                   WiAtsCompletion* out);
bool wi_stream_admit_translated(WiStream* stream, uint64_t address, unsigned attributes,
                                uint32_t substream);

/*
 * The next access this thread asks for with WI_PIECES is a transaction of its own, never
 * the rest of one that was refused; see hw/iommu/common/pieces.hpp.
 */
void wi_access_begins(void);
bool wi_stream_bypassed(const WiStream* stream);
void wi_stream_want_unmaps(WiStream* stream, bool wanted);
/* See Stream::want_mappings and Stream::replay_mappings in iommu/device.hpp. */
void wi_stream_want_mappings(WiStream* stream, bool wanted);
void wi_stream_replay_mappings(WiStream* stream,
                               void (*take)(void* opaque, const WiBlock* block),
                               void* opaque);
/* NULL, or one line (static storage): why it cannot, and how to mend it. */
const char* wi_iommu_refuse_mappings(const WiIommu* iommu);
const char* wi_iommu_refuse_device_tlbs(const WiIommu* iommu);

/*
 * VT-d interrupt remapping, VT-d 5.1.  true: deliver *out_address / *out_data unremapped.
 * false: blocked, and recorded.  `source_id` 0xffffffff: no requester is known (not
 * verified).
 */
bool wi_vtd_remap_interrupt(WiIommu* iommu, uint32_t source_id, uint64_t address,
                            uint32_t data, uint64_t* out_address, uint32_t* out_data);
/* Another number after every change of what wi_vtd_remap_interrupt answers. */
uint32_t wi_vtd_interrupt_changes(const WiIommu* iommu);
size_t wi_vtd_mmio_size(const WiIommu* iommu);
/* HAW, which the DMAR announces: VT-d 8.1. */
unsigned wi_vtd_host_address_bits(const WiIommu* iommu);

/*
 * The engine of winiommu-dma, docs/specs/winiommu-dma.rst.
 *
 * start: call wi_dma_work, on any thread, then wi_dma_finish under the device lock; both
 * may happen inside start.  pin: host memory of a whole access, readable and writable, or
 * NULL.
 */
typedef struct WiDma WiDma;
typedef struct WiDmaAccess {
    uint64_t address;
    size_t size; /* never crosses a 4 KiB boundary */
    unsigned attributes;
    uint32_t substream;
} WiDmaAccess;

typedef struct WiDmaBoard {
    void* opaque;
    int (*transfer)(void* opaque, const WiDmaAccess* access, void* data);
    void* (*pin)(void* opaque, const WiDmaAccess* access);
    void (*unpin)(void* opaque, const WiDmaAccess* access, void* pinned);
    void (*start)(void* opaque);
    void (*interrupt)(void* opaque, unsigned vector);
    void (*log)(void* opaque, uint8_t byte);
    bool (*understands_attributes)(void* opaque);
    /* All NULL where there is no ATS: does the IOMMU above serve it, and is it enabled?
     */
    bool (*has_ats)(void* opaque);
    bool (*ats_enabled)(void* opaque);
    void (*request)(void* opaque, const WiDmaAccess* access, WiAtsCompletion* out);
    bool (*admit)(void* opaque, const WiDmaAccess* access);
} WiDmaBoard;

#define WI_DMA_MMIO_SIZE 0x1000
#define WI_DMA_BUFFER_SIZE 0x10000
#define WI_DMA_VECTORS 8

WiDma* wi_dma_new(const WiDmaBoard* board, void* buffer, bool in_thread);
void wi_dma_free(WiDma* dma);
void wi_dma_reset(WiDma* dma);
uint64_t wi_dma_read(WiDma* dma, uint64_t offset, unsigned size);
void wi_dma_write(WiDma* dma, uint64_t offset, unsigned size, uint64_t value);
bool wi_dma_busy(const WiDma* dma);
void wi_dma_work(WiDma* dma);
void wi_dma_finish(WiDma* dma);
/*
 * The function's address translation cache; any thread.  Whatever was reached through
 * what is invalidated has been reached when it returns.  @substream: or WI_NO_SUBSTREAM,
 * or WI_ANY_SUBSTREAM; @size 0: everything.
 */
void wi_dma_invalidate(WiDma* dma, uint32_t substream, uint64_t address, uint64_t size);
/* ATS was enabled or disabled, with a smallest translation unit of 2^@log2_pages. */
void wi_dma_ats_changed(WiDma* dma, unsigned log2_pages);
/* As wi_iommu_save and wi_iommu_load. */
void* wi_dma_save(const WiDma* dma, size_t* size);
const char* wi_dma_load(WiDma* dma, const void* state, size_t size);

#ifdef __cplusplus
}
#endif
#endif
