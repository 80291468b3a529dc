// SPDX-License-Identifier: GPL-2.0-or-later
// The register file of winiommu-dma: docs/specs/winiommu-dma.rst "Registers (BAR0)".
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "hw/misc/dma/ats.hpp"
#include "hw/misc/dma/engine.hpp"

namespace iommu::dma {

inline constexpr std::size_t register_space = 4096;
inline constexpr std::size_t log_size = 4096;

// What the registers ask of the machine around them.
class Board : public Bus, public AtsPort {
public:
    // Have Device::work() called, here or elsewhere, then Device::finish() under the
    // lock.
    virtual void start() = 0;
    virtual void interrupt(unsigned vector) = 0;
    virtual void log(std::uint8_t byte) = 0;
    virtual AttributePath attribute_path() = 0;
    virtual AtsPath ats_path() = 0;

protected:
    ~Board() = default;
};

enum class Runs : bool { Inline, InThread };

class Device {
public:
    Device(Board& board, std::span<std::byte> buffer, Runs runs);

    // One caller at a time.
    std::uint64_t read(std::uint64_t offset, unsigned size);
    void write(std::uint64_t offset, unsigned size, std::uint64_t value);
    void reset();
    bool busy() const;
    std::vector<std::byte> save() const;
    const char* load(std::span<const std::byte> state);

    // The function's address translation cache.
    Atc& atc() { return atc_; }

    // Any thread, once after each Board::start().
    void work();
    // The same caller as read and write.
    void finish();

private:
    std::uint32_t read32(std::uint32_t offset);
    void write32(std::uint32_t offset, std::uint32_t value);
    std::uint32_t features();
    std::uint32_t take_log();
    void append_log(std::uint8_t byte);
    void ring(std::uint32_t command);
    void publish(const Result& result);
    void publish(const AtsCompletion& completion);
    Transaction translation_request() const;
    std::uint32_t word(std::uint32_t offset) const { return words_[offset / 4]; }
    std::uint64_t pair(std::uint32_t offset) const
    {
        return word(offset) | std::uint64_t{word(offset + 4)} << 32;
    }
    void set(std::uint32_t offset, std::uint32_t value) { words_[offset / 4] = value; }
    void set_pair(std::uint32_t offset, std::uint64_t value)
    {
        set(offset, static_cast<std::uint32_t>(value));
        set(offset + 4, static_cast<std::uint32_t>(value >> 32));
    }

    static constexpr std::size_t words = 0x100 / 4;

    Board& board_;
    std::span<std::byte> buffer_;
    Runs runs_;
    std::array<std::uint32_t, words> words_{};
    std::array<std::uint8_t, log_size> log_{};
    std::uint32_t log_head_ = 0, log_count_ = 0;
    Job job_{};
    Result result_{};
    AtsCompletion completion_{};
    Atc atc_;
    AtsBus bus_{board_, board_, atc_};
};

}  // namespace iommu::dma
