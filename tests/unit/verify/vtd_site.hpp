// SPDX-License-Identifier: GPL-2.0-or-later
// A driver's view of a VT-d unit in verify mode, raw numbers.
#pragma once

#include <string>

#include "hw/iommu/verify/vtd_watch.hpp"
#include "tests/unit/vtd/scalable_board.hpp"

namespace iommu::test {

template <typename TheBoard>
struct Watched : TheBoard {
    std::vector<std::string> lines;
    verify::VtdWatch watch;

    explicit Watched(const vtd::Configuration& c, bool verifies = true)
        : TheBoard(c), watch(this->unit, c, verifies,
                             {this, [](void* self, const char* line, const char*) {
                                  static_cast<Watched*>(self)->lines.emplace_back(line);
                              }})
    {
    }

    bool dma(std::uint64_t at, bool write = false, unsigned sid = 0x10)
    {
        return tagged(at, {}, write, sid);
    }
    bool tagged(std::uint64_t at, Substream pasid, bool write = false,
                unsigned sid = 0x10)
    {
        Translation out;
        auto* stream = watch.stream(this->stream(sid), sid);
        const Transaction t{.address = Iova{at},
                            .access = write ? Access::Write : Access::Read,
                            .substream = pasid};
        return stream->translate(t, out) == Stream::Result::Ok;
    }
    void wait() { this->submit(0x25, 0x9000); }  // SW, to 0x9000
    // 6.5.2.3: page-selective of domain `did`, 4 KiB.
    void flush(std::uint64_t at, unsigned did = 5)
    {
        this->submit(0x32 | std::uint64_t{did} << 16, at);
    }
    std::string json()
    {
        watch.settle();
        return watch.findings();
    }
    unsigned findings(const char* id)
    {
        const auto text = json();
        const auto wanted = std::string("\"id\": \"") + id + "\"";
        unsigned n = 0;
        for (auto at = text.find(wanted); at != std::string::npos;
             at = text.find(wanted, at + 1)) {
            ++n;
        }
        return n;
    }
    bool silent() { return json().rfind("{\"findings\": []", 0) == 0; }
};

// Legacy mode, domain 5 with the 4 KiB pages of Board::legacy_4k, and a queue.
struct LegacySite : Watched<Board> {
    static constexpr std::uint64_t iova = 0x4000'0000, entries = 0x13000;
    explicit LegacySite(bool verifies = true) : Watched(plain(), verifies)
    {
        legacy_root();
        queue();
        context(0x10, 0x10001, 0x502);
        put(0x10000, {0x11003});
        put(0x11008, {0x12003});
        put(0x12000, {0x13003});
        put(0x13000, {0x50'0003, 0x50'1001, 0x50'2002, 0});
        w32(GCMD, (r32(GSTS) & 0x96ff'ffff) | TE);
    }
};

struct ScalableSite : Watched<ScalableBoard> {
    explicit ScalableSite() : Watched(scalable()) {}
};

}  // namespace iommu::test
