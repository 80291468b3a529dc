// SPDX-License-Identifier: GPL-2.0-or-later
// What introspection and verify mode cost, through the C interface:
//
//   hooks-bench DEVICE CASE COUNT off|log
//
// does COUNT operations and prints the nanoseconds they took.  It is built twice, with
// the hooks and without; docs/devel/bench.rst, scripts/winiommu/benchmark/hooks.py.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/oracle/smmuv3_machine.hpp"
#include "tests/oracle/vtd_machine.hpp"

namespace {

using oracle::Arena;

constexpr std::uint64_t va = 0x1000'0000, tables = Arena::base + 0x10'0000,
                        pages = Arena::base + 0x100'0000;
constexpr unsigned mapped = 64;

// Four levels of 512 entries at tables + 0x20000: what both devices walk.
class Tree {
public:
    Tree(Arena& arena, std::uint64_t table_bits, std::uint64_t page_bits)
        : arena_(arena), page_bits_(page_bits)
    {
        arena.poke(root, (root + 0x1000) | table_bits);
        arena.poke(root + 0x1000, (root + 0x2000) | table_bits);
        arena.poke(root + 0x2000 + (va >> 21 & 511) * 8, (root + 0x3000) | table_bits);
        for (unsigned n = 0; n < mapped; ++n) {
            map(n);
        }
    }
    void map(unsigned n) { arena_.poke(leaf(n), (pages + n * 0x1000) | page_bits_); }
    void unmap(unsigned n) { arena_.poke(leaf(n), 0); }

    static constexpr std::uint64_t root = tables + 0x2'0000;

private:
    static std::uint64_t leaf(unsigned n) { return root + 0x3000 + n * 8; }

    Arena& arena_;
    std::uint64_t page_bits_;
};

// SMMU 5.2, 5.4, VMSA D8.3: stream 3, stage 1, ASID 5.
struct Smmu {
    static constexpr unsigned requester = 3;
    Arena arena;
    Tree tree{arena, 3, 0x3 | 1 << 6 | 1 << 10 | 1 << 11};
    oracle::SmmuMachine machine;

    explicit Smmu(bool tlb) : machine(arena, config(tlb), 0)
    {
        const auto cd = tables + 0x1'0000;
        arena.poke(tables + requester * 64, 1 | 0b101 << 1 | cd);
        arena.poke(cd, 16 | 1ull << 30 | 1ull << 31 | 5ull << 32 | 1ull << 41 |
                           1ull << 45 | 1ull << 46 | 5ull << 48);
        arena.poke(cd + 8, Tree::root);
        machine.set_stream_table(tables, 6);
    }
    static WiSmmuv3Config config(bool tlb)
    {
        WiSmmuv3Config c;
        wi_smmuv3_config_init(&c);
        c.tlb = tlb;
        return c;
    }
    void flush(unsigned n)
    {
        machine.command(0x12 | 5ull << 48, va + n * 0x1000);  // CMD_TLBI_NH_VA
        machine.command(0x46, 0);                             // CMD_SYNC
    }
    void take_fault() { machine.next_record(); }
};

// VT-d 9.1, 9.3, 9.8: 00:02.0, domain 5, second stage.
struct Vtd {
    static constexpr unsigned requester = 0x10;
    Arena arena;
    Tree tree{arena, 3, 3};
    oracle::vtd::Machine machine;

    explicit Vtd(bool tlb) : machine(arena, config(tlb), 0)
    {
        arena.poke(tables, (tables + 0x1000) | 1);
        arena.poke(tables + 0x1000 + requester * 16, Tree::root | 1);
        arena.poke(tables + 0x1000 + requester * 16 + 8, 0x502);
        machine.set_root_table(tables);
    }
    static WiVtdConfig config(bool tlb)
    {
        WiVtdConfig c;
        wi_vtd_config_init(&c);
        c.tlb = tlb;
        return c;
    }
    void flush(unsigned n) { machine.invalidate(0x32 | 5ull << 16, va + n * 0x1000); }
    void take_fault() { machine.next_record(); }
};

template <typename Device>
class Bench {
public:
    // `mode`: off, everything is; list, the refused accesses are noted, the default; log,
    // verify=log as well.
    Bench(const char* what, const char* mode)
        : what_(what), device_(std::strcmp(what, "walk"))
    {
        if (!std::strcmp(mode, "off")) {
            std::free(wi_iommu_adjust(device_.machine.device(), "fault-action", "off"));
        }
        if (!std::strcmp(mode, "log")) {
            WiWatch watch{};
            watch.verify = true;
            wi_iommu_watch(device_.machine.device(), &watch);
        }
        stream_ = wi_iommu_stream(device_.machine.device(), Device::requester, nullptr);
    }
    // False: there is no such case, or an operation came to something else.
    bool run(unsigned long count)
    {
        if (!std::strcmp(what_, "answer")) {
            return repeat(count, [&](unsigned n) { return access(n, 0); });
        }
        // Privileged: not among the answers that are kept in line.
        if (!std::strcmp(what_, "hit") || !std::strcmp(what_, "walk")) {
            return repeat(count, [&](unsigned n) { return access(n, WI_PRIVILEGED); });
        }
        if (!std::strcmp(what_, "fault")) {
            return repeat(count, [&](unsigned n) {
                const bool passed = access(mapped + n, 0);
                device_.take_fault();
                return !passed;
            });
        }
        return !std::strcmp(what_, "unmap") && repeat(count, [&](unsigned n) {
            device_.tree.unmap(n);
            device_.flush(n);
            device_.tree.map(n);
            return access(n, 0);
        });
    }
    unsigned long nanoseconds() const { return nanoseconds_; }

private:
    bool access(unsigned n, unsigned attributes)
    {
        WiTranslation out;
        return wi_stream_translate(stream_, va + n * 0x1000, attributes, WI_NO_SUBSTREAM,
                                   &out);
    }
    template <typename One>
    bool repeat(unsigned long count, One&& one)
    {
        bool good = true;
        for (unsigned n = 0; n < 8 * mapped; ++n) {
            good &= one(n % mapped);
        }
        const auto begin = std::chrono::steady_clock::now();
        for (unsigned long i = 0; i < count; ++i) {
            good &= one(static_cast<unsigned>(i % mapped));
        }
        nanoseconds_ = static_cast<unsigned long>(
            (std::chrono::steady_clock::now() - begin) / std::chrono::nanoseconds(1));
        return good;
    }

    const char* what_;
    Device device_;
    WiStream* stream_ = nullptr;
    unsigned long nanoseconds_ = 0;
};

template <typename Device>
int run(char** argv)
{
    Bench<Device> bench(argv[2], argv[4]);
    if (!bench.run(std::strtoul(argv[3], nullptr, 10))) {
        std::fprintf(stderr, "hooks-bench: %s is no case, or did not work\n", argv[2]);
        return 1;
    }
    std::printf("%lu\n", bench.nanoseconds());
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 5) {
        std::fprintf(stderr, "usage: hooks-bench smmuv3|vtd answer|hit|walk|fault|unmap "
                             "COUNT off|list|log\n");
        return 2;
    }
    return std::strcmp(argv[1], "vtd") ? run<Smmu>(argv) : run<Vtd>(argv);
}
