// SPDX-License-Identifier: GPL-2.0-or-later
// Stage 2 and nesting through the real device: SMMU 5.2 S2 fields, VMSA D8.2, SMMU 3.3.2.
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_Stage2 : public smmuv3::Test {
protected:
    // Stage 1 maps iova to IPA `iova`, stage 2 maps that to `target`; stage 2 also maps
    // the tables of stage 1, all of RAM one to one.
    void nested()
    {
        table = smmu->new_table(Granule::K4);
        smmu->map(table, Granule::K4, {iova, iova, 4096, s1_rw});
        cd_at = smmu->allocate(64, 64);
        smmu->put(cd_at, smmu->cd(table, Granule::K4, 1));
        table2 = smmu->new_stage2_table();
        smmu->map_stage2(table2, {iova, target, 4096, s2_rw});
        // VMSA: level 1 block descriptors of 1 GiB.
        machine->write64(table2 + 8, 0x40000000 | s2_rw | block);
        smmu->set_ste(sid, smmu->ste_nested(cd_at, table2, 7));
    }
};

TEST_F(Smmu_Stage2, DataMovesWhereTheTableSays)
{
    start();
    smmu->enable();
    stage2();
    EXPECT_EQ(dma->fill(iova, 4096, 0xbeef), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 4088), 0xbeefu);
    EXPECT_EQ(dma->read(iova + 4096, 4), Endpoint::aborted);
    const Record r = expect_event(F_TRANSLATION);
    EXPECT_TRUE(s2(r));
    EXPECT_EQ(event_class(r), 2u) << "IN";
    EXPECT_EQ(r[2], iova + 4096) << "InputAddr";
    EXPECT_EQ(r[3] & 0x000ffffffffff000, iova + 4096) << "IPA";
}

TEST_F(Smmu_Stage2, ConcatenatedRootTablesAreOneTable)
{
    // 40 bits of IPA from level 1: two tables of 512 entries side by side.
    start();
    smmu->enable();
    stage2();
    const std::uint64_t high = std::uint64_t{1} << 39 | 0x5000;
    smmu->map_stage2(table2, {high, target + 0x3000, 4096, s2_rw});
    EXPECT_EQ(dma->fill(high, 8, 0x39), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 0x3000), 0x39u);
    EXPECT_EQ(dma->read(std::uint64_t{1} << 40, 4), Endpoint::aborted) << "beyond S2T0SZ";
    EXPECT_TRUE(s2(expect_event(F_TRANSLATION)));
}

TEST_F(Smmu_Stage2, PermissionsHold)
{
    start();
    smmu->enable();
    stage2();
    machine->write64(smmu->leaf_stage2(table2, iova),
                     target | (s2_rw & ~(2ull << 6)) | page);  // S2AP read-only
    smmu->submit_and_sync({tlbi_s12_vmall(7)});
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::aborted);
    Record r = expect_event(F_PERMISSION);
    EXPECT_TRUE(s2(r));
    EXPECT_FALSE(rnw(r));
    machine->write64(smmu->leaf_stage2(table2, iova),
                     target | (s2_rw & ~(1ull << 6)) | page);  // write-only
    smmu->submit_and_sync({tlbi_s12_vmall(7)});
    EXPECT_EQ(dma->fill(iova, 8, 1), Endpoint::done);
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    expect_event(F_PERMISSION);
}

TEST_F(Smmu_Stage2, ExecuteNeverHolds)
{
    start();
    smmu->enable();
    stage2();
    dma->attributes(Endpoint::execute);
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
    machine->write64(smmu->leaf_stage2(table2, iova),
                     target | s2_rw | uxn | page);  // XN[1]
    smmu->submit_and_sync({tlbi_s12_vmall(7)});
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    const Record r = expect_event(F_PERMISSION);
    EXPECT_TRUE(ind(r));
    EXPECT_TRUE(s2(r));
}

TEST_F(Smmu_Stage2, SteWithoutRecordKeepsFaultsToItself)
{
    start();
    smmu->enable();
    stage2();
    Words ste = smmu->ste_stage2(table2, Granule::K4, 7);
    ste[2] &= ~(std::uint64_t{1} << 58);  // S2R
    smmu->set_ste(sid, ste);
    EXPECT_EQ(dma->read(iova + 4096, 4), Endpoint::aborted);
    expect_no_event();
}

TEST_F(Smmu_Stage2, AccessFlagFaultsUnlessDisabled)
{
    start();
    smmu->enable();
    stage2();
    machine->write64(smmu->leaf_stage2(table2, iova), target | (s2_rw & ~af) | page);
    smmu->submit_and_sync({tlbi_s12_vmall(7)});
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    EXPECT_TRUE(s2(expect_event(F_ACCESS)));
    Words ste = smmu->ste_stage2(table2, Granule::K4, 7);
    ste[2] |= std::uint64_t{1} << 53;  // S2AFFD
    smmu->set_ste(sid, ste);
    EXPECT_EQ(dma->read(iova, 4), Endpoint::done);
}

TEST_F(Smmu_Stage2, BothStagesTranslate)
{
    start();
    smmu->enable();
    nested();
    EXPECT_EQ(dma->fill(iova, 4096, 0x1212), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 2048), 0x1212u);
    expect_no_event();
}

TEST_F(Smmu_Stage2, NestedFaultsSayWhichStageAndWhatFor)
{
    start();
    smmu->enable();
    nested();
    EXPECT_EQ(dma->read(iova + 4096, 4), Endpoint::aborted);
    Record r = expect_event(F_TRANSLATION);
    EXPECT_FALSE(s2(r));
    EXPECT_EQ(event_class(r), 2u) << "stage 1: IN";

    machine->write64(smmu->leaf_stage2(table2, iova), 0);
    smmu->submit_and_sync({tlbi_s12_vmall(7)});
    EXPECT_EQ(dma->read(iova + 0x123, 4), Endpoint::aborted);
    r = expect_event(F_TRANSLATION);
    EXPECT_TRUE(s2(r));
    EXPECT_EQ(event_class(r), 2u) << "the input's own IPA: IN";
    EXPECT_EQ(r[2], iova + 0x123);
    EXPECT_EQ(r[3] & 0x000ffffffffff000, iova);

    machine->write64(table2 + 8, 0);  // the memory stage 1's tables are in
    smmu->submit_and_sync({tlbi_s12_vmall(7)});
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    r = expect_event(F_TRANSLATION);
    EXPECT_TRUE(s2(r));
    EXPECT_EQ(event_class(r), 1u) << "a stage 1 table: TT";

    smmu->submit_and_sync({cfgi_ste(sid)});
    EXPECT_EQ(dma->read(iova, 4), Endpoint::aborted);
    r = expect_event(F_TRANSLATION);
    EXPECT_TRUE(s2(r));
    EXPECT_EQ(event_class(r), 0u) << "the CD: CD";
    EXPECT_EQ(r[3] & 0x000ffffffffff000, cd_at & ~0xfffull);
}

TEST_F(Smmu_Stage2, ByIpaInvalidationReachesStage2)
{
    start();
    smmu->enable();
    stage2();
    machine->write64(target + 0x1000, 0x77);
    EXPECT_EQ(dma->compare(iova, 8, 0), Endpoint::done);
    machine->write64(smmu->leaf_stage2(table2, iova), (target + 0x1000) | s2_rw | page);
    smmu->submit_and_sync({tlbi_s2_ipa(8, iova)});
    EXPECT_EQ(dma->compare(iova, 8, 0), Endpoint::done) << "another VMID";
    smmu->submit_and_sync({tlbi_s2_ipa(7, iova)});
    EXPECT_EQ(dma->compare(iova, 8, 0x77), Endpoint::done);
}

TEST_F(Smmu_Stage2, InvalidatingABlockByVaForgetsAllOfIt)
{
    // qemu.md A7: a stage 1 block of 2 MiB over stage 2 pages of 4 KiB; TLBI_NH_VA of one
    // address must take the siblings along.
    start();
    smmu->enable();
    nested();
    const std::uint64_t va = std::uint64_t{8} << 30, ipa = std::uint64_t{16} << 30;
    smmu->map_block_2m(table, {va, ipa, 0, s1_rw});
    smmu->map_stage2(table2, {ipa, target, 0x4000, s2_rw});
    smmu->submit_and_sync({tlbi_s12_vmall(7)});
    EXPECT_EQ(dma->fill(va, 0x4000, 0x1), Endpoint::done) << "all four pages are cached";

    const std::uint64_t other = std::uint64_t{24} << 30;
    smmu->map_stage2(table2, {other, target + 0x10000, 0x4000, s2_rw});
    smmu->map_block_2m(table, {va, other, 0, s1_rw});
    smmu->submit_and_sync({tlbi_nh_va(7, 1, va + 0x1000)});
    for (std::uint64_t at = 0; at < 0x4000; at += 0x1000) {
        EXPECT_EQ(dma->compare(va + at, 8, 0), Endpoint::done) << at;
    }
}

TEST_F(Smmu_Stage2, InvalidatingAnIpaReachesNestedEntries)
{
    // SMMU 4.4.3: after TLBI_S2_IPA a TLBI_NH_ALL (or VA) is needed for combined entries.
    start();
    smmu->enable();
    nested();
    EXPECT_EQ(dma->fill(iova, 8, 0x5), Endpoint::done);
    machine->write64(smmu->leaf_stage2(table2, iova), (target + 0x1000) | s2_rw | page);
    smmu->submit_and_sync({tlbi_s2_ipa(7, iova), tlbi_nh_all(7)});
    EXPECT_EQ(dma->fill(iova, 8, 0x6), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 0x1000), 0x6u);
}

class Smmu_Stage2_Granule : public Smmu_Stage2,
                            public ::testing::WithParamInterface<Granule> {};

TEST_P(Smmu_Stage2_Granule, OtherGranules)
{
    start();
    smmu->enable();
    const Granule g = GetParam();
    const unsigned page_log2 = unsigned(g), stride = page_log2 - 3;
    // Start at level 2 (S2SL0 = 1 for 16K and 64K) with 2^stride entries: one table.
    const unsigned input_bits = page_log2 + 2 * stride;
    const std::uint64_t size = 1ull << page_log2;
    const std::uint64_t root = smmu->allocate(size, size),
                        last = smmu->allocate(size, size);
    const std::uint64_t ipa = 3 * size;
    machine->write64(root, last | 3);
    machine->write64(last + 8 * 3, target | s2_rw | page);
    Words ste = smmu->ste_stage2(root, g, 7);
    ste[2] = (ste[2] & ~(0x3full << 32)) | std::uint64_t{64 - input_bits} << 32;
    smmu->set_ste(sid, ste);
    EXPECT_EQ(dma->fill(ipa + 0x40, 64, 0x31), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 0x40), 0x31u);
}

INSTANTIATE_TEST_SUITE_P(Granules, Smmu_Stage2_Granule,
                         ::testing::Values(Granule::K16, Granule::K64));

}  // namespace
