// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/record/recorder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

namespace iommu::record {

namespace {

template <typename T>
void append(std::vector<std::byte>& to, T value)
{
    const auto* at = reinterpret_cast<const std::byte*>(&value);
    to.insert(to.end(), at, at + sizeof value);
}

std::uint64_t wall_clock_ns()
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

Recorder::~Recorder()
{
    if (file_ >= 0) {
        flush();
        close(file_);
    }
}

std::string Recorder::open(const char* path, Device device)
{
    file_ = ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0) {
        return std::string("cannot write ") + path + ": " + std::strerror(errno);
    }
    for (const char c : magic) {
        append(waiting_, c);
    }
    append(waiting_, version);
    append(waiting_, static_cast<std::uint32_t>(device));
    append(waiting_, wall_clock_ns());
    append(waiting_, std::uint64_t{0});
    return flush() ? "" : std::string("cannot write ") + path;
}

void Recorder::add(Type type, std::uint64_t ns, std::span<const std::byte> payload)
{
    if (file_ < 0) {
        return;
    }
    const auto length = static_cast<std::uint32_t>(16 + payload.size());
    append(waiting_, length);
    append(waiting_, static_cast<std::uint16_t>(type));
    append(waiting_, std::uint16_t{0});
    append(waiting_, ns);
    waiting_.insert(waiting_.end(), payload.begin(), payload.end());
    if (waiting_.size() >= enough) {
        flush();
    }
}

bool Recorder::flush()
{
    std::size_t done = 0;
    while (file_ >= 0 && done < waiting_.size()) {
        const auto n = write(file_, waiting_.data() + done, waiting_.size() - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            close(file_);
            file_ = -1;
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    waiting_.clear();
    return file_ >= 0;
}

}  // namespace iommu::record
