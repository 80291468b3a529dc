// SPDX-License-Identifier: GPL-2.0-or-later
// Writes what a device saw into a file, docs/specs/record.rst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace iommu::record {

enum class Device : std::uint32_t { Smmuv3 = 1, Vtd = 2 };

enum class Type : std::uint16_t {
    Command = 1,
    Fault = 2,
    Map = 3,
    Finding = 4,
    Counts = 5,
    End = 6,
};

// One caller at a time.
class Recorder {
public:
    static constexpr std::uint32_t version = 1;
    static constexpr char magic[8] = {'W', 'I', 'R', 'E', 'C', '\r', '\n', 0x1a};

    Recorder() = default;
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    // An empty string, or why the file cannot be written.
    std::string open(const char* path, Device device);

    // Whatever `add` has taken since is in the file when this returns, and stays there if
    // the process dies.  False: the file could not take it; nothing more is written.
    bool flush();

    void add(Type type, std::uint64_t ns, std::span<const std::byte> payload);

private:
    static constexpr std::size_t enough = 1 << 16;

    int file_ = -1;
    std::vector<std::byte> waiting_;
};

// The payload of a record, little-endian.
class Payload {
public:
    Payload& u32(std::uint32_t v) { return put(&v, sizeof v); }
    Payload& u64(std::uint64_t v) { return put(&v, sizeof v); }
    Payload& text(const std::string& s) { return put(s.data(), s.size()); }
    std::span<const std::byte> bytes() const { return bytes_; }

private:
    Payload& put(const void* from, std::size_t size)
    {
        const auto* at = static_cast<const std::byte*>(from);
        bytes_.insert(bytes_.end(), at, at + size);
        return *this;
    }
    std::vector<std::byte> bytes_;
};

}  // namespace iommu::record
