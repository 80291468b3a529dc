/*
 * The part of the Windows kernel's vocabulary that the DMA remapping interfaces are
 * written in.  Names, numbers and layouts are Microsoft's; a driver that is built with
 * the WDK includes <wdm.h> instead.
 *
 * Calls: one convention everywhere, spelled WDM_CALL.  On *-windows targets it is the
 * target's own; on ELF hosts it is the host's C convention, for the tables, the callbacks
 * and the two IoGet... functions alike.  A build may set it (-DWDM_CALL=...) as long as
 * driver, suite and provider agree.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WDM_WDM_TYPES_H
#define WDM_WDM_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define WDM_ASSERT(condition) static_assert(condition, #condition)
/* A fixed type: a caller may pass a number that no enumerator has. */
#define WDM_ENUM : int
extern "C" {
#else
#define WDM_ASSERT(condition) _Static_assert(condition, #condition)
#define WDM_ENUM
#endif

#ifndef WDM_CALL
#define WDM_CALL
#endif

/* The layouts below are those of 64-bit Windows. */
WDM_ASSERT(sizeof(void*) == 8);

#define WDM_SIZE(type, size) WDM_ASSERT(sizeof(type) == (size))
#define WDM_AT(type, member, offset) WDM_ASSERT(offsetof(type, member) == (offset))

#define VOID void
typedef void* PVOID;
typedef uint8_t UCHAR;
typedef uint8_t BOOLEAN;
typedef int16_t CSHORT;
typedef uint16_t USHORT;
typedef int32_t LONG;
typedef uint32_t ULONG, *PULONG;
typedef uint32_t UINT;
typedef uint32_t UINT32;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG, *PULONGLONG;
typedef uint64_t ULONG64;
typedef uint64_t UINT64;
typedef uint64_t ULONG_PTR;
typedef uint64_t UINT_PTR;
typedef uint64_t SIZE_T;
typedef void* HANDLE;
typedef uint8_t KIRQL;
typedef int32_t NTSTATUS;

#ifndef TRUE
#define TRUE 1
#define FALSE 0
#endif

typedef union _LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER;
typedef LARGE_INTEGER PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;
WDM_SIZE(PHYSICAL_ADDRESS, 8);

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY* Flink;
    struct _LIST_ENTRY* Blink;
} LIST_ENTRY, *PLIST_ENTRY;
WDM_SIZE(LIST_ENTRY, 0x10);

typedef struct _DEVICE_OBJECT DEVICE_OBJECT, *PDEVICE_OBJECT; /* opaque here */
typedef ULONG_PTR PFN_NUMBER, *PPFN_NUMBER;

#define PAGE_SHIFT 12
#define PAGE_SIZE 0x1000

#define PASSIVE_LEVEL 0
#define APC_LEVEL 1
#define DISPATCH_LEVEL 2
#define HIGH_LEVEL 15

/* A memory descriptor list: this header, then one PFN_NUMBER for each page it spans. */
typedef struct _MDL {
    struct _MDL* Next;
    CSHORT Size;
    CSHORT MdlFlags;
    PVOID Process;
    PVOID MappedSystemVa;
    PVOID StartVa;
    ULONG ByteCount;
    ULONG ByteOffset;
} MDL, *PMDL;
WDM_SIZE(MDL, 0x30);
WDM_AT(MDL, Size, 0x08);
WDM_AT(MDL, MdlFlags, 0x0a);
WDM_AT(MDL, Process, 0x10);
WDM_AT(MDL, MappedSystemVa, 0x18);
WDM_AT(MDL, StartVa, 0x20);
WDM_AT(MDL, ByteCount, 0x28);
WDM_AT(MDL, ByteOffset, 0x2c);

#define MDL_MAPPED_TO_SYSTEM_VA 0x0001
#define MDL_PAGES_LOCKED 0x0002
#define MDL_SOURCE_IS_NONPAGED_POOL 0x0004
#define MDL_ALLOCATED_FIXED_SIZE 0x0008
#define MDL_PARTIAL 0x0010
#define MDL_IO_PAGE_READ 0x0040
#define MDL_WRITE_OPERATION 0x0080
#define MDL_LOCKED_PAGE_TABLES 0x0100
#define MDL_DESCRIBES_AWE 0x0400
#define MDL_IO_SPACE 0x0800
#define MDL_NETWORK_HEADER 0x1000
#define MDL_MAPPING_CAN_FAIL 0x2000
#define MDL_INTERNAL 0x8000

static inline PPFN_NUMBER MmGetMdlPfnArray(MDL* mdl)
{
    return (PPFN_NUMBER)(void*)(mdl + 1);
}

#ifdef __cplusplus
}
#endif
#endif
