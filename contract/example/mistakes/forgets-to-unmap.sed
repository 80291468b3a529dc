# SPDX-License-Identifier: GPL-2.0-or-later
# UnmapLogicalRange says it did, and did not.
s/return reference_unmap(.*/return (void)Domain, (void)Base, (void)Pages, STATUS_SUCCESS;/
