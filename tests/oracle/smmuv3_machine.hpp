// SPDX-License-Identifier: GPL-2.0-or-later
// The SMMUv3 as a driver sees it, through the C interface: registers, queues, accesses.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "iommu/capi.h"
#include "tests/oracle/arena.hpp"

namespace oracle {

class SmmuMachine {
public:
    using Record = std::array<std::uint64_t, 4>;

    // `slot` keeps the queues of several devices over one arena apart.
    SmmuMachine(Arena& arena, const WiSmmuv3Config& config, unsigned slot);
    ~SmmuMachine() { wi_iommu_free(smmu_); }
    SmmuMachine(const SmmuMachine&) = delete;
    SmmuMachine& operator=(const SmmuMachine&) = delete;

    bool built() const { return smmu_ != nullptr; }
    const char* error() const { return error_; }

    void set_stream_table(std::uint64_t base, std::uint32_t cfg);
    // Puts one command in the queue; commands take effect at once, here.
    void command(std::uint64_t low, std::uint64_t high);
    // 0, or the error code in CMDQ_CONS (SMMU 7.1).
    unsigned queue_error() const;

    bool translate(std::uint32_t stream, std::uint64_t address, unsigned attributes,
                   std::uint32_t substream, WiTranslation* out)
    {
        auto*& s = streams_[stream];
        if (s == nullptr) {
            s = wi_iommu_stream(smmu_, stream, nullptr);
        }
        return s != nullptr &&
               wi_stream_translate(s, address, attributes, substream, out);
    }
    // The oldest unread event, if there is one.
    std::optional<Record> next_record();

    std::uint32_t read32(std::uint64_t offset) const
    {
        return static_cast<std::uint32_t>(wi_iommu_mmio_read(smmu_, offset, 4));
    }
    void write32(std::uint64_t offset, std::uint32_t v)
    {
        wi_iommu_mmio_write(smmu_, offset, 4, v);
    }
    void write64(std::uint64_t offset, std::uint64_t v)
    {
        wi_iommu_mmio_write(smmu_, offset, 8, v);
    }
    WiIommu* device() { return smmu_; }

private:
    static constexpr unsigned log2_queue = 6;

    Arena& arena_;
    WiIommu* smmu_ = nullptr;
    const char* error_ = nullptr;
    std::uint64_t commands_, events_;
    std::uint32_t prod_ = 0, cons_ = 0;
    std::map<std::uint32_t, WiStream*> streams_;
};

}  // namespace oracle
