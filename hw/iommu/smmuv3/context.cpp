// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 5.2 "STE", 5.3 "L1CD", 5.4 "CD": validity, and what a valid pair configures.
//
//   STE --Config--> abort | bypass | stage 2 only | stage 1 [+ stage 2]
//                                                      |
//        S1CDMax, S1Fmt, S1DSS, SubstreamID -----> CD (through stage 2, if any)
#include "hw/iommu/smmuv3/context.hpp"

#include <algorithm>
#include <optional>

namespace iommu::smmu {
namespace {

constexpr unsigned max_txsz = 39;  // IDR3.STT == 0
constexpr unsigned min_txsz = 16;  // IDR5.VAX == 0: 48 bits

constexpr bool fits(std::uint64_t address, unsigned bits)
{
    return address >> bits == 0;
}

constexpr std::optional<Granule> granule_of_tg0(unsigned tg)  // and of STE.S2TG
{
    switch (tg) {
    case 0b00:
        return Granule::K4;
    case 0b01:
        return Granule::K64;
    case 0b10:
        return Granule::K16;
    default:
        return std::nullopt;
    }
}

constexpr std::optional<Granule> granule_of_tg1(unsigned tg)
{
    switch (tg) {
    case 0b01:
        return Granule::K16;
    case 0b10:
        return Granule::K4;
    case 0b11:
        return Granule::K64;
    default:
        return std::nullopt;
    }
}

constexpr bool stage1_enabled(SteConfig c)
{
    return (static_cast<unsigned>(c) & 5) == 5;
}
constexpr bool stage2_enabled(SteConfig c)
{
    return (static_cast<unsigned>(c) & 6) == 6;
}
constexpr bool passes(SteConfig c)
{
    return (static_cast<unsigned>(c) & 4) != 0;
}

// VMSA D8.2.2, VTCR_EL2.SL0: the level a stage 2 walk starts at, or nothing where SL0 is
// reserved for the granule and physical address size.
constexpr std::optional<int> s2_start_level(Granule g, unsigned sl0, unsigned oas)
{
    const int level = (g == Granule::K4 ? 2 : 3) - static_cast<int>(sl0);
    const bool reserved = g == Granule::K4    ? level < 0 || (level == 0 && oas < 44)
                          : g == Granule::K16 ? level < 1 || (level == 1 && oas < 42)
                                              : level < 1 || (level == 1 && oas < 44);
    if (reserved) {
        return std::nullopt;
    }
    return level;
}

// VMSA D8.2.2: SL0, TG and T0SZ agree when the input fits what the start level resolves
// with at most 16 concatenated tables.
constexpr bool s2_consistent(Granule g, int level, unsigned input_bits)
{
    const auto least = level_shift(g, level) + 1;
    const auto most = level_shift(g, level) + stride(g) + 4;
    return input_bits >= least && input_bits <= most;
}

bool illegal_stage2(const Ste& ste, const Capabilities& built)
{
    if (!ste[Ste::S2AA64] || ste[Ste::S2ENDI]) {  // IDR0.TTF, TTENDIAN
        return true;
    }
    // Not implemented: SMMU 3.12.2 stall model (IDR0.STALL_MODEL == 0b01), 3.13 HTTU.
    if (ste[Ste::S2S] || ste[Ste::S2HA] || ste[Ste::S2HD]) {
        return true;
    }
    const auto granule = granule_of_tg0(ste[Ste::S2TG]);
    if (!granule) {
        return true;
    }
    if (!fits(ste[Ste::S2TTB].value, address_bits(ste[Ste::S2PS], built.oas_bits))) {
        return true;
    }
    const auto t0sz = ste[Ste::S2T0SZ];
    if (t0sz < std::max(min_txsz, 64 - built.oas_bits) || t0sz > max_txsz) {
        return true;
    }
    const auto level = s2_start_level(*granule, ste[Ste::S2SL0], built.oas_bits);
    return !level || !s2_consistent(*granule, *level, 64 - t0sz);
}

bool illegal_stage1(const Ste& ste, const Capabilities& built)
{
    if (ste[Ste::S1STALLD]) {  // STALL_MODEL != 0b00
        return true;
    }
    if (built.ssid_bits != 0 && ste[Ste::S1CDMax] > built.ssid_bits) {
        return true;
    }
    return !fits(ste[Ste::S1ContextPtr].value, built.oas_bits);
}

}  // namespace

bool illegal(const Ste& ste, const Capabilities& built)
{
    if (!ste[Ste::V]) {
        return true;
    }
    const auto config = ste[Ste::Config];
    if (!passes(config)) {
        return false;
    }
    if (stage1_enabled(config) && (!built.stage1 || illegal_stage1(ste, built))) {
        return true;
    }
    return stage2_enabled(config) && (!built.stage2 || illegal_stage2(ste, built));
    // STRW is RES0 while IDR0.HYP == 0 and never makes an STE illegal (SMMU 5.2.2
    // IgnoreSTESTRW): every stream is NS-EL1.  EATS is ignored while IDR0.ATS == 0.
}

namespace {

bool illegal_half(std::optional<Granule> granule, unsigned txsz, Ipa ttb, unsigned ips)
{
    return !granule || txsz < min_txsz || txsz > max_txsz || !fits(ttb.value, ips);
}

}  // namespace

bool illegal(const Cd& cd, const Capabilities& built)
{
    if (!cd[Cd::V]) {
        return true;
    }
    // IDR0: TERM_MODEL == 1, STALL_MODEL == 0b01, TTF == AArch64 only, HTTU == 0.
    if (!cd[Cd::A] || cd[Cd::S] || !cd[Cd::AA64] || cd[Cd::HA] || cd[Cd::HD]) {
        return true;
    }
    if (cd[Cd::ENDI] && !(cd[Cd::EPD0] && cd[Cd::EPD1])) {
        return true;
    }
    const auto ips = address_bits(cd[Cd::IPS], built.oas_bits);
    if (!cd[Cd::EPD0] &&
        illegal_half(granule_of_tg0(cd[Cd::TG0]), cd[Cd::T0SZ], cd[Cd::TTB0], ips)) {
        return true;
    }
    return !cd[Cd::EPD1] &&
           illegal_half(granule_of_tg1(cd[Cd::TG1]), cd[Cd::T1SZ], cd[Cd::TTB1], ips);
}

namespace {

// One lookup, with what is known so far.
class Lookup {
public:
    Lookup(GuestMemory& memory, const Capabilities& built, const Ste& ste, Substream ssid,
           LookupTrace& trace)
        : memory_(memory), reader_(memory), built_(built), ste_(ste), ssid_(ssid),
          trace_(trace)
    {
    }

    Expected<Context, Problem> run();

private:
    bool substreams() const { return built_.ssid_bits != 0 && ste_[Ste::S1CDMax] != 0; }
    void use_stage2();
    std::optional<EventId> refused_substream() const;
    bool bypasses_stage1() const;
    std::optional<Problem> use_stage1();
    Expected<Ipa, Problem> locate_cd();
    template <typename T>
    Expected<T, Problem> fetch(Ipa at);
    VmsaStage1 half0(const Cd& cd) const;
    VmsaStage1 half1(const Cd& cd) const;
    VmsaStage1 common_half(const Cd& cd) const;

    GuestMemory& memory_;
    TableReader reader_;
    const Capabilities& built_;
    const Ste& ste_;
    Substream ssid_;
    LookupTrace& trace_;
    Context context_{};
};

void Lookup::use_stage2()
{
    const auto granule = *granule_of_tg0(ste_[Ste::S2TG]);
    auto& s2 = context_.s2;
    s2.enabled = true;
    s2.protected_walks = ste_[Ste::S2PTW] && stage1_enabled(ste_[Ste::Config]);
    s2.format.tables = {
        .base = ste_[Ste::S2TTB].value,
        .granule = granule,
        .input_bits = static_cast<std::uint8_t>(64 - ste_[Ste::S2T0SZ]),
        .output_bits =
            static_cast<std::uint8_t>(address_bits(ste_[Ste::S2PS], built_.oas_bits)),
        .start_level = static_cast<std::int8_t>(
            *s2_start_level(granule, ste_[Ste::S2SL0], built_.oas_bits)),
        .access_flag_faults = !ste_[Ste::S2AFFD],
    };
    context_.record_s2 = ste_[Ste::S2R];
    trace_.s2 = s2;
}

// SMMU 5.2 S1Fmt, S1CDMax, S1DSS: which substreams, or their absence, are refused.
std::optional<EventId> Lookup::refused_substream() const
{
    if (ssid_.present) {
        if (!stage1_enabled(ste_[Ste::Config]) || !substreams() ||
            ssid_.value >> ste_[Ste::S1CDMax] != 0) {
            return EventId::C_BAD_SUBSTREAMID;
        }
        if (ssid_.value == 0 && ste_[Ste::S1DSS] == DefaultSubstream::Substream0) {
            return EventId::F_STREAM_DISABLED;
        }
        return std::nullopt;
    }
    if (stage1_enabled(ste_[Ste::Config]) && substreams() &&
        ste_[Ste::S1DSS] != DefaultSubstream::BypassStage1 &&
        ste_[Ste::S1DSS] != DefaultSubstream::Substream0) {
        return EventId::F_STREAM_DISABLED;
    }
    return std::nullopt;
}

bool Lookup::bypasses_stage1() const
{
    return !stage1_enabled(ste_[Ste::Config]) ||
           (!ssid_.present && substreams() &&
            ste_[Ste::S1DSS] == DefaultSubstream::BypassStage1);
}

// CD and L1CD are reached through stage 2 with CLASS CD (SMMU 7.3.13), then physically.
template <typename T>
Expected<T, Problem> Lookup::fetch(Ipa at)
{
    Leaf<Gpa> leaf;
    Problem why;
    if (!stage2(context_.s2, reader_, at, Rights{Rights::priv_read}, Purpose::CdFetch,
                leaf, why)) {
        why.recorded = context_.record_s2;  // SMMU 5.5: S2R, before any CD is known
        return Unexpected{why};
    }
    const auto value = memory_.fetch<T>(leaf.output);
    if (!value) {
        return Unexpected{
            Problem{.id = EventId::F_CD_FETCH, .fetched_from = leaf.output}};
    }
    return *value;
}

Expected<Ipa, Problem> Lookup::locate_cd()
{
    const auto base = ste_[Ste::S1ContextPtr];
    if (!substreams()) {
        return base;
    }
    const auto cdmax = ste_[Ste::S1CDMax];
    const std::uint64_t index = ssid_.present ? ssid_.value : 0;
    const auto aligned = [&](unsigned log2) {
        return Ipa{base.value & ~((std::uint64_t{1} << log2) - 1)};
    };
    unsigned leaf_bits = 0;  // log2 of the CDs in a leaf table
    switch (ste_[Ste::S1Fmt]) {
    case S1Format::TwoLevel4K:
        leaf_bits = 6;
        break;
    case S1Format::TwoLevel64K:
        leaf_bits = 10;
        break;
    case S1Format::Linear:
    default:  // 0b11 behaves as 0b00
        return aligned(cdmax + 6) + index * sizeof(Cd);
    }
    const auto log2_l1 = cdmax > leaf_bits ? cdmax - leaf_bits : 0;
    const auto at =
        aligned(std::max(6u, log2_l1 + 3)) + (index >> leaf_bits) * sizeof(L1Cd);
    trace_.l1cd = at;
    const auto l1 = fetch<L1Cd>(at);
    if (!l1) {
        return Unexpected{l1.error()};
    }
    // SMMU 3.4.3: a physical L2Ptr beyond the OAS; an IPA is stage 2's to refuse.
    const bool out_of_range =
        !context_.s2.enabled && !fits((*l1)[L1Cd::L2Ptr].value, built_.oas_bits);
    if (!(*l1)[L1Cd::V] || out_of_range) {
        return Unexpected{Problem{.id = EventId::C_BAD_SUBSTREAMID}};
    }
    const auto second = index & ((std::uint64_t{1} << leaf_bits) - 1);
    return (*l1)[L1Cd::L2Ptr] + second * sizeof(Cd);
}

VmsaStage1 Lookup::common_half(const Cd& cd) const
{
    VmsaStage1 half;
    half.tables.output_bits =
        static_cast<std::uint8_t>(address_bits(cd[Cd::IPS], built_.oas_bits));
    half.tables.access_flag_faults = !cd[Cd::AFFD];
    half.wxn = cd[Cd::WXN];  // UWXN is ignored in VMSAv8-64
    half.pan = cd[Cd::PAN];
    return half;
}

// The level at which all input bits are resolved without concatenation.
constexpr int s1_start_level(Granule g, unsigned input_bits)
{
    const auto above_page = input_bits - page_shift(g);
    return 4 - static_cast<int>((above_page + stride(g) - 1) / stride(g));
}

VmsaStage1 Lookup::half0(const Cd& cd) const
{
    auto half = common_half(cd);
    half.walks_disabled = cd[Cd::EPD0];
    half.top_byte_ignored = cd[Cd::TBI0];
    half.hierarchical = !cd[Cd::HAD0];
    if (!half.walks_disabled) {
        half.tables.base = cd[Cd::TTB0].value;
        half.tables.granule = *granule_of_tg0(cd[Cd::TG0]);
        half.tables.input_bits = static_cast<std::uint8_t>(64 - cd[Cd::T0SZ]);
        half.tables.start_level = static_cast<std::int8_t>(
            s1_start_level(half.tables.granule, half.tables.input_bits));
    }
    return half;
}

VmsaStage1 Lookup::half1(const Cd& cd) const
{
    auto half = common_half(cd);
    half.upper_half = true;
    half.walks_disabled = cd[Cd::EPD1];
    half.top_byte_ignored = cd[Cd::TBI1];
    half.hierarchical = !cd[Cd::HAD1];
    if (!half.walks_disabled) {
        half.tables.base = cd[Cd::TTB1].value;
        half.tables.granule = *granule_of_tg1(cd[Cd::TG1]);
        half.tables.input_bits = static_cast<std::uint8_t>(64 - cd[Cd::T1SZ]);
        half.tables.start_level = static_cast<std::int8_t>(
            s1_start_level(half.tables.granule, half.tables.input_bits));
    }
    return half;
}

std::optional<Problem> Lookup::use_stage1()
{
    const auto at = locate_cd();
    if (!at) {
        return at.error();
    }
    trace_.cd = *at;
    const auto cd = fetch<Cd>(*at);
    if (!cd) {
        return cd.error();
    }
    if (illegal(*cd, built_)) {
        return Problem{.id = EventId::C_BAD_CD};
    }
    context_.stage1 = true;
    context_.asid = (*cd)[Cd::ASID];
    context_.record_s1 = (*cd)[Cd::R];
    context_.ttb[0] = half0(*cd);
    context_.ttb[1] = half1(*cd);
    return std::nullopt;
}

// SMMU 3.3.2 and the order of 3.9.1.3's list: C_BAD_STE, C_BAD_SUBSTREAMID,
// F_STREAM_DISABLED, the CD's fetch, C_BAD_CD.
Expected<Context, Problem> Lookup::run()
{
    if (illegal(ste_, built_)) {
        return Unexpected{Problem{.id = EventId::C_BAD_STE}};
    }
    const auto config = ste_[Ste::Config];
    if (!passes(config)) {
        context_.route = Context::Route::Abort;
        return context_;
    }
    if (const auto refused = refused_substream()) {
        return Unexpected{Problem{.id = *refused}};
    }
    // SMMU 5.2 S2VMID: tags stage 1 translations too, where stage 2 is implemented.
    context_.vmid = built_.stage2 ? ste_[Ste::S2VMID] : Vmid{};
    if (stage2_enabled(config)) {
        use_stage2();
    }
    if (!bypasses_stage1()) {
        if (const auto problem = use_stage1()) {
            return Unexpected{*problem};
        }
    }
    context_.route = context_.stage1 || context_.s2.enabled ? Context::Route::Translate
                                                            : Context::Route::Bypass;
    return context_;
}

}  // namespace

Expected<Context, Problem> lookup_context(GuestMemory& memory, const Capabilities& built,
                                          const StreamTable& table, StreamId stream,
                                          Substream substream, LookupTrace* trace)
{
    LookupTrace nobody_looks;
    auto& seen = trace ? *trace : nobody_looks;
    const auto ste = fetch_ste(memory, table, built.sid_bits, stream, &seen);
    if (!ste) {
        return Unexpected{ste.error()};
    }
    return Lookup{memory, built, *ste, substream, seen}.run();
}

}  // namespace iommu::smmu
