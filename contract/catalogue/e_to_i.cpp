// SPDX-License-Identifier: GPL-2.0-or-later
// Sections E to I: attaching, policy, state changes, mapping.
#include "contract/catalogue/chapters.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

// clang-format off
const Rule rules_e_to_i[69] = {
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
};
// clang-format on

}  // namespace iommu::contract
