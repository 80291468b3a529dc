// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's view of an SMMUv3: memory with a Stream table, CDs and page tables in it,
// written as numbers taken from IHI 0070 and DDI 0487, not through the device's headers.
#pragma once

#include <cstdint>
#include <vector>

#include "hw/iommu/smmuv3/translator.hpp"
#include "tests/support/fake_host.hpp"

namespace iommu::smmu::test {

using iommu::test::FakeHost;

constexpr std::uint64_t bit(unsigned n)
{
    return std::uint64_t{1} << n;
}

// VMSAv8-64 4K descriptors.
constexpr std::uint64_t pte_valid = 3, pte_block = 1, pte_af = bit(10), pte_ng = bit(11);
constexpr std::uint64_t pte_user = bit(6), pte_read_only = bit(7);
constexpr std::uint64_t pte_s1 = pte_af | pte_ng | pte_user;
constexpr std::uint64_t pte_s2_read = bit(6), pte_s2_write = bit(7),
                        pte_s2_normal = 0xf << 2;
constexpr std::uint64_t pte_s2 = pte_af | pte_s2_read | pte_s2_write | pte_s2_normal;

// Eight doublewords as they lie in memory.
struct Raw {
    std::uint64_t dword[8] = {};
};

class Guest {
public:
    static constexpr std::uint64_t stream_table = 0x1'0000;  // linear, 256 STEs
    static constexpr std::uint64_t cd_table = 0x2'0000;
    static constexpr std::uint64_t first_free = 0x4'0000;

    explicit Guest(std::size_t ram = 4 << 20, Capabilities built = {})
        : host(ram), memory(host), translator(built, memory)
    {
        host.map_into(memory);
        settings.smmu_enabled = true;
        settings.record_bad_stream_id = true;
        settings.stream_table = {.base = Gpa{stream_table}, .log2size = 8};
        translator.configure(settings);
    }

    void store(std::uint64_t at, std::uint64_t value) { host.store64(Gpa{at}, value); }
    void store(std::uint64_t at, const Raw& raw)
    {
        for (unsigned i = 0; i < 8; ++i) {
            store(at + i * 8, raw.dword[i]);
        }
    }
    std::uint64_t load(std::uint64_t at) { return host.load64(Gpa{at}); }
    void ste(unsigned sid, const Raw& raw) { store(stream_table + sid * 64, raw); }
    void cd(unsigned ssid, const Raw& raw) { store(cd_table + ssid * 64, raw); }

    // SMMU 5.2: V, Config 0b101, S1ContextPtr, S1CDMax [63:59].
    static Raw s1_ste(unsigned s1cdmax = 0)
    {
        return {{bit(0) | 0b101 << 1 | cd_table | std::uint64_t{s1cdmax} << 59}};
    }
    // Config 0b110: S2VMID [143:128], S2T0SZ [165:160], S2SL0 [167:166], S2TG [175:174],
    // S2PS [178:176], S2AA64 [179], S2R [186], S2TTB [243:196].
    static Raw s2_ste(std::uint64_t ttb, unsigned t0sz = 25, unsigned sl0 = 1,
                      unsigned vmid = 7)
    {
        return {{bit(0) | 0b110 << 1, 0,
                 vmid | std::uint64_t{t0sz} << 32 | std::uint64_t{sl0} << 38 |
                     std::uint64_t{5} << 48 | bit(51) | bit(58),
                 ttb}};
    }
    static Raw nested_ste(std::uint64_t ttb, unsigned s1cdmax = 0)
    {
        auto raw = s2_ste(ttb);
        raw.dword[0] = s1_ste(s1cdmax).dword[0] | bit(2);
        return raw;
    }
    // SMMU 5.4: T0SZ 16, TG0 4K, EPD1, V, IPS 48 bits, AA64, R, A, ASID; TTB0.
    static Raw s1_cd(std::uint64_t ttb0, unsigned asid = 5)
    {
        return {{16 | bit(30) | bit(31) | std::uint64_t{5} << 32 | bit(41) | bit(45) |
                     bit(46) | std::uint64_t{asid} << 48,
                 ttb0}};
    }

    // A zeroed table.
    std::uint64_t table(std::uint64_t size = 4096)
    {
        free_ = (free_ + size - 1) & ~(size - 1);
        const auto at = free_;
        free_ += size;
        return at;
    }

    // Maps one 4K page (`last` 3), 2M (2) or 1G (1) block; tables on the way are made.
    void map(std::uint64_t root, int start_level, std::uint64_t in, std::uint64_t out,
             std::uint64_t attributes, int last = 3)
    {
        auto at = root;
        for (int level = start_level;; ++level) {
            const auto shift = 12 + 9 * (3 - level);
            const auto mask = level == start_level ? 0xfffu : 0x1ffu;
            const auto entry = at + (in >> shift & mask) * 8;
            if (level == last) {
                last_entry_ = entry;
                store(entry, out | attributes | (level == 3 ? pte_valid : pte_block));
                return;
            }
            if ((load(entry) & 1) == 0) {
                store(entry, table() | pte_valid);
            }
            at = load(entry) & 0xffff'ffff'f000;
        }
    }
    void map_s1(std::uint64_t root, std::uint64_t va, std::uint64_t out,
                std::uint64_t attributes = pte_s1, int last = 3)
    {
        map(root, 0, va & 0xffff'ffff'ffff, out, attributes, last);
    }
    void map_s2(std::uint64_t root, std::uint64_t ipa, std::uint64_t out,
                std::uint64_t attributes = pte_s2, int last = 3)
    {
        map(root, 1, ipa, out, attributes, last);
    }
    // Where the last map() wrote.
    std::uint64_t last_entry() const { return last_entry_; }

    // The identity over this memory, so that stage 1's tables can be read.
    void identity_s2(std::uint64_t root)
    {
        for (std::uint64_t at = 0; at < host.ram_size(); at += 4096) {
            map_s2(root, at, at);
        }
    }

    Outcome translate(StreamEntry& stream, Transaction t)
    {
        return translator.translate(stream, t);
    }

    FakeHost host;
    GuestMemory memory;
    Translator translator;
    Settings settings{};

private:
    std::uint64_t free_ = first_free;
    std::uint64_t last_entry_ = 0;
};

constexpr Transaction reading(std::uint64_t at)
{
    return {.address = Iova{at}};
}
constexpr Transaction writing(std::uint64_t at)
{
    return {.address = Iova{at}, .access = Access::Write};
}
constexpr Transaction with_substream(Transaction t, std::uint32_t ssid)
{
    t.substream = {ssid, true};
    return t;
}

}  // namespace iommu::smmu::test
