// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d 6.5 "Invalidation of Translation Caches".
#include "driver/vtd/vtd.hpp"

#include "driver/mutant.hpp"

namespace iommu::driver {

using namespace vtd;

// The PASIDs under which first-stage entries of the context may be cached.
template <typename Visit>
void Vtd::pasids_of(const Context& context, Visit visit) const
{
    for (const auto* s = streams_; s != nullptr; s = s->next) {
        if (s->bound == &context) {
            visit(0u);
        }
        for (std::uint32_t i = 1; i <= s->highest; ++i) {
            if (s->tagged[i] == &context) {
                visit(i);
            }
        }
    }
}

void Vtd::invalidate(const Context& context)
{
    if (context.tag == 0) {
        return;
    }
    if (context.stage1) {
        invalidate_first_stage(context);
        return;
    }
    // FlushDomain comes here at HIGH_LEVEL: no lock but the queue's.
    InvalidationQueue::Batch batch(queue_);
    batch.add(DescriptorType::Iotlb,
              IotlbDescriptor{}
                  .with(IotlbDescriptor::G, IotlbGranularity::Domain)
                  .with(IotlbDescriptor::DID, DomainId{context.tag}));
}

void Vtd::invalidate_first_stage(const Context& context)
{
    const Guard guard(platform_, stream_lock_);
    InvalidationQueue::Batch batch(queue_);
    pasids_of(context, [&](std::uint32_t pasid) {
        batch.add(DescriptorType::PasidIotlb,
                  PasidIotlbDescriptor{}
                      .with(PasidIotlbDescriptor::G, PasidIotlbGranularity::Pasid)
                      .with(PasidIotlbDescriptor::DID, DomainId{context.tag})
                      .with(PasidIotlbDescriptor::PASID, Pasid{pasid}));
    });
}

// VT-d 6.5.2.3, 6.5.2.4: 2^AM pages, aligned to themselves.
template <typename Visit>
void Vtd::in_blocks(std::uint64_t first_page, std::uint64_t pages, Visit visit) const
{
    while (pages != 0) {
        unsigned mask = 0;
        while (mask < largest_mask_ && (first_page & ((2ull << mask) - 1)) == 0 &&
               (2ull << mask) <= pages) {
            ++mask;
        }
        visit(Iova{first_page * page_size}, mask);
        first_page += 1ull << mask;
        pages -= 1ull << mask;
    }
}

void Vtd::invalidate(const Context& context, std::uint64_t first_page,
                     std::uint64_t pages, Hardware::Depth depth)
{
    constexpr std::uint64_t many = 1u << 15;
    if (pages > many) {
        invalidate(context);
        return;
    }
    auto tag = context.tag;
    if (mutant(Mutant::FlushWrongTag)) {
        ++tag;
    }
    if (!context.stage1) {
        InvalidationQueue::Batch batch(queue_);
        in_blocks(first_page, pages, [&](Iova address, unsigned mask) {
            batch.add(DescriptorType::Iotlb,
                      IotlbDescriptor{}
                          .with(IotlbDescriptor::G, IotlbGranularity::Page)
                          .with(IotlbDescriptor::DID, DomainId{tag})
                          .with(IotlbDescriptor::IH, depth == Hardware::Depth::Leaf)
                          .with(IotlbDescriptor::AM, mask)
                          .with(IotlbDescriptor::ADDR, address));
        });
        return;
    }
    const Guard guard(platform_, stream_lock_);
    InvalidationQueue::Batch batch(queue_);
    in_blocks(first_page, pages, [&](Iova address, unsigned mask) {
        pasids_of(context, [&](std::uint32_t pasid) {
            batch.add(
                DescriptorType::PasidIotlb,
                PasidIotlbDescriptor{}
                    .with(PasidIotlbDescriptor::G, PasidIotlbGranularity::PageInPasid)
                    .with(PasidIotlbDescriptor::DID, DomainId{tag})
                    .with(PasidIotlbDescriptor::PASID, Pasid{pasid})
                    .with(PasidIotlbDescriptor::IH, depth == Hardware::Depth::Leaf)
                    .with(PasidIotlbDescriptor::AM, mask)
                    .with(PasidIotlbDescriptor::ADDR, address));
        });
    });
}

}  // namespace iommu::driver
