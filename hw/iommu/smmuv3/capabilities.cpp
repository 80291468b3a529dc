// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 6.3.1 to 6.3.8: the identification registers follow from the configuration.
#include <algorithm>

#include "hw/iommu/smmuv3/device.hpp"

namespace iommu::smmu {

namespace {

template <typename Register>
std::uint32_t raw(const Register& r)
{
    return static_cast<std::uint32_t>(r.dword[0]);
}

struct OutputSize {
    unsigned bits, code;  // IDR5.OAS
};
constexpr OutputSize output_sizes[] = {{32, 0b000}, {36, 0b001}, {40, 0b010},
                                       {42, 0b011}, {44, 0b100}, {48, 0b101}};

const OutputSize* output_size(unsigned bits)
{
    const auto* found =
        std::find_if(std::begin(output_sizes), std::end(output_sizes),
                     [bits](const OutputSize& s) { return s.bits == bits; });
    return found == std::end(output_sizes) ? nullptr : found;
}

}  // namespace

const char* Smmuv3::refuse(const Configuration& c)
{
    const auto& has = c.capabilities;
    if (has.sid_bits < 8 || has.sid_bits > 24) {
        return "SMMUv3: StreamIDs have 8 to 24 bits; choose a size in that range "
               "(default 16)";
    }
    if (has.ssid_bits > 20) {
        return "SMMUv3: SubstreamIDs have 0 to 20 bits; choose a size in that range "
               "(default 8)";
    }
    if (!output_size(has.oas_bits)) {
        return "SMMUv3: the output address size is 32, 36, 40, 42, 44 or 48 bits; choose "
               "one of these (default 48)";
    }
    if (!has.stage1 && !has.stage2) {
        return "SMMUv3: neither stage 1 nor stage 2 is on; turn on at least one";
    }
    return nullptr;
}

std::uint32_t Smmuv3::identification(std::uint32_t offset) const
{
    const auto& has = configuration_.capabilities;
    switch (offset) {
    case Idr0::offset:
        return raw(Idr0{}
                       .with(Idr0::S2P, has.stage2)
                       .with(Idr0::S1P, has.stage1)
                       .with(Idr0::TTF, 0b10)
                       .with(Idr0::COHACC, true)
                       .with(Idr0::ASID16, true)
                       .with(Idr0::MSI, configuration_.msi)
                       .with(Idr0::VMID16, has.stage2)
                       .with(Idr0::CD2L, has.ssid_bits != 0)
                       .with(Idr0::TTENDIAN, 0b10)
                       .with(Idr0::STALL_MODEL, 0b01)
                       .with(Idr0::TERM_MODEL, true)
                       .with(Idr0::ST_LEVEL, 0b01));
    case Idr1::offset:
        return raw(Idr1{}
                       .with(Idr1::SIDSIZE, has.sid_bits)
                       .with(Idr1::SSIDSIZE, has.ssid_bits)
                       .with(Idr1::EVENTQS, max_queue_log2)
                       .with(Idr1::CMDQS, max_queue_log2));
    case Idr3::offset:
        return raw(Idr3{}
                       .with(Idr3::HAD, has.stage1)
                       .with(Idr3::XNX, has.stage2)
                       .with(Idr3::RIL, true)
                       .with(Idr3::BBML, 0b10));
    case Idr5::offset:
        return raw(Idr5{}
                       .with(Idr5::OAS, output_size(has.oas_bits)->code)
                       .with(Idr5::GRAN4K, true)
                       .with(Idr5::GRAN16K, true)
                       .with(Idr5::GRAN64K, true));
    case Aidr::offset:
        return raw(Aidr{}.with(Aidr::ArchMinorRev, 2));  // SMMUv3.2
    default:
        return 0;  // IDR2, IDR4, IIDR: no VATOS page, no implementer's code
    }
}

}  // namespace iommu::smmu
