// SPDX-License-Identifier: GPL-2.0-or-later
// All units of a machine as one Hardware.  A domain may have devices behind several of
// them: its context, one page table and one tag, means the same to each.  The first unit
// leads: contexts and their tags are its, and it offers what all can do.
#pragma once

#include "driver/hw.hpp"
#include "driver/mutant.hpp"

namespace iommu::driver {

template <typename Unit>
class Units final : public Hardware {
public:
    bool start(const Platform& platform, FaultSink& sink) override
    {
        platform_ = platform;
        if (!table_.open(platform_) || !open_all(sink) || !allocate_all()) {
            stop();
            return false;
        }
        each([](Unit& unit) { unit.take_over(); });
        return true;
    }

    void stop() override
    {
        each([](Unit& unit) { unit.stop(); });
        while (count_ != 0) {
            platform_.destroy(units_[--count_]);
        }
    }

    HardwareLimits limits() const override { return lead().limits(); }
    std::uint64_t base_address(unsigned unit) const override
    {
        return units_[unit]->base_address();
    }
    bool find(const WdmDeviceIdentity& device, InputIds& ids) const override
    {
        for (unsigned i = 0; i < count_; ++i) {
            if (units_[i]->find(device, ids)) {
                ids.unit = i;
                return true;
            }
        }
        return false;
    }

    bool create_context(Context& context) override
    {
        return lead().create_context(context);
    }
    void destroy_context(Context& context) override
    {
        if (context.tag == 0) {
            return;
        }
        // The tag's next owner must not inherit what is cached under it.
        if (!mutant(Mutant::TagReusedDirty)) {
            invalidate(context);
        }
        lead().free_context(context);
    }

    bool prepare(StreamRef stream, unsigned pasid_bits) override
    {
        return at(stream).prepare(stream.id, pasid_bits);
    }
    void forget(StreamRef stream, Unattached then) override
    {
        at(stream).forget(stream.id, then);
    }
    void bind(StreamRef stream, const Context& context) override
    {
        at(stream).bind(stream.id, context);
    }
    void unbind(StreamRef stream, Unattached then) override
    {
        at(stream).unbind(stream.id, then);
    }
    void bind_pasid(StreamRef stream, std::uint32_t pasid, const Context& context,
                    bool report_faults) override
    {
        at(stream).bind_pasid(stream.id, pasid, context, report_faults);
    }
    void unbind_pasid(StreamRef stream, std::uint32_t pasid) override
    {
        at(stream).unbind_pasid(stream.id, pasid);
    }

    void invalidate(const Context& context) override
    {
        if (mutant(Mutant::FlushFirstUnitOnly)) {
            lead().invalidate(context);
            return;
        }
        each([&](Unit& unit) { unit.invalidate(context); });
    }
    void invalidate(const Context& context, std::uint64_t first_page, std::uint64_t pages,
                    Depth depth) override
    {
        if (mutant(Mutant::FlushFirstUnitOnly)) {
            lead().invalidate(context, first_page, pages, depth);
            return;
        }
        each([&](Unit& unit) { unit.invalidate(context, first_page, pages, depth); });
    }

private:
    static constexpr unsigned most = 64;

    // A unit this driver cannot run, or that has nothing in common with those before it,
    // is left as it is; what is behind it is not found.
    bool open_all(FaultSink& sink)
    {
        for (typename Unit::Node node{}; count_ < most && table_.next_unit(node);) {
            auto* unit = platform_.make<Unit>();
            if (unit == nullptr) {
                return false;
            }
            const bool usable = unit->open(platform_, sink, table_, node, count_);
            auto both = count_ == 0 ? unit->features() : common_;
            if (usable && (count_ == 0 || both.meet(unit->features()))) {
                if (count_ == 0 || !mutant(Mutant::FirstUnitFeatures)) {
                    common_ = both;
                }
                units_[count_++] = unit;
            } else {
                platform_.destroy(unit);
            }
        }
        return count_ != 0;
    }
    bool allocate_all()
    {
        bool ok = true;
        each([&](Unit& unit) { ok = ok && unit.allocate(common_, lead()); });
        return ok;
    }
    template <typename Visit>
    void each(Visit visit)
    {
        for (unsigned i = 0; i < count_; ++i) {
            visit(*units_[i]);
        }
    }
    Unit& lead() const { return *units_[0]; }
    Unit& at(StreamRef stream) const
    {
        return mutant(Mutant::StreamAtFirstUnit) ? lead() : *units_[stream.unit];
    }

    Platform platform_{};
    typename Unit::Table table_{};
    typename Unit::Features common_{};
    unsigned count_ = 0;
    Unit* units_[most] = {};
};

}  // namespace iommu::driver
