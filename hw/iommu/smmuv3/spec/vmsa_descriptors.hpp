// SPDX-License-Identifier: GPL-2.0-or-later
// VMSA D8.3 "Translation table descriptor formats", VMSAv8-64 with output addresses of up
// to 48 bits: for showing a descriptor by its fields' names.  The walk decodes what it
// needs in vmsa_s1.hpp and vmsa_s2.hpp; tests hold the two against each other.
#pragma once

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::smmu {

// clang-format off

// VMSA D8.3.1.1 "Table descriptor", stage 1.
struct Stage1Table : Descriptor<Stage1Table, 64> {
    static constexpr Flag <0>              Valid    {};
    static constexpr Flag <1>              Table    {};
    static constexpr Addr <47, 12, Ipa>    NextLevel{};
    static constexpr Flag <59>             PXNTable {};
    static constexpr Flag <60>             UXNTable {};
    static constexpr Field<62, 61>         APTable  {};
    static constexpr Flag <63>             NSTable  {};
    static constexpr auto layout = tiled(Valid, Table, Ignored<11, 2>{}, NextLevel,
                                         Ignored<50, 48>{}, Ignored<58, 51>{}, PXNTable, UXNTable,
                                         APTable, NSTable);
};

// VMSA D8.3.1.2 "Block descriptor and Page descriptor", stage 1.
struct Stage1Leaf : Descriptor<Stage1Leaf, 64> {
    static constexpr Flag <0>              Valid     {};
    static constexpr Flag <1>              Page      {};
    static constexpr Field<4, 2>           AttrIndx  {};
    static constexpr Flag <5>              NS        {};
    static constexpr Field<7, 6>           AP        {};  // AP[2:1]
    static constexpr Field<9, 8>           SH        {};
    static constexpr Flag <10>             AF        {};
    static constexpr Flag <11>             nG        {};
    static constexpr Addr <47, 12, Ipa>    OA        {};
    static constexpr Flag <50>             GP        {};
    static constexpr Flag <51>             DBM       {};
    static constexpr Flag <52>             Contiguous{};
    static constexpr Flag <53>             PXN       {};
    static constexpr Flag <54>             UXN       {};
    static constexpr auto layout = tiled(Valid, Page, AttrIndx, NS, AP, SH, AF, nG, OA,
                                         Ignored<49, 48>{}, GP, DBM, Contiguous, PXN, UXN,
                                         Ignored<63, 55>{});
};

// VMSA D8.3.2.1 "Table descriptor", stage 2.
struct Stage2Table : Descriptor<Stage2Table, 64> {
    static constexpr Flag <0>              Valid    {};
    static constexpr Flag <1>              Table    {};
    static constexpr Addr <47, 12, Gpa>    NextLevel{};
    static constexpr auto layout = tiled(Valid, Table, Ignored<11, 2>{}, NextLevel,
                                         Ignored<63, 48>{});
};

// VMSA D8.3.2.2 "Block descriptor and Page descriptor", stage 2.
struct Stage2Leaf : Descriptor<Stage2Leaf, 64> {
    static constexpr Flag <0>              Valid     {};
    static constexpr Flag <1>              Page      {};
    static constexpr Field<5, 2>           MemAttr   {};
    static constexpr Field<7, 6>           S2AP      {};
    static constexpr Field<9, 8>           SH        {};
    static constexpr Flag <10>             AF        {};
    static constexpr Addr <47, 12, Gpa>    OA        {};
    static constexpr Flag <51>             DBM       {};
    static constexpr Flag <52>             Contiguous{};
    static constexpr Field<54, 53>         XN        {};
    static constexpr auto layout = tiled(Valid, Page, MemAttr, S2AP, SH, AF, Ignored<11>{}, OA,
                                         Ignored<50, 48>{}, DBM, Contiguous, XN,
                                         Ignored<63, 55>{});
};

// clang-format on

// Golden, by hand: a user-writable 4 KiB page of one ASID at 0x8'7654'3000, not
// executable; a stage 2 block, Normal write-back, readable and writable, at 0x4000'0000.
static_assert(Stage1Leaf{}
                  .with(Stage1Leaf::Valid, true)
                  .with(Stage1Leaf::Page, true)
                  .with(Stage1Leaf::AP, 0b01)
                  .with(Stage1Leaf::SH, 0b11)
                  .with(Stage1Leaf::AF, true)
                  .with(Stage1Leaf::nG, true)
                  .with(Stage1Leaf::OA, Ipa{0x8'7654'3000})
                  .with(Stage1Leaf::PXN, true)
                  .with(Stage1Leaf::UXN, true)
                  .dword[0] == 0x0060'0008'7654'3f43);
static_assert(Stage2Leaf{}
                  .with(Stage2Leaf::Valid, true)
                  .with(Stage2Leaf::MemAttr, 0xf)
                  .with(Stage2Leaf::S2AP, 0b11)
                  .with(Stage2Leaf::SH, 0b11)
                  .with(Stage2Leaf::AF, true)
                  .with(Stage2Leaf::OA, Gpa{0x4000'0000})
                  .dword[0] == 0x4000'07fd);

}  // namespace iommu::smmu
