// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 3.4, 5.4 and DDI 0487 D8.2, D8.3: where an access ends up, over tables of raw
// words.
#include "tests/conformance/smmuv3/rig.hpp"

using namespace iommu;
using namespace iommu::test;

using Smmu_5_4_Translation = Conformance;
INSTANTIATE_TEST_SUITE_P(Tlb, Smmu_5_4_Translation, testing::Bool());

namespace {

constexpr std::uint64_t low_page = page_at, high_page = page_at + 0x1000;
constexpr std::uint64_t TBI0 = 1ull << 38, TBI1 = 1ull << 39, EPD0 = 1ull << 14,
                        EPD1 = 1ull << 30;
// T1SZ 25 in [21:16], TG1 4K is 0b10 in [23:22].
constexpr std::uint64_t both_halves = (cd_word0 & ~EPD1) | 25ull << 16 | 2ull << 22;
constexpr std::uint64_t high_va = 0xffff'ff80'0000'1000;  // the lowest of 39 bits, page 1

// 0x1000 to low_page by TTB0; the same page of the upper half to high_page by TTB1.
void two_halves(Rig& rig, std::uint64_t word0)
{
    constexpr std::uint64_t upper_at = ram_base + 0x6'0000;
    rig.disable();
    rig.ste(config_s1);
    rig.map_s1(0x1000, low_page | S1_RW);
    rig.words(cd_at, {word0, s1_at, upper_at});
    rig.words(upper_at, {(upper_at + 0x1000) | TABLE});
    rig.words(upper_at + 0x1000, {(upper_at + 0x2000) | TABLE});
    rig.words(upper_at + 0x2008, {high_page | S1_RW});
    rig.submit(0x30);
    rig.enable();
}

constexpr std::uint64_t tagged(std::uint64_t va, std::uint64_t tag)
{
    return (va & 0x00ff'ffff'ffff'ffff) | tag << 56;
}

}  // namespace

TEST_P(Smmu_5_4_Translation, Va55ChoosesTheHalf)
{
    two_halves(rig, both_halves);
    EXPECT_EQ(rig.read(0x1234), low_page + 0x234);
    EXPECT_EQ(rig.read(high_va + 0x234), high_page + 0x234);
    // Below the upper half's 39 bits.
    EXPECT_FALSE(rig.read(high_va - (1ull << 39)));
    EXPECT_EQ(rig.record()[0] & 0xff, 0x10u);
    two_halves(rig, both_halves | EPD0);
    EXPECT_FALSE(rig.read(0x1000));
    EXPECT_EQ(rig.record()[0] & 0xff, 0x10u);
    EXPECT_EQ(rig.read(high_va), high_page);
}

// QEMU asks TBI0 for both halves.
TEST_P(Smmu_5_4_Translation, EachHalfHasItsOwnTopByteIgnore)
{
    const struct {
        std::uint64_t bits;
        bool low, high;
    } cases[] = {{0, false, false},
                 {TBI0, true, false},
                 {TBI1, false, true},
                 {TBI0 | TBI1, true, true}};
    for (const auto& c : cases) {
        two_halves(rig, both_halves | c.bits);
        for (const std::uint64_t tag : {0x01, 0x5a, 0xfe}) {
            EXPECT_EQ(rig.read(tagged(0x1000, tag)).has_value(), c.low) << tag;
            EXPECT_EQ(rig.read(tagged(high_va, tag)).has_value(), c.high) << tag;
        }
        rig.w32(EVENTQ_CONS, rig.r32(EVENTQ_PROD));
        EXPECT_EQ(rig.read(0x1000), low_page);
        EXPECT_EQ(rig.read(high_va), high_page);
    }
}

TEST_P(Smmu_5_4_Translation, TheInputAddressIsRecordedWithItsTag)
{
    two_halves(rig, both_halves | TBI0);
    const auto va = tagged(0x2008, 0x5a);
    EXPECT_FALSE(rig.read(va));
    EXPECT_EQ(rig.record(), (Words{E_word0 | 0x10, E_RnW | E_CLASS_IN, va, 0}));
}

// 39 bits of input: 4K tables start at level 1, 16K at level 2 (36 + 3 bits), 64K at
// level 2.
TEST_P(Smmu_5_4_Translation, GranulesOf16KAnd64K)
{
    const struct {
        std::uint64_t tg0;
        unsigned page_shift, level2_shift;
        std::uint64_t pages_at;
    } granules[] = {{2, 14, 25, ram_base + 0xa'0000}, {1, 16, 29, ram_base + 0xa'0000}};
    for (const auto& g : granules) {
        const std::uint64_t l2_at = ram_base + 0x7'0000, l3_at = ram_base + 0xb'0000;
        // T0SZ 28.
        const auto word0 = (cd_word0 & ~63ull) | 28 | g.tg0 << 6;
        const std::uint64_t va = 3ull << g.level2_shift | 5ull << g.page_shift | 0x123;
        rig.disable();
        rig.ste(config_s1);
        rig.words(cd_at, {word0, l2_at});
        rig.words(l2_at + 3 * 8, {l3_at | TABLE});
        rig.words(l3_at + 5 * 8, {g.pages_at | S1_RW});
        // A block beside it: bit 1 of the descriptor is 0.
        rig.words(l2_at + 4 * 8,
                  {(ram_base >> g.level2_shift << g.level2_shift) | BLOCK | AF | AP_EL0});
        rig.submit(0x30);
        rig.enable();
        EXPECT_EQ(rig.read(va), g.pages_at + 0x123) << g.page_shift;
        EXPECT_EQ(rig.read(va | 0x3000), g.pages_at + 0x3123) << g.page_shift;
        const auto inside = (1ull << g.level2_shift) - 0x1000;
        EXPECT_EQ(rig.read(4ull << g.level2_shift | inside),
                  (ram_base >> g.level2_shift << g.level2_shift) + inside);
        EXPECT_FALSE(rig.read(va + (1ull << g.page_shift)));
        EXPECT_EQ(rig.record()[0] & 0xff, 0x10u);
    }
}

TEST_P(Smmu_5_4_Translation, TheAnswerCoversTheWholeBlock)
{
    rig.stage1();
    rig.words(s1_at + 0x1000, {ram_base | BLOCK | AF | AP_EL0 | AP_RO});
    Translation out;
    auto* stream = rig.smmu.stream(Rig::sid, nullptr);
    ASSERT_EQ(stream->translate({Iova{0x12'3456}}, out), Stream::Result::Ok);
    EXPECT_EQ(out.output, Gpa{ram_base + 0x12'3456});
    EXPECT_EQ(out.mask, 0x1f'ffffu);
    EXPECT_TRUE(out.read);
    EXPECT_FALSE(out.write);
}

// DDI 0487 D8.2.2: up to 16 tables of the start level side by side.
TEST_P(Smmu_5_4_Translation, Stage2StartsWithConcatenatedTables)
{
    // S2T0SZ 30: 34 bits, S2SL0 0: level 2, 16 tables side by side (64 KiB).
    const std::uint64_t l2_at = ram_base + 0x7'0000;
    const auto word2 = (ste_word2 & ~(63ull << 32) & ~(3ull << 38)) | 30ull << 32;
    rig.words(Rig::ste_at(Rig::sid), {1 | config_s2, 0, word2, l2_at});
    const std::uint64_t ipa = 15ull << 30 | 7ull << 21 | 0x1000;  // in the last of the 16
    rig.words(l2_at + (15 * 512 + 7) * 8, {(s2_at + 0x2000) | TABLE});
    rig.words(s2_at + 0x2008, {page_at | S2_RW});
    rig.enable();
    EXPECT_EQ(rig.read(ipa | 0x77), page_at + 0x77);
    EXPECT_FALSE(rig.read(1ull << 34));
    EXPECT_EQ(rig.record(),
              (Words{E_word0 | 0x10, E_RnW | E_S2 | E_CLASS_IN, 1ull << 34, 1ull << 34}));
}
