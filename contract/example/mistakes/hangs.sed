# SPDX-License-Identifier: GPL-2.0-or-later
s/return reference_unmap(/for (volatile bool forever = true; forever;) {\n    }\n    &/
