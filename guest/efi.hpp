// SPDX-License-Identifier: GPL-2.0-or-later
// The little of UEFI 2.10 that a program needs which leaves UEFI at once: memory, one
// file, the ACPI tables, and power.  Functions that are not called are plain pointers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace iommu::guest::efi {

using Status = std::uintptr_t;  // 0: success; the top bit set: an error
using Handle = void*;
using Char16 = char16_t;

struct Guid {
    std::uint32_t a;
    std::uint16_t b, c;
    std::uint8_t d[8];

    bool operator==(const Guid&) const = default;
};

// UEFI 4.2 "EFI Table Header".
struct TableHeader {
    std::uint64_t Signature;
    std::uint32_t Revision, HeaderSize, CRC32, Reserved;
};
static_assert(sizeof(TableHeader) == 24);

// UEFI 7.2 "Memory Allocation Services".
enum AllocateType : std::uint32_t { AllocateAnyPages = 0 };
enum MemoryType : std::uint32_t { EfiLoaderData = 2, EfiConventionalMemory = 7 };
struct MemoryDescriptor {
    std::uint32_t Type;
    std::uint64_t PhysicalStart, VirtualStart, NumberOfPages, Attribute;
};
static_assert(sizeof(MemoryDescriptor) == 40);

// UEFI 4.4 "EFI Boot Services Table".
struct BootServices {
    TableHeader Hdr;
    void *RaiseTPL, *RestoreTPL;
    Status (*AllocatePages)(AllocateType type, MemoryType memory, std::uintptr_t pages,
                            std::uint64_t* at);
    void* FreePages;
    Status (*GetMemoryMap)(std::uintptr_t* size, MemoryDescriptor* map,
                           std::uintptr_t* key, std::uintptr_t* descriptor_size,
                           std::uint32_t* version);
    void *AllocatePool, *FreePool;
    void *CreateEvent, *SetTimer, *WaitForEvent, *SignalEvent, *CloseEvent, *CheckEvent;
    void *InstallProtocolInterface, *ReinstallProtocolInterface,
        *UninstallProtocolInterface;
    Status (*HandleProtocol)(Handle handle, const Guid* protocol, void** interface);
    void *Reserved, *RegisterProtocolNotify, *LocateHandle, *LocateDevicePath,
        *InstallConfigurationTable;
    void *LoadImage, *StartImage, *Exit, *UnloadImage;
    Status (*ExitBootServices)(Handle image, std::uintptr_t key);
};
static_assert(offsetof(BootServices, ExitBootServices) == 24 + 26 * 8);

// UEFI 4.5 "EFI Runtime Services Table".
enum ResetType : std::uint32_t { EfiResetShutdown = 2 };
struct RuntimeServices {
    TableHeader Hdr;
    void *GetTime, *SetTime, *GetWakeupTime, *SetWakeupTime, *SetVirtualAddressMap,
        *ConvertPointer, *GetVariable, *GetNextVariableName, *SetVariable,
        *GetNextHighMonotonicCount;
    void (*ResetSystem)(ResetType type, Status status, std::uintptr_t size,
                        const void* data);
};
static_assert(offsetof(RuntimeServices, ResetSystem) == 24 + 10 * 8);

struct ConfigurationTable {
    Guid VendorGuid;
    const void* VendorTable;
};

// UEFI 4.3 "EFI System Table".
struct SystemTable {
    TableHeader Hdr;
    const Char16* FirmwareVendor;
    std::uint32_t FirmwareRevision;
    Handle ConsoleInHandle;
    void* ConIn;
    Handle ConsoleOutHandle;
    void* ConOut;
    Handle StandardErrorHandle;
    void* StdErr;
    RuntimeServices* Runtime;
    BootServices* Boot;
    std::uintptr_t NumberOfTableEntries;
    const ConfigurationTable* Tables;
};
static_assert(offsetof(SystemTable, Tables) == 112);

inline constexpr Guid acpi_20_table = {
    0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};

// UEFI 9.1 "EFI Loaded Image Protocol", to the member that is used.
inline constexpr Guid loaded_image = {
    0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
struct LoadedImage {
    std::uint32_t Revision;
    Handle ParentHandle;
    SystemTable* System;
    Handle DeviceHandle;
};

// UEFI 13.4 "Simple File System Protocol", 13.5 "File Protocol".
inline constexpr Guid simple_file_system = {
    0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
inline constexpr std::uint64_t file_mode_read = 1;
struct File {
    std::uint64_t Revision;
    Status (*Open)(File* self, File** opened, const Char16* name, std::uint64_t mode,
                   std::uint64_t attributes);
    void *Close, *Delete;
    Status (*Read)(File* self, std::uintptr_t* size, void* buffer);
};
struct SimpleFileSystem {
    std::uint64_t Revision;
    Status (*OpenVolume)(SimpleFileSystem* self, File** root);
};

}  // namespace iommu::guest::efi
