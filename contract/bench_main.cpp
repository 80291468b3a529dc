// SPDX-License-Identifier: GPL-2.0-or-later
// What mapping costs through the reference driver, in process: one line a sample,
//   MACHINE POINT PAGES NANOSECONDS SHARE
// PAGES mapped and unmapped again in so many nanoseconds, of which a SHARE is the
// device's.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "contract/reference.hpp"
#include "contract/sim/machine.hpp"
#include "contract/test.hpp"

namespace {

using namespace iommu::contract;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t far_away = 0x40'0000'0000;  // where what is mapped already lies
constexpr std::uint64_t already = 65536;
// Nanoseconds; short, so that one turn of all points meets the same host.
constexpr double sample_time = 5e6;

double nanoseconds(Clock::duration d)
{
    return std::chrono::duration<double, std::nano>(d).count();
}

// Of this thread, in nanoseconds: what else the processor does is not counted.
double processor_time()
{
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// What reading the clock around a register access adds to it: the least of many tries.
double clock_cost()
{
    constexpr unsigned reads = 10'000;
    double least = 1e9;
    for (unsigned turn = 0; turn < 20; ++turn) {
        const auto from = Clock::now();
        auto last = from;
        for (unsigned i = 0; i < reads; ++i) {
            last = Clock::now();
        }
        least = std::min(least, nanoseconds(last - from) / reads);
    }
    return least;
}

struct Point {
    const char* name;
    std::uint64_t pages;
    bool buddy;
    bool crowded;  // with `already` pages mapped in the domain before
};
constexpr Point points[] = {
    {"4k", 1, false, false},
    {"64k", 16, false, false},
    {"1m", 256, false, false},
    {"2m", 512, false, false},
    {"4k-crowded", 1, false, true},
    {"1m-crowded", 256, false, true},
    {"buddy-4k", 1, true, false},
    {"buddy-1m", 256, true, false},
    {"buddy-4k-crowded", 1, true, true},
};

class Bench {
public:
    explicit Bench(Kind kind) : kind_(kind), machine_(linked_provider(), {.kind = kind})
    {
    }

    bool run(const Point& point)
    {
        char message[256];
        if (machine_.start() != nullptr) {
            return false;
        }
        Test test(machine_, message, sizeof(message));
        test_ = &test;
        if (!test.need_tables()) {
            return false;
        }
        domain_ = point.buddy ? test.buddy() : test.translate();
        physical_ = machine_.pages(512);
        const auto setup = test.attached_to(domain_);
        bool good = setup && physical_ != 0 && (!point.crowded || crowd(point));
        for (unsigned i = 0; good && i < 256; ++i) {  // the processor's caches
            good = once(point);
        }
        good = good && sample(point);
        machine_.stop();
        return good;
    }

private:
    // Pages that no large mapping could stand for.
    bool crowd(const Point& point)
    {
        if (!point.buddy) {
            std::vector<PFN_NUMBER> list(already, physical_ >> PAGE_SHIFT);
            auto what = frames(list.data(), already);
            IOMMU_DMA_LOGICAL_ADDRESS at = far_away, out = 0;
            return NT_SUCCESS(test_->io.MapLogicalRangeEx(domain_, read_write, &what, &at,
                                                          nullptr, nullptr, &out));
        }
        for (std::uint64_t i = 0; i < already; ++i) {
            std::uint64_t out = 0;
            if (!NT_SUCCESS(test_->allocate(domain_, physical_, 1, out))) {
                return false;
            }
        }
        return true;
    }

    bool once(const Point& point)
    {
        IOMMU_DMA_LOGICAL_ADDRESS at = spot;
        const auto status = point.buddy
                                ? test_->allocate(domain_, physical_, point.pages, at)
                                : test_->map(domain_, at, physical_, point.pages);
        return NT_SUCCESS(status) &&
               NT_SUCCESS(test_->io.UnmapLogicalRange(domain_, at, point.pages));
    }

    // Nanoseconds of one map and unmap; 0: one failed.
    double measure(const Point& point, std::uint64_t& turns)
    {
        turns = 0;
        const double from = processor_time();
        double now = from;
        for (; now - from < sample_time; now = processor_time()) {
            for (unsigned i = 0; i < 64; ++i, ++turns) {
                if (!once(point)) {
                    return 0;
                }
            }
        }
        return (now - from) / static_cast<double>(turns);
    }

    bool sample(const Point& point)
    {
        std::uint64_t turns = 0;
        const double ns = measure(point, turns);
        // Again, with each register access timed.
        machine_.time_registers(true);
        const double timed = measure(point, turns);
        machine_.time_registers(false);
        const auto spent = machine_.register_time();
        const double device =
            std::max(0.0, nanoseconds(spent.time) -
                              static_cast<double>(spent.accesses) * clock_cost_) /
            static_cast<double>(turns);
        if (ns == 0 || timed == 0) {
            return false;
        }
        std::printf("%s %s %llu %.1f %.3f\n", name_of(kind_), point.name,
                    static_cast<unsigned long long>(point.pages), ns,
                    std::min(1.0, device / ns));
        return true;
    }

    Kind kind_;
    sim::Machine machine_;
    Test* test_ = nullptr;
    PIOMMU_DMA_DOMAIN domain_ = nullptr;
    std::uint64_t physical_ = 0;
    double clock_cost_ = clock_cost();
};

}  // namespace

int main(int argc, char** argv)
{
    const long rounds = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 0;
    Kind kind{};
    if (argc != 3 || !kind_of(argv[1], kind) || rounds < 1 || rounds > 1000) {
        std::fprintf(stderr, "usage: winiommu-contract-bench MACHINE ROUNDS\n");
        return 2;
    }
    Bench bench(kind);
    // They take turns, so that what else the machine does hits all alike.
    for (long round = 0; round < rounds; ++round) {
        for (const auto& point : points) {
            if (!bench.run(point)) {
                std::fprintf(stderr, "winiommu-contract-bench: %s: a call failed\n",
                             point.name);
                return 1;
            }
        }
    }
    return 0;
}
