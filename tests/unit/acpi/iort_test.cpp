// SPDX-License-Identifier: GPL-2.0-or-later
// Arm DEN 0049 E.e.  The byte vectors were laid out by hand from the node formats.
#include "tests/unit/acpi/parse.hpp"

namespace iommu::test {
namespace {

using acpi::build_iort;
using acpi::Iort;

// The SMMUv3 of the virt machine: registers 0x09050000, event 106, pri 107, gerror 109,
// sync 108.
acpi::Smmuv3 virt_smmu()
{
    acpi::Smmuv3 s;
    s.base = Gpa{0x09050000};
    s.event_gsiv = 106;
    s.pri_gsiv = 107;
    s.gerror_gsiv = 109;
    s.sync_gsiv = 108;
    return s;
}

Iort virt(bool its = true)
{
    Iort d;
    d.ids = bochs();
    if (its) {
        d.its = {0};
    }
    d.smmus = {virt_smmu()};
    acpi::RootComplex rc;
    rc.behind = {{0, 255, 0}};
    d.root_complexes = {rc};
    return d;
}

Bytes table_of(const Iort& d)
{
    const auto table = build_iort(d);
    EXPECT_EQ(table.error, "");
    auto bytes = plain(table.bytes);
    expect_header(bytes, "IORT", 6);
    return bytes;
}

std::string error_of(const Iort& d)
{
    const auto table = build_iort(d);
    EXPECT_TRUE(table.bytes.empty()) << "a wrong description made a table";
    EXPECT_EQ(table.error.find('\n'), std::string::npos) << "one line";
    return table.error;
}

#define EXPECT_REFUSED(d, part)                                                          \
    EXPECT_NE(error_of(d).find(part), std::string::npos) << error_of(d)

TEST(Iort_Node, ItsGroupSmmuAndRootComplexToTheByte)
{
    const Bytes body{
        // clang-format off
        0x03, 0, 0, 0,  0x30, 0, 0, 0,  0, 0, 0, 0,        // 3 nodes, from 48 on
        // 0x30: ITS group, length 24, revision 1, identifier 0, no mapping
        0x00, 0x18, 0x00, 0x01,  0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,
        1, 0, 0, 0,  0, 0, 0, 0,                           // one ITS, id 0
        // 0x48: SMMUv3, length 88, revision 5, identifier 1, one mapping at 68
        0x04, 0x58, 0x00, 0x05,  1, 0, 0, 0,  1, 0, 0, 0,  0x44, 0, 0, 0,
        0x00, 0x00, 0x05, 0x09, 0, 0, 0, 0,                // base
        0x01, 0, 0, 0,  0, 0, 0, 0,                        // COHACC override
        0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,               // VATOS, model
        0x6a, 0, 0, 0,  0x6b, 0, 0, 0,  0x6d, 0, 0, 0,  0x6c, 0, 0, 0,
        0, 0, 0, 0,  0, 0, 0, 0,                           // proximity, DeviceID index
        0, 0, 0, 0,  0xff, 0xff, 0, 0,  0, 0, 0, 0,  0x30, 0, 0, 0,  0, 0, 0, 0,
        // 0xa0: root complex, length 60, revision 4, identifier 2, one mapping at 40
        0x02, 0x3c, 0x00, 0x04,  2, 0, 0, 0,  1, 0, 0, 0,  0x28, 0, 0, 0,
        1, 0, 0, 0,  0, 0, 0, 0x03,                        // CCA; AH, reserved, CPM + DACS
        0, 0, 0, 0,  0, 0, 0, 0,                           // ATS, segment
        64, 0, 0, 0,  0, 0, 0, 0,                          // 64-bit, no PASID
        0, 0, 0, 0,  0xff, 0xff, 0, 0,  0, 0, 0, 0,  0x48, 0, 0, 0,  0, 0, 0, 0,
        // clang-format on
    };
    const auto t = table_of(virt());
    EXPECT_EQ(t.size(), 36 + body.size());
    EXPECT_EQ(slice(t, 36, body.size()), body);
}

// A foreign table: the ITS-less SMMUv3 example of QEMU's own IORT test data has, apart
// from revisions, this SMMUv3 node and these two maps of the root complex.
TEST(Iort_Node, WithoutItsOnlyTheSmmuIsMapped)
{
    auto d = virt(false);
    d.root_complexes[0].behind = {{0, 1, 0}, {0x10, 0x10, 0}};
    const auto nodes = iort_nodes(table_of(d));
    ASSERT_EQ(nodes.size(), 2u);
    EXPECT_EQ(nodes[0].bytes,
              (Bytes{
                  // clang-format off
                  4, 0x44, 0, 5,  0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,
                  0, 0, 5, 9, 0, 0, 0, 0,  1, 0, 0, 0,  0, 0, 0, 0,
                  0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,
                  0x6a, 0, 0, 0,  0x6b, 0, 0, 0,  0x6d, 0, 0, 0,  0x6c, 0, 0, 0,
                  0, 0, 0, 0,  0, 0, 0, 0,
                  // clang-format on
              }));
    EXPECT_EQ(
        mappings(nodes[1]),
        (std::vector<Mapping>{{0, 0x1ff, 0, 48, 0}, {0x1000, 0x10ff, 0x1000, 48, 0}}));
}

TEST(Iort_RootComplex, BusesBehindNoSmmuGoStraightToTheIts)
{
    auto d = virt();
    auto second = virt_smmu();
    second.base = Gpa{0x09070000};
    d.smmus.push_back(second);
    // Out of order on purpose: the table is in order.
    d.root_complexes[0].behind = {{0x10, 0x1f, 1}, {0, 1, 0}, {0xf0, 0xff, 0}};
    const auto nodes = iort_nodes(table_of(d));
    ASSERT_EQ(nodes.size(), 4u);
    const auto its = nodes[0].at, smmu0 = nodes[1].at, smmu1 = nodes[2].at;
    EXPECT_EQ(mappings(nodes[3]),
              (std::vector<Mapping>{{0x0000, 0x01ff, 0x0000, smmu0, 0},
                                    {0x0200, 0x0fff, 0x0200, its, 0},
                                    {0x1000, 0x1fff, 0x1000, smmu1, 0},
                                    {0x2000, 0xefff, 0x2000, its, 0},
                                    {0xf000, 0xffff, 0xf000, smmu0, 0}}));
}

TEST(Iort_RootComplex, WithoutSmmuEverythingGoesToTheIts)
{
    auto d = virt();
    d.smmus.clear();
    d.root_complexes[0].behind.clear();
    const auto nodes = iort_nodes(table_of(d));
    ASSERT_EQ(nodes.size(), 2u);
    EXPECT_EQ(mappings(nodes[1]), (std::vector<Mapping>{{0, 0xffff, 0, 48, 0}}));
}

TEST(Iort_RootComplex, SaysWhatItForwards)
{
    auto d = virt();
    auto& rc = d.root_complexes[0];
    rc.segment = 3;
    rc.ats = true;
    rc.pri = true;
    rc.pasid_bits = 20;
    rc.address_bits = 48;
    const auto node = iort_nodes(table_of(d))[2].bytes;
    EXPECT_EQ(slice(node, 24, 16),
              (Bytes{3, 0, 0, 0, 3, 0, 0, 0, 48, 20, 0, 0, 1, 0, 0, 0}));
}

TEST(Iort_RootComplex, SegmentsMapToTheirOwnDeviceIds)
{
    auto d = virt();
    d.smmus[0].device_id_base = 0x10000;
    d.root_complexes[0].segment = 1;
    d.root_complexes[0].device_id_base = 0x10000;
    d.root_complexes[0].behind = {{0, 0x7f, 0}};
    const auto nodes = iort_nodes(table_of(d));
    EXPECT_EQ(mappings(nodes[1]), (std::vector<Mapping>{{0, 0xffff, 0x10000, 48, 0}}));
    EXPECT_EQ(mappings(nodes[2]),
              (std::vector<Mapping>{{0, 0x7fff, 0, nodes[1].at, 0},
                                    {0x8000, 0xffff, 0x18000, 48, 0}}));
}

TEST(Iort_Smmuv3, OwnMsisGetASingleMappingAndTheValidFlag)
{
    auto d = virt();
    d.smmus[0].msi_device_id = 0xfff8;
    d.smmus[0].coherent = false;
    d.smmus[0].proximity_domain = 2;
    const auto node = iort_nodes(table_of(d))[1];
    EXPECT_EQ(le(node.bytes, 24, 4), 0x18u);  // DEVICEID_VALID, proximity valid
    EXPECT_EQ(le(node.bytes, 60, 4), 2u);
    EXPECT_EQ(le(node.bytes, 64, 4), 1u);  // the second mapping
    EXPECT_EQ(mappings(node),
              (std::vector<Mapping>{{0, 0xffff, 0, 48, 0}, {0, 0, 0xfff8, 48, 1}}));
}

TEST(Iort_Node, IdentifiersAreUnique)
{
    auto d = virt();
    auto second = virt_smmu();
    second.base = Gpa{0x09070000};
    d.smmus.push_back(second);
    d.components.push_back({"\\_SB.DMA0", 64, 0, true, {{0, 1, 0x200, 0}}});
    std::vector<std::uint64_t> seen;
    for (const auto& node : iort_nodes(table_of(d))) {
        const auto id = le(node.bytes, 4, 4);
        EXPECT_EQ(std::count(seen.begin(), seen.end(), id), 0) << "identifier " << id;
        seen.push_back(id);
    }
    EXPECT_EQ(seen.size(), 5u);
}

TEST(Iort_NamedComponent, PathIsPaddedAndInputIdsAreKept)
{
    auto d = virt();
    d.components.push_back(
        {"\\_SB.DMA0", 48, 8, true, {{4, 3, 0x200, 0}, {9, 1, 7, {}}}});
    const auto nodes = iort_nodes(table_of(d));
    const auto& node = nodes[3];
    EXPECT_EQ(slice(node.bytes, 0, 40),
              (Bytes{1,  0x50, 0,    4,   3,   0,   0,   0,   2,   0,   0, 0, 0x28, 0,
                     0,  0,    0x10, 0,   0,   0,   1,   0,   0,   0,   0, 0, 0,    3,
                     48, '\\', '_',  'S', 'B', '.', 'D', 'M', 'A', '0', 0, 0}));
    EXPECT_EQ(mappings(node),
              (std::vector<Mapping>{{4, 6, 0x200, nodes[1].at, 0}, {9, 9, 7, 48, 0}}));
}

TEST(Iort_ReservedMemory, ToTheByte)
{
    auto d = virt();
    acpi::ReservedMemory r;
    r.remap_permitted = true;
    r.ranges = {{Gpa{0x08000000}, 0x100000}, {Gpa{0x1'4000'0000}, 0x10000}};
    r.first_stream = 0x18;
    d.reserved = {r};
    const auto nodes = iort_nodes(table_of(d));
    EXPECT_EQ(
        nodes[3].bytes,
        (Bytes{
            // clang-format off
                  6, 0x58, 0, 3,  3, 0, 0, 0,  1, 0, 0, 0,  0x44, 0, 0, 0,
                  0x15, 0, 0, 0,  2, 0, 0, 0,  0x1c, 0, 0, 0,   // write-back, remap
                  0, 0, 0, 8, 0, 0, 0, 0,  0, 0, 0x10, 0, 0, 0, 0, 0,  0, 0, 0, 0,
                  0, 0, 0, 0x40, 1, 0, 0, 0,  0, 0, 1, 0, 0, 0, 0, 0,  0, 0, 0, 0,
                  0, 0, 0, 0,  0, 0, 0, 0,  0x18, 0, 0, 0,  0x48, 0, 0, 0,  1, 0, 0, 0,
            // clang-format on
        }));
}

TEST(Iort_ReservedMemory, SeveralStreamsAreARange)
{
    auto d = virt();
    acpi::ReservedMemory r;
    r.ranges = {{Gpa{0x10000}, 0x10000}};
    r.privileged = true;
    r.first_stream = 0x100;
    r.streams = 8;
    d.reserved = {r};
    const auto node = iort_nodes(table_of(d))[3];
    EXPECT_EQ(le(node.bytes, 16, 4), 0x16u);
    EXPECT_EQ(mappings(node), (std::vector<Mapping>{{0x100, 0x107, 0x100, 72, 0}}));
}

TEST(Iort_Refused, BusRanges)
{
    auto d = virt();
    d.root_complexes[0].behind = {{0, 16, 0}, {16, 20, 0}};
    EXPECT_REFUSED(d, "overlap");
    d.root_complexes[0].behind = {{5, 4, 0}};
    EXPECT_REFUSED(d, "lower bus first");
    d.root_complexes[0].behind = {{0, 1, 1}};
    EXPECT_REFUSED(d, "not described");
    d = virt();
    d.smmus[0].stream_ids = 0x100;
    EXPECT_REFUSED(d, "raise the SMMU's StreamID size");
}

TEST(Iort_Refused, Segments)
{
    auto d = virt();
    d.root_complexes.push_back(d.root_complexes[0]);
    EXPECT_REFUSED(d, "two root complex nodes");
    d.root_complexes[1].segment = 1;
    EXPECT_REFUSED(d, "its own SMMU");
    d = virt();
    d.root_complexes[0].pasid_bits = 21;
    EXPECT_REFUSED(d, "PASID");
    d = virt();
    d.root_complexes[0].address_bits = 65;
    EXPECT_REFUSED(d, "64");
}

TEST(Iort_Refused, Smmus)
{
    auto d = virt();
    d.smmus.push_back(d.smmus[0]);
    EXPECT_REFUSED(d, "described twice");
    d = virt();
    d.smmus[0].base = Gpa{0x09051000};
    EXPECT_REFUSED(d, "64 KiB aligned");
    d = virt();
    d.smmus[0].gerror_gsiv = 0;
    EXPECT_REFUSED(d, "GSIVs");
    d.smmus[0].msi_device_id = 8;
    EXPECT_EQ(build_iort(d).error, "");
    d.its.clear();
    EXPECT_REFUSED(d, "add an ITS");
    d = virt();
    d.its = {1, 1};
    EXPECT_REFUSED(d, "listed twice");
    d = virt();
    d.smmus[0].msi_device_id = 8;
    d.smmus.push_back(d.smmus[0]);
    d.smmus[1].base = Gpa{0x09070000};
    EXPECT_REFUSED(d, "MSI DeviceID 0x8");
}

TEST(Iort_Refused, ReservedMemory)
{
    const auto with = [](Gpa base, std::uint64_t size) {
        auto d = virt();
        acpi::ReservedMemory r;
        r.ranges = {{base, size}};
        d.reserved = {r};
        return d;
    };
    EXPECT_EQ(build_iort(with(Gpa{0x10000}, 0x10000)).error, "");
    EXPECT_REFUSED(with(Gpa{0x11000}, 0x10000), "64 KiB aligned");
    EXPECT_REFUSED(with(Gpa{0x10000}, 0x11000), "64 KiB aligned");
    EXPECT_REFUSED(with(Gpa{0x10000}, 0), "64 KiB aligned");
    EXPECT_REFUSED(with(Gpa{0xffff'ffff'ffff'0000}, 0x20000), "wraps");
    EXPECT_EQ(build_iort(with(Gpa{0xffff'ffff'ffff'0000}, 0x10000)).error, "");

    auto d = with(Gpa{0x10000}, 0x20000);
    d.reserved.push_back(d.reserved[0]);
    d.reserved[1].ranges = {{Gpa{0x20000}, 0x10000}};
    EXPECT_REFUSED(d, "overlaps 0x10000+0x20000");
    d = with(Gpa{0x10000}, 0x10000);
    d.reserved[0].first_stream = 0x10000;
    EXPECT_REFUSED(d, "StreamID");
    d.reserved[0].streams = 0;
    EXPECT_REFUSED(d, "StreamID");
    d = with(Gpa{0x10000}, 0x10000);
    d.reserved[0].smmu = 1;
    EXPECT_REFUSED(d, "not described");
    d = with(Gpa{0x10000}, 0x10000);
    d.reserved[0].ranges.clear();
    EXPECT_REFUSED(d, "without a range");
    d.reserved[0].ranges.clear();
    for (std::uint64_t i = 0; i < 4000; ++i) {
        d.reserved[0].ranges.push_back({Gpa{i << 16}, 0x10000});
    }
    EXPECT_REFUSED(d, "64 KiB hold");
}

TEST(Iort_Refused, NamedComponents)
{
    const auto with = [](acpi::IdRange r) {
        auto d = virt();
        d.components.push_back({"\\_SB.DMA0", 64, 0, true, {r}});
        return d;
    };
    EXPECT_REFUSED(with({0, 0, 0, 0}), "empty range");
    EXPECT_REFUSED(with({0xffffffff, 2, 0, 0}), "past 32 bits");
    EXPECT_REFUSED(with({0, 1, 0x10000, 0}), "StreamID 0x10000");
    EXPECT_REFUSED(with({0, 1, 0, 3}), "not described");
    auto d = with({0, 1, 0, {}});
    d.its.clear();
    EXPECT_REFUSED(d, "add an ITS");
    d = with({0, 4, 0, 0});
    d.components[0].ids.push_back({3, 1, 9, 0});
    EXPECT_REFUSED(d, "mapped twice");
    d = with({0, 4, 0, 0});
    d.components[0].path = "";
    EXPECT_REFUSED(d, "ACPI path");
    d.components[0].path = "\\X";
    d.components[0].pasid_bits = 21;
    EXPECT_REFUSED(d, "PASID");
}

}  // namespace
}  // namespace iommu::test
