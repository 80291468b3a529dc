// SPDX-License-Identifier: GPL-2.0-or-later
// A VT-d unit as a driver sees it, through the C interface.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "iommu/capi.h"
#include "tests/oracle/arena.hpp"

namespace oracle::vtd {

class Machine {
public:
    using Record = std::array<std::uint64_t, 2>;

    Machine(Arena& arena, const WiVtdConfig& config, unsigned slot);
    ~Machine() { wi_iommu_free(unit_); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    const char* error() const { return error_; }
    // Root table address with the translation table mode in [11:10]; everything cached is
    // invalidated.
    void set_root_table(std::uint64_t address);
    // One descriptor of the invalidation queue, and a wait after it.
    void invalidate(std::uint64_t low, std::uint64_t high);
    void invalidate_everything();
    // 0, or IQE, ICE, ITE as they stand in FSTS.
    unsigned queue_error() const { return read32(0x34) & 0x70; }

    bool translate(std::uint32_t source, std::uint64_t address, unsigned attributes,
                   std::uint32_t pasid, WiTranslation* out)
    {
        auto*& s = streams_[source];
        if (s == nullptr) {
            s = wi_iommu_stream(unit_, source, nullptr);
        }
        return s != nullptr && wi_stream_translate(s, address, attributes, pasid, out);
    }
    // The recorded fault, if there is one; it is then acknowledged.
    std::optional<Record> next_record();
    WiIommu* device() { return unit_; }

private:
    std::uint32_t read32(std::uint64_t at) const
    {
        return static_cast<std::uint32_t>(wi_iommu_mmio_read(unit_, at, 4));
    }
    std::uint64_t read64(std::uint64_t at) const
    {
        return wi_iommu_mmio_read(unit_, at, 8);
    }
    void write32(std::uint64_t at, std::uint32_t v)
    {
        wi_iommu_mmio_write(unit_, at, 4, v);
    }
    void write64(std::uint64_t at, std::uint64_t v)
    {
        wi_iommu_mmio_write(unit_, at, 8, v);
    }
    void global_command(std::uint32_t bit, bool on);
    void put(std::uint64_t low, std::uint64_t high);

    Arena& arena_;
    WiIommu* unit_ = nullptr;
    const char* error_ = nullptr;
    bool scalable_;
    std::uint64_t queue_, records_ = 0;
    std::uint32_t tail_ = 0;
    std::map<std::uint32_t, WiStream*> streams_;
};

}  // namespace oracle::vtd
