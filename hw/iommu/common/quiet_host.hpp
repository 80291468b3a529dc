// SPDX-License-Identifier: GPL-2.0-or-later
// A Host for a second copy of the translation, which reads memory and tells nobody.
#pragma once

#include "iommu/host.hpp"

namespace iommu {

class QuietHost : public Host {
public:
    void mark_dirty(Gpa, std::size_t) final {}
    void pulse(unsigned) final {}
    MemoryResult send_msi(Gpa, std::uint32_t) final { return MemoryResult::Ok; }
    void unmapped(StreamCookie, Iova, std::uint64_t) final {}
    void bypass_changed(StreamCookie) final {}
    void guest_error(const char*) final {}

protected:
    ~QuietHost() = default;
};

}  // namespace iommu
