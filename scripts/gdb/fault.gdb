# SPDX-License-Identifier: GPL-2.0-or-later
# From the symptom to the cause: the steps of docs/system/debugging-a-fault.rst.  gdb is attached to
# a guest in which a device will write where nothing is mapped.
# Each command is shown before what it says.
set trace-commands on
iommu units
iommu break-on-fault sid=00:04.0 access=write
continue
# The machine stands still at the fault.
iommu faults limit=1
iommu walk fault
iommu stream sid=00:04.0
iommu queue
iommu tlb limit=4
iommu break-on-fault off
# The machine goes on, without gdb.
detach
