// SPDX-License-Identifier: GPL-2.0-or-later
// `walk` and the views of the tables: they change nothing, and show what stands there.
#include "tests/unit/vtd/scalable_board.hpp"

#include <string>

using namespace iommu;
using namespace iommu::test;

namespace {

std::string ask(Device& device, const char* topic, const char* arguments)
{
    std::string answer;
    return device.ask(topic, arguments, answer) ? answer : "error: " + answer;
}
bool has(const std::string& text, const char* part)
{
    return text.find(part) != text.npos;
}

}  // namespace

TEST(Introspect_Walk, OfAnAccessThatWouldBeMarkedMarksNothing)
{
    ScalableBoard b;
    b.first_tables();
    b.pasid(0, FIRST, 7, 0x10000);
    const auto told = ask(b.unit, "walk", "sid=00:02.0,address=0x40000010,access=write");
    EXPECT_EQ(b.get(0x13000), 0x50'0007u);
    EXPECT_EQ(b.get(0x10000), 0x11007u);
    EXPECT_TRUE(b.host.dirty.empty());
    EXPECT_TRUE(has(told, R"("structure":"PASID table entry","depth":0,"at":"0x5000")"))
        << told;
    EXPECT_TRUE(
        has(told, R"("structure":"first-stage entry","level":1,"depth":0,"at":"0x13000",)"
                  R"("raw":["0x0000000000500007"])"))
        << told;
    EXPECT_TRUE(has(told, R"("sets":{"P":0,"RW":0,"US":0,"PWT":0,"PCD":0,"A":1,"D":1,)"))
        << told;
    EXPECT_TRUE(has(told, R"("result":"translated","output":"0x500010","mask":"0xfff")"))
        << told;
    // Nothing was cached either: what software writes next is seen at once.
    b.put(0x13000, {0});
    EXPECT_FALSE(b.write(0x4000'0000).ok);
    EXPECT_EQ(b.take_reason(), 0x71u);
}

TEST(Introspect_Walk, ShowsTheDescriptorThatRefusesAndRecordsNothing)
{
    ScalableBoard b;
    b.first_tables();
    b.pasid(0, FIRST, 7, 0x10000);
    const auto told = ask(b.unit, "walk", "sid=0x10,address=0x40001000,access=write");
    EXPECT_TRUE(has(told, R"("granted":{"user":"r-x","privileged":"rwx"},)")) << told;
    EXPECT_TRUE(has(told, R"("problem":"the access is not permitted"}],)")) << told;
    EXPECT_TRUE(has(told, R"("event":{"name":"SmWriteDenied","number":133,)")) << told;
    EXPECT_EQ(b.reason(), 0u);
}

TEST(Introspect_Walk, OfAMutedFaultSaysSo)
{
    ScalableBoard b;
    b.first_tables();
    b.pasid(0, FIRST | 2, 7, 0x10000);  // FPD
    const auto told = ask(b.unit, "walk", "sid=0x10,address=0x80000000");
    EXPECT_TRUE(has(told, R"("event":null,"muted":"FsPagingEntryNotPresent")")) << told;
}

TEST(Introspect_Context, ShowsEveryEntryOnTheWay)
{
    ScalableBoard b;
    b.pasid(3, SECOND, 7);
    const auto told = ask(b.unit, "context", "sid=00:02.0,pasid=3");
    for (const char* name : {"scalable-mode root entry", "scalable-mode context entry",
                             "PASID directory entry", "PASID table entry"}) {
        EXPECT_TRUE(has(told, name)) << name << told;
    }
    EXPECT_TRUE(has(told, R"("PGTT":2)")) << told;
    EXPECT_TRUE(has(told, R"("problem":null)")) << told;
    EXPECT_TRUE(has(ask(b.unit, "context", "sid=00:03.0"),
                    R"("problem":"SmContextEntryNotPresent")"));
}

TEST(Introspect, ErrorsAreOneLine)
{
    ScalableBoard b;
    EXPECT_EQ(ask(b.unit, "walk", "sid=1"), "error: walk: address= is missing");
    EXPECT_EQ(ask(b.unit, "weather", ""), "error: weather: there is no such question");
}
