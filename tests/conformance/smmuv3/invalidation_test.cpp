// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 4.4 "TLB invalidation": through the command queue, seen by DMA.
#include "tests/conformance/smmuv3/rig.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint64_t other_page = page_at + 0x1000;
constexpr std::uint64_t vmid = 7ull << 32, asid = 0x5aull << 48;
constexpr std::uint64_t NH_ALL = 0x10, NH_ASID = 0x11, NH_VA = 0x12, NH_VAA = 0x13,
                        S12_VMALL = 0x28, S2_IPA = 0x2a, NSNH_ALL = 0x30;
constexpr std::uint64_t TG4K = 1 << 10, TTL3 = 3 << 8, LEAF = 1;

struct Step {
    const char* what;
    std::uint64_t low, high;
};

// A translation is cached; the table changes; each command makes the change seen.
template <typename Map, typename Remap>
void each_reaches(std::initializer_list<Step> commands, Map map, Remap remap)
{
    for (const auto& c : commands) {
        Rig rig(true);
        map(rig);
        ASSERT_EQ(rig.read(0x1008), page_at + 8) << c.what;
        remap(rig);
        ASSERT_EQ(rig.read(0x1008), page_at + 8) << c.what << ": stale until invalidated";
        rig.submit(c.low, c.high);
        EXPECT_EQ(rig.read(0x1008), other_page + 8) << c.what;
        EXPECT_EQ(rig.active_errors(), 0u);
    }
}

// These do not name the translation and leave it where it is.
template <typename Map, typename Remap>
void none_reaches(std::initializer_list<Step> commands, Map map, Remap remap)
{
    for (const auto& c : commands) {
        Rig rig(true);
        map(rig);
        ASSERT_EQ(rig.read(0x1008), page_at + 8) << c.what;
        remap(rig);
        rig.submit(c.low, c.high);
        EXPECT_EQ(rig.read(0x1008), page_at + 8) << c.what;
    }
}

const auto remap_s1 = [](Rig& r) { r.words(s1_at + 0x2008, {other_page | S1_RW | nG}); };
const auto remap_s2 = [](Rig& r) { r.words(s2_at + 0x2008, {other_page | S2_RW}); };

}  // namespace

TEST(Smmu_4_4_Tlbi, Stage1ByVaAsidVmidAndAll)
{
    const auto map = [](Rig& r) { r.stage1(page_at | S1_RW | nG); };
    each_reaches(
        {
            {"NH_ALL", NH_ALL | vmid, 0},
            {"NH_ASID", NH_ASID | vmid | asid, 0},
            {"NH_VA", NH_VA | vmid | asid, 0x1000},
            {"NH_VA, leaf", NH_VA | vmid | asid, 0x1000 | LEAF},
            {"NH_VA, 4K level 3", NH_VA | vmid | asid, 0x1000 | TG4K | TTL3 | LEAF},
            {"NH_VA, range of 2 from below", NH_VA | vmid | asid | 1 << 12, TG4K | TTL3},
            {"NH_VA, range of 512", NH_VA | vmid | asid | 7 << 12 | 6 << 20, TG4K},
            {"NH_VAA", NH_VAA | vmid, 0x1000},
            {"S12_VMALL", S12_VMALL | vmid, 0},
            {"NSNH_ALL", NSNH_ALL, 0},
        },
        map, remap_s1);
    none_reaches(
        {
            {"NH_VA of another page", NH_VA | vmid | asid, 0x2000},
            {"NH_VA of another ASID", NH_VA | vmid | 0x5bull << 48, 0x1000},
            {"NH_VA of another VMID", NH_VA | 8ull << 32 | asid, 0x1000},
            {"NH_VA, range that begins after", NH_VA | vmid | asid | 1 << 12,
             0x2000 | TG4K | TTL3},
            {"NH_ASID of another ASID", NH_ASID | vmid | 0x5bull << 48, 0},
            {"NH_ALL of another VMID", NH_ALL | 8ull << 32, 0},
            {"S12_VMALL of another VMID", S12_VMALL | 8ull << 32, 0},
        },
        map, remap_s1);
}

TEST(Smmu_4_4_2_4_NhVa, ReachesGlobalEntriesFromAnyAsid)
{
    each_reaches(
        {{"NH_VA", NH_VA | vmid | 0x1234ull << 48, 0x1000}},
        [](Rig& r) { r.stage1(page_at | S1_RW); }, remap_s1);
}

TEST(Smmu_4_4_3_Tlbi, Stage2ByIpaVmidAndAll)
{
    const auto map = [](Rig& r) { r.stage2(); };
    each_reaches(
        {
            {"S2_IPA", S2_IPA | vmid, 0x1000},
            {"S2_IPA, leaf", S2_IPA | vmid, 0x1000 | LEAF},
            {"S2_IPA, range", S2_IPA | vmid | 1 << 12, TG4K | TTL3},
            {"S12_VMALL", S12_VMALL | vmid, 0},
            {"NSNH_ALL", NSNH_ALL, 0},
        },
        map, remap_s2);
    none_reaches(
        {
            {"S2_IPA of another page", S2_IPA | vmid, 0x2000},
            {"S2_IPA of another VMID", S2_IPA | 8ull << 32, 0x1000},
            {"S12_VMALL of another VMID", S12_VMALL | 8ull << 32, 0},
        },
        map, remap_s2);
}

TEST(Smmu_4_4_Tlbi, NestedByEither)
{
    const auto map = [](Rig& r) { r.nested(); };
    const auto remap = [](Rig& r) { r.map_s2(Rig::ipa, other_page | S2_RW); };
    each_reaches(
        {
            {"NH_VA", NH_VA | vmid | asid, 0x1000},
            {"NH_ALL", NH_ALL | vmid, 0},
            {"S12_VMALL", S12_VMALL | vmid, 0},
            {"NSNH_ALL", NSNH_ALL, 0},
        },
        map, remap);
    none_reaches({{"NH_VA of another page", NH_VA | vmid | asid, 0x2000},
                  {"S2_IPA of another page", S2_IPA | vmid, Rig::ipa + 0x1000}},
                 map, remap);
}

// QEMU leaves what it cached of a stage 1 block over smaller stage 2 pages.
TEST(Smmu_4_4_2_4_NhVa, OneAddressOfAStage1BlockEndsAllOfIt)
{
    Rig rig(true);
    rig.ste(config_nested);
    rig.map_s1(0x1000, 0);
    // Level 2: a 2 MiB block, backed page by page.
    rig.words(s1_at + 0x1000, {Rig::ipa >> 21 << 21 | BLOCK | AF | AP_EL0 | nG});
    rig.map_s2_for_tables();
    const auto block = Rig::ipa >> 21 << 21;
    ASSERT_EQ(block, ram_base);
    const auto before = rig.host.load64(Gpa{s2_at + 0x2000 + 0x90 * 8});
    for (const unsigned page : {0x90u, 0x91u, 0x1f0u}) {
        rig.map_s2(block + page * 0x1000, page_at | S2_RW);
    }
    ASSERT_EQ(before, 0u);
    rig.enable();
    for (const unsigned page : {0x90u, 0x91u, 0x1f0u}) {
        ASSERT_EQ(rig.read(page * 0x1000), page_at);
    }
    rig.words(s1_at + 0x1000, {0});  // the block goes away
    rig.submit(NH_VA | vmid | asid, 0x9'0000);
    for (const unsigned page : {0x90u, 0x91u, 0x1f0u}) {
        EXPECT_FALSE(rig.read(page * 0x1000)) << std::hex << page;
    }
}

TEST(Smmu_4_4_Tlbi, OneAddressOfABlockOrContiguousRunEndsAllOfIt)
{
    for (const bool contiguous : {false, true}) {
        Rig rig(true);
        rig.stage1();
        if (contiguous) {
            for (unsigned i = 0; i < 16; ++i) {
                rig.words(s1_at + 0x2000 + i * 8,
                          {(page_at + i * 0x1000) | S1_RW | nG | CONTIG});
            }
        } else {
            rig.words(s1_at + 0x1000, {ram_base | BLOCK | AF | AP_EL0 | nG});
        }
        ASSERT_TRUE(rig.read(0x1000));
        ASSERT_TRUE(rig.read(0xf000));
        rig.words(s1_at + 0x1000, {0});
        ASSERT_TRUE(rig.read(0xf000));
        rig.submit(NH_VA | vmid | asid, 0x3000);
        EXPECT_FALSE(rig.read(0x1000));
        EXPECT_FALSE(rig.read(0xf000));
    }
}

TEST(Tlb, OffWalksEveryTime)
{
    Rig rig(false);
    rig.stage1();
    ASSERT_EQ(rig.read(0x1000), page_at);
    remap_s1(rig);
    EXPECT_EQ(rig.read(0x1000), other_page);
}

TEST(Smmu_6_3_9_6_SMMUEN, TurningItOffAndOnReadsTheConfigurationAgain)
{
    Rig rig(true);
    rig.stage1();
    ASSERT_EQ(rig.read(0x1000), page_at);
    rig.disable();
    EXPECT_EQ(rig.read(0x1000), 0x1000u);
    rig.ste(config_bypass);
    rig.enable();
    EXPECT_EQ(rig.read(0x5000), 0x5000u);
}

TEST(Bypass, IsAnnouncedWhenAnSteStartsOrCeasesToBypass)
{
    Rig rig(true);
    int cookie = 0;
    rig.stage1();
    rig.smmu.stream(Rig::sid, &cookie);
    rig.host.bypass_changes.clear();
    rig.ste(config_bypass);
    rig.submit(0x03 | std::uint64_t{Rig::sid} << 32, 1);
    EXPECT_EQ(rig.host.bypass_changes, std::vector<StreamCookie>{&cookie});
    EXPECT_TRUE(rig.smmu.stream(Rig::sid, nullptr)->bypassed());
    rig.submit(0x03 | std::uint64_t{Rig::sid} << 32, 1);
    EXPECT_EQ(rig.host.bypass_changes.size(), 1u);
    rig.ste(config_s1);
    rig.submit(0x04, 31);
    EXPECT_EQ(rig.host.bypass_changes.size(), 2u);
    EXPECT_FALSE(rig.smmu.stream(Rig::sid, nullptr)->bypassed());
}
