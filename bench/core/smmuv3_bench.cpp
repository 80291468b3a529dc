// SPDX-License-Identifier: GPL-2.0-or-later
// What one SMMUv3 translation and one invalidation cost, without QEMU.  "null" is the
// loop around an answer that needs no work.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "tests/support/smmu_tables.hpp"

namespace iommu::smmu {
namespace {

using namespace test;

constexpr unsigned max_pages = 65536;

enum class Mapping { S1Pages, S1Blocks, S2Pages, Nested };

struct Setup {
    explicit Setup(Mapping mapping, Capabilities built = {}) : guest(64 << 20, built)
    {
        const auto root = guest.table();
        switch (mapping) {
        case Mapping::S1Pages:
        case Mapping::S1Blocks:
            guest.ste(3, Guest::s1_ste());
            guest.cd(0, Guest::s1_cd(root));
            break;
        case Mapping::S2Pages:
            guest.ste(3, Guest::s2_ste(root));
            break;
        case Mapping::Nested:
            s2_root = guest.table();
            guest.ste(3, Guest::nested_ste(s2_root));
            guest.cd(0, Guest::s1_cd(root));
            guest.identity_s2(s2_root);
            break;
        }
        for (std::uint64_t i = 0; i < max_pages; ++i) {
            const auto offset = i << 12;
            switch (mapping) {
            case Mapping::S1Pages:
                guest.map_s1(root, base + offset, 0x1'0000'0000 + offset);
                break;
            case Mapping::S1Blocks:
                if ((offset & 0x1f'ffff) == 0) {
                    guest.map_s1(root, base + offset, 0x1'0000'0000 + offset, pte_s1, 2);
                }
                break;
            case Mapping::S2Pages:
                guest.map_s2(root, base + offset, 0x1'0000'0000 + offset);
                break;
            case Mapping::Nested:
                guest.map_s1(root, base + offset, 0x1'0000'0000 + offset);
                guest.map_s2(s2_root, 0x1'0000'0000 + offset, 0x1'0000'0000 + offset);
                break;
            }
        }
    }

    static constexpr std::uint64_t base = 0x20'0000'0000;
    Guest guest;
    std::uint64_t s2_root = 0;
    StreamEntry stream{StreamId{3}};
};

Setup& setup(Mapping mapping)
{
    static std::unique_ptr<Setup> all[4];
    auto& one = all[static_cast<int>(mapping)];
    if (!one) {
        one = std::make_unique<Setup>(mapping);
    }
    return *one;
}

// A full-period sequence over a power of two of pages, cheap enough not to be seen.
class RandomPages {
public:
    RandomPages(std::uint64_t base, std::uint64_t pages) : base_(base), mask_(pages - 1)
    {
    }
    std::uint64_t next()
    {
        state_ = state_ * 0x5851'f42d'4c95'7f2d + 0x1405'7b7e'f767'814f;
        return base_ + ((state_ >> 40 & mask_) << 12);
    }

private:
    std::uint64_t base_, mask_, state_ = 1;
};

// As Smmuv3's stream calls it: through one virtual function.
struct Endpoint {
    virtual ~Endpoint() = default;
    virtual bool translate(const Transaction& t, Translation& out) = 0;
};
struct SmmuEndpoint final : Endpoint {
    explicit SmmuEndpoint(Setup& s) : setup(s) {}
    bool translate(const Transaction& t, Translation& out) override
    {
        Translator::Refusal refusal;
        return setup.guest.translator.translate(setup.stream, t, out, refusal) !=
               Outcome::Kind::Aborted;
    }
    Setup& setup;
};
struct NullEndpoint final : Endpoint {
    bool translate(const Transaction& t, Translation& out) override
    {
        out = {Gpa{t.address.value}, 0xfff, true, true};
        return true;
    }
};

void run(benchmark::State& state, Endpoint& endpoint)
{
    benchmark::DoNotOptimize(&endpoint);
    RandomPages pages{Setup::base, static_cast<std::uint64_t>(state.range(0))};
    Translation out;
    for (int i = 0; i < state.range(0) * 8; ++i) {
        endpoint.translate(reading(pages.next()), out);
    }
    bool ok = true;
    for (auto _ : state) {
        ok &= endpoint.translate(reading(pages.next()), out);
        benchmark::DoNotOptimize(out);
    }
    if (!ok) {
        state.SkipWithError("a translation failed");
    }
}

void null(benchmark::State& state)
{
    NullEndpoint endpoint;
    run(state, endpoint);
}
BENCHMARK(null)->Arg(64)->Arg(65536);

template <Mapping M>
void translate(benchmark::State& state)
{
    SmmuEndpoint endpoint{setup(M)};
    run(state, endpoint);
}
BENCHMARK(translate<Mapping::S1Pages>)
    ->Name("s1-4k")
    ->Arg(1)
    ->Arg(64)
    ->Arg(1024)
    ->Arg(65536);
BENCHMARK(translate<Mapping::S1Blocks>)->Name("s1-2m")->Arg(64)->Arg(65536);
BENCHMARK(translate<Mapping::S2Pages>)->Name("s2-4k")->Arg(64)->Arg(1024)->Arg(65536);
BENCHMARK(translate<Mapping::Nested>)->Name("nested")->Arg(64)->Arg(1024)->Arg(65536);

// Every access walks.
template <Mapping M>
void walk_only(benchmark::State& state)
{
    static Setup one{M, {.tlb = false}};
    SmmuEndpoint endpoint{one};
    run(state, endpoint);
}
BENCHMARK(walk_only<Mapping::S1Pages>)->Name("s1-4k/tlb=off")->Arg(64)->Arg(65536);
BENCHMARK(walk_only<Mapping::Nested>)->Name("nested/tlb=off")->Arg(64)->Arg(65536);

// The first access to a page after everything was invalidated, 64 pages a round; the
// invalidation itself is in the figure, a sixty-fourth of it.
template <Mapping M>
void cold(benchmark::State& state)
{
    auto& one = setup(M);
    RandomPages pages{Setup::base, 64};
    unsigned left = 0;
    std::uint64_t page = 0;
    for (auto _ : state) {
        if (left-- == 0) {
            one.guest.translator.invalidate_all();
            left = 63;
        }
        page = (page + 1) & 63;
        auto o = one.guest.translator.translate(one.stream,
                                                reading(Setup::base + (page << 12)));
        benchmark::DoNotOptimize(o);
    }
}
BENCHMARK(cold<Mapping::S1Pages>)->Name("cold/s1-4k");
BENCHMARK(cold<Mapping::S1Blocks>)->Name("cold/s1-2m");
BENCHMARK(cold<Mapping::S2Pages>)->Name("cold/s2-4k");
BENCHMARK(cold<Mapping::Nested>)->Name("cold/nested");

void faulting(benchmark::State& state)
{
    auto& one = setup(Mapping::S1Pages);
    for (auto _ : state) {
        auto o = one.guest.translator.translate(one.stream, reading(0x10'0000'0000));
        benchmark::DoNotOptimize(o);
    }
}
BENCHMARK(faulting);

void bypass(benchmark::State& state)
{
    auto& one = setup(Mapping::S1Pages);
    one.guest.ste(9, {{bit(0) | 0b100 << 1}});
    StreamEntry stream{StreamId{9}};
    for (auto _ : state) {
        auto o = one.guest.translator.translate(stream, reading(0x10'0000'0000));
        benchmark::DoNotOptimize(o);
    }
}
BENCHMARK(bypass);

void fill(Setup& one, std::uint64_t pages)
{
    for (std::uint64_t i = 0; i < pages; ++i) {
        (void)one.guest.translator.translate(one.stream,
                                             reading(Setup::base + (i << 12)));
    }
}

// Addresses that are not cached, with range(0) pages that are.
template <Mapping M>
void invalidate_va(benchmark::State& state)
{
    auto& one = setup(M);
    one.guest.translator.invalidate_all();
    fill(one, static_cast<std::uint64_t>(state.range(0)));
    std::uint64_t at = 0x7000'0000;
    for (auto _ : state) {
        one.guest.translator.invalidate_va(Vmid{M == Mapping::Nested ? 7u : 0u}, Asid{5},
                                           {.address = at});
        at += 4096;
    }
}
BENCHMARK(invalidate_va<Mapping::S1Pages>)
    ->Name("tlbi-va/s1")
    ->Arg(0)
    ->Arg(256)
    ->Arg(65536);
BENCHMARK(invalidate_va<Mapping::Nested>)->Name("tlbi-va/nested")->Arg(0)->Arg(65536);

void invalidate_asid(benchmark::State& state)
{
    auto& one = setup(Mapping::S1Pages);
    fill(one, static_cast<std::uint64_t>(state.range(0)));
    for (auto _ : state) {
        one.guest.translator.invalidate_asid(Vmid{0}, Asid{5});
    }
}
BENCHMARK(invalidate_asid)->Name("tlbi-asid")->Arg(0)->Arg(65536);

// Unmap and map again: one invalidation and one walk per page.
void strict(benchmark::State& state)
{
    auto& one = setup(Mapping::S1Pages);
    fill(one, static_cast<std::uint64_t>(state.range(0)));
    std::uint64_t page = 0;
    for (auto _ : state) {
        page = (page + 1) & 255;
        const auto at = Setup::base + (page << 12);
        one.guest.translator.invalidate_va(Vmid{0}, Asid{5}, {.address = at});
        auto o = one.guest.translator.translate(one.stream, reading(at));
        benchmark::DoNotOptimize(o);
    }
}
BENCHMARK(strict)->Name("tlbi-va-and-walk")->Arg(0)->Arg(65536);

void two_threads(benchmark::State& state)
{
    auto& one = setup(Mapping::S1Pages);
    RandomPages pages{Setup::base, 1024};
    for (auto _ : state) {
        auto o = one.guest.translator.translate(one.stream, reading(pages.next()));
        benchmark::DoNotOptimize(o);
    }
}
BENCHMARK(two_threads)->Name("s1-4k-1024/threads")->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace iommu::smmu

BENCHMARK_MAIN();
