# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel DMA protection: what the firmware says about it, and what Linux makes of that.

The guest's command line asks for no IOMMU (`iommu=off`) and no translation (`iommu.passthrough=1`). With the platform's
opt-in and an external port Linux 6.12 turns the IOMMU on all the same, lets internal devices pass, and translates what
is behind such a port, without batching invalidations.
"""

import struct

from . import acpi, kernel_log

OPT_IN = "DMAR: Intel-IOMMU force enabled due to platform opt in"
# The kind of domain of each disk: NVMe is behind an external port, virtio-blk is not.
DOMAINS = {"nvme0n1": "DMA", "vda": "identity"}
# PCI Firmware 4.5.1 _OSC Interface for PCI Host Bridge Devices: the control field's bits 0 to 4 are granted, of which
# Debian's kernels ask for all but SHPC, bit 1. As AML: And (Local0, 0x1f, Local0).
GRANTED = bytes([0x7b, 0x60, 0x0a, 0x1f, 0x60])
CONTROLS = {"PCIeHotplug", "PME", "AER", "PCIeCapability"}
EXTERNAL_PORTS = ("\\_SB.PCI0.S28", "\\_SB.PCI0.S30")  # slots 5 and 6


def _package(*elements):
    """ACPI 20.2.5.4 PackageOp, at most 63 bytes long; an element is AML, a string or 0 or 1."""
    body = b"".join(bytes([element]) if isinstance(element, int) else
                    b"\x0d" + element.encode() + b"\0" if isinstance(element, str) else element for element in elements)
    return bytes([0x12, len(body) + 2, len(elements)]) + body


def external_dsd(uid):
    """Microsoft's "DSD for PCIe Root Ports": EFCC06CC-73AC-4BC3-BFF0-76143807C389."""
    guid = struct.pack("<IHH", 0xefcc06cc, 0x73ac, 0x4bc3) + bytes.fromhex("bff076143807c389")
    buffer = bytes([0x11, 0x13, 0x0a, 0x10]) + guid
    return b"\x08_DSD" + _package(buffer, _package(_package("ExternalFacingPort", 1), _package("UID", uid)))


def _name(path):
    """ACPI 20.2.2 Name Objects Encoding of an absolute path of three segments."""
    return b"\\\x2f\x03" + b"".join(part.ljust(4, "_").encode() for part in path[1:].split("."))


def _check_tables(result, transcript):
    tables = {name: table for name, table in transcript.files.items() if name.startswith("acpi/SSDT")}
    ours = {name: table for name, table in tables.items() if table[28:32] == b"WIMU"}
    marked = [path for uid, path in enumerate(EXTERNAL_PORTS)
              if any(_name(path) + external_dsd(uid) in table for table in ours.values())]
    result.add("external ports have their _DSD", len(ours) == 1 and marked == list(EXTERNAL_PORTS),
               f"{', '.join(sorted(ours)) or 'no table'}: {', '.join(marked) or 'none'}")
    for name, table in ours.items():
        found = acpi.objections(name.partition("/")[2], table)
        result.add("the SSDT is sound", found == [], "; ".join(found[:5]) if found else f"{len(table)} bytes")


def _check_kernel(result, transcript):
    lines = kernel_log.messages(transcript.files.get("log", b"").decode(errors="replace"))
    result.add("Linux reports the platform's opt-in", OPT_IN in lines, OPT_IN if OPT_IN in lines else "no such line")
    controls = [line for line in lines if "_OSC: OS now controls [" in line]
    held = set(controls[0].partition("[")[2].rstrip("]").split()) if len(controls) == 1 else set()
    result.add("_OSC grants all of PCI Express",
               CONTROLS <= held and GRANTED in transcript.files.get("acpi/DSDT", b""),
               "; ".join(controls) or "the kernel's log does not say")


def _check_removable(result, transcript):
    """What is behind an external port, and nothing else, can be removed by a person."""
    disks = {words[0]: words[1] for words in transcript.all("disk") if len(words) == 3}
    endpoint = {words[1] for words in transcript.all("bad-dma") if len(words) == 6}
    removable = {words[0] for words in transcript.all("removable") if words[1:] == ["removable"]}
    result.add("Linux sees what is external", "nvme0n1" in disks and removable == {disks["nvme0n1"]} | endpoint,
               " ".join(sorted(removable)) or "nothing")


def check(result, transcript):
    _check_tables(result, transcript)
    _check_kernel(result, transcript)
    _check_removable(result, transcript)
