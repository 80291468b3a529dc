// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.3.2 "StreamIDs to Context Descriptors", 5.2 S1DSS, S1Fmt, S1CDMax: PASIDs of
// winiommu-dma are SubstreamIDs.
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;
using namespace qtest::smmuv3;

class Smmu_3_3_2_Substreams : public smmuv3::Test {
protected:
    static constexpr std::uint64_t terminate = 0, bypass = 1, substream0 = 2;

    // A CD of its own for (PASID) with `iova` mapped to target + PASID * 64 KiB.
    Words context(std::uint32_t pasid)
    {
        const std::uint64_t t = smmu->new_table(Granule::K4);
        smmu->map(t, Granule::K4, {iova, where(pasid), 4096, s1_rw});
        return smmu->cd(t, Granule::K4, static_cast<std::uint16_t>(pasid + 1));
    }
    static std::uint64_t where(std::uint32_t pasid)
    {
        return target + std::uint64_t{pasid % 64} * 0x10000;
    }
    // S1Fmt: 0 linear, 1 two-level 4K, 2 two-level 64K.
    void set_table(std::uint64_t cds, unsigned format, unsigned s1cdmax,
                   std::uint64_t s1dss)
    {
        Words ste = smmu->ste_stage1(cds, s1cdmax);
        ste[0] |= std::uint64_t{format} << 4;
        ste[1] = (ste[1] & ~3ull) | s1dss;
        smmu->set_ste(sid, ste);
    }
    std::uint32_t fill_as(std::uint32_t pasid, std::uint64_t value)
    {
        dma->attributes(0, Endpoint::has_pasid | pasid);
        return dma->fill(iova, 8, value);
    }
};

TEST_F(Smmu_3_3_2_Substreams, EachPasidHasItsContext)
{
    start();
    smmu->enable();
    const std::uint64_t cds = smmu->allocate(64 * 4, 256);
    for (std::uint32_t pasid = 0; pasid < 4; ++pasid) {
        smmu->put(cds + 64 * pasid, context(pasid));
    }
    set_table(cds, 0, 2, substream0);
    for (std::uint32_t pasid = 1; pasid < 4; ++pasid) {
        EXPECT_EQ(fill_as(pasid, 0x100 + pasid), Endpoint::done);
        EXPECT_EQ(machine->read64(where(pasid)), 0x100u + pasid);
    }
    dma->attributes(0);
    EXPECT_EQ(dma->fill(iova, 8, 0x100), Endpoint::done) << "no PASID: substream 0";
    EXPECT_EQ(machine->read64(where(0)), 0x100u);
    expect_no_event();
}

TEST_F(Smmu_3_3_2_Substreams, Substream0IsReservedForTrafficWithoutOne)
{
    start();
    smmu->enable();
    const std::uint64_t cds = smmu->allocate(64 * 4, 256);
    smmu->put(cds, context(0));
    set_table(cds, 0, 2, substream0);
    EXPECT_EQ(fill_as(0, 1), Endpoint::aborted);
    expect_event(F_STREAM_DISABLED);
}

TEST_F(Smmu_3_3_2_Substreams, FaultsCarryThePasid)
{
    start();
    smmu->enable();
    const std::uint64_t cds = smmu->allocate(64 * 4, 256);
    smmu->put(cds + 64 * 3, context(3));
    set_table(cds, 0, 2, substream0);
    dma->attributes(0, Endpoint::has_pasid | 3);
    EXPECT_EQ(dma->read(iova + 0x1000, 4), Endpoint::aborted);
    const Record r = expect_event(F_TRANSLATION);
    EXPECT_TRUE(ssv(r));
    EXPECT_EQ(substream(r), 3u);
}

TEST_F(Smmu_3_3_2_Substreams, BeyondTheTableIsBad)
{
    start();
    smmu->enable();
    const std::uint64_t cds = smmu->allocate(64 * 4, 256);
    set_table(cds, 0, 2, substream0);
    EXPECT_EQ(fill_as(4, 1), Endpoint::aborted);
    const Record r = expect_event(C_BAD_SUBSTREAMID);
    EXPECT_EQ(substream(r), 4u);
    EXPECT_EQ(fill_as(0xfffff, 1), Endpoint::aborted);
    expect_event(C_BAD_SUBSTREAMID);
}

TEST_F(Smmu_3_3_2_Substreams, WithoutSubstreamsAPasidIsBad)
{
    start();
    smmu->enable();
    stage1();  // S1CDMax = 0
    EXPECT_EQ(fill_as(1, 1), Endpoint::aborted);
    expect_event(C_BAD_SUBSTREAMID);
}

TEST_F(Smmu_3_3_2_Substreams, WithoutPasidS1dssDecides)
{
    start();
    smmu->enable();
    const std::uint64_t cds = smmu->allocate(64 * 4, 256);
    smmu->put(cds, context(0));
    set_table(cds, 0, 2, bypass);
    EXPECT_EQ(dma->fill(target + 0x20, 8, 0x51), Endpoint::done);
    EXPECT_EQ(machine->read64(target + 0x20), 0x51u) << "stage 1 bypassed";
    set_table(cds, 0, 2, terminate);
    EXPECT_EQ(dma->fill(target, 8, 1), Endpoint::aborted);
    expect_event(F_STREAM_DISABLED);
}

class Smmu_5_4_TwoLevelCds : public Smmu_3_3_2_Substreams,
                             public ::testing::WithParamInterface<unsigned> {};

TEST_P(Smmu_5_4_TwoLevelCds, LeafTablesAreFound)
{
    start("ssid-bits=16");
    smmu->enable();
    const unsigned format = GetParam();  // 1: 64 CDs in 4K, 2: 1024 CDs in 64K
    const unsigned leaf_log2 = format == 1 ? 6 : 10;
    const std::uint64_t l1 = smmu->allocate(8ull << (12 - leaf_log2), 4096);
    const std::uint32_t pasid = (2u << leaf_log2) + 5;
    const std::uint64_t leaf = smmu->allocate(64ull << leaf_log2, 64ull << leaf_log2);
    smmu->put(leaf + 64 * 5, context(pasid));
    machine->write64(l1 + 8 * 2, leaf | 1);
    set_table(l1, format, 12, terminate);
    EXPECT_EQ(fill_as(pasid, 0x99), Endpoint::done);
    EXPECT_EQ(machine->read64(where(pasid)), 0x99u);
    EXPECT_EQ(fill_as(1u << leaf_log2, 1), Endpoint::aborted) << "L1CD not valid";
    expect_event(C_BAD_SUBSTREAMID);
}

INSTANTIATE_TEST_SUITE_P(Formats, Smmu_5_4_TwoLevelCds, ::testing::Values(1u, 2u));

TEST_F(Smmu_3_3_2_Substreams, AsidsOfSubstreamsAreApartInTheTlb)
{
    start();
    smmu->enable();
    const std::uint64_t cds = smmu->allocate(64 * 4, 256);
    for (std::uint32_t pasid = 0; pasid < 4; ++pasid) {
        smmu->put(cds + 64 * pasid, context(pasid));
    }
    set_table(cds, 0, 2, substream0);
    EXPECT_EQ(fill_as(1, 1), Endpoint::done);
    EXPECT_EQ(fill_as(2, 2), Endpoint::done);
    smmu->put(cds + 64 * 1, {});
    smmu->submit_and_sync({cfgi_cd(sid, 1)});
    EXPECT_EQ(fill_as(1, 3), Endpoint::aborted);
    expect_event(C_BAD_CD);
    EXPECT_EQ(fill_as(2, 4), Endpoint::done);
}

}  // namespace
