# SPDX-License-Identifier: GPL-2.0-or-later
s/return iommu::driver::start(platform)/return (void)platform, STATUS_UNSUCCESSFUL/
