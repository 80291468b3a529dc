// SPDX-License-Identifier: GPL-2.0-or-later
// winiommu-dma programmed by a hostile guest: any register, any command, memory that
// answers, aborts, or can be reached directly.
#include <memory>

#include "tests/fuzz/guest_machine.hpp"

namespace iommu::fuzz {
namespace {

constexpr std::uint64_t ram_size = 0x1'0000;

struct Board {
    std::vector<std::uint8_t> ram = std::vector<std::uint8_t>(ram_size);
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(WI_DMA_BUFFER_SIZE);
    WiDma* dma = nullptr;
    unsigned accesses = 0;
    std::uint64_t bytes = 0;  // of all commands

    // The whole of one access, or nullptr when it leaves memory.
    std::uint8_t* at(const WiDmaAccess* access)
    {
        bytes += access->size;
        require(access->size > 0 && access->size <= 4096, "an access has a size");
        require((access->address & 0xfff) + access->size <= 0x1000,
                "an access is in one page");
        return access->address < ram_size && access->size <= ram_size - access->address
                   ? ram.data() + access->address
                   : nullptr;
    }
};

WiDmaBoard board_of(Board& board)
{
    return {.opaque = &board,
            .transfer =
                [](void* opaque, const WiDmaAccess* access, void* data) {
                    auto& self = *static_cast<Board*>(opaque);
                    require(++self.accesses < 1u << 20,
                            "one command's accesses are bounded");
                    auto* at = self.at(access);
                    if (at == nullptr) {
                        return -1;
                    }
                    (access->attributes & WI_WRITE) != 0
                        ? std::memcpy(at, data, access->size)
                        : std::memcpy(data, at, access->size);
                    return 0;
                },
            .pin = [](void* opaque, const WiDmaAccess* access) -> void* {
                auto* at = static_cast<Board*>(opaque)->at(access);
                // Every other page is not directly addressable.
                return (access->address >> 12 & 1) != 0 ? nullptr : at;
            },
            .unpin = [](void*, const WiDmaAccess*, void*) {},
            .start =
                [](void* opaque) {
                    auto& self = *static_cast<Board*>(opaque);
                    self.accesses = 0;
                    wi_dma_work(self.dma);
                    wi_dma_finish(self.dma);
                },
            .interrupt = [](void*, unsigned) {},
            .log = [](void*, std::uint8_t) {},
            .understands_attributes = [](void*) { return true; }};
}

}  // namespace
}  // namespace iommu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace iommu::fuzz;
    Input in(data, size);
    Board board;
    const auto callbacks = board_of(board);
    std::unique_ptr<WiDma, decltype(&wi_dma_free)> dma(
        wi_dma_new(&callbacks, board.buffer.data(), false), wi_dma_free);
    board.dma = dma.get();
    wi_dma_reset(board.dma);
    for (unsigned steps = 0; !in.empty() && steps < 256 && board.bytes < 1 << 20;
         ++steps) {
        const auto operation = in.take<std::uint8_t>();
        const auto raw = in.take<std::uint8_t>();
        const std::uint64_t offset = raw < 240 ? (raw % 64) * 4u : raw * 16u;
        const unsigned width = 1u << (operation >> 2 & 3);
        if ((operation & 3) == 3) {
            wi_dma_read(board.dma, offset, width);
        } else if (operation == 0xfe) {
            wi_dma_reset(board.dma);
        } else {
            // Small sizes are the interesting ones, and keep a case short.
            const auto value = in.take<std::uint32_t>();
            wi_dma_write(board.dma, offset, width,
                         (operation & 0x10) != 0 ? value : value & 0x1'ffff);
        }
        require(!wi_dma_busy(board.dma), "a command that ran inside the write has ended");
    }
    return 0;
}
