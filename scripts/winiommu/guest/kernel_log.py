# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a Linux kernel log: what the IOMMU's driver announces, faults it reports, and signs of trouble."""

import dataclasses
import re

# Records are four words printed one per line after "event 0x.. received:" (arm-smmu-v3 in 6.1 and 6.12).
SMMU_EVENT = re.compile(r"arm-smmu-v3 (\S+): event 0x[0-9a-f]{2} received:")
SMMU_WORD = re.compile(r"arm-smmu-v3 (\S+): \t?0x([0-9a-f]{16})$")
SMMU_FEATURES = re.compile(r"arm-smmu-v3 (\S+): ias (\d+)-bit, oas (\d+)-bit \(features 0x([0-9a-f]+)\)")
VTD_UNIT = re.compile(r"DMAR: (dmar\d+): reg_base_addr ([0-9a-f]+) ver (\S+) cap ([0-9a-f]+) ecap ([0-9a-f]+)")
VTD_FAULT = re.compile(r"DMAR: \[DMA (Read|Write)[^\]]*\] Request device \[([0-9a-f:.]+)\] "
                       r"fault addr 0x([0-9a-f]+) \[fault reason 0x([0-9a-f]+)\]")
VTD_INTERRUPT_FAULT = re.compile(r"DMAR: \[INTR-REMAP\] Request device \[([0-9a-f:.]+)\] "
                                 r"fault index 0x([0-9a-f]+) \[fault reason 0x([0-9a-f]+)\]")

# What the two drivers say when all is well. Anything else from them is unexpected.
QUIET = [re.compile(text) for text in (
    r"arm-smmu-v3 \S+: option mask 0x",
    r"arm-smmu-v3 \S+: ias \d+-bit, oas \d+-bit \(features 0x",
    r"arm-smmu-v3 \S+: allocated \d+ entries for (cmdq|evtq|priq)$",
    r"arm-smmu-v3 \S+: msi_domain absent - falling back to wired irqs$",
    r"DMAR: (IOMMU enabled|Host address width \d+|DRHD base: |RMRR base: |ATSR flags: |SATC flags: |RHSA base: )",
    r"DMAR: No (RMRR|ATSR|SATC) found$",
    r"DMAR: dmar\d+: (reg_base_addr|Using Queued invalidation)",
    r"DMAR: Intel\(R\) Virtualization Technology for Directed I/O$",
    r"DMAR-IR: (IOAPIC id|HPET id|Queued invalidation will be enabled|Enabled IRQ remapping in|Copied IR table)",
    r"DMAR: Intel-IOMMU force enabled due to platform opt in$",
    r"DMAR: (Scalable mode|IOMMU scalable|Enable scalable|IOMMU batching disallowed)",
)]
DRIVER = re.compile(r"(?:^|\] )(arm-smmu-v3 |DMAR(?:-IR)?: )")

TROUBLE = [re.compile(text, re.IGNORECASE) for text in (
    r"\bBUG: ", r"\bWARNING: CPU", r"\bOops\b", r"Call trace:", r"kernel panic", r"I/O error", r"\bI/O timeout",
    r"nvme .*(timeout|abort|failed|reset|controller is down)", r"virtio.*(failed|error|broken|reset)", r"nobody cared",
    r"blocked for more than", r"swiotlb buffer is full", r"DMA-API", r"rcu.*stall", r"unable to handle", r"iommu.*\b(fail|failed|fault|error)\b",
    r"spurious", r"event 0x[0-9a-f]+ received", r"fault reason",
)]
TIME_STAMP = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[ *[A-Z]?\d+\])? ")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One access an IOMMU refused, as the kernel's log tells it."""

    source: int  # requester ID: bus << 8 | device << 3 | function
    write: bool
    address: int
    reason: int  # SMMUv3: event number; VT-d: fault reason
    reporter: str = ""  # SMMUv3: Linux's name of the SMMU

    def __str__(self):
        kind = "write" if self.write else "read"
        return f"{requester(self.source)} {kind} 0x{self.address:x} reason 0x{self.reason:02x}"


def requester(source):
    return f"{source >> 8:02x}:{source >> 3 & 31:02x}.{source & 7}"


def parse_requester(text):
    """"00:04.0" or "0000:00:04.0" as a requester ID."""
    bus, device, function = re.fullmatch(r"(?:[0-9a-f]{4}:)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", text).groups()
    return int(bus, 16) << 8 | int(device, 16) << 3 | int(function)


def messages(log):
    """The log's lines without level and time."""
    return [TIME_STAMP.sub("", line) for line in log.splitlines()]


def decode_event(words, reporter):
    """An event record of SMMU 7.3: four 64-bit words as the driver of the SMMU `reporter` prints them."""
    # SMMU 7.3: EventNumber [7:0], StreamID [63:32]; SMMU 7.3.13 F_TRANSLATION: RnW [99], InputAddr [191:128].
    return Fault(source=words[0] >> 32, write=not words[1] >> 35 & 1, address=words[2], reason=words[0] & 0xff,
                 reporter=reporter)


def faults(log):
    """All refused accesses, in order. The lines of two SMMUs may be mixed."""
    found, begun = [], {}
    for line in messages(log):
        event, word, fault = SMMU_EVENT.search(line), SMMU_WORD.search(line), VTD_FAULT.search(line)
        if event:
            begun[event.group(1)] = []
        elif word and word.group(1) in begun:
            words = begun[word.group(1)]
            words.append(int(word.group(2), 16))
            if len(words) == 4:
                found.append(decode_event(begun.pop(word.group(1)), word.group(1)))
        elif fault:
            kind, source, address, reason = fault.groups()
            found.append(Fault(parse_requester(source), kind == "Write", int(address, 16), int(reason, 16)))
    return found


def interrupt_faults(log):
    """Refused interrupts, in order: requester ID, index, reason."""
    found = [VTD_INTERRUPT_FAULT.search(line) for line in messages(log)]
    return [(parse_requester(one.group(1)), int(one.group(2), 16), int(one.group(3), 16)) for one in found if one]


def trouble(log):
    """Lines that must not be in the log of a healthy run."""
    bad = []
    for line in messages(log):
        from_driver = DRIVER.search(line) and not any(quiet.search(line) for quiet in QUIET)
        if from_driver or any(sign.search(line) for sign in TROUBLE):
            bad.append(line)
    return bad
