// SPDX-License-Identifier: GPL-2.0-or-later
// An SMMUv3 as a whole: what it is made of, reset, and what its registers mean to
// translation (SMMU 3.11, 6.3.24, 6.3.25).
#include "hw/iommu/smmuv3/device.hpp"

#include <algorithm>

#include "hw/iommu/smmuv3/requester.hpp"

namespace iommu::smmu {

namespace {

// SMMU 6.3.14: without ATTR_TYPES_OVR "use incoming" is what SHCFG amounts to.
constexpr auto gbpa_use_incoming =
    static_cast<std::uint32_t>(Gbpa{}.with(Gbpa::SHCFG, 0b01).dword[0]);

// Settings without stage 1 have no substreams.
Configuration normalised(Configuration c)
{
    if (!c.capabilities.stage1) {
        c.capabilities.ssid_bits = 0;
    }
    return c;
}

}  // namespace

Smmuv3::Smmuv3(const Configuration& configuration, Host& host)
    : configuration_(normalised(configuration)), host_(host), memory_(host),
      engine_(configuration_.capabilities, memory_), registers_(reset_values()),
      requesters_(std::size_t{1} << (configuration_.capabilities.sid_bits - leaf_bits))
{
    engine_.configure(settings());
}

Smmuv3::~Smmuv3() = default;

Smmuv3::Registers Smmuv3::reset_values() const
{
    Registers r{};
    r.gbpa = gbpa_use_incoming;
    if (configuration_.gbpa_abort) {
        r.gbpa |= static_cast<std::uint32_t>(Gbpa::ABORT.mask);
    }
    return r;
}

void Smmuv3::reset()
{
    {
        const std::lock_guard lock(reporting_);
        registers_ = reset_values();
        command_error_ = false;
    }
    engine_.invalidate_all_configuration();
    engine_.invalidate_all();
    configuration_changed();
}

// SMMU 6.3.24, 6.3.25: reserved encodings and the alignment of the table.
Settings Smmuv3::settings() const
{
    const auto cfg = from_raw<StrtabBaseCfg>(registers_.strtab_base_cfg);
    const auto log2 = static_cast<unsigned>(cfg[StrtabBaseCfg::LOG2SIZE]);
    const auto split = static_cast<unsigned>(cfg[StrtabBaseCfg::SPLIT]);
    const bool two_level = cfg[StrtabBaseCfg::FMT] == 0b01;

    StreamTable table;
    table.format =
        two_level ? StreamTable::Format::TwoLevel : StreamTable::Format::Linear;
    table.split = split == 8 || split == 10 ? split : 6;
    table.log2size = std::min(log2, configuration_.capabilities.sid_bits);
    // Aligned by the literal LOG2SIZE, which SIDSIZE does not limit.
    const unsigned table_bits =
        two_level ? std::max(6u, log2 > table.split ? log2 - table.split + 3 : 3)
                  : log2 + 6;
    const auto base = from_raw<StrtabBase>(registers_.strtab_base)[StrtabBase::ADDR];
    table.base = Gpa{table_bits < 64 ? base.value & (~0ull << table_bits) : 0};

    Settings s;
    s.smmu_enabled = smmu_enabled();
    s.gbpa_abort = from_raw<Gbpa>(registers_.gbpa)[Gbpa::ABORT];
    s.record_bad_stream_id = from_raw<Cr2>(registers_.cr2)[Cr2::RECINVSID];
    s.stream_table = table;
    return s;
}

void Smmuv3::observe(Observer* observer)
{
    observer_ = observer;
    if (hooks && observer_ != nullptr) {
        observer_->configured(settings());
    }
}

void Smmuv3::configuration_changed()
{
    engine_.configure(settings());
    if (hooks && observer_ != nullptr) {
        observer_->configured(settings());
    }
    notify_configuration(0, std::uint64_t{1} << configuration_.capabilities.sid_bits);
}

}  // namespace iommu::smmu
