// SPDX-License-Identifier: GPL-2.0-or-later
#include "iommu/answers.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace iommu {
namespace {

// Zero pages until a thread writes to its own.  Nobody writes to `nothing`.
WiAnswers nothing;
std::array<WiAnswers, Answers::threads> tables;
std::array<std::atomic<bool>, Answers::threads> taken;

// What a thread holds of `tables`, given back when it ends.  Answers a former owner left
// are as good as they were: they say of which stream and epoch they are.
class Share {
public:
    Share()
    {
        for (unsigned i = 0; i < taken.size(); ++i) {
            if (!taken[i].exchange(true, std::memory_order_acquire)) {
                table_ = i;
                wi_answers = &tables[i];
                return;
            }
        }
    }
    ~Share()
    {
        if (table_ < taken.size()) {
            wi_answers = &nothing;
            taken[table_].store(false, std::memory_order_release);
        }
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    bool granted() const { return table_ < taken.size(); }

private:
    std::size_t table_ = taken.size();
};

bool have_table()
{
    if (wi_answers != &nothing) [[likely]] {
        return true;
    }
    thread_local const Share share;
    // After the thread's own data is gone, as at its end, nothing is kept.
    return share.granted() && wi_answers != &nothing;
}

std::uint64_t next_number()
{
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace
}  // namespace iommu

__thread WiAnswers* wi_answers = &iommu::nothing;

namespace iommu {

Answers::Answers(const Epoch& clock, Kept kept)
    : ::WiStream{kept == Kept::Yes ? next_number() : keeps_nothing, clock.address(), 0,
                 page_shift}
{
    // Streams tend to use the same addresses; a third of the lines apart they rarely
    // meet.
    spread = static_cast<std::uint32_t>(number * (WI_ANSWER_LINES * 5 / 13));
}

// A line's blocks are no larger than the smallest mapping met; they grow again when only
// larger ones are used.
unsigned Answers::fit_block_size(unsigned log2size)
{
    constexpr unsigned convinced = 64;
    const unsigned now = __atomic_load_n(&shift, __ATOMIC_RELAXED);
    const auto fits = std::clamp(log2size, page_shift, widest_shift);
    if (fits == now) {
        if (larger_.load(std::memory_order_relaxed) != 0) {
            larger_.store(0, std::memory_order_relaxed);
        }
        return now;
    }
    const auto in_a_row = larger_.load(std::memory_order_relaxed) + 1;
    if (fits > now && in_a_row < convinced) {
        larger_.store(in_a_row, std::memory_order_relaxed);
        return now;
    }
    larger_.store(0, std::memory_order_relaxed);
    __atomic_store_n(&shift, static_cast<std::uint8_t>(fits), __ATOMIC_RELAXED);
    return fits;
}

void Answers::remember(std::uint64_t begun, const Transaction& access,
                       const Translation& found)
{
    const auto log2size = static_cast<unsigned>(std::bit_width(found.mask));
    if (number == keeps_nothing || log2size < page_shift || !have_table()) {
        return;
    }
    const auto by = fit_block_size(log2size);
    const auto block = access.address.value >> by;
    const auto region = block / WI_ANSWER_PIECES;
    const auto line = (region + spread) % WI_ANSWER_LINES;
    const auto input = region << 6 | by;
    auto& head = wi_answers->head[line];
    auto& pieces = wi_answers->piece[line];
    if (head.stream != number || head.epoch != begun || head.input != input) {
        head.stream = number;
        head.epoch = begun;
        head.input = input;
        std::fill(std::begin(pieces), std::end(pieces), 0);
    }
    constexpr std::uint64_t kinds = WI_ANSWER_WRITTEN | WI_ANSWER_WAS_READ;
    auto value = (found.output.value >> by << by) | std::min(log2size, 63u) |
                 (found.read ? WI_ANSWER_READ : 0) | (found.write ? WI_ANSWER_WRITE : 0);
    auto& piece = pieces[block % WI_ANSWER_PIECES];
    if ((piece & ~kinds) == value) {
        value |= piece & kinds;
    }
    piece =
        value | (access.access == Access::Write ? WI_ANSWER_WRITTEN : WI_ANSWER_WAS_READ);
    if (found.neighbours != nullptr && found.neighbours->log2size == by) {
        add_neighbours(pieces, piece, *found.neighbours);
    }
}

void Answers::add_neighbours(std::uint64_t (&pieces)[WI_ANSWER_PIECES],
                             std::uint64_t like, const Neighbours& around)
{
    static_assert(Neighbours::count == WI_ANSWER_PIECES);
    const auto flags = like & ((std::uint64_t{1} << page_shift) - 1);
    for (unsigned i = 0; i < WI_ANSWER_PIECES; ++i) {
        if (pieces[i] == 0 && around.output[i] != Neighbours::unlike) {
            pieces[i] = around.output[i] | flags;
        }
    }
}

}  // namespace iommu
