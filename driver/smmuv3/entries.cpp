// SPDX-License-Identifier: GPL-2.0-or-later
// What stream table entries and context descriptors say.
#include "driver/smmuv3/smmuv3.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

using namespace smmu;

bool Smmuv3::translates(const Context* c)
{
    return c != nullptr && c->kind != Context::Kind::PassThrough &&
           (c->kind != Context::Kind::CallerOwned ||
            (c->caller.configured && c->caller.translate));
}

// SMMU 5.2 "Stream Table Entry".
Ste Smmuv3::compose(const Stream& s) const
{
    const auto* c = s.bound;
    const bool unconfigured =
        c != nullptr && c->kind == Context::Kind::CallerOwned && !c->caller.configured;
    const bool blocked = (c == nullptr && s.otherwise == Unattached::Blocked) ||
                         (unconfigured && !mutant(Mutant::UnconfiguredPasses));
    const bool through = !blocked && !translates(c);
    const auto ste = Ste{}.with(Ste::V, true).with(Ste::SHCFG, 1);
    if (s.cd_bits == 0 && blocked) {
        return ste.with(Ste::Config, SteConfig::Abort);
    }
    if (s.cd_bits == 0 && through) {
        return ste.with(Ste::Config, SteConfig::Bypass);
    }
    if (translates(c) && !c->stage1) {
        return stage2(*c);
    }
    const auto untagged = through   ? DefaultSubstream::BypassStage1
                          : blocked ? DefaultSubstream::Terminate
                                    : DefaultSubstream::Substream0;
    return ste.with(Ste::Config, SteConfig::Stage1)
        .with(Ste::S1ContextPtr, Ipa{s.cds_physical})
        .with(Ste::S1CDMax, s.cd_bits)
        .with(Ste::S1DSS, untagged)
        .with(Ste::S1CIR, 1)
        .with(Ste::S1COR, 1)
        .with(Ste::S1CSH, 3);
}

Ste Smmuv3::stage2(const Context& c) const
{
    return Ste{}
        .with(Ste::V, true)
        .with(Ste::Config, SteConfig::Stage2)
        .with(Ste::SHCFG, 1)
        .with(Ste::S2VMID, Vmid{c.tag})
        .with(Ste::S2T0SZ, 64 - c.table.input_bits())
        .with(Ste::S2SL0, c.table.top() - 1)  // SL0 2 starts at level 0
        .with(Ste::S2IR0, 1)
        .with(Ste::S2OR0, 1)
        .with(Ste::S2SH0, 3)
        .with(Ste::S2PS, features_.oas_code)
        .with(Ste::S2AA64, true)
        .with(Ste::S2R, true)
        .with(Ste::S2TTB, Gpa{c.table.root()});
}

// SMMU 5.4 "Context Descriptor".
Cd Smmuv3::descriptor(const Context& c, bool report_faults) const
{
    const auto cd = Cd{}.with(Cd::V, true)
                        .with(Cd::AA64, true)
                        .with(Cd::IPS, features_.oas_code)
                        .with(Cd::R, report_faults)
                        .with(Cd::A, true)
                        .with(Cd::ASET, true)
                        .with(Cd::ASID, Asid{c.tag})
                        .with(Cd::TG1, 0b10);
    if (c.kind != Context::Kind::CallerOwned) {
        return cd.with(Cd::T0SZ, 64 - c.table.input_bits())
            .with(Cd::IR0, 1)
            .with(Cd::OR0, 1)
            .with(Cd::SH0, 3)
            .with(Cd::EPD1, true)
            .with(Cd::T1SZ, 16)
            .with(Cd::TTB0, Ipa{c.table.root()})
            .with(Cd::MAIR0, 0xff);
    }
    const auto& t = c.caller;
    const unsigned cacheable = t.coherent ? 1 : 0, shareable = t.coherent ? 3 : 2;
    const auto size = [&](unsigned i) {
        return t.input_size[i] == 0 ? 48u : t.input_size[i];
    };
    const auto base = [&](unsigned i) { return Ipa{t.ttb[i] & 0x0000'ffff'ffff'f000}; };
    return cd.with(Cd::T0SZ, 64 - size(0))
        .with(Cd::EPD0, t.input_size[0] == 0)
        .with(Cd::IR0, cacheable)
        .with(Cd::OR0, cacheable)
        .with(Cd::SH0, shareable)
        .with(Cd::TTB0, base(0))
        .with(Cd::T1SZ, 64 - size(1))
        .with(Cd::EPD1, t.input_size[1] == 0)
        .with(Cd::IR1, cacheable)
        .with(Cd::OR1, cacheable)
        .with(Cd::SH1, shareable)
        .with(Cd::TTB1, base(1))
        .with(Cd::MAIR0, t.mair & 0xffff'ffff)
        .with(Cd::MAIR1, t.mair >> 32);
}

}  // namespace iommu::driver
