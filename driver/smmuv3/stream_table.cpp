// SPDX-License-Identifier: GPL-2.0-or-later
#include "driver/smmuv3/stream_table.hpp"

#include "driver/mutant.hpp"
#include "hw/iommu/smmuv3/spec/registers.hpp"
#include "hw/iommu/smmuv3/spec/stream_table.hpp"

namespace iommu::driver {

using namespace smmu;

namespace {

constexpr std::uint64_t words = sizeof(Ste) / 8;
constexpr std::uint64_t second_entries = 1u << StreamTable::split;
constexpr std::uint64_t second_pages = second_entries * sizeof(Ste) / page_size;
// 64 KiB of entries.
constexpr unsigned largest_linear = 10;

}  // namespace

std::uint64_t StreamTable::top_pages() const
{
    const auto bytes =
        two_levels_ ? sizeof(L1Std) << (log2_ - split) : sizeof(Ste) << log2_;
    return (bytes + page_size - 1) / page_size;
}

// SMMU 5.1: Span is one more than the logarithm of the number of entries.
std::uint64_t StreamTable::descriptor(std::uint64_t physical) const
{
    const auto span = mutant(Mutant::SpanOffByOne) ? split : split + 1;
    return L1Std{}.with(L1Std::Span, span).with(L1Std::L2Ptr, Gpa{physical}).dword[0];
}

bool StreamTable::allocate(const Platform& platform, unsigned log2_streams,
                           bool two_levels)
{
    platform_ = &platform;
    log2_ = log2_streams;
    two_levels_ = two_levels && log2_ > largest_linear;
    top_ = platform.pages(top_pages(), top_physical_);
    if (top_ == nullptr || !two_levels_) {
        return top_ != nullptr;
    }
    common_ = platform.pages(second_pages, common_physical_);
    if (common_ == nullptr) {
        release();
        return false;
    }
    for (std::uint64_t i = 0; i < std::uint64_t{1} << (log2_ - split); ++i) {
        top_[i] = descriptor(common_physical_);
    }
    return true;
}

void StreamTable::release()
{
    for (std::uint64_t i = 0;
         common_ != nullptr && i < std::uint64_t{1} << (log2_ - split); ++i) {
        if (top_[i] != descriptor(common_physical_)) {
            L1Std first{};
            first.dword[0] = top_[i];
            platform_->release_pages(platform_->at(first[L1Std::L2Ptr].value),
                                     second_pages);
        }
    }
    if (common_ != nullptr) {
        platform_->release_pages(common_, second_pages);
        common_ = nullptr;
    }
    if (top_ != nullptr) {
        platform_->release_pages(top_, top_pages());
        top_ = nullptr;
    }
}

void StreamTable::fill(const Ste& ste)
{
    auto* entries = two_levels_ ? common_ : top_;
    const auto count = two_levels_ ? second_entries : std::uint64_t{1} << log2_;
    for (std::uint64_t i = 0; i < count; ++i) {
        entries[i * words] = ste.dword[0];
        entries[i * words + 1] = ste.dword[1];
    }
}

void StreamTable::program(std::uint64_t registers) const
{
    const auto base = StrtabBase{}
                          .with(StrtabBase::ADDR, Gpa{top_physical_})
                          .with(StrtabBase::RA, true);
    platform_->write64(registers + StrtabBase::offset, base.dword[0]);
    const auto cfg = StrtabBaseCfg{}
                         .with(StrtabBaseCfg::LOG2SIZE, log2_)
                         .with(StrtabBaseCfg::SPLIT, two_levels_ ? split : 0)
                         .with(StrtabBaseCfg::FMT, two_levels_ ? 1 : 0);
    platform_->write32(registers + StrtabBaseCfg::offset,
                       static_cast<std::uint32_t>(cfg.dword[0]));
}

StreamTable::Own StreamTable::own(std::uint32_t id)
{
    if (!two_levels_ || top_[id >> split] != descriptor(common_physical_) ||
        mutant(Mutant::SharedStreamTable)) {
        return Own::Already;
    }
    std::uint64_t physical = 0;
    auto* entries = platform_->pages(second_pages, physical);
    if (entries == nullptr) {
        return Own::NoMemory;
    }
    __builtin_memcpy(entries, common_, second_pages * page_size);
    __atomic_store_n(&top_[id >> split], descriptor(physical), __ATOMIC_RELEASE);
    return Own::Moved;
}

std::uint64_t* StreamTable::entry(std::uint32_t id) const
{
    if (!two_levels_) {
        return top_ + std::uint64_t{id} * words;
    }
    L1Std first{};
    first.dword[0] = top_[id >> split];
    return platform_->at(first[L1Std::L2Ptr].value) + (id & (second_entries - 1)) * words;
}

}  // namespace iommu::driver
