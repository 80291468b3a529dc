s/return reference_unmap(/for (volatile bool forever = true; forever;) {\n    }\n    &/
