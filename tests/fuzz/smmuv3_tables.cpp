// SPDX-License-Identifier: GPL-2.0-or-later
// Any tables at all, against the oracle: the fuzzer writes stream table, CDs and page
// tables word by word, and the device must answer what the manual says.
#include <array>
#include <memory>
#include <optional>

#include "tests/fuzz/machine.hpp"
#include "tests/oracle/smmuv3_oracle.hpp"

namespace {

using fuzz::fail;

constexpr std::uint64_t events = fuzz::Memory::size - 0x400;

bool agrees(const oracle::SmmuAnswer& a, bool passed, std::uint64_t output,
            const std::optional<std::array<std::uint64_t, 4>>& event)
{
    if (a.passes != passed || (passed && a.output != output) ||
        a.event.has_value() != event.has_value()) {
        return false;
    }
    for (unsigned i = 0; event && i < 4; ++i) {
        if ((((*event)[i] ^ a.event->bits[i]) & a.event->care[i]) != 0) {
            return false;
        }
    }
    return true;
}

class Bench {
public:
    explicit Bench(std::uint8_t options) : memory_((options & 1) != 0)
    {
        WiSmmuv3Config config;
        wi_smmuv3_config_init(&config);
        config.tlb = (options & 2) != 0;
        features_.oas = (options & 4) ? 48 : 40;
        features_.ssid_bits = (options & 8) ? 8 : 0;
        config.oas_bits = static_cast<std::uint8_t>(features_.oas);
        config.ssid_bits = static_cast<std::uint8_t>(features_.ssid_bits);
        const WiHost host = memory_.host();
        const char* error = nullptr;
        device_ = wi_smmuv3_new(&config, &host, &error);
        if (device_ == nullptr) {
            fail(error);
        }
        memory_.give_to(device_);
    }
    void restart()
    {
        memory_.clear();
        cons_ = 0;
        tlb_used_ = false;
        wi_iommu_reset(device_);
        wi_iommu_mmio_write(device_, 0xa0, 8, events | 3);
        wi_iommu_mmio_write(device_, 0x2c, 4, 2);
    }
    // From now on the TLB may hold what contradicts the tables: Contiguous runs and
    // global entries at odds with one another, an ASID two CDs share.  CONSTRAINED
    // UNPREDICTABLE.
    void tlb_used() { tlb_used_ = true; }
    ~Bench() { wi_iommu_free(device_); }

    void fill(fuzz::Input& in, unsigned words)
    {
        registers_.strtab_base = in.take<std::uint16_t>() & 0xff80u;
        registers_.strtab_cfg = in.take<std::uint8_t>() % 12u;
        registers_.strtab_cfg |= in.take<std::uint8_t>() % 2 ? 6u << 6 | 1u << 16 : 0;
        for (unsigned i = 0; i < words && !in.empty(); ++i) {
            // Below the Event queue.
            const std::uint64_t at = in.take<std::uint16_t>() * 8ull % events;
            memory_.store(at, in.take<std::uint64_t>());
        }
        wi_iommu_mmio_write(device_, 0x80, 8, registers_.strtab_base);
        wi_iommu_mmio_write(device_, 0x88, 4, registers_.strtab_cfg);
        wi_iommu_mmio_write(device_, 0x20, 4, 5);  // SMMUEN, EVENTQEN
    }

    void access(fuzz::Input& in)
    {
        oracle::Access a;
        const auto flags = in.take<std::uint8_t>();
        a.write = flags & 1;
        a.privileged = flags & 2;
        a.instruction = flags & 4;
        a.has_substream = flags & 8;
        a.stream = flags & 16 ? in.take<std::uint16_t>() : flags >> 5;
        a.substream = a.has_substream ? in.take<std::uint8_t>() : 0;
        a.address = in.take<std::uint64_t>();
        WiTranslation t{};
        memory_.begin();
        const bool passed =
            wi_stream_translate(wi_iommu_stream(device_, a.stream, nullptr), a.address,
                                flags & 0xfu, a.substream, &t);
        memory_.end(512, [](std::uint64_t at) { return at >= events; });
        if (passed && t.output >> features_.oas != 0) {
            fail("output beyond the output address size", t.output);
        }
        compare(a, passed, t, next_event());
    }

private:
    std::optional<std::array<std::uint64_t, 4>> next_event()
    {
        const auto prod = wi_iommu_mmio_read(device_, 0x100a8, 4) & 0xf;
        if (prod == cons_) {
            return {};
        }
        std::array<std::uint64_t, 4> record;
        for (unsigned i = 0; i < 4; ++i) {
            memory_.load(events + (cons_ & 7) * 32 + i * 8, record[i]);
        }
        cons_ = (cons_ + 1) & 0xf;
        if (prod != cons_) {
            fail("two events for one access", prod, cons_);
        }
        wi_iommu_mmio_write(device_, 0x100ac, 4, cons_);
        return record;
    }
    void compare(const oracle::Access& a, bool passed, const WiTranslation& t,
                 const std::optional<std::array<std::uint64_t, 4>>& event)
    {
        bool in_queue = false;
        oracle::SmmuOracle o(features_, registers_,
                             [&](std::uint64_t at, std::uint64_t& v) {
                                 in_queue |= at >= events && at < fuzz::Memory::size;
                                 return memory_.load(at, v);
                             });
        auto answer = o.answer(a);
        bool agreed = answer.wild || agrees(answer, passed, t.output, event);
        for (unsigned c = 1; o.touched() != 0 && c <= oracle::AllChoices && !agreed;
             ++c) {
            const auto other = o.answer(a, c);
            agreed |= (c & ~o.touched()) == 0 &&
                      (other.wild || agrees(other, passed, t.output, event));
        }
        if (agreed || in_queue || tlb_used_) {
            return;
        }
        answer = o.answer(a);
        for (const auto& step : answer.trail) {
            std::fprintf(stderr, "  %s\n", step.c_str());
        }
        std::fprintf(stderr,
                     "stream %#x address %#llx flags w%d p%d i%d device %d %#llx event "
                     "%016llx %016llx %016llx %016llx\n",
                     a.stream, static_cast<unsigned long long>(a.address), a.write,
                     a.privileged, a.instruction, passed,
                     static_cast<unsigned long long>(t.output),
                     static_cast<unsigned long long>(event ? (*event)[0] : 0),
                     static_cast<unsigned long long>(event ? (*event)[1] : 0),
                     static_cast<unsigned long long>(event ? (*event)[2] : 0),
                     static_cast<unsigned long long>(event ? (*event)[3] : 0));
        fail("the device and the manual disagree", answer.output, t.output);
    }
    fuzz::Memory memory_;
    oracle::SmmuFeatures features_;
    oracle::SmmuRegisters registers_;
    WiIommu* device_ = nullptr;
    std::uint64_t cons_ = 0;
    bool tlb_used_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input in(data, size);
    const auto options = in.take<std::uint8_t>();
    static std::array<std::unique_ptr<Bench>, 16> benches;
    auto& made = benches[options % 16];
    if (!made) {
        made = std::make_unique<Bench>(options % 16);
    }
    Bench& bench = *made;
    bench.restart();
    bench.fill(in, in.take<std::uint8_t>());
    bench.access(in);
    if (options & 2) {
        bench.tlb_used();
    }
    for (unsigned i = 0; i < 7 && !in.empty(); ++i) {
        bench.access(in);
    }
    return 0;
}
