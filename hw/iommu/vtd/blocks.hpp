// SPDX-License-Identifier: GPL-2.0-or-later
// All that a page table maps, where a walk asks for one address.  Depth first, by
// ascending input: one call of `table` for each table that reaches into the span.
#pragma once

#include <algorithm>
#include <vector>

#include "hw/iommu/vtd/page_formats.hpp"
#include "hw/iommu/vtd/shadow.hpp"

namespace iommu::vtd {

template <typename Reader>
class BlockList {
public:
    BlockList(const SecondStage<Iova>& format, Reader& read, CopyBudget& budget,
              std::vector<MappedBlock>& found)
        : format_(format), read_(read), budget_(budget), found_(found)
    {
    }

    // False: gave up, there is more than budget or copy take.
    bool collect(const PageSpan& span)
    {
        const auto widest = (std::uint64_t{1} << format_.width) - 1;
        span_ = {span.first, std::min(span.last, widest)};
        return span_.first > span_.last ||
               table({format_.root, format_.levels}, std::uint64_t{0}, Rights::all());
    }

private:
    bool table(const WalkStart<Gpa>& at, std::uint64_t base, Rights granted)
    {
        const auto shift = level_shift(at.level);
        const auto end = base | ((std::uint64_t{512} << shift) - 1);
        const auto last = std::min(span_.last, end) >> shift;
        for (auto i = std::max(span_.first, base) >> shift; i <= last; ++i) {
            if (budget_.entries == 0) {
                return false;
            }
            --budget_.entries;
            const Iova input{i << shift};
            const auto raw = read_(format_.entry_address(at.table, at.level, input));
            if (raw &&
                !entry(format_.decode(*raw, at.level, input), at.level, input, granted)) {
                return false;
            }
        }
        return true;
    }

    // What a request would fault at maps nothing.
    bool entry(const Entry<Gpa>& e, int level, Iova input, Rights granted)
    {
        const auto allowed = granted & e.rights;
        const bool read = allowed.has(Rights::user_read);
        const bool write = allowed.has(Rights::user_write);
        if (e.kind == EntryKind::Bad || !(read || write)) {
            return true;
        }
        if (e.kind == EntryKind::Table) {
            return table({e.address, format_.below(level)}, input.value, allowed);
        }
        if (e.address.value >> 20 == 0xfee) {
            return true;  // VT-d 3.15: nothing translates to an interrupt
        }
        found_.push_back(
            {input, e.address, (std::uint64_t{1} << e.log2size) - 1, read, write});
        return found_.size() <= Shadow::largest;
    }

    const SecondStage<Iova>& format_;
    Reader& read_;
    CopyBudget& budget_;
    std::vector<MappedBlock>& found_;
    PageSpan span_{};
};

}  // namespace iommu::vtd
