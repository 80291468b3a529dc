// SPDX-License-Identifier: GPL-2.0-or-later
// The fields of the VT-d's structures, as introspection shows them; a unit test finds
// what is left out.
#pragma once

#include "hw/iommu/introspect/fields.hpp"
#include "hw/iommu/vtd/spec/context.hpp"
#include "hw/iommu/vtd/spec/descriptors.hpp"
#include "hw/iommu/vtd/spec/fault.hpp"
#include "hw/iommu/vtd/spec/irte.hpp"
#include "hw/iommu/vtd/spec/page_tables.hpp"
#include "hw/iommu/vtd/spec/pasid.hpp"

namespace iommu::introspect {

// clang-format off
using RootEntryFields = FieldList<vtd::RootEntry, vtd::RootEntry::P, vtd::RootEntry::CTP>;

using ScalableRootEntryFields = FieldList<vtd::ScalableRootEntry, vtd::ScalableRootEntry::LP,
    vtd::ScalableRootEntry::LCTP, vtd::ScalableRootEntry::UP, vtd::ScalableRootEntry::UCTP>;

using ContextEntryFields = FieldList<vtd::ContextEntry, vtd::ContextEntry::P,
    vtd::ContextEntry::FPD, vtd::ContextEntry::TT, vtd::ContextEntry::SSPTPTR,
    vtd::ContextEntry::AW, vtd::ContextEntry::DID>;

using ScalableContextEntryFields = FieldList<vtd::ScalableContextEntry,
    vtd::ScalableContextEntry::P, vtd::ScalableContextEntry::FPD, vtd::ScalableContextEntry::DTE,
    vtd::ScalableContextEntry::PASIDE, vtd::ScalableContextEntry::PRE,
    vtd::ScalableContextEntry::PDTS, vtd::ScalableContextEntry::PASIDDIRPTR,
    vtd::ScalableContextEntry::RID_PASID, vtd::ScalableContextEntry::RID_PRIV>;

using PasidDirectoryEntryFields = FieldList<vtd::PasidDirectoryEntry, vtd::PasidDirectoryEntry::P,
    vtd::PasidDirectoryEntry::FPD, vtd::PasidDirectoryEntry::SMPTBLPTR>;

using PasidTableEntryFields = FieldList<vtd::PasidTableEntry, vtd::PasidTableEntry::P,
    vtd::PasidTableEntry::FPD, vtd::PasidTableEntry::AW, vtd::PasidTableEntry::SSEE,
    vtd::PasidTableEntry::PGTT, vtd::PasidTableEntry::SSADE, vtd::PasidTableEntry::SSPTPTR,
    vtd::PasidTableEntry::DID, vtd::PasidTableEntry::PWSNP, vtd::PasidTableEntry::PGSNP,
    vtd::PasidTableEntry::SRE, vtd::PasidTableEntry::ERE, vtd::PasidTableEntry::FSPM,
    vtd::PasidTableEntry::WPE, vtd::PasidTableEntry::NXE, vtd::PasidTableEntry::SMEP,
    vtd::PasidTableEntry::EAFE, vtd::PasidTableEntry::FSPTPTR>;

using FirstStageEntryFields = FieldList<vtd::FirstStageEntry, vtd::FirstStageEntry::P,
    vtd::FirstStageEntry::RW, vtd::FirstStageEntry::US, vtd::FirstStageEntry::PWT,
    vtd::FirstStageEntry::PCD, vtd::FirstStageEntry::A, vtd::FirstStageEntry::D,
    vtd::FirstStageEntry::PS, vtd::FirstStageEntry::G, vtd::FirstStageEntry::EA,
    vtd::FirstStageEntry::ADDR, vtd::FirstStageEntry::XD>;

using SecondStageEntryFields = FieldList<vtd::SecondStageEntry, vtd::SecondStageEntry::R,
    vtd::SecondStageEntry::W, vtd::SecondStageEntry::X, vtd::SecondStageEntry::EMT,
    vtd::SecondStageEntry::IPAT, vtd::SecondStageEntry::PS, vtd::SecondStageEntry::A,
    vtd::SecondStageEntry::D, vtd::SecondStageEntry::SNP, vtd::SecondStageEntry::ADDR,
    vtd::SecondStageEntry::TM>;

using FaultRecordFields = FieldList<vtd::FaultRecord, vtd::FaultRecord::FI, vtd::FaultRecord::SID,
    vtd::FaultRecord::T2, vtd::FaultRecord::PRIV, vtd::FaultRecord::EXE, vtd::FaultRecord::PP,
    vtd::FaultRecord::FR, vtd::FaultRecord::PV, vtd::FaultRecord::AT, vtd::FaultRecord::T1,
    vtd::FaultRecord::F>;

using InterruptFaultRecordFields = FieldList<vtd::InterruptFaultRecord,
    vtd::InterruptFaultRecord::InterruptIndex, vtd::InterruptFaultRecord::SID,
    vtd::InterruptFaultRecord::FR, vtd::InterruptFaultRecord::F>;

using IrteFields = FieldList<vtd::Irte, vtd::Irte::P, vtd::Irte::FPD, vtd::Irte::DM,
    vtd::Irte::RH, vtd::Irte::TM, vtd::Irte::DLM, vtd::Irte::IM, vtd::Irte::V, vtd::Irte::DST,
    vtd::Irte::SID, vtd::Irte::SQ, vtd::Irte::SVT>;

using ContextCacheDescriptorFields = FieldList<vtd::ContextCacheDescriptor,
    vtd::ContextCacheDescriptor::G, vtd::ContextCacheDescriptor::DID,
    vtd::ContextCacheDescriptor::SID, vtd::ContextCacheDescriptor::FM>;

using IotlbDescriptorFields = FieldList<vtd::IotlbDescriptor, vtd::IotlbDescriptor::G,
    vtd::IotlbDescriptor::DW, vtd::IotlbDescriptor::DR, vtd::IotlbDescriptor::DID,
    vtd::IotlbDescriptor::AM, vtd::IotlbDescriptor::IH, vtd::IotlbDescriptor::ADDR>;

using DeviceTlbDescriptorFields = FieldList<vtd::DeviceTlbDescriptor,
    vtd::DeviceTlbDescriptor::PFSID3_0, vtd::DeviceTlbDescriptor::MIP,
    vtd::DeviceTlbDescriptor::SID, vtd::DeviceTlbDescriptor::PFSID15_4,
    vtd::DeviceTlbDescriptor::S, vtd::DeviceTlbDescriptor::ADDR>;

using InterruptEntryCacheDescriptorFields = FieldList<vtd::InterruptEntryCacheDescriptor,
    vtd::InterruptEntryCacheDescriptor::G, vtd::InterruptEntryCacheDescriptor::IM,
    vtd::InterruptEntryCacheDescriptor::IIDX>;

using WaitDescriptorFields = FieldList<vtd::WaitDescriptor, vtd::WaitDescriptor::IF,
    vtd::WaitDescriptor::SW, vtd::WaitDescriptor::FN, vtd::WaitDescriptor::PD,
    vtd::WaitDescriptor::StatusData, vtd::WaitDescriptor::StatusAddress>;

using PasidCacheDescriptorFields = FieldList<vtd::PasidCacheDescriptor,
    vtd::PasidCacheDescriptor::G, vtd::PasidCacheDescriptor::DID,
    vtd::PasidCacheDescriptor::PASID>;

using PasidIotlbDescriptorFields = FieldList<vtd::PasidIotlbDescriptor,
    vtd::PasidIotlbDescriptor::G, vtd::PasidIotlbDescriptor::DID,
    vtd::PasidIotlbDescriptor::PASID, vtd::PasidIotlbDescriptor::AM,
    vtd::PasidIotlbDescriptor::IH, vtd::PasidIotlbDescriptor::ADDR>;

using PasidDeviceTlbDescriptorFields = FieldList<vtd::PasidDeviceTlbDescriptor,
    vtd::PasidDeviceTlbDescriptor::MIP, vtd::PasidDeviceTlbDescriptor::PFSID3_0,
    vtd::PasidDeviceTlbDescriptor::SID, vtd::PasidDeviceTlbDescriptor::PASID,
    vtd::PasidDeviceTlbDescriptor::PFSID15_4, vtd::PasidDeviceTlbDescriptor::G,
    vtd::PasidDeviceTlbDescriptor::S, vtd::PasidDeviceTlbDescriptor::ADDR>;

// clang-format on

}  // namespace iommu::introspect
