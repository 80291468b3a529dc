// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace iommu::driver {

class System;
// The instance that the exported functions act on from now on.
void install(System* system);

}  // namespace iommu::driver
