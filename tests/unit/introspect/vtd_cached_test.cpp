// SPDX-License-Identifier: GPL-2.0-or-later
// `walk` of a VT-d unit beside what is cached.
#include "tests/unit/vtd/scalable_board.hpp"

#include <string>

using namespace iommu;
using namespace iommu::test;

namespace {

template <typename B>
std::string walk(B& b, const char* question = "sid=00:02.0,address=0x40000010")
{
    std::string answer;
    return b.unit.ask("walk", question, answer) ? answer : "error: " + answer;
}
bool has(const std::string& text, const char* part)
{
    return text.find(part) != text.npos;
}

struct Legacy : Board {
    Legacy()
    {
        legacy_4k();
        queue();
    }
    void flush() { submit(0x12, 0); }  // VT-d 6.5.2.3, global
};

}  // namespace

TEST(Introspect_WalkCached, OfALegacyUnitStandsBesideTheEntries)
{
    Legacy b;
    EXPECT_FALSE(has(walk(b), R"("IOTLB")"));
    ASSERT_TRUE(b.read(0x4000'0000).ok);
    auto told = walk(b);
    EXPECT_TRUE(has(told, R"({"cache":"context cache","differs":false,)"
                          R"("translation":"second stage","DID":5,"SSPTPTR":"0x10000",)"
                          R"("second-stage-levels":4})"))
        << told;
    EXPECT_TRUE(has(told, R"({"cache":"IOTLB","differs":false,"input":"0x40000000",)"
                          R"("output":"0x500000","size":"0x1000")"))
        << told;
    EXPECT_TRUE(has(told, R"("stale":false)")) << told;
    b.put(0x13000, {0x60'0003});
    told = walk(b);
    EXPECT_TRUE(has(told, R"({"cache":"IOTLB","differs":true)")) << told;
    EXPECT_TRUE(has(told, R"("stale":true,"verdict":{"result":"translated",)"
                          R"("output":"0x600010")"))
        << told;
    EXPECT_EQ(b.read(0x4000'0010).t.output, Gpa{0x50'0010});  // as was shown
    b.flush();
    EXPECT_FALSE(has(walk(b), R"("IOTLB")"));
    EXPECT_EQ(b.read(0x4000'0010).t.output, Gpa{0x60'0010});
}

TEST(Introspect_WalkCached, OfTablesThatWereTakenAwayIsSeenInTheLastOfThem)
{
    Legacy b;
    ASSERT_TRUE(b.read(0x4000'0000).ok);
    EXPECT_TRUE(has(walk(b), R"({"cache":"this thread's last tables","differs":false,)"
                             R"("descriptor":"0x500003",)"))
        << walk(b);
    b.put(0x12000, {0});
    const auto told = walk(b);
    EXPECT_TRUE(has(told, R"({"cache":"this thread's last tables","differs":true)"))
        << told;
    EXPECT_EQ(walk(b), told);  // looking changes nothing
    b.flush();
    EXPECT_FALSE(has(walk(b), "last tables"));
}

TEST(Introspect_WalkCached, OfAContextEntryThatChangedSaysSo)
{
    Legacy b;
    ASSERT_TRUE(b.read(0x4000'0000).ok);
    b.context(0x10, 0, 0);
    const auto told = walk(b);
    EXPECT_TRUE(has(told, R"({"cache":"context cache","differs":true)")) << told;
    EXPECT_TRUE(has(told, R"({"cache":"IOTLB","differs":true)")) << told;
    EXPECT_TRUE(has(told, R"("problem":"ContextEntryNotPresent")")) << told;
}

TEST(Introspect_WalkCached, OfANestedTranslationIsThePieceBothStagesMap)
{
    ScalableBoard b;
    b.first_tables();
    b.second_tables();
    // The tables lie in the first 2 MiB, which the second stage maps to themselves, and
    // so do the pages, now.
    b.put(0x13000, {0x40'0007});
    b.pasid(3, NESTED, 7, 0x10000);
    b.put(0x5000 + 64 * 3, {NESTED | 0x20000, 7, 0x10000});
    const auto question = "sid=00:02.0,address=0x40000010,pasid=3";
    ASSERT_TRUE(b.with_pasid(0x4000'0000, Access::Read, 3).ok) << walk(b, question);
    auto told = walk(b, question);
    EXPECT_TRUE(has(told, R"({"cache":"PASID-cache","differs":false,)"
                          R"("translation":"nested","DID":7,"PASID":3,)"
                          R"("FSPTPTR":"0x10000","first-stage-levels":4,)"
                          R"("SSPTPTR":"0x20000","second-stage-levels":4})"))
        << told;
    EXPECT_TRUE(has(told, R"({"cache":"IOTLB","differs":false,"input":"0x40000000",)"
                          R"("output":"0x600000","size":"0x1000")"))
        << told;
    EXPECT_TRUE(has(told, R"("stale":false)")) << told;
    b.put(0x22010, {0x50'0083});  // the second stage moves it
    told = walk(b, question);
    EXPECT_TRUE(has(told, R"({"cache":"PASID-cache","differs":false)")) << told;
    EXPECT_TRUE(has(told, R"({"cache":"IOTLB","differs":true)")) << told;
}
