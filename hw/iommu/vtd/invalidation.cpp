// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5.1 "Register-based Invalidation Interface".
#include "hw/iommu/vtd/device.hpp"

namespace iommu::vtd {

// VT-d 11.4.6.1.  Done at once: ICC never reads as set.  CAIG tells what was done; 00
// that the request was wrong, as every request is outside legacy mode.
void Vtd::write_ccmd()
{
    CcmdReg ccmd;
    ccmd.dword[0] = r_.ccmd;
    if (!ccmd[CcmdReg::ICC]) {
        return;
    }
    auto done = ContextGranularity::Reserved;
    if (legacy() && ccmd[CcmdReg::CIRG] != ContextGranularity::Reserved) {
        done = ccmd[CcmdReg::CIRG];
        translator_.invalidate_contexts({done, ccmd[CcmdReg::DID], ccmd[CcmdReg::SID],
                                         static_cast<unsigned>(ccmd[CcmdReg::FM])});
        if (hooks && observer_ != nullptr) {
            const auto same = ContextCacheDescriptor{}
                                  .with(ContextCacheDescriptor::G, done)
                                  .with(ContextCacheDescriptor::DID, ccmd[CcmdReg::DID])
                                  .with(ContextCacheDescriptor::SID, ccmd[CcmdReg::SID])
                                  .with(ContextCacheDescriptor::FM, ccmd[CcmdReg::FM]);
            observer_->invalidated({same.dword[0] | 0x1, 0});
        }
    }
    r_.ccmd = ccmd.with(CcmdReg::ICC, false).with(CcmdReg::CAIG, done).dword[0];
}

// VT-d 11.4.6.2.1, with the address of 11.4.6.2.2.
void Vtd::write_iotlb()
{
    IotlbReg iotlb;
    iotlb.dword[0] = r_.iotlb;
    if (!iotlb[IotlbReg::IVT]) {
        return;
    }
    IvaReg iva;
    iva.dword[0] = r_.iva;
    auto done = legacy() ? iotlb[IotlbReg::IIRG] : IotlbGranularity::Reserved;
    const auto mask = static_cast<unsigned>(iva[IvaReg::AM]);
    switch (done) {
    case IotlbGranularity::Global:
        translator_.invalidate_all();
        break;
    case IotlbGranularity::Domain:
        translator_.invalidate_domain(iotlb[IotlbReg::DID]);
        break;
    case IotlbGranularity::Page:
        if (mask > configuration_.largest_address_mask()) {
            done = IotlbGranularity::Reserved;
            break;
        }
        translator_.invalidate_pages(iotlb[IotlbReg::DID], {iva[IvaReg::ADDR], mask});
        break;
    case IotlbGranularity::Reserved:
        break;
    }
    if (hooks && observer_ != nullptr && done != IotlbGranularity::Reserved) {
        const auto same = IotlbDescriptor{}
                              .with(IotlbDescriptor::G, done)
                              .with(IotlbDescriptor::DID, iotlb[IotlbReg::DID])
                              .with(IotlbDescriptor::AM, iva[IvaReg::AM])
                              .with(IotlbDescriptor::ADDR, iva[IvaReg::ADDR]);
        observer_->invalidated({same.dword[0] | 0x2, same.dword[1]});
    }
    r_.iotlb = iotlb.with(IotlbReg::IVT, false).with(IotlbReg::IAIG, done).dword[0];
}

}  // namespace iommu::vtd
