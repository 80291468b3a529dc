s/return reference_unmap(/__builtin_trap();\n    &/
