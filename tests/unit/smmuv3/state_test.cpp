// SPDX-License-Identifier: GPL-2.0-or-later
// Migration: registers and pending errors survive; a foreign state changes nothing.
#include <cstring>
#include <string>

#include "tests/unit/smmuv3/board.hpp"

using namespace iommu;
using namespace iommu::test;

namespace {

std::vector<std::uint32_t> all_registers(Board& b)
{
    std::vector<std::uint32_t> out;
    for (std::uint64_t at = 0; at < 0x20000; at += 4) {
        out.push_back(b.r32(at));
    }
    return out;
}

void use(Board& b)
{
    b.w32(CR1, 0xd75);
    b.w64(STRTAB_BASE, 0x4000'0000'4004'0000);
    b.enable_eventq(1);
    b.enable_cmdq(4);
    b.refuse_all_streams();
    b.w64(EVENTQ_IRQ_CFG0, its_at);
    b.w32(EVENTQ_IRQ_CFG1, 0x71);
    b.w32(EVENTQ_IRQ_CFG2, 0x3f);
    b.w64(GERROR_IRQ_CFG0, its_at + 8);
    b.w32(IRQ_CTRL, 5);
    b.dma(1);
    b.dma(2);
    b.dma(3);  // overflow
    b.submit(0x46);
    b.submit(0xff);  // CERROR_ILL pending
    b.w32(GBPA, 0x8010'1000);
}

}  // namespace

TEST(State, CarriesEveryRegisterAndThePendingErrors)
{
    Board from;
    use(from);
    Board to;
    ASSERT_EQ(to.smmu.load(from.smmu.save()), nullptr);
    EXPECT_EQ(all_registers(to), all_registers(from));
    EXPECT_EQ(to.smmu.save(), from.smmu.save());
    // The stopped queue goes on where it stood.
    to.host.store64(Gpa{cmdq_at + 16}, 0x46 | 1 << 12);
    to.w32(GERRORN, 1);
    EXPECT_EQ(to.cons(), 2u);
    EXPECT_FALSE(to.dma(9));
}

TEST(State, ThatIsTruncatedForeignOrOfAnotherVersionChangesNothing)
{
    Board from;
    use(from);
    const auto good = from.smmu.save();
    Board to;
    const auto before = all_registers(to);
    const auto refused = [&](std::vector<std::byte> state) {
        const char* text = to.smmu.load(state);
        EXPECT_EQ(all_registers(to), before);
        EXPECT_TRUE(text == nullptr || std::string(text).find('\n') == std::string::npos);
        return text != nullptr;
    };
    for (std::size_t n = 0; n < good.size(); ++n) {
        EXPECT_TRUE(
            refused({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n)}));
    }
    auto longer = good;
    longer.push_back(std::byte{0});
    EXPECT_TRUE(refused(longer));
    auto foreign = good;
    foreign[0] ^= std::byte{1};
    EXPECT_TRUE(refused(foreign));
    auto version = good;
    version[8] ^= std::byte{2};
    EXPECT_TRUE(refused(version));
    // No register can hold this: CR0 with bit 31.
    auto impossible = good;
    impossible[24 + 3] |= std::byte{0x80};
    EXPECT_TRUE(refused(impossible));
    impossible = good;
    impossible[24 + 7] |= std::byte{0x80};  // nor 33 bits
    EXPECT_TRUE(refused(impossible));
    EXPECT_FALSE(to.smmu.load(good));
}

TEST(State, OfADeviceWithOtherPropertiesIsRefused)
{
    Board from;
    smmu::Configuration c;
    c.capabilities.sid_bits = 20;
    Board to(c);
    const char* text = to.smmu.load(from.smmu.save());
    ASSERT_NE(text, nullptr);
    EXPECT_NE(std::string(text).find("properties"), std::string::npos);
}

TEST(State, EveryFlippedBitIsRefusedOrHeldByARegister)
{
    Board from;
    use(from);
    const auto good = from.smmu.save();
    Board to;
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto state = good;
        state[bit / 8] ^= std::byte{1} << (bit % 8);
        to.smmu.reset();
        if (to.smmu.load(state) == nullptr) {
            EXPECT_EQ(to.smmu.save(), state) << bit;
            to.w32(GERRORN, to.r32(GERROR));
            to.dma(1);
        }
    }
}
