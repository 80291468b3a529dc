// SPDX-License-Identifier: GPL-2.0-or-later
// The VT-d back end.  Scalable mode where the unit has both stages there: Translate uses
// the second stage, TranslateS1 and PASID sub-devices the first.  Else legacy mode.
#pragma once

#include "driver/hw.hpp"
#include "driver/tags.hpp"
#include "driver/vtd/dmar.hpp"
#include "driver/vtd/invalidation_queue.hpp"
#include "hw/iommu/vtd/spec/context.hpp"
#include "hw/iommu/vtd/spec/fault.hpp"
#include "hw/iommu/vtd/spec/pasid.hpp"

namespace iommu::driver {

class Vtd final : public Hardware {
public:
    bool start(const Platform& platform, FaultSink& sink) override;
    void stop() override;
    HardwareLimits limits() const override;
    std::uint64_t base_address() const override { return unit_.base; }
    bool find(const WdmDeviceIdentity& device, InputIds& ids) const override;
    bool create_context(Context& context) override;
    void destroy_context(Context& context) override;
    bool prepare(StreamRef stream, unsigned pasid_bits) override;
    void forget(StreamRef stream, Unattached then) override;
    void bind(StreamRef stream, const Context& context) override;
    void unbind(StreamRef stream, Unattached then) override;
    void bind_pasid(StreamRef stream, std::uint32_t pasid, const Context& context,
                    bool report_faults) override;
    void unbind_pasid(StreamRef stream, std::uint32_t pasid) override;
    void invalidate(const Context& context) override;
    void invalidate(const Context& context, std::uint64_t first_page, std::uint64_t pages,
                    Depth depth) override;

    void interrupt();
    void drain_faults();  // at PASSIVE_LEVEL
    void clear_faults();

private:
    // What a source-id's PASIDs lead to, scalable mode; the RID's own is PASID 0.
    struct PasidTables {
        std::uint64_t* directory = nullptr;  // a page, then one page for each 64 PASIDs
        std::uint64_t physical = 0;
        std::uint64_t pages = 0;
        unsigned bits = 0;
    };
    struct Source {
        std::uint32_t id = 0;
        PasidTables pasids;
        const Context* bound = nullptr;
        const Context** tagged = nullptr;  // by PASID
        std::uint32_t highest = 0;         // PASID in use
        Source* next = nullptr;
    };

    bool usable();
    bool allocate_tables();
    void fill_identity();
    void program();
    void command(std::uint32_t bit, bool on);
    std::uint64_t* context_entry(std::uint32_t source) const;
    bool context_table(unsigned bus);
    bool make_pasid_tables(PasidTables& tables, unsigned bits);
    bool replace_pasid_tables(Source& s, unsigned bits);
    Source* source(StreamRef ref) const;
    void forget_contexts(std::uint32_t source);
    void point_context(std::uint32_t source, const PasidTables& tables);
    vtd::ContextEntry legacy_entry(const Context* context, Unattached otherwise) const;
    vtd::PasidTableEntry pasid_entry(const Context* context, Unattached otherwise,
                                     bool report_faults) const;
    void write_legacy(std::uint32_t source, const vtd::ContextEntry& value);
    void write_pasid(std::uint32_t source, const PasidTables& tables, std::uint32_t pasid,
                     const vtd::PasidTableEntry& value);
    void set_untagged(Source& s, Unattached otherwise);
    void report(const vtd::FaultRecord& record);
    FAULT_INFORMATION_ARM64_TYPE type_of(const vtd::FaultRecord& record) const;
    void invalidate_first_stage(const Context& context);
    template <typename Visit>
    void in_blocks(std::uint64_t first_page, std::uint64_t pages, Visit visit) const;
    template <typename Visit>
    void pasids_of(const Context& context, Visit visit) const;

    Platform platform_{};
    FaultSink* sink_ = nullptr;
    Dmar dmar_{};
    Dmar::Unit unit_{};
    bool scalable_ = false;
    unsigned input_bits_ = 48, pasid_bits_ = 0, largest_mask_ = 0, domain_bits_ = 16;
    unsigned fault_records_ = 0;
    std::uint64_t fault_offset_ = 0;
    InvalidationQueue queue_;
    Tags domains_;
    std::uint16_t pass_through_ = 0;  // the domain-id of everything untranslated
    std::uint64_t* root_ = nullptr;
    std::uint64_t root_physical_ = 0;
    PasidTables identity_;  // shared by the sources nobody has asked for
    SpinLock source_lock_;
    SpinLock fault_lock_;
    bool drain_queued_ = false;
    Source* sources_ = nullptr;
};

}  // namespace iommu::driver
