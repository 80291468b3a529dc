// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3.1 "Stream table lookup", 5.2 "Stream Table Entry", 3.11 "Reset, enable and
// initialization": what decides before any page table is read.
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_3_3_Streams : public smmuv3::Test {};

TEST_F(Smmu_3_3_Streams, DisabledPassesEverythingThrough)
{
    start();
    EXPECT_EQ(dma->fill(target, 64, 0x1111), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 56), 0x1111u);
}

TEST_F(Smmu_3_3_Streams, DisabledWithGbpaAbortAbortsWithoutEvent)
{
    start("gbpa-abort=on");
    EXPECT_EQ(smmu->r32(GBPA) >> 20 & 1, 1u);
    EXPECT_EQ(dma->fill(target, 64, 0x1111), Endpoint::aborted);
    EXPECT_EQ(machine->read64(target), 0u);
    smmu->w32(GBPA, 1u << 31);
    EXPECT_EQ(dma->fill(target, 64, 0x1111), Endpoint::done);
    smmu->w32(GBPA, 1u << 31 | 1u << 20);
    EXPECT_EQ(dma->fill(target, 64, 0x2222), Endpoint::aborted);
    EXPECT_EQ(machine->read64(target), 0x1111u);
    expect_no_event();
}

TEST_F(Smmu_3_3_Streams, ConfigBypass)
{
    start();
    smmu->enable();
    smmu->set_ste(sid, {1 | unsigned(Config::Bypass) << 1, 0, 0, 0});
    EXPECT_EQ(dma->fill(target, 64, 0x2222), Endpoint::done);
    EXPECT_EQ(machine->read64(target), 0x2222u);
    expect_no_event();
}

TEST_F(Smmu_3_3_Streams, ConfigAbortIsSilent)
{
    start();
    smmu->enable();
    smmu->set_ste(sid, {1 | unsigned(Config::Abort) << 1, 0, 0, 0});
    EXPECT_EQ(dma->read(target, 64), Endpoint::aborted);
    expect_no_event();
}

TEST_F(Smmu_3_3_Streams, InvalidSteIsBad)
{
    start();
    smmu->enable();
    EXPECT_EQ(dma->read(target, 64), Endpoint::aborted);
    expect_event(C_BAD_STE);
}

TEST_F(Smmu_3_3_Streams, SteStaysCachedUntilInvalidated)
{
    start();
    smmu->enable();
    smmu->set_ste(sid, {1 | unsigned(Config::Bypass) << 1, 0, 0, 0});
    EXPECT_EQ(dma->read(target, 4), Endpoint::done);
    smmu->put(smmu->ste_address(sid), {1, 0, 0, 0});
    EXPECT_EQ(dma->read(target, 4), Endpoint::done);
    EXPECT_TRUE(smmu->submit_and_sync({cfgi_ste(sid)}));
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
}

TEST_F(Smmu_3_3_Streams, StreamIdBeyondTheTableIsRecordedOnlyIfAsked)
{
    // qemu.md A2: CR2.RECINVSID is obeyed.
    start();
    smmu->enable({.cmdq_log2 = 8, .eventq_log2 = 7, .sid_log2 = 5});
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    expect_event(C_BAD_STREAMID);
    smmu->w32(CR0, 0);
    smmu->w32(CR2, 0);
    smmu->w32(CR0, 0b1101);
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    expect_no_event();
}

TEST_F(Smmu_3_3_Streams, SteOutsideMemoryIsAFetchFault)
{
    start();
    smmu->enable();
    smmu->w32(CR0, 0b1100);
    smmu->w64(STRTAB_BASE, no_memory);
    smmu->w32(CR0, 0b1101);
    smmu->submit_and_sync({cfgi_all()});
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    const Record r = expect_event(F_STE_FETCH);
    EXPECT_EQ(r[3], no_memory + sid * 64) << "FetchAddr";
}

class Smmu_5_1_Split : public smmuv3::Test,
                       public ::testing::WithParamInterface<unsigned> {};

TEST_P(Smmu_5_1_Split, TwoLevelTableIsWalked)
{
    start();
    smmu->enable();
    const unsigned split = GetParam();
    smmu->two_level_table(16, split);
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted) << "SPAN 0";
    expect_event(C_BAD_STREAMID);

    const std::uint64_t leaf = smmu->allocate(64ull << split, 64ull << split);
    smmu->put(leaf + 64 * (sid & ((1u << split) - 1)),
              {1 | unsigned(Config::Bypass) << 1, 0, 0, 0});
    machine->write64(smmu->ste_address(0) + 8 * (sid >> split), leaf | (split + 1));
    smmu->submit_and_sync({cfgi_all()});
    EXPECT_EQ(dma->read(target, 4), Endpoint::done);
    expect_no_event();

    // A span that ends below the stream.
    machine->write64(smmu->ste_address(0) + 8 * (sid >> split), leaf | 1);
    smmu->submit_and_sync({cfgi_all()});
    EXPECT_EQ(dma->read(target, 4), Endpoint::aborted);
    expect_event(C_BAD_STREAMID);
}

INSTANTIATE_TEST_SUITE_P(Splits, Smmu_5_1_Split, ::testing::Values(6u, 8u, 10u));

TEST_F(Smmu_3_3_Streams, TheTableFormatIsNotSticky)
{
    // qemu.md A4: from two-level back to linear.
    start();
    smmu->enable();
    const std::uint64_t linear = smmu->ste_address(0);
    smmu->two_level_table(16, 8);
    smmu->w32(CR0, 0b1100);
    smmu->w64(STRTAB_BASE, linear);
    smmu->w32(STRTAB_BASE_CFG, 12);
    smmu->w32(CR0, 0b1101);
    smmu->put(linear + 64 * sid, {1 | unsigned(Config::Bypass) << 1, 0, 0, 0});
    smmu->submit_and_sync({cfgi_all()});
    EXPECT_EQ(dma->read(target, 4), Endpoint::done);
}

TEST_F(Smmu_3_3_Streams, IllegalStesAreBadAndHurtNobody)
{
    start();
    smmu->enable();
    stage2();
    const Words good = smmu->ste_stage2(table2, Granule::K4, 7);
    const struct {
        const char* what;
        unsigned word;
        std::uint64_t clear, set;
    } cases[] = {
        {"S2AA64 = 0 (qemu.md A6)", 2, std::uint64_t{1} << 51, 0},
        {"S2TG reserved", 2, 0, std::uint64_t{3} << 46},
        {"S2ENDI, big-endian tables", 2, 0, std::uint64_t{1} << 52},
        {"S2T0SZ too large", 2, 0, std::uint64_t{0x3f} << 32},
        {"S2SL0 reserved", 2, 0, std::uint64_t{3} << 38},
        {"S2S without the stall model", 2, 0, std::uint64_t{1} << 57},
    };
    for (const auto& c : cases) {
        Words ste = good;
        ste[c.word] = (ste[c.word] & ~c.clear) | c.set;
        smmu->set_ste(sid, ste);
        EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted) << c.what;
        Record r{};
        EXPECT_TRUE(smmu->next_event(r)) << c.what;
        EXPECT_EQ(number(r), C_BAD_STE) << c.what;
        EXPECT_EQ(stream(r), sid) << c.what;
    }
    smmu->set_ste(sid, good);
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
}

TEST_F(Smmu_3_3_Streams, WithoutHypEveryStreamIsNsEl1)
{
    // qemu.md A9: IDR0.HYP is 0, so STE.STRW is RES0 (SMMU 5.2.2): a stream that says EL2
    // is tagged and invalidated as NS-EL1.
    start();
    smmu->enable();
    stage1();
    Words ste = smmu->ste_stage1(cd_at);
    ste[1] |= 2u << 30;
    smmu->set_ste(sid, ste);
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
    machine->write64(smmu->leaf(table, Granule::K4, iova), 0);
    EXPECT_TRUE(smmu->submit_and_sync({tlbi_nh_asid(0, 1)}));
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    expect_event(F_TRANSLATION);
}

TEST_F(Smmu_3_3_Streams, AStageThatIsNotImplementedIsIllegal)
{
    start("stage=1");
    smmu->enable();
    stage2();
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    expect_event(C_BAD_STE);
}

}  // namespace
