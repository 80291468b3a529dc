// SPDX-License-Identifier: GPL-2.0-or-later
// Golden bytes, written down by hand from IHI 0070 chapters 4 and 7, and held against the
// masks with which Linux's arm-smmu-v3 driver builds commands and decodes events.
#include <gtest/gtest.h>

#include "hw/iommu/smmuv3/spec/commands.hpp"
#include "hw/iommu/smmuv3/spec/events.hpp"

using namespace iommu;
using namespace iommu::smmu;

namespace {

constexpr unsigned oas = 48;

// F_TRANSLATION, stage 1, read of 0x10002000 by StreamID 0x42: RnW is bit 99, CLASS IN is
// 0b10 in 105:104.
static_assert(encode({.id = EventId::F_TRANSLATION,
                      .stream = StreamId{0x42},
                      .input = Iova{0x1000'2000}},
                     oas) ==
              EventWords{0x0000'0042'0000'0010, 0x0000'0208'0000'0000, 0x1000'2000, 0});

// The same without a present SubstreamID's value, and an IPA that stage 1 does not
// report.
static_assert(encode({.id = EventId::F_TRANSLATION,
                      .stream = StreamId{0x42},
                      .substream = {0x7, false},
                      .input = Iova{0x1000'2000},
                      .ipa = Ipa{0x5000}},
                     oas) ==
              EventWords{0x0000'0042'0000'0010, 0x0000'0208'0000'0000, 0x1000'2000, 0});

// F_PERMISSION at stage 2 for a stage-1 descriptor: S2 is bit 103, CLASS TT 0b01, TTRnW
// bit 108 (the SMMU reads tables); IPA[55:12] is 247:204.
static_assert(encode({.id = EventId::F_PERMISSION,
                      .stage = Stage::S2,
                      .purpose = Purpose::TableWalk,
                      .stream = StreamId{1},
                      .access = Access::Write,
                      .input = Iova{0x1000},
                      .ipa = Ipa{0x8000'5678}},
                     oas) == EventWords{0x0000'0001'0000'0013, 0x0000'1180'0000'0000,
                                        0x1000, 0x8000'5000});

// F_ACCESS, stage 2, IN: no TTRnW.
static_assert(encode({.id = EventId::F_ACCESS,
                      .stage = Stage::S2,
                      .stream = StreamId{0xffff},
                      .substream = {0xabcde, true},
                      .input = Iova{0xffff'8000'0000'0abc},
                      .ipa = Ipa{0xffff'ffff'f000}},
                     oas) == EventWords{0x0000'ffff'abcd'e812, 0x0000'0288'0000'0000,
                                        0xffff'8000'0000'0abc, 0x0000'ffff'ffff'f000});

// F_ADDR_SIZE, stage 2: what lies above a 32-bit OAS is RES0 in IPA, not in InputAddr.
static_assert(encode({.id = EventId::F_ADDR_SIZE,
                      .stage = Stage::S2,
                      .stream = StreamId{2},
                      .access = Access::Write,
                      .input = Iova{0x12'3456'7000},
                      .ipa = Ipa{0x12'3456'7000}},
                     32) == EventWords{0x0000'0002'0000'0011, 0x0000'0280'0000'0000,
                                       0x12'3456'7000, 0x3456'7000});

// F_WALK_EABT, stage 1 walk, privileged instruction read: PnU 97, InD 98, RnW 99;
// FetchAddr[55:3] is 247:195.
static_assert(encode({.id = EventId::F_WALK_EABT,
                      .purpose = Purpose::TableWalk,
                      .stream = StreamId{7},
                      .privilege = Privilege::Privileged,
                      .content = Content::Instruction,
                      .input = Iova{0xffff'0000'1234'5678},
                      .fetched_from = Gpa{0x4000'1238}},
                     oas) == EventWords{0x0000'0007'0000'000b, 0x0000'010e'0000'0000,
                                        0xffff'0000'1234'5678, 0x4000'1238});

// InD is 0 for a write, whatever came in.
static_assert(encode({.id = EventId::F_PERMISSION,
                      .stream = StreamId{7},
                      .access = Access::Write,
                      .privilege = Privilege::Privileged,
                      .content = Content::Instruction,
                      .input = Iova{0x1000}},
                     oas)[1] == 0x0000'0202'0000'0000);

// F_STE_FETCH and F_CD_FETCH carry the fetch address and no access attributes.
static_assert(encode({.id = EventId::F_STE_FETCH,
                      .stream = StreamId{0x100},
                      .access = Access::Read,
                      .privilege = Privilege::Privileged,
                      .input = Iova{0x1000},
                      .fetched_from = Gpa{0x47f0'4000}},
                     oas) == EventWords{0x0000'0100'0000'0003, 0, 0, 0x47f0'4000});
static_assert(encode({.id = EventId::F_CD_FETCH,
                      .stream = StreamId{0x100},
                      .substream = {5, true},
                      .fetched_from = Gpa{0x47f0'0140}},
                     oas) == EventWords{0x0000'0100'0000'5809, 0, 0, 0x47f0'0140});

// Configuration errors: StreamID, SSV, SubstreamID.
static_assert(encode({.id = EventId::C_BAD_STREAMID,
                      .stream = StreamId{0x00ab'cdef},
                      .substream = {0x12345, true},
                      .input = Iova{0x1000}},
                     oas) == EventWords{0x00ab'cdef'1234'5802, 0, 0, 0});
static_assert(encode({.id = EventId::C_BAD_STE, .stream = StreamId{8}}, oas) ==
              EventWords{0x0000'0008'0000'0004, 0, 0, 0});
static_assert(
    encode({.id = EventId::C_BAD_CD, .stream = StreamId{8}, .substream = {1, true}},
           oas) == EventWords{0x0000'0008'0000'180a, 0, 0, 0});
// SMMU 7.3.9: SubstreamID always valid, no SSV.
static_assert(encode({.id = EventId::C_BAD_SUBSTREAMID,
                      .stream = StreamId{3},
                      .substream = {0xff, true}},
                     oas) == EventWords{0x0000'0003'000f'f008, 0, 0, 0});
// SMMU 7.3.7: the StreamID alone.
static_assert(encode({.id = EventId::F_STREAM_DISABLED,
                      .stream = StreamId{3},
                      .substream = {0, true},
                      .input = Iova{0x1000}},
                     oas) == EventWords{0x0000'0003'0000'0006, 0, 0, 0});

template <typename Layout>
constexpr Layout command(std::uint64_t low, std::uint64_t high)
{
    Layout c{};
    c.dword = {low, high};
    return c;
}

// CMD_TLBI_NH_VA as Linux writes it for ASID 0x1234, VMID 0x56, VA 0xffff800012345000,
// TG 4K, TTL 3, NUM 15, SCALE 2, leaf.
constexpr auto tlbi = command<Tlbi>(0x1234'0056'0020'f012, 0xffff'8000'1234'5701);
static_assert(tlbi[Tlbi::opcode] == Opcode::CMD_TLBI_NH_VA &&
              tlbi[Tlbi::ASID] == Asid{0x1234} && tlbi[Tlbi::VMID] == Vmid{0x56} &&
              tlbi[Tlbi::NUM] == 15 && tlbi[Tlbi::SCALE] == 2 &&
              tlbi[Tlbi::TG] == TranslationGranule::G4K && tlbi[Tlbi::TTL] == 3 &&
              tlbi[Tlbi::Leaf] && tlbi[Tlbi::Address] << 12 == 0xffff'8000'1234'5000 &&
              !tlbi.res0_violated());

// CMD_SYNC as Linux writes it to poll memory: CS IRQ, MSH inner, MSIAttr OIWB.
constexpr auto sync = command<Sync>(0x0000'0000'0fc0'1046, 0x0000'0000'4001'0010);
static_assert(sync[Sync::opcode] == Opcode::CMD_SYNC &&
              sync[Sync::CS] == CompletionSignal::SIG_IRQ && sync[Sync::MSH] == 0b11 &&
              sync[Sync::MSIAttr] == 0xf && sync[Sync::MSIAddress] << 2 == 0x4001'0010 &&
              !sync.res0_violated());

constexpr auto all = command<CfgiSteRange>(0x04, 31);
static_assert(all[CfgiSteRange::opcode] == Opcode::CMD_CFGI_STE_RANGE &&
              all[CfgiSteRange::Range] == 31);
constexpr auto cd = command<CfgiCd>(0x0000'00a5'0001'2005, 1);
static_assert(cd[CfgiCd::StreamID] == StreamId{0xa5} &&
              cd[CfgiCd::SubstreamID] == SubstreamId{0x12} && cd[CfgiCd::Leaf] &&
              !cd.res0_violated());
static_assert(command<CfgiSte>(0x0000'0001'0000'0403, 0)[CfgiSte::SSec]);

}  // namespace

// What is above is decided by the compiler; this names it in the test report.
TEST(Smmu_7_3_EventRecords, EveryGoldenVectorIsAStaticAssertOfThisFile)
{
    EXPECT_EQ(encode({.id = EventId::C_BAD_CD, .stream = StreamId{8}}, oas)[0],
              0x0000'0008'0000'000au);
}
