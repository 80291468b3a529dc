# SPDX-License-Identifier: GPL-2.0-or-later
# A slot is left empty.
s/UnmapLogicalRange = Unmap;/UnmapLogicalRange = nullptr;/
/^static NTSTATUS WDM_CALL Unmap/s/^/[[maybe_unused]] /
