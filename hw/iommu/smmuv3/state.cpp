// SPDX-License-Identifier: GPL-2.0-or-later
// What migrates: registers and pending errors.  Caches do not; they refill.
#include "hw/iommu/common/saved_state.hpp"
#include "hw/iommu/smmuv3/device.hpp"
#include "hw/iommu/smmuv3/fields.hpp"

namespace iommu::smmu {

namespace {

// One list for both directions: the order is the format.
template <typename Registers, typename Visit>
void visit_registers(Registers& r, Visit&& visit)
{
    visit(r.cr0);
    visit(r.cr1);
    visit(r.cr2);
    visit(r.gbpa);
    visit(r.irq_ctrl);
    visit(r.gerror);
    visit(r.gerrorn);
    visit(r.strtab_base);
    visit(r.strtab_base_cfg);
    visit(r.cmdq_base);
    visit(r.cmdq_prod);
    visit(r.cmdq_cons);
    visit(r.eventq_base);
    visit(r.eventq_prod);
    visit(r.eventq_cons);
    for (auto* msi : {&r.gerror_msi, &r.eventq_msi}) {
        visit(msi->address);
        visit(msi->data);
        visit(msi->attribute);
    }
}

constexpr std::size_t register_words = 15 + 2 * 3;

StateHead head(const Configuration& c)
{
    const auto& has = c.capabilities;
    const auto fingerprint = has.sid_bits | has.ssid_bits << 8 | has.oas_bits << 16 |
                             static_cast<unsigned>(has.stage1) << 24 |
                             static_cast<unsigned>(has.stage2) << 25 |
                             static_cast<unsigned>(c.msi) << 26;
    return {0x334d'4d53'574d'4949 /* "IIMWSMM3" */, 1, fingerprint};
}

constexpr bool within(std::uint64_t value, std::uint64_t fields)
{
    return (value & ~fields) == 0;
}

}  // namespace

// Could a guest have brought the registers there?
bool Smmuv3::holdable(const Registers& r) const
{
    const auto gerror = fields::gerror(configuration_.msi);
    const auto msi_address = fields::msi_address(configuration_.msi, oas_mask());
    const auto msi_data = configuration_.msi ? ~0u : 0;
    bool ok = within(r.cr0, fields::cr0) && within(r.cr1, fields::all<Cr1>) &&
              within(r.cr2, fields::cr2) && within(r.gbpa, fields::gbpa) &&
              within(r.irq_ctrl, fields::irq_ctrl) && within(r.gerror, gerror) &&
              within(r.gerrorn, gerror) &&
              within(r.strtab_base, fields::strtab_base(oas_mask())) &&
              within(r.strtab_base_cfg, fields::all<StrtabBaseCfg>) &&
              within(r.cmdq_base, fields::queue_base(oas_mask())) &&
              within(r.cmdq_prod, fields::all<CmdqProd>) &&
              within(r.cmdq_cons, fields::all<CmdqCons>) &&
              within(r.eventq_base, fields::queue_base(oas_mask())) &&
              within(r.eventq_prod, fields::all<EventqProd>) &&
              within(r.eventq_cons, fields::all<EventqCons>);
    for (const auto* msi : {&r.gerror_msi, &r.eventq_msi}) {
        ok = ok && within(msi->address, msi_address) && within(msi->data, msi_data) &&
             within(msi->attribute, msi_data & fields::all<IrqCfg2>);
    }
    return ok;
}

std::vector<std::byte> Smmuv3::save() const
{
    StateWriter out(head(configuration_));
    const std::lock_guard lock(reporting_);
    visit_registers(registers_, out);
    return std::move(out).release();
}

const char* Smmuv3::load(std::span<const std::byte> state)
{
    StateReader in(state);
    switch (in.open(head(configuration_), register_words)) {
    case StateProblem::None:
        break;
    case StateProblem::Foreign:
        return "SMMUv3: the saved state is not that of a winiommu SMMUv3";
    case StateProblem::OtherVersion:
        return "SMMUv3: the saved state is of another version; run the winiommu that "
               "saved it";
    case StateProblem::OtherProperties:
        return "SMMUv3: the saved state is of a device with other properties; give both "
               "sides the same";
    case StateProblem::BadLength:
        return "SMMUv3: the saved state is cut short or has bytes to spare";
    }
    Registers loaded{};
    visit_registers(loaded, in);
    if (!in.fits() || !holdable(loaded)) {
        return "SMMUv3: the saved state has a register value that no register can hold";
    }
    {
        const std::lock_guard lock(reporting_);
        registers_ = loaded;
        command_error_ = ((loaded.gerror ^ loaded.gerrorn) & Gerror::CMDQ_ERR.mask) != 0;
    }
    engine_.invalidate_all_configuration();
    engine_.invalidate_all();
    configuration_changed();
    return nullptr;
}

}  // namespace iommu::smmu
