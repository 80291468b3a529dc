// SPDX-License-Identifier: GPL-2.0-or-later
// What migrates, and what is refused.
#include "tests/unit/vtd/board.hpp"

#include "iommu/capi.h"

#include <cstring>
#include <string>

using namespace iommu;
using namespace iommu::test;

TEST(Vtd_State, ARoundTripKeepsRegistersFaultsAndWhatIsLatched)
{
    Board from;
    from.legacy_4k();
    from.queue();
    from.w32(FEDATA, 0x41);
    from.w64(FEADDR, 0x1'fee0'1000);
    from.w64(RTADDR, 0x7000);  // written, not latched
    EXPECT_FALSE(from.read(0x7000'0000).ok);
    from.submit(0x15, 0);  // a completion is pending
    const auto state = from.unit.save();

    Board to;
    to.legacy_4k();
    to.w32(GCMD, 0);
    ASSERT_EQ(to.unit.load(state), nullptr);
    for (std::uint64_t at = 0; at < 0x240; at += 8) {
        EXPECT_EQ(to.r64(at), from.r64(at)) << std::hex << at;
    }
    EXPECT_EQ(to.r32(FECTL), 0xc000'0000u);
    EXPECT_EQ(to.r32(IECTL), 0xc000'0000u);
    EXPECT_EQ(to.read(0x4000'0000).t.output, Gpa{0x50'0000});
    EXPECT_EQ(to.unit.save(), state);
    to.w32(FECTL, 0);
    EXPECT_EQ(to.host.msis.size(), 1u);
}

TEST(Vtd_State, WhatCannotBeIsRefusedAndNothingChanges)
{
    Board b;
    b.legacy_4k();
    const auto good = b.unit.save();
    const auto refused = [&](std::vector<std::byte> state) {
        const char* text = b.unit.load(state);
        EXPECT_EQ(b.unit.save(), good);
        return text ? std::string(text) : std::string();
    };
    EXPECT_NE(refused({}).find("not that of"), std::string::npos);
    auto bad = good;
    bad[0] ^= std::byte{1};
    EXPECT_NE(refused(bad).find("not that of"), std::string::npos);
    bad = good;
    bad[8] ^= std::byte{2};
    EXPECT_NE(refused(bad).find("another version"), std::string::npos);
    bad = good;
    bad.pop_back();
    EXPECT_NE(refused(bad).find("cut short"), std::string::npos);
    // Every doubleword of the registers, with a bit that none of them has.
    for (const std::size_t word : {0, 1, 3, 4, 7, 8, 11, 12}) {
        bad = good;
        bad[(3 + word) * 8 + 7] ^= std::byte{0x80};
        EXPECT_NE(refused(bad).find("no register can hold"), std::string::npos) << word;
    }
    vtd::Configuration c;
    c.caching_mode = true;
    Board other(c);
    EXPECT_NE(refused(other.unit.save()).find("other properties"), std::string::npos);
}

namespace {

WiHost silent_host()
{
    WiHost h = {};
    h.read = [](void*, uint64_t, void*, size_t) { return -1; };
    h.write = [](void*, uint64_t, const void*, size_t) { return -1; };
    h.mark_dirty = [](void*, uint64_t, size_t) {};
    h.pulse = [](void*, unsigned) {};
    h.send_msi = [](void*, uint64_t, uint32_t) { return 0; };
    h.unmapped = [](void*, void*, uint64_t, uint64_t) {};
    h.bypass_changed = [](void*, void*) {};
    h.guest_error = [](void*, const char*) {};
    return h;
}

}  // namespace

TEST(Vtd_Capi, MakesAUnitAndRemapsInterrupts)
{
    WiVtdConfig config;
    wi_vtd_config_init(&config);
    const auto host = silent_host();
    const char* error = "unset";
    WiIommu* unit = wi_vtd_new(&config, &host, &error);
    ASSERT_NE(unit, nullptr);
    EXPECT_EQ(error, nullptr);
    EXPECT_EQ(wi_iommu_mmio_read(unit, ECAP, 8), 0x00f0'0fdbu);
    EXPECT_EQ(wi_vtd_mmio_size(unit), 0x1000u);
    EXPECT_EQ(wi_vtd_host_address_bits(unit), 48u);
    uint64_t address = 0;
    uint32_t data = 0;
    EXPECT_TRUE(wi_vtd_remap_interrupt(unit, 0x10, 0xfee0'1004, 0x31, &address, &data));
    EXPECT_EQ(address, 0xfee0'1004u);
    EXPECT_EQ(data, 0x31u);
    wi_iommu_mmio_write(unit, GCMD, 4, IRE);
    EXPECT_FALSE(wi_vtd_remap_interrupt(unit, 0x10, 0xfee0'1004, 0x31, &address, &data));
    EXPECT_EQ(wi_iommu_mmio_read(unit, FRCD + 8, 8), 0x8000'0025'0000'0010u);
    wi_iommu_free(unit);
    config.aw_bits = 40;
    EXPECT_EQ(wi_vtd_new(&config, &host, &error), nullptr);
    EXPECT_NE(std::string(error).find("aw-bits"), std::string::npos);
}
