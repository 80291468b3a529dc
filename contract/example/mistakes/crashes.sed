# SPDX-License-Identifier: GPL-2.0-or-later
s/return reference_unmap(/__builtin_trap();\n    &/
