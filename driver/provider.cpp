// SPDX-License-Identifier: GPL-2.0-or-later
// The reference driver as a provider: one instance, over whichever units the firmware
// tables describe.
#include "driver/reference.hpp"
#include "driver/smmuv3/smmuv3.hpp"

#include "driver/system.hpp"
#include "driver/units.hpp"
#include "driver/vtd/vtd.hpp"

namespace iommu::driver {

namespace {

// Room for the one instance; no static constructors, which a kernel driver does without.
template <typename T>
class Storage {
public:
    template <typename... Args>
    T* construct(Args&&... args)
    {
        return new (bytes_) T(static_cast<Args&&>(args)...);
    }

private:
    alignas(T) unsigned char bytes_[sizeof(T)];
};

Storage<Units<Smmuv3>> smmuv3;
Storage<Units<Vtd>> vtd;
Storage<System> the_system;

}  // namespace

NTSTATUS start(const WdmPlatform* platform)
{
    Hardware* hardware = vtd.construct();
    if (platform->architecture == WDM_ARM64) {
        hardware = smmuv3.construct();
    }
    auto* s = the_system.construct(*platform, *hardware);
    if (!s->start()) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    install(s);
    return STATUS_SUCCESS;
}

void stop()
{
    system()->stop();
    install(nullptr);
}

}  // namespace iommu::driver
