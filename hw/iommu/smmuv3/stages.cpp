// SPDX-License-Identifier: GPL-2.0-or-later
// SMMU 7.3.12 to 7.3.16: which event a failed walk is, at which stage and of which CLASS.
#include "hw/iommu/smmuv3/stages.hpp"

namespace iommu::smmu {
namespace {

EventId event_of(WalkFault why)
{
    switch (why) {
    case WalkFault::OutOfRange:
    case WalkFault::Translation:
    case WalkFault::Reserved:
        return EventId::F_TRANSLATION;
    case WalkFault::AddressSize:
        return EventId::F_ADDR_SIZE;
    case WalkFault::AccessFlag:
        return EventId::F_ACCESS;
    case WalkFault::Permission:
        return EventId::F_PERMISSION;
    case WalkFault::Unreadable:
        return EventId::F_WALK_EABT;
    }
    return EventId::F_TRANSLATION;
}

// `physical`: where the entry of `error` was read.
template <typename ReadError>
void rest(Problem& why, const WalkError<ReadError>& error, Gpa physical)
{
    if (error.entry_read) {
        why.rests_on = Problem::RestsOn::Descriptor;
        why.descriptor_at = physical;
        why.descriptor = error.entry_raw;
    } else if (error.why == WalkFault::OutOfRange) {
        why.rests_on = Problem::RestsOn::Configuration;
    }
}

// Reads stage 1 descriptors: through stage 2 if there is one, CLASS TT.
class DescriptorReader {
public:
    DescriptorReader(const SecondStage& s2, TableReader& memory)
        : s2_(s2), memory_(memory)
    {
    }

    [[gnu::always_inline]] bool fetch(Ipa at, std::uint64_t& raw)
    {
        const auto physical = Gpa{at.value};
        return s2_.enabled ? fetch_translated(at, raw) : fetch_from(physical, raw);
    }
    const Problem& failure(Ipa) const { return why_; }
    // Of the last descriptor, which had the address `at`.
    Gpa physical(std::uint64_t at) const { return s2_.enabled ? read_at_ : Gpa{at}; }

private:
    [[gnu::noinline]] bool fetch_translated(Ipa at, std::uint64_t& raw)
    {
        Leaf<Gpa> leaf;
        if (!stage2(s2_, memory_, at, Rights{Rights::priv_read}, Purpose::TableWalk, leaf,
                    why_)) {
            return false;
        }
        read_at_ = leaf.output;
        return fetch_from(read_at_, raw);
    }
    [[gnu::always_inline]] bool fetch_from(Gpa physical, std::uint64_t& raw)
    {
        if (memory_.fetch(physical, raw)) [[likely]] {
            return true;
        }
        // SMMU 7.3.12: S2 == 0, CLASS == TT, also in a nested configuration.
        why_ = {EventId::F_WALK_EABT, Stage::S1, Purpose::TableWalk, Ipa{}, physical};
        return false;
    }

    Problem why_;
    Gpa read_at_{};
    const SecondStage& s2_;
    TableReader& memory_;
};

}  // namespace

bool stage2(const SecondStage& s2, TableReader& memory, Ipa input, Rights wanted,
            Purpose purpose, Leaf<Gpa>& leaf, Problem& why)
{
    if (!s2.enabled) {
        leaf.output.value = input.value;
        leaf.log2size = 63;
        leaf.traits = 0;
        leaf.allowed = Rights::all();
        return true;
    }
    WalkError<TableReader::Abort> error;
    if (!walk_into(s2.format, memory, input, wanted, leaf, error)) {
        why = {event_of(error.why), Stage::S2, purpose, input, error.unreadable.at};
        rest(why, error, Gpa{error.entry_at});
        return false;
    }
    // SMMU 5.2 STE.S2PTW: no CD and no stage 1 table in Device memory.
    if (purpose != Purpose::Input && s2.protected_walks &&
        (leaf.traits & VmsaStage2::device_memory) != 0) {
        why = {EventId::F_PERMISSION, Stage::S2, purpose, input, Gpa{}};
        return false;
    }
    return true;
}

bool stage1(const VmsaStage1& format, const SecondStage& s2, TableReader& memory,
            Iova input, Rights wanted, Leaf<Ipa>& leaf, Problem& why)
{
    DescriptorReader reader{s2, memory};
    WalkError<Problem> error;
    if (walk_into(format, reader, input, wanted, leaf, error)) {
        return true;
    }
    if (error.why == WalkFault::Unreadable) {
        why = error.unreadable;
    } else {
        why = {event_of(error.why), Stage::S1, Purpose::Input, Ipa{}, Gpa{}};
        rest(why, error, reader.physical(error.entry_at));
    }
    return false;
}

}  // namespace iommu::smmu
