// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 7.3.12 to 7.3.16 and 7.3.22: the record of every fault of a translation, at each
// stage, for each CLASS; 5.5: which faults are recorded at all.
#include "tests/conformance/smmuv3/rig.hpp"

using namespace iommu;
using namespace iommu::test;

using Smmu_7_3_Faults = Conformance;
INSTANTIATE_TEST_SUITE_P(Tlb, Smmu_7_3_Faults, testing::Bool());

TEST_P(Smmu_7_3_Faults, Stage1TranslationAtEveryLevel)
{
    rig.stage1();
    const Words expected{E_word0 | 0x10, E_RnW | E_CLASS_IN, 0x1008, 0};
    for (const auto level : {s1_at + 0x2008, s1_at + 0x1000, s1_at}) {
        rig.disable();
        rig.stage1();
        rig.submit(0x30);
        rig.words(level, {0});
        EXPECT_FALSE(rig.read(0x1008));
        EXPECT_EQ(rig.record(), expected) << std::hex << level;
    }
}

TEST_P(Smmu_7_3_Faults, Stage1TranslationOutsideTheRange)
{
    rig.stage1();
    // T0SZ 25: 39 bits; bit 55 chooses TTB1, which EPD1 disables.
    for (const std::uint64_t va :
         {1ull << 39, 0x0100'0000'0000'1000ull, 0xffff'ffff'ffff'f000ull}) {
        EXPECT_FALSE(rig.write(va));
        EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_CLASS_IN, va, 0}));
    }
}

TEST_P(Smmu_7_3_Faults, AccessAttributesAreReportedAsTheyCame)
{
    rig.stage1(0);
    const auto recorded = [&](Access access, Privilege privilege, Content content) {
        EXPECT_FALSE(rig.at({Iova{0x1000}, access, privilege, content}));
        return rig.record()[1] & ~(3ull << 40);
    };
    using enum Access;
    using enum Privilege;
    using enum Content;
    EXPECT_EQ(recorded(Read, User, Data), E_RnW);
    EXPECT_EQ(recorded(Read, Privileged, Data), E_RnW | E_PnU);
    EXPECT_EQ(recorded(Read, User, Instruction), E_RnW | E_InD);
    EXPECT_EQ(recorded(Read, Privileged, Instruction), E_RnW | E_InD | E_PnU);
    EXPECT_EQ(recorded(Write, User, Data), 0u);
    EXPECT_EQ(recorded(Write, Privileged, Instruction), E_PnU) << "InD is 0 for writes";
}

TEST_P(Smmu_7_3_Faults, TheSubstreamIsReported)
{
    rig.words(Rig::ste_at(Rig::sid), {1 | config_s1 | cd_at | 3ull << 59, 0, 0, 0});
    rig.map_s1(0x1000, 0);
    rig.words(cd_at + 5 * 64, {cd_word0, s1_at});
    rig.enable();
    EXPECT_FALSE(rig.at({.address = Iova{0x1000}, .substream = {5, true}}));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x5810, E_RnW | E_CLASS_IN, 0x1000, 0}));
}

TEST_P(Smmu_7_3_Faults, Stage1AddressSizeFromAnyDescriptor)
{
    const auto beyond = 1ull << 36;
    for (unsigned level = 1; level <= 3; ++level) {
        rig.disable();
        rig.stage1();
        rig.submit(0x30);
        rig.words(cd_at, {(cd_word0 & ~(7ull << 32)) | 1ull << 32, s1_at});  // IPS 36
        switch (level) {
        case 1:
            rig.words(s1_at, {beyond | TABLE});
            break;
        case 2:
            rig.words(s1_at + 0x1000, {beyond | TABLE});
            break;
        default:
            rig.words(s1_at + 0x2008, {beyond | S1_RW});
        }
        rig.disable();
        rig.enable();
        EXPECT_FALSE(rig.read(0x1abc));
        EXPECT_EQ(rig.record(), (Words{E_word0 | 0x11, E_RnW | E_CLASS_IN, 0x1abc, 0}))
            << level;
    }
}

TEST_P(Smmu_7_3_Faults, Stage1AccessFlagUnlessAffd)
{
    rig.stage1(page_at | PAGE | AP_EL0);
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x12, E_RnW | E_CLASS_IN, 0x1000, 0}));
    rig.disable();
    rig.words(cd_at, {cd_word0 | CD_AFFD, s1_at});
    rig.enable();
    EXPECT_EQ(rig.read(0x1000), page_at);
}

TEST_P(Smmu_7_3_Faults, Stage1Permissions)
{
    const struct {
        const char* what;
        std::uint64_t descriptor;
        Transaction access;
        bool allowed;
    } cases[] = {
        {"EL0 write of read-only", S1_RW | AP_RO, {Iova{0x1000}, Access::Write}, false},
        {"EL0 read of read-only", S1_RW | AP_RO, {Iova{0x1000}}, true},
        {"EL0 read of EL1's", PAGE | AF, {Iova{0x1000}}, false},
        {"EL1 read of EL1's",
         PAGE | AF,
         {Iova{0x1000}, Access::Read, Privilege::Privileged},
         true},
        {"EL0 fetch of UXN",
         S1_RW | UXN,
         {Iova{0x1000}, Access::Read, Privilege::User, Content::Instruction},
         false},
        {"EL1 fetch of PXN",
         S1_RW | AP_RO | PXN,
         {Iova{0x1000}, Access::Read, Privilege::Privileged, Content::Instruction},
         false},
        {"EL1 fetch of read-only",
         S1_RW | AP_RO,
         {Iova{0x1000}, Access::Read, Privilege::Privileged, Content::Instruction},
         true},
        {"EL1 fetch of what EL0 may write",
         S1_RW,
         {Iova{0x1000}, Access::Read, Privilege::Privileged, Content::Instruction},
         false},
    };
    for (const auto& c : cases) {
        rig.disable();
        rig.stage1(page_at | c.descriptor);
        rig.submit(0x30);
        EXPECT_EQ(rig.at(c.access).has_value(), c.allowed) << c.what;
        if (c.allowed) {
            EXPECT_TRUE(rig.silent()) << c.what;
            continue;
        }
        const bool read = c.access.access == Access::Read;
        const auto word1 = E_CLASS_IN | (read ? E_RnW : 0) |
                           (c.access.privilege == Privilege::Privileged ? E_PnU : 0) |
                           (c.access.content == Content::Instruction ? E_InD : 0);
        EXPECT_EQ(rig.record(), (Words{E_word0 | 0x13, word1, 0x1000, 0})) << c.what;
    }
}

// QEMU forgets the table's permission once a read has filled its TLB.
TEST_P(Smmu_7_3_Faults, AReadOnlyTableStaysReadOnlyAfterARead)
{
    rig.stage1();
    rig.words(s1_at + 0x1000, {(s1_at + 0x2000) | TABLE | APTABLE_RO});
    EXPECT_FALSE(rig.write(0x1000));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x13, E_CLASS_IN, 0x1000, 0}));
    EXPECT_EQ(rig.read(0x1000), page_at);
    EXPECT_FALSE(rig.write(0x1000));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x13, E_CLASS_IN, 0x1000, 0}));
    // HAD0: the hierarchy is disabled.
    rig.disable();
    rig.words(cd_at, {cd_word0, s1_at | 2});
    rig.submit(0x30);
    rig.enable();
    EXPECT_EQ(rig.write(0x1000), page_at);
}

TEST_P(Smmu_7_3_Faults, Stage1WalkAbort)
{
    rig.stage1();
    rig.words(s1_at + 0x1000, {nowhere | TABLE});
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x0b, E_RnW | E_CLASS_TT, 0x1000, nowhere + 8}));
}

TEST_P(Smmu_7_3_Faults, Stage2OnlyFaultsReportTheIpaAsInput)
{
    rig.stage2(0);
    EXPECT_FALSE(rig.write(0x1abc));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_S2 | E_CLASS_IN, 0x1abc, 0x1000}));
    // Outside S2T0SZ's 39 bits.
    EXPECT_FALSE(rig.read(1ull << 39));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN, 1ull << 39, 1ull << 39}));
    // Beyond the IAS it is stage 1, bypassed, that refuses.
    EXPECT_FALSE(rig.read(1ull << 48));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x11, E_RnW | E_CLASS_IN, 1ull << 48, 0}));
    rig.words(s2_at + 0x2008, {page_at | PAGE | S2_R | S2_W});
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x12, E_RnW | E_S2 | E_CLASS_IN, 0x1000, 0x1000}));
    rig.words(s2_at + 0x2008, {page_at | PAGE | AF | S2_R});
    EXPECT_EQ(rig.read(0x1000), page_at);
    EXPECT_FALSE(rig.write(0x1000));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x13, E_S2 | E_CLASS_IN, 0x1000, 0x1000}))
        << "no TTRnW";
    rig.words(s2_at + 0x1000, {nowhere | TABLE});
    rig.submit(0x30);
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x0b, E_RnW | E_S2 | E_CLASS_IN, 0x1000, nowhere + 8}));
}

TEST_P(Smmu_7_3_Faults, Stage2AddressSize)
{
    rig.stage2((1ull << 36) | S2_RW);
    rig.disable();
    rig.words(Rig::ste_at(Rig::sid) + 16, {(ste_word2 & ~(7ull << 48)) | 1ull << 48});
    rig.enable();
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x11, E_RnW | E_S2 | E_CLASS_IN, 0x1000, 0x1000}));
}

TEST_P(Smmu_7_3_Faults, NestedFaultsOfTheFinalIpaAreClassIn)
{
    rig.nested(0);
    EXPECT_FALSE(rig.read(0x1abc));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN, 0x1abc, Rig::ipa}));
    rig.map_s2(Rig::ipa, page_at | PAGE | AF | S2_R);
    EXPECT_EQ(rig.read(0x1abc), page_at + 0xabc);
    EXPECT_FALSE(rig.write(0x1abc));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x13, E_S2 | E_CLASS_IN, 0x1abc, Rig::ipa}));
}

TEST_P(Smmu_7_3_Faults, NestedFaultsOfADescriptorsIpaAreClassTt)
{
    rig.nested();
    const auto descriptor = s1_at + 0x2008;  // level 3
    rig.map_s2(s1_at + 0x2000, 0);
    EXPECT_FALSE(rig.write(0x1abc));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_S2 | E_CLASS_TT, 0x1abc, descriptor & ~0xfffull}));
    rig.map_s2(s1_at + 0x2000, (s1_at + 0x2000) | PAGE | S2_R);
    EXPECT_FALSE(rig.write(0x1abc));
    EXPECT_EQ(rig.record()[0] & 0xff, 0x12u);
    // SMMU 7.3.16: the SMMU read the table, TTRnW is 1 though the access was a write.
    rig.map_s2(s1_at + 0x2000, (s1_at + 0x2000) | PAGE | AF | S2_W);
    EXPECT_FALSE(rig.write(0x1abc));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x13, E_TTRnW | E_S2 | E_CLASS_TT, 0x1abc,
                                   descriptor & ~0xfffull}));
    // The stage 2 table behind it cannot be read.
    rig.map_s2(s1_at + 0x2000, (s1_at + 0x2000) | S2_RW);
    rig.words(s2_at + 0x1000, {nowhere | TABLE});
    EXPECT_FALSE(rig.write(0x1abc));
    const auto r = rig.record();
    EXPECT_EQ(r[0] & 0xff, 0x0bu);
    EXPECT_EQ(r[1] & E_S2, E_S2);
}

TEST_P(Smmu_7_3_Faults, ANestedDescriptorWithoutMemoryIsStage1s)
{
    rig.nested();
    // IPA of the level 3 table leads to a physical address where nobody answers.
    rig.map_s2(s1_at + 0x2000, nowhere | S2_RW);
    EXPECT_FALSE(rig.read(0x1abc));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x0b, E_RnW | E_CLASS_TT, 0x1abc, nowhere + 8}));
}

TEST_P(Smmu_7_3_Faults, NestedFaultsOfTheCdsIpaAreClassCd)
{
    rig.nested();
    rig.map_s2(cd_at, 0);
    EXPECT_FALSE(rig.read(0x1abc));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_CD, 0x1abc,
                                   cd_at & ~0xfffull}));
    rig.map_s2(cd_at, nowhere | S2_RW);
    EXPECT_FALSE(rig.read(0x1abc));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x09, 0, 0, nowhere | (cd_at & 0xfff)}));
}

TEST_P(Smmu_7_3_Faults, CdRAndS2RSilenceTranslationFaultsAlone)
{
    rig.stage1(0);
    rig.disable();
    rig.words(cd_at, {cd_word0 & ~CD_R, s1_at});
    rig.enable();
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_TRUE(rig.silent());
    rig.words(s1_at, {nowhere | TABLE});
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record()[0] & 0xff, 0x0bu) << "F_WALK_EABT is not translation-related";

    rig.disable();
    rig.stage2(0);
    rig.words(Rig::ste_at(Rig::sid) + 16, {ste_word2 & ~STE_S2R});
    rig.disable();
    rig.enable();
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_TRUE(rig.silent());
}

TEST_P(Smmu_7_3_Faults, S2RSilencesTheFetchOfACd)
{
    rig.nested();
    rig.disable();
    rig.words(Rig::ste_at(Rig::sid) + 16, {ste_word2 & ~STE_S2R});
    rig.map_s2(cd_at, 0);
    rig.enable();
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_TRUE(rig.silent());
    // Stage 1's own faults go by CD.R.
    rig.map_s2(cd_at, (cd_at & ~0xfffull) | S2_RW);
    rig.words(s1_at + 0x2008, {0});
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_RnW | E_CLASS_IN, 0x1000, 0}));
}

// SMMU 7.3.22: of several things that are wrong the first is told.
TEST_P(Smmu_7_3_Faults, ComeInTheManualsOrder)
{
    const auto number = [&](Transaction access, std::uint32_t id = Rig::sid) {
        EXPECT_FALSE(rig.at(access, id));
        return rig.record()[0] & 0xff;
    };
    const Transaction plain{Iova{0x1000}};
    const Transaction with_ssid{.address = Iova{0x1000}, .substream = {9, true}};
    rig.w64(STRTAB_BASE, nowhere);
    rig.enable();
    EXPECT_EQ(number(plain, 256), 0x02u) << "C_BAD_STREAMID before F_STE_FETCH";
    EXPECT_EQ(number(with_ssid), 0x03u);
    rig.disable();
    rig.w64(STRTAB_BASE, strtab_at);
    rig.enable();
    EXPECT_EQ(number(with_ssid), 0x04u) << "C_BAD_STE before C_BAD_SUBSTREAMID";
    rig.words(Rig::ste_at(Rig::sid),
              {1 | config_nested | nowhere | 3ull << 59, 0, ste_word2, s2_at});
    EXPECT_EQ(number(with_ssid), 0x08u) << "before F_STREAM_DISABLED and the CD";
    EXPECT_EQ(number(plain), 0x06u) << "before the CD's stage 2";
    rig.words(Rig::ste_at(Rig::sid), {1 | config_nested | cd_at, 0, ste_word2, s2_at});
    EXPECT_EQ(number(plain), 0x10u) << "stage 2 of the CD before F_CD_FETCH";
    rig.map_s2(cd_at, nowhere | S2_RW);
    EXPECT_EQ(number(plain), 0x09u);
    rig.map_s2(cd_at, (cd_at & ~0xfffull) | S2_RW);
    EXPECT_EQ(number(plain), 0x0au) << "C_BAD_CD before the walk";
    rig.words(cd_at, {cd_word0, s1_at});
    EXPECT_EQ(number({Iova{1ull << 40}}), 0x10u)
        << "the range before the first descriptor";
    EXPECT_EQ(number(plain), 0x10u);
    // A level 3 descriptor with everything wrong: address size, then AF, then permission.
    rig.map_s1(0x1000, 0);
    rig.words(cd_at, {(cd_word0 & ~(7ull << 32)) | 1ull << 32, s1_at});
    rig.map_s2_for_tables();
    rig.submit(0x04, 31);
    rig.words(s1_at + 0x2008, {(1ull << 36) | PAGE});
    EXPECT_EQ(number(plain), 0x11u);
    rig.words(s1_at + 0x2008, {Rig::ipa | PAGE});
    EXPECT_EQ(number(plain), 0x12u);
    rig.words(s1_at + 0x2008, {Rig::ipa | PAGE | AF});
    EXPECT_EQ(number(plain), 0x13u)
        << "stage 1's permission before stage 2 of the output";
    rig.words(s1_at + 0x2008, {Rig::ipa | S1_RW});
    EXPECT_EQ(number(plain), 0x10u);
    rig.map_s2(Rig::ipa, page_at | S2_RW);
    EXPECT_EQ(rig.read(0x1000), page_at);
}

TEST_P(Smmu_7_3_Faults, IpaBitsBeyondTheOutputSizeAreZero)
{
    smmu::Configuration c;
    c.capabilities.oas_bits = 40;
    Rig r(GetParam(), c);
    r.words(Rig::ste_at(Rig::sid),
            {1 | config_s2, 0, (ste_word2 & ~(63ull << 32)) | 24ull << 32, s2_at});
    r.enable();
    EXPECT_FALSE(r.read(1ull << 40));
    EXPECT_EQ(r.record(), (Words{E_word0 | 0x11, E_RnW | E_CLASS_IN, 1ull << 40, 0}));
    EXPECT_FALSE(r.read(0xff'ffff'f000));
    EXPECT_EQ(r.record(), (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN,
                                 0xff'ffff'f000, 0xff'ffff'f000}));
}
