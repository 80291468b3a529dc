// SPDX-License-Identifier: GPL-2.0-or-later
// The VT-d unit's invalidation queue and descriptors by name: VT-d 6.5.2.
#include "hw/iommu/introspect/vtd_fields.hpp"
#include "hw/iommu/introspect/vtd_views.hpp"

namespace iommu::vtd {

using namespace introspect;

namespace {

void write_descriptor(Json& json, const std::vector<std::uint64_t>& words)
{
    AnyDescriptor any;
    any.dword = {words[0], words[1]};
    json.text("name", name_of_value(any.type())).key("fields");
    switch (any.type()) {
    case DescriptorType::ContextCache:
        return ContextCacheDescriptorFields::write_words(json, words);
    case DescriptorType::Iotlb:
        return IotlbDescriptorFields::write_words(json, words);
    case DescriptorType::DeviceTlb:
        return DeviceTlbDescriptorFields::write_words(json, words);
    case DescriptorType::InterruptEntryCache:
        return InterruptEntryCacheDescriptorFields::write_words(json, words);
    case DescriptorType::Wait:
        return WaitDescriptorFields::write_words(json, words);
    case DescriptorType::PasidIotlb:
        return PasidIotlbDescriptorFields::write_words(json, words);
    case DescriptorType::PasidCache:
        return PasidCacheDescriptorFields::write_words(json, words);
    case DescriptorType::PasidDeviceTlb:
        return PasidDeviceTlbDescriptorFields::write_words(json, words);
    }
    json.open_object().close_object();
}

constexpr std::uint64_t most_shown = 64, recent_shown = 16;

}  // namespace

void Vtd::Views::queues(Json& json)
{
    const auto& r = vtd_.r_;
    IqaReg iqa;
    iqa.dword[0] = r.active_iqa;
    const std::uint64_t bytes = iqa[IqaReg::DW] ? 32 : 16;
    const introspect::Ring slots{
        iqa[IqaReg::IQA], (std::uint64_t{0x1000} << iqa[IqaReg::QS]) / bytes, bytes};
    const auto head = r.iqh / bytes % slots.slots, tail = r.iqt / bytes % slots.slots;
    const auto waiting = (tail + slots.slots - head) % slots.slots;
    const auto recent = std::min(recent_shown, slots.slots - 1 - waiting);
    const bool enabled = (r.gsts & GlobalReg::QIE.mask) != 0;
    Snapshot memory(vtd_.memory_);
    json.open_object().text("device", "vtd").key("invalidations").open_object();
    json.boolean("enabled", enabled)
        .hex("base", slots.base.value)
        .number("slots", slots.slots)
        .hex("IQH", r.iqh)
        .hex("IQT", r.iqt)
        .hex("FSTS", vtd_.faults_.status())
        .hex("IQERCD", r.iqercd)
        .number("waiting", waiting)
        .key("pending");
    write_entries(json, memory, slots, head, enabled ? std::min(waiting, most_shown) : 0,
                  write_descriptor);
    // As they stand in memory now: the ring has not come round.
    json.key("recent");
    write_entries(json, memory, slots, head + slots.slots - recent, enabled ? recent : 0,
                  write_descriptor);
    json.close_object().key("faults").open_list();
    for (std::size_t i = 0; i < vtd_.faults_.size(); ++i) {
        const std::array<std::uint64_t, 2> record{vtd_.faults_.read_record(2 * i),
                                                  vtd_.faults_.read_record(2 * i + 1)};
        if ((record[1] & FaultRecord::F.mask) != 0) {
            const auto reason = FaultRecord{record}[FaultRecord::FR];
            json.open_object().number("index", i).text("name", name_of_value(reason));
            json.key("raw").words(record).key("fields");
            introspect::write_record(json, reason, record);
            json.close_object();
        }
    }
    json.close_list().close_object();
}

void Vtd::Views::stats(Json& json, EventName name)
{
    const auto& r = vtd_.r_;
    json.open_object()
        .text("device", "vtd")
        .boolean("enabled", vtd_.settings().enabled)
        .hex("GSTS", r.gsts)
        .hex("FSTS", vtd_.faults_.status())
        .hex("RTADDR", r.active_rtaddr)
        .key("descriptors")
        .open_object();
    for (unsigned type = 0; type < vtd_.executed_.size(); ++type) {
        if (vtd_.executed_[type] != 0) {
            const auto known = name_of_value(static_cast<DescriptorType>(type));
            json.number(known == "unknown" ? std::to_string(type) : std::string(known),
                        vtd_.executed_[type]);
        }
    }
    json.close_object().key("faults").open_object();
    write_fault_counts(json, vtd_.history().look(), name);
    json.close_object().close_object();
}

}  // namespace iommu::vtd
