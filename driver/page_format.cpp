// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/page_format.hpp"

namespace iommu::driver {

namespace {

namespace arm {
// VMSA D8.3 "Translation table descriptor formats": bit 0 valid, bit 1 table or page.
std::uint64_t table(std::uint64_t physical)
{
    return physical | 0b11;
}
bool present(std::uint64_t e)
{
    return (e & 1) != 0;
}
bool is_leaf(std::uint64_t e, unsigned height)
{
    return present(e) && (height == 0 || (e & 0b10) == 0);
}
constexpr std::uint64_t af = 1ull << 10, inner_shareable = 0b11ull << 8;
std::uint64_t leaf_type(unsigned height)
{
    return height == 0 ? 0b11 : 0b01;
}
// AttrIndx 0 (MAIR attribute 0), AP[2:1] 01 read/write or 11 read-only, nG, no execute.
// Stage 1 cannot say write-only.
std::uint64_t leaf1(std::uint64_t physical, unsigned height, Access a)
{
    const std::uint64_t ap = a.write ? 0b01 : 0b11;
    return physical | leaf_type(height) | af | inner_shareable | ap << 6 | 1ull << 11 |
           1ull << 54 | 1ull << 53;
}
// MemAttr 0b1111 normal write-back, S2AP read in bit 6, write in bit 7, XN 0b10.
std::uint64_t leaf2(std::uint64_t physical, unsigned height, Access a)
{
    return physical | leaf_type(height) | af | inner_shareable | 0b1111ull << 2 |
           (a.read ? 1ull << 6 : 0) | (a.write ? 1ull << 7 : 0) | 1ull << 54;
}
}  // namespace arm

namespace vtd {
// VT-d 9.8 "Second-Stage Paging Entries": R 0, W 1, PS 7.
std::uint64_t table2(std::uint64_t physical)
{
    return physical | 0b11;
}
bool present2(std::uint64_t e)
{
    return (e & 0b11) != 0;
}
bool is_leaf2(std::uint64_t e, unsigned height)
{
    return present2(e) && (height == 0 || (e & 0x80) != 0);
}
std::uint64_t leaf2(std::uint64_t physical, unsigned height, Access a)
{
    return physical | (height == 0 ? 0 : 0x80) | (a.read ? 1 : 0) | (a.write ? 2 : 0);
}
// VT-d 9.7 "First-Stage Paging Entries": P 0, R/W 1, U/S 2, A 5, D 6, PS 7.
std::uint64_t table1(std::uint64_t physical)
{
    return physical | 0b111 | 1u << 5;
}
bool present1(std::uint64_t e)
{
    return (e & 1) != 0;
}
bool is_leaf1(std::uint64_t e, unsigned height)
{
    return present1(e) && (height == 0 || (e & 0x80) != 0);
}
std::uint64_t leaf1(std::uint64_t physical, unsigned height, Access a)
{
    return physical | (height == 0 ? 0 : 0x80) | 0b101 | 1u << 5 |
           (a.write ? 0b10 | 1u << 6 : 0);
}
}  // namespace vtd

}  // namespace

const Format arm_stage1{arm::table, arm::leaf1, arm::present, arm::is_leaf, 2};
const Format arm_stage2{arm::table, arm::leaf2, arm::present, arm::is_leaf, 2};
const Format vtd_second_stage{vtd::table2, vtd::leaf2, vtd::present2, vtd::is_leaf2, 2};
const Format vtd_first_stage{vtd::table1, vtd::leaf1, vtd::present1, vtd::is_leaf1, 2};

}  // namespace iommu::driver
