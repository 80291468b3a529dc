// SPDX-License-Identifier: GPL-2.0-or-later
// Two devices over one memory, alike but for the TLB, take the same commands.  They must
// agree on every error and index; and after everything has been invalidated, on every
// translation.  Tables that contradict themselves (a Contiguous run whose entries differ,
// two CDs with one ASID, tables inside a queue) are CONSTRAINED UNPREDICTABLE (DDI 0487
// D8.6.1 "The Contiguous bit", K1): there a translation may come from any entry cached
// since, and only the first after an invalidation must be the same.
#include "tests/fuzz/machine.hpp"

namespace {

using fuzz::fail;

constexpr std::uint8_t opcodes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
                                    0x10, 0x11, 0x12, 0x13, 0x20, 0x28, 0x2a,
                                    0x30, 0x40, 0x41, 0x44, 0x46, 0x46};
constexpr std::uint64_t stream_table = 0x1000, cd_table = 0x1800, stage1 = 0x2000,
                        last_table = stage1 + 0x2000, stage2 = 0x6000, commands = 0x10000,
                        events = 0x18000;
constexpr unsigned log2_commands = 4, log2_events = 4;

class Pair {
public:
    explicit Pair(bool direct) : memory_(direct)
    {
        const WiHost host = memory_.host();
        for (const bool tlb : {false, true}) {
            WiSmmuv3Config config;
            wi_smmuv3_config_init(&config);
            config.tlb = tlb;
            const char* error = nullptr;
            device_[tlb] = wi_smmuv3_new(&config, &host, &error);
            if (device_[tlb] == nullptr) {
                fail(error);
            }
            memory_.give_to(device_[tlb]);
        }
    }
    void restart(std::uint8_t options)
    {
        memory_.clear();
        prod_ = 0;
        consistent_ = true;
        wi_iommu_reset(device_[0]);
        wi_iommu_reset(device_[1]);
        tables(options);
        write64(0x80, stream_table);
        write(0x88, 2);
        write64(0x90, commands | log2_commands);
        write64(0xa0, events | log2_events);
        write(0x20, 0xd);
    }
    ~Pair()
    {
        wi_iommu_free(device_[0]);
        wi_iommu_free(device_[1]);
    }

    void play(fuzz::Input& in)
    {
        while (!in.empty()) {
            const auto op = in.take<std::uint8_t>();
            switch (op % 4) {
            case 0:
            case 1: {
                const auto low = in.take<std::uint64_t>();
                const auto high = in.take<std::uint64_t>();
                command((low & ~0xffull) | opcodes[op / 4 % std::size(opcodes)], high);
                break;
            }
            case 2:
                access(in, false);
                break;
            default:
                store(0x1000 + in.take<std::uint16_t>() % 0x7000u,
                      in.take<std::uint64_t>());
                break;
            }
        }
        invalidate_all();
    }
    void compare(fuzz::Input& in)
    {
        for (unsigned i = 0; i < 8; ++i) {
            access(in, true);
        }
    }

private:
    struct Access {
        unsigned stream, attributes, substream;
        std::uint64_t address;
    };

    static bool is_event(std::uint64_t at) { return at - events < 32u << log2_events; }
    // Only a page without the Contiguous bit in the last table leaves the rest as it was.
    void store(std::uint64_t at, std::uint64_t v)
    {
        constexpr std::uint64_t contiguous = 1ull << 52;
        consistent_ &= at - last_table < 0x1000 && (v & contiguous) == 0;
        memory_.store(at, v);
    }
    void write(std::uint64_t at, std::uint32_t v)
    {
        wi_iommu_mmio_write(device_[0], at, 4, v);
        wi_iommu_mmio_write(device_[1], at, 4, v);
    }
    void write64(std::uint64_t at, std::uint64_t v)
    {
        wi_iommu_mmio_write(device_[0], at, 8, v);
        wi_iommu_mmio_write(device_[1], at, 8, v);
    }
    std::uint32_t both(std::uint64_t at)
    {
        const auto a = wi_iommu_mmio_read(device_[0], at, 4);
        const auto b = wi_iommu_mmio_read(device_[1], at, 4);
        if (a != b) {
            fail("the devices differ in a register", at, a << 32 | b);
        }
        return static_cast<std::uint32_t>(a);
    }
    void command(std::uint64_t low, std::uint64_t high)
    {
        const std::uint64_t slot = commands + (prod_ & ((1u << log2_commands) - 1)) * 16;
        prod_ = (prod_ + 1) & ((2u << log2_commands) - 1);
        memory_.begin();
        for (auto* device : device_) {
            // The message of the first device's CMD_SYNC may have hit the command.
            memory_.store(slot, low);
            memory_.store(slot + 8, high);
            wi_iommu_mmio_write(device, 0x98, 4, prod_);
        }
        memory_.end(1 << 12, [this](std::uint64_t at) {
            consistent_ &= is_event(at);  // else a message hit a table
            return true;
        });
        const std::uint32_t cons = both(0x9c), index = cons & ((2u << log2_commands) - 1);
        const bool failed = ((both(0x60) ^ both(0x64)) & 1) != 0;
        if (failed != (index != prod_)) {
            fail("a command neither consumed nor refused", cons, prod_);
        }
        if (failed) {
            if ((cons >> 24 & 0x7f) == 0) {
                fail("an error without a reason", cons);
            }
            // 7.1: make the command a CMD_SYNC, acknowledge, go on.
            const std::uint64_t bad =
                commands + (index & ((1u << log2_commands) - 1)) * 16;
            memory_.store(bad, 0x46);
            memory_.store(bad + 8, 0);
            write(0x64, both(0x60));
            write(0x98, prod_);
            if ((both(0x9c) & ((2u << log2_commands) - 1)) != prod_) {
                fail("the queue did not resume", both(0x9c), prod_);
            }
        }
    }
    void invalidate_all()
    {
        command(0x04, 31);
        command(0x30, 0);
        command(0x46, 0);
    }
    void access(fuzz::Input& in, bool compare)
    {
        Access a;
        a.stream = in.take<std::uint8_t>() % 4u;
        a.attributes = in.take<std::uint8_t>() & 0xfu;
        a.substream = in.take<std::uint8_t>() % 4u;
        // Within the first pages of what is mapped, mostly.
        const auto raw = in.take<std::uint32_t>();
        a.address = raw & 1 ? raw : raw & 0xf'ffff;
        const bool agreed = answers_agree(a);
        if (!compare || agreed) {
            return;
        }
        if (!consistent_) {
            invalidate_all();
            if (answers_agree(a)) {
                return;
            }
        }
        fail("with and without TLB differ after everything was invalidated", a.address,
             a.stream);
    }
    bool answers_agree(const Access& a)
    {
        bool ok[2];
        WiTranslation t[2] = {};
        for (unsigned i = 0; i < 2; ++i) {
            memory_.begin();
            ok[i] = wi_stream_translate(wi_iommu_stream(device_[i], a.stream, nullptr),
                                        a.address, a.attributes, a.substream, &t[i]);
            memory_.end(512, is_event);
            if (ok[i] && t[i].output >> 48 != 0) {
                fail("output beyond the output address size", t[i].output);
            }
        }
        // Make room in both Event queues, which are one in memory.
        for (auto* device : device_) {
            wi_iommu_mmio_write(device, 0x100ac, 4,
                                wi_iommu_mmio_read(device, 0x100a8, 4));
        }
        return ok[0] == ok[1] && (!ok[0] || t[0].output == t[1].output);
    }

    // Streams 0..3: stage 1 with substreams, stage 2, nested, bypass; 4 KiB pages.
    void tables(unsigned variant)
    {
        constexpr std::uint64_t s2 =
            0x7ull | 24ull << 32 | 1ull << 38 | 5ull << 48 | 1ull << 51 | 1ull << 58;
        const std::uint64_t s1 = 1 | cd_table | 2ull << 59;
        const std::uint64_t config[] = {s1 | 5 << 1, 1 | 6 << 1, s1 | 7 << 1, 1 | 4 << 1};
        for (unsigned i = 0; i < 4; ++i) {
            memory_.store(stream_table + i * 64, config[i]);
            memory_.store(stream_table + i * 64 + 8, 2);
            memory_.store(stream_table + i * 64 + 16, s2);
            memory_.store(stream_table + i * 64 + 24, stage2);
        }
        for (unsigned i = 0; i < 4; ++i) {
            // T0SZ 25 (39 bits), EPD1, V, IPS 48, AA64, R, A, ASID.
            memory_.store(cd_table + i * 64, 25 | 1u << 30 | 1u << 31 | 5ull << 32 |
                                                 1ull << 41 | 3ull << 45 |
                                                 std::uint64_t{i + 1} << 48);
            memory_.store(cd_table + i * 64 + 8, stage1);
        }
        const bool blocks = (variant & 1) != 0;
        for (const std::uint64_t root : {stage1, stage2}) {
            const std::uint64_t leaf = root == stage1 ? 0xc41 : 0x7fd;
            memory_.store(root, (root + 0x1000) | 3);
            memory_.store(root + 0x1000, blocks ? leaf : ((root + 0x2000) | 3));
            for (unsigned i = 0; i < 512; ++i) {
                memory_.store(root + 0x2000 + i * 8, i << 12 | leaf | 3);
            }
        }
    }

    fuzz::Memory memory_;
    WiIommu* device_[2] = {};
    std::uint32_t prod_ = 0;
    bool consistent_ = true;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 48 || size > 1024) {  // longer is slow and more of the same
        return 0;
    }
    // The end of the input says which accesses are compared.
    fuzz::Input script(data + 1, size - 48), accesses(data + size - 47, 47);
    static Pair pairs[2]{Pair(false), Pair(true)};
    Pair& pair = pairs[data[0] & 1];
    pair.restart(data[0] >> 1);
    pair.play(script);
    pair.compare(accesses);
    return 0;
}
