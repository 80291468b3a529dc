// SPDX-License-Identifier: GPL-2.0-or-later
// The fields of the SMMUv3's structures, as introspection shows them; a unit test finds
// what is left out.
#pragma once

#include "hw/iommu/introspect/fields.hpp"
#include "hw/iommu/smmuv3/spec/cd.hpp"
#include "hw/iommu/smmuv3/spec/commands.hpp"
#include "hw/iommu/smmuv3/spec/events.hpp"
#include "hw/iommu/smmuv3/spec/ste.hpp"
#include "hw/iommu/smmuv3/spec/stream_table.hpp"
#include "hw/iommu/smmuv3/spec/vmsa_descriptors.hpp"

namespace iommu::introspect {

// SMMU 4.4: Address[63:12]; 4.7.3: MSIAddress[55:2].
template <>
inline constexpr unsigned shift_of<smmu::Tlbi::Address> = 12;
template <>
inline constexpr unsigned shift_of<smmu::Sync::MSIAddress> = 2;

// clang-format off
using SteFields = FieldList<smmu::Ste, smmu::Ste::V, smmu::Ste::Config, smmu::Ste::S1Fmt,
    smmu::Ste::S1ContextPtr, smmu::Ste::S1CDMax, smmu::Ste::S1DSS, smmu::Ste::S1CIR,
    smmu::Ste::S1COR, smmu::Ste::S1CSH, smmu::Ste::S2HWU59, smmu::Ste::S2HWU60,
    smmu::Ste::S2HWU61, smmu::Ste::S2HWU62, smmu::Ste::DRE, smmu::Ste::CONT, smmu::Ste::DCP,
    smmu::Ste::PPAR, smmu::Ste::MEV, smmu::Ste::SW_RESERVED, smmu::Ste::S1PIE, smmu::Ste::S2FWB,
    smmu::Ste::S1MPAM, smmu::Ste::S1STALLD, smmu::Ste::EATS, smmu::Ste::STRW, smmu::Ste::MemAttr,
    smmu::Ste::MTCFG, smmu::Ste::ALLOCCFG, smmu::Ste::SHCFG, smmu::Ste::NSCFG, smmu::Ste::PRIVCFG,
    smmu::Ste::INSTCFG, smmu::Ste::S2VMID, smmu::Ste::S2T0SZ, smmu::Ste::S2SL0, smmu::Ste::S2IR0,
    smmu::Ste::S2OR0, smmu::Ste::S2SH0, smmu::Ste::S2TG, smmu::Ste::S2PS, smmu::Ste::S2AA64,
    smmu::Ste::S2ENDI, smmu::Ste::S2AFFD, smmu::Ste::S2PTW, smmu::Ste::S2HD, smmu::Ste::S2HA,
    smmu::Ste::S2S, smmu::Ste::S2R, smmu::Ste::S2HAFT, smmu::Ste::S2PIE, smmu::Ste::S2POE,
    smmu::Ste::DPT_VMATCH, smmu::Ste::S2NSW, smmu::Ste::S2NSA, smmu::Ste::S2SL0_2,
    smmu::Ste::S2DS, smmu::Ste::S2TTB, smmu::Ste::S2SKL, smmu::Ste::PARTID, smmu::Ste::S_S2T0SZ,
    smmu::Ste::S_S2SL0, smmu::Ste::S_S2TG, smmu::Ste::MECID, smmu::Ste::PMG, smmu::Ste::MPAM_NS,
    smmu::Ste::AssuredOnly, smmu::Ste::TL0, smmu::Ste::TL1, smmu::Ste::VMSPtr, smmu::Ste::S2SW,
    smmu::Ste::S2SA, smmu::Ste::S_S2SL0_2, smmu::Ste::S_S2TTB, smmu::Ste::S_S2SKL,
    smmu::Ste::S2POI>;

using CdFields = FieldList<smmu::Cd, smmu::Cd::T0SZ, smmu::Cd::TG0, smmu::Cd::IR0, smmu::Cd::OR0,
    smmu::Cd::SH0, smmu::Cd::EPD0, smmu::Cd::ENDI, smmu::Cd::T1SZ, smmu::Cd::TG1, smmu::Cd::IR1,
    smmu::Cd::OR1, smmu::Cd::SH1, smmu::Cd::EPD1, smmu::Cd::V, smmu::Cd::IPS, smmu::Cd::AFFD,
    smmu::Cd::WXN, smmu::Cd::UWXN, smmu::Cd::TBI0, smmu::Cd::TBI1, smmu::Cd::PAN, smmu::Cd::AA64,
    smmu::Cd::HD, smmu::Cd::HA, smmu::Cd::S, smmu::Cd::R, smmu::Cd::A, smmu::Cd::ASET,
    smmu::Cd::ASID, smmu::Cd::NSCFG0, smmu::Cd::HAD0, smmu::Cd::E0PD0, smmu::Cd::HAFT,
    smmu::Cd::TTB0, smmu::Cd::PnCH, smmu::Cd::EPAN, smmu::Cd::HWU059, smmu::Cd::HWU060,
    smmu::Cd::HWU0x, smmu::Cd::NSCFG1, smmu::Cd::HAD1, smmu::Cd::E0PD1, smmu::Cd::AIE,
    smmu::Cd::TTB1, smmu::Cd::DS, smmu::Cd::PIE, smmu::Cd::HWU159, smmu::Cd::HWU160,
    smmu::Cd::HWU1x, smmu::Cd::MAIR0, smmu::Cd::MAIR1, smmu::Cd::AMAIR0, smmu::Cd::AMAIR1,
    smmu::Cd::PARTID, smmu::Cd::PMG, smmu::Cd::PIIU, smmu::Cd::PIIP>;

using L1CdFields = FieldList<smmu::L1Cd, smmu::L1Cd::V, smmu::L1Cd::L2Ptr>;

using L1StdFields = FieldList<smmu::L1Std, smmu::L1Std::Span, smmu::L1Std::L2Ptr>;

using Stage1TableFields = FieldList<smmu::Stage1Table, smmu::Stage1Table::Valid,
    smmu::Stage1Table::Table, smmu::Stage1Table::NextLevel, smmu::Stage1Table::PXNTable,
    smmu::Stage1Table::UXNTable, smmu::Stage1Table::APTable, smmu::Stage1Table::NSTable>;

using Stage1LeafFields = FieldList<smmu::Stage1Leaf, smmu::Stage1Leaf::Valid,
    smmu::Stage1Leaf::Page, smmu::Stage1Leaf::AttrIndx, smmu::Stage1Leaf::NS,
    smmu::Stage1Leaf::AP, smmu::Stage1Leaf::SH, smmu::Stage1Leaf::AF, smmu::Stage1Leaf::nG,
    smmu::Stage1Leaf::OA, smmu::Stage1Leaf::GP, smmu::Stage1Leaf::DBM,
    smmu::Stage1Leaf::Contiguous, smmu::Stage1Leaf::PXN, smmu::Stage1Leaf::UXN>;

using Stage2TableFields = FieldList<smmu::Stage2Table, smmu::Stage2Table::Valid,
    smmu::Stage2Table::Table, smmu::Stage2Table::NextLevel>;

using Stage2LeafFields = FieldList<smmu::Stage2Leaf, smmu::Stage2Leaf::Valid,
    smmu::Stage2Leaf::Page, smmu::Stage2Leaf::MemAttr, smmu::Stage2Leaf::S2AP,
    smmu::Stage2Leaf::SH, smmu::Stage2Leaf::AF, smmu::Stage2Leaf::OA, smmu::Stage2Leaf::DBM,
    smmu::Stage2Leaf::Contiguous, smmu::Stage2Leaf::XN>;

using ConfigurationRecordFields = FieldList<smmu::ConfigurationRecord,
    smmu::ConfigurationRecord::EventNumber, smmu::ConfigurationRecord::SSV,
    smmu::ConfigurationRecord::SubstreamID, smmu::ConfigurationRecord::StreamID>;

using FetchRecordFields = FieldList<smmu::FetchRecord, smmu::FetchRecord::EventNumber,
    smmu::FetchRecord::SSV, smmu::FetchRecord::SubstreamID, smmu::FetchRecord::StreamID,
    smmu::FetchRecord::Reason, smmu::FetchRecord::GPCF, smmu::FetchRecord::FetchAddr>;

using WalkAbortRecordFields = FieldList<smmu::WalkAbortRecord, smmu::WalkAbortRecord::EventNumber,
    smmu::WalkAbortRecord::SSV, smmu::WalkAbortRecord::SubstreamID,
    smmu::WalkAbortRecord::StreamID, smmu::WalkAbortRecord::Reason, smmu::WalkAbortRecord::GPCF,
    smmu::WalkAbortRecord::PnU, smmu::WalkAbortRecord::InD, smmu::WalkAbortRecord::RnW,
    smmu::WalkAbortRecord::S2, smmu::WalkAbortRecord::CLASS, smmu::WalkAbortRecord::InputAddr,
    smmu::WalkAbortRecord::FetchAddr>;

using TranslationRecordFields = FieldList<smmu::TranslationRecord,
    smmu::TranslationRecord::EventNumber, smmu::TranslationRecord::SSV,
    smmu::TranslationRecord::SubstreamID, smmu::TranslationRecord::StreamID,
    smmu::TranslationRecord::STAG, smmu::TranslationRecord::Stall, smmu::TranslationRecord::PnU,
    smmu::TranslationRecord::InD, smmu::TranslationRecord::RnW, smmu::TranslationRecord::NSIPA,
    smmu::TranslationRecord::S2, smmu::TranslationRecord::CLASS, smmu::TranslationRecord::TTRnW,
    smmu::TranslationRecord::InputAddr, smmu::TranslationRecord::IPA>;

using CommandFields = FieldList<smmu::Command, smmu::Command::opcode, smmu::Command::SSec>;

using PrefetchConfigFields = FieldList<smmu::PrefetchConfig, smmu::PrefetchConfig::opcode,
    smmu::PrefetchConfig::SSec, smmu::PrefetchConfig::SSV, smmu::PrefetchConfig::SubstreamID,
    smmu::PrefetchConfig::StreamID>;

using CfgiSteFields = FieldList<smmu::CfgiSte, smmu::CfgiSte::opcode, smmu::CfgiSte::SSec,
    smmu::CfgiSte::StreamID, smmu::CfgiSte::Leaf>;

using CfgiSteRangeFields = FieldList<smmu::CfgiSteRange, smmu::CfgiSteRange::opcode,
    smmu::CfgiSteRange::SSec, smmu::CfgiSteRange::StreamID, smmu::CfgiSteRange::Range>;

using CfgiCdFields = FieldList<smmu::CfgiCd, smmu::CfgiCd::opcode, smmu::CfgiCd::SSec,
    smmu::CfgiCd::SubstreamID, smmu::CfgiCd::StreamID, smmu::CfgiCd::Leaf>;

using TlbiFields = FieldList<smmu::Tlbi, smmu::Tlbi::opcode, smmu::Tlbi::NUM, smmu::Tlbi::SCALE,
    smmu::Tlbi::VMID, smmu::Tlbi::ASID, smmu::Tlbi::Leaf, smmu::Tlbi::TTL128, smmu::Tlbi::TTL,
    smmu::Tlbi::TG, smmu::Tlbi::Address>;

using SyncFields = FieldList<smmu::Sync, smmu::Sync::opcode, smmu::Sync::CS, smmu::Sync::MSH,
    smmu::Sync::MSIAttr, smmu::Sync::MSIData, smmu::Sync::MSI_NS, smmu::Sync::MSIAddress>;

// clang-format on

}  // namespace iommu::introspect
