// SPDX-License-Identifier: GPL-2.0-or-later
// A guest that writes any register and any memory in any order, and devices that access
// meanwhile.  Invariants: nothing crashes or hangs; every step is bounded; the device's
// queue indexes stay inside their queues; no output beyond the output address size; no
// memory changes but the Event queue's and MSI targets; what was saved can be loaded.
#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "tests/fuzz/machine.hpp"

namespace {

using fuzz::fail;

// Offsets worth hitting: SMMU 6.2.1, 6.2.2.
constexpr std::uint32_t registers[] = {
    0x00, 0x04, 0x0c,    0x14,    0x1c,    0x20,    0x24,    0x28,    0x2c,  0x40, 0x44,
    0x50, 0x54, 0x60,    0x64,    0x68,    0x6c,    0x70,    0x74,    0x80,  0x84, 0x88,
    0x90, 0x94, 0x98,    0x9c,    0xa0,    0xa4,    0xa8,    0xac,    0xb0,  0xb8, 0xbc,
    0xc0, 0xc8, 0x100a8, 0x100ac, 0x100c8, 0x100cc, 0x10098, 0x10020, 0x8000};

class Guest {
public:
    explicit Guest(std::uint8_t options)
        : memory_((options & 1) != 0), oas_((options & 2) ? 48 : 32)
    {
        WiSmmuv3Config config;
        wi_smmuv3_config_init(&config);
        config.tlb = (options & 4) != 0;
        config.oas_bits = static_cast<std::uint8_t>(oas_);
        config.ssid_bits = (options & 8) ? 20 : 0;
        config.msi = (options & 16) != 0;
        config.gbpa_abort = (options & 32) != 0;
        const WiHost host = memory_.host();
        const char* error = nullptr;
        device_ = wi_smmuv3_new(&config, &host, &error);
        if (device_ == nullptr) {
            fail(error);
        }
        memory_.give_to(device_);
        wi_iommu_reset(device_);
    }
    ~Guest() { wi_iommu_free(device_); }

    // As after power-on: what the device remembers of the last input is a bug.
    void restart()
    {
        memory_.clear();
        wi_iommu_reset(device_);
        targets_.clear();
    }

    void play(fuzz::Input& in)
    {
        while (!in.empty()) {
            switch (in.take<std::uint8_t>() % 8) {
            case 0:
                memory_.store(in.take<std::uint16_t>() * 8ull, in.take<std::uint64_t>());
                break;
            case 1:
                write(offset(in), 4, in.take<std::uint32_t>());
                break;
            case 2:
                write(offset(in) & ~7u, 8, in.take<std::uint64_t>());
                break;
            case 3:
                read(offset(in), in.take<std::uint8_t>() % 2 ? 4 : 8);
                break;
            case 4:
                access(in);
                break;
            case 5:
                write(in.take<std::uint32_t>(), 1u << in.take<std::uint8_t>() % 4,
                      in.take<std::uint32_t>());
                break;
            case 6:
                enable(in.take<std::uint8_t>());
                break;
            default:
                save_and_load(in.take<std::uint8_t>());
                break;
            }
        }
    }

private:
    static std::uint32_t offset(fuzz::Input& in)
    {
        return registers[in.take<std::uint8_t>() % std::size(registers)];
    }
    std::uint32_t reg(std::uint64_t at)
    {
        return static_cast<std::uint32_t>(wi_iommu_mmio_read(device_, at, 4));
    }
    std::uint64_t reg64(std::uint64_t at) { return wi_iommu_mmio_read(device_, at, 8); }

    void write(std::uint64_t at, unsigned size, std::uint64_t value)
    {
        step([&] { wi_iommu_mmio_write(device_, at, size, value); });
    }
    void read(std::uint64_t at, unsigned size)
    {
        step([&] { wi_iommu_mmio_read(device_, at, size); });
    }
    void enable(std::uint8_t what)
    {
        write(0x20, 4, what & 0xd);  // SMMUEN, EVENTQEN, CMDQEN
    }

    void access(fuzz::Input& in)
    {
        const auto id = in.take<std::uint16_t>();
        const auto attributes = in.take<std::uint8_t>() & 0xfu;
        const auto substream = in.take<std::uint32_t>() & 0xfffff;
        const auto address = in.take<std::uint64_t>();
        WiStream* stream = wi_iommu_stream(device_, id, nullptr);
        if (stream == nullptr) {
            fail("no stream for an id in range", id);
        }
        WiTranslation t{};
        bool ok = false;
        step([&] {
            ok = wi_stream_translate(stream, address, attributes, substream, &t);
        });
        if (!ok) {
            return;
        }
        const bool enabled = (reg(0x20) & 1) != 0;
        if (enabled && t.output >> oas_ != 0) {
            fail("output beyond the output address size", t.output, address);
        }
        if ((t.mask & (t.mask + 1)) != 0 || ((t.output ^ address) & t.mask) != 0) {
            fail("the block is no block", t.output, t.mask);
        }
        if ((attributes & WI_WRITE) ? !t.write : !t.read) {
            fail("passes without the permission", address, attributes);
        }
    }

    void save_and_load(std::uint8_t damage)
    {
        std::size_t size = 0;
        auto* state = static_cast<std::uint8_t*>(wi_iommu_save(device_, &size));
        if (state == nullptr) {
            fail("nothing saved");
        }
        if (damage >= 128 && size != 0) {
            state[damage * 31u % size] ^= static_cast<std::uint8_t>(1u << damage % 8);
            wi_iommu_load(device_, state, size);  // refused or not, no harm
        } else if (damage >= 64) {
            wi_iommu_load(device_, state, size * (damage - 64u) / 64);
        } else if (const char* error = wi_iommu_load(device_, state, size)) {
            fail(error);
        }
        std::free(state);
        memory_.give_to(device_);
        collect();
    }

    // Where the device may write from now on.
    void collect()
    {
        for (const std::uint64_t at : {0x68ull, 0xb0ull, 0xc0ull + 0x10}) {
            targets_.insert(reg64(at) & ~3ull);
        }
    }

    struct Queue {
        std::uint64_t base;
        unsigned log2;
        std::uint32_t prod, cons;
        std::uint32_t used() const { return (prod - cons) & ((2u << log2) - 1); }
        bool consistent() const { return used() <= 1u << log2; }
    };
    Queue queue(std::uint64_t base_at, std::uint64_t prod_at, std::uint64_t cons_at)
    {
        const std::uint64_t base = reg64(base_at);
        const unsigned log2 = std::min<unsigned>(base & 31, 19);
        const std::uint32_t mask = (2u << log2) - 1;
        return {base, log2, reg(prod_at) & mask, reg(cons_at) & mask};
    }
    Queue events() { return queue(0xa0, 0x100a8, 0x100ac); }

    template <typename Action>
    void step(Action action)
    {
        collect();
        const Queue before = events();
        const bool events_enabled = (reg(0x20) & 4) != 0;
        memory_.begin();
        action();
        const Queue after = events();
        // The device alone moves PROD while the queue is enabled, and never past CONS.
        if (events_enabled && (reg(0x20) & 4) != 0 && before.base == after.base &&
            before.cons == after.cons && before.consistent() && !after.consistent()) {
            fail("the Event queue ran over", after.prod, after.cons);
        }
        const std::uint64_t records = before.base & 0x00ff'ffff'ffff'ffe0;
        const std::uint64_t bytes = 32ull << before.log2;
        const std::uint64_t first = records & ~(bytes - 1) & ((1ull << oas_) - 1);
        // 1024 commands a doorbell at the most, each with its read and what it does.
        memory_.end(1u << 17, [&](std::uint64_t at) {
            return at - first < bytes || targets_.count(at & ~3ull) != 0 ||
                   msi_by_command(at & ~3ull);
        });
    }

    // CMD_SYNC carries its own target (SMMU 4.7.3): any word some command in memory
    // names.
    bool msi_by_command(std::uint64_t at)
    {
        const std::uint64_t field =
            0x00ff'ffff'ffff'fffc & ((1ull << oas_) - 1);  // 3.4.3
        for (std::uint64_t c = 0; c < fuzz::Memory::size; c += 16) {
            std::uint64_t low = 0, high = 0;
            memory_.load(c, low);
            memory_.load(c + 8, high);
            // A command may lie where the Event queue or another MSI writes.
            const auto old_low = memory_.load_before(c),
                       old_high = memory_.load_before(c + 8);
            if (((low & 0xff) == 0x46 && (high & field) == at) ||
                ((old_low & 0xff) == 0x46 && (old_high & field) == at)) {
                return true;
            }
        }
        return false;
    }

    fuzz::Memory memory_;
    unsigned oas_;
    WiIommu* device_ = nullptr;
    std::set<std::uint64_t> targets_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size > 1024) {
        return 0;  // more of the same, and slow
    }
    // Making a device costs far more than an input: each kind is made once.
    static std::array<std::unique_ptr<Guest>, 64> guests;
    fuzz::Input in(data, size);
    const std::uint8_t options = in.take<std::uint8_t>() % 64;
    auto& guest = guests[options];
    if (!guest) {
        guest = std::make_unique<Guest>(options);
    }
    guest->restart();
    guest->play(in);
    return 0;
}
