// SPDX-License-Identifier: GPL-2.0-or-later
// `walk` beside what is cached: a forgotten invalidation is there to be seen.
#include "tests/unit/verify/smmuv3_site.hpp"

#include <string>

using namespace iommu;
using namespace iommu::test;

namespace {

struct Site : SmmuSite {
    Site() : SmmuSite(false) { map(0, pages); }
    std::string walk(const char* more = "")
    {
        std::string answer;
        const auto question = std::string("sid=3,address=0x10000010") + more;
        return smmu.ask("walk", question, answer) ? answer : "error: " + answer;
    }
    // Without the watch in between, so that every cache is used.
    bool touch()
    {
        Translation out;
        return smmu.stream(3, nullptr)->translate({.address = Iova{va + 0x10}}, out) ==
               Stream::Result::Ok;
    }
};
bool has(const std::string& text, const char* part)
{
    return text.find(part) != text.npos;
}

constexpr auto config_same = R"({"cache":"configuration cache","differs":false)";
constexpr auto config_stale = R"({"cache":"configuration cache","differs":true)";
constexpr auto tlb_same = R"({"cache":"TLB","differs":false,"input":"0x10000000",)"
                          R"("output":"0x40080000","size":"0x1000",)"
                          R"("rights":{"user":"rwx","privileged":"rw-"}})";
constexpr auto tlb_stale = R"({"cache":"TLB","differs":true,"input":"0x10000000",)"
                           R"("output":"0x40080000")";

}  // namespace

TEST(Introspect_WalkCached, StandsBesideTheStepThatItSpares)
{
    Site s;
    auto told = s.walk();
    EXPECT_FALSE(has(told, R"("cache":"TLB")")) << told;  // asking has cached nothing
    ASSERT_TRUE(s.touch());
    told = s.walk();
    EXPECT_TRUE(has(told, config_same)) << told;
    EXPECT_TRUE(has(told, R"("route":"translate","VMID":0,"ASID":5,"TTB0":"0x40050000")"))
        << told;
    EXPECT_TRUE(has(told, tlb_same)) << told;
    EXPECT_TRUE(has(told, R"({"cache":"this thread's last tables","differs":false,)"
                          R"("descriptor":"0x40080c43")"))
        << told;
    EXPECT_TRUE(has(told, R"("stale":false)")) << told;
    // The first beside the CD, the second beside the descriptor of level 3.
    EXPECT_LT(told.find(R"("structure":"CD")"), told.find(config_same));
    EXPECT_LT(told.find(config_same), told.find(R"("structure":"stage 1 descriptor")"));
    EXPECT_LT(told.find(R"("level":3)"), told.find(tlb_same));
}

TEST(Introspect_WalkCached, AForgottenTlbiIsSeenAndEndsWithIt)
{
    Site s;
    ASSERT_TRUE(s.touch());
    s.unmap(0);
    auto told = s.walk();
    EXPECT_TRUE(has(told, tlb_stale)) << told;
    EXPECT_TRUE(has(told, R"("problem":"not valid")")) << told;
    EXPECT_TRUE(has(told, R"("stale":true)")) << told;
    EXPECT_TRUE(has(told, R"("result":"refused")")) << told;
    EXPECT_TRUE(s.touch());  // the cache still answers, as was shown
    s.flush(0);
    s.sync();
    told = s.walk();
    EXPECT_FALSE(has(told, R"("cache":"TLB")")) << told;
    EXPECT_TRUE(has(told, R"("stale":false)")) << told;
    EXPECT_FALSE(s.touch());
}

TEST(Introspect_WalkCached, RightsThatWereTakenAwayAreADifference)
{
    Site s;
    ASSERT_TRUE(s.touch());
    s.map(0, SmmuSite::pages, SmmuSite::page | SmmuSite::ro);
    const auto told = s.walk();
    EXPECT_TRUE(has(told, tlb_stale)) << told;
    EXPECT_TRUE(has(told, R"("result":"translated")")) << told;
    // A read-only page that is written: both say the same, which is no.
    s.flush(0);
    s.sync();
    ASSERT_TRUE(s.touch());
    EXPECT_TRUE(has(s.walk(",access=write"), R"("stale":false)"))
        << s.walk(",access=write");
}

TEST(Introspect_WalkCached, AForgottenCfgiIsSeenBesideTheStructure)
{
    Site s;
    ASSERT_TRUE(s.touch());
    s.context(0, 6);  // another ASID
    auto told = s.walk();
    EXPECT_TRUE(has(told, config_stale)) << told;
    EXPECT_TRUE(has(told, R"("ASID":5)")) << told;
    EXPECT_TRUE(has(told, tlb_same)) << told;  // found under the ASID that is cached
    // An STE that leads nowhere any more: what is cached stands beside it.
    s.store(SmmuSite::strtab + 3 * 64, 0);
    told = s.walk();
    EXPECT_TRUE(has(told, config_stale)) << told;
    EXPECT_TRUE(has(told, tlb_stale)) << told;
    EXPECT_TRUE(has(told, R"("problem":"C_BAD_STE")")) << told;
    s.submit(CFGI_STE | 3ull << 32, 1);
    s.sync();
    told = s.walk();
    EXPECT_FALSE(has(told, R"("cached")")) << told;
}

TEST(Introspect_WalkCached, TheAnswersOfThisThreadAreShownWhileTheyHold)
{
    Site s;
    WiTranslation out;
    WiStream* stream = s.smmu.stream(3, nullptr);
    // The second time it is kept.
    ASSERT_TRUE(wi_stream_resolve(stream, SmmuSite::va, 0, 0, &out));
    ASSERT_TRUE(wi_stream_resolve(stream, SmmuSite::va, 0, 0, &out));
    EXPECT_TRUE(has(s.walk(), R"({"cache":"this thread's answers","differs":false,)"
                              R"("output":"0x40080010","mask":"0xfff","read":true,)"))
        << s.walk();
    EXPECT_FALSE(has(s.walk(",access=write"), "answers"));  // an answer to a read
    s.unmap(0);
    EXPECT_TRUE(has(s.walk(), R"({"cache":"this thread's answers","differs":true)"));
    s.smmu.epoch().advance();  // as the C interface does after each register write
    EXPECT_FALSE(has(s.walk(), "answers")) << s.walk();
}

TEST(Introspect_WalkCached, ATableThatWasTakenAwayIsSeenInTheLastTables)
{
    Site s;
    ASSERT_TRUE(s.touch());
    s.store(SmmuSite::root + 0x2000 + (SmmuSite::va >> 21 & 511) * 8, 0);
    const auto told = s.walk();
    EXPECT_TRUE(has(told, R"({"cache":"this thread's last tables","differs":true)"))
        << told;
}
