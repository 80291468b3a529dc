// SPDX-License-Identifier: GPL-2.0-or-later
// One source-id (VT-d 3.4.1) and what is remembered about it.
#pragma once

#include "hw/iommu/vtd/translator.hpp"

namespace iommu::vtd {

class Translator::Requester final : public Stream {
public:
    Requester(Translator& translator, SourceId source, StreamCookie cookie)
        : Stream(cookie), owner(translator), id(source)
    {
    }

    Result translate(const Transaction& access, Translation& out) override
    {
        return owner.translate(*this, access, out);
    }
    bool bypassed() const override { return owner.bypassed(*this); }
    void want_unmaps(bool wanted) override { owner.want_unmaps(*this, wanted); }

    Translator& owner;
    const SourceId id;
    mutable Published<Plan> plan;           // for requests without PASID
    std::atomic<std::uint32_t> changes{0};  // device-selective invalidations
    std::atomic<std::uint8_t> guess{0};     // the block size of the last hit
    // What the host was told last; it is told of every change.
    mutable std::atomic<bool> announced{false};
};

}  // namespace iommu::vtd
