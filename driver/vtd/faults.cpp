// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 7.2 "Fault Reporting": the fault recording registers.
#include "driver/vtd/vtd.hpp"
#include "hw/iommu/vtd/spec/registers.hpp"

namespace iommu::driver {

using namespace vtd;

// [S] VT-d has one code for an empty entry and for one without the permission; the tables
// tell them apart.  They may change meanwhile: then the later state is the answer.
FAULT_INFORMATION_ARM64_TYPE Vtd::type_of(const FaultRecord& r) const
{
    switch (r[FaultRecord::FR]) {
    case FaultReason::WriteDenied:
    case FaultReason::ReadDenied:
    case FaultReason::SmWriteDenied:
    case FaultReason::SmReadDenied:
    case FaultReason::FsEntryWriteDenied:
    case FaultReason::FsEntryReadDenied: {
        const auto id = static_cast<std::uint32_t>(r[FaultRecord::SID]);
        const auto* s = stream(id);
        const auto* c = s == nullptr || r[FaultRecord::PP] ? nullptr : s->bound;
        std::uint64_t physical = 0;
        const auto page = r[FaultRecord::FI].value / page_size;
        const bool there = c != nullptr && c->table.exists() &&
                           page >> (c->table.input_bits() - PAGE_SHIFT) == 0 &&
                           c->table.lookup(page, physical);
        return there || r[FaultRecord::PP] ? PermissionFault : TranslationFault;
    }
    case FaultReason::SmUserDenied:
    case FaultReason::SmExecuteDenied:
    case FaultReason::SmExecuteDisabled:
    case FaultReason::SmSupervisorDisabled:
        return PermissionFault;
    case FaultReason::RootEntryNotPresent:
    case FaultReason::ContextEntryNotPresent:
    case FaultReason::SmRootEntryNotPresent:
    case FaultReason::SmContextEntryNotPresent:
    case FaultReason::SmPasidDirNotPresent:
    case FaultReason::SmPasidEntryNotPresent:
    case FaultReason::FsPagingEntryNotPresent:
    case FaultReason::SsPagingEntryNotPresent:
        return TranslationFault;
    case FaultReason::AddressBeyondWidth:
    case FaultReason::FsEntryAddressBeyondWidth:
    case FaultReason::SmAddressBeyondWidth:
    case FaultReason::SmSecondStageInputBeyondWidth:
    case FaultReason::SmNotCanonical:
        return AddressSizeFault;
    case FaultReason::RequestTypeBlocked:
    case FaultReason::PasidInLegacyMode:
    case FaultReason::SmPasidDisabled:
    case FaultReason::SmPasidTooLarge:
        return UnsupportedUpstreamTransaction;
    default:
        return ExternalFault;
    }
}

void Vtd::report(const FaultRecord& r)
{
    Fault f{};
    f.stream = {static_cast<std::uint32_t>(r[FaultRecord::SID]), index_};
    f.tagged = r[FaultRecord::PP];
    f.pasid = static_cast<std::uint32_t>(r[FaultRecord::PV]);
    f.stage1 = f.tagged;
    f.write = !r[FaultRecord::T1];
    f.direction_known = true;
    f.instruction = r[FaultRecord::EXE];
    f.privileged = r[FaultRecord::PRIV];
    f.address_valid = true;
    f.address = r[FaultRecord::FI].value;
    f.hardware_code = static_cast<std::uint32_t>(r[FaultRecord::FR]);
    {
        const Guard guard(platform_, stream_lock_);
        f.type = type_of(r);
    }
    sink_->fault(f);
}

// What the unit's last owner left: while a record is pending, the next one is not
// announced (VT-d 7.3).
void Vtd::clear_faults()
{
    for (unsigned i = 0; i < fault_records_; ++i) {
        platform_.write32(node_.base + fault_offset_ + i * 16 + 12, 1u << 31);
    }
    platform_.write32(node_.base + offset::FSTS_REG,
                      static_cast<std::uint32_t>(FstsReg::PFO.mask));
}

// VT-d 7.2.1: each record's F is cleared by software; then PFO, for lost ones.
void Vtd::drain_faults()
{
    __atomic_store_n(&drain_queued_, false, __ATOMIC_RELEASE);
    const Guard guard(platform_, fault_lock_);
    for (unsigned i = 0; i < fault_records_; ++i) {
        const auto at = node_.base + fault_offset_ + i * 16;
        FaultRecord r{};
        r.dword = {platform_.read64(at), platform_.read64(at + 8)};
        if (r[FaultRecord::F]) {
            platform_.write32(at + 12, 1u << 31);
            report(r);
        }
    }
    platform_.write32(node_.base + offset::FSTS_REG,
                      static_cast<std::uint32_t>(FstsReg::PFO.mask));
}

}  // namespace iommu::driver
