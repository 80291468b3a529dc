// SPDX-License-Identifier: GPL-2.0-or-later
// A machine whose stream table, context descriptors and tables are raw words, laid out by
// hand from IHI 0070 chapter 5 and DDI 0487 D8.3; each test changes what it is about.
#pragma once

#include <initializer_list>
#include <vector>

#include "tests/unit/smmuv3/board.hpp"

namespace iommu::test {

using Words = std::array<std::uint64_t, 4>;

inline constexpr std::uint64_t strtab_at = ram_base + 0x3'0000;  // linear, 256 STEs
inline constexpr std::uint64_t cd_at = ram_base + 0x3'8000;
inline constexpr std::uint64_t s1_at =
    ram_base + 0x4'0000;  // levels 1, 2, 3: a page each
inline constexpr std::uint64_t s2_at =
    ram_base + 0x5'0000;  // levels 1, 2, 3: a page each
inline constexpr std::uint64_t page_at = ram_base + 0x8'0000;
inline constexpr std::uint64_t nowhere = 0x9'0000'0000;  // no memory there

// Descriptors, DDI 0487 D8.3.1 and D8.3.2.
inline constexpr std::uint64_t TABLE = 0b11, PAGE = 0b11, BLOCK = 0b01, AF = 1 << 10,
                               nG = 1 << 11, AP_EL0 = 1 << 6, AP_RO = 1 << 7,
                               PXN = 1ull << 53, UXN = 1ull << 54, CONTIG = 1ull << 52,
                               APTABLE_RO = 1ull << 62, S2_R = 1 << 6, S2_W = 1 << 7,
                               S2_NORMAL = 0xf << 2;
inline constexpr std::uint64_t S1_RW = PAGE | AF | AP_EL0;
inline constexpr std::uint64_t S2_RW = PAGE | AF | S2_R | S2_W | S2_NORMAL;

// STE.Config in place, IHI 0070 5.2.
inline constexpr std::uint64_t config_abort = 0 << 1, config_bypass = 4 << 1,
                               config_s1 = 5 << 1, config_s2 = 6 << 1,
                               config_nested = 7 << 1;

// CD word 0, IHI 0070 5.4: T0SZ 25, TG0 4K, EPD1, V, IPS 48, AA64, R, A.
inline constexpr std::uint64_t cd_word0 =
    25 | 1u << 30 | 1u << 31 | 5ull << 32 | 1ull << 41 | 1ull << 45 | 1ull << 46;
inline constexpr std::uint64_t CD_R = 1ull << 45, CD_AFFD = 1ull << 35;
// STE word 2: S2T0SZ 25, S2SL0 1 (start at level 1), S2TG 4K, S2PS 48, S2AA64, S2R.
inline constexpr std::uint64_t ste_word2 =
    25ull << 32 | 1ull << 38 | 5ull << 48 | 1ull << 51 | 1ull << 58;
inline constexpr std::uint64_t STE_S2R = 1ull << 58;

struct Rig : Board {
    static constexpr std::uint32_t sid = 0x17;

    explicit Rig(bool tlb, smmu::Configuration configuration = {})
        : Board(with_tlb(configuration, tlb))
    {
        w64(STRTAB_BASE, strtab_at);
        w32(STRTAB_BASE_CFG, 8);
        w32(CR2, 2);
        enable_eventq(3);
        enable_cmdq(5);
    }
    static smmu::Configuration with_tlb(smmu::Configuration c, bool tlb)
    {
        c.capabilities.tlb = tlb;
        return c;
    }

    void words(std::uint64_t at, std::initializer_list<std::uint64_t> values)
    {
        for (const auto value : values) {
            host.store64(Gpa{at}, value);
            at += 8;
        }
    }
    static std::uint64_t ste_at(std::uint32_t id) { return strtab_at + id * 64; }
    void ste(std::uint64_t config, std::uint64_t word1 = 0)
    {
        words(ste_at(sid), {1 | config | cd_at, word1, ste_word2 | 7, s2_at});
    }
    // One page of each stage: `va` to `ipa`, `ipa` to `pa`, below 1 GiB each.
    void map_s1(std::uint64_t va, std::uint64_t descriptor)
    {
        words(cd_at, {cd_word0 | 0x5aull << 48, s1_at});
        words(s1_at + (va >> 30 & 511) * 8, {(s1_at + 0x1000) | TABLE});
        words(s1_at + 0x1000 + (va >> 21 & 511) * 8, {(s1_at + 0x2000) | TABLE});
        words(s1_at + 0x2000 + (va >> 12 & 511) * 8, {descriptor});
    }
    void map_s2(std::uint64_t ipa, std::uint64_t descriptor)
    {
        words(s2_at + (ipa >> 30 & 511) * 8, {(s2_at + 0x1000) | TABLE});
        words(s2_at + 0x1000 + (ipa >> 21 & 511) * 8, {(s2_at + 0x2000) | TABLE});
        words(s2_at + 0x2000 + (ipa >> 12 & 511) * 8, {descriptor});
    }
    // What the CD and the stage 1 tables need of stage 2.
    void map_s2_for_tables()
    {
        for (const auto at : {cd_at, s1_at, s1_at + 0x1000, s1_at + 0x2000}) {
            map_s2(at, (at & ~0xfffull) | S2_RW);
        }
    }
    void stage1(std::uint64_t descriptor = page_at | S1_RW)
    {
        ste(config_s1);
        map_s1(0x1000, descriptor);
        enable();
    }
    void stage2(std::uint64_t descriptor = page_at | S2_RW)
    {
        ste(config_s2);
        map_s2(0x1000, descriptor);
        enable();
    }
    // 0x1000 to IPA 0x40100000 to the page.
    static constexpr std::uint64_t ipa = ram_base + 0x10'0000;
    void nested(std::uint64_t outer = page_at | S2_RW)
    {
        ste(config_nested);
        map_s1(0x1000, ipa | S1_RW);
        map_s2_for_tables();
        map_s2(ipa, outer);
        enable();
    }
    void enable() { w32(CR0, r32(CR0) | SMMUEN); }
    void disable() { w32(CR0, r32(CR0) & ~SMMUEN); }

    // Where an access ends up; nothing when it is refused.
    std::optional<std::uint64_t> at(Transaction access, std::uint32_t id = sid)
    {
        Translation out;
        if (smmu.stream(id, nullptr)->translate(access, out) != Stream::Result::Ok) {
            return std::nullopt;
        }
        return out.output.value;
    }
    std::optional<std::uint64_t> read(std::uint64_t address)
    {
        return at({Iova{address}});
    }
    std::optional<std::uint64_t> write(std::uint64_t address)
    {
        return at({Iova{address}, Access::Write});
    }

    // The one record since the last call, consumed; all ones when there is not exactly
    // one.
    Words record()
    {
        const auto before = r32(EVENTQ_CONS) & 0xf, after = r32(EVENTQ_PROD) & 0xf;
        w32(EVENTQ_CONS, after);
        if (((after - before) & 0xf) != 1) {
            return {~0ull, ~0ull, ~0ull, ~0ull};
        }
        return event(before & 7);
    }
    bool silent()
    {
        const bool none = r32(EVENTQ_CONS) == r32(EVENTQ_PROD);
        w32(EVENTQ_CONS, r32(EVENTQ_PROD) & 0xf);
        return none;
    }
};

// Every rule holds with and without a TLB.
class Conformance : public testing::TestWithParam<bool> {
protected:
    Conformance() : rig(GetParam()) {}
    Rig rig;
};

inline constexpr Words C_BAD(std::uint64_t number, std::uint32_t sid = Rig::sid)
{
    return {static_cast<std::uint64_t>(sid) << 32 | number, 0, 0, 0};
}

// Words 1 of translation events, IHI 0070 7.3.13.
inline constexpr std::uint64_t E_PnU = 1ull << 33, E_InD = 1ull << 34, E_RnW = 1ull << 35,
                               E_S2 = 1ull << 39, E_CLASS_CD = 0, E_CLASS_TT = 1ull << 40,
                               E_CLASS_IN = 2ull << 40, E_TTRnW = 1ull << 44;
inline constexpr std::uint64_t E_word0 = std::uint64_t{Rig::sid} << 32;

}  // namespace iommu::test
