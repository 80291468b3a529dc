// SPDX-License-Identifier: GPL-2.0-or-later
// What migrates: registers and pending errors.  Caches do not; they refill.
#include <cstring>
#include <type_traits>

#include "hw/iommu/smmuv3/device.hpp"
#include "hw/iommu/smmuv3/fields.hpp"

namespace iommu::smmu {

namespace {

constexpr std::uint64_t magic = 0x334d'4d53'574d'4949;  // "IIMWSMM3"
constexpr std::uint64_t version = 1;

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

constexpr std::size_t header_words = 3;
constexpr std::size_t register_words = 15 + 2 * 3;
constexpr std::size_t state_bytes = (header_words + register_words) * 8;

// What the guest was told at its start must be what it finds at its destination.
std::uint64_t fingerprint(const Configuration& c)
{
    const auto& has = c.capabilities;
    return has.sid_bits | has.ssid_bits << 8 | has.oas_bits << 16 |
           static_cast<unsigned>(has.stage1) << 24 |
           static_cast<unsigned>(has.stage2) << 25 | static_cast<unsigned>(c.msi) << 26;
}

std::uint64_t word_at(std::span<const std::byte> state, std::size_t index)
{
    std::uint64_t word;
    std::memcpy(&word, state.data() + index * 8, 8);
    return word;
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
    std::vector<std::byte> out(state_bytes);
    std::size_t at = 0;
    const auto put = [&](std::uint64_t word) {
        std::memcpy(out.data() + at, &word, 8);
        at += 8;
    };
    put(magic);
    put(version);
    put(fingerprint(configuration_));
    const std::lock_guard lock(reporting_);
    visit_registers(registers_, put);
    return out;
}

const char* Smmuv3::load(std::span<const std::byte> state)
{
    if (state.size() < header_words * 8 || word_at(state, 0) != magic) {
        return "SMMUv3: the saved state is not that of a winiommu SMMUv3";
    }
    if (word_at(state, 1) != version) {
        return "SMMUv3: the saved state is of another version; run the winiommu that "
               "saved it";
    }
    if (state.size() != state_bytes) {
        return "SMMUv3: the saved state is cut short or has bytes to spare";
    }
    if (word_at(state, 2) != fingerprint(configuration_)) {
        return "SMMUv3: the saved state is of a device with other properties; give both "
               "sides the same";
    }
    Registers loaded{};
    std::size_t index = header_words;
    bool fits = true;
    visit_registers(loaded, [&](auto& field) {
        const auto word = word_at(state, index++);
        field = static_cast<std::remove_reference_t<decltype(field)>>(word);
        fits = fits && field == word;
    });
    if (!fits || !holdable(loaded)) {
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
