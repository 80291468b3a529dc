// SPDX-License-Identifier: GPL-2.0-or-later
// Stage 1 through the real device: SMMU 5.4 "Context Descriptor", VMSA D8 tables, and
// what the caches may keep.
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_Stage1 : public smmuv3::Test {
protected:
    void set_cd(std::uint64_t clear, std::uint64_t set)
    {
        Words cd = smmu->cd(table, Granule::K4, 1);
        cd[0] = (cd[0] & ~clear) | set;
        smmu->put(cd_at, cd);
        smmu->submit_and_sync({cfgi_cd(sid, 0), tlbi_nh_all(0)});
    }
    void set_leaf(std::uint64_t descriptor)
    {
        machine->write64(smmu->leaf(table, Granule::K4, iova), descriptor);
        smmu->submit_and_sync({tlbi_nh_va(0, 1, iova)});
    }
};

class Smmu_Stage1_Granule : public Smmu_Stage1,
                            public ::testing::WithParamInterface<Granule> {};

TEST_P(Smmu_Stage1_Granule, DataMovesWhereTheTableSays)
{
    start();
    smmu->enable();
    stage1(GetParam());
    const std::uint64_t page_mask = (1ull << unsigned(GetParam())) - 1;
    const std::uint64_t first = iova & ~page_mask, there = target & ~page_mask;
    EXPECT_EQ(dma->fill(first, static_cast<std::uint32_t>(page_mask + 1), 0xabcd),
              Endpoint::done);
    EXPECT_EQ(machine->read64(there), 0xabcdu);
    EXPECT_EQ(machine->read64(there + page_mask - 7), 0xabcdu);
    EXPECT_EQ(dma->compare(first, static_cast<std::uint32_t>(page_mask + 1), 0xabcd),
              Endpoint::done);
    expect_no_event();
    EXPECT_EQ(dma->read(first + page_mask + 1, 4), Endpoint::aborted);
    const Record r = expect_event(F_TRANSLATION);
    EXPECT_EQ(r[2], first + page_mask + 1);
}

INSTANTIATE_TEST_SUITE_P(Granules, Smmu_Stage1_Granule,
                         ::testing::Values(Granule::K4, Granule::K16, Granule::K64));

TEST_F(Smmu_Stage1, PermissionsHoldAlsoOnCachedTranslations)
{
    start();
    smmu->enable();
    stage1(Granule::K4, s1_rw | read_only);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::aborted);
    const Record r = expect_event(F_PERMISSION);
    EXPECT_FALSE(rnw(r));
    EXPECT_EQ(machine->read64(target), 0u);
}

TEST_F(Smmu_Stage1, TablePermissionsHoldAlsoOnCachedTranslations)
{
    // qemu.md A3: APTable read-only, a read first, then a write.
    start();
    smmu->enable();
    stage1();
    const std::uint64_t root = table + 8 * (iova >> 39 & 0x1ff);
    machine->write64(root, machine->read64(root) | std::uint64_t{2} << 61);
    smmu->submit_and_sync({tlbi_nh_all(0)});
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::aborted);
    expect_event(F_PERMISSION);
    EXPECT_EQ(machine->read64(target), 0u);
}

TEST_F(Smmu_Stage1, HierarchicalPermissionsCanBeSwitchedOff)
{
    start();
    smmu->enable();
    stage1();
    const std::uint64_t root = table + 8 * (iova >> 39 & 0x1ff);
    machine->write64(root, machine->read64(root) | std::uint64_t{2} << 61);
    Words cd = smmu->cd(table, Granule::K4, 1);
    cd[1] |= 2;  // HAD0
    smmu->put(cd_at, cd);
    smmu->submit_and_sync({cfgi_cd(sid, 0), tlbi_nh_all(0)});
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::done);
}

TEST_F(Smmu_Stage1, PrivilegeOfTheAccessCounts)
{
    start();
    smmu->enable();
    stage1(Granule::K4, s1_rw & ~user);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::aborted);
    Record r = expect_event(F_PERMISSION);
    EXPECT_FALSE(pnu(r));
    EXPECT_TRUE(rnw(r));
    dma->attributes(Endpoint::privileged);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    set_leaf(target | (s1_rw & ~user) | read_only | page);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::aborted);
    r = expect_event(F_PERMISSION);
    EXPECT_TRUE(pnu(r));
    EXPECT_FALSE(rnw(r));
}

TEST_F(Smmu_Stage1, InstructionFetchesObeyExecuteNever)
{
    start();
    smmu->enable();
    stage1(Granule::K4, s1_rw | read_only);
    dma->attributes(Endpoint::execute);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
    set_leaf(target | s1_rw | read_only | uxn | page);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::aborted);
    const Record r = expect_event(F_PERMISSION);
    EXPECT_TRUE(ind(r));
    EXPECT_TRUE(rnw(r));
    dma->attributes(0);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done) << "as data";
}

TEST_F(Smmu_Stage1, AccessFlagFaultsUnlessDisabled)
{
    start();
    smmu->enable();
    stage1(Granule::K4, s1_rw & ~af);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::aborted);
    expect_event(F_ACCESS);
    set_cd(0, std::uint64_t{1} << 35);  // AFFD
    EXPECT_EQ(dma->read(iova, 8), Endpoint::done);
}

TEST_F(Smmu_Stage1, OutputBeyondIpsIsAnAddressSizeFault)
{
    start();
    smmu->enable();
    stage1();
    set_cd(std::uint64_t{7} << 32, 0);  // IPS: 32 bits
    set_leaf(0x1'0000'0000 | s1_rw | page);
    EXPECT_EQ(dma->read(iova, 8), Endpoint::aborted);
    expect_event(F_ADDR_SIZE);
}

TEST_F(Smmu_Stage1, EveryIpsValueIsSurvived)
{
    // qemu.md A5: 6 and 7 are 52 bits and reserved.
    start();
    smmu->enable();
    stage1();
    for (std::uint64_t ips = 0; ips < 8; ++ips) {
        set_cd(std::uint64_t{7} << 32, ips << 32);
        dma->read(iova, 8);
        ASSERT_TRUE(machine->alive()) << "IPS " << ips;
        EXPECT_NE(dma->r32(0x14), Endpoint::busy);
    }
}

TEST_F(Smmu_Stage1, UpperRangeUsesTtb1)
{
    start();
    smmu->enable();
    stage1();
    const std::uint64_t upper = 0xffff'0000'0000'0000;
    const std::uint64_t table1 = smmu->new_table(Granule::K4);
    smmu->map(table1, Granule::K4, {0x5000, target + 0x1000, 4096, s1_rw});
    EXPECT_EQ(dma->read(upper + 0x5000, 4), Endpoint::aborted) << "EPD1";
    expect_event(F_TRANSLATION);
    Words cd = smmu->cd(table, Granule::K4, 1);
    // T1SZ = 16, TG1 = 0b10 (4K), cacheable and inner shareable; EPD1 off.
    cd[0] = (cd[0] & ~(std::uint64_t{1} << 30)) | 16u << 16 | 2u << 22 | 1u << 24 |
            1u << 26 | 3u << 28;
    cd[2] = table1;
    smmu->put(cd_at, cd);
    smmu->submit_and_sync({cfgi_cd(sid, 0), tlbi_nh_all(0)});
    EXPECT_EQ(dma->fill(upper + 0x5000, 8, 0x99), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 0x1000), 0x99u);
}

TEST_F(Smmu_Stage1, TopByteIsIgnoredPerRange)
{
    // qemu.md A10: TBI0 and TBI1 are told apart.
    start();
    smmu->enable();
    stage1();
    const std::uint64_t tagged = std::uint64_t{0x5a} << 56 | iova;
    EXPECT_EQ(dma->read(tagged, 4), Endpoint::aborted);
    Record r = expect_event(F_TRANSLATION);
    EXPECT_EQ(r[2], tagged);
    set_cd(0, std::uint64_t{1} << 39);  // TBI1 only
    EXPECT_EQ(dma->read(tagged, 4), Endpoint::aborted);
    expect_event(F_TRANSLATION);
    set_cd(0, std::uint64_t{1} << 38);  // TBI0
    EXPECT_EQ(dma->read(tagged, 4), Endpoint::done);
}

TEST_F(Smmu_Stage1, BlocksMapTheirWholeSize)
{
    start();
    smmu->enable();
    stage1();
    const std::uint64_t big = std::uint64_t{4} << 30;
    smmu->map_block_2m(table, {big, target & ~0x1fffffull, 0, s1_rw});
    EXPECT_EQ(dma->fill(big + 0x1ff000, 4096, 0x2a), Endpoint::done);
    EXPECT_EQ(machine->read64((target & ~0x1fffffull) + 0x1ffff8), 0x2au);
}

TEST_F(Smmu_Stage1, InputBeyondT0szIsATranslationFault)
{
    start();
    smmu->enable();
    stage1();
    EXPECT_EQ(dma->read(std::uint64_t{1} << 48, 4), Endpoint::aborted);
    const Record r = expect_event(F_TRANSLATION);
    EXPECT_EQ(r[2], std::uint64_t{1} << 48);
}

TEST_F(Smmu_Stage1, TableOutsideMemoryIsAnExternalAbort)
{
    start();
    smmu->enable();
    stage1();
    const std::uint64_t root = table + 8 * (iova >> 39 & 0x1ff);
    machine->write64(root, no_memory | 3);
    smmu->submit_and_sync({tlbi_nh_all(0)});
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    const Record r = expect_event(F_WALK_EABT);
    EXPECT_EQ(r[3] & 0x000ffffffffffff8, no_memory + 8 * (iova >> 30 & 0x1ff));
    EXPECT_EQ(event_class(r), 1u) << "TT";
}

TEST_F(Smmu_Stage1, CdOutsideMemoryIsAFetchFault)
{
    start();
    smmu->enable();
    smmu->set_ste(sid, smmu->ste_stage1(no_memory));
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    const Record r = expect_event(F_CD_FETCH);
    EXPECT_EQ(r[3] & 0x000fffffffffffc0, no_memory);
}

TEST_F(Smmu_Stage1, IllegalCdsAreBad)
{
    start();
    smmu->enable();
    stage1();
    const struct {
        const char* what;
        std::uint64_t clear, set;
    } cases[] = {
        {"V = 0", std::uint64_t{1} << 31, 0},
        {"AA64 = 0", std::uint64_t{1} << 41, 0},
        {"ENDI", 0, 1u << 15},
        {"S without the stall model", 0, std::uint64_t{1} << 44},
        {"HA without HTTU", 0, std::uint64_t{1} << 43},
        {"TG0 reserved", 0, 3u << 6},
    };
    for (const auto& c : cases) {
        set_cd(c.clear, c.set);
        EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted) << c.what;
        Record r{};
        EXPECT_TRUE(smmu->next_event(r)) << c.what;
        EXPECT_EQ(number(r), C_BAD_CD) << c.what;
    }
    set_cd(0, 0);
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
}

TEST_F(Smmu_Stage1, CdWithoutRecordKeepsFaultsToItself)
{
    start();
    smmu->enable();
    stage1();
    set_cd(std::uint64_t{1} << 45, 0);  // CD.R
    EXPECT_EQ(dma->read(iova + 0x10000, 4), Endpoint::aborted);
    expect_no_event();
}

TEST_F(Smmu_Stage1, CdWithoutAbortReadsZero)
{
    // SMMU 3.12.1: CD.A = 0 is RAZ/WI, where TERM_MODEL allows it; here it must not be
    // legal.
    start();
    smmu->enable();
    stage1();
    set_cd(std::uint64_t{1} << 46, 0);
    const bool term_model_abort_only = smmu->r32(IDR0) >> 26 & 1;
    dma->read(iova + 0x10000, 4);
    if (term_model_abort_only) {
        expect_event(C_BAD_CD);
    } else {
        EXPECT_EQ(dma->r32(0x14), Endpoint::done) << "RAZ/WI";
    }
}

TEST_F(Smmu_Stage1, TranslationsStayCachedUntilInvalidated)
{
    start();
    smmu->enable();
    stage1();
    machine->write64(target, 0x1111);
    machine->write64(target + 0x1000, 0x2222);
    EXPECT_EQ(dma->compare(iova, 8, 0x1111), Endpoint::done);
    machine->write64(smmu->leaf(table, Granule::K4, iova),
                     (target + 0x1000) | s1_rw | page);
    EXPECT_EQ(dma->compare(iova, 8, 0x1111), Endpoint::done) << "stale, as it may be";
    smmu->submit_and_sync({tlbi_nh_va(0, 2, iova)});
    EXPECT_EQ(dma->compare(iova, 8, 0x1111), Endpoint::done) << "another ASID";
    smmu->submit_and_sync({tlbi_nh_va(0, 1, iova)});
    EXPECT_EQ(dma->compare(iova, 8, 0x2222), Endpoint::done);
}

TEST_F(Smmu_Stage1, WithTlbOffNothingIsStale)
{
    start("tlb=off");
    smmu->enable();
    stage1();
    machine->write64(target + 0x1000, 0x2222);
    EXPECT_EQ(dma->compare(iova, 8, 0), Endpoint::done);
    machine->write64(smmu->leaf(table, Granule::K4, iova),
                     (target + 0x1000) | s1_rw | page);
    EXPECT_EQ(dma->compare(iova, 8, 0x2222), Endpoint::done);
}

TEST_F(Smmu_Stage1, EachInvalidationReachesItsTranslations)
{
    start();
    smmu->enable();
    stage1();
    const Command commands[] = {tlbi_nh_all(0), tlbi_nh_asid(0, 1),
                                tlbi_nh_va(0, 1, iova), tlbi_nh_vaa(0, iova),
                                tlbi_nsnh_all()};
    const std::uint64_t leaf = smmu->leaf(table, Granule::K4, iova);
    std::uint64_t expected = 0x100;
    for (const Command& c : commands) {
        machine->write64(leaf, target | s1_rw | page);
        smmu->submit_and_sync({tlbi_nsnh_all()});
        EXPECT_EQ(dma->fill(iova, 8, ++expected), Endpoint::done);
        machine->write64(leaf, 0);
        EXPECT_EQ(dma->compare(iova, 8, expected), Endpoint::done);
        EXPECT_TRUE(smmu->submit_and_sync({c}));
        EXPECT_EQ(dma->read(iova, 8), Endpoint::aborted) << std::hex << c[0];
        expect_event(F_TRANSLATION);
    }
}

TEST_F(Smmu_Stage1, RangeInvalidationReachesTheWholeRange)
{
    // SMMU 4.4.1.1: (NUM + 1) * 2^SCALE pages of TG.
    start();
    smmu->enable();
    stage1();
    const std::uint64_t first = iova & ~0xfffffull;
    smmu->map(table, Granule::K4, {first, target, 0x20000, s1_rw});
    EXPECT_EQ(dma->fill(first, 0x20000, 1), Endpoint::done);
    for (std::uint64_t at = 0; at < 0x20000; at += 0x1000) {
        machine->write64(smmu->leaf(table, Granule::K4, first + at), 0);
    }
    // Pages 0 to 15: NUM 7, SCALE 1, TG 4K, ASID 1.
    const Command range = {0x12 | 7ull << 12 | 1ull << 20 | 1ull << 48, first | 1u << 10};
    EXPECT_TRUE(smmu->submit_and_sync({range}));
    EXPECT_EQ(dma->read(first, 4), Endpoint::aborted);
    EXPECT_EQ(dma->read(first + 0xf000, 4), Endpoint::aborted);
    EXPECT_EQ(dma->read(first + 0x10000, 4), Endpoint::done) << "outside the range";
}

TEST_F(Smmu_Stage1, DeviceMemoryCanBeATarget)
{
    start();
    smmu->enable();
    stage1();
    // The function's own BAR2, through the SMMU.
    set_leaf(dma->buffer() | s1_rw | page);
    EXPECT_EQ(dma->fill(iova, 64, 0x4242), Endpoint::done);
    EXPECT_EQ(machine->read64(dma->buffer() + 8), 0x4242u);
}

}  // namespace
