// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 11 "Register Descriptions": what the capabilities promise together, for
// every set of properties, and who may write what.
#include "tests/conformance/vtd/rig.hpp"

#include <functional>

using namespace iommu;
using namespace iommu::test;

namespace {

std::uint64_t field(std::uint64_t value, unsigned high, unsigned low)
{
    return value >> low & ((2ull << (high - low)) - 1);
}

// Every combination of the properties that can be made.
void for_each_unit(const std::function<void(Board&, const vtd::Configuration&)>& look)
{
    for (unsigned bits = 0; bits < 1u << 9; ++bits) {
        for (const std::uint8_t width : {39, 48, 57}) {
            vtd::Configuration c;
            c.aw_bits = width;
            c.scalable_mode = bits & 1;
            c.pasid_bits = bits & 2 ? 20 : 0;
            c.device_iotlb = bits & 4;
            c.intremap = bits & 8;
            c.eim = bits & 16;
            c.pt = bits & 32;
            c.snoop_control = bits & 64;
            c.caching_mode = bits & 128;
            c.fault_records = bits & 256 ? 256 : 1;
            if (c.eim && !c.intremap) {
                continue;
            }
            Board b(c, 1 << 16);
            look(b, c);
        }
    }
}

}  // namespace

// VT-d 11.4.2 and 11.4.3: features that need others come with them only.
TEST(Vtd_11_4_3_Capabilities, NeverPromiseHalfAFeature)
{
    for_each_unit([](Board& b, const vtd::Configuration& c) {
        const auto cap = b.r64(CAP), ecap = b.r64(ECAP);
        const auto has = [&](unsigned bit) { return field(ecap, bit, bit) != 0; };
        const bool scalable_mode = has(43), pasid = has(40);
        EXPECT_EQ(scalable_mode, c.scalable_mode);
        EXPECT_EQ(has(2), c.device_iotlb);
        EXPECT_EQ(has(3), c.intremap);
        EXPECT_TRUE(has(3) || !has(4)) << "EIM needs IR";
        EXPECT_TRUE(has(3) || field(ecap, 23, 20) == 0) << "MHMV needs IR";
        EXPECT_TRUE(scalable_mode || !pasid) << "PASID needs SMTS";
        EXPECT_TRUE(pasid || field(ecap, 39, 35) == 0) << "PSS needs PASID";
        EXPECT_TRUE(pasid || !has(30)) << "ERS needs PASID";
        EXPECT_EQ(has(26), has(46) && has(47)) << "NEST is SSTS and FSTS";
        EXPECT_TRUE(scalable_mode ||
                    !(has(45) || has(46) || has(47) || has(48) || has(49)));
        EXPECT_TRUE(has(47) || field(cap, 60, 60) + field(cap, 56, 56) == 0)
            << "5 levels and 1 GiB of a first stage";
        EXPECT_TRUE(has(1)) << "QI, which all of these need";
        EXPECT_EQ(ecap & (1ull << 29 | 1ull << 42 | 1ull << 44), 0u) << "PRS, PDS, VCS";
        EXPECT_EQ(field(cap, 59, 59), 0u) << "PI";
        EXPECT_EQ(field(cap, 7, 7), c.caching_mode ? 1u : 0u);
    });
}

// VT-d 11.4.2: SAGAW names widths up to MGAW; registers that CAP and ECAP place overlap
// nothing and are within the unit.
TEST(Vtd_11_4_2_CAP, WidthsAndPlacesAgree)
{
    for_each_unit([](Board& b, const vtd::Configuration& c) {
        const auto cap = b.r64(CAP), ecap = b.r64(ECAP);
        const auto widths = field(cap, 12, 8);
        EXPECT_EQ(field(cap, 21, 16) + 1, c.aw_bits);
        EXPECT_NE(widths & 1 << ((c.aw_bits - 30) / 9), 0u);
        EXPECT_EQ(widths >> ((c.aw_bits - 30) / 9 + 1), 0u) << "none above MGAW";
        EXPECT_EQ(widths & 1, 0u) << "no 30 bits";
        const auto records = field(cap, 33, 24) * 16, count = field(cap, 47, 40) + 1;
        const auto iva = field(ecap, 17, 8) * 16;
        EXPECT_EQ(count, c.fault_records);
        EXPECT_LE(records + 16 * count, b.unit.mmio_size());
        EXPECT_TRUE(iva + 16 <= records || records + 16 * count <= iva);
        EXPECT_GE(std::min(iva, records), 0xc0u) << "IRTA_REG ends there";
    });
}

// VT-d 11.4.4.1: a command bit of something that is not announced does nothing.
TEST(Vtd_11_4_4_1_GCMD, TurnsOnWhatIsAnnouncedOnly)
{
    for_each_unit([](Board& b, const vtd::Configuration& c) {
        for (const auto bit : {SIRTP, IRE, CFI, 1u << 27, 1u << 28, 1u << 29, 1u << 30}) {
            b.w32(GCMD, bit);
        }
        b.w32(GCMD, 0x7aff'ffff);
        const auto on = b.r32(GSTS);
        EXPECT_EQ(on & (SIRTP | IRE | CFI), c.intremap ? SIRTP | IRE | CFI : 0u);
        EXPECT_EQ(on & (1u << 27 | 1u << 28 | 1u << 29), 0u) << "WBF, EAFL, SFL";
        EXPECT_EQ(on & 0x7fffff, 0u);
    });
}

// VT-d 11.4.7.1 "Fault Status Register": ones clear, zeros leave, and PPF follows the
// records.
TEST(Vtd_11_4_7_1_FSTS, OnesClearAndZerosLeave)
{
    vtd::Configuration c;
    c.fault_records = 1;
    LegacyRig rig(true, c);
    EXPECT_FALSE(rig.read(0x1000, 0x10).ok);
    EXPECT_FALSE(rig.read(0x1000, 0x18).ok);  // PFO
    rig.submit(0x0f, 0);                      // IQE
    EXPECT_EQ(rig.r32(FSTS), 0x13u);
    rig.w32(FSTS, 0);
    EXPECT_EQ(rig.r32(FSTS), 0x13u);
    rig.w32(FSTS, 0x2);
    EXPECT_EQ(rig.r32(FSTS), 0x13u) << "PPF is read-only";
    rig.w32(FSTS, 0x1);
    EXPECT_EQ(rig.r32(FSTS), 0x12u);
    rig.put(0x8000, {0x05, 0});
    rig.w32(FSTS, 0x10);
    EXPECT_EQ(rig.r32(FSTS), 0x02u);
    rig.w32(FRCD + 12, 1u << 31);
    EXPECT_EQ(rig.r32(FSTS), 0u);
}

// VT-d 11.4.8 "Protected Memory Enable Register": without CAP.PLMR and CAP.PHMR there is
// none, and DMA is not held back by one.
TEST(Vtd_11_4_8_1_PMEN, IsNotThere)
{
    LegacyRig rig(true);
    rig.w32(PMEN, 1u << 31);
    EXPECT_EQ(rig.r32(PMEN), 0u);
    rig.w32(GCMD, QIE);
    EXPECT_TRUE(rig.read(0x1000).ok) << "translation is off";
}
