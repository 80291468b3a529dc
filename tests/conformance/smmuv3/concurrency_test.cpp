// SPDX-License-Identifier: GPL-2.0-or-later
// Devices translate while the driver rewrites tables and rings the doorbell: an access
// sees the old state or the new one, never a mixture, and none sees the old after
// CMD_SYNC.
#include <atomic>
#include <thread>

#include "tests/conformance/smmuv3/rig.hpp"

using namespace iommu;
using namespace iommu::test;

using Smmu_4_3_8_Atomicity = Conformance;
INSTANTIATE_TEST_SUITE_P(Tlb, Smmu_4_3_8_Atomicity, testing::Bool());

namespace {

constexpr std::uint64_t SYNC = 0x46, NSNH_ALL = 0x30;
constexpr std::uint64_t CFGI = 0x03 | std::uint64_t{Rig::sid} << 32;

void store(Rig& rig, std::uint64_t at, std::uint64_t value)
{
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(rig.host.at(Gpa{at})), value,
                     __ATOMIC_RELEASE);
}

// Devices at work until it goes out of scope; every answer is judged by `allowed`.
class Traffic {
public:
    template <typename Allowed>
    Traffic(Rig& rig, Allowed allowed)
    {
        auto* stream = rig.smmu.stream(Rig::sid, nullptr);
        for (auto& thread : threads_) {
            thread = std::thread([this, stream, allowed] {
                while (!stop_.load(std::memory_order_relaxed)) {
                    Translation out;
                    const bool ok = stream->translate({.address = Iova{0x1008}}, out) ==
                                    Stream::Result::Ok;
                    if (!allowed(ok, out.output.value)) {
                        wrong_.fetch_add(1);
                    }
                    done_.fetch_add(1);
                }
            });
        }
        wait_for(1);
    }
    ~Traffic()
    {
        wait_for(1000);
        stop_ = true;
        for (auto& thread : threads_) {
            thread.join();
        }
        EXPECT_EQ(wrong_.load(), 0u);
    }

private:
    void wait_for(unsigned accesses) const
    {
        while (done_.load() < accesses) {
            std::this_thread::yield();
        }
    }

    std::atomic<bool> stop_{false};
    std::atomic<unsigned> wrong_{0}, done_{0};
    std::array<std::thread, 2> threads_;
};

constexpr unsigned rounds = 2000;

}  // namespace

TEST_P(Smmu_4_3_8_Atomicity, APageIsTheOldOneOrTheNewOne)
{
    rig.stage1();
    const Traffic traffic(rig, [](bool ok, std::uint64_t to) {
        return ok && (to == page_at + 8 || to == page_at + 0x1008);
    });
    for (unsigned i = 0; i < rounds; ++i) {
        const auto page = page_at + (i & 1) * 0x1000;
        store(rig, s1_at + 0x2008, page | S1_RW);
        rig.place(NSNH_ALL, 0);
        rig.submit(SYNC);
        ASSERT_EQ(rig.read(0x1008), page + 8);
    }
}

TEST_P(Smmu_4_3_8_Atomicity, AnSteIsTheOldOneOrTheNewOne)
{
    rig.stage1();
    const Traffic traffic(rig, [](bool ok, std::uint64_t to) {
        return !ok || to == page_at + 8 || to == 0x1008;
    });
    for (unsigned i = 0; i < rounds; ++i) {
        const auto config = i & 1 ? config_bypass : config_s1;
        store(rig, Rig::ste_at(Rig::sid), 1 | config | cd_at);
        rig.place(CFGI, 1);
        rig.submit(SYNC);
        ASSERT_EQ(rig.read(0x1008), i & 1 ? 0x1008 : page_at + 8);
    }
}

TEST_P(Smmu_4_3_8_Atomicity, TheSmmuIsOnOrOff)
{
    rig.stage1();
    const Traffic traffic(rig, [](bool ok, std::uint64_t to) {
        return !ok || to == page_at + 8 || to == 0x1008;
    });
    for (unsigned i = 0; i < rounds; ++i) {
        rig.disable();
        ASSERT_EQ(rig.read(0x1008), 0x1008u);
        rig.w32(GBPA, 0x8010'1000);
        ASSERT_FALSE(rig.read(0x1008));
        rig.w32(GBPA, 0x8000'1000);
        rig.enable();
        ASSERT_EQ(rig.read(0x1008), page_at + 8);
    }
}

TEST_P(Smmu_4_3_8_Atomicity, FaultsAndCommandsShareTheErrorRegisters)
{
    rig.stage1(0);
    rig.w32(IRQ_CTRL, 0);
    const Traffic traffic(rig, [](bool ok, std::uint64_t) { return !ok; });
    for (unsigned i = 0; i < rounds; ++i) {
        rig.submit(0xff);
        ASSERT_EQ(rig.active_errors() & 1, 1u);
        rig.w32(CMDQ_PROD, rig.cons());
        rig.prod = rig.cons();
        rig.w32(GERRORN, rig.r32(GERROR));
        rig.w32(EVENTQ_CONS, rig.r32(EVENTQ_PROD));
        rig.w32(CR0, rig.r32(CR0) & ~EVENTQEN);
        rig.w32(CR0, rig.r32(CR0) | EVENTQEN);
    }
    EXPECT_EQ(rig.active_errors(), 0u);
}

// A bus may be renumbered while its devices are at work: the first access then makes the
// stream, on whatever thread it runs.
TEST(Smmu_3_2_Streams, AreMadeOnAnyThreadWhileTheDriverWorks)
{
    Rig rig(true);
    rig.stage1();
    std::atomic<bool> stop{false};
    std::thread maker([&] {
        for (std::uint32_t id = 0x100; id < 0x1100; ++id) {
            auto* stream = rig.smmu.stream(id, nullptr);
            stream->want_unmaps((id & 15) == 0);
            Translation out;
            stream->translate({.address = Iova{0x1008}}, out);
        }
        stop = true;
    });
    while (!stop) {
        rig.submit(0x04, 31);
        rig.submit(CFGI);
        rig.submit(NSNH_ALL);
        rig.disable();
        rig.enable();
    }
    maker.join();
    EXPECT_EQ(rig.smmu.stream(0x10ff, nullptr)->bypassed(), false);
    EXPECT_EQ(rig.active_errors(), 0u);
}
