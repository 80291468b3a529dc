// SPDX-License-Identifier: GPL-2.0-or-later
// IOMMU_MAP_PHYSICAL_ADDRESS and MDL as page lists.  "Page" is 4 KiB throughout.
#include "driver/system.hpp"

namespace iommu::driver {

namespace {

constexpr bool aligned(std::uint64_t value)
{
    return (value & (page_size - 1)) == 0;
}

Described checked(PhysicalPages pages, unsigned output_bits)
{
    return {pages.count() != 0 && pages.fit(output_bits), pages};
}

}  // namespace

// Only the first MDL of a chain: no text says what a chain would mean.
Described describe(MDL* mdl, unsigned output_bits)
{
    if (mdl == nullptr) {
        return {};
    }
    if (!mutant(Mutant::MdlOffsetIgnored) && !aligned(mdl->ByteOffset)) {
        return {};
    }
    if (!mutant(Mutant::MdlLengthIgnored) && !aligned(mdl->ByteCount)) {
        return {};
    }
    return checked(PhysicalPages::frames(MmGetMdlPfnArray(mdl),
                                         (mdl->ByteCount + page_size - 1) / page_size),
                   output_bits);
}

Described describe(const IOMMU_MAP_PHYSICAL_ADDRESS* what, unsigned output_bits)
{
    if (what == nullptr) {
        return {};
    }
    switch (what->MapType) {
    case MapPhysicalAddressTypeMdl:
        return describe(what->Mdl.Mdl, output_bits);
    case MapPhysicalAddressTypeContiguousRange: {
        const auto base = static_cast<std::uint64_t>(what->ContiguousRange.Base.QuadPart);
        const auto size = what->ContiguousRange.Size;
        const bool granular = aligned(base) && aligned(size);
        if (!granular && !mutant(Mutant::ContiguousAlignmentIgnored)) {
            return {};
        }
        return checked(
            PhysicalPages::contiguous(base & ~(page_size - 1), size / page_size),
            output_bits);
    }
    case MapPhysicalAddressTypePfn:
        if (what->PfnArray.PageFrame == nullptr) {
            return {};
        }
        return checked(
            PhysicalPages::frames(what->PfnArray.PageFrame, what->PfnArray.NumberOfPages),
            output_bits);
    case MapPhysicalAddressTypeMax:
        break;
    }
    return {};
}

}  // namespace iommu::driver
