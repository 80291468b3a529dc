// SPDX-License-Identifier: GPL-2.0-or-later
// Every rule of the contract, in order: what it says, where it comes from, and the check,
// or why software cannot make one.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

// clang-format off
constexpr Rule rules[] = {
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
    {60, Tag::Documented, 'E',
     "AttachDeviceEx(Translate) -> STATUS_SUCCESS; mapped addresses now "
     "translate for that device.",
     rule_60, nullptr},
    {61, Tag::Documented, 'E',
     "Second AttachDeviceEx to another domain without detach -> "
     "STATUS_INVALID_PARAMETER (0xC000000D, not IP_2); first attachment "
     "intact.",
     rule_61, nullptr},
    {62, Tag::Silent, 'E',
     "Second AttachDeviceEx to the same domain -> STATUS_INVALID_PARAMETER.",
     rule_62, nullptr},
    {63, Tag::Documented, 'E',
     "Attach to a type not in the available mask -> STATUS_ACCESS_DENIED; "
     "device unattached.",
     rule_63, nullptr},
    {64, Tag::Documented, 'E',
     "Bookkeeping allocation failure in attach -> "
     "STATUS_INSUFFICIENT_RESOURCES; device unattached.",
     rule_64, nullptr},
    {65, Tag::Documented, 'E',
     "DetachDeviceEx when attached -> STATUS_SUCCESS; when not -> IP_1; "
     "twice -> second IP_1.",
     rule_65, nullptr},
    {66, Tag::Documented, 'E',
     "Detach then attach elsewhere -> STATUS_SUCCESS, DMA follows the new "
     "domain only.",
     rule_66, nullptr},
    {67, Tag::Guide, 'E',
     "Two devices attached to one domain see identical translations.",
     rule_67, nullptr},
    {68, Tag::Silent, 'E',
     "After DetachDeviceEx, DMA with the old domain's addresses no longer "
     "reaches the old pages (IOTLB and ATC purged).",
     rule_68, nullptr},
    {69, Tag::Documented, 'E',
     "Attach to an unconfigured Unmanaged domain succeeds but every DMA is "
     "blocked.",
     rule_69, nullptr},
    {70, Tag::Documented, 'E',
     "Attach to PassThrough: DMA to any PA reaches that PA without mapping "
     "calls.",
     rule_70, nullptr},
    {71, Tag::Inferred, 'E',
     "Attach to an empty Translate domain: every DMA faults.",
     rule_71, nullptr},
    {72, Tag::Documented, 'F',
     "AttachDevice(D,PDO,0,1) -> STATUS_SUCCESS; DetachDevice(D,PDO,0) -> "
     "STATUS_SUCCESS.",
     rule_72, nullptr},
    {73, Tag::Documented, 'F',
     "Non-ACPI or non-ARM64 device with base!=0 -> failure [S: IP_3]; "
     "count!=1 -> failure [S: IP_4]; detach id!=0 -> failure [S: IP_3].",
     rule_73, nullptr},
    {74, Tag::Documented, 'F',
     "ACPI/ARM64 attach(base=B,count=3): DetachDevice(id=B) frees all three "
     "streams.",
     rule_74, nullptr},
    {75, Tag::Documented, 'F',
     "Same group: DetachDevice(id=B+1) must fail [S: IP_3] and leave all "
     "three attached.",
     rule_75, nullptr},
    {76, Tag::Silent, 'F',
     "V1 double attach -> STATUS_INVALID_PARAMETER; V1 detach of unattached "
     "-> IP_2; detach naming another domain -> IP_1.",
     rule_76, nullptr},
    {77, Tag::Documented, 'G',
     "QueryAvailableDomainTypes returns VOID and sets bits as 1<<type "
     "(Translate 1, PassThrough 2, Unmanaged 4, S1 8).",
     rule_77, nullptr},
    {78, Tag::Documented, 'G',
     "DMA Guard blocking active -> (mask & 2)==0.",
     rule_78, nullptr},
    {79, Tag::Documented, 'G',
     "Device without remapping-capable IOMMU -> (mask & (1|4|8))==0.",
     rule_79, nullptr},
    {80, Tag::Documented, 'G',
     "mask bit clear => AttachDeviceEx of that type -> STATUS_ACCESS_DENIED.",
     rule_80, nullptr},
    {81, Tag::Silent, 'G',
     "mask bit set (quiescent) => create+attach of that type succeeds.",
     rule_81, nullptr},
    {82, Tag::Silent, 'G',
     "Bits outside 0xF are zero.",
     rule_82, nullptr},
    {83, Tag::Silent, 'G',
     "Policy flip that clears PassThrough leaves an existing PassThrough "
     "attachment working; a new attach -> ACCESS_DENIED.",
     rule_83, nullptr},
    {84, Tag::Documented, 'H',
     "Register -> STATUS_SUCCESS and the callback has run (at least once) "
     "with the given Context. [S: before Register returns]",
     rule_84, nullptr},
    {85, Tag::Documented, 'H',
     "First invocation: StateChange->AvailableDomainTypes equals "
     "QueryAvailableDomainTypes; PresentFields bit 0 set.",
     rule_85, nullptr},
    {86, Tag::Documented, 'H',
     "StateFields.AsULONG=0 -> IP_4, callback not invoked (second half [S]).",
     rule_86, nullptr},
    {87, Tag::Silent, 'H',
     "StateFields.AsULONG=0x2 (reserved only) -> IP_4.",
     rule_87, nullptr},
    {88, Tag::Documented, 'H',
     "Second Register on the same device -> STATUS_UNSUCCESSFUL, first "
     "registration intact, also when the routine differs.",
     rule_88, nullptr},
    {89, Tag::Documented, 'H',
     "Register on a second device with the same routine -> STATUS_SUCCESS "
     "(limit is per device).",
     rule_89, nullptr},
    {90, Tag::Documented, 'H',
     "Policy change that alters the mask -> callback invoked with the new "
     "full mask.",
     rule_90, nullptr},
    {91, Tag::Silent, 'H',
     "Policy event that does not alter the mask -> no invocation.",
     rule_91, nullptr},
    {92, Tag::Documented, 'H',
     "Unregister(right routine, device) -> STATUS_SUCCESS; no invocation "
     "afterwards.",
     rule_92, nullptr},
    {93, Tag::Documented, 'H',
     "Unregister(other routine or unregistered device) -> "
     "STATUS_UNSUCCESSFUL.",
     rule_93, nullptr},
    {94, Tag::Documented, 'H',
     "Unregister then Register again -> STATUS_SUCCESS (fires again).",
     rule_94, nullptr},
    {95, Tag::Header, 'H',
     "PDO reference count rises by one across Register and returns after "
     "Unregister.",
     rule_95, nullptr},
    {96, Tag::Header, 'H',
     "Callback observed IRQL is PASSIVE_LEVEL.",
     rule_96, nullptr},
    {97, Tag::Documented, 'I',
     "No-allocator domain, explicit E, 3 scattered frames -> STATUS_SUCCESS,"
     " *Out==E; E+i*4096 -> frame[i].",
     rule_97, nullptr},
    {98, Tag::Documented, 'I',
     "No-allocator domain, explicit NULL -> STATUS_NOT_SUPPORTED (even with "
     "Min/Max given).",
     rule_98, nullptr},
    {99, Tag::Documented, 'I',
     "No-allocator domain, explicit valid, Min>E or Max<E -> still "
     "STATUS_SUCCESS (ignored).",
     rule_99, nullptr},
    {100, Tag::Documented, 'I',
     "Buddy domain, explicit non-NULL -> STATUS_NOT_SUPPORTED.",
     rule_100, nullptr},
    {101, Tag::Documented, 'I',
     "Buddy domain, all NULL -> STATUS_SUCCESS, *Out 4 KiB aligned, below "
     "2^AddressWidth, not overlapping anything.",
     rule_101, nullptr},
    {102, Tag::Documented, 'I',
     "Buddy: *Out for an N-page map is aligned to a power of two; [S: the "
     "size rounded up to a power of two].",
     rule_102, nullptr},
    {103, Tag::Documented, 'I',
     "Buddy fresh domain: results are low (first N single-page maps lie "
     "within the lowest N free blocks) ['favours low'; exact value S].",
     rule_103, nullptr},
    {104, Tag::Documented, 'I',
     "Buddy with Min=0x10000000, Max=0x1FFFFFFF -> *Out inside the window.",
     rule_104, nullptr},
    {105, Tag::Documented, 'I',
     "Buddy with a window already full -> IP_MIX.",
     rule_105, nullptr},
    {106, Tag::Documented, 'I',
     "Buddy with window smaller than the request -> IP_MIX.",
     rule_106, nullptr},
    {107, Tag::Silent, 'I',
     "Min > Max -> IP_MIX; Min or Max alone is honoured.",
     rule_107, nullptr},
    {108, Tag::Silent, 'I',
     "Max bounds the last byte: window of exactly N pages aligned fits N "
     "pages; Max one byte lower -> IP_MIX.",
     rule_108, nullptr},
    {109, Tag::Documented, 'I',
     "Explicit misaligned by 1 or 0x800 (no allocator) -> IP_4.",
     rule_109, nullptr},
    {110, Tag::Documented, 'I',
     "PassThrough or Unmanaged domain -> IP_1.",
     rule_110, nullptr},
    {111, Tag::Documented, 'I',
     "MDL with ByteOffset!=0 -> IP_3; MDL with ByteCount not multiple of 4 "
     "KiB -> IP_3.",
     rule_111, nullptr},
    {112, Tag::Documented, 'I',
     "ContiguousRange Base or Size misaligned -> IP_3.",
     rule_112, nullptr},
    {113, Tag::Silent, 'I',
     "Size 0 / NumberOfPages 0 / NULL Mdl / NULL PageFrame / MapType=3 -> "
     "IP_3.",
     rule_113, nullptr},
    {114, Tag::Documented, 'I',
     "Explicit exactly over an existing mapping -> STATUS_IN_USE "
     "(0xC0000708).",
     rule_114, nullptr},
    {115, Tag::Documented, 'I',
     "Explicit overlapping only the first or only the last page of an "
     "existing mapping -> same status; existing mapping unchanged.",
     rule_115, nullptr},
    {116, Tag::Silent, 'I',
     "Failing map leaves no new translation (all-or-nothing) and *Out "
     "unchanged.",
     rule_116, nullptr},
    {117, Tag::Documented, 'I',
     "Permissions=READ: device read works, write faults. WRITE only: write "
     "works, read faults (where hardware can). READ|WRITE: both.",
     rule_117, nullptr},
    {118, Tag::Silent, 'I',
     "Permissions with bit 2 or bit 31 set -> IP_2; Permissions=0 -> IP_2.",
     rule_118, nullptr},
    {119, Tag::Silent, 'I',
     "Same physical page may be mapped at two logical addresses.",
     rule_119, nullptr},
    {120, Tag::Silent, 'I',
     "Logical address 0 is a legal result and legal explicit address.",
     rule_120, nullptr},
    {121, Tag::Silent, 'I',
     "Explicit+length wraps 2^64 or exceeds domain input width -> IP_4.",
     rule_121, nullptr},
    {122, Tag::Silent, 'I',
     "Buddy exhausted, no window -> STATUS_INSUFFICIENT_RESOURCES; page-"
     "table allocation failure -> same.",
     rule_122, nullptr},
    {123, Tag::Silent, 'I',
     "Buddy 3-page map: DMA to the 4th page of its 16 KiB block faults.",
     rule_123, nullptr},
    {124, Tag::Header, 'I',
     "V1 MapLogicalRange: IP_1 wrong domain, IP_3 bad MDL, IP_4 misaligned "
     "logical address.",
     rule_124, nullptr},
    {125, Tag::Silent, 'I',
     "V1 MapLogicalRange overlap -> STATUS_IN_USE; on a Buddy domain -> "
     "STATUS_NOT_SUPPORTED.",
     rule_125, nullptr},
    {126, Tag::Header, 'I',
     "Map/Unmap callable at DISPATCH_LEVEL (no waiting).",
     rule_126, nullptr},
    {127, Tag::Silent, 'I',
     "Mapping usable by a device with no flush call between map return and "
     "DMA.",
     rule_127, nullptr},
    {128, Tag::Silent, 'I',
     "MDL chain: only the first MDL's pages are mapped.",
     rule_128, nullptr},
    {129, Tag::Documented, 'J',
     "Unmap(base,pages) of an Ex mapping -> STATUS_SUCCESS; DMA there "
     "faults; address reusable.",
     rule_129, nullptr},
    {130, Tag::Documented, 'J',
     "The third argument counts pages: unmap(base,1) of a 2-page map in a "
     "no-allocator domain leaves page 2 mapped.",
     rule_130, nullptr},
    {131, Tag::Header, 'J',
     "Misaligned address -> IP_2; PassThrough domain -> IP_1. [S: Unmanaged "
     "also IP_1]",
     rule_131, nullptr},
    {132, Tag::Silent, 'J',
     "Warm the IOTLB with a DMA, unmap, DMA again -> fault (flush happened "
     "inside unmap).",
     rule_132, nullptr},
    {133, Tag::Silent, 'J',
     "NumberOfPages=0 -> IP_3. Range not (fully) mapped -> IP_2, nothing "
     "changed.",
     rule_133, nullptr},
    {134, Tag::Silent, 'J',
     "Buddy domain: unmap of an interior address -> IP_2; wrong page count "
     "-> IP_3; exact -> success and block reusable.",
     rule_134, nullptr},
    {135, Tag::Silent, 'J',
     "Unmap inside a token's range -> IP_2.",
     rule_135, nullptr},
    {136, Tag::Documented, 'K',
     "MapIdentityRangeEx on Translate/no allocator -> each page p translates"
     " p->p.",
     rule_136, nullptr},
    {137, Tag::Documented, 'K',
     "Scattered PFN list -> scattered identity pages; the gaps fault.",
     rule_137, nullptr},
    {138, Tag::Documented, 'K',
     "On a Buddy domain -> STATUS_NOT_SUPPORTED for Map and Unmap.",
     rule_138, nullptr},
    {139, Tag::Documented, 'K',
     "On Unmanaged -> IP_1 for Map and Unmap.",
     rule_139, nullptr},
    {140, Tag::Header, 'K',
     "On PassThrough -> STATUS_SUCCESS, no effect, repeatable (no IN_USE).",
     rule_140, nullptr},
    {141, Tag::Documented, 'K',
     "Map bad alignment -> IP_3; Unmap bad alignment -> IP_2.",
     rule_141, nullptr},
    {142, Tag::Documented, 'K',
     "Map over an existing mapping (identity or logical) -> STATUS_IN_USE.",
     rule_142, nullptr},
    {143, Tag::Documented, 'K',
     "UnmapIdentityRangeEx with the same description -> STATUS_SUCCESS; DMA "
     "faults afterwards.",
     rule_143, nullptr},
    {144, Tag::Silent, 'K',
     "UnmapIdentityRangeEx of pages never identity-mapped -> IP_2.",
     rule_144, nullptr},
    {145, Tag::Header, 'K',
     "V1 MapIdentityRange bad MDL -> IP_3; V1 UnmapIdentityRange bad MDL -> "
     "IP_2; wrong domain -> IP_1.",
     rule_145, nullptr},
    {146, Tag::Documented, 'L',
     "Reserve(no-allocator, Size, explicit E) -> STATUS_SUCCESS, "
     "token->LogicalAddressBase==E, token->Size==Size.",
     rule_146, nullptr},
    {147, Tag::Documented, 'L',
     "Reserve(Buddy, Size, NULL...) -> STATUS_SUCCESS; range disjoint from "
     "all others.",
     rule_147, nullptr},
    {148, Tag::Documented, 'L',
     "Reserve Size=0x1800 -> IP_2. [S: Size 0 -> IP_2]",
     rule_148, nullptr},
    {149, Tag::Documented, 'L',
     "Reserve explicit misaligned -> IP_3 (not IP_4).",
     rule_149, nullptr},
    {150, Tag::Documented, 'L',
     "Reserve on PassThrough/Unmanaged -> IP_1.",
     rule_150, nullptr},
    {151, Tag::Documented, 'L',
     "Reserve explicit with Buddy, or NULL without allocator -> "
     "STATUS_NOT_SUPPORTED.",
     rule_151, nullptr},
    {152, Tag::Documented, 'L',
     "Reserve window unsatisfiable -> IP_MIX.",
     rule_152, nullptr},
    {153, Tag::Documented, 'L',
     "Reserve explicit over mapped pages -> STATUS_IN_USE; [H] over another "
     "token -> same.",
     rule_153, nullptr},
    {154, Tag::Header, 'L',
     "Reserve with page-table allocation failing -> "
     "STATUS_INSUFFICIENT_RESOURCES.",
     rule_154, nullptr},
    {155, Tag::Documented, 'L',
     "With the allocator failing every request, MapReserved/UnmapReserved "
     "still succeed (no allocation).",
     rule_155, nullptr},
    {156, Tag::Documented, 'L',
     "Page-table memory usage identical before MapReserved, after it, and "
     "after UnmapReserved.",
     rule_156, nullptr},
    {157, Tag::Silent, 'L',
     "DMA to a reserved, unmapped page faults.",
     rule_157, nullptr},
    {158, Tag::Documented, 'L',
     "MapReserved(token, Offset=0x2000, RW, 2 pages) -> STATUS_SUCCESS; "
     "segment = {token, 0x2000, 0x2000}; base+0x2000 translates.",
     rule_158, nullptr},
    {159, Tag::Documented, 'L',
     "MapReserved Offset misaligned -> IP_2; physical misaligned -> IP_4.",
     rule_159, nullptr},
    {160, Tag::Documented, 'L',
     "Overlapping second segment -> STATUS_RESOURCE_IN_USE; adjacent "
     "disjoint segment -> STATUS_SUCCESS.",
     rule_160, nullptr},
    {161, Tag::Silent, 'L',
     "Offset+length beyond the token -> IP_MIX; nothing mapped.",
     rule_161, nullptr},
    {162, Tag::Silent, 'L',
     "MapReserved reserved permission bits -> IP_3.",
     rule_162, nullptr},
    {163, Tag::Header, 'L',
     "On failure *MappedSegment keeps its previous content.",
     rule_163, nullptr},
    {164, Tag::Documented, 'L',
     "UnmapReserved -> STATUS_SUCCESS, DMA faults; second UnmapReserved -> "
     "STATUS_INVALID_PARAMETER (0xC000000D).",
     rule_164, nullptr},
    {165, Tag::Documented, 'L',
     "After UnmapReserved the same offset can be mapped again.",
     rule_165, nullptr},
    {166, Tag::Documented, 'L',
     "FreeReserved with a mapped segment -> STATUS_RESOURCE_IN_USE; after "
     "unmapping -> STATUS_SUCCESS and the range is reusable.",
     rule_166, nullptr},
    {167, Tag::Documented, 'L',
     "MapReserved racing with FreeReserved: loser sees STATUS_UNSUCCESSFUL "
     "(or Free sees RESOURCE_IN_USE); never a crash.",
     rule_167, nullptr},
    {168, Tag::Silent, 'L',
     "MapLogicalRangeEx explicit into a token range -> STATUS_IN_USE.",
     rule_168, nullptr},
    {169, Tag::Documented, 'M',
     "ConfigureDomain on Translate, PassThrough, or V1-TRUE domain -> IP_1.",
     rule_169, nullptr},
    {170, Tag::Documented, 'M',
     "ConfigureDomain(Unmanaged, Type=X64) -> STATUS_NOT_SUPPORTED; domain "
     "stays blocked.",
     rule_170, nullptr},
    {171, Tag::Documented, 'M',
     "ConfigureDomain(Unmanaged, Arm64) on ARM64 -> STATUS_SUCCESS; DMA "
     "walks the caller's tables.",
     rule_171, nullptr},
    {172, Tag::Documented, 'M',
     "Arm64 TranslationEnabled=FALSE -> DMA bypasses stage 1 (identity).",
     rule_172, nullptr},
    {173, Tag::Silent, 'M',
     "Type=DomainConfigurationInvalid -> IP_2; OS-managed domain + X64 "
     "config -> IP_1.",
     rule_173, nullptr},
    {174, Tag::Silent, 'M',
     "Reconfigure while attached -> new tables used for every DMA after "
     "return.",
     rule_174, nullptr},
    {175, Tag::Documented, 'M',
     "Caller edits a leaf, no flush -> old translation may still be used; "
     "after FlushDomain -> new one is used.",
     rule_175, nullptr},
    {176, Tag::Documented, 'M',
     "FlushDomainByVaList([A]) drops A; other cached addresses may survive. "
     "LastLevel=TRUE suffices after a leaf edit.",
     rule_176, nullptr},
    {177, Tag::Silent, 'M',
     "FlushDomain/VaList on a managed domain -> IP_1; Number=0 -> "
     "STATUS_SUCCESS; VaList NULL with Number>0 -> IP_4.",
     rule_177, nullptr},
    {178, Tag::Header, 'M',
     "FlushDomain callable at HIGH_LEVEL.",
     rule_178, nullptr},
    {179, Tag::Documented, 'N',
     "ARM64, device with 3 ids, BufferLength=12 -> STATUS_SUCCESS, ids "
     "written, ReturnLength==12.",
     rule_179, nullptr},
    {180, Tag::Documented, 'N',
     "BufferLength=8 -> STATUS_BUFFER_TOO_SMALL, buffer untouched, "
     "ReturnLength==12.",
     rule_180, nullptr},
    {181, Tag::Documented, 'N',
     "ReturnLength NULL accepted in both cases.",
     rule_181, nullptr},
    {182, Tag::Documented, 'N',
     "Unsatisfiable device -> STATUS_UNSUCCESSFUL.",
     rule_182, nullptr},
    {183, Tag::Silent, 'N',
     "x64 -> STATUS_UNSUCCESSFUL. BufferLength=0/Buffer=NULL -> "
     "STATUS_BUFFER_TOO_SMALL with the needed size.",
     rule_183, nullptr},
    {184, Tag::Documented, 'O',
     "V1 SetDeviceFaultReporting(attached PDO,0,TRUE,&cfg) -> "
     "STATUS_SUCCESS; a faulting DMA calls "
     "cfg.FaultHandler(cfg.FaultContext, info) at PASSIVE_LEVEL.",
     rule_184, nullptr},
    {185, Tag::Documented, 'O',
     "Ex variant (V2 and V3), any arguments -> STATUS_NOT_IMPLEMENTED "
     "(0xC0000002), no side effect.",
     rule_185, nullptr},
    {186, Tag::Documented, 'O',
     "V1 disable with FaultConfig=NULL -> STATUS_SUCCESS; no later handler "
     "calls.",
     rule_186, nullptr},
    {187, Tag::Silent, 'O',
     "V1 on an unattached device -> IP_1; enable with NULL config/handler ->"
     " IP_4.",
     rule_187, nullptr},
    {188, Tag::Layout, 'O',
     "x64 report: Type=2, FaultAddressValid is bit 0, no read/write "
     "information, PciSegment set.",
     rule_188, nullptr},
    {189, Tag::Layout, 'O',
     "arm64 report: Type=1, WriteNotRead bit 0, FaultAddressValid bit 3, "
     "InputMappingId and PDO set.",
     rule_189, nullptr},
    {190, Tag::Documented, 'O',
     "Unmapped address -> Type TranslationFault (6); write to read-only page"
     " -> PermissionFault (4) [mapping of hardware codes S].",
     rule_190, nullptr},
    {191, Tag::Silent, 'O',
     "Burst of faults -> at least one handler call, handler never re-entered"
     " for one device.",
     rule_191, nullptr},
    {192, Tag::Silent, 'O',
     "Detach stops reporting; after re-attach reporting is off until enabled"
     " again.",
     rule_192, nullptr},
    {193, Tag::Guide, 'O',
     "Fault with no handler -> system fatal event equivalent to bug check "
     "0xE6 P1=0x26.",
     rule_193, nullptr},
    {194, Tag::Documented, 'P',
     "CreatePasidDevice on a parent without PasidTaggedDma -> IP_1.",
     rule_194, nullptr},
    {195, Tag::Documented, 'P',
     "On a tagged parent -> STATUS_SUCCESS, sub-device and PASID returned. "
     "[S: PASID in 1...2^20-1, unique]",
     rule_195, nullptr},
    {196, Tag::Documented, 'P',
     "PASIDs exhausted -> STATUS_NONE_MAPPED; deleting one frees it.",
     rule_196, nullptr},
    {197, Tag::Documented, 'P',
     "AttachPasidDevice -> STATUS_SUCCESS; tagged DMA with that PASID uses "
     "the domain, untagged DMA does not.",
     rule_197, nullptr},
    {198, Tag::Documented, 'P',
     "Attach an attached sub-device -> STATUS_UNSUCCESSFUL; wrong domain "
     "type -> IP_1; policy -> STATUS_ACCESS_DENIED.",
     rule_198, nullptr},
    {199, Tag::Documented, 'P',
     "DetachPasidDevice never attached -> IP_1; attached -> STATUS_SUCCESS, "
     "tagged DMA faults.",
     rule_199, nullptr},
    {200, Tag::Documented, 'P',
     "DeletePasidDevice while attached -> STATUS_RESOURCE_IN_USE; detached "
     "-> STATUS_SUCCESS.",
     rule_200, nullptr},
    {201, Tag::Documented, 'P',
     "QueryDeviceInfo(Size=2) -> STATUS_BUFFER_TOO_SMALL; Size=3 -> "
     "STATUS_SUCCESS, BytesWritten==3.",
     rule_201, nullptr},
    {202, Tag::Documented, 'P',
     "DefaultPasidOnly parent -> info {1,0,x}; PasidTaggedDma -> {1,1,x}; x "
     "= SuppressPasidFaults.",
     rule_202, nullptr},
    {203, Tag::Documented, 'P',
     "SuppressPasidFaults=TRUE -> a tagged fault is not reported; FALSE -> "
     "it is (fatal).",
     rule_203, nullptr},
    {204, Tag::Silent, 'P',
     "DeleteDevice on a parent with live sub-devices -> "
     "STATUS_RESOURCE_IN_USE.",
     rule_204, nullptr},
    {205, Tag::Documented, 'Q',
     "MapMdlToIoMmu(valid MDL) -> STATUS_SUCCESS, handle non-NULL; GPU DMA "
     "to each PFN address works (identity); after UnmapMdlFromIoMmu it "
     "faults.",
     rule_205, nullptr},
    {206, Tag::Documented, 'Q',
     "UnmapMdlFromIoMmu returns VOID. [S: handle invalid afterwards; a "
     "second unmap is a caller bug]",
     rule_206, nullptr},
    {207, Tag::Documented, 'Q',
     "AllocatePagesForMdl: success => MDL describes exactly TotalBytes "
     "(fully-required forced); request > 4 GiB-4096 fails; SkipBytes not a "
     "page multiple fails. [S: failure codes]",
     rule_207, nullptr},
    {208, Tag::Documented, 'Q',
     "FreePagesFromMdl(handle) -> STATUS_SUCCESS. [S: IOMMU mapping removed "
     "and flushed before the pages return to the OS]",
     rule_208, nullptr},
    {209, Tag::Guide, 'Q',
     "Linked adapters: one MapMdlToIoMmu on the lead handle is visible to "
     "all adapters (shared domain).",
     rule_209, nullptr},
    {210, Tag::Documented, 'Q',
     "Begin/EndExclusiveAccess strictly paired around every domain switch; "
     "no other DDI call and no GPU DMA between.",
     rule_210, nullptr},
    {211, Tag::Documented, 'Q',
     "IommuIsolationRequired with no attachable IOMMU -> device start fails;"
     " mismatch between IOMMU caps and VidMm caps is an error.",
     rule_211, nullptr},
    {212, Tag::Guide, 'Q',
     "HighestVisibleAddress < highest RAM and DmaRemappingSupported=0 -> "
     "adapter start fails; =1 -> attached before StartDevice and all ADL "
     "addresses <= HighestVisibleAddress.",
     rule_212, nullptr},
    {213, Tag::Documented, 'Q',
     "AllocateAdl: Size/4096 == PageCount; misaligned Offset/Size -> failure"
     " (STATUS_INVALID_PARAMETER is the documented example).",
     rule_213, nullptr},
    {214, Tag::Documented, 'Q',
     "RequireContiguous on an MDL- or SECTION-type object -> failure; on "
     "CONTIGUOUS/IO_SPACE -> Contiguous=1.",
     rule_214, nullptr},
    {215, Tag::Documented, 'Q',
     "Contiguous ADL: page k = BasePageNumber+k; else Pages[k].",
     rule_215, nullptr},
    {216, Tag::Documented, 'Q',
     "Object created with hAdapter: Open -> failure. Created with NULL: "
     "hAdapterMemoryObject NULL and Open required before AllocateAdl. Open "
     "on a second adapter -> failure.",
     rule_216, nullptr},
    {217, Tag::Guide, 'Q',
     "Leaking an ADL or adapter object at teardown -> fatal (0x1E4 subcode 7"
     " / 6); unlocking memory with live ADLs -> subcode 5.",
     nullptr,
     "a bug check of dxgkrnl's own teardown; no interface reports it"},
    {218, Tag::Layout, 'Q',
     "ADL sizes: DXGK_ADL 0x10, DXGKARGCB_ALLOCATE_ADL 0x28, "
     "ALLOCATEPAGESFORMDL 0x38, MAPMDLTOIOMMU 0x10, "
     "CREATE_PHYSICAL_MEMORY_OBJECT 0x50.",
     nullptr,
     "a property of the headers: each size is asserted where it is declared "
     "(tests/wdm)"},
};
// clang-format on

}  // namespace

Rules all_rules()
{
    return {rules, sizeof(rules) / sizeof(rules[0])};
}

const char* section_title(char section)
{
    switch (section) {
    case 'A':
        return "Interface retrieval and ABI";
    case 'B':
        return "Domain creation and deletion";
    case 'C':
        return "Reserved regions";
    case 'D':
        return "Device tokens";
    case 'E':
        return "Attach and detach (Ex)";
    case 'F':
        return "Attach and detach (V1)";
    case 'G':
        return "Available types and policy";
    case 'H':
        return "State-change callbacks";
    case 'I':
        return "MapLogicalRangeEx and MapLogicalRange";
    case 'J':
        return "UnmapLogicalRange";
    case 'K':
        return "Identity maps";
    case 'L':
        return "Tokens";
    case 'M':
        return "Unmanaged: configure and flush";
    case 'N':
        return "Input mappings";
    case 'O':
        return "Fault reporting";
    case 'P':
        return "PASID (V3)";
    case 'Q':
        return "DXGK";
    default:
        return "";
    }
}

}  // namespace iommu::contract
