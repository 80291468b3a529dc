// SPDX-License-Identifier: GPL-2.0-or-later
// Every field of a structure is shown by the manual's name: what is neither shown nor
// RES0 is what the manuals call ignored, listed here by hand.
#include <gtest/gtest.h>

#include "hw/iommu/introspect/arguments.hpp"
#include "hw/iommu/introspect/smmuv3_fields.hpp"
#include "hw/iommu/introspect/vtd_fields.hpp"

using namespace iommu;
using namespace iommu::introspect;

namespace {

constexpr std::uint64_t bits(unsigned hi, unsigned lo)
{
    return (~std::uint64_t{0} >> (63 - (hi - lo))) << lo;
}
template <std::size_t N>
using Words = std::array<std::uint64_t, N>;

}  // namespace

TEST(Introspect_Fields, EveryFieldOfAnSmmuStructureIsShown)
{
    EXPECT_EQ(SteFields::unnamed(),
              (Words<8>{0, bits(63, 52), bits(31, 16), 0, bits(15, 0)}));
    EXPECT_EQ(CdFields::unnamed(), (Words<8>{0, 0, 0, 0, 0, bits(31, 0)}));
    EXPECT_EQ(L1CdFields::unnamed(), Words<1>{});
    EXPECT_EQ(L1StdFields::unnamed(), Words<1>{});
    EXPECT_EQ(Stage1TableFields::unnamed(), (Words<1>{bits(58, 48) | bits(11, 2)}));
    EXPECT_EQ(Stage1LeafFields::unnamed(), (Words<1>{bits(63, 55) | bits(49, 48)}));
    EXPECT_EQ(Stage2TableFields::unnamed(), (Words<1>{bits(63, 48) | bits(11, 2)}));
    EXPECT_EQ(Stage2LeafFields::unnamed(),
              (Words<1>{bits(63, 55) | bits(50, 48) | bits(11, 11)}));
    EXPECT_EQ(ConfigurationRecordFields::unnamed(), Words<4>{});
    EXPECT_EQ(FetchRecordFields::unnamed(), Words<4>{});
    EXPECT_EQ(WalkAbortRecordFields::unnamed(), Words<4>{});
    EXPECT_EQ(TranslationRecordFields::unnamed(), Words<4>{});
    EXPECT_EQ(TlbiFields::unnamed(), Words<2>{});
    EXPECT_EQ(SyncFields::unnamed(), Words<2>{});
}

TEST(Introspect_Fields, EveryFieldOfAVtdStructureIsShown)
{
    EXPECT_EQ(RootEntryFields::unnamed(), Words<2>{});
    EXPECT_EQ(ScalableRootEntryFields::unnamed(), Words<2>{});
    EXPECT_EQ(ContextEntryFields::unnamed(), (Words<2>{0, bits(6, 3)}));
    EXPECT_EQ(ScalableContextEntryFields::unnamed(), Words<4>{});
    EXPECT_EQ(PasidDirectoryEntryFields::unnamed(), Words<1>{});
    EXPECT_EQ(PasidTableEntryFields::unnamed(), Words<8>{});
    EXPECT_EQ(FirstStageEntryFields::unnamed(),
              (Words<1>{bits(62, 52) | bits(11, 11) | bits(9, 9)}));
    EXPECT_EQ(SecondStageEntryFields::unnamed(),
              (Words<1>{bits(63, 63) | bits(61, 52) | bits(10, 10)}));
    EXPECT_EQ(FaultRecordFields::unnamed(), Words<2>{});
    EXPECT_EQ(IrteFields::unnamed(), (Words<2>{bits(11, 8), 0}));
}

TEST(Introspect_Fields, NamesAndValuesAreTheManuals)
{
    smmu::L1Std entry;
    entry.dword[0] = 0x8765'4000 | 7;
    Json json;
    L1StdFields::write(json, entry);
    EXPECT_EQ(json.str(), R"({"Span":7,"L2Ptr":"0x87654000"})");
    EXPECT_EQ(name_of_value(smmu::EventId::F_TRANSLATION), "F_TRANSLATION");
    // SMMU 4.4, 4.7.3: the address itself, though the command has it shifted.
    const std::uint64_t invalidate[] = {0x12, 0xffff'8000'0123'4001};
    EXPECT_NE(TlbiFields::describe(invalidate).find(R"("Address":"0xffff800001234000")"),
              std::string::npos)
        << TlbiFields::describe(invalidate);
    const std::uint64_t sync[] = {0x46, 0x0000'0040'0802'0040};
    EXPECT_NE(SyncFields::describe(sync).find(R"("MSIAddress":"0x4008020040")"),
              std::string::npos)
        << SyncFields::describe(sync);
    EXPECT_EQ(name_of_value(static_cast<smmu::EventId>(0x7f)), "unknown");
}

TEST(Introspect_Json, TextCannotBreakOut)
{
    Json json;
    json.open_object().text("a\"b\\", "\n\x80").key("c").open_list().number(1).null();
    json.boolean(true).close_list().close_object();
    EXPECT_EQ(json.str(), R"({"a\"b\\":"??","c":[1,null,true]})");
}

TEST(Introspect_Arguments, SayWhatIsWrong)
{
    const auto problem = [](const char* text) {
        Arguments a;
        auto line = a.parse(text, "sid, address, access");
        if (line.empty()) {
            (void)a.required_requester("sid", 0xffff);
            (void)a.required("address", ~std::uint64_t{0});
            (void)a.choice("access", {"read", "write"});
            line = a.error();
        }
        return line;
    };
    EXPECT_EQ(problem("sid=00:02.0,address=0x1000,access=write"), "");
    EXPECT_EQ(problem("sid=16,address=0xffffffffffffffff"), "");
    EXPECT_EQ(problem("address=1"), "sid= is missing");
    EXPECT_EQ(problem("sid=1"), "address= is missing");
    EXPECT_EQ(problem("sid=0x10000,address=1"),
              "sid=0x10000 is no number from 0 to 0xffff");
    EXPECT_EQ(problem("sid=-1,address=1"), "sid=-1 is no number from 0 to 0xffff");
    EXPECT_EQ(problem("sid=,address=1"), "sid= is no number from 0 to 0xffff");
    EXPECT_EQ(problem("sid=00:20.0,address=1"),
              "sid=00:20.0 is no bus:device.function, such as 00:02.0");
    EXPECT_EQ(problem("sid=1,address=0x10000000000000000"),
              "address=0x10000000000000000 is no number from 0 to 0xffffffffffffffff");
    EXPECT_EQ(problem("sid=1,address=1,access=run"), "access=run is none of read, write");
    EXPECT_EQ(problem("sid=1,sid=1"), "'sid' is given twice");
    EXPECT_EQ(problem("sid=1,bus=3"),
              "'bus=3' is no key=value with one of the keys sid, address, access");
    EXPECT_EQ(problem("sid"),
              "'sid' is no key=value with one of the keys sid, address, access");
}
