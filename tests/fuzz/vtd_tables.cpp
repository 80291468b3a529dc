// SPDX-License-Identifier: GPL-2.0-or-later
// Any VT-d structures at all, against the oracle: the fuzzer writes root, context, PASID
// and paging entries word by word; the unit must answer, record and mark what the manual
// says, and change nothing in memory but A, D and EA bits.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "tests/fuzz/machine.hpp"
#include "tests/oracle/vtd_oracle.hpp"

namespace {

using fuzz::fail;
using namespace oracle::vtd;

using Record = std::array<std::uint64_t, 2>;

bool agrees(const Answer& a, const Access& access, bool passed, std::uint64_t output,
            const std::optional<Record>& fault)
{
    if (a.passes != passed || (passed && (a.output != output || fault))) {
        return false;
    }
    if (passed || (a.reasons.empty() && !a.any_reason)) {
        return !fault;
    }
    if (!fault) {
        return a.any_reason && a.reasons.empty();
    }
    const unsigned reason = (*fault)[1] >> 32 & 0xff;
    const bool whose = ((*fault)[1] & 0xffff) == access.source &&
                       (*fault)[0] == (access.address & ~0xfffull) &&
                       ((*fault)[1] >> 62 & 1) == !access.write;
    return whose &&
           (a.any_reason || std::count(a.reasons.begin(), a.reasons.end(), reason) != 0);
}

class Bench {
public:
    explicit Bench(std::uint8_t options)
    {
        features_.scalable = (options & 1) != 0;
        features_.aw = (options & 2) ? 48 : 39;
        features_.pasid_bits = features_.scalable ? 20 : 0;
        WiVtdConfig config;
        wi_vtd_config_init(&config);
        config.aw_bits = static_cast<std::uint8_t>(features_.aw);
        config.scalable_mode = features_.scalable;
        config.pasid_bits = static_cast<std::uint8_t>(features_.pasid_bits);
        config.tlb = (options & 4) != 0;
        const WiHost host = memory_.host();
        const char* error = nullptr;
        unit_ = wi_vtd_new(&config, &host, &error);
        if (unit_ == nullptr) {
            fail(error);
        }
        memory_.give_to(unit_);
        records_ = (wi_iommu_mmio_read(unit_, 0x08, 8) >> 24 & 0x3ff) * 16;
    }
    ~Bench() { wi_iommu_free(unit_); }

    void restart(fuzz::Input& in, unsigned words)
    {
        memory_.clear();
        tlb_used_ = false;
        wi_iommu_reset(unit_);
        root_ =
            (in.take<std::uint8_t>() % 16u << 12) | (features_.scalable ? 1u << 10 : 0);
        for (unsigned i = 0; i < words && !in.empty(); ++i) {
            const std::uint64_t at = in.take<std::uint16_t>() * 8ull;
            memory_.store(at, in.take<std::uint64_t>());
        }
        wi_iommu_mmio_write(unit_, 0x20, 8, root_);
        wi_iommu_mmio_write(unit_, 0x18, 4, 1u << 30);  // SRTP
        wi_iommu_mmio_write(unit_, 0x18, 4, 1u << 31);  // TE
    }
    // What is cached may now contradict the tables.
    void tlb_used() { tlb_used_ = true; }
    // Our own A and D updates may have hit a context or PASID entry: CAP.ESRTPS makes
    // SRTP end all that is cached.
    void forget() { wi_iommu_mmio_write(unit_, 0x18, 4, 1u << 31 | 1u << 30); }

    void access(fuzz::Input& in)
    {
        Access a;
        const auto flags = in.take<std::uint8_t>();
        a.source = flags & 0x80 ? in.take<std::uint16_t>() : flags >> 5 & 3;
        a.write = flags & 1;
        a.has_pasid = flags & 8;
        a.privileged = a.has_pasid && (flags & 2);
        a.execute = a.has_pasid && !a.write && (flags & 4);
        a.pasid = a.has_pasid ? in.take<std::uint8_t>() : 0;
        a.address = in.take<std::uint64_t>();
        // The answer first: A and D updates come after.
        Oracle o(features_, root_,
                 [&](std::uint64_t at, std::uint64_t& v) { return memory_.load(at, v); });
        std::array<Answer, AllChoices + 1> answers;
        std::array<unsigned, AllChoices + 1> touched{};
        // A choice that no smaller set of them came upon makes no difference.
        for (unsigned c = 0, met = 0; c <= AllChoices; ++c) {
            if ((c & ~met) != 0) {
                continue;
            }
            answers[c] = o.answer(a, c);
            touched[c] = o.touched();
            met |= touched[c];
        }
        unsigned attributes = 0;
        attributes |= a.write ? WI_WRITE : 0;
        attributes |= a.privileged ? WI_PRIVILEGED : 0;
        attributes |= a.execute ? WI_INSTRUCTION : 0;
        attributes |= a.has_pasid ? WI_SUBSTREAM : 0;
        WiTranslation t{};
        memory_.begin();
        const bool passed = wi_stream_translate(wi_iommu_stream(unit_, a.source, nullptr),
                                                a.address, attributes, a.pasid, &t);
        memory_.end(512, [&](std::uint64_t at) { return is_mark(at); });
        const auto fault = next_fault();
        bool good = tlb_used_;
        for (unsigned c = 0; c <= AllChoices && !good; ++c) {
            good = (c & ~touched[c]) == 0 &&
                   (answers[c].wild || agrees(answers[c], a, passed, t.output, fault));
        }
        if (!good) {
            complain(a, answers[0], passed, t, fault);
        }
    }

private:
    // Bits only come, never go: A, D of either stage, EA.
    bool is_mark(std::uint64_t at) const
    {
        const unsigned before = memory_.was(at), after = memory_.is(at);
        const unsigned marks = at % 8 == 0 ? 0x60 : at % 8 == 1 ? 0x07 : 0;
        return (before & ~after) == 0 && (after & ~before & ~marks) == 0;
    }
    std::optional<Record> next_fault()
    {
        const Record r{wi_iommu_mmio_read(unit_, records_, 8),
                       wi_iommu_mmio_read(unit_, records_ + 8, 8)};
        if (r[1] >> 63 == 0) {
            return {};
        }
        wi_iommu_mmio_write(unit_, records_ + 12, 4, 1u << 31);
        wi_iommu_mmio_write(unit_, 0x34, 4, 1);
        return r;
    }
    [[noreturn]] static void complain(const Access& a, const Answer& answer, bool passed,
                                      const WiTranslation& t,
                                      const std::optional<Record>& fault)
    {
        for (const auto& step : answer.trail) {
            std::fprintf(stderr, "  %s\n", step.c_str());
        }
        std::fprintf(
            stderr,
            "source %#x pasid %d/%#x address %#llx w%d p%d x%d: device %d %#llx, "
            "fault %016llx %016llx, oracle %d reason %#x\n",
            a.source, a.has_pasid, a.pasid, static_cast<unsigned long long>(a.address),
            a.write, a.privileged, a.execute, passed,
            static_cast<unsigned long long>(t.output),
            static_cast<unsigned long long>(fault ? (*fault)[0] : 0),
            static_cast<unsigned long long>(fault ? (*fault)[1] : 0), answer.passes,
            answer.reasons.empty() ? 0 : answer.reasons[0]);
        fail("the unit and the manual disagree", answer.output, t.output);
    }

    fuzz::Memory memory_{true};
    Features features_;
    std::uint64_t root_ = 0, records_ = 0;
    WiIommu* unit_ = nullptr;
    bool tlb_used_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input in(data, size);
    const auto options = in.take<std::uint8_t>();
    static std::array<std::unique_ptr<Bench>, 8> benches;
    auto& bench = benches[options % 8];
    if (!bench) {
        bench = std::make_unique<Bench>(options % 8);
    }
    bench->restart(in, in.take<std::uint8_t>());
    bench->access(in);
    if (options & 4) {
        bench->tlb_used();
    }
    for (unsigned i = 0; i < 7 && !in.empty(); ++i) {
        if (!(options & 4)) {
            bench->forget();
        }
        bench->access(in);
    }
    return 0;
}
