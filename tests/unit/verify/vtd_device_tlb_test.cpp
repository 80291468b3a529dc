// SPDX-License-Identifier: GPL-2.0-or-later
// Verify mode and functions with a translation cache of their own
// (VT-d 6.5.2.5, 6.5.2.6).
#include <map>

#include "tests/unit/verify/record_file.hpp"
#include "tests/unit/verify/vtd_site.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

constexpr std::uint64_t iova = 0x4000'0000, entries = 0x13000;

vtd::Configuration with_ats(vtd::Configuration c)
{
    c.device_iotlb = true;
    return c;
}

// A function that keeps what it is told, page by page, until it is told to forget.
template <typename Base>
struct Function : Base {
    using Base::Base;
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> cache{};

    // False: refused.
    bool dma_ats(unsigned page, bool write = false, Substream pasid = {},
                 unsigned sid = 0x10)
    {
        Transaction t{.address = Iova{iova + page * 0x1000},
                      .access = write ? Access::Write : Access::Read,
                      .substream = pasid};
        auto* stream = this->watch.stream(this->stream(sid), sid);
        const auto key = std::pair(pasid.present ? pasid.value : ~0u, t.address.value);
        if (!cache.contains(key)) {
            const auto told = stream->request_translation(t);
            if (told.status != AtsStatus::Success || !told.translation.read) {
                return false;
            }
            cache[key] = told.translation.output.value;
        }
        t.address = Iova{cache[key]};
        return stream->admit_translated(t) == Stream::Result::Ok;
    }
    void forget() { cache.clear(); }
    // VT-d 6.5.2.5, 4 KiB of 00:02.0.
    void flush_device(unsigned page, unsigned sid = 0x10)
    {
        this->submit(0x3 | std::uint64_t{sid} << 32, iova + page * 0x1000);
    }
};

struct Legacy : Function<Watched<Board>> {
    Legacy() : Function(with_ats(plain()))
    {
        legacy_root();
        queue();
        context(0x10, 0x10001 | 1 << 2, 0x502);  // TT 01b
        put(0x10000, {0x11003});
        put(0x11008, {0x12003});
        put(0x12000, {0x13003});
        put(entries, {0x50'0003, 0x50'1003, 0});
        w32(GCMD, (r32(GSTS) & 0x96ff'ffff) | TE);
    }
    // All that a driver has to do.
    void unmap(unsigned page)
    {
        put(entries + page * 8, {0});
        flush(iova + page * 0x1000);
        wait();
        flush_device(page);
        wait();
        forget();
    }
};

struct Scalable : Function<Watched<ScalableBoard>> {
    Scalable() : Function(with_ats(scalable()))
    {
        context(0x400d, 0);  // P, DTE, PASIDE
        submit(0x11, 0);
        first_tables();
        pasid(3, FIRST, 7, 0x10000);
    }
};

}  // namespace

TEST(Verify_Vtd_6_5_2_5, ADriverThatTellsTheFunctionIsNotBlamed)
{
    Legacy s;
    for (unsigned round = 0; round < 4; ++round) {
        s.put(entries, {0x50'0003 + round * 0x1000});
        EXPECT_TRUE(s.dma_ats(0, true));
        EXPECT_TRUE(s.dma_ats(0));
        s.unmap(0);
        EXPECT_FALSE(s.dma_ats(0));
    }
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_5_2_5, AForgottenDeviceTlbInvalidationIsNamedOnceWithItsEvidence)
{
    Legacy s;
    ASSERT_TRUE(s.dma_ats(0));
    s.put(entries, {0});
    s.flush(iova);
    s.wait();
    EXPECT_TRUE(s.dma_ats(0));  // nobody told the function
    EXPECT_TRUE(s.dma_ats(0));
    EXPECT_EQ(s.findings("WI-VTD-STALE-DEVTLB"), 1u);
    EXPECT_EQ(s.lines.size(), 1u);
    const auto json = s.json();
    for (const char* part :
         {R"("requester": "0x10")", R"("domain": "0x5")", R"("address": "0x40000000")",
          R"("used": "0x500000")", R"("memory-grants": 0)",
          R"("old-descriptor": "0x500003")", R"("old-descriptor-at": "0x13000")",
          R"("new-descriptor": "0x0")", R"("count": 2)",
          R"("name": "IOTLB invalidation")"}) {
        EXPECT_NE(json.find(part), std::string::npos) << part << json;
    }
}

TEST(Verify_Vtd_6_5_2_5, AnAccessBeforeTheInvalidationIsNoMistake)
{
    Legacy s;
    ASSERT_TRUE(s.dma_ats(0));
    s.put(entries, {0x60'0003});
    EXPECT_TRUE(s.dma_ats(0));
    s.flush(iova);
    s.wait();
    s.flush_device(0);
    s.forget();
    s.wait();
    EXPECT_TRUE(s.dma_ats(0));
    EXPECT_TRUE(s.silent()) << s.json();
    EXPECT_NE(s.json().find(R"("withdrawn": 1)"), std::string::npos) << s.json();
}

TEST(Verify_Vtd_6_5_2_5, AnotherPageOrFunctionDoesNotCount)
{
    for (const bool other_page : {false, true}) {
        Legacy s;
        ASSERT_TRUE(s.dma_ats(0));
        s.put(entries, {0});
        s.flush(iova);
        s.flush_device(other_page ? 1 : 0, other_page ? 0x10 : 0x18);
        s.wait();
        EXPECT_TRUE(s.dma_ats(0));
        EXPECT_EQ(s.findings("WI-VTD-STALE-DEVTLB"), 1u) << other_page << s.json();
    }
}

TEST(Verify_Vtd_6_5_2_5, OneInvalidationCanNameMany)
{
    Legacy s;
    ASSERT_TRUE(s.dma_ats(0));
    ASSERT_TRUE(s.dma_ats(1));
    s.put(entries, {0, 0});
    s.flush(iova);
    s.flush(iova + 0x1000);
    s.wait();
    EXPECT_TRUE(s.dma_ats(0));
    EXPECT_TRUE(s.dma_ats(1));
    // S with the lowest clear bit at 13: 8 KiB.
    s.submit(0x3 | 0x10ull << 32, iova | 1);
    s.wait();
    s.wait();
    EXPECT_TRUE(s.silent()) << s.json();
    EXPECT_NE(s.json().find(R"("withdrawn": 2)"), std::string::npos) << s.json();
}

TEST(Verify_Vtd_6_5_2_5, TheSamePageByAnotherAddressExplainsTheAccess)
{
    Legacy s;
    s.put(entries + 8, {0x50'0003});  // both pages lead to one
    ASSERT_TRUE(s.dma_ats(0));
    ASSERT_TRUE(s.dma_ats(1));
    s.put(entries, {0});
    EXPECT_TRUE(s.dma_ats(1));
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_5_2_5, RightsThatWereTakenAwayAreUsedOnlyByMistake)
{
    Legacy s;
    ASSERT_TRUE(s.dma_ats(0, true));
    s.put(entries, {0x50'0001});
    s.flush(iova);
    s.wait();
    EXPECT_TRUE(s.dma_ats(0));
    EXPECT_TRUE(s.silent()) << s.json();  // reading is allowed still
    EXPECT_TRUE(s.dma_ats(0, true));
    EXPECT_EQ(s.findings("WI-VTD-STALE-DEVTLB"), 1u) << s.json();
}

TEST(Verify_Vtd_6_5_2_5, AForgedRequestProvesNothing)
{
    Legacy s;
    auto* stream = s.watch.stream(s.stream(), 0x10);
    EXPECT_EQ(stream->admit_translated({.address = Iova{0x70'0000}}), Stream::Result::Ok);
    EXPECT_TRUE(s.silent()) << s.json();
}

TEST(Verify_Vtd_6_5_2_5, TheIotlbGoesFirstOrTheFunctionIsToldTheOldTranslationAgain)
{
    Legacy s;
    ASSERT_TRUE(s.dma_ats(0));
    s.put(entries, {0});
    s.flush_device(0);
    s.forget();
    s.wait();
    EXPECT_TRUE(s.dma_ats(0));  // from the IOTLB
    s.flush(iova);
    s.wait();
    EXPECT_TRUE(s.dma_ats(0));
    s.wait();
    s.wait();
    EXPECT_EQ(s.findings("WI-VTD-STALE-DEVTLB"), 1u) << s.json();
    EXPECT_EQ(s.findings("WI-VTD-STALE-IOTLB"), 0u) << s.json();
}

TEST(Verify_Vtd_6_5_2_8, ReuseBeforeTheWaitOfADeviceTlbInvalidationIsNamed)
{
    for (const bool waits : {false, true}) {
        Legacy s;
        ASSERT_TRUE(s.dma_ats(0));
        s.put(entries, {0});
        s.flush(iova);
        s.wait();
        s.flush_device(0);
        s.forget();
        if (waits) {
            s.wait();
        }
        s.put(entries, {0x60'0003});
        EXPECT_TRUE(s.dma_ats(0));
        EXPECT_EQ(s.findings("WI-VTD-NO-WAIT"), waits ? 0u : 1u) << s.json();
    }
}

TEST(Verify_Vtd_6_5_2_6, ThePasidsOwnDescriptorCounts)
{
    const Substream pasid{3, true};
    for (const unsigned how : {0, 1, 2, 3}) {
        Scalable s;
        ASSERT_TRUE(s.dma_ats(0, false, pasid)) << s.json();
        s.put(0x13000, {0});
        s.submit(0x36 | 7ull << 16 | 3ull << 32, iova);  // PASID-based IOTLB, 4 KiB
        s.wait();
        EXPECT_TRUE(s.dma_ats(0, false, pasid));
        const std::uint64_t of_pasid =
            0x8 | 0x10ull << 16 | (how == 1 ? 4ull : 3ull) << 32;
        if (how == 0) {
            s.flush_device(0);  // of requests without PASID
        } else {
            s.submit(of_pasid, iova | (how == 3 ? 1 : 0));  // G: of any PASID
        }
        s.wait();
        s.wait();
        EXPECT_EQ(s.findings("WI-VTD-STALE-DEVTLB"), how >= 2 ? 0u : 1u)
            << how << s.json();
    }
}

TEST(Record_Vtd, ARefusedTranslationRequestIsNotTheNextAccesssFault)
{
    RecordFile file;
    {
        Legacy s;
        s.context(0x10, 0x10001, 0x502);  // TT 00b: no ATS
        ASSERT_EQ(s.watch.record(file.path), "");
        EXPECT_FALSE(s.dma_ats(0));
        EXPECT_TRUE(s.dma(iova + 0x1000));
    }
    unsigned faults = 0;
    for (const auto& entry : records_of(file.bytes())) {
        if (entry.type == 2) {
            ++faults;
            EXPECT_EQ(number(entry.payload, 8, 8), iova);
            EXPECT_EQ(number(entry.payload, 16, 4), 0xdu);
        }
    }
    EXPECT_EQ(faults, 1u);
}
