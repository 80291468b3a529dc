// SPDX-License-Identifier: GPL-2.0-or-later
// A machine driven by fuzz input through the door QEMU uses: guest memory, an MMIO script
// and accesses by devices.  Besides the sanitizers' checks it holds the invariants that
// no guest may break; a broken one ends the process, which is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <span>
#include <vector>

#include "iommu/capi.h"

namespace iommu::fuzz {

inline void require(bool holds, const char* what)
{
    if (!holds) {
        std::fprintf(stderr, "invariant broken: %s\n", what);
        std::abort();
    }
}

// Input read front to back; zeros when it has run out.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
    bool empty() const { return rest_.empty(); }
    template <typename T>
    T take()
    {
        T value{};
        const auto size = rest_.size() < sizeof value ? rest_.size() : sizeof value;
        std::memcpy(&value, rest_.data(), size);
        rest_ = rest_.subspan(size);
        return value;
    }

private:
    std::span<const std::uint8_t> rest_;
};

class Machine {
public:
    static constexpr std::uint64_t ram_base = 0x4000'0000;
    static constexpr std::uint64_t ram_size = 0x4'0000;
    // One command or translation reads a few table entries; a queue holds at most what
    // fits RAM.
    static constexpr unsigned most_calls = 1 << 16;

    Machine() : ram_(ram_size) {}
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    ~Machine() { wi_iommu_free(iommu_); }

    WiHost host()
    {
        return {
            .opaque = this,
            .read =
                [](void* self, std::uint64_t gpa, void* buf, std::size_t size) {
                    return static_cast<Machine*>(self)->copy(gpa, buf, size, false);
                },
            .write =
                [](void* self, std::uint64_t gpa, const void* buf, std::size_t size) {
                    return static_cast<Machine*>(self)->copy(gpa, const_cast<void*>(buf),
                                                             size, true);
                },
            .mark_dirty =
                [](void* self, std::uint64_t gpa, std::size_t size) {
                    static_cast<Machine*>(self)->count();
                    require(inside(gpa, size), "dirty memory lies in RAM");
                },
            .pulse = [](void* self, unsigned) { static_cast<Machine*>(self)->count(); },
            .send_msi =
                [](void* self, std::uint64_t, std::uint32_t) {
                    return static_cast<Machine*>(self)->count();
                },
            .unmapped = [](void* self, void*, std::uint64_t,
                           std::uint64_t) { static_cast<Machine*>(self)->count(); },
            .bypass_changed = [](void* self,
                                 void*) { static_cast<Machine*>(self)->count(); },
            .guest_error =
                [](void* self, const char* text) {
                    static_cast<Machine*>(self)->count();
                    require(std::strchr(text, '\n') == nullptr,
                            "a guest error is one line");
                }};
    }

    // Begins a case.  A device is built once for many cases, since its caches are large;
    // its reset must forget all of the case before.
    void begin(unsigned streams)
    {
        std::memset(ram_.data(), 0, ram_.size());
        const WiRamRegion region{ram_base, ram_size, ram_.data(), false};
        wi_iommu_set_ram(iommu_, &region, 1);
        wi_iommu_reset(iommu_);
        for (unsigned id = 0; id < streams; ++id) {
            wi_stream_want_unmaps(wi_iommu_stream(iommu_, id, this), false);
        }
    }
    void use(WiIommu* iommu)
    {
        require(iommu != nullptr, "the configuration is accepted");
        iommu_ = iommu;
    }
    WiIommu* iommu() const { return iommu_; }

    void words(std::uint64_t at, std::initializer_list<std::uint64_t> values)
    {
        for (const auto value : values) {
            copy(at, const_cast<std::uint64_t*>(&value), sizeof value, true);
            at += sizeof value;
        }
    }
    void poke(std::uint64_t offset, std::uint64_t value, unsigned size)
    {
        calls_ = 0;
        wi_iommu_mmio_write(iommu_, offset, size, value);
    }
    std::uint64_t peek(std::uint64_t offset, unsigned size)
    {
        calls_ = 0;
        return wi_iommu_mmio_read(iommu_, offset, size);
    }

    // One access of a device, and what must hold of any answer.
    void access(Input& in, unsigned stream_mask, unsigned output_bits)
    {
        calls_ = 0;
        auto* stream =
            wi_iommu_stream(iommu_, in.take<std::uint8_t>() & stream_mask, this);
        require(stream != nullptr, "a stream that the device has can be opened");
        const auto attributes = in.take<std::uint8_t>() & 15u;
        const auto address = in.take<std::uint64_t>();
        const auto substream = in.take<std::uint16_t>();
        if ((in.take<std::uint8_t>() & 15) == 0) {
            wi_stream_want_unmaps(stream, (substream & 1) != 0);
        }
        const bool bypassed = wi_stream_bypassed(stream);
        WiTranslation out{};
        if (!wi_stream_translate(stream, address, attributes, substream, &out)) {
            // SMMU 3.4: an address beyond the output size is refused even in bypass.
            require(!bypassed || address >> output_bits != 0,
                    "a bypassed stream is never refused");
            return;
        }
        require((out.mask & (out.mask + 1)) == 0, "a block is a power of two");
        require(((out.output ^ address) & out.mask) == 0, "a block keeps the low bits");
        require((attributes & WI_WRITE) != 0 ? out.write : out.read,
                "what is allowed is said");
        if (out.mask != UINT64_MAX && out.output != address) {
            require(out.output >> output_bits == 0,
                    "no output beyond the output address size");
        }
        require(!bypassed || out.output == address,
                "a bypassed stream changes no address");
    }

    // A save that is loaded gives the same save.
    void migrate()
    {
        std::size_t size = 0, again = 0;
        void* state = wi_iommu_save(iommu_, &size);
        require(wi_iommu_load(iommu_, state, size) == nullptr,
                "what was saved can be loaded");
        void* second = wi_iommu_save(iommu_, &again);
        require(size == again && std::memcmp(state, second, size) == 0,
                "loading changes nothing that is saved");
        std::free(second);
        std::free(state);
    }

    // State that nobody saved may be refused, and must not break anything.
    void load(Input& in)
    {
        std::size_t size = 0;
        auto* state = static_cast<std::uint8_t*>(wi_iommu_save(iommu_, &size));
        for (unsigned i = in.take<std::uint8_t>() & 7u; i > 0 && size > 0; --i) {
            const auto at = in.take<std::uint16_t>() % size;
            state[at] ^= in.take<std::uint8_t>();
        }
        wi_iommu_load(iommu_, state, size - (in.take<std::uint8_t>() == 0 ? 1 : 0));
        std::free(state);
    }

    void scribble(Input& in)
    {
        const auto at = ram_base + in.take<std::uint32_t>() % ram_size;
        const auto value = in.take<std::uint64_t>();
        copy(at & ~7ull, const_cast<std::uint64_t*>(&value), sizeof value, true);
    }

private:
    static bool inside(std::uint64_t gpa, std::size_t size)
    {
        return gpa >= ram_base && size <= ram_size && gpa - ram_base <= ram_size - size;
    }
    int count()
    {
        require(++calls_ < most_calls, "work is bounded");
        return 0;
    }
    int copy(std::uint64_t gpa, void* buf, std::size_t size, bool write)
    {
        count();
        if (!inside(gpa, size)) {
            return -1;
        }
        auto* at = ram_.data() + (gpa - ram_base);
        write ? std::memcpy(at, buf, size) : std::memcpy(buf, at, size);
        return 0;
    }

    std::vector<std::uint8_t> ram_;
    WiIommu* iommu_ = nullptr;
    unsigned calls_ = 0;
};

// Which register: most often one of those that do something, sometimes any.
inline std::uint64_t choose(Input& in, std::span<const std::uint16_t> known,
                            std::uint64_t span)
{
    const auto index = in.take<std::uint8_t>();
    return index < 240 ? known[index % known.size()] : in.take<std::uint32_t>() % span;
}

inline void run_script(Machine& machine, Input& in, std::span<const std::uint16_t> known,
                       std::uint64_t span, unsigned stream_mask, unsigned output_bits,
                       void (*invariants)(Machine&))
{
    for (unsigned steps = 0; !in.empty() && steps < 512; ++steps) {
        const auto operation = in.take<std::uint8_t>();
        const unsigned size = (operation & 0x80) != 0 ? 8 : 4;
        switch (operation & 7) {
        case 0:
        case 1: {
            const auto offset = choose(in, known, span);
            machine.poke(offset, in.take<std::uint64_t>(), size);
            break;
        }
        case 2:
            machine.peek(choose(in, known, span), size);
            break;
        case 3:
        case 4:
            machine.scribble(in);
            break;
        case 5:
        case 6:
            machine.access(in, stream_mask, output_bits);
            break;
        default:
            switch (operation >> 3 & 3) {
            case 0:
                wi_iommu_reset(machine.iommu());
                break;
            case 1:
                machine.load(in);
                break;
            default:
                machine.migrate();
            }
        }
        invariants(machine);
    }
}

}  // namespace iommu::fuzz
