# SPDX-License-Identifier: GPL-2.0-or-later
"""What an IOMMU's driver in Linux says the device can do, and what ours must be seen to do."""

import dataclasses

from . import kernel_log

# Linux 6.1 and 6.12, drivers/iommu/arm/arm-smmu-v3: the bits of "features 0x...", derived from IDR0-IDR3.
SMMU = {
    0: "2-level stream tables", 1: "2-level CD tables", 2: "little-endian tables", 3: "big-endian tables", 4: "PRI",
    5: "ATS", 6: "SEV", 7: "MSI", 8: "coherent walks", 9: "stage 1", 10: "stage 2", 11: "stall", 12: "EL2",
    13: "forced stall", 14: "52-bit addresses", 15: "range invalidation", 16: "broadcast TLB maintenance", 17: "SVA",
    18: "EL2 host", 19: "nesting", 20: "attribute overrides", 21: "access flag", 22: "dirty state",
}
SMMU_WANTED = (0, 1, 2, 7, 8, 9, 10, 15)
# What a device without a stage, or without MSIs, does not have.
WITHOUT = {"stage1": {10, 19}, "stage2": {1, 9, 19}, "wired": {7}}
SMMU_BITS = 48

# VT-d 11.4.2 Capability Register, 11.4.3 Extended Capability Register.
VTD_CAP = {34: "2 MiB pages", 35: "1 GiB pages", 39: "page-selective invalidation", 7: "caching mode"}
VTD_ECAP = {0: "coherent walks", 1: "queued invalidation", 2: "Device-TLBs", 3: "interrupt remapping", 4: "x2APIC", 6: "pass-through",
            7: "snoop control", 43: "scalable mode"}
VTD_WANTED = (("cap", 34), ("cap", 35), ("cap", 39), ("ecap", 0), ("ecap", 1), ("ecap", 3), ("ecap", 4), ("ecap", 6),
              ("ecap", 7))
VTD_ADDRESS_BITS = 48


@dataclasses.dataclass(frozen=True)
class Announcement:
    """One IOMMU: its name, address bits, features by name, and wanted features it lacks."""

    name: str
    bits: int
    has: tuple[str, ...]
    lacks: tuple[str, ...]

    def __str__(self):
        lacking = f"; LACKS {', '.join(self.lacks)}" if self.lacks else ""
        return f"{self.name}, {self.bits} bits: {', '.join(self.has)}{lacking}"


def _smmu(found, variant):
    name, ias, oas, features = found.groups()
    value = int(features, 16)
    without = WITHOUT.get(variant, set())
    lacks = [SMMU[bit] for bit in SMMU_WANTED if bit not in without and not value >> bit & 1]
    lacks += [f"the absence of {SMMU[bit]}" for bit in sorted(without) if value >> bit & 1]
    bits = min(int(ias), int(oas))
    if bits != SMMU_BITS:
        lacks.append(f"{SMMU_BITS}-bit addresses")
    return Announcement(name, bits, tuple(text for bit, text in SMMU.items() if value >> bit & 1), tuple(lacks))


def _vtd(found, variant):
    name = found.group(1)
    values = {"cap": int(found.group(4), 16), "ecap": int(found.group(5), 16)}
    names = {"cap": VTD_CAP, "ecap": VTD_ECAP}
    wanted = VTD_WANTED + ((("ecap", 43),) if variant.endswith("scalable") else ())
    wanted += (("ecap", 2),) if variant.endswith("ats") else ()
    lacks = [names[register][bit] for register, bit in wanted if not values[register] >> bit & 1]
    # MGAW [21:16] is the width less one.
    bits = (values["cap"] >> 16 & 0x3f) + 1
    if bits != VTD_ADDRESS_BITS:
        lacks.append(f"{VTD_ADDRESS_BITS}-bit addresses")
    has = [text for register in ("cap", "ecap") for bit, text in names[register].items() if values[register] >> bit & 1]
    return Announcement(name, bits, tuple(has), tuple(lacks))


def announced(log, variant="default"):
    """The IOMMUs a kernel log announces."""
    found = []
    for line in kernel_log.messages(log):
        smmu, vtd = kernel_log.SMMU_FEATURES.search(line), kernel_log.VTD_UNIT.search(line)
        if smmu:
            found.append(_smmu(smmu, variant))
        elif vtd:
            found.append(_vtd(vtd, variant))
    return found
