// SPDX-License-Identifier: GPL-2.0-or-later
// One unit of a machine: what every IOMMU driver does alike.  It knows which of the
// firmware table's units it is, which requesters have been in a domain and what each is
// bound to, and gives contexts their tables and tags.  What a particular IOMMU reads and
// is told is below "the hardware's part", and nowhere above it.
#pragma once

#include "driver/hw.hpp"
#include "driver/mutant.hpp"
#include "driver/tags.hpp"

namespace iommu::driver {

// A requester that has been in a domain.  `Self` adds what the hardware reads of it, and
// has pasid_bits(): for how many PASIDs that has room.
template <typename Self>
struct Requester {
    std::uint32_t id = 0;
    const Context* bound = nullptr;
    Unattached otherwise = Unattached::Blocked;  // while it is not bound
    Self* next = nullptr;
};

// Kind::Table    the firmware table, Kind::Node what it says of one unit
// Kind::Features what a context depends on; meet(other) becomes what both can do, or is
//                false, and changes nothing, where they have nothing in common
// Kind::Stream   a Requester
// Kind::format(stage1)  of the tables
template <typename Kind>
class CommonUnit {
public:
    using Table = typename Kind::Table;
    using Node = typename Kind::Node;
    using Features = typename Kind::Features;
    using Stream = typename Kind::Stream;

    // False: not one for this driver.
    bool open(const Platform& platform, FaultSink& sink, const Table& table,
              const Node& node, unsigned index)
    {
        platform_ = platform;
        sink_ = &sink;
        table_ = &table;
        node_ = node;
        index_ = index;
        return usable();
    }
    const Features& features() const { return features_; }
    std::uint64_t base_address() const { return node_.base; }
    virtual void take_over() = 0;
    virtual void stop() = 0;
    virtual HardwareLimits limits() const = 0;
    // As Hardware's, of this unit alone.
    virtual bool find(const WdmDeviceIdentity& device, InputIds& ids) const = 0;
    virtual void invalidate(const Context& context) = 0;
    virtual void invalidate(const Context& context, std::uint64_t first_page,
                            std::uint64_t pages, Hardware::Depth depth) = 0;

    // Of the unit that leads.  False: no memory, or no tag is left.
    bool create_context(Context& context)
    {
        if (context.kind == Context::Kind::PassThrough) {
            return true;
        }
        context.stage1 = takes_stage1(context.kind);
        if (!tags(context).take(context.tag)) {
            return false;
        }
        if (context.kind == Context::Kind::CallerOwned) {
            return true;
        }
        const auto l = limits();
        const auto bits = context.stage1 ? l.stage1_input_bits : l.input_bits;
        if (!context.table.create(platform_, Kind::format(context.stage1), bits)) {
            tags(context).give_back(context.tag);
            context.tag = 0;
            return false;
        }
        return true;
    }
    void free_context(Context& context)
    {
        context.table.destroy();
        if (!mutant(Mutant::TagLeaked)) {
            tags(context).give_back(context.tag);
        }
        context.tag = 0;
    }

    // As Hardware's, of this unit's requesters.
    bool prepare(std::uint32_t id, unsigned pasid_bits)
    {
        const Guard guard(platform_, stream_lock_);
        if (auto* known = stream(id); known != nullptr) {
            return pasid_bits <= known->pasid_bits() || make_room(*known, pasid_bits);
        }
        auto* s = platform_.template make<Stream>();
        if (s == nullptr) {
            return false;
        }
        s->id = id;
        if (!make_room(*s, pasid_bits)) {
            platform_.destroy(s);
            return false;
        }
        s->next = streams_;
        streams_ = s;
        return true;
    }
    void forget(std::uint32_t id, Unattached then)
    {
        const Guard guard(platform_, stream_lock_);
        auto** at = &streams_;
        while (*at != nullptr && (*at)->id != id) {
            at = &(*at)->next;
        }
        if (*at != nullptr) {
            retire(**at, then);
            drop(*at);
        }
    }
    void bind(std::uint32_t id, const Context& context)
    {
        const Guard guard(platform_, stream_lock_);
        auto* s = stream(id);
        set_bound(*s, &context);
    }
    void unbind(std::uint32_t id, Unattached then)
    {
        const Guard guard(platform_, stream_lock_);
        auto* s = stream(id);
        s->otherwise = then;
        set_bound(*s, nullptr);
    }
    void bind_pasid(std::uint32_t id, std::uint32_t pasid, const Context& context,
                    bool report_faults)
    {
        const Guard guard(platform_, stream_lock_);
        auto* s = stream(id);
        if (pasid < 1u << s->pasid_bits()) {
            set_tagged(*s, pasid, &context, report_faults);
        }
    }
    void unbind_pasid(std::uint32_t id, std::uint32_t pasid)
    {
        const Guard guard(platform_, stream_lock_);
        set_tagged(*stream(id), pasid, nullptr, false);
    }

protected:
    ~CommonUnit() = default;

    // --- the hardware's part

    // Reads the features; false: not one for this driver.
    virtual bool usable() = 0;
    virtual bool takes_stage1(Context::Kind kind) const = 0;
    virtual Tags& tags(const Context& context) = 0;
    // With stream_lock_ held.  Room for so many PASIDs, which may be more than there was;
    // false: no memory, and nothing has changed.
    virtual bool make_room(Stream& s, unsigned pasid_bits) = 0;
    // It reads nothing of the stream's any more, and then its memory goes.
    virtual void retire(Stream& s, Unattached then) = 0;
    virtual void release(Stream& s) = 0;
    // nullptr: to nothing.
    virtual void set_bound(Stream& s, const Context* context) = 0;
    virtual void set_tagged(Stream& s, std::uint32_t pasid, const Context* context,
                            bool report_faults) = 0;

    // --- for it

    Stream* stream(std::uint32_t id) const
    {
        auto* s = streams_;
        while (s != nullptr && s->id != id) {
            s = s->next;
        }
        return s;
    }
    void drop_all()
    {
        while (streams_ != nullptr) {
            drop(streams_);
        }
    }

    Platform platform_{};
    FaultSink* sink_ = nullptr;
    const Table* table_ = nullptr;
    Node node_{};
    unsigned index_ = 0;
    Features features_{};
    SpinLock stream_lock_;  // streams_ and what hangs off it
    Stream* streams_ = nullptr;

private:
    void drop(Stream*& at)
    {
        auto* s = at;
        at = s->next;
        release(*s);
        platform_.destroy(s);
    }
};

}  // namespace iommu::driver
