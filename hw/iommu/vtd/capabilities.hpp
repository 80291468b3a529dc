// SPDX-License-Identifier: GPL-2.0-or-later
// What a unit was built with, and what CAP and ECAP say of it.
#pragma once

#include <cstdint>

#include "hw/iommu/vtd/spec/registers.hpp"

namespace iommu::vtd {

// Defaults: the set Windows is known to accept.
struct Configuration {
    unsigned aw_bits = 48;     // widest second stage: 39, 48 or 57
    unsigned pasid_bits = 20;  // scalable mode only; 0: no requests with PASID
    unsigned fault_records = 1;
    bool caching_mode = false;
    bool snoop_control = true;
    bool intremap = true;
    bool eim = true;
    bool pt = true;
    bool scalable_mode = false;
    bool device_iotlb = false;
    bool tlb = true;

    // Not architecture: the addresses this platform can put on its bus.  PCI and RAM of
    // q35 stay below 2^52; VT-d 3.6 calls it HAW.
    constexpr unsigned haw_bits() const { return aw_bits == 57 ? 52 : 48; }
    constexpr unsigned largest_address_mask() const { return 18; }
};

// nullptr, or one line saying which value the architecture does not have.
const char* refuse(const Configuration&);

CapReg capability(const Configuration&);
EcapReg extended_capability(const Configuration&);

}  // namespace iommu::vtd
