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

// A process that ever runs out of numbers keeps no more answers for those who come then.
std::uint32_t next_number()
{
    static std::atomic<std::uint64_t> last{0};
    return static_cast<std::uint32_t>(
        std::min(last.fetch_add(1, std::memory_order_relaxed) + 1,
                 std::uint64_t{Answers::keeps_nothing}));
}

constexpr std::uint64_t kinds = WI_ANSWER_WRITTEN | WI_ANSWER_WAS_READ;

// Blocks of one line: what they map to, in the run or apart.
class Line {
public:
    Line(unsigned line, unsigned shift)
        : head_(wi_answers->head[line]), pieces_(wi_answers->piece[line]), shift_(shift)
    {
    }

    // Forgets whatever else the line was of; `value` begins the run.
    void begin(std::uint32_t stream, std::uint64_t epoch, std::uint64_t input,
               unsigned index, std::uint64_t value)
    {
        if (head_.stream == stream && head_.epoch == epoch && head_.input == input) {
            return;
        }
        head_ = {epoch, input, value - offset(index), stream, {0, 0}};
    }

    // `value` has no kinds; those kept before are kept on if it is the same.
    void keep(unsigned index, std::uint64_t value, bool write)
    {
        const auto bit = static_cast<std::uint16_t>(1u << index);
        if (continues_run(index, value)) {
            head_.in_run[write] |= bit;
            drop_piece(index);
            return;
        }
        head_.in_run[0] &= static_cast<std::uint16_t>(~bit);
        head_.in_run[1] &= static_cast<std::uint16_t>(~bit);
        open_pieces();
        auto& piece = pieces_[index];
        piece = value | ((piece & ~kinds) == value ? piece & kinds : 0) |
                (write ? WI_ANSWER_WRITTEN : WI_ANSWER_WAS_READ);
    }

    // Blocks around one just kept, mapped alike.  What is kept already is kept on: blocks
    // that were asked for know more.
    void keep_neighbours(const Neighbours& around, std::uint64_t flags, bool write)
    {
        static_assert(Neighbours::count == WI_ANSWER_PIECES);
        unsigned in_run = 0, others = 0;
        for (unsigned i = 0; i < WI_ANSWER_PIECES; ++i) {
            in_run |= unsigned{continues_run(i, around.output[i] | flags)} << i;
            others |= unsigned{around.output[i] != Neighbours::unlike} << i;
        }
        const auto known = kept();
        head_.in_run[write] |= static_cast<std::uint16_t>(in_run & ~known);
        for (others &= ~(in_run | known); others != 0; others &= others - 1) {
            const auto i = static_cast<unsigned>(std::countr_zero(others));
            keep(i, around.output[i] | flags, write);
        }
    }

private:
    std::uint64_t offset(unsigned index) const { return std::uint64_t{index} << shift_; }

    bool continues_run(unsigned index, std::uint64_t value) const
    {
        return (head_.run & ~std::uint64_t{WI_ANSWER_APART}) + offset(index) == value;
    }

    // The blocks there is an answer for, bit by bit.
    unsigned kept() const
    {
        unsigned all = head_.in_run[0] | head_.in_run[1];
        if ((head_.run & WI_ANSWER_APART) != 0) {
            for (unsigned i = 0; i < WI_ANSWER_PIECES; ++i) {
                all |= unsigned{pieces_[i] != 0} << i;
            }
        }
        return all;
    }

    void open_pieces()
    {
        if ((head_.run & WI_ANSWER_APART) == 0) {
            std::fill_n(pieces_, WI_ANSWER_PIECES, 0);
            head_.run |= WI_ANSWER_APART;
        }
    }

    void drop_piece(unsigned index)
    {
        if ((head_.run & WI_ANSWER_APART) != 0) {
            pieces_[index] = 0;
        }
    }

    WiAnswerHead& head_;
    std::uint64_t* pieces_;
    unsigned shift_;
};

}  // namespace
}  // namespace iommu

__thread WiAnswers* wi_answers = &iommu::nothing;

namespace iommu {

Answers::Answers(const Epoch& clock, Kept kept)
    : ::WiStream{clock.address(), kept == Kept::Yes ? next_number() : keeps_nothing, 0,
                 page_shift}
{
    // Streams tend to use the same addresses; a third of the lines apart they rarely
    // meet.
    spread = number * (WI_ANSWER_LINES * 5 / 13);
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
    const auto index = static_cast<unsigned>(block % WI_ANSWER_PIECES);
    const auto flags = std::min(log2size, 63u) | (found.read ? WI_ANSWER_READ : 0) |
                       (found.write ? WI_ANSWER_WRITE : 0);
    const auto value = (found.output.value >> by << by) | flags;
    const bool write = access.access == Access::Write;

    Line line((region + spread) % WI_ANSWER_LINES, by);
    line.begin(number, begun, region << 6 | by, index, value);
    line.keep(index, value, write);
    if (found.neighbours != nullptr && found.neighbours->log2size == by) {
        line.keep_neighbours(*found.neighbours, flags, write);
    }
}

}  // namespace iommu
