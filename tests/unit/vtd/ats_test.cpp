// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 4 "Support For Device-TLBs".
#include "tests/unit/vtd/scalable_board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint64_t TT_01 = 1 << 2, DTE = 1 << 2;

vtd::Configuration with_device_tlbs(vtd::Configuration c = plain())
{
    c.device_iotlb = true;
    return c;
}

// The function 00:02.0 of legacy_4k(), and ATS allowed for it.
struct Legacy : Board {
    explicit Legacy(std::uint64_t context_low = 0x10001 | TT_01)
        : Board(with_device_tlbs())
    {
        legacy_4k();
        queue();
        w32(GCMD, QIE | TE);
        set(context_low);
    }
    void set(std::uint64_t context_low)
    {
        context(0x10, context_low, 0x502);
        submit(0x11, 0);
        submit(0x12, 0);
    }
    AtsCompletion ask(std::uint64_t at, Access access = Access::Write)
    {
        return stream().request_translation({.address = Iova{at}, .access = access});
    }
    bool admits(std::uint64_t at, Access access = Access::Read)
    {
        return stream().admit_translated({.address = Iova{at}, .access = access}) ==
               Stream::Result::Ok;
    }
};

void expect_mapped(const AtsCompletion& c, std::uint64_t output, std::uint64_t mask,
                   const char* rights)
{
    EXPECT_EQ(c.status, AtsStatus::Success);
    EXPECT_EQ(c.translation.output, Gpa{output});
    EXPECT_EQ(c.translation.mask, mask);
    const std::string found = std::string(c.translation.read ? "r" : "") +
                              (c.translation.write ? "w" : "") + (c.execute ? "x" : "") +
                              (c.untranslated_only ? "u" : "");
    EXPECT_EQ(found, rights);
}
void expect_nothing(const AtsCompletion& c)
{
    expect_mapped(c, 0, 0, "");
}

}  // namespace

TEST(Vtd_4_1_2_TranslationCompletion, GivesAddressSizeAndRights)
{
    Legacy b;
    expect_mapped(b.ask(0x4000'0123), 0x50'0123, 0xfff, "rw");
    expect_mapped(b.ask(0x4000'1000), 0x50'1000, 0xfff, "r");
    expect_mapped(b.ask(0x4000'2000), 0x50'2000, 0xfff, "w");
    b.put(0x12008, {0x40'0083});
    expect_mapped(b.ask(0x4020'5000), 0x40'5000, 0x1f'ffff, "rw");
    EXPECT_EQ(b.r32(FSTS), 0u);
}

TEST(Vtd_4_1_2_TranslationCompletion, WhatIsNotThereIsASuccessWithoutRightsAndNoFault)
{
    Legacy b;
    expect_nothing(b.ask(0x4000'3000));  // an empty entry
    expect_nothing(b.ask(0x8000'0000));  // no table
    expect_nothing(b.ask(1ull << 48));   // beyond MGAW
    EXPECT_EQ(b.r32(FSTS), 0u);
    b.put(0x13000, {0xfee0'0003});
    expect_nothing(b.ask(0x4000'0000));
    EXPECT_EQ(b.r32(FSTS), 0u) << "nothing translates to an interrupt";
}

TEST(Vtd_4_1_2_TranslationCompletion, TransientMappingsMayOnlyBeUsedUntranslated)
{
    Legacy b;
    b.put(0x13000, {1ull << 62 | 0x50'0003});
    expect_mapped(b.ask(0x4000'0000), 0x50'0000, 0xfff, "rwu");
    expect_mapped(b.ask(0x4000'0000), 0x50'0000, 0xfff, "rwu");  // out of the IOTLB
    EXPECT_TRUE(b.read(0x4000'0000).ok);
}

TEST(Vtd_3_15_InterruptAddressRange, IsForUntranslatedWritesOnly)
{
    Legacy b;
    expect_mapped(b.ask(0xfee0'1000), 0xfee0'1000, 0xfff, "wu");
    EXPECT_FALSE(b.admits(0xfee0'1000, Access::Write));
    EXPECT_EQ(b.r64(FRCD + 8), 0xa000'000e'0000'0010u) << "AT 10b, a write";
    // A block that holds it is cut down to the page asked for.
    b.put(0x11018, {0x83});  // 0xc000'0000, 1 GiB, to 0
    expect_mapped(b.ask(0xc000'5000), 0x5000, 0xfff, "rw");
}

TEST(Vtd_4_1_2_TranslationCompletion, IsUnsupportedWhereSoftwareDoesNotAllowAts)
{
    struct Case {
        std::uint64_t low;
        unsigned reason;
    };
    for (const auto& c : {Case{0x10001, 0x0d}, Case{9, 0x0d}, Case{0x10000, 0x02}}) {
        Legacy b(c.low);
        EXPECT_EQ(b.ask(0x4000'0000).status, AtsStatus::UnsupportedRequest) << c.low;
        // F, a read, AT 01b.
        EXPECT_EQ(b.r64(FRCD + 8), 0xd000'0000'0000'0010 | std::uint64_t{c.reason} << 32);
        EXPECT_EQ(b.r64(FRCD), 0x4000'0000u);
        b.clear_faults();
        b.set(c.low | 2);  // FPD
        EXPECT_EQ(b.ask(0x4000'0000).status, AtsStatus::UnsupportedRequest);
        EXPECT_EQ(b.r32(FSTS), 0u) << "muted";
    }
    Legacy b;
    b.put(0x1000, {0});
    b.submit(0x11, 0);
    EXPECT_EQ(b.ask(0x4000'0000).status, AtsStatus::UnsupportedRequest);
    EXPECT_EQ(b.take_reason(), 0x01u);
}

TEST(Vtd_4_1_2_TranslationCompletion, IsAnAbortWhereTheTablesAreBroken)
{
    Legacy b(0x10001 | TT_01 | 1 << 5);
    EXPECT_EQ(b.ask(0x4000'0000).status, AtsStatus::CompleterAbort);
    EXPECT_EQ(b.take_reason(), 0x0bu);
    b.set(0x10001 | TT_01);
    b.put(0x12000, {1ull << 50 | 0x13003});
    EXPECT_EQ(b.ask(0x4000'0000).status, AtsStatus::CompleterAbort);
    EXPECT_EQ(b.take_reason(), 0x0cu);
    b.put(0x12000, {0x8000'0003});  // no memory there
    EXPECT_EQ(b.ask(0x4000'0000).status, AtsStatus::CompleterAbort);
    EXPECT_EQ(b.r64(FRCD + 8) >> 60, 0xdu);
    EXPECT_EQ(b.take_reason(), 0x07u);
}

TEST(Vtd_4_1_2_TranslationCompletion, IsUnsupportedWhileTranslationIsOff)
{
    Legacy b;
    b.w32(GCMD, QIE);
    EXPECT_EQ(b.ask(0x4000'0000).status, AtsStatus::UnsupportedRequest);
    EXPECT_FALSE(b.admits(0x50'0000));
    EXPECT_EQ(b.r32(FSTS), 0u);
}

// VT-d 6.5.2.5: a Device-TLB can be filled from the IOTLB, so that one goes first.
TEST(Vtd_4_1_2_TranslationCompletion, ComesFromTheIotlbUntilThatIsInvalidated)
{
    Legacy b;
    ASSERT_TRUE(b.read(0x4000'0000).ok);
    b.put(0x13000, {0});
    expect_mapped(b.ask(0x4000'0000), 0x50'0000, 0xfff, "rw");
    b.submit(5 << 16 | 0x32, 0x4000'0000);
    expect_nothing(b.ask(0x4000'0000));
}

TEST(Vtd_4_1_3_TranslatedRequest, PassesWhereAtsIsAllowedWhateverIsMapped)
{
    Legacy b;
    EXPECT_TRUE(b.admits(0x70'0000, Access::Write));
    EXPECT_TRUE(b.admits(0x1234'5678'9000));
    EXPECT_EQ(b.r32(FSTS), 0u);
}

TEST(Vtd_4_1_3_TranslatedRequest, IsBlockedAndRecordedWhereItIsNot)
{
    Legacy b(0x10001);
    EXPECT_FALSE(b.admits(0x70'0000, Access::Write));
    EXPECT_EQ(b.r64(FRCD), 0x70'0000u);
    EXPECT_EQ(b.r64(FRCD + 8), 0xa000'000d'0000'0010u);
    b.clear_faults();
    EXPECT_FALSE(b.admits(0x70'0000));
    EXPECT_EQ(b.r64(FRCD + 8), 0xe000'000d'0000'0010u);
    b.clear_faults();
    b.set(0x10001 | 2);
    EXPECT_FALSE(b.admits(0x70'0000));
    EXPECT_EQ(b.r32(FSTS), 0u) << "FPD";
}

namespace {

struct Scalable : ScalableBoard {
    explicit Scalable(std::uint64_t context_low = 0x4009 | DTE)
        : ScalableBoard(with_device_tlbs(scalable()))
    {
        context(context_low, 0);
        first_tables();
        second_tables();
        pasid(7, FIRST, 5, 0x10000);
        flush();
    }
    AtsCompletion ask(std::uint64_t at, std::uint32_t number, Access access,
                      Content content = Content::Data)
    {
        return stream().request_translation({.address = Iova{at},
                                             .access = access,
                                             .content = content,
                                             .substream = {number, true}});
    }
    bool admits(std::uint64_t at, std::uint32_t number)
    {
        return stream().admit_translated(
                   {.address = Iova{at}, .substream = {number, true}}) ==
               Stream::Result::Ok;
    }
};

}  // namespace

TEST(Vtd_9_4_Dte, ClearBlocksBothKindsOfRequestBeforeThePasidIsLookedAt)
{
    for (const std::uint32_t number : {7u, 8u}) {  // 8 is not present
        Scalable b(0x4009);
        EXPECT_EQ(b.ask(0x4000'0000, number, Access::Read).status,
                  AtsStatus::UnsupportedRequest);
        EXPECT_EQ(b.r64(FRCD + 8), 0xd000'0044'8000'0010 | std::uint64_t{number} << 40);
        b.clear_faults();
        EXPECT_FALSE(b.admits(0x50'0000, number));
        EXPECT_EQ(b.take_reason(), 0x44u);
    }
}

TEST(Vtd_9_4_Dte, SetLetsTranslatedRequestsPassUnseen)
{
    Scalable b;
    EXPECT_TRUE(b.admits(0x50'0000, 7));
    EXPECT_TRUE(b.admits(0x50'0000, 8)) << "no PASID structure is looked at";
    EXPECT_EQ(b.r32(FSTS), 0u);
    EXPECT_EQ(b.ask(0x4000'0000, 8, Access::Read).status, AtsStatus::UnsupportedRequest);
    EXPECT_EQ(b.take_reason(), 0x59u);
}

// VT-d 3.6.2: a request with No Write clear counts as a write.
TEST(Vtd_3_6_2_DirtyFlag, IsSetForARequestThatAsksForTheRightToWrite)
{
    Scalable b;
    expect_mapped(b.ask(0x4000'0000, 7, Access::Read), 0x50'0000, 0xfff, "r");
    EXPECT_EQ(b.get(0x13000), 0x50'0027u);
    expect_mapped(b.ask(0x4000'0000, 7, Access::Write), 0x50'0000, 0xfff, "rw");
    EXPECT_EQ(b.get(0x13000), 0x50'0067u);
    expect_mapped(b.ask(0x4000'0000, 7, Access::Read), 0x50'0000, 0xfff, "rw");
    expect_mapped(b.ask(0x4000'1000, 7, Access::Write), 0x50'1000, 0xfff, "r");
    EXPECT_EQ(b.get(0x13008), 0x50'1025u) << "not writable, not dirty";
    expect_nothing(b.ask(0x4000'2000, 7, Access::Write));
    EXPECT_EQ(b.r32(FSTS), 0u) << "supervisor only";
}

TEST(Vtd_4_1_2_TranslationCompletion, GivesTheRightToExecuteWhereItIsAskedFor)
{
    Scalable b;
    const auto asked = [&] {
        return b.ask(0x4000'0000, 7, Access::Read, Content::Instruction);
    };
    expect_mapped(asked(), 0x50'0000, 0xfff, "r");
    EXPECT_EQ(b.r32(FSTS), 0u) << "ERE is clear: no fault, and no right";
    b.pasid(7, FIRST, 5, 0x10000 | 2);
    b.flush();
    expect_mapped(asked(), 0x50'0000, 0xfff, "rx");
    expect_mapped(b.ask(0x4000'0000, 7, Access::Read), 0x50'0000, 0xfff, "r");
}

TEST(Vtd_4_1_2_TranslationCompletion, OfNestedTranslationIsTheSmallerBlock)
{
    Scalable b;
    b.pasid(7, NESTED | 0x20000, 5, 0x10000);
    b.flush();
    b.put(0x13000, {0x40'0007});
    expect_mapped(b.ask(0x4000'0000, 7, Access::Write), 0x60'0000, 0xfff, "rw");
    b.put(0x13008, {0x60'1007});
    expect_mapped(b.ask(0x4000'1000, 7, Access::Write), 0x60'1000, 0xfff, "r");
}

TEST(Vtd_4_1_2_TranslationCompletion, OfPassThroughIsTheAddressItself)
{
    Scalable b;
    b.pasid(7, PASS, 5);
    b.flush();
    expect_mapped(b.ask(0x4000'0000, 7, Access::Write), 0x4000'0000, 0x1f'ffff, "rw");
    expect_mapped(b.ask(0xfee0'0000, 7, Access::Write), 0xfee0'0000, 0xfff, "rw");
}

TEST(Vtd_11_4_7_1_ITE, IsSetWhenADeviceTlbDoesNotAnswerAndTheWaitIsGivenUp)
{
    Legacy b;
    b.stream();
    b.host.device_tlbs_answer = false;
    b.w64(FEADDR, 0xfee0'0000);
    b.w32(FECTL, 0);
    b.put(0x8000 + 32, {0x3 | 0x10ull << 32, 0x4000'0000});
    b.put(0x8000 + 48, {0x25 | 0x77ull << 32, 0x9000});
    b.put(0x8000 + 64, {0x25 | 0x78ull << 32, 0x9008});
    b.w64(IQT, 80);
    EXPECT_EQ(b.r32(FSTS), 0x40u);
    EXPECT_EQ(b.r64(IQERCD), 0x10ull << 32);
    EXPECT_EQ(b.host.msis.size(), 1u);
    EXPECT_EQ(b.get(0x9000), 0u) << "given up";
    EXPECT_EQ(b.r64(IQH), 64u) << "nothing more is fetched";
    EXPECT_EQ(b.get(0x9008), 0u);
    b.w32(FSTS, 0x40);
    EXPECT_EQ(b.r64(IQH), 80u);
    EXPECT_EQ(b.get(0x9000), 0u);
    EXPECT_EQ(b.get(0x9008), 0x78u);
    EXPECT_EQ(b.r32(FSTS), 0u);
}

TEST(Vtd_11_4_7_1_ITE, ComesWithoutAWaitDescriptorAsWell)
{
    Legacy b;
    b.submit(0x3 | 0x99ull << 32, 0x4000'0000);  // nobody has that source-id
    EXPECT_EQ(b.r32(FSTS), 0x40u);
    EXPECT_EQ(b.r64(IQERCD), 0x99ull << 32);
}

TEST(Vtd_4_3_DeviceTlbInvalidation, IsNotAnsweredWhileTranslationIsOff)
{
    Legacy b;
    b.stream();
    b.w32(GCMD, QIE);
    b.submit(0x3 | 0x10ull << 32, 0x4000'0000);
    EXPECT_EQ(b.r32(FSTS), 0x40u);
    EXPECT_TRUE(b.host.device_unmaps.empty());
}

TEST(Vtd_4_3_DeviceTlbInvalidation, IsDoneWhenTheWaitBehindItCompletes)
{
    Legacy b;
    b.stream();
    b.put(0x8000 + 32, {0x3 | 0x10ull << 32, 0x4000'0000});
    b.put(0x8000 + 48, {0x25 | 0x77ull << 32, 0x9000});
    b.w64(IQT, 64);
    EXPECT_EQ(b.host.device_unmaps.size(), 1u);
    EXPECT_EQ(b.get(0x9000), 0x77u);
    EXPECT_EQ(b.r32(FSTS), 0u);
}
