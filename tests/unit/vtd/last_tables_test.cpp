// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.2.4 "IOTLB" and 6.2.5 "Caches for Paging Structures": what is kept of a walk,
// for whom, and what ends it.  That a table was not looked for again is seen by taking
// away the root of the tables above it.
#include "tests/unit/vtd/scalable_board.hpp"

#include <array>
#include <functional>
#include <string>

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint64_t first_page = 0x4000'0000, leaves = 0x13000, root = 0x10000;
constexpr auto R = Access::Read, W = Access::Write;

// A run of 16 pages whose entries are `entry` but for their address.
template <typename B>
void map_run(B& b, std::uint64_t entry)
{
    for (std::uint64_t page = 0; page < Neighbours::count; ++page) {
        b.put(leaves + page * 8, {entry | (0x50'0000 + page * 0x3000)});
    }
}
template <typename B>
void change(B& b, std::uint64_t page, std::uint64_t flip)
{
    b.put(leaves + page * 8, {b.get(leaves + page * 8) ^ flip});
}
std::uint64_t page_at(std::uint64_t page)
{
    return first_page + page * 0x1000;
}

// The pages that come along with the second look into the run, as bits.
template <typename B>
unsigned come_along(B& b, Access access)
{
    EXPECT_EQ(b.read_or_write(page_at(0), access).t.neighbours, nullptr);  // walked for
    EXPECT_EQ(b.read_or_write(page_at(1), access).t.neighbours, nullptr);  // the first
    const auto second = b.read_or_write(page_at(2) | 0xabc, access);
    EXPECT_TRUE(second.ok);
    EXPECT_EQ(second.t.output.value, 0x50'6abcu);
    const auto* around = second.t.neighbours;
    if (around == nullptr) {
        ADD_FAILURE() << "nothing came along";
        return 0;
    }
    EXPECT_EQ(around->log2size, 12);
    unsigned pages = 0;
    for (unsigned page = 0; page < Neighbours::count; ++page) {
        if (around->output[page] != Neighbours::unlike) {
            EXPECT_EQ(around->output[page], b.get(leaves + page * 8) & 0xffff'ffff'f000)
                << page;
            pages |= 1u << page;
        }
    }
    return pages;
}

struct LegacyBoard : Board {
    explicit LegacyBoard(const vtd::Configuration& c = plain()) : Board(c)
    {
        legacy_4k();
        queue();
    }
    Result read_or_write(std::uint64_t at, Access access)
    {
        return access == R ? read(at) : write(at);
    }
};
struct FirstBoard : ScalableBoard {
    FirstBoard()
    {
        first_tables();
        put(leaves + 8, {0x50'1027});  // A: what is not marked is walked for
        pasid(0, FIRST, 7, 0x10000);
        pasid(1, FIRST, 7, 0x10000);
    }
};
// The second stage alone, over the tables of legacy_4k().
struct SecondBoard : ScalableBoard {
    explicit SecondBoard(std::uint64_t w0 = 0)
    {
        put(0x10000, {0x11003});
        put(0x11008, {0x12003});
        put(0x12000, {0x13003});
        put(0x13000, {0x50'0003, 0x50'1001});
        pasid(0, SECOND | 0x10000 | w0, 7);
        pasid(1, SECOND | 0x10000 | w0, 7);
    }
};

// Whether what one access left spares the next page its walk, `meanwhile` done between.
template <typename B>
bool spared(
    B& b, const std::function<void()>& meanwhile = [] {})
{
    const auto top = b.get(root);
    EXPECT_TRUE(b.read(first_page).ok);
    b.put(root, {0});
    meanwhile();
    const bool ok = b.read(page_at(1)).ok;
    b.put(root, {top});
    b.clear_faults();
    b.submit(0x12, 0);
    return ok;
}

}  // namespace

TEST(Vtd_6_2_5_PagingStructures, ThePageNextToAWalkedOneIsReadFromItsOwnEntry)
{
    LegacyBoard b;
    EXPECT_EQ(b.read(first_page | 0x10).t.output, Gpa{0x50'0010});
    b.put(root, {0});
    const auto next = b.read(page_at(1) | 0x20);
    EXPECT_EQ(next.t.output, Gpa{0x50'1020});
    EXPECT_EQ(next.t.mask, 0xfffu);
    EXPECT_TRUE(next.t.read && !next.t.write);
    EXPECT_FALSE(b.read(page_at(2)).ok);  // W alone
    EXPECT_EQ(b.take_reason(), 6u);
    EXPECT_TRUE(b.write(page_at(2)).ok);
    EXPECT_FALSE(b.read(page_at(3)).ok);
    EXPECT_EQ(b.take_reason(), 6u);
    // What is not present is never cached: mapped later, it is found.
    b.put(leaves + 3 * 8, {0x50'9003});
    EXPECT_EQ(b.write(page_at(3)).t.output, Gpa{0x50'9000});
    // Of another 2 MiB nothing is known.
    EXPECT_FALSE(b.read(first_page + 0x20'0000).ok);
}

TEST(Vtd_6_2_5_PagingStructures, RightsOfTheTablesAboveStayWhatTheyWere)
{
    LegacyBoard b;
    b.put(0x12000, {0x13001});  // read-only, and so is all below
    ASSERT_TRUE(b.read(first_page).ok);
    b.put(leaves + 8, {0x50'1003});
    const auto next = b.read(page_at(1));
    EXPECT_TRUE(next.ok && !next.t.write);
    EXPECT_FALSE(b.write(page_at(1)).ok);
    EXPECT_EQ(b.take_reason(), 5u);
}

TEST(Vtd_6_2_5_PagingStructures, EndWithAnyInvalidationInLegacyMode)
{
    LegacyBoard b;
    EXPECT_TRUE(spared(b));
    const std::pair<std::uint64_t, std::uint64_t> descriptors[] = {
        {0x12, 0},                            // IOTLB, global
        {0x22 | 5 << 16, 0},                  // of domain 5
        {0x32 | 5 << 16, first_page},         // of one page
        {0x32 | 5 << 16, 0x7777'7000},        // of another page
        {0x32 | 9 << 16, 0x7777'7000},        // of another domain
        {0x11, 0},                            // context cache, global
        {0x21 | 5 << 16, 0},                  // of domain 5
        {0x31 | 5 << 16 | 0x10ull << 32, 0},  // of function 00:02.0
    };
    for (const auto& [low, high] : descriptors) {
        EXPECT_FALSE(spared(b, [&, l = low, h = high] { b.submit(l, h); }))
            << std::hex << low;
    }
    EXPECT_FALSE(spared(b, [&] { b.w32(GCMD, TE | QIE | SRTP); }));
    EXPECT_TRUE(spared(b));
}

TEST(Vtd_6_2_5_PagingStructures, EndWithAnyInvalidationInScalableMode)
{
    const std::pair<std::uint64_t, std::uint64_t> descriptors[] = {
        {0x12, 0},                      // IOTLB, global
        {0x32 | 9 << 16, 0x7777'7000},  // one page of another domain
        {0x26 | 7 << 16, 0},            // PASID-based IOTLB, PASID 0 of domain 7
        {0x36 | 7 << 16 | 1ull << 32, 0x7777'7000},  // a page of another PASID
        {0x11, 0},                                   // context cache, global
        {0x37, 0},                                   // PASID-cache, global
        {0x07 | 7 << 16, 0},                         // of domain 7
        {0x17 | 7 << 16, 0},                         // of PASID 0
    };
    FirstBoard f;
    EXPECT_TRUE(spared(f));
    SecondBoard s;
    EXPECT_TRUE(spared(s));
    for (const auto& [low, high] : descriptors) {
        EXPECT_FALSE(spared(f, [&, l = low, h = high] { f.submit(l, h); }))
            << std::hex << low;
        EXPECT_FALSE(spared(s, [&, l = low, h = high] { s.submit(l, h); }))
            << std::hex << low;
    }
}

TEST(Vtd_6_2_5_PagingStructures, AreOfOnePasidAndFunction)
{
    FirstBoard b;
    ASSERT_TRUE(b.read(first_page).ok);
    b.put(root, {0});
    // The same tables, but nothing was walked for PASID 1 yet.
    EXPECT_FALSE(b.with_pasid(page_at(1), R, 1).ok);
    EXPECT_EQ(b.take_reason(), 0x71u);
    EXPECT_TRUE(b.read(page_at(1)).ok);
}

TEST(Vtd_6_2_5_PagingStructures, EndWithTheMapOfTheMachinesMemory)
{
    LegacyBoard b;
    EXPECT_FALSE(spared(b, [&] { b.unit.memory().ram().assign({}); }));
    b.host.map_into(b.unit.memory());
    EXPECT_TRUE(spared(b));
}

TEST(Vtd_6_2_5_PagingStructures, WithTlbOffAreReadForEachAccess)
{
    vtd::Configuration c = plain();
    c.tlb = false;
    LegacyBoard b(c);
    map_run(b, 3);
    EXPECT_FALSE(spared(b));
    for (unsigned i = 0; i < 8; ++i) {
        EXPECT_EQ(b.read(page_at(i % 4)).t.neighbours, nullptr);
    }
}

// VT-d 3.15: 0xFEEx_xxxx shares a table with ordinary pages.
TEST(Vtd_3_15_InterruptRange, IsNoPageOfATableThatIsKept)
{
    LegacyBoard b;
    b.put(0x11018, {0x12003});  // 3 GiB up
    b.put(0x12fb8, {0x13003});  // 0xfee0'0000 to 0xfeff'ffff
    b.put(0x13000 + 8, {0x50'1003});
    b.put(0x13800, {0x50'2003});
    EXPECT_EQ(b.read(0xfef0'0000).t.output, Gpa{0x50'2000});
    EXPECT_FALSE(b.read(0xfee0'1000).ok);
    EXPECT_EQ(b.write(0xfee0'1000).t.output, Gpa{0xfee0'1000});
}

TEST(Vtd_3_15_InterruptRange, AsAnOutputDoesNotComeAlong)
{
    LegacyBoard b;
    map_run(b, 3);
    b.put(leaves + 7 * 8, {0xfee0'0003});
    b.put(leaves + 8 * 8, {0xfeef'f003});
    b.put(leaves + 9 * 8, {0xfef0'0003});
    EXPECT_EQ(come_along(b, R), 0xffffu & ~(3u << 7));
    EXPECT_FALSE(b.read(page_at(7)).ok);
    EXPECT_EQ(b.take_reason(), 0x0eu);
}

TEST(Vtd_6_2_4_Iotlb, ThePagesAroundComeAlongIfAllButTheirAddressIsAlike)
{
    LegacyBoard b;
    map_run(b, 3);
    change(b, 4, 3);            // not present
    change(b, 5, 2);            // read-only
    change(b, 6, 1);            // write-only
    change(b, 10, 1ull << 48);  // beyond HAW: reserved
    change(b, 11, 1ull << 62);  // TM
    EXPECT_EQ(come_along(b, R), 0xffffu & ~(7u << 4 | 3u << 10));
    EXPECT_EQ(b.read(page_at(3)).t.neighbours, nullptr);
    EXPECT_FALSE(b.read(page_at(4)).ok);
    EXPECT_FALSE(b.write(page_at(5)).ok);
    EXPECT_FALSE(b.read(page_at(6)).ok);
    b.clear_faults();
    EXPECT_FALSE(b.read(page_at(10)).ok);
    EXPECT_EQ(b.take_reason(), 0x0cu);
    b.submit(0x12, 0);
    EXPECT_EQ(come_along(b, W), 0xffffu & ~(7u << 4 | 3u << 10));
}

// VT-d 3.6.2 "Accessed, Extended Accessed, and Dirty Flags".
TEST(Vtd_3_6_2_AccessedDirty, WhatIsNotAccessedDoesNotComeAlong)
{
    FirstBoard b;
    map_run(b, 0x7);
    for (const unsigned page : {3, 4, 9}) {
        change(b, page, 0x20);  // A, of an earlier use
    }
    ASSERT_TRUE(b.read(page_at(0)).ok);
    ASSERT_TRUE(b.read(page_at(1)).ok);  // A is set by a walk
    EXPECT_EQ(b.get(leaves + 8), 0x50'3027u);
    ASSERT_TRUE(b.read(page_at(2)).ok);
    b.submit(0x12, 0);
    EXPECT_EQ(come_along(b, R), 0x021fu);
    for (const unsigned page : {5, 8, 15}) {
        EXPECT_EQ(b.get(leaves + page * 8) & 0x60, 0u) << page;
        ASSERT_TRUE(b.read(page_at(page)).ok);
        EXPECT_EQ(b.get(leaves + page * 8) & 0x60, 0x20u) << page;
    }
}

TEST(Vtd_3_6_2_AccessedDirty, WhatIsNotDirtyDoesNotComeAlongWithAWrite)
{
    FirstBoard b;
    map_run(b, 0x67);
    change(b, 5, 0x40);
    change(b, 6, 0x60);
    EXPECT_EQ(come_along(b, W), 0xffffu & ~(3u << 5));
    ASSERT_TRUE(b.write(page_at(5)).ok);
    EXPECT_EQ(b.get(leaves + 5 * 8) & 0x60, 0x60u);
    // Who keeps what comes along with a read must come back before writing.
    b.submit(0x26 | 7 << 16, 0);
    EXPECT_EQ(come_along(b, R), 0xffffu & ~(1u << 6));
    b.submit(0x26 | 7 << 16, 0);
    ASSERT_TRUE(b.read(page_at(7)).ok);
    EXPECT_FALSE(b.read(page_at(8)).t.write);
    EXPECT_FALSE(b.read(page_at(9)).t.write);
}

TEST(Vtd_3_6_2_AccessedDirty, AWriteNextToAReadMarksThePage)
{
    FirstBoard b;
    ASSERT_TRUE(b.read(first_page).ok);
    b.put(leaves + 8, {0x50'1007});
    ASSERT_TRUE(b.write(page_at(1)).ok);
    EXPECT_EQ(b.get(leaves + 8), 0x50'1067u);
    EXPECT_EQ(b.get(leaves), 0x50'0027u);
}

// VT-d 3.7.2 "Accessed and Dirty Flags", with SSADE alone.
TEST(Vtd_3_7_2_SSADE, PagesComeAlongAsFarAsTheyAreMarked)
{
    SecondBoard marks(1ull << 9);
    map_run(marks, 0x3);
    for (const unsigned page : {0, 1, 2, 6, 7}) {
        change(marks, page, 0x100);  // A
    }
    change(marks, 7, 0x200);  // D
    EXPECT_EQ(come_along(marks, R), 0x0047u);
    EXPECT_EQ(marks.get(leaves + 5 * 8) & 0x300, 0u);
    ASSERT_TRUE(marks.read(page_at(5)).ok);
    EXPECT_EQ(marks.get(leaves + 5 * 8) & 0x300, 0x100u);
    ASSERT_TRUE(marks.write(page_at(6)).ok);
    EXPECT_EQ(marks.get(leaves + 6 * 8) & 0x300, 0x300u);

    SecondBoard b;
    map_run(b, 0x3);
    EXPECT_EQ(come_along(b, W), 0xffffu);
    EXPECT_EQ(b.get(leaves), 0x50'0003u);
}
