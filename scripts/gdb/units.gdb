# SPDX-License-Identifier: GPL-2.0-or-later
# A machine with two IOMMUs: which of them refused?  gdb is attached to a guest in which a device behind the second
# will write where nothing is mapped; docs/system/debugging-a-fault.rst.
# Each command is shown before what it says.
set trace-commands on
iommu break-on-fault sid=12:00.0 access=write
continue
# The machine stands still at the fault.
iommu units
iommu faults limit=1 --unit pcie.0
iommu faults limit=1 --unit pcie.1
iommu walk fault
iommu stream sid=12:00.0
iommu break-on-fault off
# The machine goes on, without gdb.
detach
