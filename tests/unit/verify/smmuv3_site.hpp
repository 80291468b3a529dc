// SPDX-License-Identifier: GPL-2.0-or-later
// A driver's view of an SMMUv3 in verify mode: one stream, one page table, raw numbers.
#pragma once

#include <string>

#include "hw/iommu/verify/smmuv3_watch.hpp"
#include "tests/unit/smmuv3/board.hpp"

namespace iommu::test {

// Opcodes, SMMU 4.1.1.
inline constexpr std::uint64_t CFGI_STE = 0x03, CFGI_ALL = 0x04, CFGI_CD = 0x05,
                               TLBI_NH_ALL = 0x10, TLBI_NH_ASID = 0x11, TLBI_NH_VA = 0x12,
                               TLBI_NSNH_ALL = 0x30, SYNC = 0x46;

struct SmmuSite : Board {
    static constexpr std::uint64_t strtab = ram_base + 0x3'0000,
                                   cds = ram_base + 0x4'0000, root = ram_base + 0x5'0000,
                                   pages = ram_base + 0x8'0000;
    static constexpr std::uint64_t va = 0x1000'0000;
    // VMSA D8.3: valid page, AF, nG, EL0 access; read only.
    static constexpr std::uint64_t page = 3 | 1u << 10 | 1u << 11 | 1u << 6, ro = 1u << 7;

    std::vector<std::string> lines;
    smmu::Capabilities built{};
    verify::SmmuWatch watch;

    explicit SmmuSite(bool verifies = true)
        : watch(smmu, built, verifies,
                {this, [](void* self, const char* line, const char*) {
                     static_cast<SmmuSite*>(self)->lines.emplace_back(line);
                 }})
    {
        w64(STRTAB_BASE, strtab);
        w32(STRTAB_BASE_CFG, 6);
        enable_cmdq(6);
        enable_eventq(6);
        attach(3);
        w32(CR0, r32(CR0) | SMMUEN);
        submit(CFGI_ALL, 31);
        submit(TLBI_NSNH_ALL);
        submit(SYNC);
        // Levels 0 to 2 of `va`; level 3 at root + 0x3000.
        store(root, (root + 0x1000) | 3);
        store(root + 0x1000, (root + 0x2000) | 3);
        store(root + 0x2000 + (va >> 21 & 511) * 8, (root + 0x3000) | 3);
    }

    void store(std::uint64_t at, std::uint64_t value) { host.store64(Gpa{at}, value); }
    std::uint64_t load(std::uint64_t at) { return host.load64(Gpa{at}); }

    // Stage 1 with the CD of that number; SMMU 5.2, 5.4.
    void attach(unsigned sid, unsigned cd = 0)
    {
        store(strtab + sid * 64, 1 | 0b101 << 1 | (cds + cd * 64));
        context(cd);
    }
    void context(unsigned cd, unsigned asid = 5, std::uint64_t tables = root)
    {
        store(cds + cd * 64, 16 | 1ull << 30 | 1ull << 31 | 5ull << 32 | 1ull << 41 |
                                 1ull << 45 | 1ull << 46 | std::uint64_t{asid} << 48);
        store(cds + cd * 64 + 8, tables);
    }
    std::uint64_t entry(unsigned n = 0) { return root + 0x3000 + n * 8; }
    void map(unsigned n, std::uint64_t to, std::uint64_t bits = page)
    {
        store(entry(n), to | bits);
    }
    void unmap(unsigned n) { store(entry(n), 0); }
    void flush(unsigned n, unsigned asid = 5)
    {
        submit(TLBI_NH_VA | std::uint64_t{asid} << 48, va + n * 0x1000);
    }
    void sync() { submit(SYNC); }

    bool access(unsigned n, bool write = false, unsigned sid = 3)
    {
        Translation out;
        auto* inner = smmu.stream(sid, nullptr);
        auto* stream = watch.stream(*inner, sid);
        const Transaction t{.address = Iova{va + n * 0x1000},
                            .access = write ? Access::Write : Access::Read};
        return stream->translate(t, out) == Stream::Result::Ok;
    }
    std::string json()
    {
        watch.settle();
        return watch.findings();
    }
    // How often a rule is among the findings.
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

}  // namespace iommu::test
