// SPDX-License-Identifier: GPL-2.0-or-later
// Sections A to D: interfaces, domains, reserved regions, device tokens.
#include "contract/catalogue/chapters.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

// clang-format off
const Rule rules_a_to_d[59] = {
    {1, Tag::Layout, 'A',
     "sizeof(DMA_IOMMU_INTERFACE)=0x70, _V1=0x68, _V2=0xB0, _V3=0xD8, "
     "_EX=0xE8 on LP64; EX union at offset 0x10.",
     rule_1, nullptr},
    {2, Tag::Layout, 'A',
     "V1 table: ConfigureDomain is the last slot (V1+0x60, legacy+0x68), "
     "FlushDomain is slot 5 (V1+0x20).",
     rule_2, nullptr},
    {3, Tag::Layout, 'A',
     "V2: CreateDevice at +0xA0, DeleteDevice at +0xA8; "
     "QueryAvailableDomainTypes at +0x68.",
     rule_3, nullptr},
    {4, Tag::Layout, 'A',
     "V3: first 22 slots identical in order to V2; CreatePasidDevice +0xB0, "
     "DeletePasidDevice +0xB8, AttachPasidDevice +0xC0, DetachPasidDevice "
     "+0xC8, QueryDeviceInfo +0xD0.",
     rule_4, nullptr},
    {5, Tag::Layout, 'A',
     "All argument-structure sizes and offsets (one static_assert per row; "
     "FAULT_INFORMATION 0x38, IOMMU_MAP_PHYSICAL_ADDRESS 0x18, "
     "IOMMU_DMA_DEVICE_INFORMATION 3 ...).",
     nullptr,
     "a property of the headers: each row is asserted where it is declared "
     "(tests/wdm)"},
    {6, Tag::Documented, 'A',
     "IoGetIommuInterface(1, &I) -> STATUS_SUCCESS, I.Version==1, 13 "
     "callable slots.",
     rule_6, nullptr},
    {7, Tag::Documented, 'A',
     "IoGetIommuInterfaceEx(1,0,&X) -> STATUS_SUCCESS, X.Version==1, same 13"
     " functions as the legacy table.",
     rule_7, nullptr},
    {8, Tag::Documented, 'A',
     "IoGetIommuInterfaceEx(2,0,&X) -> STATUS_SUCCESS, Version==2, 22 slots "
     "filled.",
     rule_8, nullptr},
    {9, Tag::Documented, 'A',
     "IoGetIommuInterfaceEx(3,0,&X) -> STATUS_SUCCESS, Version==3, 27 slots "
     "filled (on a V3 system).",
     rule_9, nullptr},
    {10, Tag::Silent, 'A',
     "Ex: X.Size == 0x78 / 0xC0 / 0xE8 for versions 1 / 2 / 3, whatever Size"
     " held on entry.",
     rule_10, nullptr},
    {11, Tag::Silent, 'A',
     "Ex(1 or 2): bytes of *InterfaceOut at and beyond 0x78 / 0xC0 keep a "
     "pre-filled pattern.",
     rule_11, nullptr},
    {12, Tag::Silent, 'A',
     "Ex(0), Ex(max+1) -> IP_1; output buffer unchanged. Same for "
     "IoGetIommuInterface(0 or 2).",
     rule_12, nullptr},
    {13, Tag::Silent, 'A',
     "Ex(2, Flags=1) -> IP_2; output unchanged.",
     rule_13, nullptr},
    {14, Tag::Documented, 'A',
     "Requesting V1 through Ex and through the legacy call in one process "
     "yields interoperable objects: a domain made by one can be deleted by "
     "the other.",
     rule_14, nullptr},
    {15, Tag::Documented, 'B',
     "V1 CreateDomain(TRUE) -> domain on which map/unmap work and "
     "ConfigureDomain -> IP_1.",
     rule_15, nullptr},
    {16, Tag::Documented, 'B',
     "V1 CreateDomain(FALSE) -> domain on which ConfigureDomain works and "
     "MapLogicalRange fails. [S: code IP_1]",
     rule_16, nullptr},
    {17, Tag::Documented, 'B',
     "CreateDomainEx(Translate, 0, NULL, NULL) -> STATUS_SUCCESS, non-NULL "
     "handle.",
     rule_17, nullptr},
    {18, Tag::Documented, 'B',
     "CreateDomainEx(PassThrough, 0, NULL, NULL) -> STATUS_SUCCESS when "
     "policy allows.",
     rule_18, nullptr},
    {19, Tag::Documented, 'B',
     "CreateDomainEx(Unmanaged, 0, NULL, NULL) -> STATUS_SUCCESS while ASIDs"
     " remain.",
     rule_19, nullptr},
    {20, Tag::Documented, 'B',
     "Exhaust ASIDs with Unmanaged domains -> next create "
     "STATUS_INSUFFICIENT_RESOURCES; deleting one makes the next succeed.",
     rule_20, nullptr},
    {21, Tag::Documented, 'B',
     "Allocation failure injected in create -> "
     "STATUS_INSUFFICIENT_RESOURCES, no leak, *DomainOut unchanged (last "
     "part [S]).",
     rule_21, nullptr},
    {22, Tag::Documented, 'B',
     "Domain type presently disallowed machine-wide -> STATUS_NOT_SUPPORTED.",
     rule_22, nullptr},
    {23, Tag::Documented, 'B',
     "Hypervisor/IOMMU back-end unavailable -> CreateDomainEx "
     "STATUS_NOT_SUPPORTED.",
     rule_23, nullptr},
    {24, Tag::Silent, 'B',
     "DomainType = DomainTypeMax or larger -> IP_1.",
     rule_24, nullptr},
    {25, Tag::Silent, 'B',
     "Flags.AsUlonglong = 1 -> IP_2 (docs: must be zero).",
     rule_25, nullptr},
    {26, Tag::Silent, 'B',
     "Allocator type = IommuDmaLogicalAllocatorMax -> IP_3.",
     rule_26, nullptr},
    {27, Tag::Silent, 'B',
     "Buddy AddressWidth 64 -> IP_3; 63 -> success on 64-bit [limit itself "
     "D].",
     rule_27, nullptr},
    {28, Tag::Silent, 'B',
     "Allocator type None behaves exactly like a NULL config (explicit "
     "address required).",
     rule_28, nullptr},
    {29, Tag::Silent, 'B',
     "Buddy config on PassThrough or Unmanaged -> IP_3.",
     rule_29, nullptr},
    {30, Tag::Silent, 'B',
     "TranslateS1 on hardware without a first stage -> STATUS_NOT_SUPPORTED.",
     rule_30, nullptr},
    {31, Tag::Documented, 'B',
     "DeleteDomain on an idle domain -> STATUS_SUCCESS (both V1-made and Ex-"
     "made).",
     rule_31, nullptr},
    {32, Tag::Documented, 'B',
     "DeleteDomain with one attached device -> failure; after detach -> "
     "STATUS_SUCCESS. [S: failure code STATUS_RESOURCE_IN_USE]",
     rule_32, nullptr},
    {33, Tag::Documented, 'B',
     "DeleteDomain with a live token must not succeed silently. [S: "
     "STATUS_RESOURCE_IN_USE]; after freeing it -> STATUS_SUCCESS.",
     rule_33, nullptr},
    {34, Tag::Silent, 'B',
     "DeleteDomain with plain mappings outstanding -> STATUS_SUCCESS; back-"
     "end page tables all released.",
     rule_34, nullptr},
    {35, Tag::Documented, 'C',
     "Region {Base=0x100000, 16 pages, ShouldMap=TRUE} -> device DMA to "
     "0x100000 reaches PA 0x100000 immediately after attach.",
     rule_35, nullptr},
    {36, Tag::Documented, 'C',
     "Same with ShouldMap=FALSE -> DMA to it faults.",
     rule_36, nullptr},
    {37, Tag::Documented, 'C',
     "Buddy domain + region: no allocation ever intersects it (allocate "
     "until exhaustion and check), for ShouldMap TRUE and FALSE.",
     rule_37, nullptr},
    {38, Tag::Documented, 'C',
     "Two-element RegionNext list: both honoured.",
     rule_38, nullptr},
    {39, Tag::Silent, 'C',
     "Misaligned Base -> IP_4, no domain created.",
     rule_39, nullptr},
    {40, Tag::Silent, 'C',
     "Overlapping regions, NumberOfPages=0, or end beyond 2^AddressWidth -> "
     "IP_4.",
     rule_40, nullptr},
    {41, Tag::Silent, 'C',
     "No-allocator domain: MapLogicalRangeEx explicit overlapping a region "
     "-> STATUS_IN_USE.",
     rule_41, nullptr},
    {42, Tag::Silent, 'C',
     "ShouldMap=TRUE region grants read and write.",
     rule_42, nullptr},
    {43, Tag::Silent, 'C',
     "UnmapLogicalRange over a region -> IP_2, region still translates.",
     rule_43, nullptr},
    {44, Tag::Silent, 'C',
     "Freeing the caller's region list after creation has no effect on the "
     "domain.",
     rule_44, nullptr},
    {45, Tag::Documented, 'D',
     "CreateDevice(PDO behind IOMMU, NULL) on x64 or PCI/ARM64 -> "
     "STATUS_SUCCESS.",
     rule_45, nullptr},
    {46, Tag::Documented, 'D',
     "CreateDevice on a device not behind an IOMMU -> STATUS_NOT_FOUND "
     "(22000+); Server-2022 profile: STATUS_INVALID_PARAMETER.",
     rule_46, nullptr},
    {47, Tag::Documented, 'D',
     "CreateDevice with any Acpi config on x64 -> IP_2.",
     rule_47, nullptr},
    {48, Tag::Documented, 'D',
     "CreateDevice with an Acpi config for a non-ACPI (PCI) device on ARM64 "
     "-> IP_2.",
     rule_48, nullptr},
    {49, Tag::Documented, 'D',
     "CreateDevice(ACPI device on ARM64, Acpi{base,count}) -> "
     "STATUS_SUCCESS; the streams base...base+count-1 belong to it.",
     rule_49, nullptr},
    {50, Tag::Documented, 'D',
     "ARM64 ACPI device with NULL config -> IP_2 (config is mandatory; code "
     "inferred from the remark).",
     rule_50, nullptr},
    {51, Tag::Documented, 'D',
     "Bus interface GetDeviceId failing -> STATUS_UNSUCCESSFUL.",
     rule_51, nullptr},
    {52, Tag::Documented, 'D',
     "Allocation failure -> STATUS_INSUFFICIENT_RESOURCES.",
     rule_52, nullptr},
    {53, Tag::Header, 'D',
     "Hypervisor refusal -> status with facility 0x35 (0xC035xxxx).",
     rule_53, nullptr},
    {54, Tag::Silent, 'D',
     "ConfigType None, Max, or unknown -> IP_2; two entries of one type -> "
     "IP_2.",
     rule_54, nullptr},
    {55, Tag::Silent, 'D',
     "Single config with Flink==NULL, Flink==self, and a circular two-"
     "element list are all walked once per element.",
     rule_55, nullptr},
    {56, Tag::Documented, 'D',
     "DeleteDevice on detached token -> STATUS_SUCCESS.",
     rule_56, nullptr},
    {57, Tag::Documented, 'D',
     "DeleteDevice while attached -> STATUS_RESOURCE_IN_USE; token still "
     "usable; after DetachDeviceEx -> STATUS_SUCCESS.",
     rule_57, nullptr},
    {58, Tag::Header, 'D',
     "DeleteDevice while a state callback is registered -> "
     "STATUS_RESOURCE_IN_USE; after unregister -> STATUS_SUCCESS.",
     rule_58, nullptr},
    {59, Tag::Silent, 'D',
     "Two tokens for the same PDO: both creates succeed; attaching the "
     "second while the first is attached -> STATUS_INVALID_PARAMETER.",
     rule_59, nullptr},
};
// clang-format on

}  // namespace iommu::contract
