// SPDX-License-Identifier: GPL-2.0-or-later
// The driver that is linked in, as a provider.
#pragma once

#include "contract/host/kernel.hpp"
#include "wdm/platform.h"

namespace iommu::contract {

inline Provider linked_provider()
{
    return {IommuProviderStart, IommuProviderStop, IoGetIommuInterface,
            IoGetIommuInterfaceEx, IommuProviderDisplay};
}

}  // namespace iommu::contract
