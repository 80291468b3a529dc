# SPDX-License-Identifier: GPL-2.0-or-later
"""Disassembles an ACPI table a guest saw, with iasl, and finds what iasl objects to."""

import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

OBJECTION = re.compile(r"error|warning|invalid|unknown|\*\*\*\*|incorrect|mismatch|too (small|large|long)", re.IGNORECASE)


def checksum_good(table):
    """ACPI 5.2.6 System Description Table Header: Length at 4, and all bytes add up to zero."""
    return len(table) >= 36 and struct.unpack_from("<I", table, 4)[0] == len(table) and sum(table) % 256 == 0


# VT-d 8.1 DMA Remapping Reporting Structure: Flags at offset 37.
DMAR_FLAGS = {0: "INTR_REMAP", 1: "X2APIC_OPT_OUT", 2: "DMA_CTRL_PLATFORM_OPT_IN_FLAG"}


def dmar_flags(table):
    return {name for bit, name in DMAR_FLAGS.items() if len(table) > 37 and table[37] >> bit & 1}


def objections(name, table):
    """Lines in which iasl, or we, object to the table; None when there is no iasl."""
    if not checksum_good(table):
        return [f"{name}: length or checksum is wrong"]
    if shutil.which("iasl") is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        blob = pathlib.Path(scratch) / f"{name}.aml"
        blob.write_bytes(table)
        done = subprocess.run(["iasl", "-d", blob.name], cwd=scratch, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        source = blob.with_suffix(".dsl")
        listing = source.read_text(encoding="utf-8", errors="replace") if source.exists() else ""
    if done.returncode or not listing:
        return [f"iasl -d ended with status {done.returncode} and wrote {len(listing)} bytes"]
    # The listing's head, a comment, repeats iasl's own name and licence.
    lines = done.stdout.splitlines() + [line for line in listing.splitlines() if not line.startswith((" *", "/*"))]
    # A UUID that is in no specification of ACPI's authors is marked so, and is none the worse for it.
    return [line.strip() for line in lines if OBJECTION.search(line.replace("/* Unknown UUID */", ""))]
