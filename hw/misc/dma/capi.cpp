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

Translation from_c(const WiTranslation& t)
{
    return {Gpa{t.output}, t.mask, t.read, t.write};
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
    dma::AtsPath ats_path() override
    {
        if (!c_.has_ats || !c_.has_ats(c_.opaque)) {
            return dma::AtsPath::None;
        }
        return c_.ats_enabled(c_.opaque) ? dma::AtsPath::Enabled : dma::AtsPath::Disabled;
    }

    AtsCompletion request(const Transaction& t) override
    {
        const WiDmaAccess a = to_c({t, 0});
        WiAtsCompletion done{};
        c_.request(c_.opaque, &a, &done);
        AtsCompletion out;
        out.status = static_cast<AtsStatus>(done.status);
        out.translation = from_c(done.translation);
        out.execute = done.execute;
        out.untranslated_only = done.untranslated_only;
        return out;
    }
    bool admit(const Transaction& t) override
    {
        const WiDmaAccess a = to_c({t, 0});
        return c_.admit(c_.opaque, &a);
    }
    bool move_ram(const dma::BusAccess& access, std::byte* data) override
    {
        return to_system(access, WI_RAM_ONLY, data) == 0;
    }
    MemoryResult move(const dma::BusAccess& access, std::byte* data) override
    {
        return to_system(access, 0, data) == 0 ? MemoryResult::Ok : MemoryResult::Abort;
    }
    void* pin_ram(const dma::BusAccess& access) override
    {
        auto a = to_c(access);
        a.attributes |= WI_TRANSLATED;
        return c_.pin(c_.opaque, &a);
    }
    void unpin_ram(const dma::BusAccess& access, void* pinned) override
    {
        unpin(access, pinned);
    }

private:
    int to_system(const dma::BusAccess& access, unsigned more, std::byte* data)
    {
        auto a = to_c(access);
        a.attributes |= WI_TRANSLATED | more;
        return c_.transfer(c_.opaque, &a, data);
    }

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

void wi_dma_invalidate(WiDma* dma, std::uint32_t substream, std::uint64_t address,
                       std::uint64_t size)
{
    const bool any = substream == WI_ANY_SUBSTREAM;
    const Substream whose =
        substream == WI_NO_SUBSTREAM || any ? Substream{} : Substream{substream, true};
    dma->device.atc().invalidate(whose, any, Iova{address}, size);
}

void wi_dma_ats_changed(WiDma* dma, unsigned log2_pages)
{
    dma->device.atc().set_unit(log2_pages);
    dma->device.atc().clear();
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
