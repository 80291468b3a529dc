// SPDX-License-Identifier: GPL-2.0-or-later
// The VT-d back end.  Scalable mode where the unit has both stages there: Translate uses
// the second stage, TranslateS1 and PASID sub-devices the first.  Else legacy mode.
#pragma once

#include "driver/unit.hpp"
#include "driver/vtd/dmar.hpp"
#include "driver/vtd/invalidation_queue.hpp"
#include "hw/iommu/vtd/spec/context.hpp"
#include "hw/iommu/vtd/spec/fault.hpp"
#include "hw/iommu/vtd/spec/pasid.hpp"

namespace iommu::driver {

struct VtdKind {
    using Table = Dmar;
    using Node = Dmar::Unit;
    static constexpr unsigned w39 = 0b10, w48 = 0b100;  // CAP_REG.SAGAW
    struct Features {
        unsigned widths = 0, domain_bits = 16, pasid_bits = 0;
        bool scalable = false;
        unsigned input_bits() const { return (widths & w48) != 0 ? 48 : 39; }
        bool meet(const Features& other);
    };
    // What a source-id's PASIDs lead to, scalable mode; the RID's own is PASID 0.
    struct PasidTables {
        std::uint64_t* directory = nullptr;  // a page, then one page for each 64 PASIDs
        std::uint64_t physical = 0;
        std::uint64_t pages = 0;
        unsigned bits = 0;
    };
    // A source-id.
    struct Stream : Requester<Stream> {
        PasidTables pasids;
        const Context** tagged = nullptr;  // by PASID
        std::uint32_t highest = 0;         // PASID in use

        unsigned pasid_bits() const { return pasids.bits; }
    };
    static const Format& format(bool stage1)
    {
        return stage1 ? vtd_first_stage : vtd_second_stage;
    }
};

// One unit.  What it does for contexts it does as the leader of all: driver/units.hpp.
class Vtd final : public CommonUnit<VtdKind> {
public:
    // With the features all have.  False: no memory.
    bool allocate(const Features& common, const Vtd& lead);
    void take_over() override;
    void stop() override;
    HardwareLimits limits() const override;
    bool find(const WdmDeviceIdentity& device, InputIds& ids) const override;
    void invalidate(const Context& context) override;
    void invalidate(const Context& context, std::uint64_t first_page, std::uint64_t pages,
                    Hardware::Depth depth) override;

    void interrupt();
    void drain_faults();  // at PASSIVE_LEVEL
    void clear_faults();

private:
    using PasidTables = VtdKind::PasidTables;

    bool usable() override;
    bool takes_stage1(Context::Kind kind) const override
    {
        return kind == Context::Kind::ManagedStage1;
    }
    Tags& tags(const Context&) override { return domains_; }
    bool make_room(Stream& s, unsigned pasid_bits) override;
    void retire(Stream& s, Unattached then) override;
    void release(Stream& s) override;
    void set_bound(Stream& s, const Context* context) override;
    void set_tagged(Stream& s, std::uint32_t pasid, const Context* context,
                    bool report_faults) override;

    static void store(std::uint64_t* at, std::uint64_t value)
    {
        __atomic_store_n(at, value, __ATOMIC_RELEASE);
    }
    void fill_identity();
    void program();
    void command(std::uint32_t bit, bool on);
    std::uint64_t* context_entry(std::uint32_t source) const;
    void point_root(unsigned bus, std::uint64_t physical);
    std::uint64_t contexts_at(unsigned bus) const;
    bool own_contexts(unsigned bus);
    vtd::ScalableContextEntry scalable_entry(const PasidTables& tables) const;
    void forget_everything();
    bool make_pasid_tables(PasidTables& tables, unsigned bits);
    bool replace_pasid_tables(Stream& s, unsigned bits);
    void forget_contexts(std::uint32_t source);
    void point_context(std::uint32_t source, const PasidTables& tables);
    vtd::ContextEntry legacy_entry(const Context* context, Unattached otherwise) const;
    vtd::PasidTableEntry pasid_entry(const Context* context, Unattached otherwise,
                                     bool report_faults) const;
    void write_legacy(std::uint32_t source, const vtd::ContextEntry& value);
    void write_pasid(const PasidTables& tables, std::uint32_t pasid,
                     const vtd::PasidTableEntry& value);
    void report(const vtd::FaultRecord& record);
    FAULT_INFORMATION_ARM64_TYPE type_of(const vtd::FaultRecord& record) const;
    void invalidate_first_stage(const Context& context);
    template <typename Visit>
    void in_blocks(std::uint64_t first_page, std::uint64_t pages, Visit visit) const;
    template <typename Visit>
    void pasids_of(const Context& context, Visit visit) const;

    unsigned largest_mask_ = 0;
    unsigned fault_records_ = 0;
    std::uint64_t fault_offset_ = 0;
    InvalidationQueue queue_;
    Tags domains_;                    // the leader's
    std::uint16_t pass_through_ = 0;  // the domain-id of everything untranslated
    std::uint64_t* root_ = nullptr;
    std::uint64_t root_physical_ = 0;
    static constexpr unsigned context_pages = 2;  // of a bus
    std::uint64_t* common_ = nullptr;  // context table of all buses nobody asked for
    std::uint64_t common_physical_ = 0;
    PasidTables identity_;  // shared by the sources nobody has asked for
    SpinLock fault_lock_;
    bool drain_queued_ = false;
};

}  // namespace iommu::driver
