// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 7 "Translation Faults": the 128 bits of a record, compared whole, and
// which of several reasons is the one.
#include "tests/conformance/vtd/rig.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr auto R = Access::Read, W = Access::Write;
constexpr auto PRIV = Privilege::Privileged;

class Vtd_7_1_Reasons : public testing::TestWithParam<bool> {};
class Vtd_7_2_Records : public testing::TestWithParam<bool> {};

using Record = std::pair<std::uint64_t, std::uint64_t>;

// What is in record 0, which is then cleared; {0, 0} when there is none.
Record take(Board& b)
{
    const Record r{b.r64(FRCD), b.r64(FRCD + 8)};
    b.clear_faults();
    return r.second >> 63 ? r : Record{};
}

vtd::Configuration records(unsigned n)
{
    vtd::Configuration c;
    c.fault_records = n;
    return c;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Tlb, Vtd_7_1_Reasons, testing::Bool());
INSTANTIATE_TEST_SUITE_P(Tlb, Vtd_7_2_Records, testing::Bool());

// VT-d 7.1.3: each entry is looked at only when the one before it is in order.
TEST_P(Vtd_7_1_Reasons, ComeInTheOrderOfTheWalkInLegacyMode)
{
    LegacyRig rig(GetParam());
    const auto reason = [&] {
        rig.submit(0x11, 0);
        rig.submit(0x12, 0);
        return rig.read(0x7000).ok ? 0u : rig.take_reason();
    };
    // Everything is wrong; it is mended from the top.
    rig.w64(RTADDR, 0x4000'0000);
    rig.w32(GCMD, TE | QIE | SRTP);
    EXPECT_EQ(reason(), 0x08u) << "no memory";
    rig.w64(RTADDR, LegacyRig::root);
    rig.w32(GCMD, TE | QIE | SRTP);
    rig.put(LegacyRig::root, {0x4000'0ffe, 0});
    EXPECT_EQ(reason(), 0x01u) << "not present";
    rig.put(LegacyRig::root, {0x4000'0fff, 0});
    EXPECT_EQ(reason(), 0x0au) << "reserved";
    rig.put(LegacyRig::root, {0x4000'0001, 0});
    EXPECT_EQ(reason(), 0x09u) << "no memory";
    rig.put(LegacyRig::root, {0x2'0001, 0});
    rig.put(LegacyRig::context_at(0x10), {0x4000'0ffc, 0x1f});
    EXPECT_EQ(reason(), 0x02u) << "not present";
    rig.put(LegacyRig::context_at(0x10), {0x4000'0ff1, 0x506});
    EXPECT_EQ(reason(), 0x0bu) << "reserved";
    rig.put(LegacyRig::context_at(0x10), {0x4000'0001, 0x506});
    EXPECT_EQ(reason(), 0x03u) << "invalid";
    rig.put(LegacyRig::context_at(0x10), {0x4000'0001, 0x502});
    EXPECT_EQ(reason(), 0x07u) << "no memory";
    rig.put(LegacyRig::context_at(0x10), {LegacyRig::trees | 1, 0x502});
    rig.put(LegacyRig::trees, {1ull << 62});
    EXPECT_EQ(reason(), 0x06u) << "not present";
    rig.put(LegacyRig::trees, {1ull << 62 | 3});
    EXPECT_EQ(reason(), 0x0cu) << "reserved";
    rig.map(LegacyRig::trees, 0x7000, 0xfee0'0002);
    EXPECT_EQ(reason(), 0x06u) << "no right comes before the interrupt range";
    rig.map(LegacyRig::trees, 0x7000, 0xfee0'0003);
    EXPECT_EQ(reason(), 0x0eu);
    rig.map(LegacyRig::trees, 0x7000, 0x50'0003);
    EXPECT_EQ(reason(), 0u);
}

// VT-d 7.1.3, scalable mode: the same down to the PASID table entry.
TEST_P(Vtd_7_1_Reasons, ComeInTheOrderOfTheWalkInScalableMode)
{
    ScalableRig rig(GetParam());
    const auto reason = [&](unsigned pasid = 3) {
        rig.flush();
        return rig.ask(0x7000, pasid).ok ? 0u : rig.take_reason();
    };
    const auto context = [&](std::uint64_t low) {
        rig.put(0x2000 + 0x10 * 32, {low, 0, 0, 0});
    };
    context(0x4000'0020);
    EXPECT_EQ(reason(), 0x41u) << "context entry not present";
    context(0x4000'0021);
    EXPECT_EQ(reason(), 0x42u) << "reserved";
    context(0x4000'0001);
    EXPECT_EQ(reason(), 0x45u) << "PASIDE clear";
    context(0x4000'0009);
    EXPECT_EQ(reason(8192), 0x46u) << "beyond PDTS";
    EXPECT_EQ(reason(), 0x50u) << "directory without memory";
    context(ScalableRig::directory | 9);
    rig.put(ScalableRig::directory, {0x4000'0004});
    EXPECT_EQ(reason(), 0x51u) << "directory entry not present";
    rig.put(ScalableRig::directory, {0x4000'0005});
    EXPECT_EQ(reason(), 0x52u) << "reserved";
    rig.put(ScalableRig::directory, {0x4000'0001});
    EXPECT_EQ(reason(), 0x58u) << "table without memory";
    rig.put(ScalableRig::directory, {ScalableRig::pasids | 1});
    rig.pasid(3, 0x440, 7);
    EXPECT_EQ(reason(), 0x59u) << "entry not present";
    rig.pasid(3, 0x441, 7);
    EXPECT_EQ(reason(), 0x5au) << "reserved";
    rig.pasid(3, 0x001, 7);
    EXPECT_EQ(reason(), 0x5bu) << "PGTT 000";
    rig.pasid(3, ScalableRig::FIRST, 7, 0x4000'0000);
    EXPECT_EQ(reason(), 0x73u) << "first-stage table without memory";
    rig.pasid(3, ScalableRig::FIRST, 7, LegacyRig::trees);
    rig.put(LegacyRig::trees, {1ull << 63 | 6});
    EXPECT_EQ(reason(), 0x71u) << "paging entry not present";
    rig.put(LegacyRig::trees, {1ull << 63 | 7});
    EXPECT_EQ(reason(), 0x72u) << "reserved: XD without NXE";
    rig.map(LegacyRig::trees, 0x7000, 0x50'0003);
    EXPECT_EQ(reason(), 0x81u) << "supervisor page";
    rig.map(LegacyRig::trees, 0x7000, 0x50'0007);
    EXPECT_EQ(reason(), 0u);
}

// VT-d 7.2.3 "Fault Recording Registers": every field, and nothing in the others.
TEST_P(Vtd_7_2_Records, HaveTheFieldsOfTheRequest)
{
    ScalableRig rig(GetParam());
    rig.pasid(0, ScalableRig::FIRST, 7, LegacyRig::trees);
    rig.pasid(3, ScalableRig::FIRST, 7, LegacyRig::trees | 0x3);  // SRE, ERE
    rig.map(LegacyRig::trees, 0x7000, 0x50'0001);                 // supervisor, read only
    const auto faulted = [&](const Transaction& t) {
        EXPECT_FALSE(rig.access(t).ok);
        return take(rig);
    };
    const Substream three{3, true};
    EXPECT_EQ(faulted({.address = Iova{0x7abc}, .access = R}),
              Record(0x7000, 0xc000'0081'0000'0010));
    EXPECT_EQ(faulted({.address = Iova{0x7abc}, .access = W}),
              Record(0x7000, 0x8000'0081'0000'0010));
    EXPECT_EQ(faulted({.address = Iova{0x7000}, .access = R, .substream = three}),
              Record(0x7000, 0xc000'0381'8000'0010));
    EXPECT_EQ(faulted({.address = Iova{0x9000},
                       .access = R,
                       .privilege = PRIV,
                       .substream = three}),
              Record(0x9000, 0xc000'0371'a000'0010));
    EXPECT_EQ(faulted({.address = Iova{0x9000},
                       .access = R,
                       .content = Content::Instruction,
                       .substream = three}),
              Record(0x9000, 0xc000'0371'c000'0010));
    EXPECT_EQ(faulted({.address = Iova{0x9000},
                       .access = R,
                       .privilege = PRIV,
                       .content = Content::Instruction,
                       .substream = three}),
              Record(0x9000, 0xc000'0371'e000'0010));
    // PASID ffff'f: beyond the directory.
    EXPECT_EQ(
        faulted({.address = Iova{0x9000}, .access = W, .substream = {0xfffff, true}}),
        Record(0x9000, 0x8fff'ff46'8000'0010));
}

// VT-d 7.2.3: address bits 63:12 of the access, whatever the width of the tables.
TEST_P(Vtd_7_2_Records, HaveTheWholePageAddress)
{
    LegacyRig rig(GetParam());
    rig.attach(0x10, LegacyRig::trees, 5);
    for (const std::uint64_t at :
         {0x0ull, 0x1234'5678'9000ull, 0xffff'ffff'ffff'f000ull}) {
        EXPECT_FALSE(rig.write(at | 0xfff).ok);
        const auto reason = at >> 48 ? 4ull : 5ull;
        EXPECT_EQ(take(rig), Record(at, 0x8000'0000'0000'0010 | reason << 32))
            << std::hex << at;
    }
}

// VT-d 7.2.1 "Primary Fault Logging": the registers are taken in turn, and the first
// comes after the last.
TEST_P(Vtd_7_2_Records, AreWrittenRoundAndRound)
{
    LegacyRig rig(GetParam(), records(3));
    for (unsigned i = 0; i < 10; ++i) {
        const auto at = FRCD + 16 * (i % 3);
        EXPECT_FALSE(rig.read(0x1000 * (i + 1)).ok);
        EXPECT_EQ(rig.r64(at), 0x1000u * (i + 1)) << i;
        EXPECT_EQ(rig.r32(FSTS), (i % 3) << 8 | 2u) << i;
        rig.w64(at + 8, 1ull << 63);
        EXPECT_EQ(rig.r32(FSTS) & 3, 0u) << i;
    }
}

// VT-d 7.2.1: a pending record of a source keeps its further faults out; another source's
// comes in.
TEST_P(Vtd_7_2_Records, OfOneSourceAreOneUntilItIsCleared)
{
    LegacyRig rig(GetParam(), records(4));
    EXPECT_FALSE(rig.read(0x1000, 0x10).ok);
    EXPECT_FALSE(rig.read(0x2000, 0x10).ok);
    EXPECT_FALSE(rig.read(0x3000, 0x18).ok);
    EXPECT_FALSE(rig.read(0x4000, 0x10).ok);
    EXPECT_EQ(rig.r64(FRCD), 0x1000u);
    EXPECT_EQ(rig.r64(FRCD + 16), 0x3000u);
    EXPECT_EQ(rig.reason(2), 0u);
    rig.w64(FRCD + 8, 1ull << 63);
    EXPECT_FALSE(rig.read(0x5000, 0x10).ok);
    EXPECT_EQ(rig.r64(FRCD + 32), 0x5000u);
}

// VT-d 7.3 "Fault Event": one message until everything in FSTS has been dealt with, and
// errors of the queue are causes as well.
TEST(Vtd_7_3_FaultEvent, IsOneForAllThatIsPending)
{
    LegacyRig rig(true, records(2));
    rig.w32(FEDATA, 0x51);
    rig.w32(FEADDR, 0xfee0'0000);
    rig.w32(FECTL, 0);
    EXPECT_FALSE(rig.read(0x1000, 0x10).ok);
    rig.submit(0x0f, 0);  // IQE
    EXPECT_EQ(rig.r32(FSTS), 0x12u);
    EXPECT_EQ(rig.host.msis.size(), 1u);
    rig.w64(FRCD + 8, 1ull << 63);
    EXPECT_EQ(rig.r32(FSTS), 0x10u);
    EXPECT_FALSE(rig.read(0x1000, 0x18).ok);
    EXPECT_EQ(rig.host.msis.size(), 1u) << "IQE is pending still";
    rig.w64(FRCD + 24, 1ull << 63);
    rig.put(0x8000, {0x05, 0});
    rig.w32(FSTS, 0x10);
    EXPECT_EQ(rig.r32(FSTS) & 0x7f, 0u);
    EXPECT_FALSE(rig.read(0x1000, 0x20).ok);
    EXPECT_EQ(rig.host.msis.size(), 2u);
}

// VT-d 7.3: masked, the event waits; unmasking sends it, and only if it still stands.
TEST(Vtd_7_3_FaultEvent, WaitsWhileItIsMasked)
{
    LegacyRig rig(true);
    rig.w32(FEDATA, 0x51);
    EXPECT_FALSE(rig.read(0x1000).ok);
    EXPECT_EQ(rig.r32(FECTL), 0xc000'0000u);
    EXPECT_TRUE(rig.host.msis.empty());
    rig.w32(FECTL, 0x8000'0000);
    EXPECT_TRUE(rig.host.msis.empty());
    rig.w32(FECTL, 0);
    EXPECT_EQ(rig.host.msis.size(), 1u);
    rig.w32(FECTL, 0x8000'0000);
    rig.clear_faults();
    rig.w32(FECTL, 0);
    EXPECT_EQ(rig.host.msis.size(), 1u);
}
