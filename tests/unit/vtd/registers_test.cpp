// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 11: every register's bits, at every width of access.
#include "tests/unit/vtd/board.hpp"

#include <string>

using namespace iommu;
using namespace iommu::test;

TEST(Vtd_11_4_2_CAP, IsTheSetWindowsAccepts)
{
    Board b;
    EXPECT_EQ(b.r32(VER), 0x10u);
    // ND 6, SAGAW 39+48, MGAW 48, ZLR, FRO 0x220, SSLPS 2M+1G, PSI, NFR 1, MAMV 18, DWD,
    // DRD, ESRTPS.
    EXPECT_EQ(b.r64(CAP), 0x80d2'008c'226f'0606u);
    // C, QI, IR, EIM, PT, SC, IRO 0xf0, MHMV 15.
    EXPECT_EQ(b.r64(ECAP), 0x00f0'0fdbu);
}

TEST(Vtd_11_4_2_CAP, FollowsTheConfiguration)
{
    vtd::Configuration c;
    c.aw_bits = 57;
    c.fault_records = 8;
    c.caching_mode = true;
    c.intremap = c.eim = c.pt = c.snoop_control = false;
    c.device_iotlb = true;
    Board b(c);
    EXPECT_EQ(b.r64(CAP), 0x80d2'078c'2278'0e86u);
    EXPECT_EQ(b.r64(ECAP), 0x0f07u);
    c = scalable();
    c.aw_bits = 39;
    Board s(c);
    EXPECT_EQ(s.r64(CAP), 0x91d2'008c'2266'0206u);  // and FS1GP, FS5LP
    // NEST, ERS, SRS, EAFS, PSS 20 bits, PASID, SMTS, SSADS, SSTS, FSTS, SMPWCS, RPS,
    // RPRIVS.
    EXPECT_EQ(s.r64(ECAP), 0x0023'e99c'c4f0'0fdbu);
    c.pasid_bits = 0;
    Board n(c);
    EXPECT_EQ(n.r64(ECAP), 0x0023'e804'84f0'0fdbu);  // no PASID, no ERS
}

TEST(Vtd_Configuration, IsRefusedWithOneLineWhenTheArchitectureHasNoSuchValue)
{
    const auto refusal = [](auto change) {
        vtd::Configuration c;
        change(c);
        const char* text = vtd::refuse(c);
        return text ? std::string(text) : std::string();
    };
    EXPECT_EQ(refusal([](auto&) {}), "");
    EXPECT_NE(refusal([](auto& c) { c.aw_bits = 40; }).find("aw-bits"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& c) { c.fault_records = 0; }).find("fault-records"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& c) { c.fault_records = 257; }).find("fault-records"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& c) { c.pasid_bits = 21; }).find("pasid-bits"),
              std::string::npos);
    EXPECT_NE(refusal([](auto& c) { c.intremap = false; }).find("eim"),
              std::string::npos);
}

TEST(Vtd_11_4_7_2_FECTL, BothEventsAreMaskedAtReset)
{
    Board b;
    EXPECT_EQ(b.r32(FECTL), 0x8000'0000u);
    EXPECT_EQ(b.r32(IECTL), 0x8000'0000u);
    EXPECT_EQ(b.r32(GSTS), 0u);
    EXPECT_EQ(b.r32(FSTS), 0u);
}

// QEMU's B4: an 8-byte write to a 32-bit register aborted the process.
TEST(Vtd_B4_RegisterWidths, EveryOffsetTakes32And64BitAccessesOfAnyValue)
{
    vtd::Configuration c = scalable();
    c.fault_records = 256;
    c.device_iotlb = true;
    Board b(c);
    EXPECT_EQ(b.unit.mmio_size(), 0x2000u);
    for (const std::uint64_t value : {~0ull, 0ull, 0x5555'5555'5555'5555ull}) {
        for (std::uint64_t at = 0; at < b.unit.mmio_size(); at += 4) {
            b.w32(at, value);
            b.r32(at);
            if (at % 8 == 0) {
                b.w64(at, value);
                EXPECT_EQ(b.r64(at), b.r32(at) | std::uint64_t{b.r32(at + 4)} << 32);
            }
        }
    }
    EXPECT_EQ(b.r64(CAP), Board(c).r64(CAP));
}

TEST(Vtd_11_2_Access, OddSizesAndOffsetsReadZeroAndWriteNothing)
{
    Board b;
    EXPECT_EQ(b.unit.mmio_read(CAP, 2), 0u);
    EXPECT_EQ(b.unit.mmio_read(CAP + 1, 4), 0u);
    EXPECT_EQ(b.unit.mmio_read(CAP + 4, 8), 0u);
    b.unit.mmio_write(RTADDR, 2, 0x1000);
    b.unit.mmio_write(RTADDR + 4, 8, 0x1000);
    EXPECT_EQ(b.r64(RTADDR), 0u);
}

TEST(Vtd_11_4_Registers, KeepTheBitsTheManualMakesWritable)
{
    Board b;
    const auto keeps = [&](std::uint64_t at, std::uint64_t bits) {
        b.w64(at, ~0ull);
        EXPECT_EQ(b.r64(at), bits) << std::hex << at;
    };
    keeps(RTADDR, 0x0000'ffff'ffff'f000);  // no TTM without scalable mode
    keeps(IQA, 0x0000'ffff'ffff'f007);     // no DW
    keeps(IRTA, 0x0000'ffff'ffff'f80f);
    keeps(IQT, 0x7'fff0);
    keeps(IQH, 0);
    keeps(IQERCD, 0);
    keeps(IVA, 0xffff'ffff'ffff'f07f);
    keeps(0x60, 0);  // PMEN: no protected memory
    keeps(0x68, 0);
    keeps(0x70, 0);
    keeps(0x58, 0);  // AFLOG
    b.w64(FECTL, ~0ull);
    EXPECT_EQ(b.r64(FECTL), 0x0000'ffff'8000'0000u);
    b.w64(FEADDR, ~0ull);
    EXPECT_EQ(b.r64(FEADDR), 0xffff'ffff'ffff'fffcu);
    b.w64(IECTL, ~0ull);
    EXPECT_EQ(b.r64(IECTL), 0x0000'ffff'8000'0000u);
    b.w64(IEADDR, ~0ull);
    EXPECT_EQ(b.r64(IEADDR), 0xffff'ffff'ffff'fffcu);
}

TEST(Vtd_11_4_Registers, HalvesAreWrittenSeparately)
{
    Board b;
    b.w32(RTADDR, 0x1234'5000);
    b.w32(RTADDR + 4, 0x12);
    EXPECT_EQ(b.r64(RTADDR), 0x12'1234'5000u);
    b.w32(FEDATA, 0x4041);
    b.w32(FEUADDR, 0x100);
    b.w32(FEADDR, 0xfee0'1000);
    EXPECT_EQ(b.r32(FEDATA), 0x4041u);
    EXPECT_EQ(b.r64(FEADDR), 0x100'fee0'1000u);
}

TEST(Vtd_11_4_4_1_GCMD, EachCommandShowsInGsts)
{
    Board b;
    b.w32(GCMD, SRTP);
    EXPECT_EQ(b.r32(GSTS), SRTP);
    b.w32(GCMD, TE);
    EXPECT_EQ(b.r32(GSTS), SRTP | TE);
    b.w32(GCMD, TE | SIRTP);
    EXPECT_EQ(b.r32(GSTS), SRTP | SIRTP | TE);
    b.w32(GCMD, TE | QIE);
    EXPECT_EQ(b.r32(GSTS), SRTP | SIRTP | TE | QIE);
    b.w32(GCMD, TE | QIE | IRE);
    b.w32(GCMD, TE | QIE | IRE | CFI);
    EXPECT_EQ(b.r32(GSTS), SRTP | SIRTP | TE | QIE | IRE | CFI);
    b.w32(GCMD, QIE);
    EXPECT_EQ(b.r32(GSTS), SRTP | SIRTP | QIE);
    // Not there: advanced fault log, write buffer flush.
    b.w32(GCMD, QIE | 1u << 29 | 1u << 28 | 1u << 27);
    EXPECT_EQ(b.r32(GSTS), SRTP | SIRTP | QIE);
    EXPECT_EQ(b.r32(GCMD), 0u);
}

TEST(Vtd_11_4_4_1_GCMD, InterruptRemappingStaysOffWithoutEcapIr)
{
    vtd::Configuration c;
    c.intremap = c.eim = false;
    Board b(c);
    b.w32(GCMD, SIRTP);
    b.w32(GCMD, IRE);
    b.w32(GCMD, CFI);
    EXPECT_EQ(b.r32(GSTS), 0u);
}

TEST(Vtd_11_4_5_RTADDR, TakesEffectWithSrtpOnly)
{
    Board b;
    b.legacy_4k();
    EXPECT_TRUE(b.read(0x4000'0000).ok);
    b.w64(RTADDR, 0x3000);  // an empty root table
    EXPECT_TRUE(b.read(0x4000'0000).ok);
    b.w32(GCMD, TE | SRTP);
    EXPECT_FALSE(b.read(0x4000'0000).ok);
    EXPECT_EQ(b.reason(), 0x01u);
}

TEST(Vtd_11_4_6_CCMD, ReportsWhatWasInvalidatedAndClearsIcc)
{
    Board b;
    b.legacy_4k();
    b.w64(CCMD, 1ull << 63 | 1ull << 61);
    EXPECT_EQ(b.r64(CCMD), 1ull << 61 | 1ull << 59);
    b.w64(CCMD, 1ull << 63 | 2ull << 61 | 5);
    EXPECT_EQ(b.r64(CCMD), 2ull << 61 | 2ull << 59 | 5);
    b.w64(CCMD, 1ull << 63 | 3ull << 61 | 0x10 << 16 | 5);
    EXPECT_EQ(b.r64(CCMD), 3ull << 61 | 3ull << 59 | 0x10 << 16 | 5);
    b.w64(CCMD, 1ull << 63);
    EXPECT_EQ(b.r64(CCMD), 0u);
    // Nothing happens before the half with ICC is written.
    b.w32(CCMD, 5);
    b.w32(CCMD + 4, 0xc000'0000);
    EXPECT_EQ(b.r64(CCMD), 2ull << 61 | 2ull << 59 | 5);
}

TEST(Vtd_11_4_6_IOTLB, ReportsWhatWasInvalidatedAndRefusesLargerMasksThanMamv)
{
    Board b;
    b.legacy_4k();
    b.w64(IOTLB, 1ull << 63 | 1ull << 60);
    EXPECT_EQ(b.r64(IOTLB), 1ull << 60 | 1ull << 57);
    b.w64(IOTLB, 1ull << 63 | 2ull << 60 | 5ull << 32);
    EXPECT_EQ(b.r64(IOTLB), 2ull << 60 | 2ull << 57 | 5ull << 32);
    b.w64(IVA, 0x4000'0000 | 18);
    b.w64(IOTLB, 1ull << 63 | 3ull << 60 | 5ull << 32);
    EXPECT_EQ(b.r64(IOTLB), 3ull << 60 | 3ull << 57 | 5ull << 32);
    b.w64(IVA, 0x4000'0000 | 19);
    b.w64(IOTLB, 1ull << 63 | 3ull << 60 | 5ull << 32);
    EXPECT_EQ(b.r64(IOTLB), 3ull << 60 | 5ull << 32);
}

TEST(Vtd_11_4_6_CCMD, IsAnErrorOutsideLegacyMode)
{
    Board b(scalable());
    b.w64(RTADDR, 0x1400);
    b.w32(GCMD, SRTP);
    b.w64(CCMD, 1ull << 63 | 1ull << 61);
    EXPECT_EQ(b.r64(CCMD), 1ull << 61);
    b.w64(IOTLB, 1ull << 63 | 1ull << 60);
    EXPECT_EQ(b.r64(IOTLB), 1ull << 60);
}

TEST(Vtd_Reset, LeavesNothingOfTheOldLife)
{
    Board b;
    b.legacy_4k();
    b.queue();
    EXPECT_FALSE(b.read(0x7000'0000).ok);
    b.w32(FECTL, 0);
    b.w32(IECTL, 0);
    b.w64(IRTA, 0x9000);
    b.unit.reset();
    for (std::uint64_t at = GCMD; at < 0x240; at += 8) {
        const auto expected = at == FECTL || at == IECTL ? 0x8000'0000u : 0u;
        EXPECT_EQ(b.r64(at), expected) << std::hex << at;
    }
    EXPECT_TRUE(b.read(0x7000'0000).ok);
}
