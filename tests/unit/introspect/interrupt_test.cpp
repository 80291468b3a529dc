// SPDX-License-Identifier: GPL-2.0-or-later
// `walk-interrupt`: the way of an interrupt message, told without taking it.
#include "tests/unit/vtd/board.hpp"

#include <string>

using namespace iommu;
using namespace iommu::test;

namespace {

// 256 entries at 0x9000, remapping on.
struct Remapping : Board {
    explicit Remapping(bool on = true)
    {
        w64(IRTA, 0x9007);
        w32(GCMD, SIRTP);
        if (on) {
            w32(GCMD, IRE);
        }
    }
    void irte(unsigned index, std::uint64_t low, std::uint64_t high)
    {
        put(0x9000 + 16 * index, {low, high});
    }
    bool send(std::uint64_t address, unsigned sid = 0x10)
    {
        return unit
            .remap_interrupt(SourceId{static_cast<std::uint16_t>(sid)}, {Gpa{address}, 0})
            .has_value();
    }
    std::string ask(const char* arguments)
    {
        std::string answer;
        return unit.ask("walk-interrupt", arguments, answer) ? answer
                                                             : "error: " + answer;
    }
};
bool has(const std::string& text, const char* part)
{
    return text.find(part) != text.npos;
}

}  // namespace

TEST(Introspect_WalkInterrupt, ShowsTheEntryItsFieldsAndTheMessage)
{
    Remapping b;
    // Vector 0x31, level, logical, xAPIC id 2, of 00:02.0 alone.
    b.irte(5, 0x0000'0200'0031'0015, 0x4'0010);
    const auto told = b.ask("sid=00:02.0,address=0xfee000b0,data=0");
    for (const char* part :
         {R"("request":{"sid":"0x10","address":"0xfee000b0","data":"0x0"})",
          R"("structure":"interrupt request")", R"("InterruptFormat":1,"Handle14_0":5,)",
          R"({"structure":"IRTE","index":5,"depth":0,"at":"0x9050",)",
          R"("raw":["0x0000020000310015","0x0000000000040010"])",
          R"("DM":1,"RH":0,"TM":1,"DLM":0,"IM":0,"V":49,)", R"("SQ":0,"SVT":1})",
          R"("source":{"checked":"source-id","wanted":"0x10","ignored-bits":"0x0",)"
          R"("source":"0x10","valid":true})",
          R"("stale":false)",
          R"("verdict":{"result":"remapped","address":"0xfee02004","data":"0xc031")",
          R"("Vector":49)"}) {
        EXPECT_TRUE(has(told, part)) << part << "\n" << told;
    }
    // And that is what the unit then does.
    const auto m = b.unit.remap_interrupt(SourceId{0x10}, {Gpa{0xfee0'00b0}, 0});
    ASSERT_TRUE(m);
    EXPECT_EQ(m->address, Gpa{0xfee0'2004});
    EXPECT_EQ(m->data, 0xc031u);
}

TEST(Introspect_WalkInterrupt, OfARefusalRecordsNothingAndCachesNothing)
{
    Remapping b;
    b.irte(5, 0x0031'0000, 0);  // not present
    const auto told = b.ask("sid=00:02.0,address=0xfee000b0,data=0");
    EXPECT_TRUE(has(told, R"("problem":"IrteNotPresent"})")) << told;
    EXPECT_TRUE(has(told, R"("event":{"name":"IrteNotPresent","number":34,"raw":[)"
                          R"("0x0005000000000000","0x8000002200000010"])"))
        << told;
    EXPECT_EQ(b.r32(FSTS), 0u);
    EXPECT_EQ(b.reason(), 0u);
    std::string faults;
    ASSERT_TRUE(b.unit.ask("faults", "", faults));
    EXPECT_TRUE(has(faults, R"("total":0)")) << faults;
    // A good entry that was only looked at may still be changed without a word.
    b.irte(5, 0x0031'0001, 0);
    EXPECT_TRUE(has(b.ask("sid=00:02.0,address=0xfee000b0,data=0"), R"("remapped")"));
    b.irte(5, 0, 0);
    EXPECT_FALSE(b.send(0xfee0'00b0));
    EXPECT_EQ(b.take_reason(), 0x22u);
}

TEST(Introspect_WalkInterrupt, SaysWhomTheEntryBelongsTo)
{
    Remapping b;
    // SVT 01b with SQ 11b: any function of 00:02; then 10b: buses 2 to 4.
    b.irte(1, 0x0031'0001, 0x7'0010);
    b.irte(2, 0x0031'0001, 0x8'0204);
    EXPECT_TRUE(has(b.ask("sid=00:02.7,address=0xfee00030,data=0"),
                    R"("ignored-bits":"0x7","source":"0x17","valid":true})"));
    auto told = b.ask("sid=00:03.0,address=0xfee00030,data=0");
    EXPECT_TRUE(has(told, R"("source":"0x18","valid":false})")) << told;
    EXPECT_TRUE(has(told, R"("name":"SourceNotValid","number":38,)")) << told;
    told = b.ask("sid=05:00.0,address=0xfee00050,data=0");
    EXPECT_TRUE(has(told, R"({"checked":"bus","first-bus":"0x2","last-bus":"0x4",)"
                          R"("source":"0x500","valid":false})"))
        << told;
    EXPECT_TRUE(has(b.ask("sid=03:00.0,address=0xfee00050,data=0"), R"("remapped")"));
    // FPD mutes what the entry itself refuses.
    b.irte(1, 0x0031'0003, 0x4'0010);
    told = b.ask("sid=00:03.0,address=0xfee00030,data=0");
    EXPECT_TRUE(has(told, R"("event":null,"muted":"SourceNotValid")")) << told;
}

TEST(Introspect_WalkInterrupt, WithoutAnEntryShowsTheRequestAlone)
{
    Remapping b;
    auto told = b.ask("sid=0,address=0xfee02010,data=0");  // index 256 of 256
    EXPECT_TRUE(has(told, R"("name":"InterruptIndexTooLarge","number":33,)")) << told;
    EXPECT_FALSE(has(told, R"("IRTE")")) << told;
    told = b.ask("sid=0,address=0xfee01000,data=0x31");  // compatibility format
    EXPECT_TRUE(has(told, R"("name":"CompatibilityBlocked","number":37,)")) << told;
    Remapping off(false);
    told = off.ask("sid=0,address=0xfee01000,data=0x31");
    EXPECT_TRUE(has(told, R"("enabled":false)")) << told;
    EXPECT_TRUE(has(told, R"("result":"passed","address":"0xfee01000","data":"0x31")"))
        << told;
}

TEST(Introspect_WalkInterrupt, ShowsWhatIsCachedAndWhetherItIsStale)
{
    Remapping b;
    const auto question = "sid=00:02.0,address=0xfee000b0,data=0";
    b.irte(5, 0x0031'0001, 0);
    EXPECT_FALSE(has(b.ask(question), R"("cached")"));
    ASSERT_TRUE(b.send(0xfee0'00b0));
    EXPECT_TRUE(has(b.ask(question),
                    R"("cached":[{"cache":"interrupt entry cache","differs":false,)"
                    R"("raw":["0x0000000000310001","0x0000000000000000"]}])"))
        << b.ask(question);
    b.irte(5, 0, 0);
    auto told = b.ask(question);
    EXPECT_TRUE(has(told, R"("cache":"interrupt entry cache","differs":true)")) << told;
    EXPECT_TRUE(has(told, R"("stale":true)")) << told;
    EXPECT_TRUE(has(told, R"("name":"IrteNotPresent")")) << told;
    EXPECT_TRUE(b.send(0xfee0'00b0));  // which is what the unit still does
    b.queue();
    b.submit(0x4, 0);  // VT-d 6.5.2.7, all
    told = b.ask(question);
    EXPECT_FALSE(has(told, R"("cached")")) << told;
    EXPECT_TRUE(has(told, R"("stale":false)")) << told;
}

TEST(Introspect_WalkInterrupt, ErrorsAreOneLine)
{
    Remapping b;
    EXPECT_EQ(b.ask("sid=0,data=0"), "error: walk-interrupt: address= is missing");
    EXPECT_EQ(b.ask("sid=0,address=0xfee00010"),
              "error: walk-interrupt: data= is missing");
    EXPECT_EQ(b.ask("sid=0,address=0x1000,data=0"),
              "error: walk-interrupt: address=0x1000 is no interrupt's, which are "
              "0xfee00000 to 0xfeefffff");
}
