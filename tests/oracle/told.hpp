// SPDX-License-Identifier: GPL-2.0-or-later
// What `walk` says an access will come to, picked out of its JSON, to be held against
// what the device then does.
#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "iommu/capi.h"

namespace oracle {

struct Told {
    std::string text;
    bool good = false;  // it was an answer
    bool passes = false, read = false, write = false;
    bool stale = false;  // a cache is said to differ from memory
    std::uint64_t output = 0, mask = 0;
    std::vector<std::uint64_t> event;  // doublewords; empty: none

    bool has(const char* part) const { return text.find(part) != text.npos; }
};

namespace detail {

inline std::uint64_t number_after(const std::string& text, std::size_t from,
                                  const std::string& key)
{
    const auto at = text.find("\"" + key + "\":\"", from);
    return at == text.npos
               ? 0
               : std::strtoull(text.c_str() + at + key.size() + 4, nullptr, 16);
}

}  // namespace detail

inline Told ask_walk(WiIommu* iommu, unsigned requester, std::uint64_t address,
                     unsigned attributes, std::uint32_t substream)
{
    char question[160];
    int n = std::snprintf(question, sizeof question,
                          "sid=%#x,address=%#" PRIx64 ",access=%s,privilege=%s",
                          requester, address,
                          attributes & WI_WRITE         ? "write"
                          : attributes & WI_INSTRUCTION ? "execute"
                                                        : "read",
                          attributes & WI_PRIVILEGED ? "privileged" : "user");
    if (attributes & WI_SUBSTREAM) {
        std::snprintf(question + n, sizeof question - static_cast<unsigned>(n),
                      ",pasid=%#x", substream);
    }
    Told told;
    char* text = wi_iommu_ask(iommu, "walk", question, &told.good);
    told.text = text ? text : "";
    std::free(text);
    const auto verdict = told.text.rfind("\"verdict\":");
    told.good &= verdict != told.text.npos;
    if (!told.good) {
        return told;
    }
    told.stale = told.text.find("\"stale\":true") != told.text.npos;
    told.passes = told.text.find("\"refused\"", verdict) == told.text.npos;
    told.output = detail::number_after(told.text, verdict, "output");
    told.mask = detail::number_after(told.text, verdict, "mask");
    told.read = told.text.find("\"read\":true", verdict) != told.text.npos;
    told.write = told.text.find("\"write\":true", verdict) != told.text.npos;
    auto raw = told.text.find("\"raw\":[", verdict);
    for (; raw != told.text.npos && told.text[raw] != ']'; ++raw) {
        if (told.text.compare(raw, 3, "\"0x") == 0) {
            told.event.push_back(std::strtoull(told.text.c_str() + raw + 1, nullptr, 16));
            raw += 18;
        }
    }
    return told;
}

// Empty, or what differs.  What else the block permits is not compared: it depends on
// attributes of the access that do not count for a write, and on flags already cached.
template <typename Record>
std::string differs(const Told& told, bool passed, const WiTranslation& t,
                    const std::optional<Record>& event)
{
    if (!told.good) {
        return "walk has no answer";
    }
    if (told.stale) {
        return "walk finds a cache stale although all that changed was invalidated";
    }
    if (told.passes != passed || (passed && told.output != t.output)) {
        return "walk foretold another result";
    }
    if (passed && told.mask != t.mask) {
        return "walk foretold another block";
    }
    if (told.event.empty() == event.has_value()) {
        return "walk foretold another event";
    }
    for (std::size_t i = 0; event && i < event->size(); ++i) {
        if (i >= told.event.size() || told.event[i] != (*event)[i]) {
            return "walk foretold another event record";
        }
    }
    return {};
}

}  // namespace oracle
