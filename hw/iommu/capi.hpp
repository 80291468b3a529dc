// SPDX-License-Identifier: GPL-2.0-or-later
// What stands behind the handles of iommu/capi.h.
#pragma once

#include <functional>
#include <memory>

#include "hw/iommu/verify/watch.hpp"
#include "iommu/capi.h"
#include "iommu/device.hpp"

namespace iommu {

// A WiHost as a Host.
class CHost final : public Host {
public:
    explicit CHost(const WiHost& callbacks) : callbacks_(callbacks) {}

    // nullptr, or one line: every callback is called sooner or later.
    static const char* refuse(const WiHost*);

    MemoryResult read(Gpa from, std::span<std::byte> to) override;
    MemoryResult write(Gpa to, std::span<const std::byte> from) override;
    void mark_dirty(Gpa at, std::size_t size) override;
    void pulse(unsigned line) override;
    MemoryResult send_msi(Gpa address, std::uint32_t data) override;
    void unmapped(StreamCookie stream, Iova base, std::uint64_t size) override;
    void bypass_changed(StreamCookie stream) override;
    void guest_error(const char* text) override;
    void mapping_changed(StreamCookie stream, const MappedBlock& block) override;
    bool device_unmapped(StreamCookie stream, Substream substream, Iova base,
                         std::uint64_t size) override;

private:
    const WiHost callbacks_;
};

}  // namespace iommu

struct WiIommu {
    explicit WiIommu(const WiHost& callbacks) : host(callbacks) {}

    iommu::CHost host;
    std::unique_ptr<iommu::Device> device;

    // Made by who knows what kind of device it is.
    using MakeWatch = std::unique_ptr<iommu::verify::Watch>(
        bool verifies, iommu::verify::Watch::Listener);
    std::function<MakeWatch> make_watch;
    std::unique_ptr<iommu::verify::Watch> watch;  // nullptr: verify is off
};

namespace iommu {

// The handle of a device `D`, made with `wanted` unless `refused` says why that cannot
// be.  `watching(device)` makes its MakeWatch.  nullptr: one line in `*error`, if asked.
template <typename D, typename C, typename Watching>
WiIommu* make_handle(const C& wanted, const char* refused, const WiHost* host,
                     const char** error, Watching watching)
{
    if (!refused) {
        refused = CHost::refuse(host);
    }
    if (error) {
        *error = refused;
    }
    if (refused) {
        return nullptr;
    }
    auto made = std::make_unique<WiIommu>(*host);
    auto device = std::make_unique<D>(wanted, made->host);
    made->make_watch = watching(*device);
    made->device = std::move(device);
    return made.release();
}

}  // namespace iommu
