// SPDX-License-Identifier: GPL-2.0-or-later
// A machine of one RAM block for unit tests; everything the device does to it is kept.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "iommu/host.hpp"
#include "iommu/memory.hpp"

namespace iommu::test {

class FakeHost final : public Host {
public:
    explicit FakeHost(std::size_t ram_size = 1 << 20, Gpa base = Gpa{0})
        : base_(base), ram_(ram_size)
    {
    }

    // Hands the block to a device; without it every access takes the slow path through
    // read().
    void map_into(GuestMemory& memory)
    {
        const RamRegion region{base_, ram_.size(), ram_.data(), true};
        memory.ram().assign(std::span(&region, 1));
    }

    MemoryResult read(Gpa from, std::span<std::byte> to) override
    {
        ++reads;
        if (!inside(from, to.size())) {
            return MemoryResult::Abort;
        }
        std::memcpy(to.data(), at(from), to.size());
        return MemoryResult::Ok;
    }
    MemoryResult write(Gpa to, std::span<const std::byte> from) override
    {
        if (!inside(to, from.size())) {
            return MemoryResult::Abort;
        }
        std::memcpy(at(to), from.data(), from.size());
        return MemoryResult::Ok;
    }
    void mark_dirty(Gpa at, std::size_t size) override { dirty.emplace_back(at, size); }
    void pulse(unsigned line) override { pulses.push_back(line); }
    MemoryResult send_msi(Gpa address, std::uint32_t data) override
    {
        if (msi_aborts) {
            return MemoryResult::Abort;
        }
        msis.emplace_back(address, data);
        return MemoryResult::Ok;
    }
    void unmapped(StreamCookie stream, Iova base, std::uint64_t size) override
    {
        unmaps.push_back({stream, base, size});
    }
    void mapping_changed(StreamCookie, const MappedBlock& block) override
    {
        changes.push_back(block);
    }
    bool device_unmapped(StreamCookie stream, Substream substream, Iova base,
                         std::uint64_t size) override
    {
        device_unmaps.push_back({stream, substream, base, size});
        return device_tlbs_answer;
    }
    void bypass_changed(StreamCookie stream) override
    {
        bypass_changes.push_back(stream);
    }
    void guest_error(const char* text) override { errors.emplace_back(text); }

    void store64(Gpa to, std::uint64_t value) { std::memcpy(at(to), &value, 8); }
    std::uint64_t load64(Gpa from)
    {
        std::uint64_t value;
        std::memcpy(&value, at(from), 8);
        return value;
    }
    std::byte* at(Gpa a) { return ram_.data() + (a.value - base_.value); }
    std::size_t ram_size() const { return ram_.size(); }

    struct Unmap {
        StreamCookie stream;
        Iova base;
        std::uint64_t size;
    };
    std::vector<std::pair<Gpa, std::size_t>> dirty;
    std::vector<unsigned> pulses;
    std::vector<std::pair<Gpa, std::uint32_t>> msis;
    struct DeviceUnmap {
        StreamCookie stream;
        Substream substream;
        Iova base;
        std::uint64_t size;
    };
    std::vector<Unmap> unmaps;
    std::vector<DeviceUnmap> device_unmaps;
    std::vector<MappedBlock> changes;
    std::vector<StreamCookie> bypass_changes;
    std::vector<std::string> errors;
    std::size_t reads = 0;  // of what no device has as RAM
    bool msi_aborts = false, device_tlbs_answer = true;

private:
    bool inside(Gpa a, std::size_t size) const
    {
        return a.value >= base_.value && a.value - base_.value <= ram_.size() &&
               size <= ram_.size() - (a.value - base_.value);
    }
    Gpa base_;
    std::vector<std::byte> ram_;
};

}  // namespace iommu::test
