// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 5.2 "STE, Stream Table Entry".  Bit numbers are the manual's, 511:0.
#pragma once

#include "iommu/address.hpp"
#include "iommu/bits.hpp"

namespace iommu::smmu {

// STE.Config[0] turns stage 1 on, [1] stage 2; with [2] clear nothing passes.
enum class SteConfig : std::uint8_t {
    Abort = 0b000,
    Bypass = 0b100,
    Stage1 = 0b101,
    Stage2 = 0b110,
    Nested = 0b111,
};

enum class S1Format : std::uint8_t {
    Linear = 0b00,
    TwoLevel4K = 0b01,
    TwoLevel64K = 0b10
};

enum class DefaultSubstream : std::uint8_t {
    Terminate = 0b00,
    BypassStage1 = 0b01,
    Substream0 = 0b10,
};

struct Ste : Descriptor<Ste, 512> {
    // clang-format off
    static constexpr Flag <0>                         V            {};
    static constexpr Field<3, 1, SteConfig>           Config       {};
    static constexpr Field<5, 4, S1Format>            S1Fmt        {};
    static constexpr Addr <55, 6, Ipa>                S1ContextPtr {};
    static constexpr Field<63, 59, unsigned>          S1CDMax      {};

    static constexpr Field<65, 64, DefaultSubstream>  S1DSS        {};
    static constexpr Field<67, 66>                    S1CIR        {};
    static constexpr Field<69, 68>                    S1COR        {};
    static constexpr Field<71, 70>                    S1CSH        {};
    static constexpr Flag <72>                        S2HWU59      {};
    static constexpr Flag <73>                        S2HWU60      {};
    static constexpr Flag <74>                        S2HWU61      {};
    static constexpr Flag <75>                        S2HWU62      {};
    static constexpr Flag <76>                        DRE          {};
    static constexpr Field<80, 77>                    CONT         {};
    static constexpr Flag <81>                        DCP          {};
    static constexpr Flag <82>                        PPAR         {};
    static constexpr Flag <83>                        MEV          {};
    static constexpr Ignored<87, 84>                  SW_RESERVED  {};
    static constexpr Flag <88>                        S1PIE        {};
    static constexpr Flag <89>                        S2FWB        {};
    static constexpr Flag <90>                        S1MPAM       {};
    static constexpr Flag <91>                        S1STALLD     {};
    static constexpr Field<93, 92>                    EATS         {};
    static constexpr Field<95, 94>                    STRW         {};
    static constexpr Field<99, 96>                    MemAttr      {};
    static constexpr Flag <100>                       MTCFG        {};
    static constexpr Field<104, 101>                  ALLOCCFG     {};
    static constexpr Field<109, 108>                  SHCFG        {};
    static constexpr Field<111, 110>                  NSCFG        {};
    static constexpr Field<113, 112>                  PRIVCFG      {};
    static constexpr Field<115, 114>                  INSTCFG      {};

    static constexpr Field<143, 128, Vmid>            S2VMID       {};
    static constexpr Field<165, 160, unsigned>        S2T0SZ       {};
    static constexpr Field<167, 166, unsigned>        S2SL0        {};
    static constexpr Field<169, 168>                  S2IR0        {};
    static constexpr Field<171, 170>                  S2OR0        {};
    static constexpr Field<173, 172>                  S2SH0        {};
    static constexpr Field<175, 174, unsigned>        S2TG         {};
    static constexpr Field<178, 176, unsigned>        S2PS         {};
    static constexpr Flag <179>                       S2AA64       {};
    static constexpr Flag <180>                       S2ENDI       {};
    static constexpr Flag <181>                       S2AFFD       {};
    static constexpr Flag <182>                       S2PTW        {};
    static constexpr Flag <183>                       S2HD         {};
    static constexpr Flag <184>                       S2HA         {};
    static constexpr Flag <185>                       S2S          {};
    static constexpr Flag <186>                       S2R          {};
    static constexpr Flag <187>                       S2HAFT       {};
    static constexpr Flag <188>                       S2PIE        {};
    static constexpr Flag <189>                       S2POE        {};
    static constexpr Field<191, 190>                  DPT_VMATCH   {};

    static constexpr Flag <192>                       S2NSW        {};
    static constexpr Flag <193>                       S2NSA        {};
    static constexpr Flag <194>                       S2SL0_2      {};
    static constexpr Flag <195>                       S2DS         {};
    static constexpr Addr <243, 196, Gpa>             S2TTB        {};
    static constexpr Field<254, 253>                  S2SKL        {};

    static constexpr Field<287, 272>                  PARTID       {};
    static constexpr Field<293, 288>                  S_S2T0SZ     {};
    static constexpr Field<295, 294>                  S_S2SL0      {};
    static constexpr Field<303, 302>                  S_S2TG       {};
    static constexpr Field<319, 304>                  MECID        {};

    static constexpr Field<327, 320>                  PMG          {};
    static constexpr Flag <328>                       MPAM_NS      {};
    static constexpr Flag <329>                       AssuredOnly  {};
    static constexpr Flag <330>                       TL0          {};
    static constexpr Flag <331>                       TL1          {};
    static constexpr Addr <375, 332, Gpa>             VMSPtr       {};

    static constexpr Flag <384>                       S2SW         {};
    static constexpr Flag <385>                       S2SA         {};
    static constexpr Flag <386>                       S_S2SL0_2    {};
    static constexpr Addr <439, 388, Gpa>             S_S2TTB      {};
    static constexpr Field<446, 445>                  S_S2SKL      {};

    static constexpr Field<511, 448>                  S2POI        {};

    // Ignored<> without a name is IMPLEMENTATION DEFINED.
    static constexpr auto layout = tiled(
        V, Config, S1Fmt, S1ContextPtr, Res0<58, 56>{}, S1CDMax,
        S1DSS, S1CIR, S1COR, S1CSH, S2HWU59, S2HWU60, S2HWU61, S2HWU62, DRE, CONT, DCP, PPAR,
        MEV, SW_RESERVED, S1PIE, S2FWB, S1MPAM, S1STALLD, EATS, STRW, MemAttr, MTCFG, ALLOCCFG,
        Res0<107, 105>{}, SHCFG, NSCFG, PRIVCFG, INSTCFG, Ignored<127, 116>{},
        S2VMID, Ignored<159, 144>{}, S2T0SZ, S2SL0, S2IR0, S2OR0, S2SH0, S2TG, S2PS, S2AA64,
        S2ENDI, S2AFFD, S2PTW, S2HD, S2HA, S2S, S2R, S2HAFT, S2PIE, S2POE, DPT_VMATCH,
        S2NSW, S2NSA, S2SL0_2, S2DS, S2TTB, Res0<247, 244>{}, Res0<252, 248>{}, S2SKL,
        Res0<255>{},
        Ignored<271, 256>{}, PARTID, S_S2T0SZ, S_S2SL0, Res0<301, 296>{}, S_S2TG, MECID,
        PMG, MPAM_NS, AssuredOnly, TL0, TL1, VMSPtr, Res0<383, 376>{},
        S2SW, S2SA, S_S2SL0_2, Res0<387>{}, S_S2TTB, Res0<444, 440>{}, S_S2SKL, Res0<447>{},
        S2POI);
    // clang-format on
};
static_assert(sizeof(Ste) == 64);

}  // namespace iommu::smmu
