// SPDX-License-Identifier: GPL-2.0-or-later
// A Host for a second copy of the translation that only looks: it reads what the device
// reads, keeps a note of it, and changes and tells nothing.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "hw/iommu/common/quiet_host.hpp"
#include "iommu/memory.hpp"

namespace iommu::verify {

class PeekHost final : public QuietHost {
public:
    struct Note {
        Gpa at{};
        std::size_t words = 0;
        std::array<std::uint64_t, 8> word{};
    };
    static constexpr std::size_t most = 48;

    explicit PeekHost(GuestMemory& memory) : memory_(memory) {}

    void begin()
    {
        count_ = 0;
        left_ram_ = false;
    }
    std::span<const Note> notes() const { return {notes_.data(), count_}; }
    // Something else than RAM was asked for; what came of it says nothing.
    bool left_ram() const { return left_ram_; }

    MemoryResult read(Gpa from, std::span<std::byte> to) override
    {
        if (memory_.ram().find(from, to.size()) == nullptr) {
            left_ram_ = true;
            return MemoryResult::Abort;
        }
        const auto result = memory_.read(from, to);
        keep(from, to);
        return result;
    }
    MemoryResult write(Gpa, std::span<const std::byte>) override
    {
        return MemoryResult::Ok;
    }

private:
    // A structure that is read again, to be sure of it, is noted once.
    void keep(Gpa at, std::span<const std::byte> bytes)
    {
        if (count_ != 0 && notes_[count_ - 1].at == at) {
            --count_;
        }
        if (count_ < most) {
            auto& note = notes_[count_++];
            note.at = at;
            note.word = {};
            note.words = bytes.size() / 8;
            std::memcpy(note.word.data(), bytes.data(),
                        bytes.size() < sizeof note.word ? bytes.size()
                                                        : sizeof note.word);
        }
    }

    GuestMemory& memory_;
    std::array<Note, most> notes_{};
    std::size_t count_ = 0;
    bool left_ram_ = false;
};

}  // namespace iommu::verify
