// SPDX-License-Identifier: GPL-2.0-or-later
// What migration carries, of any device: doublewords after a head that says whose they
// are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace iommu {

struct StateHead {
    std::uint64_t magic = 0;
    std::uint64_t version = 0;
    // Of the properties: what the guest was told at its start must be what it finds at
    // its destination.
    std::uint64_t fingerprint = 0;
};

enum class StateProblem : std::uint8_t {
    None,
    Foreign,
    OtherVersion,
    OtherProperties,
    BadLength
};

class StateWriter {
public:
    explicit StateWriter(const StateHead& head)
    {
        (*this)(head.magic);
        (*this)(head.version);
        (*this)(head.fingerprint);
    }
    void operator()(std::uint64_t word)
    {
        const auto at = bytes_.size();
        bytes_.resize(at + sizeof word);
        std::memcpy(bytes_.data() + at, &word, sizeof word);
    }
    std::vector<std::byte> release() && { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

class StateReader {
public:
    explicit StateReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    // `words` after the head, neither more nor fewer.
    StateProblem open(const StateHead& wanted, std::size_t words)
    {
        if (bytes_.size() < 3 * 8 || next() != wanted.magic) {
            return StateProblem::Foreign;
        }
        if (next() != wanted.version) {
            return StateProblem::OtherVersion;
        }
        if (next() != wanted.fingerprint) {
            return StateProblem::OtherProperties;
        }
        return bytes_.size() == (3 + words) * 8 ? StateProblem::None
                                                : StateProblem::BadLength;
    }

    // Only after `open`.  A value that its field cannot hold is remembered.
    template <typename T>
    void operator()(T& field)
    {
        const auto word = next();
        field = static_cast<T>(word);
        fits_ = fits_ && static_cast<std::uint64_t>(field) == word;
    }
    bool fits() const { return fits_; }

private:
    std::uint64_t next()
    {
        std::uint64_t word;
        std::memcpy(&word, bytes_.data() + at_, sizeof word);
        at_ += sizeof word;
        return word;
    }
    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    bool fits_ = true;
};

}  // namespace iommu
