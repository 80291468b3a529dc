// SPDX-License-Identifier: GPL-2.0-or-later
// Translation contexts: their stage, and SMMU 4.4 "TLB invalidation".
#include "driver/smmuv3/smmuv3.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

using namespace smmu;

bool Smmuv3::takes_stage1(Context::Kind kind) const
{
    return kind != Context::Kind::Managed || !features_.stage2;
}

// SMMU 4.4.2: without stage 1 its commands are illegal.  A caller's domain, which would
// be one of that stage, cannot have been configured then.
bool Smmuv3::may_be_cached(const Context& context) const
{
    return context.tag != 0 && (!context.stage1 || features_.stage1);
}

// SMMU 4.4 "TLB invalidation".
void Smmuv3::invalidate(const Context& context)
{
    if (!may_be_cached(context)) {
        return;
    }
    const auto tlbi = Tlbi{};
    if (context.stage1) {
        commands_.issue(tlbi.with(Tlbi::opcode, Opcode::CMD_TLBI_NH_ASID)
                            .with(Tlbi::ASID, Asid{context.tag}));
    } else {
        commands_.issue(tlbi.with(Tlbi::opcode, Opcode::CMD_TLBI_S12_VMALL)
                            .with(Tlbi::VMID, Vmid{context.tag}));
    }
}

void Smmuv3::invalidate(const Context& context, std::uint64_t first_page,
                        std::uint64_t pages, Hardware::Depth depth)
{
    constexpr std::uint64_t few = 8, many = 1u << 15;
    if (!may_be_cached(context)) {
        return;
    }
    if (pages > many || (pages > few * 16 && !range_invalidation_)) {
        invalidate(context);
        return;
    }
    auto tag = context.tag;
    if (mutant(Mutant::FlushWrongTag)) {
        ++tag;
    }
    auto tlbi = Tlbi{}.with(Tlbi::Leaf, depth == Hardware::Depth::Leaf);
    tlbi =
        context.stage1
            ? tlbi.with(Tlbi::opcode, Opcode::CMD_TLBI_NH_VA).with(Tlbi::ASID, Asid{tag})
            : tlbi.with(Tlbi::opcode, Opcode::CMD_TLBI_S2_IPA)
                  .with(Tlbi::VMID, Vmid{tag});
    CommandQueue::Batch batch(commands_);
    if (pages <= few || !range_invalidation_) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            batch.add(tlbi.with(Tlbi::Address, first_page + i));
        }
        return;
    }
    // SMMU 4.4.1.1: (NUM + 1) << SCALE pages from Address.
    while (pages != 0) {
        const auto scale = static_cast<unsigned>(__builtin_ctzll(pages));
        const auto num = (pages >> scale) & 31;
        batch.add(tlbi.with(Tlbi::Address, first_page)
                      .with(Tlbi::TG, TranslationGranule::G4K)
                      .with(Tlbi::SCALE, scale)
                      .with(Tlbi::NUM, static_cast<unsigned>(num - 1)));
        first_page += num << scale;
        pages -= num << scale;
    }
}

}  // namespace iommu::driver
