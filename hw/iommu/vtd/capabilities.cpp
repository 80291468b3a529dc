// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 11.4.2 and 11.4.3: every bit follows from what is built in.
#include "hw/iommu/vtd/capabilities.hpp"

namespace iommu::vtd {

const char* refuse(const Configuration& c)
{
    if (c.aw_bits != 39 && c.aw_bits != 48 && c.aw_bits != 57) {
        return "aw-bits: VT-d page tables are 39, 48 or 57 bits wide; use one of these";
    }
    if (c.fault_records < 1 || c.fault_records > 256) {
        return "fault-records: CAP.NFR counts 1 to 256; choose a number in that range";
    }
    if (c.pasid_bits > 20) {
        return "pasid-bits: a PASID has at most 20 bits; use 0 to 20";
    }
    if (c.eim && !c.intremap) {
        return "eim=on needs interrupt remapping; add intremap=on or set eim=off";
    }
    return nullptr;
}

CapReg capability(const Configuration& c)
{
    // SAGAW lists every width up to the largest: 39, 48, 57.
    const unsigned widths = c.aw_bits == 57 ? 0b1110 : c.aw_bits == 48 ? 0b0110 : 0b0010;
    return CapReg{}
        .with(CapReg::ND, 0b110)  // 16-bit domain ids
        .with(CapReg::CM, c.caching_mode)
        .with(CapReg::SAGAW, widths)
        .with(CapReg::MGAW, c.aw_bits - 1)
        .with(CapReg::ZLR, true)
        .with(CapReg::FRO, offset::FRCD_REG / 16)
        .with(CapReg::SSLPS, 0b0011)  // 2 MiB and 1 GiB
        .with(CapReg::PSI, true)
        .with(CapReg::NFR, c.fault_records - 1)
        .with(CapReg::MAMV, c.largest_address_mask())
        .with(CapReg::DWD, true)
        .with(CapReg::DRD, true)
        .with(CapReg::FS1GP, c.scalable_mode)
        .with(CapReg::FS5LP, c.scalable_mode)
        .with(CapReg::ESRTPS, true);
}

EcapReg extended_capability(const Configuration& c)
{
    const bool sm = c.scalable_mode;
    const bool pasid = sm && c.pasid_bits > 0;
    return EcapReg{}
        .with(EcapReg::C, true)
        .with(EcapReg::QI, true)
        .with(EcapReg::DT, c.device_iotlb)
        .with(EcapReg::IR, c.intremap)
        .with(EcapReg::EIM, c.eim)
        .with(EcapReg::PT, c.pt)
        .with(EcapReg::SC, c.snoop_control)
        .with(EcapReg::IRO, offset::IVA_REG / 16)
        .with(EcapReg::MHMV, c.intremap ? 15 : 0)
        .with(EcapReg::NEST, sm)
        .with(EcapReg::ERS, pasid)
        .with(EcapReg::SRS, sm)
        .with(EcapReg::EAFS, sm)
        .with(EcapReg::PSS, pasid ? c.pasid_bits - 1 : 0)
        .with(EcapReg::PASID, pasid)
        .with(EcapReg::SMTS, sm)
        .with(EcapReg::SSADS, sm)
        .with(EcapReg::SSTS, sm)
        .with(EcapReg::FSTS, sm)
        .with(EcapReg::SMPWCS, sm)
        .with(EcapReg::RPS, sm)
        .with(EcapReg::RPRIVS, sm);
}

}  // namespace iommu::vtd
