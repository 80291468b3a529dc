// SPDX-License-Identifier: GPL-2.0-or-later
// The reference driver as a library: what a provider that builds on it calls.
#pragma once

#include "wdm/platform.h"
#include "wdm/provider.h"

namespace iommu::driver {

NTSTATUS start(const WdmPlatform* platform);
void stop();
// Every function, for a provider that replaces some of them.
WdmSlots slots();
NTSTATUS get_interface(ULONG Version, PDMA_IOMMU_INTERFACE InterfaceOut);
NTSTATUS get_interface_ex(ULONG Version, ULONGLONG Flags,
                          PDMA_IOMMU_INTERFACE_EX InterfaceOut);
const WdmDisplay* display();

class System;
// The instance that the slots act on from now on.
void install(System* system);

}  // namespace iommu::driver
