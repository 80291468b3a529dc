// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d chapter 3 "DMA Remapping" and 6.2 "Address Translation Caches": from a requester
// and an access to an output address or a fault.  Knows no register and no queue.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/iommu/common/last_tables.hpp"
#include "hw/iommu/common/pieces.hpp"
#include "hw/iommu/common/seqlock.hpp"
#include "hw/iommu/common/table_reader.hpp"
#include "hw/iommu/common/tlb.hpp"
#include "hw/iommu/common/walk.hpp"
#include "hw/iommu/vtd/capabilities.hpp"
#include "hw/iommu/vtd/fault_log.hpp"
#include "hw/iommu/vtd/plan.hpp"
#include "hw/iommu/vtd/shadow.hpp"
#include "hw/iommu/vtd/spec/descriptors.hpp"
#include "iommu/device.hpp"
#include "iommu/expected.hpp"

namespace iommu::vtd {

// VT-d 6.5.2.1, 11.4.6.1: whose context entries.
struct ContextSelector {
    ContextGranularity granularity{};
    DomainId domain{};
    SourceId source{};
    unsigned function_mask = 0;
};

// 2^mask pages around `address`.
struct PageRange {
    Iova address{};
    unsigned mask = 0;

    constexpr std::uint64_t size() const { return std::uint64_t{0x1000} << mask; }
    constexpr bool everything() const { return mask >= 52; }
    constexpr std::uint64_t first() const
    {
        return everything() ? 0 : address.value & ~(size() - 1);
    }
    constexpr std::uint64_t last() const
    {
        return everything() ? ~std::uint64_t{0} : first() + (size() - 1);
    }
};

class Translator {
public:
    Translator(const Configuration& configuration, GuestMemory& memory, FaultLog& faults,
               const Epoch& answers);
    ~Translator();

    // Before the first request.
    void listen(RefusalListener& listener) { listener_ = &listener; }

    // One caller at a time, here and for all invalidations.
    void configure(const Settings& settings);
    Stream* stream(SourceId id, StreamCookie cookie);

    void invalidate_contexts(const ContextSelector& which);
    void invalidate_pasid_cache(PasidCacheGranularity g, DomainId domain, Pasid pasid);
    // VT-d 6.5.2.3: second-stage and nested translations.
    void invalidate_all();
    void invalidate_domain(DomainId domain);
    void invalidate_pages(DomainId domain, const PageRange& pages);
    // VT-d 6.5.2.4: first-stage and nested translations.
    void invalidate_pasid(DomainId domain, Pasid pasid);
    void invalidate_pasid_pages(DomainId domain, Pasid pasid, const PageRange& pages);
    // False: nobody answers.
    bool invalidate_device_tlb(SourceId source, Substream substream,
                               const PageRange& pages);

    // Around everything software asks for with one register write: how much work the
    // copies of page tables may be, and what was put off because it was too much.
    void allow_copying();
    void finish_copying();

    // For introspection.
    const Tlb& tlb() const { return tlb_; }

private:
    friend class Narrator;  // introspect/vtd_walk.cpp
    friend class Caches;    // introspect/vtd_cached.cpp

    class Requester;
    struct Refusal {
        FaultReason reason{};
        bool muted = false;
        bool device_tlb = false;  // what was read before it allows ATS
    };
    // Why the tables map nothing for an access.
    struct Unmapped {
        FaultReason reason{};
        Grounds grounds{};
    };
    // An access as it came, and Epoch::now() before anything was read for it.
    struct Asked {
        Requester& by;
        const Transaction& access;
        std::uint64_t epoch = 0;
    };
    // A translation as the walk found it.
    struct Mapped {
        Tlb::Mapping mapping{};
        Rights allowed{};
        std::uint64_t output = 0;
        bool transient = false;  // TM of the second stage's entry
        const Neighbours* neighbours = nullptr;
    };
    using Counter = std::atomic<std::uint32_t>;

    // context.cpp: from the tables to a plan.
    Expected<Plan, Refusal> fetch_plan(SourceId source, Substream substream);
    Expected<Plan, Refusal> fetch_legacy(RtaddrReg root, SourceId source);
    Expected<Plan, Refusal> fetch_scalable(RtaddrReg root, SourceId source,
                                           Substream substream);
    Expected<Plan, Refusal> fetch_pasid(Gpa directory, Pasid pasid, bool muted);
    Expected<Plan, Refusal> decode_pasid(const PasidTableEntry& entry, bool muted) const;
    bool decode_second_stage(Plan& plan, AddressWidth width, Gpa root) const;
    bool in_reach(Gpa table) const;

    // stages.cpp: from a plan and an access to a mapping.  For `key` the last table of
    // the walk is kept.
    Expected<Mapped, Unmapped> walk_plan(const Plan& plan, const Transaction& access,
                                         const WalkKey& key = {});
    Expected<Mapped, Unmapped> walk_first(const Plan& plan, const Transaction& access,
                                          const WalkKey& key);
    Expected<Mapped, Unmapped> walk_second(const Plan& plan, const Transaction& access,
                                           const WalkKey& key);
    Expected<Mapped, Unmapped> walk_nested(const Plan& plan, const Transaction& access);
    // What walk_plan() would find, by a table that a walk of this thread just ended in.
    // False: to be walked for.
    static bool nearby(const Plan& plan, const Transaction& access, const WalkKey& key,
                       Mapped& out);
    template <typename Format>
    static bool nearby_in(const Transaction& access, const WalkKey& key, Mapped& out);
    static void map_by(const Leaf<Gpa>& leaf, const Transaction& access, Mapped& out);
    WalkKey walk_key(const Plan& plan, Tlb::Ticket ticket) const
    {
        return WalkKey::of(configuration_.tlb ? plan.serial : 0, ticket, memory_.ram());
    }
    template <typename Error>
    Grounds grounds_of(const WalkError<Error>& error, Gpa physical) const;
    // Appends what the second stage maps in `span`.  False: gave up.
    bool list_blocks(const Plan& plan, const PageSpan& span, CopyBudget& budget,
                     std::vector<MappedBlock>& found);

    // translator.cpp: the caches.
    bool hit(const Requester& r, const Transaction& access, Translation& out) const;
    Stream::Result translate_slowly(Requester& r, const Transaction& access,
                                    Translation& out);
    Stream::Result walk_through(const Plan& plan, Tlb::Ticket ticket, const Asked& asked,
                                const Transaction& access, Translation& out);
    Stream::Result answer(const PlanHead& plan, const Asked& asked,
                          const Transaction& access, const Tlb::Hit& hit,
                          Translation& out);
    // Attributes of a cached translation: its rights, and whether D is set already.
    static constexpr std::uint16_t dirty = 64, transient = 128;
    // Into the IOTLB, unless it was overtaken; `mapped` gets its attributes.
    Tlb::Hit keep(Tlb::Ticket ticket, const PlanHead& plan, Mapped& mapped,
                  Access access);
    // `access`: what `asked` amounts to.
    Stream::Result refuse(const Asked& asked, const Transaction& access,
                          const Unmapped& why, bool muted);
    Expected<Plan, Refusal> resolve(const Requester& r, Substream substream);
    Published<Plan>& slot_of(const Requester& r, Substream substream);
    bool current(const PlanHead& plan, const Requester& r) const
    {
        return plan.has(PlanHead::valid) &&
               plan.stamp() == stamp(r, plan.domain_slot(), plan.pasid_slot());
    }
    std::uint32_t stamp(const Requester& r, unsigned domain_slot,
                        unsigned pasid_slot) const;
    bool bypassed(const Requester& r);
    void want_unmaps(Requester& r, bool wanted);
    // ats.cpp: VT-d chapter 4 "Support For Device-TLBs".
    AtsCompletion request_translation(Requester& r, const Transaction& request);
    Stream::Result admit_translated(Requester& r, const Transaction& request);
    Expected<Plan, Refusal> resolve_for_ats(Requester& r, Substream substream);
    Expected<Tlb::Hit, FaultReason> map_for_ats(Requester& r, const Plan& plan,
                                                Transaction request);
    static AtsCompletion complete(const PlanHead& plan, const Transaction& request,
                                  const Tlb::Hit& hit, bool executes);
    void record(const Requester& r, Transaction request, AddressType type,
                const Refusal& why);

    // shadow.cpp
    void want_mappings(Requester& r, bool wanted);
    void replay_mappings(Requester& r, Stream::TakeBlock take, void* opaque);
    void copy(Requester& r, const PageSpan& pages);
    void copy_all();
    void copy_domain(DomainId domain, const PageSpan& pages);

    void end_plans(Counter& counter);
    void announce(Requester& r);
    void announce_all();
    void notify(DomainId domain, Iova base, std::uint64_t size);
    Requester* find(SourceId id) const;

    // The widest address any mode takes: CAP.MGAW.
    std::uint64_t widest() const
    {
        return (std::uint64_t{1} << configuration_.aw_bits) - 1;
    }

    const Configuration& configuration_;
    GuestMemory& memory_;
    FaultLog& faults_;
    const Epoch& answers_epoch_;
    RefusalListener* listener_ = nullptr;
    Published<Settings> settings_;
    Tlb tlb_;

    // A plan is good while the sum of the counters it depends on is what it was.  They
    // only grow.  `epoch_` moves first: who fetched before it moved does not publish.
    static constexpr unsigned domain_slots = 1024, pasid_slots = 1024;
    alignas(64) Counter all_{1};
    std::array<Counter, domain_slots> domains_{};
    std::array<Counter, pasid_slots> pasids_{};
    Counter epoch_{0};
    std::array<Published<Plan>, 1024> pasid_plans_;

    using Bus = std::array<std::unique_ptr<Requester>, 256>;
    std::array<std::unique_ptr<Bus>, 256> buses_;
    std::vector<Requester*> requesters_, listeners_, copiers_;
    CopyBudget copy_budget_{};
};

}  // namespace iommu::vtd
