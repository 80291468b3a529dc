// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/introspect/snapshot.hpp"

#include <cstring>

namespace iommu::introspect {

Snapshot::Word& Snapshot::word(std::uint64_t at)
{
    const auto [place, fresh] = words_.try_emplace(at);
    if (fresh) {
        const auto value = real_.read64(Gpa{at});
        place->second = {value ? *value : 0, bool(value)};
    }
    return place->second;
}

std::vector<std::uint64_t> Snapshot::words(Gpa at, std::size_t size)
{
    std::vector<std::uint64_t> out;
    for (std::size_t offset = 0; offset < size; offset += 8) {
        const auto& w = word(at.value + offset);
        if (!w.answered) {
            return {};
        }
        out.push_back(w.value);
    }
    return out;
}

// The devices read whole, aligned doublewords only.
MemoryResult Snapshot::read(Gpa from, std::span<std::byte> to)
{
    if (reads_.empty() || reads_.back().at != from || reads_.back().size != to.size()) {
        reads_.push_back({from, to.size()});
    }
    const auto found = words(from, to.size());
    if (found.empty()) {
        return MemoryResult::Abort;
    }
    std::memcpy(to.data(), found.data(), to.size());
    return MemoryResult::Ok;
}

MemoryResult Snapshot::compare_exchange64(Gpa at, std::uint64_t& expected,
                                          std::uint64_t desired, bool& stored)
{
    if (at.value % 8 != 0 || real_.ram().find_writable(at, 8) == nullptr) {
        return MemoryResult::Abort;
    }
    auto& w = word(at.value);
    stored = w.value == expected;
    if (stored) {
        w.value = desired;
    } else {
        expected = w.value;
    }
    return MemoryResult::Ok;
}

}  // namespace iommu::introspect
