// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-dma's part of iommu/capi.h.
#include <cstdlib>
#include <cstring>

#include "hw/misc/dma/device.hpp"
#include "iommu/capi.h"

namespace {

using namespace iommu;

WiDmaAccess to_c(const dma::BusAccess& access)
{
    const Transaction& t = access.transaction;
    unsigned attributes = 0;
    attributes |= t.access == Access::Write ? unsigned(WI_WRITE) : 0;
    attributes |= t.privilege == Privilege::Privileged ? unsigned(WI_PRIVILEGED) : 0;
    attributes |= t.content == Content::Instruction ? unsigned(WI_INSTRUCTION) : 0;
    attributes |= t.substream.present ? unsigned(WI_SUBSTREAM) : 0;
    return {t.address.value, access.size, attributes, t.substream.value};
}

class CBoard final : public dma::Board {
public:
    explicit CBoard(const WiDmaBoard& board) : c_(board) {}

    MemoryResult transfer(const dma::BusAccess& access, std::byte* data) override
    {
        const WiDmaAccess a = to_c(access);
        return c_.transfer(c_.opaque, &a, data) == 0 ? MemoryResult::Ok
                                                     : MemoryResult::Abort;
    }
    void* pin(const dma::BusAccess& access) override
    {
        const WiDmaAccess a = to_c(access);
        return c_.pin(c_.opaque, &a);
    }
    void unpin(const dma::BusAccess& access, void* pinned) override
    {
        const WiDmaAccess a = to_c(access);
        c_.unpin(c_.opaque, &a, pinned);
    }
    void start() override { c_.start(c_.opaque); }
    void interrupt(unsigned vector) override { c_.interrupt(c_.opaque, vector); }
    void log(std::uint8_t byte) override { c_.log(c_.opaque, byte); }
    dma::AttributePath attribute_path() override
    {
        return c_.understands_attributes(c_.opaque) ? dma::AttributePath::Present
                                                    : dma::AttributePath::None;
    }

private:
    WiDmaBoard c_;
};

}  // namespace

struct WiDma {
    CBoard board;
    dma::Device device;

    WiDma(const WiDmaBoard& c, std::byte* buffer, dma::Runs runs)
        : board(c), device(board, {buffer, WI_DMA_BUFFER_SIZE}, runs)
    {
    }
};

WiDma* wi_dma_new(const WiDmaBoard* board, void* buffer, bool in_thread)
{
    return new WiDma(*board, static_cast<std::byte*>(buffer),
                     in_thread ? dma::Runs::InThread : dma::Runs::Inline);
}

void wi_dma_free(WiDma* dma)
{
    delete dma;
}

void wi_dma_reset(WiDma* dma)
{
    dma->device.reset();
}

std::uint64_t wi_dma_read(WiDma* dma, std::uint64_t offset, unsigned size)
{
    return dma->device.read(offset, size);
}

void wi_dma_write(WiDma* dma, std::uint64_t offset, unsigned size, std::uint64_t value)
{
    dma->device.write(offset, size, value);
}

bool wi_dma_busy(const WiDma* dma)
{
    return dma->device.busy();
}

void wi_dma_work(WiDma* dma)
{
    dma->device.work();
}

void wi_dma_finish(WiDma* dma)
{
    dma->device.finish();
}

void* wi_dma_save(const WiDma* dma, std::size_t* size)
{
    const auto state = dma->device.save();
    void* copy = std::malloc(state.size());
    if (copy) {
        std::memcpy(copy, state.data(), state.size());
    }
    *size = copy ? state.size() : 0;
    return copy;
}

const char* wi_dma_load(WiDma* dma, const void* state, std::size_t size)
{
    return dma->device.load({static_cast<const std::byte*>(state), size});
}
