// SPDX-License-Identifier: GPL-2.0-or-later
// The last refused accesses: bounded, one entry for an access in pieces, and a stop for
// each that matches.
#include <gtest/gtest.h>

#include "hw/iommu/common/pieces.hpp"
#include "tests/unit/smmuv3/board.hpp"

using namespace iommu;

namespace {

struct History : testing::Test {
    History()
    {
        history.watch({this, [](void* o) { return static_cast<History*>(o)->now += 10; },
                       [](void* o) { ++static_cast<History*>(o)->stopped; }});
    }
    void refuse(std::uint64_t address, Delivery delivery = Delivery::Whole,
                std::uint32_t requester = 8, unsigned event = 0x10)
    {
        RefusedNote n;
        n.requester = requester;
        n.event = event;
        n.access.address = Iova{address};
        n.access.access = Access::Write;
        n.access.delivery = delivery;
        history.note(n);
    }
    FaultHistory history;
    std::int64_t now = 0;
    unsigned stopped = 0;
};

}  // namespace

TEST_F(History, KeepsTheLastOfThemInOrder)
{
    for (std::uint64_t i = 0; i < 1000; ++i) {
        refuse(i << 12);
    }
    const auto look = history.look();
    ASSERT_EQ(look.notes.size(), 256u);
    EXPECT_EQ(look.total, 1000u);
    EXPECT_EQ(look.notes.front().serial, 744u);
    EXPECT_EQ(look.notes.back().access.address, Iova{999u << 12});
    EXPECT_EQ(look.notes.back().virtual_ns, 10000);
    EXPECT_GT(look.notes.back().wall_ns, 1'600'000'000'000'000'000);
    EXPECT_EQ(look.by_requester.at(8), 1000u);
    EXPECT_EQ(look.by_event.at(0x10), 1000u);
}

TEST_F(History, AnAccessThatGoesOnHasAnotherEndAndIsNoOtherNote)
{
    refuse(0x1ff0);
    history.extend(0, Iova{0x1ff8});
    auto look = history.look();
    ASSERT_EQ(look.notes.size(), 1u);
    EXPECT_EQ(look.notes[0].access.address, Iova{0x1ff0});
    EXPECT_EQ(look.notes[0].last, Iova{0x1ff8});
    // Late, when its place has gone to another: that one stays as it is.
    for (std::uint64_t i = 1; i <= FaultHistory::kept; ++i) {
        refuse(0x5000);
    }
    history.extend(0, Iova{0x1ffc});
    look = history.look();
    EXPECT_EQ(look.notes.back().serial, FaultHistory::kept);
    EXPECT_EQ(look.notes.back().last, Iova{0x5000});
}

TEST_F(History, CountsABoundedNumberOfRequestersOneByOne)
{
    for (std::uint32_t requester = 0; requester < 2000; ++requester) {
        refuse(0, Delivery::Whole, requester);
        refuse(0, Delivery::Whole, 5);
    }
    const auto look = history.look();
    EXPECT_EQ(look.by_requester.size(), FaultHistory::sources);
    EXPECT_EQ(look.by_requester.at(5), 2001u);
    EXPECT_EQ(look.uncounted, 2000u - FaultHistory::sources);
}

TEST_F(History, StopsAtWhatTheFilterNamesAndOnlyIfAsked)
{
    refuse(0x1000);
    EXPECT_EQ(stopped, 0u);
    history.set_action(FaultHistory::Action::Stop);
    refuse(0x1000);
    EXPECT_EQ(stopped, 1u);
    FaultHistory::Filter f;
    f.requester = 8;
    f.first = 0x2000;
    f.last = 0x2fff;
    f.event = 0x13;
    f.access = Access::Write;
    history.set_filter(f);
    refuse(0x2000);                            // another event
    refuse(0x3000, Delivery::Whole, 8, 0x13);  // beside it
    refuse(0x2000, Delivery::Whole, 9, 0x13);  // another requester
    EXPECT_EQ(stopped, 1u);
    refuse(0x2000, Delivery::Whole, 8, 0x13);
    EXPECT_EQ(stopped, 2u);
    f.pasid = 3;
    history.set_filter(f);
    refuse(0x2000, Delivery::Whole, 8, 0x13);
    EXPECT_EQ(stopped, 2u);
    EXPECT_EQ(history.look().stops, 2u);
}

// The device enters what it refuses, also when software is not told.
TEST(Introspect_History, OfAnSmmuHoldsEventsAndSilentRefusals)
{
    iommu::test::Board b;
    b.enable_eventq(4);
    b.refuse_all_streams();
    EXPECT_FALSE(b.dma(7, 0x4000));
    b.w32(iommu::test::CR0, 0);
    b.w32(iommu::test::GBPA, 1u << 31 | 1u << 20);  // ABORT
    EXPECT_FALSE(b.dma(7, 0x5000));
    const auto look = b.smmu.history().look();
    ASSERT_EQ(look.notes.size(), 2u);
    EXPECT_EQ(look.notes[0].name, "C_BAD_STREAMID");
    EXPECT_TRUE(look.notes[0].recorded);
    EXPECT_EQ(look.notes[0].raw, b.event(0));
    EXPECT_EQ(look.notes[1].words, 0u);
    EXPECT_FALSE(look.notes[1].recorded);
    EXPECT_EQ(look.notes[1].access.address, Iova{0x5000});
}

// Also one that software is not told of: GBPA.ABORT.
TEST(Introspect_History, OfAnAccessInPiecesHasOneNoteForEachPage)
{
    for (const std::uint32_t gbpa : {0u, 1u << 31 | 1u << 20}) {
        iommu::test::Board b;
        if (gbpa == 0) {
            b.enable_eventq(4);
            b.refuse_all_streams();
        } else {
            b.w32(iommu::test::GBPA, gbpa);
        }
        RefusedPieces::begin();
        auto* stream = b.smmu.stream(7, nullptr);
        const auto ask = [&](std::uint64_t at, Delivery delivery) {
            Transaction t;
            t.address = Iova{at};
            t.delivery = delivery;
            Translation out;
            EXPECT_EQ(stream->translate(t, out), Stream::Result::Refused);
        };
        for (std::uint64_t at = 0x1ff0; at < 0x2010; at += 4) {
            ask(at, Delivery::Pieces);
        }
        const auto look = b.smmu.history().look();
        ASSERT_EQ(look.notes.size(), 2u);  // a transaction does not cross a page
        EXPECT_EQ(look.notes[0].access.address, Iova{0x1ff0});
        EXPECT_EQ(look.notes[0].last, Iova{0x1ffc});
        EXPECT_EQ(look.notes[1].access.address, Iova{0x2000});
        EXPECT_EQ(look.notes[1].last, Iova{0x200c});
        ask(0x5000, Delivery::Whole);
        ask(0x5004, Delivery::Whole);  // however near
        EXPECT_EQ(b.smmu.history().look().total, 4u);
    }
}

// Software is told as ever.
TEST(Introspect_History, OffNotesNothingAndChangesNoEvent)
{
    iommu::test::Board b;
    b.enable_eventq(4);
    b.refuse_all_streams();
    EXPECT_FALSE(b.dma(7, 0x4000));
    EXPECT_EQ(b.smmu.adjust("fault-action", "off"), "");
    RefusedPieces::begin();
    for (const std::uint64_t at : {0x5000, 0x5004}) {
        Transaction t;
        t.address = Iova{at};
        t.delivery = Delivery::Pieces;
        Translation out;
        EXPECT_EQ(b.smmu.stream(7, nullptr)->translate(t, out), Stream::Result::Refused);
    }
    EXPECT_EQ(b.event(1)[0] & 0xff, 0x02u);  // C_BAD_STREAMID
    EXPECT_EQ(b.r32(iommu::test::EVENTQ_PROD), 2u);
    auto look = b.smmu.history().look();
    ASSERT_EQ(look.notes.size(), 1u);
    EXPECT_EQ(look.total, 1u);
    EXPECT_EQ(look.notes[0].last, Iova{0x4000});
    EXPECT_EQ(b.smmu.adjust("fault-action", "record"), "");
    EXPECT_FALSE(b.dma(7, 0x6000));
    look = b.smmu.history().look();
    ASSERT_EQ(look.notes.size(), 2u);
    EXPECT_EQ(look.notes[1].access.address, Iova{0x6000});
}

// The last of that requester, whoever was refused since.
TEST(Introspect_History, LimitCountsWhatIsAskedFor)
{
    iommu::test::Board b;
    b.enable_eventq(4);
    b.refuse_all_streams();
    for (const std::uint64_t at : {0x4000, 0x5000, 0x6000}) {
        EXPECT_FALSE(b.dma(7, at));
    }
    EXPECT_FALSE(b.dma(8, 0x7000));
    std::string told;
    ASSERT_TRUE(b.smmu.ask("faults", "sid=7,limit=2", told));
    EXPECT_EQ(told.find(R"("address":"0x4000")"), told.npos) << told;
    EXPECT_NE(told.find(R"("address":"0x5000")"), told.npos) << told;
    EXPECT_NE(told.find(R"("address":"0x6000")"), told.npos) << told;
    EXPECT_EQ(told.find(R"("address":"0x7000")"), told.npos) << told;
    ASSERT_TRUE(b.smmu.ask("faults", "limit=1", told));
    EXPECT_EQ(told.find(R"("address":"0x6000")"), told.npos) << told;
    EXPECT_NE(told.find(R"("address":"0x7000")"), told.npos) << told;
}

TEST(Introspect_History, OptionsThatAreWrongChangeNothing)
{
    iommu::test::Board b;
    EXPECT_EQ(b.smmu.adjust("fault-action", "stop"), "");
    EXPECT_EQ(b.smmu.adjust("fault-action", "burn"),
              "fault-action: burn is none of record, stop, off");
    EXPECT_EQ(b.smmu.history().action(), FaultHistory::Action::Stop);
    EXPECT_EQ(b.smmu.adjust("fault-filter", "event=F_ACCESS,sid=00:01.0"), "");
    EXPECT_EQ(b.smmu.adjust("fault-filter", "event=F_FOG"),
              "fault-filter: event=F_FOG is no event of this device");
    EXPECT_EQ(b.smmu.history().filter(), "event=F_ACCESS,sid=00:01.0");
    EXPECT_EQ(b.smmu.adjust("fault-filter", "event=0x13"), "");
    EXPECT_EQ(b.smmu.adjust("colour", "red"), "colour: there is no such option");
}
