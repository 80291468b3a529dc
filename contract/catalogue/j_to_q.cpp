// SPDX-License-Identifier: GPL-2.0-or-later
// Sections J to Q: unmapping, identity, tokens, unmanaged domains, faults, PASIDs, DXGK.
#include "contract/catalogue/chapters.hpp"
#include "contract/rules/rules.hpp"

namespace iommu::contract {

// clang-format off
const Rule rules_j_to_q[90] = {
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

}  // namespace iommu::contract
